//! A portal that nobody vouches for comes to a province: by its page and by the command line, until the national provider finds it.

use std::process::Output;

use conformance_tests::demo::Demo;
use conformance_tests::visitor::Visitor;
use serde_json::Value;

use super::operator::{hefu, told};

/// Runs the verb as the operator, or the engineer, of `entity`.
async fn at(demo: &Demo, entity: &str, arguments: &[&str]) -> Output {
    hefu(demo, &[arguments, &["--entity", entity]].concat()).await
}

async fn done(demo: &Demo, entity: &str, arguments: &[&str]) -> String {
    let output = at(demo, entity, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    told(&output)
}

async fn json(demo: &Demo, entity: &str, arguments: &[&str]) -> Value {
    let output = at(demo, entity, &[arguments, &["--json"]].concat()).await;
    assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_joins_by_itself_and_an_operator_decides() {
    // Its own demo: others must find every portal trusted.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let demo = Demo::start(folder.path()).await;
    let visitor = Visitor::new();
    let portal = demo.portal("粤省事");
    let superior = &portal.superiors[0];
    let province = demo
        .said
        .entities
        .iter()
        .find(|e| e.id == *superior || e.name == *superior)
        .expect("its superior");
    let (name, id) = (province.name.clone(), portal.id.clone());

    // Nobody vouches for it: never told of it, as far as the province goes.
    done(&demo, &name, &["federation", "drop", &id]).await;
    let listed = visitor
        .get(&format!("{}/federation/list", province.id))
        .await;
    assert!(!listed.body.contains(&id), "{}", listed.body);

    // The engineer asks, by the door for programs.
    let filed = json(&demo, &portal.name, &["federation", "join"]).await;
    assert_eq!(filed["state"], "filed", "{filed}");
    let again = at(&demo, &portal.name, &["federation", "join"]).await;
    assert_eq!(again.status.code(), Some(1), "it waits");
    let address = filed["state_uri"].as_str().expect("an address").to_owned();
    let state = async || {
        visitor
            .send(
                visitor
                    .request(reqwest::Method::GET, &address)
                    .header("accept", "application/json"),
            )
            .await
            .json()
    };
    assert_eq!(state().await["state"], "filed");

    // A colleague looks at the page, takes the request back, and asks there.
    let page = visitor
        .send(
            visitor
                .request(reqwest::Method::GET, &address)
                .header("accept", "text/html"),
        )
        .await;
    assert_eq!(
        page.attribute("join-state", "data-state").as_deref(),
        Some("filed")
    );
    visitor.submit(&page, "withdraw-form", &[]).await;
    assert_eq!(state().await["state"], "withdrawn");
    let form = visitor
        .get(&format!("{}/federation/join", province.id))
        .await;
    let wrong = visitor
        .submit(&form, "join-form", &[("entity-id", &demo.provider().id)])
        .await;
    assert!(
        wrong.has("join-findings"),
        "the provider names another superior: {}",
        wrong.body
    );
    let sent = visitor
        .submit(&form, "join-form", &[("entity-id", &id)])
        .await;
    assert_eq!(sent.status, 303, "{}", sent.body);

    // The operator reads it, tries, and approves.
    let waiting = json(&demo, &name, &["federation", "requests", "list"]).await;
    let [request] = waiting.as_array().expect("a list").as_slice() else {
        panic!("one waits: {waiting}")
    };
    let request = request["id"].as_str().expect("an id");
    let shown = done(&demo, &name, &["federation", "requests", "show", request]).await;
    assert!(
        shown.contains("asks to be vouched for") && shown.contains("key "),
        "{shown}"
    );
    let approve = [
        "federation",
        "requests",
        "approve",
        request,
        "--name",
        "粤省事",
        "--name-en",
        "Yueshengshi",
    ];
    let dry = done(&demo, &name, &[&approve[..], &["--dry-run"]].concat()).await;
    assert!(dry.contains("would be enrolled"), "{dry}");
    let explain = ["federation", "explain", &id];
    assert_eq!(
        at(&demo, "id", &explain).await.status.code(),
        Some(1),
        "a dry run vouches for nobody"
    );
    done(&demo, &name, &approve).await;
    let told_json = json(&demo, "id", &explain).await;
    assert_eq!(told_json["trusted"], true);
    let metadata = &told_json["metadata"]["openid_relying_party"];
    assert_eq!(
        metadata["client_name#en"], "Yueshengshi",
        "the superior's name"
    );

    // Not vouched for, for a while.
    done(
        &demo,
        &name,
        &["federation", "suspend", &id, "--reason", "audit"],
    )
    .await;
    assert_eq!(at(&demo, "id", &explain).await.status.code(), Some(1));
    let rows = json(&demo, &name, &["federation", "list"]).await;
    let row = rows
        .as_array()
        .expect("rows")
        .iter()
        .find(|r| r["entity_id"] == id.as_str());
    assert_eq!(row.expect("kept")["standing"], "suspended");
    done(&demo, &name, &["federation", "resume", &id]).await;
    assert!(at(&demo, "id", &explain).await.status.success());

    // What a policy would take, before it is set.
    let policy = folder.path().join("policy.json");
    std::fs::write(
        &policy,
        r#"{"openid_relying_party": {"scope": {"subset_of": ["openid"]}}}"#,
    )
    .expect("a file");
    let policy = policy.to_str().expect("a path");
    let effects = json(
        &demo,
        &name,
        &["federation", "policy-effect", "--policy", policy],
    )
    .await;
    let effect = effects
        .as_array()
        .expect("effects")
        .iter()
        .find(|e| e["entity_id"] == id.as_str())
        .expect("it");
    assert_eq!(effect["effect"], "changes", "{effect}");
    assert_eq!(effect["changes"][0]["parameter"], "scope", "{effect}");
    let none = done(
        &demo,
        &name,
        &["federation", "policy-effect", &id, "--no-policy"],
    )
    .await;
    assert!(none.contains(&id), "{none}");

    // The same keys are no change; after a compromise no request counts.
    let same = at(&demo, &portal.name, &["federation", "change-keys"]).await;
    assert!(
        told(&same).contains("vouches for already"),
        "{}",
        told(&same)
    );
    done(&demo, &name, &["federation", "compromised", &id]).await;
    let refused = at(&demo, &portal.name, &["federation", "change-keys"]).await;
    assert!(
        told(&refused).contains("proves nothing"),
        "{}",
        told(&refused)
    );
    demo.kill();
}
