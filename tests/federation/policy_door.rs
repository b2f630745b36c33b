//! `hefu federation policy` as a program beside it speaks: a case a line in, an answer a line out.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

fn door() -> Child {
    Command::new(env!("CARGO_BIN_EXE_hefu"))
        .args(["federation", "policy"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// The example of §6.1.5: figures 12 to 16, with the superior's `metadata` laid over the subject's already.
fn example() -> (Value, Value) {
    let case = json!({
        "superior": {
            "grant_types": {
                "default": ["authorization_code"],
                "subset_of": ["authorization_code", "refresh_token"],
                "superset_of": ["authorization_code"],
            },
            "token_endpoint_auth_method": {
                "one_of": ["private_key_jwt", "self_signed_tls_client_auth"],
                "essential": true,
            },
            "token_endpoint_auth_signing_alg": {"one_of": ["PS256", "ES256"]},
            "subject_type": {"value": "pairwise"},
            "contacts": {"add": ["helpdesk@federation.example.org"]},
        },
        "subordinate": {
            "grant_types": {"subset_of": ["authorization_code"]},
            "token_endpoint_auth_method": {"one_of": ["self_signed_tls_client_auth"]},
            "contacts": {"add": ["helpdesk@org.example.org"]},
        },
        "metadata": {
            "redirect_uris": ["https://rp.example.org/callback"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "self_signed_tls_client_auth",
            "contacts": ["rp_admins@rp.example.org"],
            "sector_identifier_uri": "https://org.example.org/sector-ids.json",
            "policy_uri": "https://org.example.org/policy.html",
        },
    });
    let answer = json!({
        "merged": {
            "grant_types": {
                "default": ["authorization_code"],
                "superset_of": ["authorization_code"],
                "subset_of": ["authorization_code"],
            },
            "token_endpoint_auth_method": {
                "one_of": ["self_signed_tls_client_auth"],
                "essential": true,
            },
            "token_endpoint_auth_signing_alg": {"one_of": ["PS256", "ES256"]},
            "subject_type": {"value": "pairwise"},
            "contacts": {"add": ["helpdesk@federation.example.org", "helpdesk@org.example.org"]},
        },
        "resolved": {
            "redirect_uris": ["https://rp.example.org/callback"],
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "self_signed_tls_client_auth",
            "subject_type": "pairwise",
            "sector_identifier_uri": "https://org.example.org/sector-ids.json",
            "policy_uri": "https://org.example.org/policy.html",
            "contacts": [
                "rp_admins@rp.example.org",
                "helpdesk@federation.example.org",
                "helpdesk@org.example.org",
            ],
        },
    });
    (case, answer)
}

#[test]
fn whoever_waits_for_each_answer_gets_it() {
    let mut child = door();
    let mut input = child.stdin.take().expect("piped");
    let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut ask = |line: &str| -> Value {
        writeln!(input, "{line}").expect("written");
        let answer = output.next().expect("an answer").expect("text");
        serde_json::from_str(&answer).expect("JSON")
    };
    let (case, answer) = example();
    assert_eq!(ask(&case.to_string()), answer);
    assert_eq!(ask("no case")["error"], "invalid_request");
    assert_eq!(ask(&case.to_string()), answer, "an error stops nothing");
    drop(input);
    assert!(child.wait().expect("ends").success());
}

/// Thousands at once: one answer each, in order. The unoptimised build answers more than ten thousand a second.
#[test]
fn many_cases_are_answered_in_their_order() {
    let mut child = door();
    let mut input = child.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || {
        for n in 0..20_000 {
            let case = json!({
                "superior": {"a": {"add": [n], "essential": true}},
                "subordinate": {"a": {"subset_of": [n, -1]}},
                "metadata": {"a": [-1, -2]},
            });
            writeln!(input, "{case}").expect("written");
        }
    });
    let output = BufReader::new(child.stdout.take().expect("piped"));
    let mut count = 0;
    for (n, line) in output.lines().enumerate() {
        let answer: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
        assert_eq!(
            answer,
            json!({
                "merged": {"a": {"add": [n], "essential": true, "subset_of": [n, -1]}},
                "resolved": {"a": [-1, n]},
            })
        );
        count += 1;
    }
    assert_eq!(count, 20_000);
    writer.join().expect("written");
    assert!(child.wait().expect("ends").success());
}

#[test]
fn the_help_tells_the_forms() {
    let help = Command::new(env!("CARGO_BIN_EXE_hefu"))
        .args(["federation", "policy", "--help"])
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    for word in [
        "\"superior\"",
        "invalid_policy",
        "invalid_metadata",
        "invalid_request",
        "metadata_policy_crit",
        "scope",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
}
