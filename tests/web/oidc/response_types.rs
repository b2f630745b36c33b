//! What `/authorize` answers with (OIDC Core 3.2, 3.3; OAuth 2.0 Multiple Response Type Encoding Practices).

mod refusals;
mod tokens;

use std::collections::BTreeMap;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hefu::authn::Factor;
use hefu::crypto::sha256;
use hefu::oauth::ResponseType;
use hefu::session::End;
use serde_json::{Value, json};

use super::{Answer, Browser, ISSUER, SHOP_CB, TestHouse, basic, payload};

const CB: &str = "https://front.example/cb";
const FRONT: [&str; 5] = [
    "id_token",
    "id_token token",
    "code id_token",
    "code token",
    "code id_token token",
];

/// A house where everything is on, and a client that registered everything.
async fn house() -> TestHouse {
    TestHouse::with(4, |settings| {
        settings.response_types = ["code"]
            .iter()
            .chain(&FRONT)
            .map(|text| ResponseType::parse(text).unwrap())
            .collect();
        let client = json!({"client_id": "front", "client_secret": "s", "redirect_uris": [CB],
            "response_types": ([&["code"][..], &FRONT].concat()), "id_token_signed_response_alg": "ES256",
            "grant_types": ["authorization_code", "implicit", "refresh_token"]});
        settings.clients.push(client.as_object().unwrap().clone());
    })
    .await
}

async fn signed_in<'h>(house: &'h TestHouse, scope: &str) -> Browser<'h> {
    let person = house.citizen(true).await;
    house.consent(&person, "front", scope).await;
    house.session(&person, &[Factor::Password]).await.1
}

async fn ask(browser: &mut Browser<'_>, response_type: &str, more: &[(&str, &str)]) -> Answer {
    let mut all = vec![("response_type", response_type), ("nonce", "n-1")];
    all.retain(|(name, _)| more.iter().all(|(n, _)| n != name));
    all.extend(more);
    browser.ask_plain("front", CB, &all).await
}

fn half(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&sha256(text.as_bytes())[..16])
}

#[tokio::test]
async fn each_type_answers_with_what_its_name_says() {
    let house = house().await;
    let mut browser = signed_in(&house, "openid profile phone").await;
    let scope = ("scope", "openid profile phone");
    for response_type in FRONT {
        let in_fragment = ask(&mut browser, response_type, &[scope])
            .await
            .told_in_fragment();
        let in_form = ask(
            &mut browser,
            response_type,
            &[scope, ("response_mode", "form_post")],
        )
        .await
        .told_in_form();
        let mut expected = vec!["state", "iss"];
        for word in response_type.split(' ') {
            match word {
                "token" => expected.extend(["access_token", "token_type", "expires_in", "scope"]),
                other => expected.push(other),
            }
        }
        expected.sort_unstable();
        for told in [in_fragment, in_form] {
            assert_eq!(
                told.keys().map(String::as_str).collect::<Vec<_>>(),
                expected,
                "{response_type}"
            );
            assert_eq!(
                (told["state"].as_str(), told["iss"].as_str()),
                ("a b&c", ISSUER)
            );
            check_tokens(&house, response_type, &told).await;
        }
    }
    // The plain flow is as it was, also beside the others.
    let code = ask(&mut browser, "code", &[scope]).await.told();
    assert_eq!(code.keys().collect::<Vec<_>>(), ["code", "iss", "state"]);
}

async fn check_tokens(house: &TestHouse, response_type: &str, told: &BTreeMap<String, String>) {
    if let Some(token) = told.get("id_token") {
        let claims = payload(token);
        let hash = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        assert_eq!(
            [hash("at_hash"), hash("c_hash"), hash("s_hash")],
            [
                told.get("access_token").map(|t| half(t)),
                told.get("code").map(|c| half(c)),
                Some(half("a b&c"))
            ],
            "{response_type}"
        );
        assert_eq!(
            (&claims["nonce"], &claims["aud"], &claims["iss"]),
            (&json!("n-1"), &json!("front"), &json!(ISSUER))
        );
        // OIDC Core 5.4: claims of scopes only where there is no UserInfo to ask.
        for name in ["name", "birthdate", "phone_number"] {
            let there = claims.get(name).is_some();
            assert_eq!(there, response_type == "id_token", "{response_type} {name}");
        }
        let keys = house
            .send(
                axum::http::Request::get("/jwks")
                    .body(axum::body::Body::empty())
                    .unwrap(),
            )
            .await
            .json();
        let keys = hefu::jose::JwkSet::parse_lenient(&keys).unwrap();
        let jws = hefu::jose::UnverifiedJws::parse(token, 10_000).unwrap();
        let key = keys.find(jws.header.kid.as_deref().unwrap()).unwrap();
        let alg = hefu::oauth::Algorithm::ES256;
        assert!(key.verify(alg, jws.signing_input(), jws.signature()));
    }
    if let Some(token) = told.get("access_token") {
        assert_eq!(
            (told["token_type"].as_str(), told["expires_in"].as_str()),
            ("Bearer", "300")
        );
        let claims = house.userinfo(token).await;
        assert_eq!(claims.status, StatusCode::OK, "{response_type}");
        assert_eq!(claims.json()["name"], "测试甲");
        if let Some(id_token) = told.get("id_token") {
            assert_eq!(claims.json()["sub"], payload(id_token)["sub"]);
        }
    }
}

#[tokio::test]
async fn one_signature_for_each_token() {
    let house = house().await;
    let mut browser = signed_in(&house, "openid").await;
    for (response_type, tokens) in FRONT.into_iter().zip([1, 2, 1, 1, 2]) {
        let before = house.ring.signatures();
        ask(&mut browser, response_type, &[])
            .await
            .told_in_fragment();
        assert_eq!(house.ring.signatures() - before, tokens, "{response_type}");
    }
}

#[tokio::test]
async fn after_a_page_the_answer_is_the_same() {
    let house = house().await;
    let person = house.citizen(true).await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let path = ask(&mut browser, "code id_token", &[])
        .await
        .location()
        .path()
        .to_owned();
    let page = browser.get(&format!("{path}/consent")).await;
    let form = [("decision", "allow"), ("csrf_token", &page.csrf())];
    browser.post(&format!("{path}/consent"), &form).await;
    let told = browser.get(&path).await.told_in_fragment();
    assert!(told.contains_key("code") && told.contains_key("id_token"));
    // Refusing is said in the same place.
    let asked = ask(&mut browser, "id_token", &[("prompt", "consent")]).await;
    let path = asked.location().path().to_owned();
    let page = browser.get(&format!("{path}/consent")).await;
    let form = [("decision", "deny"), ("csrf_token", &page.csrf())];
    let told = browser
        .post(&format!("{path}/consent"), &form)
        .await
        .told_in_fragment();
    assert_eq!(told["error"], "access_denied");
}

#[tokio::test]
async fn discovery_promises_what_is_switched_on() {
    let get = async |house: &TestHouse| {
        let request = axum::http::Request::get("/.well-known/openid-configuration");
        house
            .send(request.body(axum::body::Body::empty()).unwrap())
            .await
            .json()
    };
    let (on, off) = (
        get(&house().await).await,
        get(&TestHouse::new().await).await,
    );
    assert_eq!(
        on["response_types_supported"],
        json!(([&["code"][..], &FRONT].concat()))
    );
    assert_eq!(off["response_types_supported"], json!(["code"]));
    let implicit = |document: &Value| {
        let types = document["grant_types_supported"].as_array().unwrap();
        types.contains(&json!("implicit"))
    };
    assert!(implicit(&on) && !implicit(&off));
}
