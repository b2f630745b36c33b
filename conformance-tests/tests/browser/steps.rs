//! What a person does, step by step; the stories are told in these words.

use std::time::{Duration, Instant};

use conformance_tests::{
    browser::Browser,
    demo::{Citizen, Demo},
};

/// What a signed-in portal shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    pub name: String,
    pub level: String,
    pub number: String,
    pub acr: String,
    pub sub: String,
}

/// Opens a portal and presses 「国家账号登录」.
pub async fn press_login(browser: &Browser, demo: &Demo, portal: &str) {
    browser.goto(&demo.portal(portal).url).await;
    browser.press("portal-login").await;
}

/// Types phone number and password into the login page.
pub async fn log_in(browser: &Browser, citizen: &Citizen) {
    browser.fill("username", &citizen.username).await;
    browser.fill("password", &citizen.password).await;
    browser.press("login-submit").await;
}

/// Says yes if asked, and answers whether it was asked; waits for the portal's page.
pub async fn consent_if_asked(browser: &Browser) -> bool {
    let asked = browser
        .wait_any(&["consent-form", "form-post", "portal-name"])
        .await
        == "consent-form";
    if asked {
        browser.press("consent-allow").await;
    }
    arrive(browser).await;
    asked
}

/// Waits for the signed-in portal; a browser without script has a button to press on the way.
pub async fn arrive(browser: &Browser) {
    if browser.wait_any(&["form-post-submit", "portal-name"]).await == "form-post-submit"
        && browser.without_script()
    {
        browser.press("form-post-submit").await;
    }
    browser.wait("portal-name").await;
}

pub async fn welcome(browser: &Browser) -> Welcome {
    Welcome {
        name: browser.text("portal-name").await,
        level: browser
            .attribute("portal-level", "data-level")
            .await
            .unwrap_or_default(),
        number: browser.text("portal-number").await,
        acr: browser.text("portal-acr").await,
        sub: browser.text("portal-sub").await,
    }
}

/// Types a phone number and the code that is sent to it. One phone gets a code every few seconds; who comes sooner is told to wait, and
/// sends it once more.
pub async fn prove_phone(browser: &Browser, demo: &Demo, phone: &str) {
    let before = demo.sms_count(phone).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        browser.fill("phone", phone).await;
        browser.press("phone-submit").await;
        if browser.wait_any(&["code-form", "problems"]).await == "code-form" {
            break;
        }
        let told = browser.text("problems").await;
        assert!(Instant::now() < deadline, "no code is sent: {told}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(
        !browser.text("sent-to").await.contains(phone),
        "the whole phone number is shown"
    );
    let code = demo.sms_code(phone, before).await;
    browser.fill("code", &code).await;
    browser.press("code-submit").await;
}

/// Phone, code, password: from the login page to whatever comes after the account is made.
pub async fn create_account(browser: &Browser, demo: &Demo, citizen: &Citizen) {
    browser.press("login-create").await;
    prove_phone(browser, demo, &citizen.phone).await;
    browser.fill("new-password", &citizen.password).await;
    browser.fill("repeat-password", &citizen.password).await;
    browser.press("password-submit").await;
}

/// Fills in the real-name page and sends it.
pub async fn prove_name(browser: &Browser, name: &str, number: &str) {
    browser.wait("verify-form").await;
    browser.fill("name", name).await;
    browser.fill("number", number).await;
    browser.press("verify-submit").await;
}

/// The second factor that 渝快办 asks for, by SMS.
pub async fn step_up_by_sms(browser: &Browser, demo: &Demo, citizen: &Citizen) {
    browser.wait("step-up-sms").await;
    assert!(
        !browser.text("step-up-reason").await.is_empty(),
        "it does not say why"
    );
    let before = demo.sms_count(&citizen.phone).await;
    browser.press("step-up-sms").await;
    browser.wait("code-form").await;
    let code = demo.sms_code(&citizen.phone, before).await;
    browser.fill("code", &code).await;
    browser.press("code-submit").await;
}

/// Opens the portal until it says that nobody is signed in: the notice travels from server to server.
pub async fn becomes_signed_out(browser: &Browser, demo: &Demo, portal: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        browser.goto(&demo.portal(portal).url).await;
        if browser.wait_any(&["portal-login", "portal-name"]).await == "portal-login" {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{portal} still thinks that she is signed in"
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Presses 「退出登录」 at a portal and follows it to its end.
pub async fn log_out_at(browser: &Browser, demo: &Demo, portal: &str) {
    browser.goto(&demo.portal(portal).url).await;
    browser.press("portal-logout").await;
    if browser
        .wait_any(&[
            "logout-confirm",
            "signed-out-platforms",
            "portal-signed-out",
        ])
        .await
        == "logout-confirm"
    {
        browser.press("logout-confirm").await;
    }
    browser
        .wait_any(&["signed-out-platforms", "portal-signed-out"])
        .await;
}

/// Sensitive acts may ask for one more proof first; then the page that was wanted comes.
pub async fn prove_again_if_asked(browser: &Browser, demo: &Demo, citizen: &Citizen, wanted: &str) {
    if browser.wait_any(&[wanted, "step-up-sms"]).await == "step-up-sms" {
        step_up_by_sms(browser, demo, citizen).await;
    }
    browser.wait(wanted).await;
}

/// The same number with a wrong check digit.
pub fn spoiled(number: &str) -> String {
    let (body, last) = number.split_at(number.len() - 1);
    format!("{body}{}", if last == "0" { "1" } else { "0" })
}
