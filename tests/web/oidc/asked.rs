//! What a request may ask of the login (OIDC Core 3.1.2.1): `prompt`, `max_age`, `id_token_hint`, `acr`, and what is told of it.

use hefu::authn::Factor;
use hefu::id::PersonId;
use hefu::session;
use serde_json::{Value, json};

use super::{Browser, SHOP_CB, TestHouse, basic, payload};
use crate::support::federation::LEAF;

async fn signed_in<'h>(house: &'h TestHouse, clients: &[&str]) -> (PersonId, Browser<'h>) {
    let person = house.citizen(true).await;
    for client in clients {
        house
            .consent(&person, client, "openid real_name offline_access")
            .await;
    }
    let (_, browser) = house.session(&person, &[Factor::Password]).await;
    (person, browser)
}

/// The door that the interaction leads to, or the error or `code` that the platform is told.
async fn led_to(browser: &mut Browser<'_>, client: &str, more: &[(&str, &str)]) -> String {
    let uri = if client == "shop" {
        SHOP_CB.to_owned()
    } else {
        format!("https://{client}.example/cb")
    };
    let location = browser.ask_plain(client, &uri, more).await.location();
    if location.host_str() == Some("id.example") {
        let path = location.path().to_owned();
        let door = browser.get(&path).await.location().path().to_owned();
        return door.strip_prefix(&path).unwrap().to_owned();
    }
    let told: std::collections::BTreeMap<String, String> =
        location.query_pairs().into_owned().collect();
    told.get("error").cloned().unwrap_or_else(|| {
        assert!(told.contains_key("code"), "{told:?}");
        "code".to_owned()
    })
}

#[tokio::test]
async fn prompts_lead_to_their_doors() {
    let house = TestHouse::new().await;
    let (_, mut here) = signed_in(&house, &["shop"]).await;
    // (prompt, with a session, without)
    for (prompt, with, without) in [
        ("", "code", "/login"),
        ("none", "code", "login_required"),
        ("login", "/login", "/login"),
        ("select_account", "/login", "/login"),
        ("consent", "/consent", "/login"),
        // Whoever is logged in has an account: the login page offers another one beside it.
        ("create", "/login", "/create"),
        ("login consent", "/login", "/login"),
        ("none login", "invalid_request", "invalid_request"),
        ("none consent", "invalid_request", "invalid_request"),
        ("none select_account", "invalid_request", "invalid_request"),
        ("unheard-of", "code", "/login"),
    ] {
        let more = [("prompt", prompt)];
        assert_eq!(led_to(&mut here, "shop", &more).await, with, "{prompt}");
        let mut nobody = house.browser();
        assert_eq!(
            led_to(&mut nobody, "shop", &more).await,
            without,
            "{prompt}"
        );
    }
}

#[tokio::test]
async fn what_nobody_knows_harms_nobody() {
    let house = TestHouse::new().await;
    let (_, mut browser) = signed_in(&house, &["shop"]).await;
    for more in [
        [("display", "hologram"), ("claims_locales", "tlh ; x")],
        [("display", "wap"), ("ui_locales", "xx-XX 合")],
        [("login_hint", "nobody@nowhere"), ("unknown", "x")],
        [("acr_values", "urn:x urn:y"), ("id_token_hint", "odd")],
    ] {
        assert_eq!(
            led_to(&mut browser, "shop", &more).await,
            "code",
            "{more:?}"
        );
    }
}

/// A house whose client `aged` wants a login of the last ten minutes, and `timed` the time of it.
async fn aged() -> TestHouse {
    TestHouse::with(4, |settings| {
        for (id, name, value) in [
            ("aged", "default_max_age", json!(600)),
            ("timed", "require_auth_time", json!(true)),
        ] {
            let client = json!({"client_id": id, "client_secret": "s", name: value,
                "redirect_uris": [format!("https://{id}.example/cb")]});
            settings.clients.push(client.as_object().unwrap().clone());
        }
    })
    .await
}

