//! `GET /federation/collection`

use hefu::config::authority::Authority as Section;
use serde_json::Value;

use super::{Anchor, add_portal, body, error_of, shown};
use crate::support::federation::{LEAF, MIDDLE, START, TOP};

const PATH: &str = "/federation/collection";

async fn warm() -> Anchor {
    let section = Section {
        collection: true,
        ..Section::default()
    };
    let anchor = Anchor::with(section).await;
    add_portal(&anchor.world, "https://rp.example");
    anchor.authority.walk_subtree(START).await.expect("walked");
    assert_eq!(anchor.authority.warm_subtree(START).await.expect("warm"), 3);
    anchor.world.forget_fetches();
    anchor
}

async fn ids(anchor: &Anchor, query: &str) -> Vec<String> {
    let text = body(anchor.get(&format!("{PATH}?{query}")).await).await;
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    let id = |entry: &Value| entry["entity_id"].as_str().expect("an id").to_owned();
    answer["entities"]
        .as_array()
        .expect("entities")
        .iter()
        .map(id)
        .collect()
}

#[tokio::test]
async fn everybody_below() {
    let anchor = warm().await;
    let text = shown(anchor.get(&format!("{PATH}?limit=2")).await).await;
    insta::assert_snapshot!(text);
    let next = text.split("\"next\": \"").nth(1).expect("a next page");
    let next = next.split('"').next().expect("its pointer");
    let rest = format!("limit=2&from={next}");
    assert_eq!(ids(&anchor, &rest).await, ["https://rp.example"]);
    let all = [LEAF, MIDDLE, "https://rp.example"];
    for (query, expected) in [
        ("", &all[..]),
        (
            "entity_type=openid_relying_party",
            &[LEAF, "https://rp.example"],
        ),
        ("entity_type=federation_entity", &[MIDDLE]),
        (
            "entity_type=federation_entity&entity_type=openid_relying_party",
            &all[..],
        ),
        ("query=RP.EXAMPLE", &["https://rp.example"]),
        ("query=my+own+idea", &[LEAF, "https://rp.example"]),
        ("trust_mark_type=https%3A%2F%2Ft.example", &[]),
        ("trust_anchor=https%3A%2F%2Ftop.example", &all[..]),
    ] {
        assert_eq!(ids(&anchor, query).await, expected, "{query}");
    }
    let uri = format!("{PATH}?entity_claims=entity_types&limit=1");
    let answer: Value = serde_json::from_str(&body(anchor.get(&uri).await).await).expect("JSON");
    assert_eq!(answer["entities"][0].get("ui_infos"), None);
    let uri = format!("{PATH}?ui_claims=logo_uri&limit=1");
    let answer: Value = serde_json::from_str(&body(anchor.get(&uri).await).await).expect("JSON");
    let infos = &answer["entities"][0]["ui_infos"]["openid_relying_party"];
    assert_eq!(*infos, serde_json::json!({}));
    assert_eq!(
        anchor.world.fetches(),
        0,
        "nobody is asked on a caller's behalf"
    );
}

#[tokio::test]
async fn refusals() {
    let anchor = warm().await;
    for (query, status, code) in [
        (
            format!("trust_anchor={MIDDLE}"),
            404,
            "invalid_trust_anchor",
        ),
        ("entity_claims=secret".to_owned(), 400, "unsupported_claim"),
        ("from=%00".to_owned(), 400, "invalid_request"),
        ("from=x".to_owned(), 404, "page_not_found"),
        ("limit=0".to_owned(), 400, "invalid_request"),
        (
            format!("trust_anchor={TOP}&trust_anchor={TOP}"),
            400,
            "invalid_request",
        ),
    ] {
        let answer = anchor.get(&format!("{PATH}?{query}")).await;
        assert_eq!(answer.status(), status, "{query}");
        assert_eq!(error_of(&body(answer).await), code, "{query}");
    }
}
