//! A citizen without a mouse: in at a portal, consent, out again, with Tab, Shift-Tab, Enter, Space and letters alone. Wherever the focus
//! is, one sees it, and it goes through a page in the order of the page.

use conformance_tests::{
    browser::{Browser, Script},
    demo,
};
use thirtyfour::Key;

#[tokio::test(flavor = "multi_thread")]
async fn a_citizen_needs_no_mouse() {
    let demo = demo::shared().await;
    let citizen = demo.citizen("14000000002");
    let keyboard = Keyboard {
        browser: Browser::open(Script::On).await,
    };
    let browser = &keyboard.browser;

    browser.goto(&demo.portal("海易办").url).await;
    keyboard.tour().await;
    keyboard.back_to("portal-login").await;
    keyboard.leave_with(Key::Enter, "login-form").await;

    // Over the bar to the content; what is folded opens.
    keyboard.tour().await;
    keyboard.back_to("skip").await;
    browser.type_keys(Key::Enter).await;
    assert_eq!(keyboard.focus().await.id, "main");
    browser.type_keys(Key::Tab).await;
    assert_eq!(browser.count("#chain[open]").await, 0);
    browser.type_keys(Key::Space).await;
    assert_eq!(browser.count("#chain[open]").await, 1);
    keyboard.tab_to("login-sms").await;
    keyboard.leave_with(Key::Enter, "phone-form").await;

    // A mistake: the summary has the focus, and leads to the field.
    keyboard.tab_to("phone").await;
    browser.type_keys("123").await;
    keyboard.leave_with(Key::Enter, "problems").await;
    assert_eq!(keyboard.seen().await.id, "problems");
    browser.type_keys(Key::Tab).await;
    assert_eq!(keyboard.seen().await.id, "a");
    browser.type_keys(Key::Enter).await;
    assert_eq!(keyboard.seen().await.id, "phone");
    keyboard.tab_to("back").await;
    keyboard.leave_with(Key::Enter, "login-form").await;

    keyboard.tab_to("username").await;
    browser.type_keys(citizen.username.as_str()).await;
    keyboard.tab_to("password").await;
    browser.type_keys("not-the-password-1").await;
    keyboard.tab_to("login-submit").await;
    keyboard.leave_with(Key::Space, "problems").await;
    assert_eq!(keyboard.seen().await.id, "problems");
    keyboard.tab_to("password").await;
    browser.type_keys(citizen.password.as_str()).await;
    keyboard.leave_with(Key::Enter, "consent-form").await;

    keyboard.tab_to("consent-allow").await;
    keyboard.back_to("consent-deny").await;
    keyboard.tab_to("consent-allow").await;
    keyboard.leave_with(Key::Space, "portal-name").await;
    assert_eq!(browser.text("portal-name").await, citizen.name);

    keyboard.tab_to("portal-logout").await;
    keyboard.leave_with(Key::Enter, "portal-signed-out").await;
    keyboard.tab_to("portal-login").await;
    keyboard.browser.close().await;
}

/// What has the focus: its id (or what it is), its place among all stops of the page (where it is none itself: that of the stop before
/// it), how many there are, and whether one sees it.
const FOCUS: &str = "
    const stops = [...document.querySelectorAll(
        'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex=\"0\"]',
    )].filter(one => one.checkVisibility({ visibilityProperty: true }));
    const here = document.activeElement;
    const before = stops.filter(one =>
        (here.compareDocumentPosition(one) & (Node.DOCUMENT_POSITION_PRECEDING | Node.DOCUMENT_POSITION_CONTAINS))
            === Node.DOCUMENT_POSITION_PRECEDING);
    const style = getComputedStyle(here);
    const box = here.getBoundingClientRect();
    return {
        id: here.id || here.localName,
        at: before.length - (stops.includes(here) ? 0 : 1),
        stops: stops.length,
        ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 3 || style.boxShadow !== 'none',
        inView: box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight,
    }";

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Focus {
    id: String,
    at: i64,
    stops: i64,
    ring: bool,
    in_view: bool,
}

struct Keyboard {
    browser: Browser,
}

impl Keyboard {
    async fn focus(&self) -> Focus {
        serde_json::from_value(self.browser.run(FOCUS).await).expect("what has the focus")
    }

    async fn seen(&self) -> Focus {
        let focus = self.focus().await;
        assert!(focus.ring, "nobody sees where the focus is: {focus:?}");
        assert!(focus.in_view, "the focus is out of sight: {focus:?}");
        focus
    }

    /// Tab by Tab, passing nothing by, until `id` has the focus.
    async fn tab_to(&self, id: &str) {
        let mut before = self.focus().await;
        while before.id != id {
            assert!(before.at + 1 < before.stops, "Tab never comes to `{id}`");
            self.browser.type_keys(Key::Tab).await;
            let now = self.seen().await;
            assert_eq!(now.at, before.at + 1, "from {before:?} to {now:?}");
            before = now;
        }
    }

    /// The same backwards.
    async fn back_to(&self, id: &str) {
        let mut before = self.focus().await;
        while before.id != id {
            assert!(before.at > 0, "Shift-Tab never comes to `{id}`");
            self.browser.type_shifted(Key::Tab).await;
            let now = self.seen().await;
            assert_eq!(now.at, before.at - 1, "from {before:?} to {now:?}");
            before = now;
        }
    }

    /// Through the whole page, from its beginning to its last stop.
    async fn tour(&self) {
        let mut before = self.focus().await;
        assert_eq!(before.at, -1, "the page does not begin at its beginning");
        assert!(before.stops >= 3, "{before:?}");
        while before.at + 1 < before.stops {
            self.browser.type_keys(Key::Tab).await;
            let now = self.seen().await;
            assert_eq!(now.at, before.at + 1, "from {before:?} to {now:?}");
            before = now;
        }
    }

    /// Presses what has the focus, and waits for the page that it leads to.
    async fn leave_with(&self, key: Key, wanted: &str) {
        let pressed = self.focus().await.id;
        let here = self.browser.wait(&pressed).await;
        self.browser.type_keys(key).await;
        self.browser.wait_until_gone(&here, &pressed).await;
        self.browser.wait(wanted).await;
    }
}
