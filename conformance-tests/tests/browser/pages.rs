//! Every page that a citizen's way passes keeps what is promised of pages, in both languages: one walk per language, one look at each page.

use conformance_tests::{
    browser::{Browser, Script},
    demo::{self, Citizen, Demo},
    inspection::Inspection,
};

use super::steps::{
    arrive, consent_if_asked, log_in, press_login, prove_again_if_asked, prove_name, prove_phone,
    spoiled,
};

const WRONG: &str = "not-the-password-1";

#[tokio::test(flavor = "multi_thread")]
async fn every_page_keeps_its_promises_in_chinese() {
    // Her number is that of a residence permit.
    let mut walk = Walk::begin("zh-CN", "14000000008", "14000000081").await;
    walk.go().await;
    walk.inspection.passes(PAGES);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_keeps_its_promises_in_english() {
    // The longest name.
    let mut walk = Walk::begin("en", "14000000011", "14000000091").await;
    walk.go().await;
    walk.inspection.passes(PAGES);
}

/// As many as the walk names.
const PAGES: usize = 51;

struct Walk {
    demo: &'static Demo,
    browser: Browser,
    citizen: &'static Citizen,
    /// A phone that nobody has yet.
    free_phone: &'static str,
    inspection: Inspection,
}

impl Walk {
    async fn begin(language: &'static str, username: &str, free_phone: &'static str) -> Self {
        let demo = demo::shared().await;
        Self {
            demo,
            browser: Browser::open_in(language, Script::On).await,
            citizen: demo.citizen(username),
            free_phone,
            inspection: Inspection::of_pages_in(language),
        }
    }

    async fn go(&mut self) {
        self.around_the_house().await;
        self.where_it_cannot_go_on().await;
        self.the_ways_in().await;
        self.a_new_account().await;
        self.the_account_centre().await;
        self.out_and_one_more_proof().await;
        self.a_forgotten_password().await;
        self.a_child().await;
        self.a_phone_and_a_name_that_have_an_account().await;
    }

    async fn look(&mut self, page: &str) {
        self.inspection.look(&self.browser, page).await;
    }

    async fn look_at(&mut self, url: &str, id: &str, page: &str) {
        self.browser.goto(url).await;
        self.browser.wait(id).await;
        self.look(page).await;
    }

    fn account(&self, path: &str) -> String {
        format!("{}account{path}", self.demo.provider().url)
    }

    async fn is_in_elder_mode(&self) {
        assert_eq!(self.browser.count("html[data-mode='elder']").await, 1);
    }

    async fn around_the_house(&mut self) {
        let demo = self.demo;
        let (anchor, province) = (demo.anchor(), demo.of_role("intermediate")[0]);
        self.look_at(&anchor.url, "authority-join", "anchor").await;
        self.look_at(&province.url, "authority-id", "province")
            .await;
        let map = format!("{}federation/map", anchor.url);
        self.look_at(&map, "map-tree", "federation map").await;
        let map = format!("{map}?at={}", province.url.trim_end_matches('/'));
        self.look_at(&map, "map-chain", "federation map, a province")
            .await;
        let register = demo.of_role("register")[0];
        self.look_at(&register.url, "register-api", "register")
            .await;
        let empty = format!("{}?to=14099999999", demo.said.outbox_url);
        self.look_at(&empty, "outbox-empty", "outbox, empty").await;
        let portal = demo.portal("粤省事");
        self.look_at(&portal.url, "portal-login", "portal").await;
    }

    async fn where_it_cannot_go_on(&mut self) {
        let demo = self.demo;
        for entity in [demo.provider(), demo.anchor(), demo.portal("粤省事")] {
            let lost = format!("{}nowhere", entity.url);
            let page = format!("no such page, {}", entity.role);
            self.look_at(&lost, "error-code", &page).await;
        }
        let provider = &demo.provider().url;
        let unasked = format!("{provider}authorize");
        self.look_at(&unasked, "error-code", "request without a platform")
            .await;
        let over = format!("{provider}interaction/over/login");
        self.look_at(&over, "error-code", "login that is over")
            .await;
    }

    async fn the_ways_in(&mut self) {
        press_login(&self.browser, self.demo, "粤省事").await;
        self.browser.wait("login-form").await;
        self.look("login").await;
        self.browser.press("elder-switch").await;
        self.is_in_elder_mode().await;
        self.look("login, elder mode").await;
        self.browser.press("elder-switch").await;
        self.browser.fill("username", self.free_phone).await;
        self.browser.fill("password", WRONG).await;
        self.browser.press("login-submit").await;
        self.browser.wait("problems").await;
        self.look("login, refused").await;

        for (way, page) in [("login-sms", "SMS login"), ("login-recover", "recover")] {
            self.browser.press(way).await;
            self.browser.wait("phone-form").await;
            self.look(page).await;
            self.browser.press("back").await;
        }
        self.browser.press("cancel").await;
        self.browser.wait("error-code").await;
        self.look("login cancelled").await;
    }

    async fn a_new_account(&mut self) {
        press_login(&self.browser, self.demo, "粤省事").await;
        self.browser.press("login-create").await;
        self.browser.wait("phone-form").await;
        self.look("create account").await;
        self.browser.fill("phone", "123").await;
        self.browser.press("phone-submit").await;
        self.browser.wait("problems").await;
        self.look("create account, wrong phone").await;
        let before = self.demo.sms_count(&self.citizen.phone).await;
        self.browser.fill("phone", &self.citizen.phone).await;
        self.browser.press("phone-submit").await;
        self.browser.wait("code-form").await;
        self.look("code").await;
        self.browser.fill("code", "12").await;
        self.browser.press("code-submit").await;
        self.browser.wait("problems").await;
        self.look("code, wrong").await;
        let code = self.demo.sms_code(&self.citizen.phone, before).await;
        let outbox = format!("{}?to={}", self.demo.said.outbox_url, self.citizen.phone);
        let here = self.browser.url().await;
        self.look_at(&outbox, "outbox-messages", "outbox").await;
        self.browser.goto(here.as_str()).await;
        self.browser.fill("code", &code).await;
        self.browser.press("code-submit").await;
        self.browser.wait("password-form").await;
        self.look("choose a password").await;
        self.choose_password("different").await;
        self.browser.wait("problems").await;
        self.look("choose a password, refused").await;
        self.choose_password(&self.citizen.password).await;

        self.browser.wait("verify-form").await;
        self.look("real name").await;
        let number = spoiled(&self.citizen.id_number);
        prove_name(&self.browser, &self.citizen.name, &number).await;
        self.browser.wait("problems").await;
        self.look("real name, refused").await;
        prove_name(&self.browser, &self.citizen.name, &self.citizen.id_number).await;
        self.browser.wait("consent-form").await;
        self.look("consent").await;
        self.browser.press("consent-allow").await;
        arrive(&self.browser).await;
        self.look("portal, signed in").await;
    }

    async fn choose_password(&self, repeated: &str) {
        let new = &self.citizen.password;
        self.browser.fill("new-password", new).await;
        self.browser.fill("repeat-password", repeated).await;
        self.browser.press("password-submit").await;
    }

    async fn the_account_centre(&mut self) {
        self.look_at(&self.account(""), "card-identity", "account centre")
            .await;
        self.browser.touch("mode-elder").await;
        self.browser.press("appearance-submit").await;
        self.browser.wait("notice").await;
        self.is_in_elder_mode().await;
        self.look("account centre, elder mode").await;

        self.look_at(&self.account("/phone"), "phone-form", "change phone")
            .await;
        self.look_at(
            &self.account("/password"),
            "password-form",
            "change password",
        )
        .await;
        self.browser.fill("current-password", WRONG).await;
        self.choose_password(&self.citizen.password).await;
        self.browser.wait("problems").await;
        self.look("change password, refused").await;

        let device = self.browser.add_authenticator().await;
        self.browser.goto(&self.account("/passkeys/add")).await;
        prove_again_if_asked(&self.browser, self.demo, self.citizen, "passkey-register").await;
        self.look("add a passkey").await;
        self.browser.fill("passkey-name", "我的手机").await;
        self.browser.press("passkey-register").await;
        self.browser.wait("card-ways").await;
        self.look("account centre, with a passkey").await;
        for (link, wanted, back, page) in [
            ("passkey-rename-", "rename-form", "back", "rename a passkey"),
            (
                "passkey-remove-",
                "confirm-form",
                "confirm-no",
                "remove a passkey",
            ),
            (
                "session-end-",
                "confirm-form",
                "confirm-no",
                "end a session",
            ),
            (
                "consent-withdraw-",
                "confirm-form",
                "confirm-no",
                "withdraw a consent",
            ),
        ] {
            let selector = format!("a[id^='{link}']");
            let links = self.browser.attributes(&selector, "id").await;
            self.browser.press(&links[0]).await;
            self.browser.wait(wanted).await;
            self.look(page).await;
            self.browser.press(back).await;
        }
        // From here on passwords and codes are meant; the login page would take the passkey by itself.
        self.browser.touches_device(&device, false).await;
        let others = self.account("/sessions/end-others");
        self.look_at(&others, "confirm-form", "end the other sessions")
            .await;
    }

    async fn out_and_one_more_proof(&mut self) {
        let logout = format!("{}logout", self.demo.provider().url);
        self.look_at(&logout, "logout-confirm", "sign out?").await;
        self.browser.press("logout-confirm").await;
        self.browser.wait("signed-out-platforms").await;
        self.look("signed out").await;

        // A browser that knows nothing of her: once she has said who she is, it is as her account remembers.
        self.browser.forget_this_site().await;
        press_login(&self.browser, self.demo, "渝快办").await;
        log_in(&self.browser, self.citizen).await;
        self.browser.wait("step-up-reason").await;
        self.is_in_elder_mode().await;
        self.look("step-up").await;
        let before = self.demo.sms_count(&self.citizen.phone).await;
        self.browser.press("step-up-sms").await;
        self.browser.wait("code-form").await;
        self.look("step-up, code").await;
        let code = self.demo.sms_code(&self.citizen.phone, before).await;
        self.browser.fill("code", &code).await;
        self.browser.press("code-submit").await;
        self.browser.wait("consent-form").await;
        self.is_in_elder_mode().await;
        consent_if_asked(&self.browser).await;
        self.browser.press("portal-logout").await;
        self.browser.wait("portal-signed-out").await;
        self.look("portal, signed out").await;
    }

    async fn a_forgotten_password(&mut self) {
        press_login(&self.browser, self.demo, "粤省事").await;
        self.browser.press("login-recover").await;
        prove_phone(&self.browser, self.demo, &self.citizen.phone).await;
        self.browser.wait("verify-form").await;
        self.look("recover, proof").await;
        prove_name(&self.browser, &self.citizen.name, &self.citizen.id_number).await;
        self.browser.wait("password-form").await;
        self.look("recover, new password").await;
    }

    async fn a_child(&mut self) {
        let child = self.demo.citizen("14000000010");
        press_login(&self.browser, self.demo, "苏服办").await;
        self.browser.press("login-create").await;
        prove_phone(&self.browser, self.demo, self.free_phone).await;
        self.browser.wait("password-form").await;
        self.choose_password(&self.citizen.password).await;
        prove_name(&self.browser, &child.name, &child.id_number).await;
        self.browser.wait("too-young").await;
        self.look("too young").await;
        self.browser.goto(&self.account("")).await;
        self.browser.wait("verify-start").await;
        self.look("account centre, no real name").await;
        self.look_at(
            &self.account("/verify"),
            "verify-form",
            "real name, account centre",
        )
        .await;
        self.browser.goto(&self.account("")).await;
        self.browser.press("sign-out").await;
        self.browser.wait("heading").await;
    }

    /// Last: the citizen's account loses its phone here.
    async fn a_phone_and_a_name_that_have_an_account(&mut self) {
        press_login(&self.browser, self.demo, "苏服办").await;
        self.browser.press("login-create").await;
        prove_phone(&self.browser, self.demo, &self.citizen.phone).await;
        self.browser.wait("phone-taken-form").await;
        self.look("phone has an account").await;
        self.browser.press("phone-taken-new").await;
        self.browser.wait("password-form").await;
        self.choose_password(&self.citizen.password).await;
        prove_name(&self.browser, &self.citizen.name, &self.citizen.id_number).await;
        self.browser.wait("takeover-recover").await;
        self.look("name has an account").await;
    }
}
