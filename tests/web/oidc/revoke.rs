//! `/revoke` (RFC 7009).

use axum::body::Body;
use axum::http::{Request, StatusCode, header};

use super::offers::{self, WHOLE, shop, text, tokens};
use super::{TestHouse, basic};

async fn revoke(house: &TestHouse, client: &str, secret: &str, token: &str) -> super::Answer {
    house
        .post(
            "/revoke",
            &[("token", token), ("token_type_hint", "nonsense")],
            Some(&basic(client, secret)),
        )
        .await
}

#[tokio::test]
async fn an_access_token_ends_alone_a_refresh_token_with_everything() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let asked = [("scope", WHOLE)];
    let first = tokens(&house, &mut browser, &asked, &[]).await.json();
    let refresh = text(&first, "refresh_token");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
    ];
    let second = shop(&house, &form).await.json();
    let (one, two) = (text(&first, "access_token"), text(&second, "access_token"));

    let answer = revoke(&house, "shop", "shop secret", &one).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""));
    assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    assert_eq!(house.userinfo(&one).await.json()["error"], "invalid_token");
    assert_eq!(house.userinfo(&two).await.status, StatusCode::OK);
    // Again, and what never was: the same answer (RFC 7009 §2.2).
    for token in [one.as_str(), "unknown", "a.b.c", "\u{5408}"] {
        let answer = revoke(&house, "shop", "shop secret", token).await;
        assert_eq!(answer.status, StatusCode::OK, "{token}");
    }
    let newest = text(&second, "refresh_token");
    assert_eq!(
        revoke(&house, "shop", "shop secret", &newest).await.status,
        StatusCode::OK
    );
    assert_eq!(house.userinfo(&two).await.json()["error"], "invalid_token");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", newest.as_str()),
    ];
    assert_eq!(shop(&house, &form).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn only_its_own_and_only_after_proof() {
    let house = offers::house().await;
    let (_, mut browser) = offers::citizen(&house).await;
    let answer = tokens(&house, &mut browser, &[("scope", WHOLE)], &[])
        .await
        .json();
    for name in ["access_token", "refresh_token"] {
        let foreign = revoke(&house, "gateway", "s", &text(&answer, name)).await;
        assert_eq!(
            (foreign.status.as_u16(), foreign.json()["error"].as_str()),
            (400, Some("unauthorized_client")),
            "{name}"
        );
    }
    let access = text(&answer, "access_token");
    let wrong = revoke(&house, "shop", "wrong", &access).await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.json()["error"].as_str()),
        (401, Some("invalid_client"))
    );
    let nobody = house.post("/revoke", &[("token", &access)], None).await;
    assert_eq!(nobody.json()["error"], "invalid_client");
    let nothing = house
        .post("/revoke", &[], Some(&basic("shop", "shop secret")))
        .await;
    assert_eq!(nothing.json()["error"], "invalid_request");
    assert_eq!(house.userinfo(&access).await.status, StatusCode::OK);

    let get = Request::get("/revoke").body(Body::empty()).unwrap();
    assert_eq!(house.send(get).await.status, StatusCode::METHOD_NOT_ALLOWED);
    let preflight = Request::options("/revoke").body(Body::empty()).unwrap();
    assert_eq!(
        house.send(preflight).await.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN],
        "*"
    );
    let off = TestHouse::with(1, |settings| settings.revocation = false).await;
    assert_eq!(
        revoke(&off, "shop", "shop secret", "x").await.status,
        StatusCode::NOT_FOUND
    );
}
