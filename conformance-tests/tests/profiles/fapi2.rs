//! FAPI 2.0 Security Profile and Message Signing. Requirements 1.1 (what the profile forbids), 5.9 and 6.5 (DPoP), 7.1 to 7.5 (PAR,
//! signed requests, signed answers), 2.6 and 5.1 (mutual TLS).

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

/// 5.5, 5.6, 5.9 and 6.5: the whole way with DPoP.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_bound_to_a_key() {
    let ground = ground().await;
    let client = Client::fapi(ground, json!({})).await;
    let key = Key::new();
    let token_url = ground.endpoint("token_endpoint");
    let code = pushed_code(ground, &client, &[("scope", "openid offline_access")]).await;
    let unbound = redeem(ground, &client, &code, &[]).await;
    assert_eq!(refused(&unbound), (400, "invalid_dpop_proof".to_owned()));
    let proof = key.proof("POST", token_url, &json!({}));
    let answer = redeem(ground, &client, &code, std::slice::from_ref(&proof)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tokens = answer.json();
    assert_eq!(tokens["token_type"], "DPoP");
    let id_token = client.id_token(ground, &text(&tokens, "id_token")).await;
    assert_eq!(id_token.header["alg"], "PS256", "4.1");
    assert_eq!(id_token.claims["nonce"], NONCE);
    let access = text(&tokens, "access_token");
    assert_eq!(
        peek(&access).claims["cnf"],
        json!({"jkt": key.thumbprint()})
    );

    let here = ground.endpoint("userinfo_endpoint");
    let ath = json!({"ath": hash(access.as_bytes())});
    let good = |more: &Value| {
        let mut said = ath.clone();
        for (name, value) in more.as_object().expect("an object") {
            said[name] = value.clone();
        }
        key.proof("GET", here, &said)
    };
    let shouted = here.replace("https://localhost", "HTTPS://LOCALHOST");
    let mut faults = Faults::default();
    for (more, due) in [
        (json!({}), 200),
        (json!({"unheard_of": {"a": 1}, "nonce": "somebody's"}), 200),
        (json!({"htu": format!("{here}?a=b#c")}), 200),
        (json!({"htu": shouted}), 200),
        (json!({"iat": now() + 10}), 200),
        (json!({"iat": now() - 10}), 200),
        (json!({"iat": now() + 120}), 401),
        (json!({"iat": now() - 900}), 401),
        (json!({"iat": null}), 401),
        (json!({"iat": "now"}), 401),
        (json!({"jti": null}), 401),
        (json!({"htm": "POST"}), 401),
        (json!({"htm": "get"}), 401),
        (json!({"htm": null}), 401),
        (json!({"htu": token_url}), 401),
        (json!({"htu": null}), 401),
        (json!({"ath": null}), 401),
        (json!({"ath": hash(b"another")}), 401),
    ] {
        let answer = userinfo(ground, "DPoP", &access, &[good(&more)]).await;
        faults.same(&more, &answer.status.as_u16(), &due);
        if due == 401 && answer.status == 401 {
            faults.same(&more, &refused(&answer).1, &"invalid_dpop_proof".to_owned());
            let challenge = answer.header("www-authenticate").to_owned();
            faults.same(&more, &challenge.starts_with("DPoP "), &true);
        }
    }
    let once = good(&json!({}));
    let invalid = |error: &str| (401, error.to_owned());
    for (what, scheme, proofs, due) in [
        ("lower case", "dpop", vec![once.clone()], None),
        (
            "again",
            "DPoP",
            vec![once.clone()],
            Some("invalid_dpop_proof"),
        ),
        ("none", "DPoP", vec![], Some("invalid_dpop_proof")),
        (
            "two",
            "DPoP",
            vec![good(&json!({})), good(&json!({}))],
            Some("invalid_dpop_proof"),
        ),
        ("bearer", "Bearer", vec![], Some("invalid_token")),
        (
            "bearer with a proof",
            "Bearer",
            vec![good(&json!({}))],
            Some("invalid_token"),
        ),
        (
            "foreign key",
            "DPoP",
            vec![Key::new().proof("GET", here, &ath)],
            Some("invalid_token"),
        ),
        (
            "typ",
            "DPoP",
            vec![key.proof_as("JWT", "GET", here, &ath)],
            Some("invalid_dpop_proof"),
        ),
        (
            "no jwt",
            "DPoP",
            vec!["nothing".to_owned()],
            Some("invalid_dpop_proof"),
        ),
    ] {
        let answer = userinfo(ground, scheme, &access, &proofs).await;
        match due {
            None => faults.same(what, &answer.status.as_u16(), &200),
            Some(_) if answer.status == 200 => faults.same(what, &"answered", &"refused"),
            Some(error) => faults.same(what, &refused(&answer), &invalid(error)),
        }
    }
    faults.none();

    // 5.6: no rotation; a confidential client may bring another key.
    let refresh_token = text(&tokens, "refresh_token");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &*refresh_token),
    ];
    for key in [&key, &Key::new()] {
        let program = ground.program();
        let request = program.request(Method::POST, token_url);
        let request = client
            .proven(ground, request, &form)
            .header("DPoP", key.proof("POST", token_url, &json!({})));
        let answer = program.send(request).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let told = answer.json();
        assert!(
            told.get("refresh_token")
                .is_none_or(|t| *t == *refresh_token)
        );
        let cnf = peek(&text(&told, "access_token")).claims["cnf"].clone();
        assert_eq!(cnf, json!({"jkt": key.thumbprint()}));
    }
}

