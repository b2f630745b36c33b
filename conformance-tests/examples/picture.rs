//! Takes the picture of the README: the login page as 粤省事 asks for it.
//! `cargo run -p conformance-tests --example picture -- docs/images/login.png`
#![expect(clippy::expect_used, reason = "what cannot go on says so")]

use conformance_tests::{
    browser::{Browser, Script},
    demo::Demo,
};

#[tokio::main]
async fn main() {
    let to = std::env::args().nth(1).expect("the file to write");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let demo = Demo::start(folder.path()).await;
    let browser = Browser::open(Script::On).await;
    browser.resize(760, 1240).await;
    browser.goto(&demo.portal("粤省事").url).await;
    browser.press("portal-login").await;
    browser.wait("login-form").await;
    browser.screenshot(std::path::Path::new(&to)).await;
    browser.close().await;
    demo.kill();
}
