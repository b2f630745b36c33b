//! The operators' console: the first operator joins by the invitation that the demo prints, signs out and in again by passkey alone, and
//! looks at every room, once at the anchor in Chinese and once at the provider in English.

use conformance_tests::{
    browser::{Browser, Script},
    demo::{self, Console},
    inspection::Inspection,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_anchors_first_operator_joins_and_looks_around() {
    let (browser, mut inspection, console) = joined("anchor", "zh-CN").await;
    for (room, id) in [
        ("subordinates", "subordinates-total"),
        ("subordinates/new", "enrol-form"),
        ("chains", "chains-total"),
    ] {
        browser.goto(&format!("{}{room}", console.url)).await;
        browser.wait(id).await;
        inspection.look(&browser, room).await;
    }
    // What would happen is shown; nothing happens before it is confirmed.
    browser
        .goto(&format!("{}subordinates?q=localhost", console.url))
        .await;
    let before = browser.count("#subordinates > li").await;
    assert!(before >= 6, "{before} subordinates");
    let first = browser.attributes("#subordinates > li > a", "href").await;
    let origin = console.url.split("/console/").next().expect("an origin");
    browser.goto(&format!("{origin}{}", first[0])).await;
    browser.wait("statement").await;
    assert!(browser.text("statement").await.contains("source_endpoint"));
    inspection.look(&browser, "a subordinate").await;
    browser.press("drop-submit").await;
    browser.wait("confirm-what").await;
    inspection.look(&browser, "confirm").await;
    browser.press("confirm-no").await;
    browser.wait("subordinates-total").await;
    browser
        .goto(&format!("{}subordinates?q=localhost", console.url))
        .await;
    assert_eq!(browser.count("#subordinates > li").await, before);
    browser.goto(&format!("{}audit", console.url)).await;
    browser.wait("refused-roles").await;
    inspection.look(&browser, "not for this role").await;
    inspection.passes(9);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_providers_first_operator_registers_a_client() {
    let (browser, mut inspection, console) = joined("id", "en").await;
    for (room, id) in [("clients", "clients-total"), ("logouts", "logouts")] {
        browser.goto(&format!("{}{room}", console.url)).await;
        browser.wait(id).await;
        inspection.look(&browser, room).await;
    }
    browser.goto(&format!("{}clients/new", console.url)).await;
    browser.wait("client-form").await;
    browser
        .fill(
            "metadata",
            r#"{"redirect_uris": ["https://rp.example/cb"]}"#,
        )
        .await;
    inspection.look(&browser, "new client").await;
    browser.press("client-submit").await;
    browser.wait("confirm-act").await;
    browser.press("confirm-yes").await;
    browser.wait("secret").await;
    assert!(browser.text("secret").await.len() >= 32);
    inspection.look(&browser, "secret").await;
    browser.press("back").await;
    browser.wait("clients-total").await;
    assert_eq!(browser.count("#clients > li").await, 1);
    inspection.passes(7);
    browser.close().await;
}

/// Joins the console of `entity`, signs out, and in again.
async fn joined(entity: &str, language: &'static str) -> (Browser, Inspection, Console) {
    let demo = demo::shared().await;
    let console = demo.said.console.iter().find(|c| c.entity == entity);
    let console = console.expect("a console").clone();
    let browser = Browser::open_in(language, Script::On).await;
    let mut inspection = Inspection::of_pages_in(language);
    browser.add_authenticator().await;
    let invitation = console.invitation.as_ref().expect("nobody joined yet");
    browser.goto(invitation).await;
    browser.wait("invitation").await;
    inspection.look(&browser, "invitation").await;
    browser.press("passkey-register").await;
    browser.wait("console-operator").await;
    inspection.look(&browser, "first page").await;

    browser.goto(invitation).await;
    browser.wait("invitation-over").await;
    browser.goto(&console.url).await;
    browser.wait("console-operator").await;
    browser.press("sign-out").await;
    browser.wait("passkey-login").await;
    inspection.look(&browser, "sign in").await;
    browser.press("passkey-login").await;
    browser.wait("console-operator").await;
    (browser, inspection, console)
}
