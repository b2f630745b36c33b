//! `/logout`.

use axum::http::StatusCode;
use hefu::authn::Factor;

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