/// 7.3, RFC 9449 10: a code that is bound to a key before it is born.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_bound_to_a_key() {
    let ground = ground().await;
    let client = Client::fapi(ground, json!({})).await;
    let (key, other) = (Key::new(), Key::new());
    let (par, token_url) = (
        ground.endpoint("pushed_authorization_request_endpoint"),
        ground.endpoint("token_endpoint"),
    );
    let send = async |jkt: &str, proof: Option<String>| {
        let mut more = PKCE.to_vec();
        more.push(("dpop_jkt", jkt));
        let form = client.request(&more);
        let form: Vec<_> = form.iter().map(|(n, v)| (&**n, &**v)).collect();
        let program = ground.program();
        let mut request = client.proven(ground, program.request(Method::POST, par), &form);
        if let Some(proof) = proof {
            request = request.header("DPoP", proof);
        }
        program.send(request).await
    };
    let proof = || Some(key.proof("POST", par, &json!({})));
    for (jkt, proof) in [
        (key.thumbprint(), None),
        (String::new(), proof()),
        (key.thumbprint(), proof()),
    ] {
        for (by, due) in [(&other, 400), (&key, 200)] {
            let pushed = send(
                &jkt,
                proof.as_ref().map(|_| key.proof("POST", par, &json!({}))),
            )
            .await;
            assert_eq!(pushed.status, 201, "{}", pushed.body);
            let uri = text(&pushed.json(), "request_uri");
            let code = arrive(ground, &ground.citizen, &client.id, &uri)
                .await
                .code();
            let answer = redeem(
                ground,
                &client,
                &code,
                &[by.proof("POST", token_url, &json!({}))],
            )
            .await;
            assert_eq!(answer.status, due, "{}", answer.body);
            if due == 400 {
                let (_, error) = refused(&answer);
                assert!(
                    ["invalid_dpop_proof", "invalid_grant"].contains(&&*error),
                    "{error}"
                );
            }
        }
    }
    let differing = send(&other.thumbprint(), proof()).await;
    let (status, error) = refused(&differing);
    assert_eq!(status, 400);
    assert!(
        ["invalid_dpop_proof", "invalid_request"].contains(&&*error),
        "{error}"
    );
    let elsewhere = send("", Some(key.proof("POST", token_url, &json!({})))).await;
    assert_eq!(refused(&elsewhere), (400, "invalid_dpop_proof".to_owned()));
}

