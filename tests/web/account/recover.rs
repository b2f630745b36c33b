use super::*;

const NEW: &str = "Brand-new-2027";
const FIELDS: [(&str, &str); 2] = [("new-password", NEW), ("repeat-password", NEW)];

#[tokio::test]
async fn a_code_alone_resets_no_password_of_a_real_name() {
    let house = TestHouse::new().await;
    let mut browser = house.browser();
    let base = browser.arrive().await;
    let page = browser.prove_phone(&base, "/recover", "14000000001").await;
    assert!(page.has("verify-form"), "{}", page.body);
    // The password's door stays shut, read or written.
    let password = format!("{base}/recover/password");
    let page = browser.get(&password).await;
    assert!(page.has("phone-form"));
    let page = browser.post_with(&page.csrf(), &password, &FIELDS).await;
    assert!(page.has("phone-form"));
    let mut check = house.browser();
    assert!(check.log_in("14000000001").await.has("person-name"));
}

#[tokio::test]
async fn fresh_proof_resets_it_and_ends_the_other_sessions() {
    let house = TestHouse::new().await;
    let id = house.holder_of("14000000001").await.unwrap();
    let mut elsewhere = house.browser();
    elsewhere.log_in("14000000001").await;
    let mut browser = house.browser();
    let base = browser.arrive().await;
    browser.prove_phone(&base, "/recover", "14000000001").await;
    let proof = format!("{base}/recover/proof");
    let page = browser
        .submit(
            &proof,
            &[("name", "测试甲"), ("number", "329999196207150024")],
        )
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = browser
        .submit(
            &proof,
            &[("name", "测试甲"), ("number", "449999195003010014")],
        )
        .await;
    assert!(page.has("password-form"), "{}", page.body);
    let page = browser
        .submit(&format!("{base}/recover/password"), &FIELDS)
        .await;
    assert!(page.has("person-name"));
    assert!(elsewhere.get("/account").await.has("login-form"));
    let mut old = house.browser();
    assert_eq!(
        old.log_in("14000000001").await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(house.holder_of("14000000001").await, Some(id));
}

#[tokio::test]
async fn a_lost_phone_is_replaced_by_proof_with_the_new_one() {
    let house = TestHouse::new().await;
    let number = "449999195003010014";
    let id = house.holder_of("14000000001").await.unwrap();
    house
        .register
        .phones
        .lock()
        .unwrap()
        .insert(number.to_owned(), "13900000009".to_owned());
    let mut browser = house.browser();
    let base = browser.arrive().await;
    browser.prove_phone(&base, "/recover", "13900000009").await;
    browser
        .submit(
            &format!("{base}/recover/proof"),
            &[("name", "测试甲"), ("number", number)],
        )
        .await;
    let page = browser
        .submit(&format!("{base}/recover/password"), &FIELDS)
        .await;
    assert!(page.has("person-name"), "{}", page.body);
    assert_eq!(house.holder_of("13900000009").await, Some(id));
    assert_eq!(house.holder_of("14000000001").await, None);
    house.notices_settled(0).await;
    assert_eq!(
        house.messages("14000000001").len(),
        1,
        "the old phone is told"
    );
}

#[tokio::test]
async fn an_account_without_a_real_name_needs_its_phone_only() {
    let house = TestHouse::new().await;
    house.browser().create("14000000006").await;
    house.clock.advance(120);
    let mut browser = house.browser();
    let page = browser.get("/recover").await;
    assert!(page.has("phone-form"));
    let base = browser.at.strip_suffix("/recover").unwrap().to_owned();
    let page = browser.prove_phone(&base, "/recover", "14000000006").await;
    assert!(page.has("password-form"));
    browser
        .submit(&format!("{base}/recover/password"), &FIELDS)
        .await;
    assert_eq!(browser.at, "/account");
}

#[tokio::test]
async fn a_code_given_before_the_real_name_resets_no_password_after_it() {
    let house = TestHouse::new().await;
    let mut owner = house.browser();
    owner.create("14000000006").await;
    house.clock.advance(120);
    let mut browser = house.browser();
    let base = browser.arrive().await;
    let page = browser.prove_phone(&base, "/recover", "14000000006").await;
    assert!(page.has("password-form"));
    owner
        .submit(
            "/account/verify",
            &[("name", "测试己"), ("number", "219999197908080072")],
        )
        .await;
    assert_eq!(owner.at, "/account?notice=verified");
    let page = browser
        .post_with(&page.csrf(), &format!("{base}/recover/password"), &FIELDS)
        .await;
    assert!(page.has("phone-form"), "{}", page.body);
    assert!(browser.session().is_none());
    let mut check = house.browser();
    assert!(check.log_in("14000000006").await.has("person-name"));
}
