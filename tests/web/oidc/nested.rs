//! Encrypted tokens by the other ways: from the authorization endpoint, with each grant, and to keys behind an address.

use std::collections::BTreeMap;

use hefu::authn::Factor;
use hefu::config::provider::Provider;
use hefu::oauth::{ContentEncryption, KeyManagement, ResponseType};
use serde_json::{Value, json};

use super::encryption::{ClientKeys, jwks, sealed_to, verified};
use super::pointed::Site;
use super::{Answer, Browser, ISSUER, TestHouse, basic};
use crate::support::federation::TestKey;

const CB: &str = "https://box.example/cb";
const NO_KEY: &str =
    "the client's key set holds no usable key for the encryption that the client registered";
const ECDH: (KeyManagement, ContentEncryption) =
    (KeyManagement::EcdhEs, ContentEncryption::A128CbcHs256);

/// Every response type is on; the client `box` registered `more` and its keys behind an address of `site`.
async fn house(site: &Site, more: &Value, set: impl FnOnce(&mut Provider)) -> TestHouse {
    let types = [
        "code",
        "id_token",
        "id_token token",
        "code id_token",
        "code id_token token",
    ];
    let mut client = json!({"client_id": "box", "client_secret": "box secret", "redirect_uris": [CB],
        "response_types": types, "grant_types": ["authorization_code", "implicit", "refresh_token"],
        "id_token_signed_response_alg": "ES256", "jwks_uri": format!("http://rp.localhost:{}/jwks", site.port)});
    for (name, value) in more.as_object().unwrap() {
        client[name] = value.clone();
    }
    TestHouse::reaching(4, Some(site.port), |settings| {
        settings.response_types = types
            .map(|text| ResponseType::parse(text).unwrap())
            .to_vec();
        settings.clients.push(client.as_object().unwrap().clone());
        set(settings);
    })
    .await
}

async fn signed_in(house: &TestHouse) -> Browser<'_> {
    let person = house.citizen(true).await;
    house
        .consent(&person, "box", "openid real_name offline_access")
        .await;
    house.session(&person, &[Factor::Password]).await.1
}

async fn ask(browser: &mut Browser<'_>, response_type: &str) -> Answer {
    let more = [("response_type", response_type), ("nonce", "n-1")];
    browser.ask_plain("box", CB, &more).await
}

async fn token(house: &TestHouse, form: &[(&str, &str)]) -> Answer {
    let authorization = basic("box", "box secret");
    house.post("/token", form, Some(&authorization)).await
}

/// The claims of an ID Token that was signed, then encrypted to the client.
async fn opened(house: &TestHouse, keys: &ClientKeys, sealed: &str) -> Value {
    let opened = keys.open(sealed, ECDH.0, ECDH.1).await;
    let (_, claims) = verified(house, opened.jwt().unwrap()).await;
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!(ISSUER), &json!("box"))
    );
    claims
}

fn text<'a>(told: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    told.get(name).map(String::as_str).unwrap_or_default()
}

#[tokio::test]
async fn id_tokens_of_the_authorization_endpoint_are_encrypted_too() {
    let (site, keys) = (Site::start().await, ClientKeys::new());
    site.put("/jwks", "application/json", keys.jwks());
    let registered = json!({"id_token_encrypted_response_alg": "ECDH-ES"});
    let house = house(&site, &registered, |_| {}).await;
    let mut browser = signed_in(&house).await;
    for (response_type, hashes) in [
        ("id_token", [false, false]),
        ("id_token token", [true, false]),
        ("code id_token", [false, true]),
        ("code id_token token", [true, true]),
    ] {
        let told = ask(&mut browser, response_type).await.told_in_fragment();
        let claims = opened(&house, &keys, text(&told, "id_token")).await;
        assert_eq!(claims["nonce"], "n-1");
        let said = ["at_hash", "c_hash"].map(|name| claims[name].is_string());
        assert_eq!(said, hashes, "{response_type}");
        if response_type == "code id_token" {
            let code = text(&told, "code");
            let form = [
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", CB),
            ];
            let second = token(&house, &form).await.json();
            let second = opened(&house, &keys, second["id_token"].as_str().unwrap()).await;
            assert_eq!(second["sub"], claims["sub"]);
        }
    }
}

