//! The operator's verbs, used beside running nodes: what they say, and what the nodes make of it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use conformance_tests::demo::binary;
use serde_json::Value;

use super::cluster::{
    A, B, Cluster, REDIRECT_URI, code_form, member, one_line_of_json, parameter, refusal, said,
    shared,
};

/// The nodes remember a client for some seconds; then they have seen what was changed.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_client_lives_as_the_operator_says() {
    let cluster = shared().await;
    let person = cluster.newcomer("14000000231").await;
    let asks = |id: &str| cluster.authorize(&[("client_id", id)]);

    // Nobody knows it yet, and both nodes have been asked; a dry run changes nothing.
    let id = "cl-by-hand";
    let add = [
        "client",
        "add",
        "--client-id",
        id,
        "--name",
        "手工登记",
        "--redirect-uri",
        REDIRECT_URI,
    ];
    let dry = cluster.hefu(&[&add[..], &["--dry-run"]].concat(), A);
    assert!(said(&dry).contains("would be registered"), "{}", said(&dry));
    for node in [A, B] {
        assert!(person.at[node].get(&asks(id)).await.has("error-code"));
    }
    let dry = cluster.hefu_json(&[&add[..], &["--dry-run"]].concat());
    assert_eq!(
        (&dry["client_id"], &dry["dry_run"]),
        (&id.into(), &true.into())
    );
    let added = cluster.hefu_json(&add);
    assert_eq!(added["client_id"], id);
    let secret = added["client_secret"]
        .as_str()
        .expect("a secret")
        .to_owned();
    for node in [A, B] {
        soon("the client is known", async || {
            person.at[node].get(&asks(id)).await.location().is_some()
        })
        .await;
    }
    let again = cluster.hefu(&add, A);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("is taken"), "{}", said(&again));

    let shown = cluster.hefu_json(&["client", "show", id]);
    assert_eq!(shown["metadata"]["client_name"], "手工登记");
    assert_eq!(shown["has_secret"], true);
    assert!(
        !shown.to_string().contains(&secret),
        "the secret is shown again"
    );
    let listed = cluster.hefu_json(&["client", "list"]);
    let ids: Vec<&str> = listed
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|c| c["client_id"].as_str())
        .collect();
    assert!(ids.contains(&id), "{ids:?}");

    // It works at both nodes, with this secret.
    let code = async || {
        let to = cluster
            .to_the_end(&person, "", person.get(&asks(id)).await)
            .await;
        parameter(&to, "code").unwrap_or_else(|| panic!("no code: {to}"))
    };
    let first = code().await;
    let answer = cluster.token_as(A, id, &secret, &code_form(&first)).await;
    let access_token = member(&answer, "access_token");
    assert_eq!(cluster.userinfo(B, &access_token).await.status, 200);

    // A new secret: dry changes nothing; then the old one stops and the new one works, at both.
    let dry = cluster.hefu(&["client", "rotate-secret", id, "--dry-run"], A);
    assert!(dry.status.success(), "{}", said(&dry));
    let works = async |node: usize, secret: &str| {
        let answer = cluster.token_as(node, id, secret, &code_form("none")).await;
        match refusal(&answer).1.as_str() {
            "invalid_grant" => true,
            "invalid_client" => false,
            other => panic!("{other}"),
        }
    };
    assert!(works(A, &secret).await && works(B, &secret).await);
    let rotated = cluster.hefu_json(&["client", "rotate-secret", id]);
    let new = rotated["client_secret"]
        .as_str()
        .expect("a secret")
        .to_owned();
    assert_ne!(new, secret);
    for node in [A, B] {
        soon("the new secret works", async || works(node, &new).await).await;
        assert!(!works(node, &secret).await, "the old secret still works");
    }

    // Removed: its tokens die at once, itself soon; its id is never given again.
    let dry = cluster.hefu(&["client", "remove", id, "--dry-run"], A);
    assert!(said(&dry).contains("would be removed"), "{}", said(&dry));
    assert_eq!(cluster.userinfo(A, &access_token).await.status, 200);
    let removed = cluster.hefu_json(&["client", "remove", id]);
    assert_eq!(removed["removed"], true, "{removed}");
    for node in [A, B] {
        assert_eq!(cluster.userinfo(node, &access_token).await.status, 401);
        soon("the client is unknown", async || {
            person.at[node].get(&asks(id)).await.has("error-code")
        })
        .await;
        assert!(!works(node, &new).await);
    }
    for words in [
        &["client", "show", id][..],
        &["client", "remove", id],
        &["client", "rotate-secret", id],
        &add,
    ] {
        let done = cluster.hefu(words, A);
        assert_eq!(done.status.code(), Some(1), "{words:?}: {}", said(&done));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_client_can_be_is_refused_at_the_terminal() {
    let cluster = shared().await;
    for (words, sentence) in [
        (&["client", "add"][..], "redirect_uris"),
        (
            &["client", "add", "--redirect-uri", "http://rp.hefu.test/"],
            "http://rp.hefu.test/",
        ),
        (
            &[
                "client",
                "add",
                "--redirect-uri",
                REDIRECT_URI,
                "--auth-method",
                "tls",
            ],
            "token_endpoint_auth_method",
        ),
        (
            &[
                "client",
                "add",
                "--redirect-uri",
                REDIRECT_URI,
                "--auth-method",
                "private_key_jwt",
            ],
            "jwks",
        ),
        (
            &["client", "add", "--metadata", "/nowhere.json"],
            "/nowhere.json",
        ),
        (&["client", "show", "nobody"], "nobody"),
        (&["keys", "list", "--entity", "other"], "id"),
    ] {
        let done = cluster.hefu(words, A);
        assert_eq!(done.status.code(), Some(1), "{words:?}: {}", said(&done));
        assert!(said(&done).contains(sentence), "{words:?}: {}", said(&done));
        assert!(
            done.stdout.is_empty(),
            "answers are on standard output, this is none"
        );
    }
    let done = Command::new(binary())
        .arg("clients")
        .output()
        .expect("hefu runs");
    assert_eq!(done.status.code(), Some(2), "wrong words");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_the_audit_log_are_told() {
    let cluster = shared().await;
    let keys = cluster.hefu_json(&["keys", "list"]);
    let keys = keys.as_array().expect("a list");
    for purpose in [
        "federation",
        "id_token",
        "encryption",
        "audit",
        "seal",
        "data",
        "index",
    ] {
        let stages: Vec<&str> = keys
            .iter()
            .filter(|k| k["purpose"] == purpose)
            .filter_map(|k| k["stage"].as_str())
            .collect();
        assert!(stages.contains(&"active"), "{purpose}: {stages:?}");
        // One in use and one that is announced, for each algorithm, however many nodes started at once.
        if ["federation", "id_token", "encryption", "audit"].contains(&purpose) {
            let count = |stage| stages.iter().filter(|s| **s == stage).count();
            let algorithms = keys
                .iter()
                .filter(|k| k["purpose"] == purpose && k["stage"] == "active")
                .map(|k| k["alg"].to_string())
                .collect::<std::collections::BTreeSet<_>>()
                .len();
            assert_eq!(
                (count("active"), count("announced")),
                (algorithms, algorithms),
                "{purpose}"
            );
        } else {
            assert_eq!(stages, ["active"], "{purpose}");
        }
    }
    let table = cluster.hefu(&["keys", "list"], B);
    for key in keys {
        assert!(said(&table).contains(key["kid"].as_str().expect("a kid")));
    }

    cluster.newcomer("14000000232").await;
    let before = verdict(cluster)["sealed"].as_i64();
    cluster.newcomer("14000000233").await;
    soon("the log is sealed by one node or the other", async || {
        verdict(cluster)["sealed"].as_i64() > before
    })
    .await;
}

fn verdict(cluster: &Cluster) -> Value {
    let verdict = cluster.hefu_json(&["audit", "verify"]);
    assert_eq!(verdict["verdict"], "whole", "{verdict}");
    verdict
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_is_wrong() {
    let cluster = shared().await;
    let done = cluster.hefu(&["doctor", "--json"], A);
    assert_eq!(done.status.code(), Some(1), "{}", said(&done));
    let report = one_line_of_json(&done);
    assert_eq!(report["ok"], false);
    let report = &report["entities"][0];
    assert_eq!(
        (&report["ok"], &report["entity"], &report["role"]),
        (
            &Value::Bool(false),
            &Value::from(cluster.issuer.as_str()),
            &Value::from("provider")
        )
    );
    let checks = report["checks"].as_array().expect("checks");
    let of = |name: &str| {
        let check = checks.iter().find(|c| c["check"] == name);
        check.unwrap_or_else(|| panic!("no check {name}: {report}"))
    };
    for good in ["keys", "signature", "register", "sms"] {
        assert_eq!(of(good)["ok"], true, "{report}");
    }
    // The superior does not exist: it is named, and so is the verb that tells more.
    for (bad, sentence) in [
        ("superior", "anchor.hefu.test"),
        ("chain", "hefu federation explain"),
    ] {
        assert_eq!(of(bad)["ok"], false, "{report}");
        let told = of(bad)["said"].as_str().expect("a sentence");
        assert!(told.contains(sentence), "{bad}: {told}");
    }
    let text = said(&cluster.hefu(&["doctor"], A));
    assert!(
        text.contains("FAIL superior") && text.contains("ok   keys"),
        "{text}"
    );
    assert!(text.contains("checks failed"), "{text}");
}

#[test]
fn what_a_node_would_refuse_at_its_start_is_said_by_the_check() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cluster = Cluster::prepare();
    let good = std::fs::read_to_string(cluster.config(A)).expect("a file");
    let (code, told, _) = check(&cluster.config(A));
    assert_eq!(code, Some(0), "{told}");
    for (from, to, sentence) in [
        (
            "redirect_uris = [\"https://",
            "redirect_uris = [\"http://",
            "provider.clients: redirect URI http://",
        ),
        ("client_id = ", "client_name_2 = ", "client_id"),
        ("[\"https://anchor", "[\"http://anchor", "authority_hints"),
        (
            "sms_gateway_url = \"https",
            "sms_gateway_url = \"http",
            "people.sms_gateway_url",
        ),
        (
            "\nregister_url = ",
            "\nregister_name = ",
            "people.register_url",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let file = folder.path().join("broken.toml");
        std::fs::write(&file, good.replacen(from, to, 1)).expect("a file");
        let (code, told, report) = check(&file);
        assert_eq!(code, Some(1), "{to}: {told}");
        assert!(
            told.contains(sentence) && told.contains("entity id"),
            "{to}: {told}"
        );
        assert_eq!(report["ok"], false, "{report}");
        assert!(
            report["problems"][0]["line"].is_u64(),
            "said with its line: {report}"
        );
    }
}

#[test]
fn the_configurations_that_ship_are_good_and_a_mistake_is_found_by_line() {
    let mut seen = 0;
    let folder = tempfile::tempdir().expect("a temporary folder");
    for entry in
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy")).expect("deploy/")
    {
        let path = entry.expect("a file").path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        seen += 1;
        let (code, said, report) = check(&path);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("is good"), "{said}");
        assert_eq!(report["ok"], true, "{report}");

        let text = std::fs::read_to_string(&path).expect("a file");
        for (from, to, what) in [
            ("vault = ", "vualt = ", "unknown field `vualt`"),
            ("id = \"https://", "id = \"http://", "https://"),
            ("role = \"", "role = \"x", "unknown variant"),
            (
                "listen = [\"",
                "listen = [\"nowhere",
                "invalid socket address",
            ),
        ] {
            let line = 1 + text
                .lines()
                .position(|l| l.starts_with(from))
                .expect("such a line");
            let broken = text.replacen(&format!("\n{from}"), &format!("\n{to}"), 1);
            let copy: PathBuf = folder.path().join("broken.toml");
            std::fs::write(&copy, broken).expect("a file");
            let (code, said, report) = check(&copy);
            assert_eq!(code, Some(1), "{to}: {said}");
            assert!(
                said.contains(&format!("line {line}: ")) && said.contains(what),
                "{to}: {said}"
            );
            assert_eq!(report["ok"], false);
            assert_eq!(report["problems"][0]["line"], line, "{report}");
        }
    }
    assert!(seen >= 3, "only {seen} files in deploy/");
}

fn check(file: &Path) -> (Option<i32>, String, Value) {
    let run = |more: &[&str]| {
        Command::new(binary())
            .args(["config", "check"])
            .arg(file)
            .args(more)
            .stdin(Stdio::null())
            .output()
            .expect("hefu runs")
    };
    let done = run(&[]);
    let json = run(&["--json"]);
    assert_eq!(done.status.code(), json.status.code());
    (done.status.code(), said(&done), one_line_of_json(&json))
}

async fn soon(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
