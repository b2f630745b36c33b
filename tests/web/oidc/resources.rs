//! Resource indicators (RFC 8707): at `/authorize`, `/par` and `/token`; and what people are told of them.

use axum::http::StatusCode;
use hefu::authn::Factor;
use serde_json::json;

use super::offers::{self, HEALTH, PENSION, WHOLE, code, shop, text, tokens};
use super::{ISSUER, SHOP_CB, basic, payload};

#[tokio::test]
async fn tokens_are_made_out_to_what_was_asked_and_narrowed() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let both = [("scope", WHOLE), ("resource", HEALTH), ("resource", ISSUER)];
    let own = "openid profile offline_access";
    let all = "openid profile offline_access health.read health.write";
    for (asked, at_token, aud, scope) in [
        (vec![("scope", WHOLE)], vec![], json!(ISSUER), own),
        (both.to_vec(), vec![], json!([HEALTH, ISSUER]), all),
        (
            both.to_vec(),
            vec![("resource", HEALTH)],
            json!(HEALTH),
            "health.read health.write",
        ),
        (
            both.to_vec(),
            vec![("resource", ISSUER)],
            json!(ISSUER),
            own,
        ),
        (
            both.to_vec(),
            vec![("resource", ISSUER), ("resource", HEALTH)],
            json!([ISSUER, HEALTH]),
            all,
        ),
        (
            vec![("scope", "openid health.read"), ("resource", HEALTH)],
            vec![],
            json!(HEALTH),
            "health.read",
        ),
    ] {
        let answer = tokens(&house, &mut browser, &asked, &at_token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let answer = answer.json();
        let claims = payload(&text(&answer, "access_token"));
        assert_eq!(
            (&claims["aud"], &claims["scope"]),
            (&aud, &json!(scope)),
            "{asked:?} {at_token:?}"
        );
        assert_eq!(answer["scope"], scope);
        // UserInfo takes what is made out to the issuer, and nothing else.
        let here = aud == ISSUER || aud.as_array().is_some_and(|a| a.contains(&ISSUER.into()));
        let told = house.userinfo(&text(&answer, "access_token")).await;
        assert_eq!(told.status == StatusCode::OK, here, "{aud}: {}", told.body);
        // The ID Token is the client's, whatever the access token is for.
        assert_eq!(payload(&text(&answer, "id_token"))["aud"], "shop");
    }
}

#[tokio::test]
async fn refreshing_narrows_too_and_never_widens() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let asked = [
        ("scope", "openid offline_access health.read pension.read"),
        ("resource", HEALTH),
        ("resource", PENSION),
    ];
    let first = tokens(&house, &mut browser, &asked, &[("resource", HEALTH)]).await;
    let refresh = async |token: &str, more: &[(&str, &str)]| {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        form.extend(more);
        shop(&house, &form).await.json()
    };
    let token = text(&first.json(), "refresh_token");
    let second = refresh(&token, &[("resource", PENSION)]).await;
    assert_eq!(payload(&text(&second, "access_token"))["aud"], PENSION);
    let third = refresh(
        &text(&second, "refresh_token"),
        &[("scope", "pension.read")],
    )
    .await;
    // A place where nothing is left is no audience.
    let claims = payload(&text(&third, "access_token"));
    assert_eq!(
        (&claims["aud"], &claims["scope"]),
        (&json!(PENSION), &json!("pension.read"))
    );
    let refused = refresh(&text(&third, "refresh_token"), &[("resource", ISSUER)]).await;
    assert_eq!(refused["error"], "invalid_target");
}

