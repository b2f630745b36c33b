//! `/par`.

use axum::http::StatusCode;
use hefu::authn::Factor;
use serde_json::json;

use super::{CHALLENGE, ISSUER, LEAF_CB, SHOP_CB, TestHouse, basic, encode};
use crate::support::federation::LEAF;

#[tokio::test]
async fn a_pushed_request_is_answered_once() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    house.consent(&person, "shop", "openid").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let authorization = basic("shop", "shop secret");
    let form = [
        ("client_id", "shop"),
        ("redirect_uri", SHOP_CB),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", "s"),
    ];
    let pushed = house.post("/par", &form, Some(&authorization)).await;
    assert_eq!(
        (pushed.status, pushed.json()["expires_in"].as_i64()),
        (StatusCode::CREATED, Some(90))
    );
    let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:"));
    let query = encode(&[("client_id", "shop"), ("request_uri", &uri)]);
    // A stranger's browser only looks at it; the answer consumes it.
    assert!(
        house
            .browser()
            .get(&format!("/authorize?{query}"))
            .await
            .location()
            .path()
            .starts_with("/interaction/")
    );
    let answer = browser
        .get(&format!("/authorize?{query}&scope=ignored"))
        .await;
    assert!(answer.told().contains_key("code"), "{}", answer.location());
    let again = browser.get(&format!("/authorize?{query}")).await;
    assert_eq!(again.element("error-code"), "invalid_request_uri");

    let pushed = house.post("/par", &form, Some(&authorization)).await;
    let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
    let foreign = browser
        .get(&format!(
            "/authorize?{}",
            encode(&[("client_id", "spa"), ("request_uri", &uri)])
        ))
        .await;
    assert_eq!(foreign.element("error-code"), "invalid_request_uri");
    house.clock.advance(90);
    let late = browser
        .get(&format!(
            "/authorize?{}",
            encode(&[("client_id", "shop"), ("request_uri", &uri)])
        ))
        .await;
    assert_eq!(late.element("error-code"), "invalid_request_uri");
}

#[tokio::test]
async fn a_federation_client_pushes_with_an_object_or_with_an_assertion() {
    let house = TestHouse::new().await;
    let object = house.request_object("par", json!({}));
    let by_object = house
        .post("/par", &[("client_id", LEAF), ("request", &object)], None)
        .await;
    assert_eq!(by_object.status, StatusCode::CREATED, "{}", by_object.body);
    let replayed = house
        .post("/par", &[("client_id", LEAF), ("request", &object)], None)
        .await;
    assert_eq!(
        (replayed.status.as_u16(), replayed.json()["error"].as_str()),
        (400, Some("invalid_request_object"))
    );
    let uri = by_object.json()["request_uri"].as_str().unwrap().to_owned();
    let shown = house
        .browser()
        .get(&format!(
            "/authorize?{}",
            encode(&[("client_id", LEAF), ("request_uri", &uri)])
        ))
        .await;
    assert!(shown.location().path().starts_with("/interaction/"));

    let push = async |jti: &str, aud: &str| {
        let assertion = house.assertion(jti, aud);
        house
            .post(
                "/par",
                &[
                    ("client_id", LEAF),
                    ("redirect_uri", LEAF_CB),
                    ("response_type", "code"),
                    ("scope", "openid"),
                    ("code_challenge", CHALLENGE),
                    ("code_challenge_method", "S256"),
                    (
                        "client_assertion_type",
                        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                    ),
                    ("client_assertion", &assertion),
                ],
                None,
            )
            .await
    };
    assert_eq!(push("1", ISSUER).await.status, StatusCode::CREATED);
    assert_eq!(push("1", ISSUER).await.json()["error"], "invalid_client");
    // OpenID Federation 1.0 §12.1.1.2: our entity identifier alone.
    for aud in [
        "https://id.example/token",
        "https://id.example/par",
        "https://other.example",
    ] {
        assert_eq!(
            push("2", aud).await.json()["error"],
            "invalid_client",
            "{aud}"
        );
    }
}

#[tokio::test]
async fn errors_come_at_once() {
    let house = TestHouse::new().await;
    let authorization = basic("shop", "shop secret");
    let good = [
        ("redirect_uri", SHOP_CB),
        ("response_type", "code"),
        ("scope", "openid"),
    ];
    let cases: [(&str, &str, u16, &str); 5] = [
        (
            "redirect_uri",
            "https://evil.example",
            400,
            "invalid_request",
        ),
        ("response_type", "token", 400, "unsupported_response_type"),
        ("scope", "x", 400, "invalid_scope"),
        (
            "request_uri",
            "urn:ietf:params:oauth:request_uri:x",
            400,
            "invalid_request",
        ),
        ("client_id", "spa", 401, "invalid_client"),
    ];
    for (name, value, status, error) in cases {
        let mut form: Vec<(&str, &str)> =
            good.iter().copied().filter(|(n, _)| *n != name).collect();
        form.push((name, value));
        let answer = house.post("/par", &form, Some(&authorization)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["error"].as_str()),
            (status, Some(error)),
            "{name}={value}"
        );
    }
    assert_eq!(
        house.post("/par", &good, None).await.json()["error"],
        "invalid_client"
    );
    house
        .world
        .drop_subordinate(crate::support::federation::MIDDLE, LEAF);
    let object = house.request_object("u", json!({}));
    let untrusted = house
        .post("/par", &[("client_id", LEAF), ("request", &object)], None)
        .await;
    assert_eq!(
        untrusted.json()["error"],
        "invalid_trust_chain",
        "{}",
        untrusted.body
    );
}
