//! Signed requests, by value and by reference. Requirements 3.14 and 3.15 (RFC 9101, OIDC Core 6).

use conformance_tests::{lab::REDIRECT_URI, statement::now};
use serde_json::{Value, json};

use super::ground::{Ground, ground};
use super::party::{Client, Faults, Place, text};
use super::signing::{Key, changed, jti, unsigned};

fn claims(ground: &Ground, client: &Client, more: &Value) -> Value {
    let usual = json!({"iss": client.id, "aud": ground.issuer(), "client_id": client.id, "jti": jti(),
        "iat": now(), "exp": now() + 60, "response_type": "code", "redirect_uri": REDIRECT_URI,
        "scope": "openid email", "state": "inner", "nonce": "inner"});
    changed(usual, more)
}

/// What was asked for by an object that counts: the inner state, and the inner nonce in the ID Token.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_inside_wins() {
    let ground = ground().await;
    let client = Client::with(ground, json!({"jwks": "own"})).await;
    for typ in ["oauth-authz-req+jwt", "OAuth-Authz-Req+JWT", "JWT", "jwt"] {
        let object = client.key.sign(typ, &claims(ground, &client, &json!({})));
        let told = client
            .ask(ground, &ground.citizen, &[("request", &object)])
            .await;
        assert_eq!(told.get("state"), "inner", "{typ}");
        let tokens = client.redeem(ground, &told.code(), &[]).await.json();
        let token = client.id_token(ground, &text(&tokens, "id_token")).await;
        assert_eq!(token.claims["nonce"], "inner");
        let userinfo = ground.userinfo(&text(&tokens, "access_token")).await.json();
        assert_eq!(userinfo["email"], "lab-citizen@hefu.test");
    }
    // OIDC Core 6.1: what stands outside alone still counts for a client of OpenID Connect.
    let object = client.key.sign(
        "JWT",
        &claims(
            ground,
            &client,
            &json!({"state": null, "aud": [ground.issuer(), "https://other.hefu.test"]}),
        ),
    );
    let told = client
        .ask(
            ground,
            &ground.citizen,
            &[("request", &object), ("state", "outer")],
        )
        .await;
    assert_eq!(told.get("state"), "outer");
    // Objects are JSON: numbers and objects stand in them as such.
    let object = client.key.sign(
        "JWT",
        &claims(
            ground,
            &client,
            &json!({"max_age": 3600, "claims": {"id_token": {"email": null}}}),
        ),
    );
    let told = client
        .ask(ground, &ground.citizen, &[("request", &object)])
        .await;
    let tokens = client.redeem(ground, &told.code(), &[]).await.json();
    let token = client.id_token(ground, &text(&tokens, "id_token")).await;
    assert_eq!(token.claims["email"], "lab-citizen@hefu.test");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_does_not_hold_is_refused() {
    let ground = ground().await;
    let client = Client::with(ground, json!({"jwks": "own"})).await;
    let mut faults = Faults::default();
    let mut refuse = async |what: &Value, object: &str, due: &str| {
        let told = client
            .begin(
                ground,
                &ground.citizen,
                &[("request", object), ("state", "outer")],
            )
            .await;
        if !told.has("error") {
            faults.same(what, &"accepted", &due);
            return;
        }
        faults.same(what, &told.refusal(), &(Place::Query, due));
        faults.same(what, &told.get("iss"), &ground.issuer());
    };
    for more in [
        json!({"iss": null}),
        json!({"iss": "nobody"}),
        json!({"aud": null}),
        json!({"aud": "https://other.hefu.test"}),
        json!({"aud": ["https://other.hefu.test"]}),
        json!({"exp": null}),
        json!({"exp": now() - 90}),
        json!({"nbf": now() + 120}),
        json!({"client_id": "nobody"}),
        json!({"request": "nested"}),
        json!({"request_uri": "https://rp.hefu.test/object"}),
        json!({"sub": client.id}),
    ] {
        let object = client.key.sign("JWT", &claims(ground, &client, &more));
        refuse(&more, &object, "invalid_request_object").await;
    }
    let usual = claims(ground, &client, &json!({}));
    for (what, object) in [
        ("alg none", unsigned(&usual)),
        ("foreign key", Key::new().sign("JWT", &usual)),
        ("typ of a proof", client.key.sign("dpop+jwt", &usual)),
        ("typ of an access token", client.key.sign("at+jwt", &usual)),
        ("no jwt", "nothing".to_owned()),
    ] {
        refuse(&json!(what), &object, "invalid_request_object").await;
    }
    // What is wrong with the request itself keeps its code.
    let object = client
        .key
        .sign("JWT", &claims(ground, &client, &json!({"scope": "email"})));
    refuse(&json!("scope"), &object, "invalid_scope").await;
    // An address inside is proven like one outside.
    let evil = json!({"redirect_uri": "https://evil.hefu.test/"});
    let object = client.key.sign("JWT", &claims(ground, &client, &evil));
    let told = client
        .begin(ground, &ground.citizen, &[("request", &object)])
        .await;
    faults.same(
        "redirect_uri",
        &told.refusal(),
        &(Place::Page, "invalid_request"),
    );
    // Used once.
    let object = client.key.sign("JWT", &claims(ground, &client, &json!({})));
    client
        .ask(ground, &ground.citizen, &[("request", &object)])
        .await
        .code();
    let told = client
        .begin(ground, &ground.citizen, &[("request", &object)])
        .await;
    faults.same(
        "again",
        &told.refusal(),
        &(Place::Query, "invalid_request_object"),
    );
    faults.none();
}

