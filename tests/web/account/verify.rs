use super::*;

const JI: [(&str, &str); 2] = [("name", "测试己"), ("number", "219999197908080072")];

#[tokio::test]
async fn name_number_and_phone_together_bind() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    browser.create("14000000006").await;
    let page = browser.submit("/account/verify", &JI).await;
    assert_eq!(browser.at, "/account?notice=verified", "{}", page.body);
    let id = house.holder_of("14000000006").await.unwrap();
    let person = house.person(&id).await;
    assert!(person.has_real_name() && !person.provisional);
    assert_eq!(person.number.unwrap().plain(), JI[1].1);
}

#[tokio::test]
async fn what_fails_is_said_and_leaves_nothing() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    browser.create("14000000006").await;
    let documents = house.count("documents").await;
    for (name, number) in [
        ("测试己", "219999197908080073"),
        ("测试己", "219999790808007"),
        ("测试己", ""),
        ("", JI[1].1),
        ("<b>测试</b>", JI[1].1),
        ("测试\u{202e}己", JI[1].1),
        ("测试己", "449999209901010010"),
        // Well-formed, but not theirs: name of another, phone of another, nobody's.
        ("测试庚", JI[1].1),
        ("𠮷测试", "44999919700101001X"),
        ("测试己", "11010519491231002X"),
    ] {
        let page = browser
            .submit("/account/verify", &[("name", name), ("number", number)])
            .await;
        assert_eq!(
            page.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{name} {number}"
        );
        assert!(page.has("problems") && page.has("verify-form"));
        assert!(!page.body.contains("<b>测试"));
    }
    for fault in [
        SourceError::Slow,
        SourceError::Down("x".to_owned()),
        SourceError::Garbled,
    ] {
        *house.register.fault.lock().unwrap() = Some(fault);
        let page = browser.submit("/account/verify", &JI).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(page.body.contains(JI[1].1), "what was typed stays");
    }
    assert_eq!(house.count("documents").await, documents);
    assert_eq!(house.count("evidence").await, 5);
    // Another try is allowed.
    *house.register.fault.lock().unwrap() = None;
    browser.submit("/account/verify", &JI).await;
    assert_eq!(browser.at, "/account?notice=verified");
}

/// A father pays for his daughter's phone: it will never match her name, and she is not sent away.
#[tokio::test]
async fn whose_phone_is_in_anothers_name_may_leave_it_out_and_stays_provisional() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    browser.create("13900000009").await;
    let id = house.holder_of("13900000009").await.unwrap();
    let page = browser.submit("/account/verify", &JI).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.body.contains("id=\"verify-without-phone\" open"));
    let two = [JI[0], JI[1], ("method", "match2")];
    let page = browser.submit("/account/verify", &two).await;
    assert_eq!(browser.at, "/account?notice=provisional", "{}", page.body);
    let person = house.person(&id).await;
    assert!(person.provisional && !person.has_real_name());
    assert_eq!(person.number.unwrap().plain(), JI[1].1);
    // Asked again she reads what is missing, and is not offered the same once more.
    let page = browser.get("/account/verify").await;
    assert!(page.has("verify-provisional") && !page.has("verify-submit-match2"));
    // With a phone in her own name it becomes final.
    house
        .register
        .phones
        .lock()
        .unwrap()
        .insert(JI[1].1.to_owned(), "13900000009".to_owned());
    browser.submit("/account/verify", &JI).await;
    assert_eq!(browser.at, "/account?notice=verified");
    let person = house.person(&id).await;
    assert!(!person.provisional && person.has_real_name());
}

#[tokio::test]
async fn guessing_is_limited() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    browser.create("14000000006").await;
    let wrong = [("name", "测试庚"), ("number", JI[1].1)];
    for _ in 0..10 {
        browser.submit("/account/verify", &wrong).await;
    }
    let asked = *house.register.asked.lock().unwrap();
    let page = browser.submit("/account/verify", &JI).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(*house.register.asked.lock().unwrap(), asked);
    house.clock.advance(86_401);
    assert!(browser.log_in("14000000006").await.has("verify-start"));
    browser.submit("/account/verify", &JI).await;
    assert_eq!(browser.at, "/account?notice=verified");
}

#[tokio::test]
async fn a_child_is_refused_politely_and_a_minor_is_not() {
    let house = TestHouse::new().await;
    let mut child = house.browser();
    child.create("14000000010").await;
    let page = child
        .submit(
            "/account/verify",
            &[("name", "测试癸"), ("number", "509999201806010098")],
        )
        .await;
    assert!(page.has("too-young"));
    assert_eq!(*house.register.asked.lock().unwrap(), 0);
    let mut minor = house.browser();
    minor.create("14000000012").await;
    minor
        .submit(
            "/account/verify",
            &[("name", "测试子"), ("number", "449999201009010080")],
        )
        .await;
    assert_eq!(minor.at, "/account?notice=verified");
}

