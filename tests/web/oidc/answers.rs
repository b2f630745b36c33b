//! Whole answers, headers and all: what a client or a browser reads. What differs from run to run is blotted out.

use axum::http::StatusCode;
use hefu::authn::Factor;
use serde_json::{Value, json};

use super::{Answer, SHOP_CB, TestHouse, basic};
use crate::support::federation::LEAF;

/// Status, headers in order, body.
fn whole(answer: &Answer, body: &str) -> String {
    let mut lines: Vec<String> = answer
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort();
    format!("{}\n{}\n\n{body}", answer.status, lines.join("\n"))
}

/// The JSON body with these members blotted out.
fn blotted(answer: &Answer, members: &[&str]) -> String {
    let mut body = answer.json();
    for name in members {
        assert!(body[name].is_string(), "{name} in {body}");
        body[name] = Value::from(format!("[{name}]"));
    }
    whole(answer, &serde_json::to_string_pretty(&body).unwrap())
}

#[tokio::test]
async fn what_programs_are_told() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    house.consent(&person, LEAF, "openid real_name").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let code = browser.ask("1", json!({})).await.told()["code"].clone();
    let tokens = house.redeem(&code, "a", &[]).await;
    insta::assert_snapshot!("token", blotted(&tokens, &["access_token", "id_token"]));
    let claims = house
        .userinfo(tokens.json()["access_token"].as_str().unwrap())
        .await;
    insta::assert_snapshot!("userinfo", blotted(&claims, &["sub"]));
    let refused = house.redeem(&code, "b", &[]).await;
    insta::assert_snapshot!("token_refused", blotted(&refused, &[]));

    let authorization = basic("shop", "shop secret");
    let form = |uri| {
        [
            ("client_id", "shop"),
            ("redirect_uri", uri),
            ("response_type", "code"),
            ("scope", "openid"),
        ]
    };
    let pushed = house
        .post("/par", &form(SHOP_CB), Some(&authorization))
        .await;
    insta::assert_snapshot!("par", blotted(&pushed, &["request_uri"]));
    let refused = house
        .post(
            "/par",
            &form("https://evil.example/cb"),
            Some(&authorization),
        )
        .await;
    insta::assert_snapshot!("par_refused", blotted(&refused, &[]));
}

#[tokio::test]
async fn what_a_person_is_told_of_a_login_that_is_over() {
    let house = TestHouse::new().await;
    let page = house.browser().get("/interaction/nothing").await;
    let reference = page.element("error-reference");
    // The stylesheet is named for what it holds.
    let (_, name) = page.body.split_once("/static/app.").expect("a stylesheet");
    let (name, _) = name.split_once(".css").expect("its name");
    let body = page
        .body
        .replace(&reference, "[reference]")
        .replace(name, "[content]");
    insta::assert_snapshot!("login_over", whole(&page, &body));
}

#[tokio::test]
async fn too_long_a_body_and_a_wrong_method_are_refused_in_our_own_form() {
    let house = TestHouse::new().await;
    let long = "x".repeat(100_000);
    for path in ["/token", "/par", "/userinfo"] {
        let answer = house.post(path, &[("a", &long)], None).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.json()["error"], "invalid_request");
    }
    let mut browser = house.browser();
    for path in ["/authorize", "/interaction/x/consent"] {
        let page = browser.post(path, &[("a", &long)]).await;
        assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        assert_eq!(page.element("error-code"), "invalid_request");
        assert!(page.headers.contains_key("content-security-policy"));
    }
    let page = browser.get("/interaction/x/cancel").await;
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(page.headers["allow"], "POST");
    assert_eq!(page.element("error-code"), "invalid_request");
}
