//! What was taken from a client after its login began, or after its request was pushed, is not released.

use axum::http::{StatusCode, header};
use hefu::authn::Factor;
use hefu::client::registered;
use hefu::id::ClientId;
use hefu::random::RngSource;
use serde_json::{Value, json};

use super::{Browser, CHALLENGE, ISSUER, TestHouse, VERIFIER, basic, encode};
use crate::support::federation::TestKey;

const CLIENT: &str = "reg";
const CB: &str = "https://reg.example/cb";

fn metadata(scope: &str, redirect_uri: &str) -> Value {
    json!({"redirect_uris": [redirect_uri], "token_endpoint_auth_method": "none", "scope": scope})
}

async fn register(house: &TestHouse, metadata: &Value) -> Option<String> {
    let id = ClientId(CLIENT.to_owned());
    let mut conn = house.store.read().await.unwrap();
    let metadata = metadata.as_object().unwrap();
    let secret = registered::add(
        &mut conn,
        &mut RngSource::System.rng(),
        &*house.ring,
        registered::New {
            id: &id,
            metadata,
            secret_expires_at: None,
            registration_token: None,
        },
        house.now(),
    )
    .await
    .unwrap()
    .unwrap();
    secret.map(|secret| secret.reveal().clone())
}

/// Changes the client, and waits until every node knows.
async fn change(house: &TestHouse, metadata: &Value) {
    sqlx::query("UPDATE clients SET metadata = $1 WHERE id = $2")
        .bind(metadata.to_string())
        .bind(CLIENT)
        .execute(&mut *house.store.read().await.unwrap())
        .await
        .unwrap();
    house.clock.advance(6);
}

async fn remove(house: &TestHouse) {
    let mut conn = house.store.read().await.unwrap();
    registered::remove(&mut conn, &ClientId(CLIENT.to_owned()), house.now())
        .await
        .unwrap();
    house.clock.advance(6);
}

/// Begins a login that leads to the consent page; the interaction's path and the form's token.
async fn begin(browser: &mut Browser<'_>, more: &[(&str, &str)]) -> (String, String) {
    let mut form = vec![
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("prompt", "consent"),
    ];
    form.extend(more);
    let asked = browser.ask_plain(CLIENT, CB, &form).await;
    let path = asked.location().path().to_owned();
    let token = browser.get(&format!("{path}/consent")).await.csrf();
    (path, token)
}

#[tokio::test]
async fn a_scope_taken_away_before_the_consent_is_neither_shown_nor_released() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    register(&house, &metadata("openid phone real_name", CB)).await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let wish = json!({"userinfo": {"phone_number": {"essential": true}}}).to_string();
    let (path, token) = begin(
        &mut browser,
        &[("scope", "openid phone real_name"), ("claims", &wish)],
    )
    .await;
    let page = browser.get(&format!("{path}/consent")).await.body;
    assert!(page.contains("consent-item-phone_number"));

    change(&house, &metadata("openid real_name", CB)).await;
    let page = browser.get(&format!("{path}/consent")).await.body;
    assert!(page.contains("consent-item-name") && !page.contains("consent-item-phone_number"));
    let form = [("decision", "allow"), ("csrf_token", &*token)];
    let allowed = browser.post(&format!("{path}/consent"), &form).await;
    assert_eq!(allowed.location().path(), path);
    let agreed: (String, String) = sqlx::query_as("SELECT scope, claims FROM consents")
        .fetch_one(&mut *house.store.read().await.unwrap())
        .await
        .unwrap();
    assert_eq!(agreed, ("openid real_name".to_owned(), "[]".to_owned()));

    let code = browser.get(&path).await.told()["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("redirect_uri", CB),
        ("code", &code),
        ("code_verifier", VERIFIER),
    ];
    let tokens = house.post("/token", &form, None).await.json();
    assert_eq!(tokens["scope"], "openid real_name", "{tokens}");
    let claims = house
        .userinfo(tokens["access_token"].as_str().unwrap())
        .await
        .json();
    assert_eq!(claims["name"], "测试甲");
    assert_eq!(claims.get("phone_number"), None);
}

