//! `/logout` line by line (OIDC RP-Initiated Logout 1.0 §2 and §3): which hint counts, where the browser goes, what ends.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hefu::authn::Factor;
use hefu::crypto::{Purpose, Signer as _};
use hefu::jose::UnverifiedJws;
use hefu::oauth::Algorithm;
use hefu::store::bump_generation;
use serde_json::{Value, json};

use super::{Browser, SHOP_CB, TestHouse, basic, encode, payload};
use crate::support::federation::TestKey;

const BYE: &str = "https://shop.example/bye";

/// A citizen at the shop: the browser and what the token endpoint answered.
async fn at_the_shop(house: &TestHouse) -> (Browser<'_>, Value) {
    let person = house.citizen(true).await;
    house
        .consent(&person, "shop", "openid offline_access")
        .await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let tokens = tokens(&mut browser, "openid").await;
    (browser, tokens)
}

async fn tokens(browser: &mut Browser<'_>, scope: &str) -> Value {
    let answer = browser
        .ask_plain("shop", SHOP_CB, &[("scope", scope)])
        .await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &answer.told()["code"]),
        ("redirect_uri", SHOP_CB),
    ];
    let authorization = basic("shop", "shop secret");
    let house = browser.house;
    house
        .post("/token", &form, Some(&authorization))
        .await
        .json()
}

fn hint(tokens: &Value) -> String {
    tokens["id_token"].as_str().unwrap().to_owned()
}

/// Asked, sent to our own page, or back to the platform.
async fn led_to(browser: &mut Browser<'_>, form: &[(&str, &str)], post: bool) -> String {
    let answer = if post {
        browser.post("/logout", form).await
    } else {
        browser.get(&format!("/logout?{}", encode(form))).await
    };
    if answer.status == 200 {
        assert!(
            answer.body.contains("id=\"logout-confirm\""),
            "{}",
            answer.body
        );
        return "asked".to_owned();
    }
    let location = answer.location();
    match location.host_str() {
        Some("id.example") => location.path().to_owned(),
        _ => location.to_string(),
    }
}

#[tokio::test]
async fn where_each_request_leads() {
    let house = TestHouse::new().await;
    let (_, first) = at_the_shop(&house).await;
    let token = hint(&first);
    let access = first["access_token"].as_str().unwrap().to_owned();
    let payload_of = payload(&token);
    let unsigned = {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&json!({"alg": "none"})), part(&payload_of))
    };
    let kid = UnverifiedJws::parse(&token, 10_000).unwrap().header.kid;
    let foreign = TestKey::of("somebody")
        .named(&kid.unwrap())
        .jwt("JWT", &payload_of);
    let changed = {
        let (head, rest) = token.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let mut claims = payload_of.clone();
        claims["sub"] = "pw_other".into();
        let body = URL_SAFE_NO_PAD.encode(claims.to_string());
        format!("{head}.{body}.{signature}")
    };
    let good = ("id_token_hint", token.as_str());
    let bye = ("post_logout_redirect_uri", BYE);
    let back = format!("{BYE}?state=s%261");
    let cases: Vec<(Vec<(&str, &str)>, &str)> = vec![
        (vec![], "asked"),
        (vec![bye], "asked"),
        (vec![bye, ("client_id", "shop")], "asked"),
        (vec![bye, ("id_token_hint", "odd")], "asked"),
        (vec![bye, ("id_token_hint", &unsigned)], "asked"),
        (vec![bye, ("id_token_hint", &foreign)], "asked"),
        (vec![bye, ("id_token_hint", &changed)], "asked"),
        // Another kind of token of ours.
        (vec![bye, ("id_token_hint", &access)], "asked"),
        (vec![bye, good, ("client_id", "spa")], "asked"),
        (vec![bye, good, good], "asked"),
        (vec![good], "/logout/done"),
        (
            vec![
                good,
                ("logout_hint", "x"),
                ("unknown", "y"),
                ("ui_locales", "xx"),
            ],
            "/logout/done",
        ),
        // Character for character.
        (
            vec![
                good,
                ("post_logout_redirect_uri", "https://shop.example/bye/"),
            ],
            "/logout/done",
        ),
        (
            vec![
                good,
                ("post_logout_redirect_uri", "https://shop.example/bye?x=1"),
            ],
            "/logout/done",
        ),
        (
            vec![good, ("post_logout_redirect_uri", "https://evil.example/")],
            "/logout/done",
        ),
        (vec![good, bye, bye], "/logout/done"),
        (vec![good, bye], BYE),
        (vec![good, bye, ("client_id", "shop")], BYE),
        (vec![good, bye, ("state", "s&1"), ("other", "x")], &back),
    ];
    for post in [false, true] {
        for (form, expected) in &cases {
            let (mut browser, fresh) = again(&house).await;
            // The hint of this browser's own session.
            let own = hint(&fresh);
            let form: Vec<(&str, &str)> = form
                .iter()
                .map(|(n, v)| (*n, if *v == token { own.as_str() } else { *v }))
                .collect();
            let led = led_to(&mut browser, &form, post).await;
            assert_eq!(led, *expected, "{form:?} post {post}");
            let told = browser
                .ask_plain("shop", SHOP_CB, &[("prompt", "none")])
                .await
                .told();
            // Asking ends nothing yet.
            assert_eq!(told.contains_key("code"), led == "asked", "{form:?}");
        }
    }
}

