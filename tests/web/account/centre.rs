use super::*;
use hefu::identity::person::Appearance;
use webauthn_authenticator_rs::AuthenticatorBackend;
use webauthn_authenticator_rs::softpasskey::SoftPasskey;

impl Browser<'_> {
    /// A script's request.
    async fn script(
        &mut self,
        token: &str,
        path: &str,
        body: serde_json::Value,
    ) -> (StatusCode, serde_json::Value) {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-csrf-token", token);
        let answer = self.send(request, body.to_string()).await;
        let json = serde_json::from_str(&answer.body).unwrap_or_default();
        (answer.status, json)
    }

    async fn step_up(&mut self, phone: &str) -> Page {
        let token = self.get("/account/step-up").await.csrf();
        let page = self.post_with(&token, "/account/step-up/sms", &[]).await;
        assert!(page.has("code-form"), "{}", page.body);
        let code = self.house.code(phone);
        self.submit("/account/step-up/code", &[("code", &code)])
            .await
    }
}

#[tokio::test]
async fn a_passkey_needs_a_second_factor_to_add_and_then_logs_in() {
    let settings = config::people::People {
        account_failures_per_day: 1,
        ..config::people::People::default()
    };
    let house = TestHouse::with(settings, config::provider::Provider::default()).await;
    let mut browser = house.browser();
    browser.log_in("14000000001").await;
    let page = browser.get("/account/passkeys/add").await;
    assert_eq!(browser.at, "/account/step-up");
    assert!(page.has("step-up-sms") && page.has("step-up-reason"));
    let before = browser.session().cloned();
    let page = browser.step_up("14000000001").await;
    assert_ne!(browser.session().cloned(), before, "a new handle");
    assert_eq!(browser.at, "/account/passkeys/add");
    assert!(
        page.body
            .contains("data-options-url=\"/account/passkeys/add/options\"")
    );
    let token = page
        .body
        .split("data-csrf=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();

    let mut device = SoftPasskey::new(true);
    let (status, begun) = browser
        .script(
            &token,
            "/account/passkeys/add/options",
            serde_json::json!({}),
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{begun}");
    let options: webauthn_rs_proto::CreationChallengeResponse =
        serde_json::from_value(begun["options"].clone()).unwrap();
    let credential = device
        .perform_register(ISSUER.parse().unwrap(), options.public_key, 60_000)
        .unwrap();
    let finish = serde_json::json!({"ceremony": begun["ceremony"], "name": "我的手机", "credential": credential});
    let (status, _) = browser
        .script("forged", "/account/passkeys/add/finish", finish.clone())
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, done) = browser
        .script(&token, "/account/passkeys/add/finish", finish.clone())
        .await;
    assert_eq!(status, StatusCode::OK, "{done}");
    let page = browser.get(done["next"].as_str().unwrap()).await;
    assert!(page.body.contains("我的手机"));
    let (status, _) = browser
        .script(&token, "/account/passkeys/add/finish", finish)
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "once");

    // Log in with it, in another browser, with the name typed.
    let mut other = house.browser();
    let base = other.arrive().await;
    // Also when the password door of this account is shut for the day.
    let wrong = [("username", "14000000001"), ("password", "Wrong-pass-1")];
    for status in [422, 429] {
        let page = other.submit(&format!("{base}/login"), &wrong).await;
        assert_eq!(page.status.as_u16(), status);
    }
    let token = other.get(&format!("{base}/login")).await.csrf();
    let door = format!("{base}/login/passkey");
    let (status, begun) = other
        .script(
            &token,
            &format!("{door}/options"),
            serde_json::json!({"username": "14000000001"}),
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    let options: webauthn_rs_proto::RequestChallengeResponse =
        serde_json::from_value(begun["options"].clone()).unwrap();
    let credential = device
        .perform_auth(ISSUER.parse().unwrap(), options.public_key, 60_000)
        .unwrap();
    let finish = serde_json::json!({"ceremony": begun["ceremony"], "credential": credential});
    let (status, done) = other
        .script(&token, &format!("{door}/finish"), finish.clone())
        .await;
    assert_eq!(status, StatusCode::OK, "{done}");
    let page = other
        .get(done["next"].as_str().unwrap().trim_start_matches(ISSUER))
        .await;
    assert!(page.has("person-name"));
    let (status, _) = other
        .script(&token, &format!("{door}/finish"), finish)
        .await;
    assert_ne!(status, StatusCode::OK, "once");
    // An unknown name gets options of the same shape.
    let (_, unknown) = house.browser_at_login().await.options("13900000000").await;
    assert_eq!(
        unknown["options"]["publicKey"]["allowCredentials"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );

    // Rename, remove.
    let handle = page
        .body
        .split("data-passkey=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let rename = format!("/account/passkeys/{handle}/rename");
    let page = other
        .submit(&rename, &[("passkey-name", "\u{202e}x")])
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = other.submit(&rename, &[("passkey-name", "<旧手机>")]).await;
    assert!(
        page.body.contains("&#60;旧手机&#62;") || page.body.contains("&lt;旧手机&gt;"),
        "{}",
        page.body
    );
    let remove = format!("/account/passkeys/{handle}/remove");
    let mut stranger = house.browser();
    stranger.log_in("14000000002").await;
    assert_eq!(stranger.get(&remove).await.status, StatusCode::NOT_FOUND);
    let page = other.submit(&remove, &[]).await;
    assert!(!page.body.contains("data-passkey"), "{}", page.body);
}

impl TestHouse {
    async fn browser_at_login(&self) -> AtLogin<'_> {
        let mut browser = self.browser();
        let base = browser.arrive().await;
        AtLogin { browser, base }
    }
}

struct AtLogin<'h> {
    browser: Browser<'h>,
    base: String,
}

impl AtLogin<'_> {
    async fn options(&mut self, username: &str) -> (StatusCode, serde_json::Value) {
        let token = self
            .browser
            .get(&format!("{}/login", self.base))
            .await
            .csrf();
        let path = format!("{}/login/passkey/options", self.base);
        self.browser
            .script(&token, &path, serde_json::json!({ "username": username }))
            .await
    }
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let house = TestHouse::new().await;
    let (mut here, mut there) = (house.browser(), house.browser());
    here.log_in("14000000001").await;
    there.log_in("14000000001").await;
    let page = here.get("/account").await;
    assert_eq!(page.body.matches("data-session=").count(), 2);
    here.submit("/account/sessions/end-others", &[]).await;
    assert!(there.get("/account").await.has("login-form"));
    let page = here.get("/account").await;
    let own = page
        .body
        .split("data-session=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    // Somebody else's session is nobody's.
    let mut stranger = house.browser();
    stranger.log_in("14000000002").await;
    let path = format!("/account/sessions/{own}/end");
    assert_eq!(stranger.get(&path).await.status, StatusCode::NOT_FOUND);
    let page = here.submit(&path, &[]).await;
    assert!(page.has("login-form") && here.session().is_none());
}

#[tokio::test]
async fn a_password_is_changed_with_a_second_factor_and_the_old_one() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    browser.log_in("14000000001").await;
    browser.get("/account/password").await;
    assert_eq!(browser.at, "/account/step-up");
    let page = browser.step_up("14000000001").await;
    assert!(page.has("password-form"), "{}", page.body);
    let change = |current, new| {
        [
            ("current-password", current),
            ("new-password", new),
            ("repeat-password", new),
        ]
    };
    for (current, new) in [
        ("Wrong-pass-1", "Brand-new-2027"),
        (PASSWORD, "测试甲Abc-77"),
        (PASSWORD, "short"),
    ] {
        let page = browser
            .submit("/account/password", &change(current, new))
            .await;
        assert_eq!(
            page.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{current} {new}"
        );
    }
    browser
        .submit("/account/password", &change(PASSWORD, "Brand-new-2027"))
        .await;
    assert_eq!(browser.at, "/account?notice=password-changed");
    let mut old = house.browser();
    assert_eq!(
        old.log_in("14000000001").await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

#[tokio::test]
async fn the_phone_is_changed_by_a_code_to_the_new_one() {
    let house = TestHouse::new().await;
    let id = house.holder_of("14000000001").await.unwrap();
    let mut browser = house.browser();
    browser.log_in("14000000001").await;
    browser.get("/account/phone").await;
    browser.step_up("14000000001").await;
    assert_eq!(browser.at, "/account/phone");
    let page = browser
        .submit("/account/phone", &[("phone", "13900000005")])
        .await;
    assert!(page.has("code-form"));
    let code = house.code("13900000005");
    browser
        .submit("/account/phone/code", &[("code", &code)])
        .await;
    assert_eq!(browser.at, "/account?notice=phone-changed");
    assert_eq!(house.holder_of("13900000005").await, Some(id));
    assert_eq!(house.holder_of("14000000001").await, None);
}

#[tokio::test]
async fn an_old_proof_does_not_allow_a_sensitive_act() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    browser.create("14000000006").await;
    assert!(
        browser.get("/account/phone").await.has("phone-form"),
        "just proven twice"
    );
    house.clock.advance(16 * 60);
    browser.get("/account/phone").await;
    assert_eq!(browser.at, "/account/step-up");
    let page = browser
        .submit("/account/step-up", &[("password", PASSWORD)])
        .await;
    assert!(page.has("phone-form"), "{}", page.body);
}

#[tokio::test]
async fn how_pages_look_is_the_accounts_and_holds_on_every_device() {
    const ELDER: &str = "data-mode=\"elder\"";
    const ENGLISH: &str = "<html lang=\"en\"";
    let house = TestHouse::new().await;
    let mut phone = house.browser();
    let page = phone.log_in("14000000001").await;
    assert!(page.has("appearance-form") && !page.body.contains(ELDER));

    // The switches on top are links: they change this browser, not the account.
    let page = phone.get("/preferences?mode=elder&back=/account").await;
    assert!(page.body.contains(ELDER));
    let page = house.browser().log_in("14000000001").await;
    assert!(!page.body.contains(ELDER));

    let save = |mode, lang| [("mode", mode), ("lang", lang)];
    let token = page_token(&mut phone).await;
    for (token, form, status) in [
        ("forged", save("elder", "en"), StatusCode::FORBIDDEN),
        (&*token, save("huge", "en"), StatusCode::BAD_REQUEST),
        (&*token, save("elder", "fr"), StatusCode::BAD_REQUEST),
    ] {
        let page = phone.post_with(token, "/account/appearance", &form).await;
        assert_eq!(page.status, status, "{form:?}");
    }
    let id = house.holder_of("14000000001").await.unwrap();
    assert_eq!(house.person(&id).await.appearance, Appearance::default());

    let page = phone
        .post_with(&token, "/account/appearance", &save("elder", "en"))
        .await;
    assert!(page.has("notice") && page.body.contains(ELDER) && page.body.contains(ENGLISH));
    // Another device: as soon as it knows who is there, on the first page and on those that ask for more.
    let mut desk = house.browser();
    let page = desk.log_in("14000000001").await;
    assert!(page.body.contains(ELDER) && page.body.contains(ENGLISH));
    let page = desk.get("/account/password").await;
    assert!(page.has("step-up-reason"));
    assert!(page.body.contains(ELDER) && page.body.contains(ENGLISH));
    let token = page.csrf();
    desk.post_with(&token, "/account/step-up/sms", &[]).await;
    let page = desk.get("/logout").await;
    assert!(page.has("logout-confirm"));
    assert!(page.body.contains(ELDER) && page.body.contains(ENGLISH));
    let sms = house.messages("14000000001");
    assert!(
        sms.iter().any(|text| text.contains("Your code is")),
        "{sms:?}"
    );
    // What is chosen in a browser holds there.
    let page = desk.get("/preferences?mode=standard&back=/account").await;
    assert!(!page.body.contains(ELDER) && page.body.contains(ENGLISH));

    // Back again, in the same way.
    let token = page_token(&mut phone).await;
    let page = phone
        .post_with(&token, "/account/appearance", &save("standard", "zh-CN"))
        .await;
    assert!(!page.body.contains(ELDER) && !page.body.contains(ENGLISH));
    let page = house.browser().log_in("14000000001").await;
    assert!(!page.body.contains(ELDER) && !page.body.contains(ENGLISH));
    let changes: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM audit_events WHERE kind = 'person.appearance_changed'",
    )
    .fetch_one(&mut *house.store.read().await.unwrap())
    .await
    .unwrap();
    assert_eq!(changes, 2);
}

