//! The program as a person at a terminal meets it: what needs no server.

use std::process::{Command, Output, Stdio};

fn hefu(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hefu"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let national = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/national.toml");
    let mut child = Command::new(env!("CARGO_BIN_EXE_hefu"))
        .args(["config", "check", national])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(said(&output), "");
    assert!(output.status.success());
}

/// docs/lab.md: the laboratory's file is told by the environment where it stands, and says which line a bad value is on.
#[test]
fn the_laboratory_is_told_by_the_environment() {
    let lab = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/lab.toml");
    let check = |variables: &[(&str, &str)]| {
        let output = Command::new(env!("CARGO_BIN_EXE_hefu"))
            .args(["config", "check", lab])
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &said(&output);
        (output.status.code(), told)
    };
    let (code, told) = check(&[
        ("HEFU_LAB_HOST", "id.lab.test"),
        ("HEFU_LAB_LISTEN", "0.0.0.0:443"),
        ("HEFU_LAB_MTLS_HOST", "mtls.lab.test"),
        ("HEFU_LAB_MTLS_LISTEN", "0.0.0.0:9443"),
        ("HEFU_LAB_FOLDER", "/srv/lab"),
        ("HEFU_LAB_ALLOW", r#""172.16.0.0/12", "127.0.0.0/8""#),
        ("HEFU_LAB_TRUST_ROOTS", r#""/srv/suite-ca.pem""#),
        (
            "HEFU_LAB_TRUST_ANCHORS",
            r#"{ id = "https://a.lab.test", jwks = '{"keys":[]}' }, { id = "https://b.lab.test", jwks_file = "b.json" }"#,
        ),
        ("HEFU_LAB_AUTHORITY_HINTS", r#""https://a.lab.test""#),
        (
            "HEFU_LAB_REDIRECT_URIS",
            r#""https://suite.lab.test/callback", "https://suite.lab.test/other""#,
        ),
    ]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("https://id.lab.test\n"), "{told}");

    let text = std::fs::read_to_string(lab).unwrap();
    for (variable, value, what) in [
        ("HEFU_LAB_LISTEN", "nowhere", "invalid socket address"),
        ("HEFU_LAB_ALLOW", "\"everywhere\"", "invalid IP address"),
        ("HEFU_LAB_HOST", "ID.lab.test", "id is not written as"),
        ("HEFU_LAB_MTLS_LISTEN", "nowhere", "invalid socket address"),
        ("HEFU_LAB_AUTHORITY_HINTS", "\"a\"\n", "holds a line break"),
    ] {
        let line = 1 + text.lines().position(|l| l.contains(variable)).unwrap();
        let (code, told) = check(&[(variable, value)]);
        assert_eq!(code, Some(1), "{variable}: {told}");
        assert!(
            told.contains(&format!("line {line}: ")) && told.contains(what),
            "{variable}: {told}"
        );
    }
}

#[test]
fn refusals_are_one_sentence_that_can_be_acted_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("a-file"), "").unwrap();
    std::fs::create_dir(path("foreign")).unwrap();
    std::fs::write(path("foreign") + "/thesis.txt", "years of work").unwrap();
    for (arguments, expected) in [
        (
            vec!["demo", "--data", &path("foreign")],
            "holds files that are not hefu's; choose another folder with --data",
        ),
        (
            vec!["demo", "--data", &path("a-file")],
            "choose another folder with --data",
        ),
        (
            vec!["doctor", "--data", &path("nowhere"), "--entity", "id"],
            "does not exist; `hefu demo` makes one",
        ),
        (
            vec!["serve", "--config", &path("nowhere.toml")],
            "cannot read",
        ),
        (
            vec!["keys", "list"],
            "say which: --config FILE, or --data DIR for a demo",
        ),
    ] {
        let output = hefu(&arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        assert!(output.stdout.is_empty());
    }
    assert!(std::path::Path::new(&(path("foreign") + "/thesis.txt")).exists());
}
