//! The browser does what the stories need of it.

use conformance_tests::browser::{Browser, Script};

const PAGE: &str = "data:text/html;charset=utf-8,<title>t</title><form><input id='field' name='f'><p id='who'>none</p>\
    <button id='go'>go</button></form><script>document.getElementById('who').textContent='script'</script>";

#[tokio::test]
async fn script_is_on_or_really_off() {
    for (script, expected) in [(Script::On, "script"), (Script::Off, "none")] {
        let browser = Browser::open(script).await;
        browser.goto(PAGE).await;
        assert_eq!(browser.text("who").await, expected, "{script:?}");
        browser.fill("field", "𠮷测试").await;
        let typed = browser
            .wait("field")
            .await
            .prop("value")
            .await
            .expect("a value");
        assert_eq!(typed.as_deref(), Some("𠮷测试"), "{script:?}");
        browser.close().await;
    }
}
