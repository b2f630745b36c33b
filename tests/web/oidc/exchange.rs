//! Token exchange (RFC 8693).

use axum::body::Body;
use axum::http::{Method, Request, header};
use hefu::config::offers::TokenKind;
use hefu::provider::request::TOKEN_EXCHANGE;
use serde_json::{Value, json};

use super::dpop::{jkt, proof};
use super::introspect::sign;
use super::offers::{self, HEALTH, PENSION, WHOLE, shop, text, tokens};
use super::{Answer, Browser, ISSUER, TestHouse, basic, encode, payload};

const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID: &str = "urn:ietf:params:oauth:token-type:id_token";

/// What the shop has: for both resources and for UserInfo.
async fn held(house: &TestHouse, browser: &mut Browser<'_>) -> Value {
    let asked = [
        ("scope", WHOLE),
        ("resource", HEALTH),
        ("resource", PENSION),
        ("resource", ISSUER),
    ];
    tokens(house, browser, &asked, &[]).await.json()
}

/// The gateway exchanges.
async fn exchange(house: &TestHouse, token: &str, kind: &str, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![
        ("grant_type", TOKEN_EXCHANGE),
        ("subject_token", token),
        ("subject_token_type", kind),
    ];
    form.extend(more);
    house
        .post("/token", &form, Some(&basic("gateway", "s")))
        .await
}

#[tokio::test]
async fn a_token_becomes_one_for_less() {
    let house = offers::house().await;
    let (person, mut browser) = offers::citizen(&house).await;
    let subject = held(&house, &mut browser).await;
    let access = text(&subject, "access_token");
    house.clock.advance(100);
    let answer = exchange(&house, &access, ACCESS, &[]).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let answer = answer.json();
    let token = text(&answer, "access_token");
    let scope = "health.read health.write";
    assert_eq!(
        answer,
        json!({"access_token": token, "issued_token_type": ACCESS, "token_type": "Bearer", "expires_in": 200, "scope": scope})
    );
    let (before, after) = (payload(&access), payload(&token));
    let expected = json!({"iss": ISSUER, "aud": HEALTH, "sub": before["sub"], "client_id": "gateway",
        "iat": house.now().0, "exp": before["exp"], "jti": after["jti"], "scope": scope,
        "auth_time": before["auth_time"], "acr": before["acr"], "amr": before["amr"]});
    assert_eq!(after, expected);
    let narrower = exchange(
        &house,
        &access,
        ACCESS,
        &[("scope", "health.read"), ("audience", HEALTH)],
    )
    .await;
    assert_eq!(narrower.json()["scope"], "health.read");
    // What people agreed to tell the shop is not told the gateway.
    assert_eq!(
        house.userinfo(&token).await.json()["error"],
        "invalid_token"
    );
    // It is written down who exchanged whose.
    let row: (String, String, String) = sqlx::query_as(
        "SELECT actor, subject, client FROM audit_events WHERE kind = 'token.exchange' AND outcome = 'done'",
    )
    .fetch_one(&mut *house.store.read().await.unwrap())
    .await
    .unwrap();
    assert_eq!(row, ("gateway".to_owned(), person.0, "gateway".to_owned()));
    // It ends with what it rests on.
    let seen = async || {
        let form = [("token", token.as_str())];
        house
            .post("/introspect", &form, Some(&basic("health", "s")))
            .await
            .json()["active"]
            .clone()
    };
    assert_eq!(seen().await, true);
    let refresh = text(&subject, "refresh_token");
    house
        .post(
            "/revoke",
            &[("token", &refresh)],
            Some(&basic("shop", "shop secret")),
        )
        .await;
    assert_eq!(seen().await, false);
    let late = exchange(&house, &access, ACCESS, &[]).await;
    assert_eq!(late.json()["error"], "invalid_request");
}