/// The algorithm that was registered, and no other.
#[tokio::test(flavor = "multi_thread")]
async fn the_registered_algorithm_counts() {
    let ground = ground().await;
    let members = json!({"jwks": "own", "request_object_signing_alg": "PS256"});
    let client = Client::with(ground, members).await;
    let object = client.key.sign("JWT", &claims(ground, &client, &json!({})));
    let told = client
        .begin(ground, &ground.citizen, &[("request", &object)])
        .await;
    assert_eq!(told.refusal(), (Place::Query, "invalid_request_object"));
}

/// 3.15.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_fetched_from_a_registered_address() {
    let ground = ground().await;
    assert_eq!(ground.metadata["request_uri_parameter_supported"], true);
    assert_eq!(ground.metadata["require_request_uri_registration"], true);
    let (path, other) = (format!("/object/{}", jti()), format!("/object/{}", jti()));
    let uri = format!("{}{path}", ground.elsewhere.origin);
    let unregistered = format!("{}{other}", ground.elsewhere.origin);
    let members = json!({"jwks": "own", "request_uris": [format!("{uri}#v1")]});
    let client = Client::with(ground, members).await;
    let fresh = || client.key.sign("JWT", &claims(ground, &client, &json!({})));
    ground.elsewhere.put(&other, "application/jwt", fresh());
    let versioned = format!("{uri}#v2");
    for (kind, uri) in [
        ("application/jwt", &uri),
        ("application/oauth-authz-req+jwt", &uri),
        ("application/jwt; charset=utf-8", &versioned),
    ] {
        ground.elsewhere.put(&path, kind, fresh());
        let told = client
            .ask(ground, &ground.citizen, &[("request_uri", uri)])
            .await;
        assert_eq!(told.get("state"), "inner", "{kind}");
        told.code();
    }
    let mut faults = Faults::default();
    let object = fresh();
    let plain = uri.replace("https:", "http:");
    for (more, error) in [
        (
            &[("request_uri", &*unregistered)][..],
            "invalid_request_uri",
        ),
        (&[("request_uri", &plain)], "invalid_request_uri"),
        (
            &[("request_uri", "file:///etc/hostname")],
            "invalid_request_uri",
        ),
        (
            &[(
                "request_uri",
                "urn:ietf:params:oauth:request_uri:unheard-of",
            )],
            "invalid_request_uri",
        ),
        (
            &[("request_uri", &uri), ("request", &object)],
            "invalid_request",
        ),
    ] {
        let told = client.begin(ground, &ground.citizen, more).await;
        faults.same(more, &told.refusal().1, &error);
    }
    let much = "x".repeat(200 * 1024);
    for (kind, body) in [("text/html", &object), ("application/jwt", &much)] {
        ground.elsewhere.put(&path, kind, body);
        let told = client
            .begin(ground, &ground.citizen, &[("request_uri", &uri)])
            .await;
        faults.same(
            kind,
            &told.refusal(),
            &(Place::Query, "invalid_request_uri"),
        );
    }
    ground.elsewhere.put(&path, "application/jwt", "nothing");
    let told = client
        .begin(ground, &ground.citizen, &[("request_uri", &uri)])
        .await;
    faults.same(
        "no jwt",
        &told.refusal(),
        &(Place::Query, "invalid_request_object"),
    );
    faults.none();
    assert_eq!(
        ground.elsewhere.visits(&other).len(),
        0,
        "nobody went there"
    );
}
