//! What an operator sees of a running federation from the command line, beside it.

use std::process::{Command, Output, Stdio};

use conformance_tests::demo::{self, Demo};
use serde_json::Value;

pub(super) async fn hefu(demo: &Demo, arguments: &[&str]) -> Output {
    let mut command = Command::new(demo::binary());
    command
        .args(arguments)
        .arg("--data")
        .arg(&demo.said.data_dir)
        .stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().expect("hefu runs"))
        .await
        .expect("it ends")
}

pub(super) fn told(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_every_entity_of_the_demo_well() {
    let demo = demo::shared().await;
    let done = hefu(demo, &["doctor", "--json"]).await;
    assert!(done.status.success(), "{}", told(&done));
    let report: Value = serde_json::from_slice(&done.stdout).expect("one JSON object");
    assert_eq!(report["ok"], true);
    let entities = report["entities"].as_array().expect("entities");
    assert_eq!(entities.len(), demo.said.entities.len());
    let checks = |role: &str| -> Vec<&str> {
        let entity = entities.iter().find(|e| e["role"] == role);
        let checks = entity.expect("such a role")["checks"].as_array();
        let names = checks.expect("checks").iter();
        names
            .map(|c| c["check"].as_str().expect("a name"))
            .collect()
    };
    assert_eq!(checks("anchor"), ["keys", "signature"]);
    let member = ["keys", "signature", "superior", "clock", "chain"];
    assert_eq!(checks("portal"), member);
    assert_eq!(checks("intermediate"), member);
    assert_eq!(
        checks("provider"),
        [&member[..], &["register", "sms"]].concat()
    );

    let one = hefu(demo, &["doctor", "--entity", "anchor"]).await;
    assert!(one.status.success());
    assert_eq!(
        told(&one).lines().count(),
        3,
        "a title and two checks: {}",
        told(&one)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_explained_hop_by_hop_with_every_check() {
    let demo = demo::shared().await;
    let village = &demo.portal("示范村便民").id;
    let done = hefu(
        demo,
        &["federation", "explain", village, "--entity", "id", "--json"],
    )
    .await;
    assert!(done.status.success(), "{}", told(&done));
    let told_json: Value = serde_json::from_slice(&done.stdout).expect("one JSON object");
    assert_eq!(told_json["subject"], village.as_str());
    assert_eq!(told_json["trust_anchor"], demo.anchor().id.as_str());
    let hops = told_json["chains"][0].as_array().expect("hops");
    // The village, then township, county, district, 重庆, each vouched for by the next, and the anchor's own word.
    assert_eq!(hops.len(), 7, "{told_json}");
    for hop in hops {
        let checks = hop["checks"].as_array().expect("checks");
        assert!(checks.len() > 5, "{hop}");
    }
    let text = hefu(demo, &["federation", "explain", village, "--entity", "id"]).await;
    let text = told(&text);
    assert!(
        text.contains("ok      signature") && !text.contains("FAILED"),
        "{text}"
    );

    let nobody = demo.portal("粤省事").id.replace("yueshengshi", "nobody");
    let done = hefu(demo, &["federation", "explain", &nobody, "--entity", "id"]).await;
    assert_eq!(done.status.code(), Some(1), "{}", told(&done));
    assert!(
        told(&done).contains("421") || told(&done).contains("nobody"),
        "{}",
        told(&done)
    );
}
