//! Session management (OIDC Session Management 1.0): `session_state`, the browser's state, the page for frames.

use axum::http::{StatusCode, header};
use hefu::authn::Factor;
use hefu::crypto::thumb;
use serde_json::Value;

use super::{Answer, Browser, ISSUER, SHOP_CB, TestHouse};

const STATE: &str = "__Host-hefu_state";
const SESSION: &str = "__Host-hefu_session";

async fn house() -> TestHouse {
    TestHouse::with(4, |settings| settings.session_management = true).await
}

async fn signed_in(house: &TestHouse) -> Browser<'_> {
    let person = house.citizen(true).await;
    house.consent(&person, "shop", "openid").await;
    house.session(&person, &[Factor::Password]).await.1
}

/// What the frame computes (§3.2).
fn holds(session_state: &str, state: &str) -> bool {
    let (hash, salt) = session_state.split_once('.').unwrap();
    thumb(format!("shop https://shop.example {state} {salt}").as_bytes()) == hash
}

fn cookies(answer: &Answer) -> Vec<String> {
    let lines = answer.headers.get_all(header::SET_COOKIE).iter();
    lines.map(|l| l.to_str().unwrap().to_owned()).collect()
}

async fn discovery(browser: &mut Browser<'_>) -> Value {
    browser
        .get("/.well-known/openid-configuration")
        .await
        .json()
}

#[tokio::test]
async fn it_is_off_unless_it_is_switched_on() {
    let house = TestHouse::new().await;
    let mut browser = signed_in(&house).await;
    let answer = browser.ask_plain("shop", SHOP_CB, &[]).await;
    assert!(!answer.told().contains_key("session_state"));
    assert!(cookies(&answer).is_empty());
    let page = browser.get("/session/check").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(
        discovery(&mut browser)
            .await
            .get("check_session_iframe")
            .is_none()
    );
}

#[tokio::test]
async fn the_page_may_be_framed_by_anyone_and_does_nothing_else() {
    let house = house().await;
    let mut browser = house.browser();
    assert_eq!(
        discovery(&mut browser).await["check_session_iframe"],
        format!("{ISSUER}/session/check")
    );
    let page = browser.get("/session/check").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.headers.contains_key("x-frame-options"));
    assert_eq!(
        page.headers["content-security-policy"],
        "default-src 'none'; script-src 'self'; form-action 'none'; base-uri 'none'"
    );
    assert!(page.body.contains("data-cookie=\"__Host-hefu_state\""));
    assert!(page.body.contains("<script src=\"/static/check_session."));
    assert!(cookies(&page).is_empty());
}

#[tokio::test]
async fn the_state_follows_the_session() {
    let house = house().await;
    // Nobody: answers say so too, in errors.
    let mut browser = house.browser();
    let told = browser
        .ask_plain("shop", SHOP_CB, &[("prompt", "none")])
        .await
        .told();
    assert_eq!(told["error"], "login_required");
    let nobody = told["session_state"].clone();
    assert!(holds(&nobody, "") && !browser.cookies.contains_key(STATE));

    let mut browser = signed_in(&house).await;
    let answer = browser.ask_plain("shop", SHOP_CB, &[]).await;
    let state = browser.cookies[STATE].clone();
    let line = format!("{STATE}={state}; Path=/; SameSite=None; Secure");
    // Readable by script, in frames on other sites' pages.
    assert_eq!(cookies(&answer), [line]);
    let somebody = answer.told()["session_state"].clone();
    assert!(holds(&somebody, &state) && !holds(&somebody, "") && !holds(&nobody, &state));
    // Nothing in it opens the session.
    let handle = browser.cookies[SESSION].clone();
    assert!(!state.contains(&handle) && state.len() == 43);
    let mut thief = house.browser();
    thief.cookies.insert(SESSION.to_owned(), state.clone());
    let told = thief
        .ask_plain("shop", SHOP_CB, &[("prompt", "none")])
        .await
        .told();
    assert_eq!(told["error"], "login_required");
    // The same login, the same state, another salt.
    let again = browser.ask_plain("shop", SHOP_CB, &[]).await;
    assert!(cookies(&again).is_empty());
    assert!(holds(&again.told()["session_state"], &state));
    assert_ne!(again.told()["session_state"], somebody);

    // Logout: both cookies go.
    let csrf = browser.get("/logout").await.csrf();
    let form = [("decision", "logout"), ("csrf_token", csrf.as_str())];
    let answer = browser.post("/logout", &form).await;
    assert_eq!(
        cookies(&answer),
        [
            format!("{SESSION}=; Path=/; Max-Age=0; HttpOnly; SameSite=None; Secure"),
            format!("{STATE}=; Path=/; Max-Age=0; SameSite=None; Secure"),
        ]
    );
    let told = browser
        .ask_plain("shop", SHOP_CB, &[("prompt", "none")])
        .await
        .told();
    assert!(holds(&told["session_state"], "") && !holds(&somebody, ""));
}

#[tokio::test]
async fn a_session_that_ended_elsewhere_is_found_out_and_cleared() {
    let house = house().await;
    let mut browser = signed_in(&house).await;
    browser.ask_plain("shop", SHOP_CB, &[]).await;
    assert!(browser.cookies.contains_key(STATE));
    house.clock.advance(43_300);
    let told = browser
        .ask_plain("shop", SHOP_CB, &[("prompt", "none")])
        .await
        .told();
    assert_eq!(told["error"], "login_required");
    assert!(holds(&told["session_state"], ""));
    assert!(!browser.cookies.contains_key(STATE) && !browser.cookies.contains_key(SESSION));
}

#[tokio::test]
async fn answers_that_caches_keep_set_no_cookie() {
    let house = house().await;
    let mut browser = signed_in(&house).await;
    for path in ["/jwks", "/.well-known/openid-configuration"] {
        let answer = browser.get(path).await;
        assert!(cookies(&answer).is_empty(), "{path}");
    }
}
