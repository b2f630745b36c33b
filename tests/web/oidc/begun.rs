//! What anybody may make us keep is counted by where it comes from.

use axum::http::StatusCode;
use hefu::authn::Factor;
use serde_json::json;

use super::{Answer, CHALLENGE, SHOP_CB, TestHouse};
use crate::support::federation::LEAF;

/// An error page that says when to come back.
fn waits(answer: &Answer) -> bool {
    answer.status == StatusCode::TOO_MANY_REQUESTS
        && answer.element("error-code") == "temporarily_unavailable"
        && answer.headers["retry-after"] == "3600"
}

#[tokio::test]
async fn logins_begun_from_one_source_are_limited() {
    let house = TestHouse::with(4, |settings| settings.begun_per_source = 2).await;
    let mut browser = house.browser();
    for jti in ["1", "2"] {
        let begun = browser.ask(jti, json!({})).await;
        assert!(begun.location().path().starts_with("/interaction/"));
    }
    assert!(waits(&browser.ask("3", json!({})).await));
    // A new cookie is no new source, and a POST that would be parked is kept out as well.
    assert!(waits(&house.browser().ask("4", json!({})).await));
    let parked = house
        .browser()
        .post("/authorize", &[("client_id", LEAF)])
        .await;
    assert!(waits(&parked));
    assert_eq!(
        (
            house.count("interactions").await,
            house.count("waiting_requests").await
        ),
        (2, 0)
    );
    let mut elsewhere = house.browser();
    elsewhere.source = "192.0.2.2".parse().unwrap();
    let begun = elsewhere.ask("5", json!({})).await;
    assert!(begun.location().path().starts_with("/interaction/"));
    house.clock.advance(3_600);
    let begun = browser.ask_plain("shop", SHOP_CB, &[]).await;
    assert!(begun.location().path().starts_with("/interaction/"));
}

#[tokio::test]
async fn parked_requests_of_one_source_are_limited() {
    let house = TestHouse::with(4, |settings| settings.begun_per_source = 2).await;
    let mut browser = house.browser();
    for _ in 0..2 {
        let parked = browser.post("/authorize", &[("client_id", LEAF)]).await;
        assert!(parked.location().query().unwrap().starts_with("parked="));
    }
    assert!(waits(
        &browser.post("/authorize", &[("client_id", LEAF)]).await
    ));
    assert_eq!(house.count("waiting_requests").await, 2);
}

#[tokio::test]
async fn what_is_answered_at_once_is_not_counted() {
    let house = TestHouse::with(4, |settings| settings.begun_per_source = 1).await;
    let person = house.citizen(true).await;
    house.consent(&person, LEAF, "openid real_name").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    for jti in ["1", "2", "3"] {
        let told = browser.ask(jti, json!({})).await.told();
        assert!(told.contains_key("code"), "{told:?}");
        let told = house
            .browser()
            .ask(&format!("n{jti}"), json!({"prompt": "none"}))
            .await
            .told();
        assert_eq!(told["error"], "login_required");
    }
    assert_eq!(house.count("throttles").await, 0);
}

#[tokio::test]
async fn pushing_for_a_public_client_is_limited_and_for_a_proven_one_is_not() {
    let house = TestHouse::with(4, |settings| settings.begun_per_source = 1).await;
    let push = async || {
        let form = [
            ("client_id", "spa"),
            ("redirect_uri", "https://spa.example/cb"),
            ("response_type", "code"),
            ("scope", "openid"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        house.post("/par", &form, None).await
    };
    assert_eq!(push().await.status, StatusCode::CREATED);
    let refused = push().await;
    // RFC 9126 §2.3.
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.json()["error"], "temporarily_unavailable");
    for jti in ["1", "2", "3"] {
        let object = house.request_object(jti, json!({}));
        let pushed = house
            .post("/par", &[("client_id", LEAF), ("request", &object)], None)
            .await;
        assert_eq!(pushed.status, StatusCode::CREATED, "{}", pushed.body);
    }
}
