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
