//! One login opens every province's portal: the story of a new citizen from her first visit to her last logout, with script and
//! once more with script switched off.

use std::collections::BTreeSet;

use conformance_tests::{
    browser::{Browser, Script},
    demo,
};

use super::steps::{
    arrive, becomes_signed_out, consent_if_asked, create_account, log_in, log_out_at, press_login,
    prove_name, spoiled, step_up_by_sms, welcome,
};

#[tokio::test(flavor = "multi_thread")]
async fn one_login_opens_every_portal() {
    one_login(Script::On, "14000000006").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_login_opens_every_portal_without_script() {
    // A name that begins beyond the basic plane.
    one_login(Script::Off, "14000000007").await;
}

async fn one_login(script: Script, username: &str) {
    let demo = demo::shared().await;
    let citizen = demo.citizen(username);
    assert_eq!(citizen.state, "register_only");
    let browser = Browser::open(script).await;

    // 粤省事 was never registered anywhere: the chain vouches for it.
    press_login(&browser, demo, "粤省事").await;
    browser.wait("login-form").await;
    assert!(
        browser.text("asking").await.contains("粤省事"),
        "{}",
        browser.text("asking").await
    );
    assert_eq!(
        browser
            .attribute("asking-status", "data-vouched")
            .await
            .as_deref(),
        Some("chain")
    );
    assert!(
        browser.text("asking-status").await.contains("广东"),
        "{}",
        browser.text("asking-status").await
    );
    assert!(
        browser.count("#chain-hops > *").await >= 2,
        "the chain is not told hop by hop"
    );
    assert!(browser.has("cancel").await);

    create_account(&browser, demo, citizen).await;
    // A slip of the pen: said, nothing stored, another try.
    prove_name(&browser, &citizen.name, &spoiled(&citizen.id_number)).await;
    browser.wait("problems").await;
    prove_name(&browser, &citizen.name, &citizen.id_number).await;

    browser.wait("consent-form").await;
    assert!(
        browser.count("#consent-items > *").await >= 2,
        "it does not list what is told"
    );
    assert!(
        !browser
            .text("consent-items")
            .await
            .contains(&citizen.id_number),
        "the whole number is shown"
    );
    browser.press("consent-allow").await;
    arrive(&browser).await;
    let first = welcome(&browser).await;
    assert_eq!(first.name, citizen.name);
    assert_eq!(first.level, "rn2");
    assert!(
        first.number.contains('*') && first.number.starts_with(&citizen.id_number[..2]),
        "{}",
        first.number
    );
    let mut subs = BTreeSet::from([first.sub.clone()]);

    // Everywhere else: one press, one consent, nothing typed. The village stands five levels below the anchor.
    for portal in ["苏服办", "海易办", "贵人服务", "示范村便民"] {
        press_login(&browser, demo, portal).await;
        assert!(
            consent_if_asked(&browser).await,
            "{portal} got in without consent"
        );
        let here = welcome(&browser).await;
        assert_eq!(
            (here.name.as_str(), here.level.as_str()),
            (citizen.name.as_str(), "rn2"),
            "{portal}"
        );
        assert!(
            subs.insert(here.sub),
            "{portal} knows her under another portal's name"
        );
    }
    assert!(
        browser.count("#portal-chain > *").await >= 4,
        "the village's chain is shorter than its place"
    );

    // The second time: no page at all, and the same name.
    press_login_again(&browser, demo, "粤省事").await;
    assert!(
        !consent_if_asked(&browser).await,
        "asked twice for the same consent"
    );
    assert_eq!(welcome(&browser).await, first);

    // 渝快办 asks for two factors: she has just shown a code and a password.
    press_login(&browser, demo, "渝快办").await;
    assert!(consent_if_asked(&browser).await);
    let here = welcome(&browser).await;
    assert!(here.acr.contains("L2"), "{}", here.acr);
    assert!(subs.insert(here.sub));

    // What she sees of herself.
    browser
        .goto(&format!(
            "{}/account",
            demo.provider().url.trim_end_matches('/')
        ))
        .await;
    assert_eq!(
        browser
            .attribute("person-level", "data-level")
            .await
            .as_deref(),
        Some("rn2")
    );
    assert!(
        !browser.text("main").await.contains(&citizen.id_number),
        "the whole number is shown"
    );
    assert_eq!(browser.count("[data-platform]").await, 6);
    assert_eq!(browser.count("[data-session]").await, 1);

    // She takes one consent back: the next login there asks again.
    let withdraw = browser
        .attributes("[data-platform] a[id^='consent-withdraw-']", "id")
        .await;
    browser.press(&withdraw[0]).await;
    browser.press("confirm-yes").await;
    browser.wait("card-platforms").await;
    assert_eq!(browser.count("[data-platform]").await, 5);

    // Out at one, out everywhere.
    log_out_at(&browser, demo, "苏服办").await;
    for portal in [
        "粤省事",
        "苏服办",
        "海易办",
        "贵人服务",
        "示范村便民",
        "渝快办",
    ] {
        becomes_signed_out(&browser, demo, portal).await;
    }
    press_login(&browser, demo, "海易办").await;
    browser.wait("login-form").await;

    // And in again with what she chose at the beginning; the name at the portal has stayed.
    log_in(&browser, citizen).await;
    consent_if_asked(&browser).await;
    let again = welcome(&browser).await;
    assert!(subs.contains(&again.sub), "海易办 does not know her again");
    assert!(again.acr.contains("L1"), "{}", again.acr);

    // A password alone is not enough for 渝快办: the same session is led through one more factor, and told why.
    press_login(&browser, demo, "渝快办").await;
    step_up_by_sms(&browser, demo, citizen).await;
    consent_if_asked(&browser).await;
    let higher = welcome(&browser).await;
    assert!(higher.acr.contains("L2"), "{}", higher.acr);
    assert!(subs.contains(&higher.sub));
    browser.close().await;
}

/// As when the portal's own session has ended, but the national one has not.
async fn press_login_again(browser: &Browser, demo: &demo::Demo, portal: &str) {
    browser.goto(&demo.portal(portal).url).await;
    browser.forget_this_site().await;
    press_login(browser, demo, portal).await;
}