#[tokio::test]
async fn a_scope_taken_away_after_the_consent_is_not_released() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    register(&house, &metadata("openid phone", CB)).await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let (path, token) = begin(&mut browser, &[("scope", "openid phone")]).await;
    let form = [("decision", "allow"), ("csrf_token", &*token)];
    browser.post(&format!("{path}/consent"), &form).await;
    change(&house, &metadata("openid", CB)).await;
    let code = browser.get(&path).await.told()["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("redirect_uri", CB),
        ("code", &code),
        ("code_verifier", VERIFIER),
    ];
    let tokens = house.post("/token", &form, None).await.json();
    assert_eq!(tokens["scope"], "openid", "{tokens}");
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_no_longer_the_clients() {
    for removed in [false, true] {
        let house = TestHouse::new().await;
        let person = house.citizen(true).await;
        register(&house, &metadata("openid", CB)).await;
        let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
        let (path, token) = begin(&mut browser, &[]).await;
        if removed {
            remove(&house).await;
        } else {
            change(&house, &metadata("openid", "https://reg.example/new")).await;
        }
        let consent = format!("{path}/consent");
        let cancel = format!("{path}/cancel");
        let with = |decision| vec![("decision", decision), ("csrf_token", &*token)];
        let answers = [
            browser.get(&path).await,
            browser.get(&consent).await,
            browser.post(&consent, &with("allow")).await,
            browser.post(&consent, &with("deny")).await,
            browser.post(&cancel, &with("")).await,
        ];
        for (n, answer) in answers.iter().enumerate() {
            assert_eq!(
                answer.status,
                StatusCode::BAD_REQUEST,
                "{n} removed: {removed}"
            );
            assert!(!answer.headers.contains_key(header::LOCATION), "{n}");
            assert!(!answer.element("error-code").is_empty());
            let policy = answer.headers["content-security-policy"].to_str().unwrap();
            assert!(!policy.contains("reg.example"), "{policy}");
        }
        assert_eq!(
            (house.count("grants").await, house.count("consents").await),
            (0, 0)
        );
    }
}

fn signing(key: &str) -> Value {
    let mut metadata = metadata("openid phone", CB);
    metadata["token_endpoint_auth_method"] = "client_secret_basic".into();
    metadata["jwks"] = TestKey::of(key).jwks();
    metadata
}

/// Pushes a signed request object of the client; the query that names it.
async fn push(house: &TestHouse, secret: &str) -> String {
    let object = TestKey::of("before").jwt(
        "oauth-authz-req+jwt",
        &json!({"iss": CLIENT, "client_id": CLIENT, "aud": ISSUER, "jti": "once", "exp": house.now().0 + 60,
            "response_type": "code", "redirect_uri": CB, "scope": "openid phone", "state": "inside"}),
    );
    let form = [("client_id", CLIENT), ("request", object.as_str())];
    let pushed = house
        .post("/par", &form, Some(&basic(CLIENT, secret)))
        .await;
    assert_eq!(pushed.status, StatusCode::CREATED, "{}", pushed.body);
    let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
    encode(&[("client_id", CLIENT), ("request_uri", &uri)])
}

#[tokio::test]
async fn a_key_rotated_after_the_push_breaks_nothing() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    house.consent(&person, CLIENT, "openid phone").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let secret = register(&house, &signing("before")).await.unwrap();
    let query = push(&house, &secret).await;
    change(&house, &signing("after")).await;
    let told = browser.get(&format!("/authorize?{query}")).await.told();
    assert!(told.contains_key("code"), "{told:?}");
    assert_eq!(told["state"], "inside");
}

#[tokio::test]
async fn what_is_taken_away_after_the_push_is_not_released() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    house.consent(&person, CLIENT, "openid phone").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let secret = register(&house, &signing("before")).await.unwrap();
    let query = push(&house, &secret).await;
    let mut narrowed = signing("before");
    narrowed["scope"] = "openid".into();
    change(&house, &narrowed).await;
    let code = browser.get(&format!("/authorize?{query}")).await.told()["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("redirect_uri", CB),
        ("code", &code),
    ];
    let tokens = house
        .post("/token", &form, Some(&basic(CLIENT, &secret)))
        .await
        .json();
    assert_eq!(tokens["scope"], "openid", "{tokens}");
}

#[tokio::test]
async fn a_pushed_request_of_a_lost_address_is_answered_on_a_page() {
    let house = TestHouse::new().await;
    let secret = register(&house, &signing("before")).await.unwrap();
    let query = push(&house, &secret).await;
    let mut moved = signing("before");
    moved["redirect_uris"] = json!(["https://reg.example/new"]);
    change(&house, &moved).await;
    let answer = house.browser().get(&format!("/authorize?{query}")).await;
    assert_eq!(answer.element("error-code"), "invalid_request");
    remove(&house).await;
    let answer = house.browser().get(&format!("/authorize?{query}")).await;
    assert_eq!(answer.element("error-code"), "invalid_client");
}
