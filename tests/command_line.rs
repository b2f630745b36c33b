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

/// A provider on SQLite in `folder`, with two clients in its configuration.
fn provider(folder: &std::path::Path) -> String {
    let path = folder.join("hefu.toml");
    let text = format!(
        r#"
[node]
listen = ["127.0.0.1:0"]
proxies = ["127.0.0.1/32"]
kek = {{ env = "HEFU_TEST_KEK" }}

[[entity]]
name = "id"
role = "provider"
id = "https://id.example"
database = "sqlite:{}?mode=rwc"
vault = "vault"
federation.authority_hints = ["https://anchor.example"]

[entity.people]
register_url = "https://register.example/api"
sms_gateway_url = "https://sms.example/send"

[entity.provider]
registration = "token"
registration_tokens = ["{:0>64}"]
registration_scope = "openid"
request_uri = true

[[entity.provider.clients]]
client_id = "bank"
redirect_uris = ["https://bank.example/cb"]
"client_name" = "银行"
"client_name#en" = "Bank"
token_endpoint_auth_method = "private_key_jwt"
token_endpoint_auth_signing_alg = "PS256"
jwks_uri = "https://bank.example/jwks"
request_uris = ["https://bank.example/request#1"]
initiate_login_uri = "https://bank.example/login"
default_max_age = 600

[[entity.provider.clients]]
client_id = "mac"
client_secret = "0123456789abcdef0123456789abcdef"
redirect_uris = ["https://mac.example/cb"]
token_endpoint_auth_method = "client_secret_jwt"
"#,
        folder.join("hefu.db").display(),
        1
    );
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn operators_change_clients_and_make_registration_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let config = provider(folder.path());
    // 32 bytes of zeros, for this folder alone.
    let kek = "A".repeat(43);
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_hefu"))
            .args(arguments)
            .env("HEFU_CONFIG", &config)
            .env("HEFU_TEST_KEK", &kek)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let json = |arguments: &[&str]| -> serde_json::Value {
        let output = run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let refused = |arguments: &[&str], expected: &str| {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(
            said(&output).contains(expected),
            "{arguments:?}: {}",
            said(&output)
        );
    };
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let checked = run(&["config", "check", &config]);
    assert!(checked.status.success(), "{}", said(&checked));
    let migrated = run(&["migrate"]);
    assert!(migrated.status.success(), "{}", said(&migrated));

    let uri = "https://rp.example/cb";
    let added = json(&[
        "client",
        "add",
        "--client-id",
        "rp",
        "--redirect-uri",
        uri,
        "--secret-days",
        "2",
    ]);
    assert_eq!(added["client_secret"].as_str().unwrap().len(), 43);
    let shown = json(&["client", "show", "rp"]);
    let age = shown["secret_expires_at"].as_i64().unwrap() - shown["created_at"].as_i64().unwrap();
    assert_eq!(
        (age, &shown["registered_itself"]),
        (2 * 86_400, &false.into())
    );

    // Some members by a file, some by options; a dry run changes nothing.
    let metadata = file(
        "metadata.json",
        r#"{"client_name": "file", "default_max_age": 60, "redirect_uris": null, "token_endpoint_auth_method": "client_secret_jwt"}"#,
    );
    let set = [
        "client",
        "set",
        "rp",
        "--metadata",
        &metadata,
        "--redirect-uri",
        "https://rp.example/2",
        "--name",
        "option",
    ];
    let dry = json(&[&set[..], &["--dry-run"]].concat());
    let expected = serde_json::json!({"client_name": "option", "default_max_age": 60, "redirect_uris": ["https://rp.example/2"],
        "token_endpoint_auth_method": "client_secret_jwt"});
    assert_eq!(dry["metadata"], expected);
    assert_eq!(json(&["client", "show", "rp"]), shown);
    let changed = json(&set);
    assert_eq!(
        changed["client_secret"].as_str().unwrap().len(),
        86,
        "one that is known"
    );
    assert_eq!(json(&["client", "show", "rp"])["metadata"], expected);
    let kept = json(&["client", "set", "rp", "--name", "again"]);
    assert_eq!(kept["client_secret"], serde_json::Value::Null);
    refused(
        &["client", "set", "rp", "--replace", "--name", "x"],
        "redirect_uris",
    );
    refused(
        &[
            "client",
            "set",
            "rp",
            "--redirect-uri",
            "http://rp.example/",
        ],
        "redirect URI",
    );
    refused(
        &["client", "set", "nobody", "--name", "x"],
        "not registered",
    );
    refused(
        &["client", "set", "rp", "--metadata", "/nowhere.json"],
        "/nowhere.json",
    );

    let token = json(&["client", "registration-token", "--uses", "3", "--days", "1"]);
    let id = token["id"].as_str().unwrap();
    assert_eq!(token["token"].as_str().unwrap().len(), 43);
    json(&["client", "registration-token", "--dry-run"]);
    let listed = json(&["client", "registration-token", "--list"]);
    assert_eq!(
        (
            &listed[0]["id"],
            &listed[0]["uses_left"],
            listed.as_array().unwrap().len()
        ),
        (&token["id"], &3.into(), 1)
    );
    assert!(
        !listed
            .to_string()
            .contains(token["token"].as_str().unwrap())
    );
    refused(
        &["client", "registration-token", "--uses", "0"],
        "at least once",
    );
    refused(
        &["client", "registration-token", "--revoke", "rt_x"],
        "rt_x",
    );
    json(&["client", "registration-token", "--revoke", id]);
    assert_eq!(
        json(&["client", "registration-token", "--list"]),
        serde_json::json!([])
    );
}

#[test]
fn operators_of_the_console_are_invited_listed_and_disabled() {
    let folder = tempfile::tempdir().unwrap();
    let config = provider(folder.path());
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_hefu"))
            .args(["operator"])
            .args(arguments)
            .env("HEFU_CONFIG", &config)
            .env("HEFU_TEST_KEK", "A".repeat(43))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let migrated = Command::new(env!("CARGO_BIN_EXE_hefu"))
        .args(["migrate", "--config", &config])
        .env("HEFU_TEST_KEK", "A".repeat(43))
        .output()
        .unwrap();
    assert!(migrated.status.success(), "{}", said(&migrated));
    let invite = ["invite", "--name", "测试庚", "--role", "help_desk"];
    let none = run(&invite);
    assert!(said(&none).contains("no console"), "{}", said(&none));

    let text = std::fs::read_to_string(&config).unwrap();
    let console =
        "private_listen = \"127.0.0.1:0\"\nconsole.origin = \"https://console.example\"\nkek =";
    std::fs::write(&config, text.replacen("kek =", console, 1)).unwrap();
    let tried = run(&[&invite[..], &["--dry-run"]].concat());
    assert!(tried.status.success(), "{}", said(&tried));
    let list = || -> serde_json::Value {
        serde_json::from_slice(&run(&["list", "--json"]).stdout).unwrap()
    };
    assert_eq!(list()["invitations"].as_array().unwrap().len(), 0);
    let invited = run(&invite);
    let link = String::from_utf8(invited.stdout).unwrap();
    assert!(
        link.starts_with("https://console.example/console/id/join?invitation="),
        "{link}"
    );
    let listed = list();
    assert_eq!(listed["invitations"][0]["roles"], "help_desk");
    assert_eq!(listed["invitations"][0]["invited_by"], "operator");
    let id = listed["invitations"][0]["id"].as_str().unwrap();
    let disabled = run(&["disable", id]);
    assert!(disabled.status.success(), "{}", said(&disabled));
    assert_eq!(list()["invitations"].as_array().unwrap().len(), 0);
    let again = run(&["disable", id]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        said(&again).contains("neither an operator"),
        "{}",
        said(&again)
    );
    let both = run(&["invite", "--name", "x", "--role", "auditor,help_desk"]);
    assert_eq!(both.status.code(), Some(2));
    assert!(said(&both).contains("no other role"), "{}", said(&both));
}
