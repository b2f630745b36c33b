//! A platform that its superiors drop: what was granted to it ends when their word ends, and its logins are told so.

use std::sync::Arc;

use axum::http::StatusCode;
use hefu::authn::Factor;
use hefu::id::{ClientId, PersonId};
use hefu::provider::logout::Deliverer;
use hefu::provider::{departed, sweep, vouched};
use hefu::random::RngSource;
use serde_json::{Value, json};

use super::logout::{back_channel, deliverer};
use super::{ISSUER, LEAF_CB, TestHouse};
use crate::support::federation::{LEAF, MIDDLE, TOP, TestKey};

const LOGOUT: &str = "https://leaf.example/logout";

/// A house where a citizen is logged in at the leaf, with the tokens.
async fn signed_in() -> (TestHouse, PersonId, Value) {
    let house = TestHouse::new().await;
    publish(&house, LOGOUT);
    let person = house.citizen(true).await;
    house
        .consent(&person, LEAF, "openid real_name offline_access")
        .await;
    let tokens = log_in(&house, &person, "one").await;
    (house, person, tokens)
}

fn publish(house: &TestHouse, logout: &str) {
    let metadata = json!({"openid_relying_party": {
        "redirect_uris": [LEAF_CB], "jwks": TestKey::of("protocol key").jwks(),
        "grant_types": ["authorization_code", "refresh_token"], "backchannel_logout_uri": logout,
    }});
    house.world.spoil(LEAF, LEAF, move |draft| {
        draft.claims.insert("metadata".into(), metadata.clone());
    });
}

async fn log_in(house: &TestHouse, person: &PersonId, jti: &str) -> Value {
    let (_, mut browser) = house.session(person, &[Factor::Password]).await;
    let asked = json!({"scope": "openid real_name offline_access"});
    let code = browser.ask(jti, asked).await.told()["code"].clone();
    house.redeem(&code, jti, &[]).await.json()
}

async fn look(house: &TestHouse) -> Vec<String> {
    let mut rng = RngSource::System.rng();
    let provider = &house.provider;
    let ended = departed::look(&house.store, &provider.clients, &mut rng, house.now())
        .await
        .unwrap();
    ended.into_iter().map(|client| client.0).collect()
}

async fn refresh(house: &TestHouse, tokens: &Value, jti: &str) -> (StatusCode, Value) {
    let assertion = house.assertion(jti, ISSUER);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ("client_id", LEAF),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", &assertion),
    ];
    let answer = house.post("/token", &form, None).await;
    (answer.status, answer.json()["error"].clone())
}

fn pass(house: &TestHouse, seconds: i64) {
    house.clock.advance(seconds);
    house.world.advance(seconds);
}

/// Where logouts wait to be told.
async fn waiting(house: &TestHouse) -> Vec<String> {
    sqlx::query_scalar("SELECT uri FROM logout_deliveries ORDER BY uri")
        .fetch_all(&mut *house.store.read().await.unwrap())
        .await
        .unwrap()
}

async fn userinfo(house: &TestHouse, tokens: &Value) -> StatusCode {
    let token = tokens["access_token"].as_str().unwrap();
    house.userinfo(token).await.status
}

#[tokio::test]
async fn a_dropped_platform_ends_when_the_statement_about_it_ends() {
    let (house, person, _) = signed_in().await;
    assert_eq!(look(&house).await, [""; 0]);
    house.world.drop_subordinate(MIDDLE, LEAF);
    // The answer 404 is unsigned: to the last second nothing ends.
    for seconds in [301, 298] {
        pass(&house, seconds);
        assert_eq!(look(&house).await, [""; 0]);
        // The refresh runs beside.
        tokio::task::yield_now().await;
    }
    let tokens = log_in(&house, &person, "two").await;
    assert_eq!(userinfo(&house, &tokens).await, StatusCode::OK);
    let (status, _) = refresh(&house, &tokens, "r1").await;
    assert_eq!(status, StatusCode::OK);
    pass(&house, 1);
    assert_eq!(look(&house).await, [LEAF]);
    assert_eq!(userinfo(&house, &tokens).await, StatusCode::UNAUTHORIZED);
    let (status, error) = refresh(&house, &tokens, "r2").await;
    assert_eq!(
        (status, error),
        (StatusCode::UNAUTHORIZED, json!("invalid_client"))
    );
    // Two sessions had logins there; both are told, once.
    assert_eq!(waiting(&house).await, [LOGOUT, LOGOUT]);
    assert_eq!(look(&house).await, [""; 0]);
    assert_eq!(waiting(&house).await.len(), 2);
    let mut conn = house.store.read().await.unwrap();
    let ended = vouched::ended_for(&mut conn, &person).await.unwrap();
    assert_eq!(ended.get(LEAF), Some(&house.now()));
    drop(conn);

    // Taken back, it begins anew: what had ended stays so.
    house.world.vouch(MIDDLE, LEAF, json!({}));
    pass(&house, 31);
    let (status, error) = refresh(&house, &tokens, "r3").await;
    assert_eq!(
        (status, error),
        (StatusCode::BAD_REQUEST, json!("invalid_grant"))
    );
    let tokens = log_in(&house, &person, "three").await;
    assert_eq!(look(&house).await, [""; 0]);
    assert_eq!(userinfo(&house, &tokens).await, StatusCode::OK);
    let mut conn = house.store.read().await.unwrap();
    let ended = vouched::ended_for(&mut conn, &person).await.unwrap();
    assert!(ended.is_empty());
    sweep::sweep(&mut conn, house.now()).await.unwrap();
}

