//! `/introspect` (RFC 7662, RFC 9701).

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hefu::crypto::{Purpose, Signer as _};
use hefu::oauth::Algorithm;
use serde_json::{Value, json};

use super::offers::{self, HEALTH, PENSION, WHOLE, text, tokens};
use super::{Answer, ISSUER, TestHouse, basic, encode, payload};

async fn introspect(house: &TestHouse, client: &str, secret: &str, token: &str) -> Answer {
    house
        .post(
            "/introspect",
            &[("token", token)],
            Some(&basic(client, secret)),
        )
        .await
}

#[tokio::test]
async fn the_client_sees_its_own_the_resource_what_concerns_it_others_nothing() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let asked = [
        ("scope", WHOLE),
        ("resource", HEALTH),
        ("resource", PENSION),
    ];
    let answer = tokens(&house, &mut browser, &asked, &[]).await.json();
    let access = text(&answer, "access_token");
    let claims = payload(&access);
    let own = introspect(&house, "shop", "shop secret", &access).await;
    assert_eq!(own.headers["cache-control"], "no-store");
    let now = house.now().0;
    let mut expected = json!({"active": true, "iss": ISSUER, "sub": claims["sub"], "client_id": "shop",
        "aud": [HEALTH, PENSION], "scope": "health.read health.write pension.read", "token_type": "Bearer",
        "iat": now, "exp": now + 300, "jti": claims["jti"], "auth_time": now, "amr": ["pwd"],
        "acr": "https://hefu.example/acr/L1"});
    assert_eq!(own.json(), expected);
    expected["aud"] = HEALTH.into();
    expected["scope"] = "health.read health.write".into();
    assert_eq!(
        introspect(&house, "health", "s", &access).await.json(),
        expected
    );
    let inactive = json!({"active": false});
    assert_eq!(
        introspect(&house, "gateway", "s", &access).await.json(),
        inactive
    );
    // A refresh token is its client's alone.
    let refresh = text(&answer, "refresh_token");
    let own = introspect(&house, "shop", "shop secret", &refresh)
        .await
        .json();
    assert_eq!(
        (&own["active"], &own["client_id"], &own["scope"]),
        (&json!(true), &json!("shop"), &json!(WHOLE))
    );
    assert!(own.get("token_type").is_none());
    for client in ["health", "gateway"] {
        assert_eq!(
            introspect(&house, client, "s", &refresh).await.json(),
            inactive
        );
    }
    for token in ["unknown", "a.b.c", &text(&answer, "id_token")] {
        let told = introspect(&house, "shop", "shop secret", token).await;
        assert_eq!(told.json(), inactive, "{token}");
    }
    house.clock.advance(300);
    assert_eq!(
        introspect(&house, "shop", "shop secret", &access)
            .await
            .json(),
        inactive
    );
}

#[tokio::test]
async fn a_token_that_was_revoked_or_whose_grant_ended_is_inactive() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let answer = tokens(&house, &mut browser, &[("scope", "openid")], &[]).await;
    let access = text(&answer.json(), "access_token");
    let authorization = basic("shop", "shop secret");
    house
        .post("/revoke", &[("token", &access)], Some(&authorization))
        .await;
    let told = introspect(&house, "shop", "shop secret", &access).await;
    assert_eq!(told.json(), json!({"active": false}));
}

#[tokio::test]
async fn who_must_prove_themselves() {
    let house = offers::house().await;
    for (form, authorization, error) in [
        (vec![("token", "x")], None, "invalid_client"),
        (
            vec![("token", "x")],
            Some(basic("shop", "no")),
            "invalid_client",
        ),
        (
            vec![("token", "x"), ("client_id", "spa")],
            None,
            "invalid_client",
        ),
        (
            vec![],
            Some(basic("shop", "shop secret")),
            "invalid_request",
        ),
        (
            vec![("token", "x"), ("token", "y")],
            Some(basic("shop", "shop secret")),
            "invalid_request",
        ),
    ] {
        let answer = house
            .post("/introspect", &form, authorization.as_deref())
            .await;
        assert_eq!(answer.json()["error"], error, "{form:?}");
    }
    let off = TestHouse::with(1, |settings| settings.introspection = false).await;
    assert_eq!(
        introspect(&off, "shop", "shop secret", "x").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn whoever_asks_for_it_gets_the_answer_signed() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let asked = [("scope", "openid health.read"), ("resource", HEALTH)];
    let answer = tokens(&house, &mut browser, &asked, &[]).await.json();
    let access = text(&answer, "access_token");
    let ask = async |token: &str| {
        let request = Request::post("/introspect")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, basic("health", "s"))
            .header(
                header::ACCEPT,
                "text/html;q=0.5, Application/Token-Introspection+JWT",
            )
            .body(Body::from(encode(&[("token", token)])));
        house.send(request.unwrap()).await
    };
    let signed = ask(&access).await;
    assert_eq!(
        signed.headers["content-type"],
        "application/token-introspection+jwt"
    );
    let (head, _) = hefu::jose::jwt::peek(&signed.body, 10_000).unwrap();
    assert_eq!(
        (head.alg.as_str(), head.typ.as_deref()),
        ("ES256", Some("token-introspection+jwt"))
    );
    let plain = introspect(&house, "health", "s", &access).await.json();
    let expected =
        json!({"iss": ISSUER, "aud": "health", "iat": house.now().0, "token_introspection": plain});
    assert_eq!(payload(&signed.body), expected);
    // RFC 9701 §8.1: it is no access token.
    assert_eq!(
        house.userinfo(&signed.body).await.json()["error"],
        "invalid_token"
    );
    assert_eq!(
        payload(&ask("unknown").await.body)["token_introspection"],
        json!({"active": false})
    );
}

/// Keys and actors are told as the token has them, whoever put them there.
#[tokio::test]
async fn the_key_that_a_token_is_bound_to_is_passed_on() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let answer = tokens(&house, &mut browser, &[("scope", "openid")], &[]).await;
    let claims = payload(&text(&answer.json(), "access_token"));
    for (cnf, token_type) in [
        (json!({"jkt": "thumb"}), "DPoP"),
        (json!({"x5t#S256": "thumb"}), "Bearer"),
    ] {
        let mut bound = claims.clone();
        bound["cnf"] = cnf.clone();
        bound["act"] = json!({"sub": "a"});
        let token = sign(&house, &bound).await;
        let told = introspect(&house, "shop", "shop secret", &token)
            .await
            .json();
        assert_eq!(
            (&told["cnf"], &told["act"], &told["token_type"]),
            (&cnf, &json!({"sub": "a"}), &json!(token_type))
        );
    }
}

/// An access token that says this, under the house's own key.
pub async fn sign(house: &TestHouse, claims: &Value) -> String {
    let mut header = serde_json::Map::new();
    header.insert("typ".to_owned(), "at+jwt".into());
    house
        .ring
        .sign(
            Purpose::IdToken,
            Algorithm::ES256,
            header,
            claims.to_string().as_bytes(),
        )
        .await
        .unwrap()
}
