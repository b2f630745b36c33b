//! A passkey: made in the account centre, used without typing a name, used as a second factor, removed.

use conformance_tests::{
    browser::{Browser, Script},
    demo,
};

use super::steps::{
    arrive, becomes_signed_out, consent_if_asked, log_in, log_out_at, press_login, welcome,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_opens_the_portals() {
    let demo = demo::shared().await;
    let citizen = demo.citizen("14000000002");
    let browser = Browser::open(Script::On).await;
    let device = browser.add_authenticator().await;
    let account = format!("{}/account", demo.provider().url.trim_end_matches('/'));

    press_login(&browser, demo, "贵人服务").await;
    log_in(&browser, citizen).await;
    consent_if_asked(&browser).await;
    let by_password = welcome(&browser).await;

    browser.goto(&account).await;
    browser.press("passkey-add").await;
    super::steps::prove_again_if_asked(&browser, demo, citizen, "passkey-register").await;
    browser.fill("passkey-name", "我的手机").await;
    browser.press("passkey-register").await;
    browser.wait("card-ways").await;
    assert_eq!(browser.count("li[data-passkey]").await, 1);
    assert!(browser.text("card-ways").await.contains("我的手机"));

    log_out_at(&browser, demo, "贵人服务").await;
    becomes_signed_out(&browser, demo, "贵人服务").await;

    // In again, nothing typed. The page offers the passkey by itself as well (autofill); here the button is meant. A
    // request that meets an untouched device is not answered later, so autofill asks before and the button after.
    browser.touches_device(&device, false).await;
    press_login(&browser, demo, "贵人服务").await;
    browser.wait("login-form").await;
    browser.autofill_has_begun().await;
    browser.touches_device(&device, true).await;
    browser.touch("passkey-login").await;
    arrive(&browser).await;
    let by_passkey = welcome(&browser).await;
    assert_eq!(
        (&by_passkey.name, &by_passkey.sub),
        (&by_password.name, &by_password.sub)
    );

    // Where more is asked, a passkey that knew its holder is enough.
    press_login(&browser, demo, "渝快办").await;
    consent_if_asked(&browser).await;
    assert!(
        welcome(&browser).await.acr.contains("L2"),
        "{}",
        welcome(&browser).await.acr
    );

    browser.goto(&account).await;
    let remove = browser.attributes("a[id^='passkey-remove-']", "id").await;
    browser.press(&remove[0]).await;
    super::steps::prove_again_if_asked(&browser, demo, citizen, "confirm-yes").await;
    browser.press("confirm-yes").await;
    browser.wait("card-ways").await;
    assert_eq!(browser.count("li[data-passkey]").await, 0);
    browser.close().await;
}