/// Another session of the same person.
async fn again(house: &TestHouse) -> (Browser<'_>, Value) {
    let mut conn = house.store.read().await.unwrap();
    let person: String = sqlx::query_scalar("SELECT subject FROM sessions LIMIT 1")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    drop(conn);
    let person = hefu::id::PersonId(person);
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let tokens = tokens(&mut browser, "openid").await;
    (browser, tokens)
}

#[tokio::test]
async fn what_ends_and_what_lives_on() {
    let house = TestHouse::new().await;
    let (mut browser, plain) = at_the_shop(&house).await;
    let away = tokens(&mut browser, "openid offline_access").await;
    let hinted = hint(&plain);
    led_to(&mut browser, &[("id_token_hint", &hinted)], false).await;
    let access = |tokens: &Value| tokens["access_token"].as_str().unwrap().to_owned();
    assert_eq!(house.userinfo(&access(&plain)).await.status, 401);
    // Access while away was agreed to for this.
    assert_eq!(house.userinfo(&access(&away)).await.status, 200);
    let refresh = away["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let authorization = basic("shop", "shop secret");
    let renewed = house.post("/token", &form, Some(&authorization)).await;
    assert_eq!(renewed.status, 200, "{}", renewed.body);
    // The hint has served: without a session it still leads back, and ends nothing.
    let form = [
        ("id_token_hint", hinted.as_str()),
        ("post_logout_redirect_uri", BYE),
    ];
    assert_eq!(led_to(&mut browser, &form, false).await, BYE);
}

#[tokio::test]
async fn a_client_that_was_removed_hints_nothing() {
    let house = TestHouse::new().await;
    let (mut browser, _) = at_the_shop(&house).await;
    // Of a client that nobody knows, signed by us all the same.
    let mut claims = payload(&hint(&tokens(&mut browser, "openid").await));
    claims["aud"] = "gone".into();
    let token = house
        .ring
        .sign(
            Purpose::IdToken,
            Algorithm::ES256,
            serde_json::Map::new(),
            claims.to_string().as_bytes(),
        )
        .await
        .unwrap();
    let led = led_to(&mut browser, &[("id_token_hint", &token)], false).await;
    assert_eq!(led, "asked");
}

#[tokio::test]
async fn retired_keys_verify_hints_for_ever_and_compromised_ones_never() {
    let house = TestHouse::new().await;
    let (mut browser, first) = at_the_shop(&house).await;
    let token = hint(&first);
    let kid = UnverifiedJws::parse(&token, 10_000)
        .unwrap()
        .header
        .kid
        .unwrap();
    let in_jwks = async || {
        let request = axum::http::Request::get("/jwks").body(axum::body::Body::empty());
        let jwks = house.send(request.unwrap()).await.json();
        jwks["keys"]
            .as_array()
            .unwrap()
            .iter()
            .any(|k| k["kid"] == kid.as_str())
    };
    assert!(in_jwks().await);
    // The spare signs now; the old key left a month ago.
    let mut tx = house.store.write().await.unwrap();
    let now = house.now();
    for sql in [
        "UPDATE keys SET retired_at = $1 - 2592000 WHERE kid = $2",
        "UPDATE keys SET activated_at = $1 WHERE purpose = 'id_token' AND alg = 'ES256' AND activated_at IS NULL AND kid <> $2",
    ] {
        sqlx::query(sql)
            .bind(now)
            .bind(&kid)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    bump_generation(&mut tx, "keys").await.unwrap();
    tx.commit().await.unwrap();
    assert!(house.ring.refresh(now).await.unwrap());
    assert!(!in_jwks().await);
    let fresh = hint(&tokens(&mut browser, "openid").await);
    let signed_by = UnverifiedJws::parse(&fresh, 10_000).unwrap().header.kid;
    assert_ne!(signed_by.as_deref(), Some(kid.as_str()));

    let form = [
        ("id_token_hint", token.as_str()),
        ("post_logout_redirect_uri", BYE),
    ];
    let mut visitor = house.browser();
    assert_eq!(led_to(&mut visitor, &form, false).await, BYE);
    // The same key, and it turns out that somebody has a copy.
    let mut tx = house.store.write().await.unwrap();
    sqlx::query("UPDATE keys SET revoked_at = $1 WHERE kid = $2")
        .bind(now)
        .bind(&kid)
        .execute(&mut *tx)
        .await
        .unwrap();
    bump_generation(&mut tx, "keys").await.unwrap();
    tx.commit().await.unwrap();
    assert!(house.ring.refresh(now).await.unwrap());
    assert_eq!(led_to(&mut visitor, &form, false).await, "/logout/done");
    assert_eq!(led_to(&mut browser, &form, false).await, "asked");
}
