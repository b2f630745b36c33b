//! `GET /.well-known/openid-federation`

use axum::http::{Request, StatusCode};
use hefu::config::authority::Authority as Section;

use super::{Anchor, body, shown};

const PATH: &str = "/.well-known/openid-federation";

#[tokio::test]
async fn the_anchors_configuration() {
    let anchor = Anchor::new().await;
    insta::assert_snapshot!(shown(anchor.get(PATH).await).await);
}

#[tokio::test]
async fn endpoints_that_are_switched_on_and_their_authentication_are_published() {
    let section: Section = toml::from_str(
        "extended_list = true\ncollection = true\nauth_methods = { trust_mark = [\"private_key_jwt\"], fetch = [\"none\", \"private_key_jwt\"] }",
    )
    .unwrap();
    let anchor = Anchor::with(section).await;
    insta::assert_snapshot!(shown(anchor.get(PATH).await).await);
}

#[tokio::test]
async fn one_signature_serves_half_a_life() {
    let anchor = Anchor::new().await;
    let first = body(anchor.get(PATH).await).await;
    anchor.clock.advance(43_199);
    assert_eq!(body(anchor.get(PATH).await).await, first);
    assert_eq!(anchor.signatures(), 1);
    anchor.clock.advance(1);
    assert_ne!(body(anchor.get(PATH).await).await, first);
    assert_eq!(anchor.signatures(), 2);
}

#[tokio::test]
async fn any_page_may_read_it_and_nobody_may_post() {
    let anchor = Anchor::new().await;
    let request = Request::options(PATH)
        .header("origin", "https://anywhere.example")
        .header("access-control-request-method", "GET");
    let answer = anchor.request(request).await;
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let answer = anchor.request(Request::post(PATH)).await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}