#[tokio::test]
async fn a_second_comer_with_the_same_strength_is_led_to_recovery() {
    let house = TestHouse::new().await;
    // The citizen has a new phone, which the register knows.
    let number = "449999195003010014";
    house
        .register
        .phones
        .lock()
        .unwrap()
        .insert(number.to_owned(), "13900000009".to_owned());
    let mut browser = house.browser();
    browser.create("13900000009").await;
    let page = browser
        .submit("/account/verify", &[("name", "测试甲"), ("number", number)])
        .await;
    assert_eq!(browser.at, "/account/verify/existing");
    assert!(page.has("takeover-recover") && !page.has("takeover-form"));
    let token = page.body.split("csrf_token").next().map(str::to_owned);
    assert!(token.is_some());
    // Posting anyway changes nothing.
    let csrf = browser.get("/account/verify").await.csrf();
    browser
        .post_with(&csrf, "/account/verify/existing", &[])
        .await;
    let id = house.holder_of("13900000009").await.unwrap();
    assert!(!house.person(&id).await.has_real_name());
}

#[tokio::test]
async fn the_stronger_proof_takes_the_document_and_ends_the_squatters_sessions() {
    let house = TestHouse::new().await;
    // The squatter knows name and number; the account lost its phone, so two things are matched.
    let mut squatter = house.browser();
    squatter.create("13900000001").await;
    let squatters = house.holder_of("13900000001").await.unwrap();
    person::detach_phone(&mut house.store.read().await.unwrap(), &squatters)
        .await
        .unwrap();
    squatter.submit("/account/verify", &JI).await;
    let weak = house.person(&squatters).await;
    assert!(weak.provisional && !weak.has_real_name());

    let mut owner = house.browser();
    owner.create("14000000006").await;
    let page = owner.submit("/account/verify", &JI).await;
    assert!(page.has("takeover-form"), "{}", page.body);
    let owners = house.holder_of("14000000006").await.unwrap();
    assert!(!house.person(&owners).await.has_real_name(), "asked first");
    owner.submit("/account/verify/existing", &[]).await;
    assert_eq!(owner.at, "/account?notice=verified");
    assert!(house.person(&owners).await.has_real_name());
    let lost = house.person(&squatters).await;
    assert!(lost.name.is_none() && lost.number.is_none() && !lost.provisional);
    assert!(
        squatter.get("/account").await.has("login-form"),
        "signed out"
    );
    house.notices_settled(0).await;
    assert_eq!(
        house.messages("14000000006").len(),
        2,
        "the code and the notice"
    );
    let moved: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM audit_events WHERE kind = 'person.identity_moved' AND subject = $1 AND actor = $2",
    )
    .bind(&squatters)
    .bind(&owners)
    .fetch_one(&mut *house.store.read().await.unwrap())
    .await
    .unwrap();
    assert_eq!(moved, 1);
}

#[tokio::test]
async fn a_proof_that_waits_is_nobody_elses() {
    let house = TestHouse::new().await;
    let mut squatter = house.browser();
    squatter.create("13900000001").await;
    let squatters = house.holder_of("13900000001").await.unwrap();
    person::detach_phone(&mut house.store.read().await.unwrap(), &squatters)
        .await
        .unwrap();
    squatter.submit("/account/verify", &JI).await;
    house.browser().create("13900000002").await;
    let thief = house.holder_of("13900000002").await.unwrap();

    // One browser, two people, three logins under way.
    let mut browser = house.browser();
    let open = browser.arrive().await;
    let other = browser.arrive().await;
    browser.create("14000000006").await;
    let page = browser.submit(&format!("{open}/verify"), &JI).await;
    assert!(page.has("takeover-form"), "{}", page.body);
    browser
        .submit(
            &format!("{other}/login"),
            &[("username", "13900000002"), ("password", PASSWORD)],
        )
        .await;
    let token = browser.get(&format!("{open}/verify")).await.csrf();
    browser
        .post_with(&token, &format!("{open}/verify/existing"), &[])
        .await;
    assert!(!house.person(&thief).await.has_real_name());
    assert!(house.person(&squatters).await.provisional);
}

#[tokio::test]
async fn a_phone_that_leaves_while_the_register_is_asked_binds_nothing() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    browser.create("14000000006").await;
    let id = house.holder_of("14000000006").await.unwrap();
    let documents = house.count("documents").await;
    *house.register.meanwhile.lock().unwrap() = Some((house.store.clone(), id.clone()));
    let page = browser.submit("/account/verify", &JI).await;
    assert!(page.has("verify-form"), "{}", page.body);
    let person = house.person(&id).await;
    assert!(person.phone.is_none() && person.number.is_none() && !person.has_real_name());
    assert_eq!(house.count("documents").await, documents);
}

#[tokio::test]
async fn a_phone_that_leaves_before_the_yes_takes_nothing_over() {
    let house = TestHouse::new().await;
    let mut squatter = house.browser();
    squatter.create("13900000001").await;
    let squatters = house.holder_of("13900000001").await.unwrap();
    let take_phone = async |id: &PersonId| {
        let mut conn = house.store.read().await.unwrap();
        person::detach_phone(&mut conn, id).await.unwrap();
    };
    take_phone(&squatters).await;
    squatter.submit("/account/verify", &JI).await;

    let mut owner = house.browser();
    owner.create("14000000006").await;
    let page = owner.submit("/account/verify", &JI).await;
    assert!(page.has("takeover-form"), "{}", page.body);
    let owners = house.holder_of("14000000006").await.unwrap();
    take_phone(&owners).await;
    let page = owner.submit("/account/verify/existing", &[]).await;
    assert!(page.has("verify-form"), "{}", page.body);
    assert!(house.person(&owners).await.number.is_none());
    assert!(house.person(&squatters).await.provisional);
}
