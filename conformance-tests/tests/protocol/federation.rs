//! The federation, read by the stranger's own eyes: OpenID Federation 1.0.

use conformance_tests::{
    demo,
    statement::{chain, entity_configuration, peek, verify},
    visitor::{Answer, Visitor},
};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn every_entity_hangs_on_the_anchor() {
    let demo = demo::shared().await;
    let visitor = Visitor::new();
    let anchor = &demo.anchor().id;
    for entity in &demo.said.entities {
        if ["register", "anchor"].contains(&entity.role.as_str()) {
            continue;
        }
        let chain = chain(&visitor, &entity.id, anchor).await;
        assert!(!chain.hops.is_empty());
        assert_eq!(chain.hops.last().expect("a hop").claims["iss"], *anchor);
        let metadata = &chain.leaf.claims["metadata"];
        match entity.role.as_str() {
            "portal" => {
                // §5.1.2: a leaf vouches for nobody.
                assert!(
                    metadata["openid_relying_party"].is_object(),
                    "{}",
                    entity.id
                );
                assert!(metadata["federation_entity"]["federation_fetch_endpoint"].is_null());
            }
            "provider" => assert_eq!(metadata["openid_provider"]["issuer"], entity.id),
            "intermediate" => {
                assert!(metadata["federation_entity"]["federation_list_endpoint"].is_string());
            }
            other => panic!("unknown role {other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_village_stands_under_five_levels() {
    let demo = demo::shared().await;
    let chain = chain(
        &Visitor::new(),
        &demo.portal("示范村便民").id,
        &demo.anchor().id,
    )
    .await;
    // Said by township, county, district, province, and the nation about the province.
    assert_eq!(chain.hops.len(), 5, "{:#?}", chain.hops);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_anchor_names_nobody_above_itself() {
    let demo = demo::shared().await;
    let anchor = entity_configuration(&Visitor::new(), &demo.anchor().id).await;
    assert!(
        anchor.claims.get("authority_hints").is_none(),
        "§3.1.2: an anchor has no superior"
    );
    assert!(anchor.claims["exp"].as_i64() > anchor.claims["iat"].as_i64());
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_answers_by_the_book() {
    let demo = demo::shared().await;
    let visitor = Visitor::new();
    let anchor = entity_configuration(&visitor, &demo.anchor().id).await;
    let fetch = anchor.claims["metadata"]["federation_entity"]["federation_fetch_endpoint"]
        .as_str()
        .expect("an endpoint");

    let cases: &[(&str, u16, &str)] = &[
        // §8.1.2, §8.9
        ("", 400, "invalid_request"),
        ("?sub=", 400, "invalid_request"),
        ("?sub=https%3A%2F%2Fnobody.example", 404, "not_found"),
        ("?sub=%00", 400, "invalid_request"),
    ];
    for (query, status, error) in cases {
        let answer = visitor.get(&format!("{fetch}{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), code(&answer).as_str()),
            (*status, *error),
            "{query}: {}",
            answer.body
        );
    }
    // About itself: §8.1.1 speaks of subordinates only.
    let mut url: url::Url = fetch.parse().expect("a URL");
    url.query_pairs_mut().append_pair("sub", &demo.anchor().id);
    let answer = visitor.get(url.as_str()).await;
    assert!(
        [400, 404].contains(&answer.status.as_u16()),
        "{}: {}",
        answer.status,
        answer.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn list_names_the_immediate_subordinates_only() {
    let demo = demo::shared().await;
    let visitor = Visitor::new();
    for authority in demo
        .said
        .entities
        .iter()
        .filter(|e| ["anchor", "intermediate"].contains(&e.role.as_str()))
    {
        let own = entity_configuration(&visitor, &authority.id).await;
        let endpoint = own.claims["metadata"]["federation_entity"]["federation_list_endpoint"]
            .as_str()
            .expect("an endpoint")
            .to_owned();
        let mut listed = names(&visitor.get(&endpoint).await);
        let mut expected: Vec<String> = demo
            .said
            .entities
            .iter()
            .filter(|e| {
                e.superiors.contains(&authority.id) || e.superiors.contains(&authority.name)
            })
            .map(|e| e.id.clone())
            .collect();
        listed.sort();
        expected.sort();
        assert_eq!(listed, expected, "{}", authority.id);

        // §8.2.1: only one kind.
        let parties = names(
            &visitor
                .get(&format!("{endpoint}?entity_type=openid_relying_party"))
                .await,
        );
        for id in &parties {
            assert!(
                demo.said
                    .entities
                    .iter()
                    .any(|e| e.id == *id && e.role == "portal"),
                "{id} is no relying party"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resolve_answers_signed_and_agrees_with_the_chain() {
    let demo = demo::shared().await;
    let visitor = Visitor::new();
    let anchor = entity_configuration(&visitor, &demo.anchor().id).await;
    let endpoint = anchor.claims["metadata"]["federation_entity"]["federation_resolve_endpoint"]
        .as_str()
        .expect("an endpoint");
    for portal in demo.of_role("portal") {
        let mut url: url::Url = endpoint.parse().expect("a URL");
        url.query_pairs_mut()
            .append_pair("sub", &portal.id)
            .append_pair("trust_anchor", &demo.anchor().id);
        let answer = visitor.get(url.as_str()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(
            answer.header("content-type"),
            "application/resolve-response+jwt"
        );
        let resolved = verify(&answer.body, &anchor.claims["jwks"]);
        assert_eq!(resolved.header["typ"], "resolve-response+jwt"); // §8.3.2
        assert_eq!(resolved.claims["iss"], demo.anchor().id);
        assert_eq!(resolved.claims["sub"], portal.id);
        assert!(resolved.claims["metadata"]["openid_relying_party"]["redirect_uris"].is_array());

        // Its chain, if told, is the one that the stranger finds; and it does not outlive any part of it.
        let own = chain(&visitor, &portal.id, &demo.anchor().id).await;
        let told = resolved.claims["trust_chain"]
            .as_array()
            .expect("a trust chain");
        assert_eq!(
            told.len(),
            own.hops.len() + 2,
            "configuration, statements, anchor"
        );
        let ends = told
            .iter()
            .map(|s| {
                peek(s.as_str().expect("a statement")).claims["exp"]
                    .as_i64()
                    .expect("exp")
            })
            .min();
        assert!(
            resolved.claims["exp"].as_i64() <= ends,
            "it outlives its chain"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_cannot_be_resolved() {
    let demo = demo::shared().await;
    let visitor = Visitor::new();
    let anchor = entity_configuration(&visitor, &demo.anchor().id).await;
    let endpoint = anchor.claims["metadata"]["federation_entity"]["federation_resolve_endpoint"]
        .as_str()
        .expect("an endpoint");
    for (sub, trust_anchor) in [
        ("https://nobody.example", demo.anchor().id.as_str()),
        ("http://127.0.0.1:1/", demo.anchor().id.as_str()),
        (
            demo.portal("粤省事").id.as_str(),
            "https://another-anchor.example",
        ),
    ] {
        let mut url: url::Url = endpoint.parse().expect("a URL");
        url.query_pairs_mut()
            .append_pair("sub", sub)
            .append_pair("trust_anchor", trust_anchor);
        let answer = visitor.get(url.as_str()).await;
        assert!(
            answer.status.is_client_error(),
            "{sub}: {} {}",
            answer.status,
            answer.body
        );
        assert!(
            [
                "invalid_trust_chain",
                "invalid_trust_anchor",
                "not_found",
                "invalid_subject",
                "invalid_request"
            ]
            .contains(&code(&answer).as_str()),
            "{}",
            answer.body
        );
    }
}

fn code(answer: &Answer) -> String {
    answer.json()["error"]
        .as_str()
        .unwrap_or_else(|| panic!("no error member: {}", answer.body))
        .to_owned()
}

fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let list: Value = answer.json();
    list.as_array()
        .expect("a list")
        .iter()
        .map(|v| v.as_str().expect("an identifier").to_owned())
        .collect()
}
