//! `/logout`.

use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use hefu::authn::Factor;
use hefu::id::SessionId;
use hefu::outbound::{Guard, Options, Outbound};
use hefu::provider::logout::{self, Deliverer, Round};
use hefu::random::RngSource;
use hefu::session::End;

use super::{Browser, SHOP_CB, TestHouse, basic};

/// Logs in at the shop; returns its ID Token.
async fn sign_in(house: &TestHouse, browser: &mut Browser<'_>) -> String {
    let code = browser.ask_plain("shop", SHOP_CB, &[]).await.told()["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", SHOP_CB),
    ];
    let tokens = house
        .post("/token", &form, Some(&basic("shop", "shop secret")))
        .await
        .json();
    tokens["id_token"].as_str().unwrap().to_owned()
}

async fn ready(house: &TestHouse) -> (Browser<'_>, String) {
    let person = house.citizen(true).await;
    house.consent(&person, "shop", "openid").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let hint = sign_in(house, &mut browser).await;
    (browser, hint)
}

#[tokio::test]
async fn with_its_own_hint_the_platform_gets_the_browser_back() {
    let house = TestHouse::new().await;
    let (mut browser, hint) = ready(&house).await;
    house.clock.advance(1000);
    let query = super::encode(&[
        ("id_token_hint", &hint),
        ("post_logout_redirect_uri", "https://shop.example/bye"),
        ("state", "a&b"),
    ]);
    let answer = browser.get(&format!("/logout?{query}")).await;
    assert_eq!(
        answer.location().as_str(),
        "https://shop.example/bye?state=a%26b"
    );
    assert!(!browser.cookies.contains_key("__Host-hefu_session"));
    assert_eq!(house.count("logout_deliveries").await, 1);
    assert!(
        browser
            .ask_plain("shop", SHOP_CB, &[("prompt", "none")])
            .await
            .told()["error"]
            == "login_required"
    );
    // Again: already ended is no error.
    assert_eq!(
        browser
            .get(&format!("/logout?{query}"))
            .await
            .location()
            .as_str(),
        "https://shop.example/bye?state=a%26b"
    );
}

#[tokio::test]
async fn without_a_usable_hint_the_person_is_asked_and_nobody_is_sent_on() {
    let house = TestHouse::new().await;
    let (mut browser, hint) = ready(&house).await;
    let bye = ("post_logout_redirect_uri", "https://shop.example/bye");
    let spoilt = hint.replacen("eyJ", "eyK", 1);
    for form in [
        vec![],
        vec![bye],
        vec![bye, ("id_token_hint", spoilt.as_str())],
        vec![bye, ("id_token_hint", hint.as_str()), ("client_id", "spa")],
        vec![bye, ("client_id", "shop")],
    ] {
        let page = browser
            .get(&format!("/logout?{}", super::encode(&form)))
            .await;
        assert_eq!(page.status, StatusCode::OK, "{form:?}");
        assert!(
            page.body.contains("logout-confirm") && page.body.contains("商店"),
            "{}",
            page.body
        );
    }
    let csrf = browser.get("/logout").await.csrf();
    let forged = browser
        .post("/logout", &[("decision", "logout"), ("csrf_token", "x")])
        .await;
    assert_eq!(
        (forged.status, house.count("logout_deliveries").await),
        (StatusCode::FORBIDDEN, 0)
    );
    assert_eq!(
        browser
            .post("/logout", &[("decision", "stay"), ("csrf_token", &csrf)])
            .await
            .location()
            .path(),
        "/account"
    );
    let done = browser
        .post(
            "/logout",
            &[("decision", "logout"), ("csrf_token", &csrf), bye],
        )
        .await
        .location();
    assert_eq!(done.path(), "/logout/done");
    let page = browser
        .get(&format!("/logout/done?{}", done.query().unwrap()))
        .await;
    assert!(
        page.body.contains("商店") && page.body.contains("data-state="),
        "{}",
        page.body
    );
    assert_eq!(
        browser.get("/logout/done?ended=x").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn another_persons_hint_does_not_end_this_session() {
    let house = TestHouse::new().await;
    let (mut browser, hint) = ready(&house).await;
    let mut conn = house.store.read().await.unwrap();
    let person: String = sqlx::query_scalar("SELECT subject FROM sessions")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    drop(conn);
    let (_, mut second) = house
        .session(&hefu::id::PersonId(person), &[Factor::Password])
        .await;
    let page = second
        .get(&format!(
            "/logout?{}",
            super::encode(&[("id_token_hint", &hint)])
        ))
        .await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        second
            .ask_plain("shop", SHOP_CB, &[])
            .await
            .told()
            .contains_key("code")
    );
    // From another site a POST brings no cookie: back by GET.
    let posted = house
        .browser()
        .post("/logout", &[("id_token_hint", &hint)])
        .await
        .location();
    assert_eq!(posted.path(), "/logout");
    assert_eq!(
        browser
            .get(&format!("/logout?{}", posted.query().unwrap()))
            .await
            .location()
            .path(),
        "/logout/done"
    );
}

/// A platform's back channel: answers what it is told to, keeps what it got.
pub(super) async fn back_channel(status: StatusCode) -> (u16, Arc<Mutex<Vec<String>>>) {
    let got: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&got);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = axum::Router::new().route(
        "/bc",
        axum::routing::post(async move |body: String| {
            kept.lock().unwrap().push(body);
            status
        }),
    );
    tokio::spawn(async move { axum::serve(listener, app).await });
    (port, got)
}

