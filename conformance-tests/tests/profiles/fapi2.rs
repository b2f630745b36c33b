//! FAPI 2.0 Security Profile and Message Signing. Requirements 1.1 (what the profile forbids), 5.9 and 6.5 (DPoP), 7.1 to 7.5 (PAR,
//! signed requests, signed answers), 2.6 and 5.1 (mutual TLS).

mod bound;
mod certificate;
mod signed;

use base64::{Engine, engine::general_purpose::STANDARD};
use conformance_tests::{
    lab::REDIRECT_URI,
    statement::{now, peek, verify},
    visitor::{Answer, Visitor},
};
use rcgen::{CertificateParams, Issuer, KeyPair};
use reqwest::Method;
use serde_json::{Value, json};

use super::ground::{Ground, ground};
use super::party::{
    ASSERTION_TYPE, CHALLENGE, Client, Faults, NONCE, Parameters, Place, STATE, Told, VERIFIER,
    refused, register, text, to_the_end,
};
use super::signing::{Key, changed, hash, jti};

const PKCE: [(&str, &str); 2] = [
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

async fn push(ground: &Ground, client: &Client, more: Parameters<'_>) -> Answer {
    let more: Vec<_> = PKCE
        .iter()
        .filter(|(name, _)| !more.iter().any(|(n, _)| n == name))
        .chain(more)
        .copied()
        .collect();
    let form = client.request(&more);
    let form: Vec<_> = form.iter().map(|(n, v)| (&**n, &**v)).collect();
    client
        .post(ground, "pushed_authorization_request_endpoint", &form)
        .await
}

/// What the browser brings for a pushed request.
async fn arrive(ground: &Ground, browser: &Visitor, client: &str, request_uri: &str) -> Told {
    let mut url: url::Url = ground
        .endpoint("authorization_endpoint")
        .parse()
        .expect("a URL");
    url.query_pairs_mut()
        .append_pair("client_id", client)
        .append_pair("request_uri", request_uri);
    to_the_end(browser, browser.get(url.as_str()).await).await
}

async fn pushed_code(ground: &Ground, client: &Client, more: Parameters<'_>) -> String {
    let pushed = push(ground, client, more).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    let uri = text(&pushed.json(), "request_uri");
    let told = arrive(ground, &ground.citizen, &client.id, &uri).await;
    assert_eq!(told.get("iss"), ground.issuer());
    told.code()
}

/// A token request with a proof of `key`.
async fn redeem(ground: &Ground, client: &Client, code: &str, proofs: &[String]) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    let program = ground.program();
    let request = program.request(Method::POST, ground.endpoint("token_endpoint"));
    let mut request = client.proven(ground, request, &form);
    for proof in proofs {
        request = request.header("DPoP", proof);
    }
    program.send(request).await
}

async fn userinfo(ground: &Ground, scheme: &str, token: &str, proofs: &[String]) -> Answer {
    let program = ground.program();
    let mut request = program
        .request(Method::GET, ground.endpoint("userinfo_endpoint"))
        .header("authorization", format!("{scheme} {token}"));
    for proof in proofs {
        request = request.header("DPoP", proof);
    }
    program.send(request).await
}

