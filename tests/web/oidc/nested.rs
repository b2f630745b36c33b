//! Encrypted tokens by the other ways: from the authorization endpoint, with each grant, and to keys behind an address.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hefu::authn::Factor;
use hefu::config::provider::{Provider, Registration};
use hefu::crypto::sha256;
use hefu::jose::ClientSecret;
use hefu::jose::jwe::{self, Accepted, Keys};
use hefu::oauth::{ContentEncryption, KeyManagement, ResponseType};
use hefu::provider::logout::Round;
use hefu::random::RngSource;
use serde_json::{Value, json};

use super::encryption::{ClientKeys, jwks, sealed_to, verified};
use super::logout::{back_channel, deliverer, end_session};
use super::pointed::Site;
use super::{Answer, Browser, ISSUER, TestHouse, basic, encode};
use crate::support::federation::TestKey;

const CB: &str = "https://box.example/cb";
const NO_KEY: &str = "the client has no usable key for the encryption that it registered";
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

/// What `secret` opens, under these algorithms alone.
async fn opened_under(
    secret: &str,
    sealed: &str,
    alg: KeyManagement,
    enc: ContentEncryption,
) -> String {
    let accepted = Accepted {
        algorithms: &[alg],
        encryptions: &[enc],
        limit: 100_000,
    };
    let secret = ClientSecret::new(secret.to_owned());
    let mut rng = RngSource::System.rng();
    let opened = jwe::decrypt(sealed, Keys::Secret(&secret), &accepted, &mut rng).await;
    String::from_utf8(opened.unwrap().plaintext.reveal().clone()).unwrap()
}

/// OIDC Core 10.2: the key is the left of a hash of the secret.
#[tokio::test]
async fn a_secret_that_both_hold_encrypts() {
    let site = Site::start().await;
    let registered = json!({"id_token_encrypted_response_alg": "dir", "id_token_encrypted_response_enc": "A256GCM",
        "userinfo_encrypted_response_alg": "A128KW", "userinfo_encrypted_response_enc": "A256CBC-HS512"});
    let house = house(&site, &registered, |_| {}).await;
    let mut browser = signed_in(&house).await;
    let told = ask(&mut browser, "id_token token").await.told_in_fragment();
    // Without hefu's own reader.
    let parts: Vec<&str> = text(&told, "id_token").split('.').collect();
    let bytes = |i: usize| URL_SAFE_NO_PAD.decode(parts[i]).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&bytes(0)).unwrap(),
        json!({"alg": "dir", "enc": "A256GCM", "cty": "JWT"})
    );
    assert_eq!(parts[1], "");
    let key = UnboundKey::new(&AES_256_GCM, &sha256(b"box secret")).unwrap();
    let nonce = Nonce::try_assume_unique_for_key(&bytes(2)).unwrap();
    let mut content = [bytes(3), bytes(4)].concat();
    let plain = LessSafeKey::new(key).open_in_place(nonce, Aad::from(parts[0]), &mut content);
    let signed = std::str::from_utf8(plain.unwrap()).unwrap().to_owned();
    let (_, claims) = verified(&house, &signed).await;
    assert_eq!(
        (&claims["aud"], &claims["nonce"]),
        (&json!("box"), &json!("n-1"))
    );

    let answer = house.userinfo(text(&told, "access_token")).await;
    let (alg, enc) = (KeyManagement::A128Kw, ContentEncryption::A256CbcHs512);
    let told = opened_under("box secret", &answer.body, alg, enc).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told, json!({"sub": claims["sub"]}));
}

#[tokio::test]
async fn a_secret_that_was_given_at_registration_encrypts_too() {
    let site = Site::start().await;
    let house = house(&site, &json!({}), |settings| {
        settings.registration = Registration::Open;
    })
    .await;
    let metadata = json!({"redirect_uris": [CB], "id_token_encrypted_response_alg": "A256KW"});
    let request = Request::post("/register")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(metadata.to_string()));
    let client = house.send(request.unwrap()).await.json();
    assert_eq!(client["id_token_encrypted_response_enc"], "A128CBC-HS256");
    let [id, secret] = ["client_id", "client_secret"].map(|name| client[name].as_str().unwrap());
    let person = house.citizen(true).await;
    house.consent(&person, id, "openid").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let code = browser.ask_plain(id, CB, &[]).await.told()["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CB),
    ];
    let tokens = house.post("/token", &form, Some(&basic(id, secret))).await;
    let tokens = tokens.json();
    let (alg, enc) = (KeyManagement::A256Kw, ContentEncryption::A128CbcHs256);
    let sealed = tokens["id_token"].as_str().unwrap();
    let signed = opened_under(secret, sealed, alg, enc).await;
    assert_eq!(super::payload(&signed)["aud"], id);
}