#[tokio::test]
async fn a_refreshed_id_token_is_encrypted_and_a_lost_key_uses_nothing_up() {
    let (site, keys) = (Site::start().await, ClientKeys::new());
    let signing_only = TestKey::of("protocol key").jwks();
    site.put("/jwks", "application/json", &signing_only);
    let registered = json!({"id_token_encrypted_response_alg": "ECDH-ES"});
    let house = house(&site, &registered, |_| {}).await;
    let mut browser = signed_in(&house).await;
    // From the authorization endpoint: told to the client.
    let told = ask(&mut browser, "code id_token").await.told_in_fragment();
    assert_eq!(
        (text(&told, "error"), text(&told, "error_description")),
        ("invalid_request", NO_KEY)
    );
    // With a code alone the authorization endpoint encrypts nothing.
    let more = [("scope", "openid offline_access")];
    let code = browser.ask_plain("box", CB, &more).await.told()["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CB),
    ];
    let refused = token(&house, &form).await;
    assert_eq!(
        refused.json(),
        json!({"error": "invalid_request", "error_description": NO_KEY})
    );
    // Its keys are put right; what was read before is kept for ten minutes, so this is another login.
    site.put("/jwks", "application/json", keys.jwks());
    house.clock.advance(601);
    let code = browser.ask_plain("box", CB, &more).await.told()["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CB),
    ];
    let tokens = token(&house, &form).await.json();
    let first = opened(&house, &keys, tokens["id_token"].as_str().unwrap()).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    // A key that went away again: the refresh token stays good.
    site.put("/jwks", "application/json", &signing_only);
    house.clock.advance(601);
    assert_eq!(
        token(&house, &form).await.json()["error_description"],
        NO_KEY
    );
    site.put("/jwks", "application/json", keys.jwks());
    house.clock.advance(601);
    let renewed = token(&house, &form).await.json();
    let second = opened(&house, &keys, renewed["id_token"].as_str().unwrap()).await;
    assert_eq!(second["sub"], first["sub"]);
}

#[tokio::test]
async fn request_objects_behind_an_address_may_be_encrypted() {
    let (site, keys) = (Site::start().await, ClientKeys::new());
    let key = TestKey::of("protocol key");
    site.put("/jwks", "application/json", keys.jwks());
    let house = house(&site, &json!({}), |settings| {
        settings.request_uri = true;
        settings.require_request_uri_registration = false;
    })
    .await;
    let mut browser = signed_in(&house).await;
    let ours = jwks(&house).await;
    let object = |state: &str| {
        key.jwt("oauth-authz-req+jwt", &json!({"iss": "box", "client_id": "box", "aud": ISSUER,
            "exp": house.now().0 + 60, "jti": state, "response_type": "code", "redirect_uri": CB, "scope": "openid",
            "state": state}))
    };
    let sealed = |jwt: &str| {
        sealed_to(
            &ours,
            KeyManagement::EcdhEs,
            ContentEncryption::A256Gcm,
            jwt,
        )
    };
    let plain = object("plain");
    let once = sealed(&object("sealed"));
    let twice = sealed(&sealed(&object("twice")));
    let mut broken = sealed(&object("broken"));
    broken.truncate(broken.len() - 4);
    for (path, body, told) in [
        ("/plain", plain, Ok("plain")),
        ("/once", once, Ok("sealed")),
        (
            "/twice",
            twice,
            Err("the request object is not a signed JWT"),
        ),
        (
            "/broken",
            broken,
            Err("the request object is not a compact JWE"),
        ),
    ] {
        let uri = site.put(path, "application/jwt", body);
        let more = [("request_uri", &*uri), ("state", "outer")];
        let answer = browser.ask_plain("box", CB, &more).await.told();
        match told {
            Ok(state) => {
                assert!(answer.contains_key("code"), "{path}: {answer:?}");
                assert_eq!(text(&answer, "state"), state);
            }
            Err(why) => assert_eq!(
                ["error", "error_description", "state"].map(|n| text(&answer, n)),
                ["invalid_request_object", why, "outer"]
            ),
        }
    }
}