/// 1.1, 1.2: algorithms, methods, flows that the profile does not have, refused at registration.
#[tokio::test(flavor = "multi_thread")]
async fn the_profile_narrows_what_can_be_registered() {
    let ground = ground().await;
    let key = Key::new().public();
    let mut faults = Faults::default();
    for more in [
        json!({"token_endpoint_auth_method": "client_secret_basic"}),
        json!({"token_endpoint_auth_method": "client_secret_post"}),
        json!({"token_endpoint_auth_method": "client_secret_jwt"}),
        json!({"token_endpoint_auth_method": "none"}),
        json!({"token_endpoint_auth_signing_alg": "RS256"}),
        json!({"id_token_signed_response_alg": "RS256"}),
        json!({"authorization_signed_response_alg": "RS256"}),
        json!({"response_types": ["code id_token"], "grant_types": ["authorization_code", "implicit"]}),
        json!({"response_types": ["id_token"], "grant_types": ["implicit"]}),
    ] {
        let usual = json!({"redirect_uris": [REDIRECT_URI], "hefu_profile": "fapi2",
            "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key]}});
        let answer = register(ground, &changed(usual, &more)).await;
        if answer.status == 201 {
            faults.same(&more, &"registered", &"invalid_client_metadata");
        } else {
            faults.same(
                &more,
                &refused(&answer),
                &(400, "invalid_client_metadata".to_owned()),
            );
        }
    }
    faults.none();
}

/// 7.1, 7.2, 1.5.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_pushed_and_answered_once() {
    let ground = ground().await;
    let client = Client::fapi(ground, json!({})).await;
    let pushed = push(ground, &client, &[]).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    assert_eq!(pushed.header("cache-control"), "no-store");
    let told = pushed.json();
    assert!(
        told["expires_in"]
            .as_i64()
            .is_some_and(|n| (5..=120).contains(&n)),
        "{told}"
    );
    let uri = text(&told, "request_uri");
    assert!(
        uri.len() > 22 && uri.starts_with("urn:ietf:params:oauth:request_uri:"),
        "{uri}"
    );

    // Another client's, another's name, and unknown ones.
    let other = Client::fapi(ground, json!({})).await;
    for (id, uri) in [
        (&other.id, &*uri),
        (&client.id, "urn:ietf:params:oauth:request_uri:unheard-of"),
    ] {
        let told = arrive(ground, &ground.citizen, id, uri).await;
        assert_eq!(told.refusal(), (Place::Page, "invalid_request_uri"));
    }
    // FAPI 2.0 5.3.2.2 note 3: looked at by a browser where nobody logs in, it is still good.
    let nobody = ground.lab.browser();
    let mut url: url::Url = ground
        .endpoint("authorization_endpoint")
        .parse()
        .expect("a URL");
    url.query_pairs_mut()
        .append_pair("client_id", &client.id)
        .append_pair("request_uri", &uri);
    for _ in 0..2 {
        let page = nobody
            .follow(nobody.get(url.as_str()).await, |_| false)
            .await;
        assert!(page.has("login-form"), "{}", page.body);
    }
    let told = arrive(ground, &ground.citizen, &client.id, &uri).await;
    assert_eq!((told.place, told.get("state")), (Place::Query, STATE));
    let again = arrive(ground, &ground.citizen, &client.id, &uri).await;
    assert_eq!(again.refusal(), (Place::Page, "invalid_request_uri"));
}

/// 1.1: by PAR, with PKCE, by code; 7.2: what is wrong is told at once.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_pushed() {
    let ground = ground().await;
    let client = Client::fapi(ground, json!({})).await;
    let told = client.begin(ground, &ground.citizen, &PKCE).await;
    assert_eq!(told.refusal(), (Place::Query, "invalid_request"));
    let mut faults = Faults::default();
    for (more, error) in [
        (&[("code_challenge", "")][..], "invalid_request"),
        (
            &[("code_challenge", ""), ("code_challenge_method", "")],
            "invalid_request",
        ),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("response_type", "")], "invalid_request"),
        (&[("response_type", "code id_token")], "unauthorized_client"),
        (
            &[("response_type", "unheard_of")],
            "unsupported_response_type",
        ),
        (&[("redirect_uri", "")], "invalid_request"),
        (
            &[("redirect_uri", "https://evil.hefu.test/")],
            "invalid_request",
        ),
        (
            &[("request_uri", "urn:ietf:params:oauth:request_uri:x")],
            "invalid_request",
        ),
        (&[("scope", "email")], "invalid_scope"),
        (&[("request", "nothing")], "invalid_request_object"),
        (&[("response_mode", "pigeon")], "invalid_request"),
        (&[("state", "a"), ("state", "b")], "invalid_request"),
        (
            &[("resource", "https://nowhere.hefu.test/")],
            "invalid_target",
        ),
    ] {
        let answer = push(ground, &client, more).await;
        if answer.status == 201 {
            faults.same(more, &"pushed", &error);
        } else {
            faults.same(more, &refused(&answer), &(400, error.to_owned()));
        }
    }
    let endpoint = ground.endpoint("pushed_authorization_request_endpoint");
    let wrong = ground.program().get(endpoint).await;
    faults.same("GET", &wrong.status.as_u16(), &405);
    let form = client.request(&PKCE);
    let program = ground.program();
    let nobody = program.request(Method::POST, endpoint).form(&form);
    let answer = program.send(nobody).await;
    faults.same(
        "nobody",
        &refused(&answer),
        &(401, "invalid_client".to_owned()),
    );
    faults.none();
}

/// 1.1: the audience of an assertion is the issuer, as one string; of a client of plain OpenID Connect, the endpoints too.
#[tokio::test(flavor = "multi_thread")]
async fn assertions_name_the_issuer_alone() {
    let ground = ground().await;
    let fapi = Client::fapi(ground, json!({})).await;
    let plain = Client::with(
        ground,
        json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": "own"}),
    )
    .await;
    let par = ground.endpoint("pushed_authorization_request_endpoint");
    let (issuer, token) = (ground.issuer(), ground.endpoint("token_endpoint"));
    let mut faults = Faults::default();
    for (aud, by_fapi, by_plain) in [
        (json!(issuer), 201, 201),
        (json!([issuer]), 401, 201),
        (json!(token), 401, 201),
        (json!(par), 401, 201),
        (json!([issuer, token]), 401, 201),
        (json!("https://other.hefu.test"), 401, 401),
        (json!(format!("{issuer}/")), 401, 401),
    ] {
        for (client, due) in [(&fapi, by_fapi), (&plain, by_plain)] {
            let claims = json!({"iss": client.id, "sub": client.id, "aud": aud, "jti": jti(),
                "iat": now(), "exp": now() + 60});
            let assertion = client.key.sign("JWT", &claims);
            let mut form = client.request(&PKCE);
            form.push((
                "client_assertion_type".to_owned(),
                ASSERTION_TYPE.to_owned(),
            ));
            form.push(("client_assertion".to_owned(), assertion));
            let program = ground.program();
            let answer = program
                .send(program.request(Method::POST, par).form(&form))
                .await;
            let profile = client.told["hefu_profile"].as_str();
            faults.same((profile, &aud), &answer.status.as_u16(), &due);
        }
    }
    faults.none();
}
