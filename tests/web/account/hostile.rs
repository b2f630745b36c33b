use super::*;

#[tokio::test]
async fn a_form_without_its_token_changes_nothing() {
    let house = TestHouse::new().await;
    let mut victim = house.browser();
    victim.log_in("14000000001").await;
    let mut other = house.browser();
    let base = other.arrive().await;
    let foreign = other.get(&format!("{base}/login")).await.csrf();
    for token in [None, Some(""), Some("x"), Some(foreign.as_str())] {
        for path in [
            "/account/verify",
            "/account/phone",
            "/account/sessions/end-others",
            "/account/password",
        ] {
            let fields: Vec<(&str, &str)> = token.map(|t| ("csrf_token", t)).into_iter().collect();
            let page = victim.post(path, &fields).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} {token:?}");
            assert!(page.has("error-code"));
        }
    }
    // Sent twice, in another type, too long.
    let own = victim.get("/account/verify").await;
    assert!(own.status.is_success() || victim.at == "/account");
    let page = victim
        .post(
            "/account/sessions/end-others",
            &[("csrf_token", "a"), ("csrf_token", "b")],
        )
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    let request =
        Request::post("/account/sessions/end-others").header(header::CONTENT_TYPE, "text/plain");
    let page = victim.send(request, format!("csrf_token={foreign}")).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    let request = Request::post("/account/sessions/end-others")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let page = victim
        .send(request, "a=".to_owned() + &"x".repeat(70_000))
        .await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(page.has("error-code"));
    assert_eq!(house.count("sessions").await, 1);
}

#[tokio::test]
async fn hostile_text_is_neither_run_nor_believed() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    let base = browser.arrive().await;
    for name in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "\u{0}",
        "\u{202e}10000000041",
        "' OR 1=1 --",
        "𠮷𠮷𠮷",
        "%00%0d%0aSet-Cookie:x=y",
    ] {
        let page = browser
            .submit(
                &format!("{base}/login"),
                &[("username", name), ("password", name)],
            )
            .await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{name:?}");
        assert!(!page.body.contains("<script>alert") && !page.body.contains("<img src=x"));
        let page = browser
            .submit(&format!("{base}/create"), &[("phone", name)])
            .await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{name:?}");
        assert!(!page.body.contains("<script>alert") && !page.body.contains("<img src=x"));
    }
    let long = "x".repeat(60_000);
    let page = browser
        .submit(
            &format!("{base}/login"),
            &[("username", "14000000001"), ("password", &long)],
        )
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(browser.session().is_none());
}

#[tokio::test]
async fn a_login_of_another_browser_and_odd_addresses_are_refused() {
    let house = TestHouse::new().await;
    let mut first = house.browser();
    let base = first.arrive().await;
    let mut second = house.browser();
    second.arrive().await;
    for path in [
        format!("{base}/login"),
        format!("{base}/create"),
        "/interaction/nothing/login".to_owned(),
        "/interaction/%00/login".to_owned(),
        "/interaction/..%2f..%2f/login".to_owned(),
        format!("/interaction/{}/login", "x".repeat(5000)),
    ] {
        let page = second.get(&path).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path:.60}");
        assert!(page.has("error-code"));
    }
    // Doors that want somebody logged in lead back to the login.
    for door in ["verify", "verify/existing", "step-up", "step-up/code"] {
        assert!(
            first.get(&format!("{base}/{door}")).await.has("login-form"),
            "{door}"
        );
    }
    // Doors in the middle of a way lead to its beginning.
    for (door, form) in [
        ("create/password", "phone-form"),
        ("create/taken", "phone-form"),
        ("create/code", "phone-form"),
        ("recover/password", "phone-form"),
        ("recover/proof", "phone-form"),
        ("login/second", "login-form"),
    ] {
        assert!(
            first.get(&format!("{base}/{door}")).await.has(form),
            "{door}"
        );
    }
}

#[tokio::test]
async fn no_personal_data_reaches_the_audit_log() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    browser.create("14000000006").await;
    browser
        .submit(
            "/account/verify",
            &[("name", "测试己"), ("number", "219999197908080072")],
        )
        .await;
    let rows: Vec<String> = sqlx::query_scalar("SELECT kind || ' ' || detail FROM audit_events")
        .fetch_all(&mut *house.store.read().await.unwrap())
        .await
        .unwrap();
    assert!(
        rows.iter().any(|row| row.starts_with("person.bind ")),
        "{rows:?}"
    );
    for row in rows {
        for secret in ["14000000006", "测试己", "219999", PASSWORD] {
            assert!(!row.contains(secret), "{row}");
        }
    }
}

#[tokio::test]
async fn a_form_that_another_site_sent_is_refused_even_with_its_token() {
    let house = TestHouse::new().await;
    let mut victim = house.browser();
    victim.log_in("14000000001").await;
    let token = victim.get("/account/password").await.csrf();
    for (name, value, refused) in [
        ("origin", "http://evil.localhost:1", true),
        ("origin", "http://id.localhost:8081", true),
        ("sec-fetch-site", "cross-site", true),
        ("origin", ISSUER, false),
        ("origin", "null", false),
        ("sec-fetch-site", "same-origin", false),
    ] {
        let request = Request::post("/account/password")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(name, value);
        let page = victim.send(request, format!("csrf_token={token}")).await;
        assert_eq!(
            page.status == StatusCode::FORBIDDEN,
            refused,
            "{name} {value}"
        );
    }
}

#[tokio::test]
async fn a_form_shown_to_one_person_does_nothing_for_another() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    let (open, again) = (browser.arrive().await, browser.arrive().await);
    let login = browser.get(&format!("{again}/login")).await.csrf();
    browser.log_in("14000000001").await;
    let path = "/account/sessions/end-others";
    let token = browser.get(path).await.csrf();
    let code = browser.get("/account/step-up").await.csrf();
    // Another tab, another person, who is logged in elsewhere as well.
    let mut elsewhere = house.browser();
    elsewhere.log_in("14000000002").await;
    let second = [("username", "14000000002"), ("password", PASSWORD)];
    browser.submit(&format!("{open}/login"), &second).await;
    let page = browser.post_with(&token, path, &[]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.has("error-code"));
    let page = browser.post_with(&code, "/account/step-up/sms", &[]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(house.messages("14000000002").is_empty());
    assert!(elsewhere.get("/account").await.has("person-name"));
    // A login form that lay open over all this still logs in, and what was shown to the first person works for them again.
    let first = [("username", "14000000001"), ("password", PASSWORD)];
    let door = format!("{again}/login");
    let page = browser.post_with(&login, &door, &first).await;
    assert!(page.has("person-name"), "{}", page.body);
    browser.post_with(&token, path, &[]).await;
    assert_eq!(browser.at, "/account?notice=sessions-ended");
}
