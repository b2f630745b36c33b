//! What trust marks allow, and that it ends with them: the full number of a document, and logins at L4.

use hefu::authn::Factor;
use hefu::id::{ClientId, PersonId};
use hefu::oauth::Scope;
use hefu::random::RngSource;
use hefu::{config, consent};
use serde_json::{Value, json};

use super::{ISSUER, LEAF_CB, TestHouse, payload};
use crate::support::federation::{LEAF, MIDDLE, START, TOP, TestKey};

const FULL: &str = "https://top.example/marks/real-name-full";
const L4: &str = "https://top.example/marks/level-4";
const NUMBER: &str = "449999195003010014";

/// A house whose anchor knows both types, and a leaf that shows `shown`, until they expire `lives` seconds later.
async fn house(shown: &[&'static str], lives: i64) -> (TestHouse, PersonId) {
    let house = TestHouse::with(4, |settings| {
        settings.marks = config::provider::Marks {
            real_name_full: Some(FULL.to_owned()),
            level_4: Some(L4.to_owned()),
        };
    })
    .await;
    house.world.spoil(TOP, TOP, |draft| {
        let issuers = json!({FULL: [MIDDLE], L4: [MIDDLE]});
        draft.claims.insert("trust_mark_issuers".into(), issuers);
    });
    for mark in shown {
        let claims = json!({"iss": MIDDLE, "sub": LEAF, "trust_mark_type": mark, "iat": START.0 - 5, "exp": START.0 + lives});
        let mark_jwt = TestKey::of(MIDDLE).jwt("trust-mark+jwt", &claims);
        house.world.trust_mark(LEAF, mark, &mark_jwt);
    }
    let person = house.citizen(true).await;
    let names = ["cn_id_number".to_owned()].into();
    let yes = consent::Yes {
        person: &person,
        client: &ClientId(LEAF.to_owned()),
        scope: &Scope::parse("openid real_name offline_access").unwrap(),
        claims: &names,
        platform: "x",
        lifetime: 100_000,
    };
    let mut conn = house.store.read().await.unwrap();
    consent::give(&mut conn, &mut RngSource::System.rng(), &yes, house.now())
        .await
        .unwrap();
    drop(conn);
    (house, person)
}

fn wish(essential: bool) -> Value {
    let wish = json!({"cn_id_number": {"essential": essential}});
    json!({"claims": {"userinfo": wish, "id_token": wish}})
}

/// What the leaf is told in the ID Token and at UserInfo.
async fn told(house: &TestHouse, tokens: &Value) -> (Value, Value) {
    let userinfo = house
        .userinfo(tokens["access_token"].as_str().unwrap())
        .await;
    assert_eq!(userinfo.status, 200, "{}", userinfo.body);
    let id_token = payload(tokens["id_token"].as_str().unwrap());
    (
        id_token["cn_id_number"].clone(),
        userinfo.json()["cn_id_number"].clone(),
    )
}

async fn refresh(house: &TestHouse, token: &Value, jti: &str) -> Value {
    let assertion = house.assertion(jti, ISSUER);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str().unwrap()),
        ("client_id", LEAF),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", &assertion),
    ];
    let answer = house.post("/token", &form, None).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[tokio::test]
async fn the_full_number_is_told_under_its_mark_and_to_nobody_else() {
    for (shown, number) in [
        (&[FULL][..], json!(NUMBER)),
        (&[L4], Value::Null),
        (&[], Value::Null),
    ] {
        let (house, person) = house(shown, 500).await;
        let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
        let code = browser.ask("one", wish(false)).await.told()["code"].clone();
        let tokens = house.redeem(&code, "one", &[]).await.json();
        assert_eq!(told(&house, &tokens).await, (number.clone(), number));
        // Who insists on what it may not have hears so.
        let insisted = browser.ask("two", wish(true)).await.told();
        match insisted.get("error") {
            None => assert_eq!(shown, [FULL]),
            Some(error) => {
                assert_eq!(error, "access_denied");
                assert!(insisted["error_description"].contains("trust mark"));
            }
        }
        // Not asked for by name, not told.
        let code = browser.ask("three", json!({})).await.told()["code"].clone();
        let tokens = house.redeem(&code, "three", &[]).await.json();
        assert_eq!(told(&house, &tokens).await, (Value::Null, Value::Null));
    }
}