#[tokio::test]
async fn how_old_a_login_may_be() {
    let house = aged().await;
    let (_, mut browser) = signed_in(&house, &["aged", "timed", "shop"]).await;
    house.clock.advance(601);
    for (client, max_age, outcome) in [
        ("shop", "", "code"),
        ("shop", "601", "code"),
        ("shop", "600", "/login"),
        ("shop", "0", "/login"),
        ("timed", "", "code"),
        ("aged", "", "/login"),
        // What the request says wins over what was registered.
        ("aged", "601", "code"),
        ("aged", "0", "/login"),
    ] {
        let more = [("max_age", max_age)];
        let led = led_to(&mut browser, client, &more).await;
        assert_eq!(led, outcome, "{client} {max_age}");
        if outcome == "/login" {
            let more = [("max_age", max_age), ("prompt", "none")];
            let led = led_to(&mut browser, client, &more).await;
            assert_eq!(led, "login_required", "{client} {max_age}");
        }
    }
}

async fn tokens(house: &TestHouse, client: &str, form: &[(&str, &str)]) -> Value {
    let secret = if client == "shop" { "shop secret" } else { "s" };
    house
        .post("/token", form, Some(&basic(client, secret)))
        .await
        .json()
}

#[tokio::test]
async fn auth_time_is_that_of_the_login_in_every_id_token_of_it() {
    let house = aged().await;
    let (_, mut browser) = signed_in(&house, &["aged", "timed", "shop"]).await;
    let logged_in = house.now().0;
    let offline = ("scope", "openid offline_access");
    for (client, more) in [
        ("shop", &[("max_age", "3000"), offline][..]),
        (
            "shop",
            &[(
                "claims",
                r#"{"id_token": {"auth_time": {"essential": true}}}"#,
            )],
        ),
        ("timed", &[]),
        ("aged", &[]),
    ] {
        house.clock.advance(10);
        let uri = if client == "shop" {
            SHOP_CB.to_owned()
        } else {
            format!("https://{client}.example/cb")
        };
        let code = browser.ask_plain(client, &uri, more).await.told()["code"].clone();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", uri.as_str()),
        ];
        let answer = tokens(&house, client, &form).await;
        let claims = payload(answer["id_token"].as_str().unwrap());
        assert_eq!(claims["auth_time"], logged_in, "{client} {more:?}");
        if let Some(token) = answer["refresh_token"].as_str() {
            let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
            let answer = tokens(&house, client, &form).await;
            let again = payload(answer["id_token"].as_str().unwrap());
            for name in ["auth_time", "sub", "iss", "aud", "sid"] {
                assert_eq!(again[name], claims[name], "{name}");
            }
        }
    }
    // A further factor is no new login.
    let mut conn = house.store.read().await.unwrap();
    let handle = browser.cookies["__Host-hefu_session"].clone();
    let session = session::find(&mut conn, &handle, house.now())
        .await
        .unwrap()
        .unwrap();
    let mut rng = hefu::random::RngSource::System.rng();
    let (_, handle) = session::add_factor(&mut conn, &mut rng, &session, Factor::Sms, house.now())
        .await
        .unwrap()
        .unwrap();
    drop(conn);
    let stronger = handle.reveal().clone();
    browser
        .cookies
        .insert("__Host-hefu_session".to_owned(), stronger);
    let code = browser.ask_plain("shop", SHOP_CB, &[]).await.told()["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", SHOP_CB),
    ];
    let answer = tokens(&house, "shop", &form).await;
    let claims = payload(answer["id_token"].as_str().unwrap());
    assert_eq!(claims["auth_time"], logged_in);
}

