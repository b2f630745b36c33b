use super::*;

#[tokio::test]
async fn a_new_account_is_made_once() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    let before = house.count("persons").await;
    let page = browser.create("14000000006").await;
    assert_eq!(browser.at, "/account", "{}", page.body);
    assert_eq!(house.count("persons").await, before + 1);
    let id = house.holder_of("14000000006").await.unwrap();
    assert!(!house.person(&id).await.has_real_name());
}

#[tokio::test]
async fn one_can_stop_after_the_code_and_come_back() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    let base = browser.arrive().await;
    browser.prove_phone(&base, "/create", "14000000006").await;
    let weak = format!("{base}/create/password");
    for (new, repeat) in [
        ("short", "short"),
        ("aaaaaaaaaaaa", "aaaaaaaaaaaa"),
        ("P@ssw0rd", "P@ssw0rd"),
        ("My-14000000006", "My-14000000006"),
        (PASSWORD, "Hefu-demo-2027"),
        ("", ""),
    ] {
        let page = browser
            .submit(&weak, &[("new-password", new), ("repeat-password", repeat)])
            .await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{new}");
        assert!(page.has("problems"));
        assert!(new.is_empty() || !page.body.contains(&format!("value=\"{new}\"")));
    }
    assert!(house.holder_of("14000000006").await.is_none());
    house.clock.advance(600);
    assert!(
        browser
            .get(&format!("{base}/create"))
            .await
            .has("password-form")
    );
    // Without the browser's cookie nobody goes on in its place.
    let mut thief = house.browser();
    let page = thief.get(&weak).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.has("error-code"));
}

#[tokio::test]
async fn a_number_with_an_account_asks_whose_it_is_and_leaves_the_old_account() {
    let house = TestHouse::new().await;
    let old = house.holder_of("14000000001").await.unwrap();
    let mut browser = house.browser();
    let base = browser.arrive().await;
    let page = browser.prove_phone(&base, "/create", "14000000001").await;
    assert!(page.has("phone-taken-mine") && page.has("phone-taken-new"));
    // Going around the question does not help.
    assert!(
        browser
            .get(&format!("{base}/create/password"))
            .await
            .has("phone-taken-form")
    );
    let page = browser.submit(&format!("{base}/create/taken"), &[]).await;
    assert!(page.has("password-form"));
    let password = format!("{base}/create/password");
    let fields = [("new-password", PASSWORD), ("repeat-password", PASSWORD)];
    browser.submit(&password, &fields).await;
    assert_eq!(browser.at, "/account");
    let new = house.holder_of("14000000001").await.unwrap();
    assert_ne!(new, old);
    let old = house.person(&old).await;
    assert!(old.phone.is_none() && old.has_real_name());
    assert!(!house.person(&new).await.has_real_name());
}

#[tokio::test]
async fn a_wrong_code_is_tried_five_times() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    let base = browser.arrive().await;
    browser
        .submit(&format!("{base}/create"), &[("phone", "14000000006")])
        .await;
    let code = house.code("14000000006");
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let door = format!("{base}/create/code");
    for typed in ["", wrong, "12", "<b>", wrong, wrong, "９９９９９９９"] {
        let page = browser.submit(&door, &[("code", typed)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let page = browser.submit(&door, &[("code", &code)]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        browser
            .get(&format!("{base}/create/password"))
            .await
            .has("phone-form")
    );
}
