//! `GET /federation/extended_list`

use hefu::config::authority::Authority as Section;
use serde_json::{Value, json};

use super::trust_mark::TESTED;
use super::{Anchor, body, decoded, error_of, shown};
use crate::support::federation::{MIDDLE, START};

const PATH: &str = "/federation/extended_list";

async fn three() -> Anchor {
    let section = Section {
        extended_list: true,
        ..Section::default()
    };
    let anchor = Anchor::with(section).await;
    for id in ["https://op.example", "https://rp.example"] {
        anchor.clock.advance(10);
        let kind = if id.contains("op") {
            "openid_provider"
        } else {
            "openid_relying_party"
        };
        anchor.put(id, &[kind], false, json!({})).await;
    }
    anchor.give(TESTED, MIDDLE, None).await;
    anchor
}

async fn ids(anchor: &Anchor, query: &str) -> Vec<String> {
    let text = body(anchor.get(&format!("{PATH}?{query}")).await).await;
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    let entries = answer["immediate_subordinate_entities"].as_array();
    let id = |entry: &Value| entry["id"].as_str().expect("an id").to_owned();
    entries.expect("entries").iter().map(id).collect()
}

#[tokio::test]
async fn the_subordinates_in_pages() {
    let anchor = three().await;
    let text = shown(
        anchor
            .get(&format!("{PATH}?limit=2&audit_timestamps=true"))
            .await,
    )
    .await;
    insta::assert_snapshot!(text);
    let next = text.split("\"next\": \"").nth(1).expect("a next page");
    let next = next.split('"').next().expect("its pointer");
    assert_eq!(
        ids(&anchor, &format!("limit=2&from={next}")).await,
        ["https://rp.example"]
    );
    let all = [MIDDLE, "https://op.example", "https://rp.example"];
    for (query, expected) in [
        (String::new(), &all[..]),
        ("limit=100000".to_owned(), &all[..]),
        (
            "entity_type=openid_provider&entity_type=openid_relying_party".to_owned(),
            &all[1..],
        ),
        ("intermediate=true".to_owned(), &all[..1]),
        ("trust_marked=true".to_owned(), &all[..1]),
        (format!("trust_mark_type={TESTED}"), &all[..1]),
        (format!("trust_mark_type={TESTED}&trust_mark_type=x"), &[]),
        (format!("updated_after={}", START.0 + 1), &all[1..]),
        (
            format!(
                "updated_after={}&updated_before={}",
                START.0 + 1,
                START.0 + 10
            ),
            &all[1..2],
        ),
    ] {
        assert_eq!(ids(&anchor, &query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn what_is_wanted_of_each() {
    let anchor = three().await;
    let uri = format!(
        "{PATH}?claims=subordinate_statement&claims=metadata&claims=trust_marks&claims=unknown&limit=1"
    );
    let answer: Value = serde_json::from_str(&body(anchor.get(&uri).await).await).expect("JSON");
    let entry = &answer["immediate_subordinate_entities"][0];
    let (_, statement) = decoded(
        entry["subordinate_statement"]
            .as_str()
            .expect("a statement"),
    );
    assert_eq!(statement["sub"], MIDDLE);
    assert_eq!(entry["metadata"], statement["metadata"]);
    let (_, mark) = decoded(
        entry["trust_marks"][0]["trust_mark"]
            .as_str()
            .expect("a mark"),
    );
    assert_eq!(mark["trust_mark_type"], TESTED);
    assert_eq!(entry.get("unknown"), None);
}

#[tokio::test]
async fn refusals() {
    let anchor = three().await;
    for (query, status, code) in [
        ("from=bm90LW91cnM", 404, "page_not_found"),
        ("from=!", 404, "page_not_found"),
        ("limit=0", 400, "invalid_request"),
        ("limit=-1", 400, "invalid_request"),
        ("limit=x", 400, "invalid_request"),
        ("updated_after=yesterday", 400, "invalid_request"),
        ("limit=1&limit=2", 400, "invalid_request"),
    ] {
        let answer = anchor.get(&format!("{PATH}?{query}")).await;
        assert_eq!(answer.status(), status, "{query}");
        assert_eq!(error_of(&body(answer).await), code, "{query}");
    }
    let off = Anchor::new().await;
    assert_eq!(off.get(PATH).await.status(), 404);
    assert_eq!(off.get("/federation/collection").await.status(), 404);
}