#[tokio::test]
async fn hints_name_who_is_meant() {
    let house = TestHouse::new().await;
    let (_, mut browser) = signed_in(&house, &["shop", LEAF]).await;
    let shop_hint = {
        let code = browser.ask_plain("shop", SHOP_CB, &[]).await.told()["code"].clone();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", SHOP_CB),
        ];
        let answer = tokens(&house, "shop", &form).await;
        answer["id_token"].as_str().unwrap().to_owned()
    };
    let leaf_hint = {
        let code = browser.ask("h", json!({})).await.told()["code"].clone();
        let answer = house.redeem(&code, "h", &[]).await.json();
        answer["id_token"].as_str().unwrap().to_owned()
    };
    // Another person in another browser.
    let mut conn = house.store.read().await.unwrap();
    let mut rng = hefu::random::RngSource::System.rng();
    let other = hefu::identity::person::create(&mut conn, &mut rng, house.now())
        .await
        .unwrap();
    drop(conn);
    house.consent(&other, "shop", "openid").await;
    let (_, mut second) = house.session(&other, &[Factor::Password]).await;
    // Long expired: as good as new (OIDC Core 3.1.2.1).
    house.clock.advance(900);
    let spoilt = shop_hint.replacen("eyJ", "eyK", 1);
    for (hint, mine, others, nobodys) in [
        (
            shop_hint.as_str(),
            "code",
            "login_required",
            "login_required",
        ),
        // Of another client, changed, of nobody: counts as none.
        (leaf_hint.as_str(), "code", "code", "login_required"),
        (spoilt.as_str(), "code", "code", "login_required"),
        ("odd", "code", "code", "login_required"),
    ] {
        let quiet = [("id_token_hint", hint), ("prompt", "none")];
        assert_eq!(
            led_to(&mut browser, "shop", &quiet).await,
            mine,
            "{hint:.30}"
        );
        assert_eq!(
            led_to(&mut second, "shop", &quiet).await,
            others,
            "{hint:.30}"
        );
        let mut nobody = house.browser();
        assert_eq!(led_to(&mut nobody, "shop", &quiet).await, nobodys);
    }
    // With pages, the other person may become the one that is meant.
    let loud = [("id_token_hint", shop_hint.as_str())];
    assert_eq!(led_to(&mut browser, "shop", &loud).await, "code");
    assert_eq!(led_to(&mut second, "shop", &loud).await, "/login");
    // The same by the claims parameter (OIDC Core 5.5.1).
    let sub = payload(&shop_hint)["sub"].clone();
    let claims = json!({"id_token": {"sub": {"value": sub}}}).to_string();
    let quiet = [("claims", claims.as_str()), ("prompt", "none")];
    assert_eq!(led_to(&mut browser, "shop", &quiet).await, "code");
    assert_eq!(led_to(&mut second, "shop", &quiet).await, "login_required");
}

#[tokio::test]
async fn a_level_is_wished_for_or_binding() {
    let house = TestHouse::new().await;
    let (_, mut browser) = signed_in(&house, &["shop"]).await;
    let acr = |level: &str| format!("https://hefu.example/acr/{level}");
    let claim = |essential: bool, values: &[String]| {
        let wish = json!({"essential": essential, "values": values});
        json!({"id_token": {"acr": wish}}).to_string()
    };
    let unmet = "unmet_authentication_requirements";
    for (name, value, outcome) in [
        // Voluntary: never a reason to fail; the first one that can be reached.
        ("acr_values", acr("L4"), "code"),
        ("acr_values", acr("L1"), "code"),
        (
            "acr_values",
            format!("{} {}", acr("L4"), acr("L2")),
            "/step-up",
        ),
        ("acr_values", "urn:x".to_owned(), "code"),
        ("claims", claim(false, &[acr("L4")]), "code"),
        // Essential: reached, or an error (OIDC Core 5.5.1.1).
        ("claims", claim(true, &[acr("L1")]), "code"),
        ("claims", claim(true, &[acr("L2")]), "/step-up"),
        ("claims", claim(true, &[acr("L4"), acr("L2")]), "/step-up"),
        ("claims", claim(true, &[acr("L4")]), unmet),
        ("claims", claim(true, &["urn:x".to_owned()]), unmet),
        // Essential without values: told, as it always is.
        (
            "claims",
            r#"{"id_token": {"acr": {"essential": true}}}"#.to_owned(),
            "code",
        ),
    ] {
        let led = led_to(&mut browser, "shop", &[(name, &value)]).await;
        assert_eq!(led, outcome, "{name} {value}");
        if outcome == unmet {
            let quiet = [(name, value.as_str()), ("prompt", "none")];
            assert_eq!(led_to(&mut browser, "shop", &quiet).await, unmet);
        }
    }
}