#[tokio::test]
async fn signed_evidence_ends_a_platform_at_once() {
    let (house, _, tokens) = signed_in().await;
    assert_eq!(look(&house).await, [""; 0]);
    house.world.vouch(
        TOP,
        MIDDLE,
        json!({"constraints": {"naming_constraints": {"excluded": ["leaf.example"]}}}),
    );
    // Statements are asked for again at half of their life.
    pass(&house, 301);
    let mut ended = look(&house).await;
    for _ in 0..20 {
        if !ended.is_empty() {
            break;
        }
        tokio::task::yield_now().await;
        ended = look(&house).await;
    }
    assert_eq!(ended, [LEAF]);
    assert_eq!(userinfo(&house, &tokens).await, StatusCode::UNAUTHORIZED);
    assert_eq!(waiting(&house).await, [LOGOUT]);
}

#[tokio::test]
async fn a_restart_and_silence_end_nothing_before_the_word_ends() {
    let (house, _, tokens) = signed_in().await;
    assert_eq!(look(&house).await, [""; 0]);
    for id in [LEAF, MIDDLE, TOP] {
        house.world.offline(id);
    }
    // Another process, which remembers no chain and reaches nobody.
    let again = house.beside();
    pass(&house, 299);
    let mut rng = RngSource::System.rng();
    let mut ended = async |now| {
        departed::look(&house.store, &again, &mut rng, now)
            .await
            .unwrap()
    };
    assert!(ended(house.now()).await.is_empty());
    assert_eq!(userinfo(&house, &tokens).await, StatusCode::OK);
    pass(&house, 300);
    assert!(ended(house.now()).await.is_empty());
    pass(&house, 1);
    assert_eq!(ended(house.now()).await, [ClientId(LEAF.to_owned())]);
}

#[tokio::test]
async fn the_address_that_superiors_let_it_have_last_is_told() {
    let (house, _, _) = signed_in().await;
    assert_eq!(look(&house).await, [""; 0]);
    let moved = "https://leaf.example/moved";
    publish(&house, moved);
    pass(&house, 301);
    for _ in 0..20 {
        look(&house).await;
        tokio::task::yield_now().await;
    }
    house.world.drop_subordinate(MIDDLE, LEAF);
    pass(&house, 1200);
    assert_eq!(look(&house).await, [LEAF]);
    assert_eq!(waiting(&house).await, [moved]);
}

#[tokio::test]
async fn a_departed_platform_still_hears_of_it() {
    let (port, heard) = back_channel(StatusCode::OK).await;
    let (house, _, _) = signed_in().await;
    assert_eq!(look(&house).await, [""; 0]);
    house.world.drop_subordinate(MIDDLE, LEAF);
    pass(&house, 600);
    assert_eq!(look(&house).await, [LEAF]);
    // This node has met the platform; another has not, and knows from the database that its tokens are not encrypted.
    let uri = format!("http://leaf.localhost:{port}/bc");
    sqlx::query("UPDATE logout_deliveries SET uri = $1")
        .bind(uri)
        .execute(&mut *house.store.read().await.unwrap())
        .await
        .unwrap();
    let deliverer = Deliverer {
        clients: Arc::new(house.beside()),
        ..deliverer(&house, port)
    };
    let mut rng = RngSource::System.rng();
    let round = deliverer.deliver(&mut rng, house.now()).await.unwrap();
    assert_eq!(round.delivered, 1);
    assert_eq!(heard.lock().unwrap().len(), 1);
    // One whose tokens were encrypted hears nothing in the clear.
    for change in [
        "UPDATE federation_clients SET encryption = 'ECDH-ES'",
        "UPDATE logout_deliveries SET delivered_at = NULL, due_at = 0",
    ] {
        sqlx::query(change)
            .execute(&mut *house.store.read().await.unwrap())
            .await
            .unwrap();
    }
    let round = deliverer.deliver(&mut rng, house.now()).await.unwrap();
    assert_eq!((round.delivered, round.put_off), (0, 1));
    assert_eq!(heard.lock().unwrap().len(), 1);
}