async fn page_token(browser: &mut Browser<'_>) -> String {
    browser.get("/account").await.csrf()
}

#[tokio::test]
async fn contact_details_are_told_changed_and_taken_back() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    browser.log_in("14000000001").await;
    let id = house.holder_of("14000000001").await.unwrap();
    let told = async || {
        let mut conn = house.store.read().await.unwrap();
        hefu::identity::details::all(&mut conn, &*house.ring, &id)
            .await
            .unwrap()
    };
    assert!(browser.get("/account").await.has("change-details"));
    let form = |nickname, email, address| {
        [
            ("nickname", nickname),
            ("email", email),
            ("address", address),
        ]
    };
    // Nothing of a form with a mistake is kept, and what was typed stays.
    for (bad, problem) in [
        (form("小甲", "jia@", ""), "email-problem"),
        (form("小\u{202e}甲", "", ""), "nickname-problem"),
        (form("", "", "某路\u{0}"), "address-problem"),
    ] {
        let page = browser.submit("/account/details", &bad).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.has(problem), "{problem}");
        assert!(told().await.0.is_empty());
    }
    let good = form(" 小甲 <b>", "jia@example.cn", "某市某路 1 号");
    browser.submit("/account/details", &good).await;
    assert_eq!(browser.at, "/account?notice=details-saved");
    let (kept, at) = told().await;
    assert_eq!(
        serde_json::Value::Object(kept),
        serde_json::json!({"nickname": "小甲 <b>", "email": "jia@example.cn", "address": {"formatted": "某市某路 1 号"}})
    );
    let page = browser.get("/account/details").await;
    assert!(page.body.contains("小甲 &#60;b&#62;") && page.body.contains("某市某路 1 号"));
    // Saved again unchanged, nothing is newer; emptied, it is gone.
    house.clock.advance(60);
    browser.submit("/account/details", &good).await;
    assert_eq!(told().await.1, at);
    browser
        .submit("/account/details", &form("", "jia@example.cn", ""))
        .await;
    let (kept, _) = told().await;
    assert_eq!(
        serde_json::Value::Object(kept),
        serde_json::json!({"email": "jia@example.cn"})
    );
}

#[tokio::test]
async fn a_platform_that_nobody_vouches_for_any_more_is_said_to_have_ended() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    browser.log_in("14000000001").await;
    let mut conn = house.store.read().await.unwrap();
    let person: String = sqlx::query_scalar("SELECT subject FROM sessions")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    let yes = hefu::consent::Yes {
        person: &hefu::id::PersonId(person),
        client: &hefu::id::ClientId("https://leaf.example".to_owned()),
        scope: &hefu::oauth::Scope::parse("openid real_name").unwrap(),
        claims: &std::collections::BTreeSet::new(),
        platform: "粤省事",
        lifetime: 1000,
    };
    let now = house.clock.now();
    hefu::consent::give(&mut conn, &mut RngSource::System.rng(), &yes, now)
        .await
        .unwrap();
    let ends = |page: &Page| page.body.contains("id=\"platform-ended-");
    drop(conn);
    assert!(!ends(&browser.get("/account").await));
    sqlx::query("INSERT INTO federation_clients (client, vouched_until, ended_at) VALUES ('https://leaf.example', $1, $1)")
        .bind(now)
        .execute(&mut *house.store.read().await.unwrap())
        .await
        .unwrap();
    assert!(ends(&browser.get("/account").await));
}
