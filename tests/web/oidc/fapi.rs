//! The FAPI 2.0 Security Profile, and signed requests of FAPI 2.0 Message Signing, for clients that chose them.

use axum::http::{Method, StatusCode};
use hefu::authn::Factor;
use hefu::jose::jwt;
use serde_json::{Value, json};

use super::dpop::{error, proof};
use super::{Answer, Browser, CHALLENGE, ISSUER, TestHouse, VERIFIER, encode, payload};
use crate::support::federation::TestKey;

const KEY: &str = "bank";
const BACK: &str = "https://bank.example/cb";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// `bank` follows the profile; `notary` also signs its requests.
async fn house() -> TestHouse {
    TestHouse::with(4, |settings| {
        for client in [
            json!({"client_id": "bank"}),
            json!({"client_id": "notary", "require_signed_request_object": true}),
        ] {
            let mut client = client.as_object().unwrap().clone();
            let usual = json!({"hefu_profile": "fapi2", "redirect_uris": [BACK],
                "token_endpoint_auth_method": "private_key_jwt", "jwks": TestKey::of(KEY).jwks()});
            client.extend(usual.as_object().unwrap().clone());
            settings.clients.push(client);
        }
    })
    .await
}

/// `base` with these changes; `null` removes a member.
fn with(mut base: Value, changes: &Value) -> Value {
    let members = base.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    base
}

fn assertion(house: &TestHouse, client: &str, jti: &str, changes: &Value) -> String {
    let claims = json!({"iss": client, "sub": client, "aud": ISSUER, "jti": jti,
        "iat": house.now(), "exp": house.now().plus(60)});
    TestKey::of(KEY).jwt("JWT", &with(claims, changes))
}

async fn post(
    house: &TestHouse,
    path: &str,
    assertion: &str,
    form: &[(&str, &str)],
    dpop: Option<&str>,
) -> Answer {
    let mut all = vec![
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    all.extend(form);
    let headers: Vec<_> = dpop.map(|proof| ("DPoP", proof)).into_iter().collect();
    house.post_with(path, &all, &headers).await
}

const REQUEST: [(&str, &str); 6] = [
    ("redirect_uri", BACK),
    ("response_type", "code"),
    ("scope", "openid offline_access"),
    ("nonce", "n"),
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

async fn code(browser: &mut Browser<'_>, client: &str, pushed: &Answer) -> String {
    assert_eq!(pushed.status, StatusCode::CREATED, "{}", pushed.body);
    let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
    let query = encode(&[("client_id", client), ("request_uri", &uri)]);
    let told = browser.get(&format!("/authorize?{query}")).await.told();
    assert_eq!(told["iss"], ISSUER);
    told["code"].clone()
}

fn redemption(code: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ]
}

#[tokio::test]
async fn the_whole_way_with_a_key_of_its_own() {
    let house = house().await;
    let person = house.citizen(true).await;
    house
        .consent(&person, "bank", "openid offline_access")
        .await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let sign = |jti: &str| assertion(&house, "bank", jti, &json!({}));
    let dpop = |jti: &str| proof(&house, "holder", jti, &Method::POST, "/token", json!({}));

    let pushed = post(&house, "/par", &sign("1"), &REQUEST, None).await;
    let code = code(&mut browser, "bank", &pushed).await;
    let form = redemption(&code);
    // Sender-constrained tokens only (§5.3.2.1).
    let unbound = post(&house, "/token", &sign("2"), &form, None).await;
    assert_eq!(error(&unbound), (400, "invalid_dpop_proof".to_owned()));
    let answer = post(&house, "/token", &sign("3"), &form, Some(&dpop("3"))).await;
    let tokens = answer.json();
    assert_eq!(tokens["token_type"], "DPoP", "{tokens}");
    for token in ["id_token", "access_token"] {
        let (header, _) = jwt::peek(tokens[token].as_str().unwrap(), 10_000).unwrap();
        // §5.4.1; RS256 is what others get without asking.
        assert_eq!(header.alg, "PS256", "{token}");
    }
    assert_eq!(payload(tokens["id_token"].as_str().unwrap())["aud"], "bank");

    // No rotation: the same refresh token, also long after the grace of others.
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
    ];
    for round in 0..3 {
        let jti = format!("r{round}");
        let answer = post(&house, "/token", &sign(&jti), &form, Some(&dpop(&jti))).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert!(answer.json().get("refresh_token").is_none());
        house.clock.advance(3600);
    }
    let unbound = post(&house, "/token", &sign("4"), &form, None).await;
    assert_eq!(error(&unbound), (400, "invalid_dpop_proof".to_owned()));
}

#[tokio::test]
async fn assertions_are_for_the_issuer_alone_and_clocks_may_differ_a_little() {
    let house = house().await;
    let now = house.now();
    let token = format!("{ISSUER}/token");
    let par = format!("{ISSUER}/par");
    for (changes, fits) in [
        (json!({}), true),
        (json!({"aud": [ISSUER]}), false),
        (json!({"aud": token}), false),
        (json!({"aud": par}), false),
        (json!({"aud": null}), false),
        (json!({"iat": now.plus(10)}), true),
        (json!({"nbf": now.plus(10)}), true),
        (json!({"iat": now.plus(61)}), false),
        (json!({"nbf": now.plus(61)}), false),
        (json!({"iat": null}), true),
        (json!({"exp": now.plus(-61)}), false),
        (json!({"exp": null}), false),
        (json!({"jti": null}), false),
        (json!({"sub": "notary"}), false),
    ] {
        let sent = assertion(&house, "bank", &changes.to_string(), &changes);
        let pushed = post(&house, "/par", &sent, &REQUEST, None).await;
        if fits {
            assert_eq!(
                pushed.status,
                StatusCode::CREATED,
                "{changes} {}",
                pushed.body
            );
        } else {
            assert_eq!(
                error(&pushed),
                (401, "invalid_client".to_owned()),
                "{changes}"
            );
        }
        let at_token = assertion(&house, "bank", &format!("{changes} token"), &changes);
        let answer = post(&house, "/token", &at_token, &[("grant_type", "x")], None).await;
        let known = (400, "unsupported_grant_type".to_owned());
        let unknown = (401, "invalid_client".to_owned());
        let expected = if fits { known } else { unknown };
        assert_eq!(error(&answer), expected, "{changes}");
    }
}

