//! `GET /federation/fetch`

use hefu::federation::joining::standing::set_terms;
use serde_json::json;

use super::{Anchor, body, decoded, error_of, shown};
use crate::support::federation::{LEAF, MIDDLE, START, TOP, entity_id};

fn path(sub: &str) -> String {
    format!("/federation/fetch?sub={sub}")
}

#[tokio::test]
async fn the_statement_about_a_subordinate() {
    let anchor = Anchor::new().await;
    insta::assert_snapshot!(shown(anchor.get(&path("https%3A%2F%2Fmiddle.example")).await).await);
}

#[tokio::test]
async fn refusals() {
    let anchor = Anchor::new().await;
    let cases = [
        (path(LEAF), 404, "not_found"),
        (path("https://middle.example/"), 404, "not_found"),
        (path("https://MIDDLE.example"), 404, "not_found"),
        (path("nonsense"), 404, "not_found"),
        (path(TOP), 400, "invalid_request"),
        ("/federation/fetch".to_owned(), 400, "invalid_request"),
        (path(""), 400, "invalid_request"),
        (
            format!("{}&sub={MIDDLE}", path(MIDDLE)),
            400,
            "invalid_request",
        ),
        (path("https://middle.example%00"), 400, "invalid_request"),
    ];
    for (uri, status, code) in cases {
        let answer = anchor.get(&uri).await;
        assert_eq!(answer.status(), status, "{uri}");
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        assert_eq!(error_of(&body(answer).await), code, "{uri}");
    }
    assert_eq!(anchor.signatures(), 0);
    // Unknown parameters are ignored (§8).
    assert_eq!(
        anchor
            .get(&format!("{}&iss={TOP}&x=1&x=2", path(MIDDLE)))
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn one_signature_serves_until_it_is_due_or_the_row_changes() {
    let anchor = Anchor::new().await;
    let first = body(anchor.get(&path(MIDDLE)).await).await;
    anchor.clock.advance(299);
    assert_eq!(body(anchor.get(&path(MIDDLE)).await).await, first);
    assert_eq!(anchor.signatures(), 1);
    anchor.clock.advance(1);
    let second = body(anchor.get(&path(MIDDLE)).await).await;
    assert_ne!(second, first);
    anchor
        .put(
            MIDDLE,
            &["federation_entity"],
            true,
            json!({"federation_entity": {"display_name": "粤"}}),
        )
        .await;
    let third = body(anchor.get(&path(MIDDLE)).await).await;
    assert_eq!(
        decoded(&third).1["metadata"]["federation_entity"]["display_name"],
        "粤"
    );
    assert_eq!(anchor.signatures(), 3);
    anchor.drop_subordinate(MIDDLE).await;
    assert_eq!(anchor.get(&path(MIDDLE)).await.status(), 404);
}

#[tokio::test]
async fn no_statement_outlives_an_enrolment_that_was_shortened() {
    let anchor = Anchor::new().await;
    let before = body(anchor.get(&path(MIDDLE)).await).await;
    let end = START.plus(60);
    assert!(decoded(&before).1["exp"].as_i64() > Some(end.0));
    let mut conn = anchor.store.read().await.expect("a connection");
    let middle = entity_id(MIDDLE);
    let terms = set_terms(&mut conn, &middle, Some(end), None, START);
    assert!(terms.await.expect("stored"));
    drop(conn);
    let after = body(anchor.get(&path(MIDDLE)).await).await;
    assert_eq!(decoded(&after).1["exp"], end.0);
    anchor.clock.advance(60);
    assert_eq!(anchor.get(&path(MIDDLE)).await.status(), 404);
}
