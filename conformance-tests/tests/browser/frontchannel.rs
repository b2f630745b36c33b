//! A logout that platforms learn of through the browser (OIDC Front-Channel Logout 1.0), in real frames.

use conformance_tests::{
    browser::{Browser, Script},
    demo,
};

use super::party::{Leaving, Party, hefu};
use super::steps::log_in;

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_tells_every_platform_and_goes_on_whatever_one_of_them_does() {
    let demo = demo::shared().await;
    let good = Party::register(demo, "front-good", Leaving::AtOnce).await;
    let late = Party::register(demo, "front-late", Leaving::Late).await;
    let stuck = Party::register(demo, "front-stuck", Leaving::Never).await;
    for (script, username, second) in [
        // One frame never finishes: the page goes on without it.
        (Script::On, "14000000001", &stuck),
        (Script::Off, "14000000002", &late),
    ] {
        let browser = Browser::open(script).await;
        browser.goto(&second.login()).await;
        log_in(&browser, demo.citizen(username)).await;
        let told = second.arrive(&browser).await;
        second.id_token(&told["code"]).await;
        // The login at the other platform needs no password.
        browser.goto(&good.login()).await;
        let told = good.arrive(&browser).await;
        let hint = good.id_token(&told["code"]).await;

        browser.goto(&good.logout(&hint)).await;
        if script == Script::Off {
            assert_eq!(browser.count("iframe").await, 2);
            assert_eq!(browser.count("[data-channel='front']").await, 2);
            browser.press("signed-out-back").await;
        }
        browser.wait("party-bye").await;
        assert_eq!(good.last("bye").expect("it came by")["state"], "left");
        for party in [&good, second] {
            let asked = party.asked("out").await;
            assert_eq!(asked.keys().collect::<Vec<_>>(), ["iss", "sid"]);
            assert_eq!(asked["iss"], party.issuer);
        }
        // The national session is over.
        browser.goto(&good.login()).await;
        browser.wait("login-form").await;
        browser.close().await;
    }
    let told = hefu(demo, &["logout", "list", "--json"]).await;
    let told = told.as_array().expect("a list");
    for (party, times) in [(&good, 2), (&late, 1), (&stuck, 1)] {
        let mine: Vec<_> = told
            .iter()
            .filter(|t| t["client"] == party.id.as_str())
            .map(|t| (t["state"].as_str(), t["channel"].as_str()))
            .collect();
        assert_eq!(
            mine,
            vec![(Some("asked"), Some("front")); times],
            "{told:?}"
        );
    }
}