#[tokio::test]
async fn it_is_told_no_longer_when_the_mark_has_expired_or_is_shown_no_more() {
    for expires in [true, false] {
        let (house, person) = house(&[FULL], if expires { 200 } else { 100_000 }).await;
        let offline = json!({"scope": "openid real_name offline_access"});
        let metadata = json!({"openid_relying_party": {
            "redirect_uris": [LEAF_CB], "jwks": TestKey::of("protocol key").jwks(),
            "grant_types": ["authorization_code", "refresh_token"],
        }});
        house.world.spoil(LEAF, LEAF, move |draft| {
            draft.claims.insert("metadata".into(), metadata.clone());
        });
        let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
        let mut asked = wish(false);
        asked["scope"] = offline["scope"].clone();
        let code = browser.ask("one", asked).await.told()["code"].clone();
        let tokens = house.redeem(&code, "one", &[]).await.json();
        assert_eq!(told(&house, &tokens).await, (json!(NUMBER), json!(NUMBER)));
        if !expires {
            let metadata = json!({"openid_relying_party": {
                "redirect_uris": [LEAF_CB], "jwks": TestKey::of("protocol key").jwks(),
                "grant_types": ["authorization_code", "refresh_token"],
            }});
            house.world.spoil(LEAF, LEAF, move |draft| {
                draft.claims.insert("metadata".into(), metadata.clone());
                draft.claims.remove("trust_marks");
            });
        }
        // By then every statement that showed it has run out.
        let later = if expires { 201 } else { 601 };
        house.clock.advance(later);
        house.world.advance(later);
        if expires {
            // The access token still lives; what it opened does not.
            assert_eq!(told(&house, &tokens).await.1, Value::Null);
        }
        let renewed = refresh(&house, &tokens["refresh_token"], "again").await;
        assert_eq!(told(&house, &renewed).await, (Value::Null, Value::Null));
    }
}

#[tokio::test]
async fn logins_at_l4_are_for_platforms_with_the_mark() {
    let acr = |name: &str| format!("https://hefu.example/acr/{name}");
    let essential = |levels: Value| json!({"claims": {"id_token": {"acr": {"essential": true, "values": levels}}}});
    for marked in [true, false] {
        let (house, person) = house(if marked { &[L4] } else { &[] }, 500).await;
        // A person whose face was seen, a moment ago, with a passkey.
        sqlx::query("UPDATE persons SET level = 'rn4' WHERE id = $1")
            .bind(&person)
            .execute(&mut *house.store.read().await.unwrap())
            .await
            .unwrap();
        let (_, mut browser) = house.session(&person, &[Factor::Passkey]).await;
        let told = browser
            .ask("one", essential(json!([acr("L4")])))
            .await
            .told();
        if marked {
            let tokens = house.redeem(&told["code"], "one", &[]).await.json();
            let id_token = payload(tokens["id_token"].as_str().unwrap());
            assert_eq!(id_token["acr"], acr("L4"));
        } else {
            assert_eq!(told["error"], "unmet_authentication_requirements");
            assert!(told["error_description"].contains("trust mark"));
        }
        // Whatever is merely wished for, and whatever the login is worth: without the mark it is called L3.
        let highest = acr(if marked { "L4" } else { "L3" });
        for (jti, asked) in [
            ("two", json!({"acr_values": acr("L4")})),
            ("three", essential(json!([acr("L4"), acr("L3")]))),
            ("four", json!({})),
        ] {
            let code = browser.ask(jti, asked).await.told()["code"].clone();
            let tokens = house.redeem(&code, jti, &[]).await.json();
            let id_token = payload(tokens["id_token"].as_str().unwrap());
            assert_eq!(id_token["acr"], highest, "{jti}");
        }
    }
}

#[tokio::test]
async fn a_revoked_mark_stops_within_a_minute() {
    let (house, person) = house(&[FULL], 100_000).await;
    house.world.spoil(MIDDLE, MIDDLE, |draft| {
        let status = format!("{MIDDLE}/status");
        draft.claims["metadata"]["federation_entity"]["federation_trust_mark_status_endpoint"] =
            status.into();
    });
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let code = browser.ask("one", wish(false)).await.told()["code"].clone();
    let tokens = house.redeem(&code, "one", &[]).await.json();
    assert_eq!(told(&house, &tokens).await, (json!(NUMBER), json!(NUMBER)));
    let claims = json!({"iss": MIDDLE, "sub": LEAF, "trust_mark_type": FULL, "iat": START.0 - 5, "exp": START.0 + 100_000});
    let mark = TestKey::of(MIDDLE).jwt("trust-mark+jwt", &claims);
    house.world.trust_mark_status(&mark, "revoked");
    house.clock.advance(61);
    house.world.advance(61);
    // The same token, and whatever is asked for from now on.
    assert_eq!(told(&house, &tokens).await.1, Value::Null);
    let insisted = browser.ask("two", wish(true)).await.told();
    assert_eq!(insisted["error"], "access_denied");
    let code = browser.ask("three", wish(false)).await.told()["code"].clone();
    let tokens = house.redeem(&code, "three", &[]).await.json();
    assert_eq!(told(&house, &tokens).await, (Value::Null, Value::Null));
}
