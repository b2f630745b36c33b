//! `/initiate-login`: a login that somebody else initiates (OIDC Core 4).

use axum::http::StatusCode;
use url::form_urlencoded::Serializer;

use super::provider::Claims;
use super::{Answer, Browser, PORTAL, Portals};

fn path(parameters: &[(&str, &str)]) -> String {
    let query = Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    format!("/initiate-login?{query}")
}

/// From where `answer` sends the browser, through the provider, back here.
async fn through(portals: &Portals, browser: &mut Browser, answer: &Answer) -> (Claims, Answer) {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let location = answer.location.as_deref().unwrap().parse().unwrap();
    let (claims, code) = portals.provider.authorize(&location);
    let state = claims["state"].as_str().unwrap().to_owned();
    let back = [
        ("code", code),
        ("state", state),
        ("iss", portals.provider.issuer.clone()),
    ];
    let back = back.map(|(name, value)| (name.to_owned(), value));
    (claims, browser.come_back(&back).await)
}

#[tokio::test]
async fn a_citizen_sent_by_the_provider_arrives_where_it_should() {
    let portals = Portals::new().await;
    let iss = portals.provider.issuer.as_str();
    let ours = format!("{PORTAL}/signed-out?x=1");
    for (target, arrives) in [
        (None, "/"),
        (Some(ours.as_str()), ours.as_str()),
        (Some("https://evil.example/"), "/"),
        (Some("//evil.example/"), "/"),
        (Some("http://yueshengshi.localhost:9@evil.example/"), "/"),
    ] {
        let mut browser = portals.browser();
        let mut parameters = vec![("iss", iss), ("login_hint", "14000000001"), ("more", "x")];
        parameters.extend(target.map(|target| ("target_link_uri", target)));
        let answer = browser.get(&path(&parameters)).await;
        let (claims, arrived) = through(&portals, &mut browser, &answer).await;
        assert_eq!(claims["login_hint"], "14000000001");
        assert_eq!(arrived.location.as_deref(), Some(arrives), "{target:?}");
        assert!(browser.is_signed_in().await);
    }
}

#[tokio::test]
async fn by_post_the_browser_comes_again_with_its_cookies() {
    let portals = Portals::new().await;
    let iss = portals.provider.issuer.as_str();
    let mut browser = portals.browser();
    browser.get("/").await;
    let before = browser.cookies.clone();
    let mut from_elsewhere = portals.browser();
    let answer = from_elsewhere
        .post(
            "/initiate-login",
            &[
                ("iss", iss),
                ("target_link_uri", PORTAL),
                ("login_hint", "a&b"),
            ],
        )
        .await;
    assert!(from_elsewhere.cookies.is_empty(), "nothing is overwritten");
    let again = answer.location.clone().unwrap();
    assert_eq!(
        again,
        path(&[
            ("iss", iss),
            ("login_hint", "a&b"),
            ("target_link_uri", PORTAL)
        ])
    );
    let answer = browser.get(&again).await;
    assert_eq!(browser.cookies, before);
    let (_, arrived) = through(&portals, &mut browser, &answer).await;
    assert_eq!(arrived.location, Some(format!("{PORTAL}/")));
}

#[tokio::test]
async fn nobody_is_sent_to_another_provider() {
    let portals = Portals::new().await;
    let iss = portals.provider.issuer.as_str();
    let long = "x".repeat(9000);
    for (parameters, code) in [
        (vec![], "invalid_issuer"),
        (vec![("iss", "https://evil.example")], "invalid_issuer"),
        (vec![("iss", iss), ("iss", iss)], "invalid_request"),
        (vec![("iss", iss), ("login_hint", &long)], "invalid_request"),
    ] {
        let answer = portals.browser().get(&path(&parameters)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.text("error-code"), code, "{parameters:?}");
        let answer = portals.browser().post("/initiate-login", &parameters).await;
        if code == "invalid_request" || parameters.is_empty() {
            assert_eq!(answer.text("error-code"), code, "{parameters:?}");
        }
    }
}