/// Ends the one session; the deliveries go to the back channel at `port`.
pub(super) async fn end_session(house: &TestHouse, port: u16) {
    let mut rng = RngSource::System.rng();
    let mut conn = house.store.read().await.unwrap();
    let session: String = sqlx::query_scalar("SELECT id FROM sessions")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    let (session, why) = (SessionId(session), End::EndedElsewhere);
    logout::end(&mut conn, &mut rng, &session, why, house.now())
        .await
        .unwrap();
    sqlx::query("UPDATE logout_deliveries SET uri = $1")
        .bind(format!("http://shop.localhost:{port}/bc"))
        .execute(&mut *conn)
        .await
        .unwrap();
}

pub(super) fn deliverer(house: &TestHouse, port: u16) -> Deliverer {
    let guard = Guard {
        allow: Vec::new(),
        demo_port: Some(port),
    };
    let outbound = Outbound::new(Options {
        guard,
        ..Options::default()
    });
    Deliverer {
        store: house.store.clone(),
        clients: Arc::clone(&house.clients),
        issuer: super::ISSUER.into(),
        signer: Arc::<hefu::keys::KeyRing>::clone(&house.ring),
        outbound: Arc::new(outbound.unwrap()),
    }
}

#[tokio::test]
async fn the_platform_gets_a_logout_token_once() {
    for (status, round) in [
        (
            StatusCode::OK,
            Round {
                delivered: 1,
                ..Round::default()
            },
        ),
        (
            StatusCode::NO_CONTENT,
            Round {
                delivered: 1,
                ..Round::default()
            },
        ),
        (
            StatusCode::BAD_REQUEST,
            Round {
                failed: 1,
                ..Round::default()
            },
        ),
        (
            StatusCode::BAD_GATEWAY,
            Round {
                put_off: 1,
                ..Round::default()
            },
        ),
    ] {
        let house = TestHouse::new().await;
        let (_browser, id_token) = ready(&house).await;
        let id_token = super::payload(&id_token);
        let (port, got) = back_channel(status).await;
        let mut rng = RngSource::System.rng();
        end_session(&house, port).await;
        let deliverer = deliverer(&house, port);
        assert_eq!(
            deliverer.deliver(&mut rng, house.now()).await.unwrap(),
            round,
            "{status}"
        );
        // What is done or refused is not repeated.
        assert_eq!(
            deliverer.deliver(&mut rng, house.now()).await.unwrap(),
            Round::default()
        );
        let got = got.lock().unwrap().clone();
        assert_eq!(got.len(), 1);
        let token = got[0].strip_prefix("logout_token=").unwrap();
        let (header, _) = hefu::jose::jwt::peek(token, 10_000).unwrap();
        assert_eq!(
            (header.typ.as_deref(), header.alg.as_str()),
            (Some("logout+jwt"), "ES256")
        );
        let claims = super::payload(token);
        for name in ["iss", "aud", "sub", "sid"] {
            assert_eq!(claims[name], id_token[name], "{name}");
        }
        assert_eq!(
            claims["events"],
            serde_json::json!({"http://schemas.openid.net/event/backchannel-logout": {}})
        );
        assert!(claims.get("nonce").is_none() && claims["jti"].is_string());
        assert_eq!(
            claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
            120
        );
    }
}
