use super::*;

#[tokio::test]
async fn a_password_logs_in_under_a_new_handle() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    // A handle planted before the login is worth nothing after it.
    browser
        .cookies
        .insert("hefu_session".to_owned(), "planted".repeat(6));
    let page = browser.log_in("14000000001").await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(browser.at, "/account");
    for id in ["person-name", "person-number", "card-sessions", "sign-out"] {
        assert!(page.has(id), "{id}");
    }
    assert!(page.body.contains("测*甲") && page.body.contains("4499**********0014"));
    assert!(!page.body.contains("测试甲") && !page.body.contains("449999195003010014"));
    let first = browser.session().unwrap().clone();
    assert_ne!(first, "planted".repeat(6));
}

#[tokio::test]
async fn wrong_and_unknown_look_the_same_and_change_nothing() {
    let house = TestHouse::new().await;
    let mut shown = Vec::new();
    for username in ["14000000001", "13900000000", "nobody", "+8614000000001x"] {
        let mut browser = house.browser();
        let base = browser.arrive().await;
        let page = browser
            .submit(
                &format!("{base}/login"),
                &[("username", username), ("password", "Wrong-pass-1")],
            )
            .await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(browser.session().is_none());
        let token = page.csrf();
        shown.push(
            page.body
                .replace(username, "USER")
                .replace(&token, "TOKEN")
                .replace(&base, "BASE")
                .replace(&base.replace('/', "%2F"), "BASE"),
        );
    }
    assert!(shown.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(house.count("sessions").await, 0);
}

#[tokio::test]
async fn five_failures_from_here_and_the_right_password_must_wait() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    let base = browser.arrive().await;
    let door = format!("{base}/login");
    for _ in 0..5 {
        let page = browser
            .submit(
                &door,
                &[("username", "140 0000 0001"), ("password", "Wrong-pass-1")],
            )
            .await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let right = [("username", "14000000001"), ("password", PASSWORD)];
    assert_eq!(
        browser.submit(&door, &right).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
    // Unknown accounts lock in the same way; others are not kept out.
    let mut other = house.browser();
    assert_eq!(other.log_in("14000000002").await.status, StatusCode::OK);
    house.clock.advance(901);
    assert_eq!(browser.submit(&door, &right).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_source_that_fails_on_many_accounts_must_wait_and_others_need_not() {
    let settings = config::people::People {
        source_failures: 3,
        ..config::people::People::default()
    };
    let house = TestHouse::with(settings, config::provider::Provider::default()).await;
    let mut guesser = house.browser_at("192.0.2.1");
    let base = guesser.arrive().await;
    let door = format!("{base}/login");
    for username in ["14000000001", "14000000002", "13900000000"] {
        let page = guesser
            .submit(
                &door,
                &[("username", username), ("password", "Wrong-pass-1")],
            )
            .await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{username}");
    }
    let right = [("username", "14000000004"), ("password", PASSWORD)];
    let page = guesser.submit(&door, &right).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(page.has("problems"));
    assert!(guesser.session().is_none());
    assert_eq!(house.count("sessions").await, 0);
    // Another browser behind the same address waits as well; one elsewhere gets in.
    let page = house.browser_at("192.0.2.1").log_in("14000000004").await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    let page = house.browser_at("192.0.2.2").log_in("14000000004").await;
    assert_eq!(page.status, StatusCode::OK);
    house.clock.advance(901);
    assert_eq!(guesser.submit(&door, &right).await.status, StatusCode::OK);
}

#[tokio::test]
async fn many_addresses_share_the_tries_of_an_account_and_its_other_doors_stay_open() {
    let settings = config::people::People {
        account_failures_per_day: 4,
        ..config::people::People::default()
    };
    let house = TestHouse::with(settings, config::provider::Provider::default()).await;
    let mut shown = Vec::new();
    for username in ["14000000001", "13900000000"] {
        let mut answers = Vec::new();
        for n in 1..=6 {
            let mut browser = house.browser_at(&format!("192.0.2.{n}"));
            let base = browser.arrive().await;
            // The right one, once nobody may try any more.
            let password = if n > 4 { PASSWORD } else { "Wrong-pass-1" };
            let page = browser
                .submit(
                    &format!("{base}/login"),
                    &[("username", username), ("password", password)],
                )
                .await;
            answers.push(page.status.as_u16());
            if n == 6 {
                shown.push(
                    page.body
                        .replace(username, "USER")
                        .replace(&page.csrf(), "TOKEN")
                        .replace(&base, "BASE")
                        .replace(&base.replace('/', "%2F"), "BASE"),
                );
            }
        }
        assert_eq!(answers, [422, 422, 422, 422, 429, 429], "{username}");
    }
    assert_eq!(shown[0], shown[1], "an account and none look the same");
    assert_eq!(house.count("sessions").await, 0);
    // Another account is not kept out.
    let page = house.browser_at("192.0.2.5").log_in("14000000002").await;
    assert_eq!(page.status, StatusCode::OK);
    // By code, and then by the password as a second factor: a stranger's tries do not count there.
    let mut browser = house.browser_at("192.0.2.7");
    let base = browser.arrive().await;
    let page = browser
        .prove_phone(&base, "/login/sms", "14000000001")
        .await;
    assert!(page.has("step-up-password-form"), "{}", page.body);
    let second = format!("{base}/login/second");
    let page = browser.submit(&second, &[("password", PASSWORD)]).await;
    assert!(page.has("person-name"), "{}", page.body);
    house.clock.advance(86_401);
    let page = house.browser_at("192.0.2.1").log_in("14000000001").await;
    assert_eq!(page.status, StatusCode::OK);
}

#[tokio::test]
async fn one_address_that_must_wait_does_not_shut_an_account_for_the_others() {
    let settings = config::people::People {
        account_failures_per_day: 8,
        ..config::people::People::default()
    };
    let house = TestHouse::with(settings, config::provider::Provider::default()).await;
    let mut stranger = house.browser_at("192.0.2.1");
    let base = stranger.arrive().await;
    let wrong = [("username", "14000000001"), ("password", "Wrong-pass-1")];
    for n in 0..20 {
        let page = stranger.submit(&format!("{base}/login"), &wrong).await;
        assert_eq!(page.status.as_u16(), if n < 5 { 422 } else { 429 });
    }
    let page = house.browser_at("192.0.2.2").log_in("14000000001").await;
    assert_eq!(page.status, StatusCode::OK);
}

#[tokio::test]
async fn a_code_alone_does_not_open_an_account_with_a_real_name() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    let base = browser.arrive().await;
    let page = browser
        .prove_phone(&base, "/login/sms", "14000000001")
        .await;
    assert!(page.has("step-up-reason") && page.has("step-up-password-form"));
    assert!(browser.session().is_none());
    let second = format!("{base}/login/second");
    let page = browser
        .submit(&second, &[("password", "Wrong-pass-1")])
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = browser.submit(&second, &[("password", PASSWORD)]).await;
    assert!(page.has("person-name"), "{}", page.body);
    let proofs: String = sqlx::query_scalar("SELECT proofs FROM sessions")
        .fetch_one(&mut *house.store.read().await.unwrap())
        .await
        .unwrap();
    assert!(proofs.contains("sms") && proofs.contains("password"));
}

#[tokio::test]
async fn a_code_sent_to_nobody_leads_to_a_new_account() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    let base = browser.arrive().await;
    let page = browser
        .prove_phone(&base, "/login/sms", "13900000001")
        .await;
    assert!(page.has("password-form"));
    assert!(browser.session().is_none());
}

#[tokio::test]
async fn codes_wait_a_minute_and_a_broken_gateway_is_said() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    let base = browser.arrive().await;
    let ask = format!("{base}/login/sms");
    *house.outbox.broken.lock().unwrap() = true;
    let page = browser.submit(&ask, &[("phone", "13900000001")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    *house.outbox.broken.lock().unwrap() = false;
    assert!(
        browser
            .submit(&ask, &[("phone", "13900000001")])
            .await
            .has("code-form")
    );
    let page = browser.submit(&ask, &[("phone", "13900000001")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.has("problems"));
    house.clock.advance(60);
    let token = browser.get(&format!("{ask}/code")).await.csrf();
    assert!(
        browser
            .post_with(&token, &format!("{ask}/resend"), &[])
            .await
            .has("code-form")
    );
    assert_eq!(house.messages("13900000001").len(), 2);
}
