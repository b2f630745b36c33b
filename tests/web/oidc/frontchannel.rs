//! Front-channel logout (OIDC Front-Channel Logout 1.0): what the signed-out page has the browser load.

use axum::http::StatusCode;
use hefu::authn::Factor;
use hefu::provider::told::{self, Channel, State};
use serde_json::json;

use super::{Answer, Browser, SHOP_CB, TestHouse, basic, encode, payload};

async fn house() -> TestHouse {
    TestHouse::with(4, |settings| {
        for (id, back) in [("front", None), ("both", Some("https://both.example/back"))] {
            let mut client = json!({"client_id": id, "client_secret": "s", "client_name": format!("平台 {id}"),
                "redirect_uris": [format!("https://{id}.example/cb")],
                "post_logout_redirect_uris": [format!("https://{id}.example/bye")],
                "frontchannel_logout_uri": format!("https://{id}.example/out?keep=1"),
                "frontchannel_logout_session_required": true});
            if let Some(back) = back {
                client["backchannel_logout_uri"] = back.into();
            }
            settings.clients.push(client.as_object().unwrap().clone());
        }
    })
    .await
}

/// Logs in at the client; returns its ID Token.
async fn sign_in(browser: &mut Browser<'_>, client: &str, uri: &str, secret: &str) -> String {
    let code = browser.ask_plain(client, uri, &[]).await.told()["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", uri),
    ];
    let answer = browser
        .house
        .post("/token", &form, Some(&basic(client, secret)))
        .await;
    answer.json()["id_token"].as_str().unwrap().to_owned()
}

async fn signed_in<'h>(house: &'h TestHouse, clients: &[&str]) -> (Browser<'h>, Vec<String>) {
    let person = house.citizen(true).await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let mut hints = Vec::new();
    for client in clients {
        house.consent(&person, client, "openid").await;
        let (uri, secret) = match *client {
            "shop" => (SHOP_CB.to_owned(), "shop secret"),
            other => (format!("https://{other}.example/cb"), "s"),
        };
        hints.push(sign_in(&mut browser, client, &uri, secret).await);
    }
    (browser, hints)
}

fn frames(page: &Answer) -> Vec<String> {
    page.body
        .split("<iframe src=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&"))
        .collect()
}

#[tokio::test]
async fn the_page_loads_the_platforms_pages_and_then_goes_on() {
    let house = house().await;
    let (mut browser, hints) = signed_in(&house, &["front", "both", "shop"]).await;
    let query = encode(&[
        ("id_token_hint", hints[0].as_str()),
        ("post_logout_redirect_uri", "https://front.example/bye"),
        ("state", "x y"),
    ]);
    let done = browser.get(&format!("/logout?{query}")).await.location();
    assert_eq!(done.path(), "/logout/done");
    let here = format!("{}?{}", done.path(), done.query().unwrap());
    let page = browser.get(&here).await;
    assert_eq!(page.status, StatusCode::OK);
    let sid = |i: usize| payload(&hints[i])["sid"].as_str().unwrap().to_owned();
    // `iss` and `sid` and nothing else; a query that was registered stays.
    let expected = [
        format!(
            "https://both.example/out?keep=1&iss=https%3A%2F%2Fid.example&sid={}",
            sid(1)
        ),
        format!(
            "https://front.example/out?keep=1&iss=https%3A%2F%2Fid.example&sid={}",
            sid(0)
        ),
    ];
    assert_eq!(frames(&page), expected);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("; frame-src https://both.example/out https://front.example/out; "),
        "{policy}"
    );
    assert!(policy.contains("frame-ancestors 'none'"));
    assert!(
        page.body
            .contains("sandbox=\"allow-scripts allow-same-origin allow-forms\"")
    );
    // Then to the platform that asked, with its state alone: by script, or by the link.
    assert!(
        page.body.contains(
            "id=\"signed-out-back\" href=\"https://front.example/bye?state=x+y\" data-goes-on"
        ),
        "{}",
        page.body
    );
    assert!(page.body.contains("<script src=\"/static/signed_out."));
    // Who was told by which channel.
    for (platform, state, channel) in [
        ("平台 both", "notifying", "both"),
        ("平台 front", "asked", "front"),
        ("商店", "notifying", "back"),
    ] {
        let row = page
            .body
            .split("<li ")
            .find(|row| row.contains(platform))
            .unwrap();
        assert!(
            row.starts_with(&format!(
                "data-state=\"{state}\" data-channel=\"{channel}\""
            )),
            "{row}"
        );
    }
    // A reload shows the frames again, for a while.
    house.clock.advance(59);
    assert_eq!(frames(&browser.get(&here).await), expected);
    house.clock.advance(2);
    let later = browser.get(&here).await;
    assert!(frames(&later).is_empty());
    let policy = later.headers["content-security-policy"].to_str().unwrap();
    assert!(!policy.contains("frame-src"), "{policy}");
    // The operator sees the same.
    let latest = told::latest(&mut house.store.read().await.unwrap(), 10)
        .await
        .unwrap();
    let seen: Vec<_> = latest
        .iter()
        .map(|t| (t.client.as_str(), t.state, t.channel))
        .collect();
    assert_eq!(
        seen,
        [
            ("both", State::Waiting, Channel::Both),
            ("front", State::Asked, Channel::Front),
            ("shop", State::Waiting, Channel::Back),
        ]
    );
}

#[tokio::test]
async fn without_frames_the_browser_goes_back_at_once() {
    let house = house().await;
    let (mut browser, hints) = signed_in(&house, &["shop"]).await;
    let query = encode(&[
        ("id_token_hint", hints[0].as_str()),
        ("post_logout_redirect_uri", "https://shop.example/bye"),
    ]);
    let location = browser.get(&format!("/logout?{query}")).await.location();
    assert_eq!(location.as_str(), "https://shop.example/bye");
}

#[tokio::test]
async fn a_confirmed_logout_shows_the_frames_and_stays() {
    let house = house().await;
    let (mut browser, _) = signed_in(&house, &["both"]).await;
    let csrf = browser.get("/logout").await.csrf();
    let form = [
        ("decision", "logout"),
        ("csrf_token", csrf.as_str()),
        ("post_logout_redirect_uri", "https://both.example/bye"),
    ];
    let done = browser.post("/logout", &form).await.location();
    let page = browser
        .get(&format!("{}?{}", done.path(), done.query().unwrap()))
        .await;
    assert_eq!(frames(&page).len(), 1);
    assert!(!page.body.contains("data-goes-on") && !page.body.contains("signed_out."));
}

#[tokio::test]
async fn only_the_seal_says_what_the_page_shows() {
    let house = house().await;
    let (mut browser, _) = signed_in(&house, &["front"]).await;
    for ended in ["x", "", "eyJhIjoxfQ"] {
        let page = browser.get(&format!("/logout/done?ended={ended}")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(frames(&page).is_empty() && !page.body.contains("signed-out-back"));
    }
    assert!(
        browser
            .ask_plain("front", "https://front.example/cb", &[])
            .await
            .told()
            .contains_key("code")
    );
}