/// JARM 2.2: first signed, then encrypted; errors too, or nothing.
#[tokio::test]
async fn a_signed_authorization_answer_is_encrypted_besides() {
    let (site, keys) = (Site::start().await, ClientKeys::new());
    site.put("/jwks", "application/json", keys.jwks());
    let registered = json!({"authorization_signed_response_alg": "ES256", "authorization_encrypted_response_alg": "ECDH-ES"});
    let house = house(&site, &registered, |_| {}).await;
    let mut browser = signed_in(&house).await;
    let jwt = ("response_mode", "jwt");
    for (more, name) in [
        (vec![jwt], "code"),
        (vec![jwt, ("scope", "profile")], "error"),
        (
            vec![jwt, ("scope", "openid phone"), ("prompt", "none")],
            "error",
        ),
    ] {
        let told = browser.ask_plain("box", CB, &more).await.told();
        assert_eq!(told.keys().collect::<Vec<_>>(), ["response"]);
        let claims = opened(&house, &keys, &told["response"]).await;
        assert!(claims[name].is_string(), "{claims}");
        assert_eq!(claims["state"], "a b&c");
    }
    // An answer that is not signed is as it was.
    let told = browser.ask_plain("box", CB, &[]).await.told();
    assert!(told.contains_key("code"), "{told:?}");
    // Without a key there is nothing that the client could be told; and no code was made.
    site.put(
        "/jwks",
        "application/json",
        TestKey::of("protocol key").jwks(),
    );
    house.clock.advance(601);
    let grants = house.count("grants").await;
    for more in [vec![jwt], vec![jwt, ("scope", "profile")]] {
        let page = browser.ask_plain("box", CB, &more).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
        assert_eq!(page.element("error-code"), "invalid_request");
    }
    assert_eq!(house.count("grants").await, grants);
}

/// RFC 9701 §5.
#[tokio::test]
async fn a_signed_introspection_answer_is_encrypted_besides() {
    let (site, keys) = (Site::start().await, ClientKeys::new());
    site.put("/jwks", "application/json", keys.jwks());
    let registered = json!({"introspection_signed_response_alg": "ES256", "introspection_encrypted_response_alg": "ECDH-ES"});
    let house = house(&site, &registered, |_| {}).await;
    let told = ask(&mut signed_in(&house).await, "id_token token")
        .await
        .told_in_fragment();
    let form = encode(&[("token", text(&told, "access_token"))]);
    let introspect = async |accept: &str| {
        let request = Request::post("/introspect")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, basic("box", "box secret"))
            .header(header::ACCEPT, accept)
            .body(Body::from(form.clone()));
        house.send(request.unwrap()).await
    };
    let jwt = "application/token-introspection+jwt";
    let answer = introspect(jwt).await;
    assert_eq!(answer.headers["content-type"], jwt);
    let claims = opened(&house, &keys, &answer.body).await;
    let plain = introspect("application/json").await.json();
    assert_eq!(plain["active"], true);
    assert_eq!(claims["token_introspection"], plain);

    site.put(
        "/jwks",
        "application/json",
        TestKey::of("protocol key").jwks(),
    );
    house.clock.advance(601);
    let refused = introspect(jwt).await;
    assert_eq!(
        (refused.status, refused.json()["error_description"].as_str()),
        (StatusCode::BAD_REQUEST, Some(NO_KEY))
    );
}

/// BCL 2.6: a client that has its ID Tokens encrypted refuses a logout token that is not.
#[tokio::test]
async fn a_logout_token_is_encrypted_like_an_id_token() {
    let (site, keys) = (Site::start().await, ClientKeys::new());
    let signing_only = TestKey::of("protocol key").jwks();
    site.put("/jwks", "application/json", keys.jwks());
    let registered = json!({"id_token_encrypted_response_alg": "ECDH-ES", "backchannel_logout_uri": "https://box.example/bc"});
    let house = house(&site, &registered, |_| {}).await;
    let told = ask(&mut signed_in(&house).await, "id_token")
        .await
        .told_in_fragment();
    let id_token = opened(&house, &keys, text(&told, "id_token")).await;
    let (port, got) = back_channel(StatusCode::OK).await;
    // While there is no key it waits.
    site.put("/jwks", "application/json", &signing_only);
    house.clock.advance(601);
    end_session(&house, port).await;
    let (deliverer, mut rng) = (deliverer(&house, port), RngSource::System.rng());
    let round = deliverer.deliver(&mut rng, house.now()).await.unwrap();
    let put_off = Round {
        put_off: 1,
        ..Round::default()
    };
    assert_eq!((round, got.lock().unwrap().len()), (put_off, 0));
    site.put("/jwks", "application/json", keys.jwks());
    house.clock.advance(601);
    let round = deliverer.deliver(&mut rng, house.now()).await.unwrap();
    assert_eq!(round.delivered, 1);
    let got = got.lock().unwrap().clone();
    let sealed = got[0].strip_prefix("logout_token=").unwrap();
    let claims = opened(&house, &keys, sealed).await;
    for name in ["sub", "sid"] {
        assert_eq!(claims[name], id_token[name], "{name}");
    }
    assert!(claims["events"].is_object());
}
