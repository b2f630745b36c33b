//! Step-up challenge (RFC 9470) at UserInfo, and what UserInfo says of itself (RFC 9728).

use axum::body::Body;
use axum::http::{Request, StatusCode};
use hefu::authn::Factor;
use hefu::config::offers::Floor;
use hefu::id::PersonId;
use serde_json::json;

use super::offers::{text, tokens};
use super::{ISSUER, TestHouse};

const L2: &str = "https://hefu.example/acr/L2";

async fn house(acr: Option<&str>, max_age: Option<i64>, scopes: &[&str]) -> (TestHouse, PersonId) {
    let floor = Floor {
        acr: acr.map(str::to_owned),
        max_age,
        scopes: scopes.iter().map(|s| (*s).to_owned()).collect(),
    };
    let house = TestHouse::with(4, |settings| settings.userinfo_floor = Some(floor)).await;
    let person = house.citizen(true).await;
    house.consent(&person, "shop", "openid profile").await;
    (house, person)
}

#[tokio::test]
async fn a_login_below_the_floor_is_told_which_would_do() {
    let (house, person) = house(Some(L2), Some(600), &[]).await;
    let asked = [("scope", "openid profile")];
    let (_, mut weak) = house.session(&person, &[Factor::Password]).await;
    let access = text(
        &tokens(&house, &mut weak, &asked, &[]).await.json(),
        "access_token",
    );
    let refused = house.userinfo(&access).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        refused.headers["www-authenticate"],
        format!(
            "Bearer error=\"insufficient_user_authentication\", error_description=\"a stronger or more recent login is needed\", \
             acr_values=\"{L2}\", max_age=\"600\", resource_metadata=\"{ISSUER}/.well-known/oauth-protected-resource\""
        )
    );
    let (_, mut strong) = house
        .session(&person, &[Factor::Password, Factor::Sms])
        .await;
    let access = text(
        &tokens(&house, &mut strong, &asked, &[]).await.json(),
        "access_token",
    );
    assert_eq!(house.userinfo(&access).await.status, StatusCode::OK);
    // The same login, later: no longer fresh.
    house.clock.advance(500);
    let access = text(
        &tokens(&house, &mut strong, &asked, &[]).await.json(),
        "access_token",
    );
    assert_eq!(house.userinfo(&access).await.status, StatusCode::OK);
    house.clock.advance(101);
    assert_eq!(
        house.userinfo(&access).await.json()["error"],
        "insufficient_user_authentication"
    );
}

#[tokio::test]
async fn a_floor_can_be_under_some_scopes_alone() {
    let (house, person) = house(Some(L2), None, &["profile"]).await;
    let (_, mut weak) = house.session(&person, &[Factor::Password]).await;
    for (scope, status) in [("openid", 200), ("openid profile", 401)] {
        let answer = tokens(&house, &mut weak, &[("scope", scope)], &[]).await;
        let access = text(&answer.json(), "access_token");
        assert_eq!(house.userinfo(&access).await.status, status, "{scope}");
    }
}

#[tokio::test]
async fn userinfo_describes_itself() {
    let house = TestHouse::new().await;
    let path = "/.well-known/oauth-protected-resource";
    let answer = house
        .send(Request::get(path).body(Body::empty()).unwrap())
        .await;
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(
        answer.json(),
        json!({"resource": ISSUER, "authorization_servers": [ISSUER], "bearer_methods_supported": ["header", "body"],
            "scopes_supported": ["openid", "profile", "phone", "address", "email", "offline_access", "real_name"]})
    );
}
