//! Building blocks of OAuth. Requirements 2.3, 3.1 and 6.4 as far as they reach: revocation (RFC 7009), introspection (RFC 7662, 9701), devices
//! (RFC 8628), exchange (RFC 8693), resources (RFC 8707), details (RFC 9396), step-up (RFC 9470), resource metadata (RFC 9728).

mod device;

use conformance_tests::{
    statement::{now, peek, verify},
    visitor::Answer,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::ground::{Ground, ground};
use super::party::{Client, Faults, Place, refused, text};
use super::signing::tampered;

const RECORDS: &str = "https://records.hefu.test/";
const PENSION: &str = "https://pension.hefu.test/";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn introspect(ground: &Ground, client: &Client, token: &str) -> Value {
    let answer = client
        .post(ground, "introspection_endpoint", &[("token", token)])
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

fn lab_client(name: &str) -> Client {
    let secret = format!("lab-secret-of-client-{name}-43-characters-long");
    let mut client = Client::configured(&format!("lab-{name}"), &secret);
    if name == "post" {
        client.told["token_endpoint_auth_method"] = "client_secret_post".into();
    }
    client
}

/// RFC 7662 2.2 and RFC 7009 2.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_looked_at_and_given_back() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let stranger = Client::open(ground).await;
    let tokens = client
        .tokens(ground, &[("scope", "openid email offline_access")])
        .await;
    let (access, refresh) = (
        text(&tokens, "access_token"),
        text(&tokens, "refresh_token"),
    );
    let told = introspect(ground, &client, &access).await;
    for (name, value) in [
        ("active", json!(true)),
        ("client_id", json!(client.id)),
        ("iss", json!(ground.issuer())),
        ("token_type", json!("Bearer")),
        ("sub", peek(&access).claims["sub"].clone()),
    ] {
        assert_eq!(told[name], value, "{name}: {told}");
    }
    assert!(
        told["exp"].as_i64().is_some_and(|exp| exp > now()),
        "{told}"
    );
    assert!(
        text(&told, "scope").split(' ').any(|s| s == "email"),
        "{told}"
    );
    assert_eq!(introspect(ground, &client, &refresh).await["active"], true);
    let dead = json!({"active": false});
    for (who, token) in [
        (&client, "nothing"),
        (&client, &*tampered(&access, &json!({"sub": "x"}))),
        (&stranger, &access),
        (&stranger, &refresh),
    ] {
        assert_eq!(introspect(ground, who, token).await, dead);
    }
    let revoke = async |who: &Client, token: &str, hint: &str| {
        let form = [("token", token), ("token_type_hint", hint)];
        who.post(ground, "revocation_endpoint", &form).await
    };
    // Of nobody's concern, told like a success, and without effect where it is another's.
    for (who, token, hint) in [
        (&client, "nothing", "access_token"),
        (&client, "nothing", "unheard_of"),
    ] {
        assert_eq!(revoke(who, token, hint).await.status, 200);
    }
    let foreign = revoke(&stranger, &access, "access_token").await;
    assert!(
        [200, 400].contains(&foreign.status.as_u16()),
        "{}",
        foreign.body
    );
    assert_eq!(introspect(ground, &client, &access).await["active"], true);
    // An access token alone; then, by the refresh token with a wrong hint, all of it.
    let given = revoke(&client, &access, "access_token").await;
    assert_eq!(
        (given.status.as_u16(), given.header("cache-control")),
        (200, "no-store")
    );
    assert_eq!(introspect(ground, &client, &access).await, dead);
    assert_eq!(
        refused(&ground.userinfo(&access).await),
        (401, "invalid_token".to_owned())
    );
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &*refresh),
    ];
    let renewed = client.post(ground, "token_endpoint", &form).await;
    assert_eq!(renewed.status, 200, "{}", renewed.body);
    let (access, refresh) = (
        text(&renewed.json(), "access_token"),
        text(&renewed.json(), "refresh_token"),
    );
    assert_eq!(revoke(&client, &refresh, "access_token").await.status, 200);
    assert_eq!(introspect(ground, &client, &refresh).await, dead);
    assert_eq!(introspect(ground, &client, &access).await, dead);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &*refresh),
    ];
    let answer = client.post(ground, "token_endpoint", &form).await;
    assert_eq!(refused(&answer), (400, "invalid_grant".to_owned()));
}

