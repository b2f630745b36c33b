//! The device grant (RFC 8628): `/device_authorization`, the pages of `/device`, polling.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hefu::authn::{Factor, throttle};
use hefu::provider::device::{GRANT_TYPE, SOURCE_LIMIT};
use hefu::web::source::Source;
use serde_json::{Value, json};

use super::offers::{self, HEALTH, text};
use super::{Answer, Browser, ISSUER, TestHouse, encode, payload};

/// The television asks.
async fn ask(house: &TestHouse, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![("client_id", "tv")];
    if more.iter().all(|(name, _)| *name != "scope") {
        form.push(("scope", "openid profile"));
    }
    form.extend(more);
    let mut request = Request::post("/device_authorization")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::USER_AGENT, "Mozilla/5.0 (Linux) Chrome/140 TV")
        .body(Body::from(encode(&form)))
        .unwrap();
    request
        .extensions_mut()
        .insert(Source("192.0.2.7".parse().unwrap()));
    house.send(request).await
}

async fn poll(house: &TestHouse, device_code: &str) -> Answer {
    let form = [
        ("grant_type", GRANT_TYPE),
        ("device_code", device_code),
        ("client_id", "tv"),
    ];
    house.post("/token", &form, None).await
}

/// Types a code; the page that follows.
async fn type_code(browser: &mut Browser<'_>, user_code: &str) -> Answer {
    let page = browser.get("/device").await;
    let csrf = page.csrf();
    browser
        .post(
            "/device",
            &[("csrf_token", &csrf), ("user-code", user_code)],
        )
        .await
}

/// Decides on the confirmation page at `path`.
async fn decide(browser: &mut Browser<'_>, path: &str, decision: &str) -> Answer {
    let csrf = browser.get(path).await.csrf();
    browser
        .post(path, &[("csrf_token", &csrf), ("decision", decision)])
        .await
}

#[tokio::test]
async fn a_person_types_the_code_looks_and_says_yes() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let asked = ask(
        &house,
        &[("scope", "openid health.read"), ("resource", HEALTH)],
    )
    .await;
    assert_eq!(asked.headers["cache-control"], "no-store");
    let asked = asked.json();
    let (device_code, user_code) = (text(&asked, "device_code"), text(&asked, "user_code"));
    assert_eq!(
        (
            &asked["verification_uri"],
            &asked["expires_in"],
            &asked["interval"]
        ),
        (&json!(format!("{ISSUER}/device")), &json!(600), &json!(5))
    );
    assert_eq!(
        asked["verification_uri_complete"],
        format!("{ISSUER}/device?user_code={user_code}")
    );
    let pending = poll(&house, &device_code).await;
    assert_eq!(
        (pending.status.as_u16(), pending.json()["error"].as_str()),
        (400, Some("authorization_pending"))
    );

    let confirm = type_code(&mut browser, &user_code.to_lowercase().replace('-', " ")).await;
    let path = confirm.location().path().to_owned();
    let page = browser.get(&path).await;
    assert_eq!(page.element("device-code"), user_code);
    // The platform, when, from where, with what.
    assert!(page.body.contains("客厅终端") && page.body.contains("192.0.2.7"));
    assert!(page.body.contains("Chrome · Linux") && page.body.contains("2026年"));
    // Refusing comes first.
    assert!(page.body.find("device-deny") < page.body.find("device-allow"));
    let interaction = decide(&mut browser, &path, "allow").await.location();
    assert!(interaction.path().starts_with("/interaction/"));
    // Consent is given already: the dispatcher answers, and the browser is told no code.
    let done = browser.get(interaction.path()).await.location();
    assert_eq!(
        (done.path(), done.query()),
        ("/device/done", Some("iss=https%3A%2F%2Fid.example"))
    );
    let page = browser.get("/device/done").await;
    assert!(page.body.contains("data-state=\"allowed\""));

    house.clock.advance(5);
    let tokens = poll(&house, &device_code).await;
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
    let tokens = tokens.json();
    let access = payload(&text(&tokens, "access_token"));
    assert_eq!(
        (&access["aud"], &access["scope"], &access["client_id"]),
        (&json!(HEALTH), &json!("health.read"), &json!("tv"))
    );
    assert_eq!(payload(&text(&tokens, "id_token"))["aud"], "tv");
    // One use; whoever comes again ends what was given.
    house.clock.advance(5);
    assert_eq!(
        poll(&house, &device_code).await.json()["error"],
        "invalid_grant"
    );
    let form = [("token", "x"), ("client_id", "tv")];
    assert_eq!(
        house.post("/revoke", &form, None).await.status,
        StatusCode::OK
    );
    let told = house
        .post(
            "/introspect",
            &[("token", &text(&tokens, "access_token"))],
            Some(&super::basic("health", "s")),
        )
        .await;
    assert_eq!(told.json(), json!({"active": false}));
    // The code is over for people, too.
    let again = type_code(&mut browser, &user_code).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.body.contains("id=\"user-code-problem\""));
}