#[tokio::test]
async fn requests_are_pushed_with_proof_and_with_pkce() {
    let house = house().await;
    let mut browser = house.browser();
    // Not through the browser.
    let mut direct = vec![("client_id", "bank")];
    direct.extend(REQUEST);
    let answer = browser
        .get(&format!("/authorize?{}", encode(&direct)))
        .await;
    assert_eq!(answer.told()["error"], "invalid_request");
    // Not without authentication.
    let unknown = (401, "invalid_client".to_owned());
    assert_eq!(error(&house.post("/par", &direct, None).await), unknown);
    for (jti, name, value, code) in [
        ("1", "code_challenge", "", "invalid_request"),
        ("2", "code_challenge_method", "plain", "invalid_request"),
        ("3", "code_challenge_method", "", "invalid_request"),
        ("4", "redirect_uri", "", "invalid_request"),
        (
            "5",
            "redirect_uri",
            "https://other.example/cb",
            "invalid_request",
        ),
        (
            "6",
            "response_type",
            "code id_token",
            "unsupported_response_type",
        ),
        (
            "7",
            "request_uri",
            "https://bank.example/r",
            "invalid_request",
        ),
        ("8", "dpop_jkt", "x", "invalid_request"),
    ] {
        let mut form: Vec<_> = REQUEST.into_iter().filter(|(n, _)| *n != name).collect();
        if !value.is_empty() {
            form.push((name, value));
        }
        let sent = assertion(&house, "bank", jti, &json!({}));
        let answer = post(&house, "/par", &sent, &form, None).await;
        assert_eq!(error(&answer), (400, code.to_owned()), "{name}={value}");
    }
}

#[tokio::test]
async fn who_must_sign_is_believed_for_what_was_signed_within_the_hour() {
    let house = house().await;
    let person = house.citizen(true).await;
    house
        .consent(&person, "notary", "openid offline_access")
        .await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let now = house.now();
    let mut round = 0;
    let mut push = async |typ: &str, changes: Value, more: &[(&str, &str)]| {
        round += 1;
        let mut claims = json!({"iss": "notary", "client_id": "notary", "aud": ISSUER, "nbf": house.now(),
            "exp": house.now().plus(60), "state": "inside"});
        for (name, value) in REQUEST {
            claims[name] = value.into();
        }
        let object = TestKey::of(KEY).jwt(typ, &with(claims, &changes));
        let sent = assertion(&house, "notary", &format!("n{round}"), &json!({}));
        let mut form = vec![("request", object.as_str()), ("client_id", "notary")];
        form.extend(more);
        post(&house, "/par", &sent, &form, None).await
    };
    let typ = "oauth-authz-req+jwt";
    for (changes, fits) in [
        (json!({"aud": [ISSUER, "https://other.example"]}), true),
        (json!({"nbf": now.plus(-3600), "exp": now}), true),
        (json!({"nbf": now.plus(10), "exp": now.plus(3610)}), true),
        (json!({"iat": now.plus(10)}), true),
        (json!({"nbf": null}), false),
        (json!({"exp": null}), false),
        (json!({"nbf": now.plus(-3601)}), false),
        (json!({"exp": now.plus(3601)}), false),
        (json!({"nbf": now.plus(61), "exp": now.plus(120)}), false),
        (json!({"iat": now.plus(61)}), false),
        (json!({"exp": now.plus(-61)}), false),
        (json!({"aud": "https://other.example"}), false),
        (json!({"aud": null}), false),
        (json!({"iss": "bank"}), false),
        (json!({"client_id": "bank"}), false),
        (json!({"sub": "notary"}), false),
        (json!({"request_uri": "https://notary.example/r"}), false),
    ] {
        let answer = push(typ, changes.clone(), &[]).await;
        if fits {
            assert_eq!(
                answer.status,
                StatusCode::CREATED,
                "{changes} {}",
                answer.body
            );
        } else {
            let refused = (400, "invalid_request_object".to_owned());
            assert_eq!(error(&answer), refused, "{changes}");
        }
    }
    let answer = push(
        "JWT",
        json!({"redirect_uri": null}),
        &[("redirect_uri", BACK)],
    )
    .await;
    // RFC 9101 §6.3: nothing outside counts.
    assert_eq!(error(&answer), (400, "invalid_request".to_owned()));
    let plain = assertion(&house, "notary", "plain", &json!({}));
    let plain = post(&house, "/par", &plain, &REQUEST, None).await;
    assert_eq!(error(&plain), (400, "invalid_request".to_owned()));

    // The object counts when it is pushed; the browser may come when it has expired.
    let outside = [("state", "outside"), ("prompt", "none")];
    let pushed = push(typ, json!({"exp": now.plus(5)}), &outside).await;
    house.clock.advance(60);
    let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
    let query = encode(&[("client_id", "notary"), ("request_uri", &uri)]);
    let told = browser.get(&format!("/authorize?{query}")).await.told();
    assert_eq!(told["state"], "inside", "{told:?}");
    assert!(told.contains_key("code"), "{told:?}");
}