/// 5.6 and 6.5 for a client without authentication: its refresh token dies with the key.
#[tokio::test(flavor = "multi_thread")]
async fn a_public_client_keeps_its_key() {
    let ground = ground().await;
    let client = Client::with(ground, json!({"token_endpoint_auth_method": "none"})).await;
    let key = Key::new();
    let token_url = ground.endpoint("token_endpoint");
    let mut more = PKCE.to_vec();
    more.push(("scope", "openid offline_access"));
    let code = client.code(ground, &more).await;
    let answer = redeem(
        ground,
        &client,
        &code,
        &[key.proof("POST", token_url, &json!({}))],
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let token = text(&answer.json(), "refresh_token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*token)];
    for (key, due) in [(None, 400), (Some(&Key::new()), 400), (Some(&key), 200)] {
        let program = ground.program();
        let mut request = client.proven(ground, program.request(Method::POST, token_url), &form);
        if let Some(key) = key {
            request = request.header("DPoP", key.proof("POST", token_url, &json!({})));
        }
        let answer = program.send(request).await;
        assert_eq!(answer.status, due, "{}", answer.body);
        if due == 400 {
            assert_eq!(refused(&answer).1, "invalid_grant");
        }
    }
}

fn object(ground: &Ground, client: &Client, more: &Value) -> Value {
    let usual = json!({"iss": client.id, "aud": ground.issuer(), "client_id": client.id, "jti": jti(),
        "iat": now(), "nbf": now(), "exp": now() + 60, "response_type": "code", "redirect_uri": REDIRECT_URI,
        "scope": "openid", "state": "inner", "nonce": "inner",
        "code_challenge": CHALLENGE, "code_challenge_method": "S256"});
    changed(usual, more)
}

/// 7.4, MS 5.3.1.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_must_sign_signs() {
    let ground = ground().await;
    let client = Client::fapi(ground, json!({"require_signed_request_object": true})).await;
    let plain = push(ground, &client, &[]).await;
    assert_eq!(refused(&plain), (400, "invalid_request".to_owned()));
    let mut faults = Faults::default();
    let mut uri = String::new();
    let (past, future) = (now() - 4000, now() + 4000);
    for (more, good) in [
        (json!({}), true),
        (json!({"aud": [ground.issuer()]}), true),
        (json!({"nbf": now() + 8, "iat": now() + 8}), true),
        (json!({"nbf": now() - 1800, "exp": now() + 1700}), true),
        (json!({"nbf": null}), false),
        (json!({"exp": null}), false),
        (json!({"nbf": past}), false),
        (json!({"exp": future}), false),
        (json!({"nbf": now() + 120, "exp": now() + 180}), false),
        (json!({"exp": now() - 90}), false),
        (json!({"aud": "https://other.hefu.test"}), false),
        (json!({"iss": "nobody"}), false),
        (json!({"client_id": "nobody"}), false),
    ] {
        let signed = client
            .key
            .sign("oauth-authz-req+jwt", &object(ground, &client, &more));
        let form = [("client_id", &*client.id), ("request", &signed)];
        let answer = client
            .post(ground, "pushed_authorization_request_endpoint", &form)
            .await;
        if good {
            faults.same(&more, &answer.status.as_u16(), &201);
            uri = text(&answer.json(), "request_uri");
        } else if answer.status == 201 {
            faults.same(&more, &"pushed", &"invalid_request_object");
        } else {
            faults.same(
                &more,
                &refused(&answer),
                &(400, "invalid_request_object".to_owned()),
            );
        }
    }
    // 3.14: nothing outside counts.
    let signed = client.key.sign(
        "oauth-authz-req+jwt",
        &object(ground, &client, &json!({"state": null})),
    );
    let form = [
        ("client_id", &*client.id),
        ("request", &signed),
        ("state", "outer"),
    ];
    let answer = client
        .post(ground, "pushed_authorization_request_endpoint", &form)
        .await;
    let outer = text(&answer.json(), "request_uri");
    let told = arrive(ground, &ground.citizen, &client.id, &uri).await;
    faults.same("state", &told.get("state"), &"inner");
    let told = arrive(ground, &ground.citizen, &client.id, &outer).await;
    faults.same("outer state", &told.has("state"), &false);
    // Another algorithm than those of the profile.
    let rsa = Key::of("RS256");
    let weak = Client::fapi(
        ground,
        json!({"jwks": {"keys": [rsa.public(), Key::new().public()]}}),
    )
    .await;
    let signed = rsa.sign("oauth-authz-req+jwt", &object(ground, &weak, &json!({})));
    let form = [("client_id", &*weak.id), ("request", &signed)];
    let answer = weak
        .post(ground, "pushed_authorization_request_endpoint", &form)
        .await;
    // Its assertion does not verify either: its keys are others.
    faults.same("RS256", &answer.status.is_client_error(), &true);
    faults.none();
}

/// 7.5, 3.4, MS 5.4 and JARM: whole answers as one JWT.
#[tokio::test(flavor = "multi_thread")]
async fn answers_are_signed() {
    let ground = ground().await;
    let jwks = ground.jwks().await;
    let fapi = Client::fapi(ground, json!({})).await;
    let plain = Client::with(
        ground,
        json!({"authorization_signed_response_alg": "ES256"}),
    )
    .await;
    let default = Client::open(ground).await;
    let hybrid = Client::for_type(ground, "code id_token").await;
    let mut faults = Faults::default();
    for (client, kind, mode, place, alg) in [
        (&plain, "code", "jwt", Place::Query, "ES256"),
        (&plain, "code", "query.jwt", Place::Query, "ES256"),
        (&plain, "code", "fragment.jwt", Place::Fragment, "ES256"),
        (&plain, "code", "form_post.jwt", Place::Form, "ES256"),
        (&default, "code", "jwt", Place::Query, "RS256"),
        (&hybrid, "code id_token", "jwt", Place::Fragment, "RS256"),
        (
            &hybrid,
            "code id_token",
            "form_post.jwt",
            Place::Form,
            "RS256",
        ),
        (&fapi, "code", "jwt", Place::Query, "PS256"),
    ] {
        for error in [false, true] {
            let prompt = if error { "none" } else { "consent" };
            let more = [
                ("response_type", kind),
                ("response_mode", mode),
                ("prompt", prompt),
                ("max_age", if error { "0" } else { "" }),
            ];
            let told = if client.id == fapi.id {
                let pushed = push(ground, client, &more).await;
                let uri = text(&pushed.json(), "request_uri");
                arrive(ground, &ground.citizen, &client.id, &uri).await
            } else {
                client.ask(ground, &ground.citizen, &more).await
            };
            faults.same((kind, mode), &told.place, &place);
            let names: Vec<&str> = told.values.keys().map(String::as_str).collect();
            faults.same((kind, mode), &names, &vec!["response"]);
            let response = verify(told.get("response"), &jwks);
            let claims = &response.claims;
            faults.same((kind, mode), &response.header["alg"].as_str(), &Some(alg));
            assert_eq!(claims["iss"], ground.issuer());
            assert_eq!(claims["aud"], client.id);
            assert_eq!(claims["state"], STATE);
            let exp = claims["exp"].as_i64().expect("exp");
            assert!(exp > now() && exp <= now() + 600, "{claims}");
            if error {
                faults.same((kind, mode), &claims["error"], &json!("login_required"));
                assert!(claims["error_description"].is_string());
            } else {
                assert!(claims["code"].is_string(), "{claims}");
            }
        }
    }
    faults.none();
    let told = hybrid
        .begin(
            ground,
            &ground.citizen,
            &[
                ("response_type", "code id_token"),
                ("response_mode", "query.jwt"),
            ],
        )
        .await;
    let response = verify(told.get("response"), &jwks).claims;
    assert_eq!(
        (told.place, &response["error"]),
        (Place::Fragment, &json!("invalid_request"))
    );
}

/// PEM of a certificate that nobody vouches for and its key, and the certificate in DER.
fn self_signed(key: &KeyPair) -> (String, Vec<u8>) {
    let params = CertificateParams::new(vec!["rp.hefu.test".to_owned()]).expect("a name");
    let certificate = params.self_signed(key).expect("a certificate");
    let pem = format!("{}{}", certificate.pem(), key.serialize_pem());
    (pem, certificate.der().to_vec())
}

fn showing(ground: &Ground, identity: Option<&str>) -> Visitor {
    let ca = std::fs::read_to_string(ground.lab.ca()).expect("the authority");
    Visitor::showing(&ca, std::net::Ipv4Addr::LOCALHOST.into(), identity)
}

/// 2.6 and 5.1, RFC 8705: a certificate of the client's own, and one that the laboratory's authority vouches for.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_proves_and_binds() {
    let ground = ground().await;
    assert_eq!(
        ground.metadata["tls_client_certificate_bound_access_tokens"],
        true
    );
    let aliases = &ground.metadata["mtls_endpoint_aliases"];
    let alias = |name: &str| text(aliases, name);
    let own = Key::new();
    let (identity, der) = self_signed(&own.pair);
    let (foreign, _) = self_signed(&KeyPair::generate().expect("a key"));
    let mut jwk = own.public();
    jwk["x5c"] = json!([STANDARD.encode(&der)]);
    let by_key = Client::fapi(
        ground,
        json!({"token_endpoint_auth_method": "self_signed_tls_client_auth", "token_endpoint_auth_signing_alg": null,
            "jwks": {"keys": [jwk]}, "tls_client_certificate_bound_access_tokens": true}),
    )
    .await;
    let ca = std::fs::read_to_string(ground.lab.ca()).expect("the authority");
    let ca_key = std::fs::read_to_string(ground.lab.own("ca-key.pem")).expect("its key");
    let ca_key = KeyPair::from_pem(&ca_key).expect("a key");
    let issuing = Issuer::from_ca_cert_pem(&ca, ca_key).expect("an authority");
    let vouched = |name: &str| {
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .expect("a name")
            .signed_by(&key, &issuing)
            .expect("a certificate");
        (
            format!("{}{}", certificate.pem(), key.serialize_pem()),
            certificate.der().to_vec(),
        )
    };
    let (by_authority, of_authority) = vouched("rp.hefu.test");
    let (other_name, _) = vouched("other.hefu.test");
    let by_name = Client::fapi(
        ground,
        json!({"token_endpoint_auth_method": "tls_client_auth", "token_endpoint_auth_signing_alg": null, "jwks": null,
            "tls_client_auth_san_dns": "rp.hefu.test", "tls_client_certificate_bound_access_tokens": true}),
    )
    .await;
    let par = alias("pushed_authorization_request_endpoint");
    for (client, identity, der, wrong) in [
        (&by_key, &identity, &der, [&foreign, &by_authority]),
        (
            &by_name,
            &by_authority,
            &of_authority,
            [&foreign, &other_name],
        ),
    ] {
        let post = async |url: &str, identity: Option<&str>, form: Parameters<'_>| {
            let mut form = form.to_vec();
            form.push(("client_id", &client.id));
            showing(ground, identity).post(url, &form).await
        };
        let request = client.request(&PKCE);
        let request: Vec<_> = request.iter().map(|(n, v)| (&**n, &**v)).collect();
        let request = &request[1..]; // client_id comes with `post`
        let unknown = (401, "invalid_client".to_owned());
        for wrong in [None, Some(&**wrong[0]), Some(&**wrong[1])] {
            assert_eq!(refused(&post(&par, wrong, request).await), unknown);
        }
        let ordinary = ground.endpoint("pushed_authorization_request_endpoint");
        assert_eq!(
            refused(&post(ordinary, Some(identity), request).await),
            unknown
        );
        let pushed = post(&par, Some(identity), request).await;
        assert_eq!(pushed.status, 201, "{}", pushed.body);
        let uri = text(&pushed.json(), "request_uri");
        let code = arrive(ground, &ground.citizen, &client.id, &uri)
            .await
            .code();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        let answer = post(&alias("token_endpoint"), Some(identity), &form).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let tokens = answer.json();
        assert_eq!(tokens["token_type"], "Bearer");
        let access = text(&tokens, "access_token");
        assert_eq!(peek(&access).claims["cnf"], json!({"x5t#S256": hash(der)}));
        let see = async |url: &str, identity: Option<&str>| {
            let program = showing(ground, identity);
            program
                .send(program.request(Method::GET, url).bearer_auth(&access))
                .await
        };
        let here = alias("userinfo_endpoint");
        assert_eq!(see(&here, Some(identity)).await.status, 200);
        for (url, identity) in [
            (&*here, None),
            (&here, Some(&**wrong[0])),
            (ground.endpoint("userinfo_endpoint"), Some(&**identity)),
        ] {
            assert_eq!(
                refused(&see(url, identity).await),
                (401, "invalid_token".to_owned())
            );
        }
    }
}
