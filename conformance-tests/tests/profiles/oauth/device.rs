//! Devices without a browser (RFC 8628).

use super::*;

/// RFC 8628.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_waits_for_its_person() {
    let ground = ground().await;
    let grants = json!({"grant_types": ["authorization_code", "refresh_token", DEVICE]});
    let client = Client::with(ground, grants).await;
    let other = Client::open(ground).await;
    let answer = other
        .post(
            ground,
            "device_authorization_endpoint",
            &[("scope", "openid")],
        )
        .await;
    assert_eq!(refused(&answer), (400, "unauthorized_client".to_owned()));
    let answer = client
        .post(
            ground,
            "device_authorization_endpoint",
            &[("scope", "email")],
        )
        .await;
    assert_eq!(refused(&answer), (400, "invalid_scope".to_owned()));
    let ask = async || {
        let answer = client
            .post(
                ground,
                "device_authorization_endpoint",
                &[("scope", "openid email")],
            )
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("cache-control"), "no-store");
        answer.json()
    };
    let poll = async |who: &Client, code: &str| {
        let form = [("grant_type", DEVICE), ("device_code", code)];
        who.post(ground, "token_endpoint", &form).await
    };
    // The person's page, filled in by the link; a yes or a no.
    let decide = async |told: &Value, decision: &str| {
        let browser = &ground.citizen;
        let page = browser.get(&text(told, "verification_uri_complete")).await;
        let page = browser.follow(page, |_| false).await;
        let typed = text(told, "user_code");
        let answer = browser
            .submit(&page, "device-form", &[("user-code", &typed)])
            .await;
        let page = browser.follow(answer, |_| false).await;
        assert_eq!(page.text("device-code"), typed);
        let answer = browser
            .submit(&page, "device-confirm-form", &[("decision", decision)])
            .await;
        let page = browser.follow(answer, |_| false).await;
        if page.has("consent-form") {
            let answer = browser
                .submit(&page, "consent-form", &[("decision", "allow")])
                .await;
            return browser.follow(answer, |_| false).await;
        }
        page
    };
    let told = ask().await;
    let code = text(&told, "device_code");
    assert!(told["expires_in"].as_i64().is_some_and(|n| n > 60));
    assert!(told["interval"].as_i64().is_some_and(|n| n >= 5));
    assert!(text(&told, "verification_uri").starts_with(ground.issuer()));
    let waiting = poll(&client, &code).await;
    assert_eq!(refused(&waiting), (400, "authorization_pending".to_owned()));
    let fast = poll(&client, &code).await;
    assert_eq!(refused(&fast), (400, "slow_down".to_owned()));
    let stolen = poll(&other, &code).await;
    assert_eq!(stolen.status, 400);
    assert!(["invalid_grant", "unauthorized_client"].contains(&&*refused(&stolen).1));
    assert_eq!(
        refused(&poll(&client, "nothing").await),
        (400, "invalid_grant".to_owned())
    );

    let yes = ask().await;
    let page = decide(&yes, "allow").await;
    assert_eq!(
        page.attribute("device-done", "data-state").as_deref(),
        Some("allowed")
    );
    let code = text(&yes, "device_code");
    let answer = poll(&client, &code).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tokens = answer.json();
    client.id_token(ground, &text(&tokens, "id_token")).await;
    let userinfo = ground.userinfo(&text(&tokens, "access_token")).await.json();
    assert_eq!(userinfo["email"], "lab-citizen@hefu.test");
    // Once; that it was too soon besides is said first.
    assert_eq!(
        refused(&poll(&client, &code).await),
        (400, "slow_down".to_owned())
    );

    let no = ask().await;
    let page = decide(&no, "deny").await;
    assert_eq!(
        page.attribute("device-done", "data-state").as_deref(),
        Some("refused")
    );
    let refusal = poll(&client, &text(&no, "device_code")).await;
    assert_eq!(refused(&refusal), (400, "access_denied".to_owned()));

    // A wrong code is said on the page.
    let page = ground.citizen.get(&text(&told, "verification_uri")).await;
    let answer = ground
        .citizen
        .submit(&page, "device-form", &[("user-code", "BBBB-BBBB")])
        .await;
    let page = ground.citizen.follow(answer, |_| false).await;
    assert!(page.has("problems"), "{}", page.body);
}