#[tokio::test]
async fn a_link_fills_in_and_decides_nothing() {
    let house = offers::house().await;
    let (person, mut browser) = offers::citizen(&house).await;
    let asked = ask(&house, &[]).await.json();
    let (device_code, user_code) = (text(&asked, "device_code"), text(&asked, "user_code"));
    let link = format!("/device?user_code={user_code}");
    // Nobody is logged in: login first, then the same page with the code.
    let mut stranger = house.browser();
    let login = stranger.get(&link).await.location();
    assert!(login.path().starts_with("/interaction/"));
    let purpose: String = sqlx::query_scalar("SELECT purpose FROM interactions WHERE id = $1")
        .bind(login.path().trim_start_matches("/interaction/"))
        .fetch_one(&mut *house.store.read().await.unwrap())
        .await
        .unwrap();
    let purpose: Value = serde_json::from_str(&purpose).unwrap();
    assert_eq!(purpose, json!({"account": {"return_to": link}}));

    let page = browser.get(&link).await;
    assert!(page.body.contains(&format!("value=\"{user_code}\"")));
    assert!(page.body.contains("id=\"device-compare\"") && !page.body.contains("客厅终端"));
    assert_eq!(
        poll(&house, &device_code).await.json()["error"],
        "authorization_pending"
    );
    // Markup in the link is no code and is not shown.
    let odd = browser.get("/device?user_code=%3Cb%3E").await;
    assert!(odd.body.contains("value=\"\"") && !odd.body.contains("device-compare"));
    // The way behind a typed code is that session's own.
    let confirm = type_code(&mut browser, &user_code).await.location();
    let (_, mut other) = house.session(&person, &[Factor::Password]).await;
    assert_eq!(
        other.get(confirm.path()).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        stranger.get(confirm.path()).await.status,
        StatusCode::BAD_REQUEST
    );
    for path in ["/device/nonsense", &format!("/device/{device_code}")] {
        assert_eq!(browser.get(path).await.status, StatusCode::BAD_REQUEST);
    }
    // Forms of others are not ours.
    let form = [("user-code", user_code.as_str())];
    assert_eq!(
        browser.post("/device", &form).await.status,
        StatusCode::FORBIDDEN
    );
    let form = [("decision", "allow")];
    let foreign = browser.post(confirm.path(), &form).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_no_is_heard_wherever_it_is_said() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    // On the page that asks whether it was they.
    let asked = ask(&house, &[]).await.json();
    let confirm = type_code(&mut browser, &text(&asked, "user_code"))
        .await
        .location();
    let done = decide(&mut browser, confirm.path(), "deny")
        .await
        .location();
    assert_eq!(done.path(), "/device/done");
    let page = browser.get("/device/done?error=access_denied").await;
    assert!(page.body.contains("data-state=\"refused\""));
    assert_eq!(
        poll(&house, &text(&asked, "device_code")).await.json()["error"],
        "access_denied"
    );
    assert_eq!(
        browser.get(confirm.path()).await.status,
        StatusCode::BAD_REQUEST
    );
    // On the consent page, and by the way out.
    let more = [("scope", "openid phone")];
    for way in ["consent", "cancel"] {
        let asked = ask(&house, &more).await.json();
        let confirm = type_code(&mut browser, &text(&asked, "user_code"))
            .await
            .location();
        let begun = decide(&mut browser, confirm.path(), "allow")
            .await
            .location();
        let consent = browser.get(begun.path()).await.location();
        assert!(consent.path().ends_with("/consent"));
        let csrf = browser.get(consent.path()).await.csrf();
        let path = format!("{}/{way}", begun.path());
        let form = [("csrf_token", csrf.as_str()), ("decision", "deny")];
        let back = browser.post(&path, &form).await;
        assert_eq!(back.told()["error"], "access_denied");
        assert_eq!(back.location().path(), "/device/done");
        assert_eq!(
            poll(&house, &text(&asked, "device_code")).await.json()["error"],
            "access_denied",
            "{way}"
        );
    }
}

#[tokio::test]
async fn the_session_ends_what_it_allowed() {
    let house = offers::house().await;
    let (person, mut browser) = offers::citizen(&house).await;
    let asked = ask(&house, &[]).await.json();
    let confirm = type_code(&mut browser, &text(&asked, "user_code"))
        .await
        .location();
    let begun = decide(&mut browser, confirm.path(), "allow")
        .await
        .location();
    browser.get(begun.path()).await.location();
    hefu::session::end_all(
        &mut house.store.read().await.unwrap(),
        &person,
        None,
        hefu::session::End::SignedOut,
        house.now(),
    )
    .await
    .unwrap();
    assert_eq!(
        poll(&house, &text(&asked, "device_code")).await.json()["error"],
        "access_denied"
    );
}

