//! Logins while a portal's superiors are away: they go on until the chain ends, and then a page says so in plain words.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hefu::authn::Factor;
use serde_json::json;

use super::{Answer, TestHouse, encode};
use crate::support::federation::{LEAF, MIDDLE, TOP};

async fn house() -> TestHouse {
    let house = TestHouse::new().await;
    let named =
        json!({"openid_relying_party": {"client_name": "粤省事", "client_name#en": "Yueshengshi"}});
    house
        .world
        .vouch(MIDDLE, LEAF, json!({ "metadata": named }));
    house
}

fn advance(house: &TestHouse, seconds: i64) {
    house.clock.advance(seconds);
    house.world.advance(seconds);
}

async fn asked(house: &TestHouse, language: &str, client: &str) -> Answer {
    let object = house.request_object("x", json!({}));
    let query = encode(&[("client_id", client), ("request", &object)]);
    let request = Request::get(format!("/authorize?{query}"))
        .extension(hefu::web::source::Source("192.0.2.1".parse().unwrap()))
        .header(header::ACCEPT_LANGUAGE, language)
        .body(Body::empty());
    house.send(request.unwrap()).await
}

/// What stands between the header and the footer, without the reference.
fn shown(answer: &Answer) -> String {
    let main = answer.body.split("<main").nth(1).unwrap();
    let main = main.split("</main>").next().unwrap();
    format!("<main{main}").replace(&answer.element("error-reference"), "[reference]")
}

#[tokio::test]
async fn logins_go_on_until_the_chain_ends_and_then_a_page_says_so() {
    let house = house().await;
    let person = house.citizen(true).await;
    house.consent(&person, LEAF, "openid real_name").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let code = browser.ask("first", json!({})).await.told()["code"].clone();
    assert_eq!(house.redeem(&code, "first", &[]).await.status, 200);
    for id in [LEAF, MIDDLE, TOP] {
        house.world.offline(id);
    }
    for n in 0..5 {
        advance(&house, 100);
        let code = browser.ask(&format!("a{n}"), json!({})).await.told()["code"].clone();
        assert_eq!(house.redeem(&code, &format!("r{n}"), &[]).await.status, 200);
    }
    // A login that began before the end meets it on the way.
    let (path, token) = {
        let asked = browser.ask("begun", json!({"prompt": "consent"})).await;
        let path = asked.location().path().to_owned();
        let token = browser.get(&format!("{path}/consent")).await.csrf();
        (path, token)
    };
    advance(&house, 100);
    let form = [("decision", "allow"), ("csrf_token", &*token)];
    let stopped = browser.post(&format!("{path}/consent"), &form).await;
    for page in [&stopped, &asked(&house, "zh-CN", LEAF).await] {
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!page.headers.contains_key(header::LOCATION));
        assert_eq!(page.headers["retry-after"], "60");
        assert_eq!(page.element("error-code"), "temporarily_unavailable");
        assert!(page.body.contains("粤省事"));
    }
    insta::assert_snapshot!("lapsed_zh", shown(&asked(&house, "zh-CN", LEAF).await));
    insta::assert_snapshot!("lapsed_en", shown(&asked(&house, "en", LEAF).await));
    // Somebody whom nobody ever vouched for gets the other page.
    let stranger = asked(&house, "zh-CN", "https://stranger.example").await;
    assert_eq!(stranger.status, StatusCode::BAD_REQUEST);
    assert_eq!(stranger.element("error-code"), "invalid_client");
    // They come back, and nobody has to do anything.
    for id in [LEAF, MIDDLE, TOP] {
        house.world.online(id);
    }
    advance(&house, 30);
    let told = browser.ask("back", json!({})).await.told();
    assert!(told.contains_key("code"), "{told:?}");
}
