//! `GET /frontchannel-logout`: the provider's page has the browser load it in a frame, without our cookies.

use axum::http::StatusCode;

use hefu::relying::metadata;

use super::provider::SID;
use super::{Answer, Portals};

#[tokio::test]
async fn the_session_that_is_named_ends_and_no_other() {
    let portals = Portals::new().await;
    let browser = portals.signed_in().await;
    let issuer = portals.provider.issuer.clone();
    let other = "https://other.example".to_owned();
    for (iss, sid, status) in [
        (&issuer, "another", StatusCode::OK),
        (&other, SID, StatusCode::BAD_REQUEST),
        (&issuer, "", StatusCode::BAD_REQUEST),
    ] {
        let answer = page_of(&portals, iss, sid).await;
        assert_eq!(answer.status, status, "{iss} {sid}");
        assert!(browser.is_signed_in().await, "{iss} {sid}");
    }
    let answer = page_of(&portals, &issuer, SID).await;
    assert_eq!(answer.status, StatusCode::OK);
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; frame-ancestors http")
            && !answer.headers.contains_key("x-frame-options"),
        "{policy}"
    );
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(!browser.is_signed_in().await);
}

async fn page_of(portals: &Portals, iss: &str, sid: &str) -> Answer {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("iss", iss), ("sid", sid)])
        .finish();
    let path = format!("/frontchannel-logout?{query}");
    portals.browser().get(&path).await
}

#[tokio::test]
async fn it_is_published_only_where_it_is_wanted() {
    for wanted in [false, true] {
        let portals = Portals::with(|portal| portal.frontchannel_logout = wanted).await;
        let metadata = metadata::openid_relying_party(&portals.party, "粤省事");
        let uri = metadata.get("frontchannel_logout_uri");
        assert_eq!(uri.is_some(), wanted, "{metadata:?}");
        if let Some(uri) = uri {
            let door = format!("{}/frontchannel-logout", super::PORTAL);
            assert_eq!(uri.as_str(), Some(door.as_str()));
            assert_eq!(metadata["frontchannel_logout_session_required"], true);
        }
    }
}