#[tokio::test]
async fn polls_keep_their_pace_and_codes_their_time() {
    let house = offers::house().await;
    let asked = ask(&house, &[]).await.json();
    let code = text(&asked, "device_code");
    let error = async || text(&poll(&house, &code).await.json(), "error");
    assert_eq!(error().await, "authorization_pending");
    house.clock.advance(4);
    assert_eq!(error().await, "slow_down");
    // The pause is ten seconds now, for good.
    house.clock.advance(5);
    assert_eq!(error().await, "slow_down");
    house.clock.advance(6);
    assert_eq!(error().await, "authorization_pending");
    house.clock.advance(600);
    assert_eq!(error().await, "expired_token");
    for (form, told) in [
        (vec![("device_code", "unknown")], "invalid_grant"),
        (vec![], "invalid_request"),
    ] {
        let mut form = form;
        form.extend([("grant_type", GRANT_TYPE), ("client_id", "tv")]);
        assert_eq!(
            house.post("/token", &form, None).await.json()["error"],
            told
        );
    }
    // Of another client.
    let fresh = text(&ask(&house, &[]).await.json(), "device_code");
    let form = [("grant_type", GRANT_TYPE), ("device_code", fresh.as_str())];
    assert_eq!(
        offers::shop(&house, &form).await.json()["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn who_may_ask_and_for_what() {
    let house = offers::house().await;
    for (more, error) in [
        (vec![("scope", "profile")], "invalid_scope"),
        (vec![("resource", "https://evil.example")], "invalid_target"),
        (
            vec![("authorization_details", "[{}]")],
            "invalid_authorization_details",
        ),
        (vec![("max_age", "x")], "invalid_request"),
        (vec![("x", "1"), ("x", "2")], "invalid_request"),
    ] {
        assert_eq!(ask(&house, &more).await.json()["error"], error, "{more:?}");
    }
    let form = [("client_id", "spa"), ("scope", "openid")];
    let answer = house.post("/device_authorization", &form, None).await;
    assert_eq!(answer.json()["error"], "unauthorized_client");
    let answer = house
        .post("/device_authorization", &[("scope", "openid")], None)
        .await;
    assert_eq!(answer.json()["error"], "invalid_client");
    // Where it is off there is nothing.
    let off = TestHouse::new().await;
    assert_eq!(ask(&off, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        off.browser().get("/device").await.status,
        StatusCode::NOT_FOUND
    );
    let form = [
        ("grant_type", GRANT_TYPE),
        ("device_code", "x"),
        ("client_id", "spa"),
    ];
    assert_eq!(
        off.post("/token", &form, None).await.json()["error"],
        "unsupported_grant_type"
    );
}

#[tokio::test]
async fn guessing_ends_after_five() {
    let house = offers::house().await;
    let (person, mut browser) = offers::citizen(&house).await;
    let user_code = text(&ask(&house, &[]).await.json(), "user_code");
    // A right code forgives the wrong ones before it.
    for typed in [
        "BCDF-GHJK",
        "nonsense",
        &user_code,
        "BCDF-GHJK",
        "",
        "合",
        "x",
        "BCDF-GHJL",
    ] {
        let answer = type_code(&mut browser, typed).await;
        if typed == user_code {
            assert_eq!(answer.status, StatusCode::SEE_OTHER);
        } else {
            assert!(answer.body.contains("user-code-problem"), "{typed}");
        }
    }
    let locked = type_code(&mut browser, &user_code).await;
    assert_eq!(locked.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(locked.body.contains("15"), "the page says how long");
    // Another login of the same person is another; the source has a limit of its own.
    let (_, mut other) = house.session(&person, &[Factor::Password]).await;
    assert_eq!(
        type_code(&mut other, &user_code).await.status,
        StatusCode::SEE_OTHER
    );
    let mut conn = house.store.read().await.unwrap();
    for _ in 0..100 {
        throttle::count(
            &mut conn,
            &*house.ring,
            SOURCE_LIMIT,
            &["192.0.2.1"],
            house.now(),
        )
        .await
        .unwrap();
    }
    drop(conn);
    let (_, mut other) = house.session(&person, &[Factor::Password]).await;
    assert_eq!(
        type_code(&mut other, &user_code).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    house.clock.advance(900);
    assert_eq!(
        type_code(
            &mut browser,
            &text(&ask(&house, &[]).await.json(), "user_code")
        )
        .await
        .status,
        StatusCode::SEE_OTHER
    );
}