#[tokio::test]
async fn never_wider() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let subject = held(&house, &mut browser).await;
    let access = text(&subject, "access_token");
    let asked = [("scope", "openid health.read"), ("resource", HEALTH)];
    let narrow = text(
        &tokens(&house, &mut browser, &asked, &[]).await.json(),
        "access_token",
    );
    let plain = text(
        &tokens(&house, &mut browser, &[("scope", "openid")], &[])
            .await
            .json(),
        "access_token",
    );
    for (token, more, error) in [
        (&access, vec![("resource", PENSION)], "invalid_target"),
        (&access, vec![("audience", ISSUER)], "invalid_target"),
        (
            &access,
            vec![("resource", HEALTH), ("audience", PENSION)],
            "invalid_target",
        ),
        (
            &access,
            vec![("audience", HEALTH), ("audience", "https://evil.example")],
            "invalid_target",
        ),
        (
            &access,
            vec![("scope", "health.read openid")],
            "invalid_scope",
        ),
        (&access, vec![("scope", "pension.read")], "invalid_scope"),
        (&narrow, vec![("scope", "health.write")], "invalid_scope"),
        (&plain, vec![], "invalid_target"),
        (
            &access,
            vec![("requested_token_type", ID)],
            "invalid_request",
        ),
        (&access, vec![("actor_token", "x")], "invalid_request"),
        (
            &access,
            vec![("actor_token_type", ACCESS)],
            "invalid_request",
        ),
        (
            &access,
            vec![("actor_token", "x"), ("actor_token_type", ACCESS)],
            "invalid_request",
        ),
        // An actor who logged in elsewhere is nobody here.
        (
            &access,
            vec![("actor_token", &narrow), ("actor_token_type", ACCESS)],
            "invalid_request",
        ),
    ] {
        let answer = exchange(&house, token, ACCESS, &more).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["error"].as_str()),
            (400, Some(error)),
            "{more:?}: {}",
            answer.body
        );
    }
    let refresh = text(&subject, "refresh_token");
    for (token, kind) in [
        (
            refresh.as_str(),
            "urn:ietf:params:oauth:token-type:refresh_token",
        ),
        (&access, ID),
        (&text(&subject, "id_token"), ACCESS),
        ("x.y.z", ACCESS),
    ] {
        let answer = exchange(&house, token, kind, &[]).await;
        assert_eq!(answer.json()["error"], "invalid_request", "{kind}");
    }
    house.clock.advance(300);
    let late = exchange(&house, &access, ACCESS, &[]).await;
    assert_eq!(late.json()["error"], "invalid_request");
}

#[tokio::test]
async fn off_unless_allowed() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let access = text(&held(&house, &mut browser).await, "access_token");
    let form = [
        ("grant_type", TOKEN_EXCHANGE),
        ("subject_token", access.as_str()),
        ("subject_token_type", ACCESS),
    ];
    assert_eq!(
        shop(&house, &form).await.json()["error"],
        "unauthorized_client"
    );
    let picky = TestHouse::with(4, |settings| {
        offers::all(settings);
        settings.exchanges[0].subjects = vec!["tv".to_owned()];
        settings.exchanges[0].subject_types = vec![TokenKind::AccessToken];
    })
    .await;
    let (_, mut browser) = offers::citizen(&picky).await;
    let subject = held(&picky, &mut browser).await;
    for (name, kind) in [("access_token", ACCESS), ("id_token", ID)] {
        let answer = exchange(&picky, &text(&subject, name), kind, &[]).await;
        assert_eq!(answer.json()["error"], "invalid_request", "{name}");
    }
}

#[tokio::test]
async fn an_id_token_stands_for_its_session() {
    let house = offers::house().await;
    let (person, mut browser) = offers::citizen(&house).await;
    let subject = held(&house, &mut browser).await;
    let id_token = text(&subject, "id_token");
    let answer = exchange(&house, &id_token, ID, &[("scope", "health.read")])
        .await
        .json();
    let token = payload(&text(&answer, "access_token"));
    assert_eq!(
        (&token["sub"], &token["aud"], &token["scope"]),
        (
            &payload(&id_token)["sub"],
            &json!(HEALTH),
            &json!("health.read")
        )
    );
    hefu::session::end_all(
        &mut house.store.read().await.unwrap(),
        &person,
        None,
        hefu::session::End::Security,
        house.now(),
    )
    .await
    .unwrap();
    let ended = exchange(&house, &id_token, ID, &[]).await;
    assert_eq!(ended.json()["error"], "invalid_request");
}

#[tokio::test]
async fn who_acts_is_said_and_nobody_acts_who_may_not() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let access = text(&held(&house, &mut browser).await, "access_token");
    // Somebody logs in at the gateway.
    let form = [
        ("client_id", "gateway"),
        ("redirect_uri", "https://gateway.example/cb"),
        ("response_type", "code"),
        ("scope", "openid"),
    ];
    let told = browser
        .get(&format!("/authorize?{}", encode(&form)))
        .await
        .told();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", told["code"].as_str()),
        ("redirect_uri", "https://gateway.example/cb"),
    ];
    let actor = house
        .post("/token", &form, Some(&basic("gateway", "s")))
        .await
        .json();
    let id_token = text(&actor, "id_token");
    let sub = payload(&id_token)["sub"].clone();
    let with_actor = [("actor_token", id_token.as_str()), ("actor_token_type", ID)];
    let answer = exchange(&house, &access, ACCESS, &with_actor).await.json();
    let first = text(&answer, "access_token");
    assert_eq!(payload(&first)["act"], json!({"sub": sub}));
    // The next actor stands outside, the one before inside; without one the chain stays.
    let again = exchange(&house, &first, ACCESS, &with_actor).await.json();
    let second = payload(&text(&again, "access_token"));
    assert_eq!(second["act"], json!({"sub": sub, "act": {"sub": sub}}));
    let silent = exchange(&house, &first, ACCESS, &[]).await.json();
    assert_eq!(
        payload(&text(&silent, "access_token"))["act"],
        json!({"sub": sub})
    );

    // `may_act` (RFC 8693 §4.4): met or refused, and passed on.
    for (may_act, good) in [
        (json!({"sub": sub}), true),
        (json!({"client_id": "gateway"}), true),
        (json!({"sub": sub, "iss": ISSUER}), true),
        (json!({"sub": "another"}), false),
        (json!({"client_id": "shop"}), false),
        (json!({"sub": sub, "role": "x"}), false),
        (json!({}), false),
        (json!("x"), false),
    ] {
        let mut claims = payload(&access);
        claims["may_act"] = may_act.clone();
        let token = sign(&house, &claims).await;
        let answer = exchange(&house, &token, ACCESS, &with_actor).await.json();
        assert_eq!(
            answer.get("access_token").is_some(),
            good,
            "{may_act}: {answer}"
        );
        if good {
            assert_eq!(payload(&text(&answer, "access_token"))["may_act"], may_act);
        } else {
            assert_eq!(answer["error"], "invalid_request");
        }
    }
    let mut claims = payload(&access);
    claims["may_act"] = json!({"sub": sub});
    let token = sign(&house, &claims).await;
    let alone = exchange(&house, &token, ACCESS, &[]).await;
    assert_eq!(alone.json()["error"], "invalid_request");
}