/// Who may not, and what is missing.
#[tokio::test(flavor = "multi_thread")]
async fn both_endpoints_know_who_asks() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let public = Client::with(ground, json!({"token_endpoint_auth_method": "none"})).await;
    let mut wrong = Client::configured(&client.id, "wrong");
    wrong.told = client.told.clone();
    let nobody = Client::configured("nobody", "x");
    let mut faults = Faults::default();
    for endpoint in ["introspection_endpoint", "revocation_endpoint"] {
        for (who, form, due) in [
            (&client, &[][..], (400, "invalid_request")),
            (
                &client,
                &[("token", "a"), ("token", "b")],
                (400, "invalid_request"),
            ),
            (&wrong, &[("token", "a")], (401, "invalid_client")),
            (&nobody, &[("token", "a")], (401, "invalid_client")),
        ] {
            let answer = who.post(ground, endpoint, form).await;
            let (status, error) = refused(&answer);
            faults.same((endpoint, form), &(status, &*error), &due);
        }
        let answer = ground.program().get(ground.endpoint(endpoint)).await;
        faults.same((endpoint, "GET"), &answer.status.as_u16(), &405);
    }
    let answer = public
        .post(ground, "introspection_endpoint", &[("token", "a")])
        .await;
    faults.same(
        "public",
        &refused(&answer),
        &(401, "invalid_client".to_owned()),
    );
    let answer = public
        .post(ground, "revocation_endpoint", &[("token", "a")])
        .await;
    faults.same("public", &answer.status.as_u16(), &200);
    faults.none();
}

/// RFC 9701 5.
#[tokio::test(flavor = "multi_thread")]
async fn introspection_can_be_signed() {
    let ground = ground().await;
    let client = Client::with(
        ground,
        json!({"introspection_signed_response_alg": "ES256"}),
    )
    .await;
    let access = text(&client.tokens(ground, &[]).await, "access_token");
    let program = ground.program();
    let kind = "application/token-introspection+jwt";
    for token in [&*access, "nothing"] {
        let request = program.request(Method::POST, ground.endpoint("introspection_endpoint"));
        let request = client
            .proven(ground, request, &[("token", token)])
            .header("accept", kind);
        let answer = program.send(request).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, kind)
        );
        let said = verify(&answer.body, &ground.jwks().await);
        assert_eq!(said.header["typ"], "token-introspection+jwt");
        assert_eq!(said.header["alg"], "ES256");
        let claims = &said.claims;
        assert_eq!(
            (&claims["iss"], &claims["aud"]),
            (&json!(ground.issuer()), &json!(client.id))
        );
        assert_eq!((claims.get("sub"), claims.get("exp")), (None, None));
        assert_eq!(claims["token_introspection"]["active"], token != "nothing");
    }
}

/// RFC 8707: asked for, agreed to, narrowed, and refused where unknown.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_for_its_resources() {
    let ground = ground().await;
    let client = lab_client("one");
    let both = [
        ("scope", "openid email records.read pension.read"),
        ("resource", RECORDS),
        ("resource", PENSION),
    ];
    let code = client.code(ground, &both).await;
    let tokens = client.redeem(ground, &code, &[]).await.json();
    let claims = peek(&text(&tokens, "access_token")).claims;
    let mut aud = claims["aud"].as_array().expect("several").clone();
    aud.sort_by_key(ToString::to_string);
    assert_eq!(aud, [json!(PENSION), json!(RECORDS)]);
    // A token for others opens no UserInfo.
    let answer = ground.userinfo(&text(&tokens, "access_token")).await;
    assert_eq!(refused(&answer), (401, "invalid_token".to_owned()));
    let mut faults = Faults::default();
    for (more, due) in [
        (
            &[("resource", RECORDS)][..],
            Ok(("records.read", json!(RECORDS))),
        ),
        (
            &[("resource", PENSION)],
            Ok(("pension.read", json!(PENSION))),
        ),
        (
            &[("resource", "https://nowhere.hefu.test/")],
            Err("invalid_target"),
        ),
        (&[("resource", ground.issuer())], Err("invalid_target")),
    ] {
        let code = client.code(ground, &both).await;
        let answer = client.redeem(ground, &code, more).await;
        match due {
            Ok((scope, aud)) => {
                let told = answer.json();
                let claims = peek(&text(&told, "access_token")).claims;
                faults.same(more, &claims["aud"], &aud);
                faults.same(more, &claims["scope"], &json!(scope));
                faults.same(more, &told["scope"], &json!(scope));
            }
            Err(error) => faults.same(more, &refused(&answer), &(400, error.to_owned())),
        }
    }
    for more in [
        &[("resource", "https://nowhere.hefu.test/")][..],
        &[("resource", "records")],
        &[("resource", "https://records.hefu.test/#f")],
        &[("resource", RECORDS), ("scope", "openid email")],
    ] {
        let told = client.begin(ground, &ground.citizen, more).await;
        faults.same(more, &told.refusal(), &(Place::Query, "invalid_target"));
    }
    faults.none();
    // RFC 7662 2.2: its server may look at it, another's may not.
    let code = client.code(ground, &both).await;
    let told = client
        .redeem(ground, &code, &[("resource", RECORDS)])
        .await
        .json();
    let token = text(&told, "access_token");
    let seen = introspect(ground, &lab_client("post"), &token).await;
    assert_eq!(
        (&seen["active"], &seen["aud"]),
        (&json!(true), &json!(RECORDS))
    );
    assert_eq!(
        introspect(ground, &lab_client("two"), &token).await,
        json!({"active": false})
    );
}

