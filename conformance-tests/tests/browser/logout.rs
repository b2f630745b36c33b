//! The ways out: cancel, refuse, end a session from elsewhere.

use conformance_tests::{
    browser::{Browser, Script},
    demo,
};

use super::steps::{becomes_signed_out, consent_if_asked, log_in, press_login};

#[tokio::test(flavor = "multi_thread")]
async fn cancel_leads_back_to_the_portal() {
    let demo = demo::shared().await;
    let browser = Browser::open(Script::On).await;
    press_login(&browser, demo, "苏服办").await;
    browser.press("cancel").await;
    // Back on the portal's own host, told politely, not signed in.
    browser.wait_any(&["portal-login", "error-code"]).await;
    let portal: url::Url = demo.portal("苏服办").url.parse().expect("a URL");
    assert_eq!(browser.url().await.host_str(), portal.host_str());
    assert!(!browser.has("portal-name").await);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusing_consent_tells_the_portal_nothing() {
    let demo = demo::shared().await;
    let citizen = demo.citizen("14000000003");
    let browser = Browser::open(Script::Off).await;
    press_login(&browser, demo, "海易办").await;
    log_in(&browser, citizen).await;
    browser.press("consent-deny").await;
    browser.wait_any(&["portal-login", "error-code"]).await;
    let portal: url::Url = demo.portal("海易办").url.parse().expect("a URL");
    assert_eq!(browser.url().await.host_str(), portal.host_str());
    assert!(!browser.text("main").await.contains(&citizen.name));
    // Asked again the next time, without logging in again.
    press_login(&browser, demo, "海易办").await;
    assert!(consent_if_asked(&browser).await);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_browser_can_end_the_others_session() {
    let demo = demo::shared().await;
    let citizen = demo.citizen("14000000004");
    let (lost, mine) = (
        Browser::open(Script::On).await,
        Browser::open(Script::Off).await,
    );
    for browser in [&lost, &mine] {
        press_login(browser, demo, "粤省事").await;
        log_in(browser, citizen).await;
        consent_if_asked(browser).await;
    }
    mine.goto(&format!(
        "{}/account",
        demo.provider().url.trim_end_matches('/')
    ))
    .await;
    assert!(mine.count("[data-session]").await >= 2);
    mine.press("sessions-end-others").await;
    mine.press("confirm-yes").await;
    mine.wait("card-sessions").await;
    assert_eq!(mine.count("[data-session]").await, 1);
    becomes_signed_out(&lost, demo, "粤省事").await;
    press_login(&lost, demo, "粤省事").await;
    lost.wait("login-form").await;
    lost.close().await;
    mine.close().await;
}
