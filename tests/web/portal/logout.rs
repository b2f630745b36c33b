//! `POST /logout` and `GET /signed-out`.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use hefu::jose::jwt;

use super::provider::SUB;
use super::{PORTAL, Portals};

#[tokio::test]
async fn leaving_ends_the_session_here_and_leads_to_the_providers_logout() {
    let portals = Portals::new().await;
    let mut browser = portals.signed_in().await;
    let before = browser.clone();
    let token = browser.get("/").await.csrf();
    let answer = browser.post("/logout", &[("csrf_token", &token)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let location: url::Url = answer.location.unwrap().parse().unwrap();
    let parameters: BTreeMap<_, _> = location.query_pairs().into_owned().collect();
    assert!(
        location
            .as_str()
            .starts_with(&format!("{}/logout?", portals.provider.issuer))
    );
    assert_eq!(parameters["client_id"], PORTAL);
    assert_eq!(
        parameters["post_logout_redirect_uri"],
        format!("{PORTAL}/signed-out")
    );
    let (_, hint) = jwt::peek(&parameters["id_token_hint"], 8192).unwrap();
    assert_eq!(hint["sub"], SUB);

    // The cookie is gone, and an old copy of it is worth nothing.
    assert_eq!(browser.session(), None);
    assert!(!before.is_signed_in().await);

    let state: String =
        url::form_urlencoded::byte_serialize(parameters["state"].as_bytes()).collect();
    let back = browser.get(&format!("/signed-out?state={state}")).await;
    assert!(back.body.contains("data-by=\"here\""), "{}", back.body);
    assert!(back.has("portal-login-form"));

    // Only where it began, and not for ever.
    let mut stranger = portals.browser();
    for path in ["/signed-out", &format!("/signed-out?state={state}")] {
        stranger.get("/").await;
        let answer = stranger.get(path).await;
        assert_eq!(answer.location.as_deref(), Some("/"), "{path}");
    }
    portals.clock.advance(1801);
    let late = browser.get(&format!("/signed-out?state={state}")).await;
    assert_eq!(late.location.as_deref(), Some("/"));
}

#[tokio::test]
async fn nobody_else_can_make_a_citizen_leave() {
    let portals = Portals::new().await;
    let theirs = portals.browser().get("/").await.csrf();
    let mut browser = portals.signed_in().await;
    for fields in [vec![], vec![("csrf_token", theirs.as_str())]] {
        let answer = browser.post("/logout", &fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.text("error-code"), "invalid_request");
        assert!(browser.is_signed_in().await);
    }
    let answer = browser.get("/logout").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    browser.get("/signed-out").await;
    assert!(browser.is_signed_in().await);
}

#[tokio::test]
async fn a_provider_that_cannot_be_told_does_not_keep_the_session_alive() {
    let portals = Portals::new().await;
    let mut browser = portals.signed_in().await;
    let token = browser.get("/").await.csrf();
    portals.trust.withdraw();
    let answer = browser.post("/logout", &[("csrf_token", &token)]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.contains("data-by=\"only-here\""));
    assert!(!browser.is_signed_in().await);
    // Pressed once more, from a page that was still open: nothing is left to end.
    let answer = browser.post("/logout", &[("csrf_token", &token)]).await;
    assert_eq!(answer.location.as_deref(), Some("/"));
}
