//! What people are told when it does not work, in words and with the stable ids; never whether an account exists.

use conformance_tests::{
    browser::{Browser, Script},
    demo,
};

use super::steps::{create_account, press_login, prove_name};

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_account_read_the_same() {
    let demo = demo::shared().await;
    let browser = Browser::open(Script::Off).await;
    let mut said = Vec::new();
    for username in ["14000000001", "14099999999"] {
        press_login(&browser, demo, "粤省事").await;
        browser.fill("username", username).await;
        browser.fill("password", "not-the-password-1").await;
        browser.press("login-submit").await;
        said.push(browser.text("problems").await);
        let typed = browser
            .wait("password")
            .await
            .prop("value")
            .await
            .expect("a value");
        assert_eq!(typed.as_deref(), Some(""), "the password is sent back");
    }
    assert_eq!(said[0], said[1]);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_is_politely_refused() {
    let demo = demo::shared().await;
    let citizen = demo.citizen("14000000010");
    let browser = Browser::open(Script::Off).await;
    press_login(&browser, demo, "粤省事").await;
    create_account(&browser, demo, citizen).await;
    prove_name(&browser, &citizen.name, &citizen.id_number).await;
    browser.wait("too-young").await;
    browser.close().await;
}
