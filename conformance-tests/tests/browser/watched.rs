//! A platform that watches in a hidden frame whether the person is still logged in (OIDC Session Management 1.0).

use std::time::{Duration, Instant};

use conformance_tests::{
    browser::{Browser, Script},
    demo::Demo,
};

use super::party::{Leaving, Party};
use super::steps::log_in;

/// Chromium's setting for cookies in frames of other sites: 0 admits them, 1 blocks them.
const COOKIES: &str = "profile.cookie_controls_mode";

/// What the provider's frame answers to a message.
async fn ask(browser: &Browser, party: &Party, message: &str) -> String {
    let escaped: String = url::form_urlencoded::byte_serialize(message.as_bytes()).collect();
    let began = Instant::now();
    // Another address each time, so that the page is loaded anew.
    browser.goto(&format!("{}/bye", party.origin)).await;
    browser
        .goto(&format!(
            "{}/watch#{}",
            party.origin,
            escaped.replace('+', "%20")
        ))
        .await;
    while browser.count("#watch:not([data-answers='0'])").await == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "no answer");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let said = browser.text("watch").await;
    let (answer, origin) = said.split_once(" from ").expect("an answer and its origin");
    assert_eq!(origin, party.issuer.trim_end_matches('/'));
    answer.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_frame_says_unchanged_until_the_login_changes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let demo = Demo::start_with(folder.path(), &["--certification"]).await;
    let party = Party::register(&demo, "watcher", Leaving::AtOnce).await;
    let other = Party::register(&demo, "watcher-two", Leaving::AtOnce).await;
    // Where frames may have their site's cookies; most browsers ask for that to be switched on.
    let browser = Browser::open_with("zh-CN", Script::On, &[(COOKIES, 0.into())]).await;
    browser.goto(&party.login()).await;
    log_in(&browser, demo.citizen("14000000001")).await;
    let told = party.arrive(&browser).await;
    let state = told["session_state"].clone();
    let message = format!("{} {state}", party.id);
    assert_eq!(ask(&browser, &party, &message).await, "unchanged");
    assert_eq!(ask(&browser, &party, &message).await, "unchanged");
    for (odd, answer) in [
        (format!("{} {state}", other.id), "changed"),
        (format!("{} {state}x", party.id), "changed"),
        (format!("{} {}", party.id, state.replace('.', "-")), "error"),
        ("nothing".to_owned(), "error"),
        (String::new(), "error"),
    ] {
        assert_eq!(ask(&browser, &party, &odd).await, answer, "{odd}");
    }
    // Of another origin than the one it was made for.
    assert_eq!(ask(&browser, &other, &message).await, "changed");

    // Leaving at one platform changes it for all.
    let hint = party.id_token(&told["code"]).await;
    browser.goto(&party.logout(&hint)).await;
    browser.wait("party-bye").await;
    assert_eq!(ask(&browser, &party, &message).await, "changed");
    // So does the next login; what it says holds again.
    browser.goto(&party.login()).await;
    log_in(&browser, demo.citizen("14000000002")).await;
    let told = party.arrive(&browser).await;
    assert_eq!(ask(&browser, &party, &message).await, "changed");
    let message = format!("{} {}", party.id, told["session_state"]);
    assert_eq!(ask(&browser, &party, &message).await, "unchanged");
    browser.close().await;

    // Where they may not, the frame knows nothing, and sends nobody away.
    let browser = Browser::open_with("zh-CN", Script::On, &[(COOKIES, 1.into())]).await;
    browser.goto(&party.login()).await;
    log_in(&browser, demo.citizen("14000000003")).await;
    let told = party.arrive(&browser).await;
    let message = format!("{} {}", party.id, told["session_state"]);
    assert_eq!(ask(&browser, &party, &message).await, "error");
    browser.close().await;
}
