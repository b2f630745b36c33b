//! Ending the session from the account centre where platforms want to be told by the browser (OIDC Front-Channel Logout 1.0).

use super::*;

const CB: &str = "https://front.example/cb";

/// A provider with a platform that has a page for the end of a session.
async fn house() -> TestHouse {
    let mut settings = config::provider::Provider::default();
    let client = serde_json::json!({"client_id": "front", "client_secret": "s", "client_name": "前台", "redirect_uris": [CB],
        "frontchannel_logout_uri": "https://front.example/out"});
    settings.clients.push(client.as_object().unwrap().clone());
    // The keys of this house sign nothing but its audit log; a code is enough here.
    TestHouse::with(config::people::People::default(), settings).await
}

/// Goes to the platform, says yes there.
async fn visit_platform(browser: &mut Browser<'_>) {
    let asked = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("client_id", "front"),
            ("redirect_uri", CB),
            ("response_type", "code"),
            ("scope", "openid"),
        ])
        .finish();
    let page = browser.get(&format!("/authorize?{asked}")).await;
    let path = browser.at.clone();
    assert!(path.ends_with("/consent"), "{path}");
    let answer = browser
        .post(
            &path,
            &[("csrf_token", &page.csrf()), ("decision", "allow")],
        )
        .await;
    let next = answer.headers[header::LOCATION].to_str().unwrap();
    let next = next.strip_prefix(ISSUER).unwrap_or(next).to_owned();
    let answer = browser.send(Request::get(&next), String::new()).await;
    let back = answer.headers[header::LOCATION].to_str().unwrap();
    assert!(back.starts_with("https://front.example/cb?code="), "{back}");
    // As the platform's redemption would.
    sqlx::query("UPDATE grants SET redeemed_at = issued_at WHERE client = 'front'")
        .execute(&mut *browser.house.store.read().await.unwrap())
        .await
        .unwrap();
}

async fn own_session(browser: &mut Browser<'_>) -> String {
    let page = browser.get("/account").await;
    let row = page
        .body
        .split("data-session=\"")
        .skip(1)
        .find(|row| row.split("</li>").next().unwrap().contains("class=\"tag\""))
        .unwrap_or_else(|| panic!("{}", page.body));
    let handle = row.split('"').next().unwrap();
    format!("/account/sessions/{handle}/end")
}

#[tokio::test]
async fn the_page_after_ones_own_session_loads_the_platforms_pages() {
    let house = house().await;
    let mut browser = house.browser();
    browser.log_in("14000000001").await;
    visit_platform(&mut browser).await;
    let end = own_session(&mut browser).await;
    let page = browser.submit(&end, &[]).await;
    assert!(
        browser.at.starts_with("/logout/done?ended="),
        "{}",
        browser.at
    );
    assert!(browser.session().is_none());
    assert_eq!(page.body.matches("<iframe ").count(), 1);
    assert!(
        page.body
            .contains("<iframe src=\"https://front.example/out?iss="),
        "{}",
        page.body
    );
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("; frame-src https://front.example/out; "),
        "{policy}"
    );
    assert!(page.body.contains("前台"));
}

#[tokio::test]
async fn there_are_no_frames_where_no_platform_or_another_browser_is_concerned() {
    let house = house().await;
    // Nobody to be told.
    let mut browser = house.browser();
    browser.log_in("14000000001").await;
    let end = own_session(&mut browser).await;
    let page = browser.submit(&end, &[]).await;
    assert!(page.has("login-form") && !page.body.contains("<iframe"));
    // The platform's cookies are in the other browser.
    let (mut here, mut there) = (house.browser(), house.browser());
    there.log_in("14000000001").await;
    visit_platform(&mut there).await;
    let end = own_session(&mut there).await;
    here.log_in("14000000001").await;
    let page = here.submit(&end, &[]).await;
    assert!(
        page.has("person-name") && !page.body.contains("<iframe"),
        "{}",
        page.body
    );
    assert!(there.get("/account").await.has("login-form"));
}