/// RFC 9396.
#[tokio::test(flavor = "multi_thread")]
async fn details_are_asked_granted_and_narrowed() {
    let ground = ground().await;
    assert_eq!(
        ground.metadata["authorization_details_types_supported"],
        json!(["visit"])
    );
    let client = lab_client("one");
    let asked = json!([{"type": "visit", "actions": ["book", "cancel"]}]);
    let more = [("authorization_details", &*asked.to_string())];
    let code = client.code(ground, &more).await;
    let tokens = client.redeem(ground, &code, &[]).await.json();
    assert_eq!(tokens["authorization_details"], asked);
    let claims = peek(&text(&tokens, "access_token")).claims;
    assert_eq!(claims["authorization_details"], asked);
    let less = json!([{"type": "visit", "actions": ["book"]}]);
    let code = client.code(ground, &more).await;
    let narrower = [("authorization_details", &*less.to_string())];
    let tokens = client.redeem(ground, &code, &narrower).await.json();
    assert_eq!(tokens["authorization_details"], less);
    let code = client.code(ground, &narrower).await;
    let answer = client.redeem(ground, &code, &more).await;
    assert_eq!(
        refused(&answer),
        (400, "invalid_authorization_details".to_owned())
    );
    let mut faults = Faults::default();
    for details in [
        "{",
        "{}",
        "[1]",
        "[{}]",
        "[{\"type\":1}]",
        "[{\"type\":\"unheard_of\"}]",
        "[{\"type\":\"visit\"}]",
        "[{\"type\":\"visit\",\"actions\":[\"sell\"]}]",
        "[{\"type\":\"visit\",\"actions\":[\"book\"],\"unheard_of\":\"x\"}]",
    ] {
        let more = [("authorization_details", details)];
        let told = client.begin(ground, &ground.citizen, &more).await;
        faults.same(
            details,
            &told.refusal(),
            &(Place::Query, "invalid_authorization_details"),
        );
    }
    faults.none();
}