#[tokio::test]
async fn what_is_no_target() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    for (resource, scope) in [
        ("https://evil.example", "openid health.read"),
        ("https://health.example/", "openid health.read"),
        ("health", "openid health.read"),
        // Nothing of it is asked for.
        (HEALTH, "openid pension.read"),
    ] {
        let more = [("resource", resource), ("scope", scope)];
        let told = browser.ask_plain("shop", SHOP_CB, &more).await.told();
        assert_eq!(told["error"], "invalid_target", "{resource} {scope}");
        let mut form = vec![
            ("client_id", "shop"),
            ("redirect_uri", SHOP_CB),
            ("response_type", "code"),
        ];
        form.extend(more);
        let pushed = house
            .post("/par", &form, Some(&basic("shop", "shop secret")))
            .await;
        assert_eq!(pushed.json()["error"], "invalid_target");
    }
    // At the token endpoint: what was not granted, known or not.
    for resource in [PENSION, "https://evil.example"] {
        let asked = [("scope", "openid health.read"), ("resource", HEALTH)];
        let refused = tokens(&house, &mut browser, &asked, &[("resource", resource)]).await;
        assert_eq!(refused.json()["error"], "invalid_target", "{resource}");
    }
    let plain = [("scope", "openid")];
    let refused = tokens(&house, &mut browser, &plain, &[("resource", HEALTH)]).await;
    assert_eq!(refused.json()["error"], "invalid_target");
    // Other parameters may not be repeated.
    let code = code(&mut browser, &plain).await;
    let refused = shop(
        &house,
        &[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("code", "x"),
        ],
    )
    .await;
    assert_eq!(refused.json()["error"], "invalid_request");
    let answer = house
        .post(
            "/token",
            &[
                ("grant_type", "authorization_code"),
                ("audience", "a"),
                ("audience", "b"),
            ],
            Some(&basic("shop", "shop secret")),
        )
        .await;
    assert_eq!(answer.json()["error"], "invalid_request");
}

#[tokio::test]
async fn several_resources_travel_through_par_and_request_objects() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let form = [
        ("client_id", "shop"),
        ("redirect_uri", SHOP_CB),
        ("response_type", "code"),
        ("scope", "openid health.read pension.read"),
        ("resource", HEALTH),
        ("resource", PENSION),
    ];
    let pushed = house
        .post("/par", &form, Some(&basic("shop", "shop secret")))
        .await
        .json();
    let uri = text(&pushed, "request_uri");
    let query = super::encode(&[("client_id", "shop"), ("request_uri", &uri)]);
    let told = browser.get(&format!("/authorize?{query}")).await.told();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", told["code"].as_str()),
        ("redirect_uri", SHOP_CB),
    ];
    let answer = shop(&house, &form).await.json();
    assert_eq!(
        payload(&text(&answer, "access_token"))["aud"],
        json!([HEALTH, PENSION])
    );
    // The leaf's scopes are the federation's to give, and this one is not among them.
    let refused = browser
        .ask(
            "r",
            json!({"resource": [HEALTH], "scope": "openid health.read"}),
        )
        .await;
    assert_eq!(refused.told()["error"], "invalid_target");
}

#[tokio::test]
async fn people_are_asked_in_words_and_once() {
    let house = offers::house().await;
    let person = house.citizen(true).await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let more = [("scope", "openid health.read"), ("resource", HEALTH)];
    let asked = browser.ask_plain("shop", SHOP_CB, &more).await.location();
    let page = browser.get(asked.path()).await.location();
    let page = browser.get(page.path()).await;
    assert!(page.body.contains("健康档案") && page.body.contains("查看您的健康档案"));
    assert!(!page.body.contains("修改您的健康档案") && page.body.contains("id=\"consent-access\""));
    let form = [
        ("csrf_token", page.csrf()),
        ("decision", "allow".to_owned()),
    ];
    let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let back = browser
        .post(&format!("{}/consent", asked.path()), &form)
        .await
        .location();
    let told = browser.get(back.path()).await.told();
    assert!(told.contains_key("code"), "{told:?}");
    // Remembered; another scope of the same place is asked for anew.
    assert!(
        browser
            .ask_plain("shop", SHOP_CB, &more)
            .await
            .told()
            .contains_key("code")
    );
    let wider = [("scope", "openid health.write"), ("resource", HEALTH)];
    let asked = browser.ask_plain("shop", SHOP_CB, &wider).await.location();
    assert!(asked.path().starts_with("/interaction/"));
}
