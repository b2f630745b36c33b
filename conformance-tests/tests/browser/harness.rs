//! The browser does what the stories need of it.

use conformance_tests::{
    browser::{Browser, Script},
    inspection::Inspection,
};

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

/// Breaks every promise once.
const BROKEN: &str = "data:text/html;charset=utf-8,<!DOCTYPE html><html lang='fr'><title>t</title><h1>One</h1><h1>Two</h1>\
    <p style='color:%23999;background:%23fff;width:2000px'>pale</p><p><a href='/'>small</a></p>\
    <p>A <a href='/'>link in a sentence</a> may be small.</p><img src='data:,'><label><input type='radio'>r</label>";

#[tokio::test]
async fn broken_promises_are_found() {
    let browser = Browser::open(Script::On).await;
    browser.goto(BROKEN).await;
    let mut inspection = Inspection::of_pages_in("en");
    inspection.look(&browser, "broken").await;
    let faults = inspection.faults();
    for (fault, screens) in [
        ("html has lang=\"fr\", not en", "any screen"),
        ("2 × heading of the first level", "any screen"),
        ("0 × main landmark", "any screen"),
        ("0 × banner", "any screen"),
        (
            "the title 「t」 does not begin with the heading 「One」",
            "any screen",
        ),
        ("inline style or script", "any screen"),
        ("color-contrast: ", "1280 px, Light"),
        ("image-alt: ", "1280 px, Light; 375 px, Dark"),
        ("region: ", "1280 px, Light; 375 px, Dark"),
        ("scrolls sideways: ", "320 px"),
        ("text of 16 px, not 18", "1280 px; 640 px; 375 px; 320 px"),
        (
            "text of 16 px, not 24",
            "1280 px, elder mode; 640 px, elder mode; ",
        ),
    ] {
        let found = |line: &String| line.contains(fault) && line.contains(screens);
        assert!(faults.iter().any(found), "{fault}: {faults:#?}");
    }
    let small = |line: &&String| line.contains(" px high, not 44");
    let small: Vec<&String> = faults.iter().filter(small).collect();
    assert_eq!(
        small.len(),
        2,
        "the link that stands alone and the radio button: {small:#?}"
    );
    browser.close().await;
}