/// RFC 8693.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_exchanged_for_less() {
    let ground = ground().await;
    assert!(
        ground.metadata["grant_types_supported"]
            .as_array()
            .expect("a list")
            .contains(&json!(EXCHANGE))
    );
    let (one, two) = (lab_client("one"), lab_client("two"));
    let more = [("scope", "openid records.read"), ("resource", RECORDS)];
    let subject = text(&one.tokens(ground, &more).await, "access_token");
    let exchange = async |who: &Client, more: &[(&str, &str)]| -> Answer {
        let usual = [
            ("grant_type", EXCHANGE),
            ("subject_token", &*subject),
            ("subject_token_type", ACCESS_TOKEN),
        ];
        let kept = usual
            .iter()
            .filter(|(n, _)| !more.iter().any(|(m, _)| m == n));
        let form: Vec<_> = kept
            .chain(more.iter().filter(|(_, v)| !v.is_empty()))
            .copied()
            .collect();
        who.post(ground, "token_endpoint", &form).await
    };
    for more in [
        &[][..],
        &[("resource", RECORDS)],
        &[("audience", RECORDS), ("audience", RECORDS)],
        &[("scope", "records.read")],
    ] {
        let answer = exchange(&two, more).await;
        assert_eq!(answer.status, 200, "{more:?}: {}", answer.body);
        let told = answer.json();
        assert_eq!(told["issued_token_type"], ACCESS_TOKEN);
        assert_eq!(told["token_type"], "Bearer");
        let claims = peek(&text(&told, "access_token")).claims;
        let before = peek(&subject).claims;
        assert_eq!(
            (&claims["aud"], &claims["client_id"]),
            (&json!(RECORDS), &json!("lab-two"))
        );
        assert_eq!(
            (&claims["sub"], &claims["scope"]),
            (&before["sub"], &json!("records.read"))
        );
        assert!(claims["exp"].as_i64() <= before["exp"].as_i64());
    }
    let mut faults = Faults::default();
    let forged = tampered(&subject, &json!({"sub": "x"}));
    for (who, more, due) in [
        (&one, &[][..], "unauthorized_client"),
        (&two, &[("subject_token", "")], "invalid_request"),
        (&two, &[("subject_token_type", "")], "invalid_request"),
        (&two, &[("subject_token", "nothing")], "invalid_request"),
        (&two, &[("subject_token", &*forged)], "invalid_request"),
        (
            &two,
            &[("subject_token_type", "urn:unheard_of")],
            "invalid_request",
        ),
        (
            &two,
            &[("requested_token_type", "urn:unheard_of")],
            "invalid_request",
        ),
        (&two, &[("resource", PENSION)], "invalid_target"),
        (&two, &[("audience", "nowhere")], "invalid_target"),
        (&two, &[("scope", "records.write")], "invalid_scope"),
        (&two, &[("actor_token", &subject)], "invalid_request"),
    ] {
        let answer = exchange(who, more).await;
        if answer.status == 200 {
            faults.same(more, &"exchanged", &due);
        } else {
            faults.same(more, &refused(&answer), &(400, due.to_owned()));
        }
    }
    faults.none();
}

/// RFC 9470: UserInfo wants more than a password from who holds this scope.
#[tokio::test(flavor = "multi_thread")]
async fn userinfo_asks_for_a_stronger_login() {
    let ground = ground().await;
    let client = lab_client("one");
    let more = [
        ("scope", "openid records.write"),
        ("resource", RECORDS),
        ("resource", ground.issuer()),
    ];
    let tokens = client.tokens(ground, &more).await;
    let answer = ground.userinfo(&text(&tokens, "access_token")).await;
    assert_eq!(
        refused(&answer),
        (401, "insufficient_user_authentication".to_owned())
    );
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.contains("acr_values=\"https://hefu.example/acr/L2\""),
        "{challenge}"
    );
    // The level that it names leads to a page, not to a refusal.
    let told = client
        .begin(
            ground,
            &ground.citizen,
            &[("acr_values", "https://hefu.example/acr/L2")],
        )
        .await;
    assert!(told.place == Place::Asks || told.has("code"), "{told:?}");
}

/// RFC 9728 2 and 5.1.
#[tokio::test(flavor = "multi_thread")]
async fn userinfo_describes_itself() {
    let ground = ground().await;
    let answer = ground
        .program()
        .get(ground.endpoint("userinfo_endpoint"))
        .await;
    let challenge = answer.header("www-authenticate");
    let url = challenge
        .split("resource_metadata=\"")
        .nth(1)
        .and_then(|s| s.split('"').next());
    let document = ground.program().get(url.expect("an address")).await;
    assert_eq!(document.status, 200);
    assert!(
        document
            .header("content-type")
            .starts_with("application/json")
    );
    let document = document.json();
    assert_eq!(document["resource"], ground.issuer());
    assert_eq!(document["authorization_servers"], json!([ground.issuer()]));
    let resources = ground.metadata["protected_resources"]
        .as_array()
        .expect("a list");
    assert!(resources.contains(&document["resource"]));
    for method in document["bearer_methods_supported"]
        .as_array()
        .expect("a list")
    {
        assert!(
            ["header", "body"].contains(&method.as_str().unwrap_or_default()),
            "6.1"
        );
    }
}