#[tokio::test]
async fn a_chain_of_actors_has_an_end_and_a_rule_can_demand_one() {
    let house = TestHouse::with(4, |settings| {
        offers::all(settings);
        settings.exchanges[0].actor_required = true;
    })
    .await;
    let (_, mut browser) = offers::citizen(&house).await;
    let access = text(&held(&house, &mut browser).await, "access_token");
    let alone = exchange(&house, &access, ACCESS, &[]).await;
    assert_eq!(alone.json()["error"], "invalid_request");
    let mut claims = payload(&access);
    let mut own = claims.clone();
    own["client_id"] = "gateway".into();
    let actor = sign(&house, &own).await;
    let with_actor = [
        ("actor_token", actor.as_str()),
        ("actor_token_type", ACCESS),
    ];
    for (before, good) in [(4, true), (5, false)] {
        claims["act"] = (0..before).fold(Value::Null, |inner, _| match inner {
            Value::Null => json!({"sub": "x"}),
            inner => json!({"sub": "x", "act": inner}),
        });
        let token = sign(&house, &claims).await;
        let answer = exchange(&house, &token, ACCESS, &with_actor).await.json();
        assert_eq!(answer.get("access_token").is_some(), good, "{answer}");
    }
}

#[tokio::test]
async fn a_bound_token_stays_bound_to_its_key() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let access = text(&held(&house, &mut browser).await, "access_token");
    let mut claims = payload(&access);
    claims["cnf"] = json!({"jkt": "thumb"});
    // Another client has not the key.
    let token = sign(&house, &claims).await;
    let refused = exchange(&house, &token, ACCESS, &[]).await;
    assert_eq!(refused.json()["error"], "invalid_request");
    // Its own client goes on with it.
    claims["client_id"] = "gateway".into();
    let token = sign(&house, &claims).await;
    let answer = exchange(&house, &token, ACCESS, &[]).await.json();
    assert_eq!(answer["token_type"], "DPoP");
    assert_eq!(
        payload(&text(&answer, "access_token"))["cnf"],
        json!({"jkt": "thumb"})
    );
}

/// A key that is proven with the exchange binds the new token; it must be the one that the old token is bound to.
#[tokio::test]
async fn what_is_proven_with_the_exchange_binds() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let access = text(&held(&house, &mut browser).await, "access_token");
    let with_proof = async |token: &str, key: &str, jti: &str| {
        let form = [
            ("grant_type", TOKEN_EXCHANGE),
            ("subject_token", token),
            ("subject_token_type", ACCESS),
        ];
        let request = Request::post("/token")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, basic("gateway", "s"))
            .header(
                "dpop",
                proof(&house, key, jti, &Method::POST, "/token", json!({})),
            )
            .body(Body::from(encode(&form)));
        house.send(request.unwrap()).await.json()
    };
    let answer = with_proof(&access, "gateway key", "1").await;
    assert_eq!(answer["token_type"], "DPoP", "{answer}");
    let bound = text(&answer, "access_token");
    let cnf = json!({"jkt": jkt("gateway key")});
    assert_eq!(payload(&bound)["cnf"], cnf);
    // The gateway goes on with what is now its own, under the same key and no other.
    let again = with_proof(&bound, "gateway key", "2").await;
    assert_eq!(payload(&text(&again, "access_token"))["cnf"], cnf);
    let other = with_proof(&bound, "another key", "3").await;
    assert_eq!(other["error"], "invalid_request");
    let repeated = with_proof(&access, "gateway key", "1").await;
    assert_eq!(repeated["error"], "invalid_dpop_proof");
}
