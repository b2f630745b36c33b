//! `GET /federation/trust_mark_list`

use super::trust_mark::TESTED;
use super::{Anchor, body, error_of, shown};
use crate::support::federation::{LEAF, MIDDLE, START};

fn path(query: &str) -> String {
    format!("/federation/trust_mark_list?trust_mark_type={TESTED}{query}")
}

#[tokio::test]
async fn who_holds_a_valid_mark() {
    let anchor = Anchor::new().await;
    for (subject, end) in [
        (MIDDLE, None),
        (LEAF, Some(START.plus(10))),
        ("https://a.example", None),
    ] {
        anchor.give(TESTED, subject, end).await;
    }
    anchor
        .give("https://t.example/2", "https://b.example", None)
        .await;
    insta::assert_snapshot!(shown(anchor.get(&path("")).await).await);
    anchor.clock.advance(10);
    anchor.revoke(TESTED, "https://a.example").await;
    for (query, expected) in [
        (String::new(), format!("[\"{MIDDLE}\"]")),
        (format!("&sub={MIDDLE}"), format!("[\"{MIDDLE}\"]")),
        (format!("&sub={LEAF}"), "[]".to_owned()),
        ("&sub=nonsense".to_owned(), "[]".to_owned()),
    ] {
        assert_eq!(
            body(anchor.get(&path(&query)).await).await,
            expected,
            "{query}"
        );
    }
    for uri in [
        "/federation/trust_mark_list".to_owned(),
        path(&format!("&sub={MIDDLE}&sub={LEAF}")),
        path("&trust_mark_type=x"),
    ] {
        let answer = anchor.get(&uri).await;
        assert_eq!(answer.status(), 400, "{uri}");
        assert_eq!(error_of(&body(answer).await), "invalid_request");
    }
}
