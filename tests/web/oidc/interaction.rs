//! The dispatcher, consent and the way out.

use axum::http::StatusCode;
use hefu::authn::Factor;
use hefu::id::SessionId;
use hefu::provider::interaction::{Interaction, attach_session};
use hefu::session;
use serde_json::json;

use super::{Browser, TestHouse};
use crate::support::federation::{LEAF, MIDDLE, TOP};

/// Begins an interaction; returns its path.
async fn begin(browser: &mut Browser<'_>, jti: &str, changes: serde_json::Value) -> String {
    browser.ask(jti, changes).await.location().path().to_owned()
}

async fn attach(browser: &Browser<'_>, path: &str, session: &SessionId) {
    let house = browser.house;
    let id = path.rsplit('/').next().unwrap();
    let mut conn = house.store.read().await.unwrap();
    let secret = &browser.cookies["__Host-hefu_browser"];
    let interaction = Interaction::load(&mut conn, id, secret, house.now())
        .await
        .unwrap()
        .unwrap();
    assert!(
        attach_session(&mut conn, &interaction, session, house.now())
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn consent_is_asked_once_with_masked_values() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let path = begin(
        &mut browser,
        "1",
        json!({"scope": "openid real_name phone"}),
    )
    .await;
    assert_eq!(
        browser.get(&path).await.location().path(),
        format!("{path}/consent")
    );
    let page = browser.get(&format!("{path}/consent")).await;
    assert_eq!(page.status, StatusCode::OK);
    for shown in [
        "consent-item-name",
        "4499**********0014",
        "consent-item-phone_number",
        "consent-allow",
        "cancel-form",
    ] {
        assert!(page.body.contains(shown), "{shown} in {}", page.body);
    }
    for hidden in [
        "测试甲",
        "449999195003010014",
        "14000000001",
        "my own idea of my name",
    ] {
        assert!(!page.body.contains(hidden), "{hidden}");
    }
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("form-action 'self' https://leaf.example;"),
        "{policy}"
    );

    let csrf = page.csrf();
    let forged = browser
        .post(
            &format!("{path}/consent"),
            &[("decision", "allow"), ("csrf_token", "x")],
        )
        .await;
    assert_eq!(
        (forged.status, house.count("consents").await),
        (StatusCode::FORBIDDEN, 0)
    );
    let allowed = browser
        .post(
            &format!("{path}/consent"),
            &[("decision", "allow"), ("csrf_token", &csrf)],
        )
        .await;
    assert_eq!(allowed.location().path(), path);
    assert!(browser.get(&path).await.told().contains_key("code"));
    // Answered: the interaction is over, and the next request needs no page.
    assert_eq!(
        browser.get(&path).await.element("error-code"),
        "invalid_request"
    );
    assert!(
        browser
            .ask("2", json!({}))
            .await
            .told()
            .contains_key("code")
    );
    // More than was agreed to is asked again; prompt=consent always.
    for (jti, changes) in [
        ("3", json!({"prompt": "consent"})),
        ("4", json!({"claims": {"id_token": {"phone_number": null}}})),
    ] {
        let path = begin(&mut browser, jti, changes).await;
        assert_eq!(
            browser.get(&path).await.location().path(),
            format!("{path}/consent")
        );
    }
    let told = browser
        .ask(
            "5",
            json!({"prompt": "none", "claims": {"userinfo": {"phone_number": null}}}),
        )
        .await
        .told();
    assert_eq!(told["error"], "consent_required");
}

#[tokio::test]
async fn refusing_and_cancelling_tell_the_platform() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    for (door, form) in [("consent", ("decision", "deny")), ("cancel", ("x", "y"))] {
        let path = begin(&mut browser, door, json!({})).await;
        let csrf = browser.get(&format!("{path}/consent")).await.csrf();
        let forged = browser
            .post(&format!("{path}/{door}"), &[form, ("csrf_token", "")])
            .await;
        assert_eq!(forged.status, StatusCode::FORBIDDEN);
        let told = browser
            .post(&format!("{path}/{door}"), &[form, ("csrf_token", &csrf)])
            .await
            .told();
        assert_eq!(
            (told["error"].as_str(), told["state"].as_str()),
            ("access_denied", "st"),
            "{door}"
        );
        assert_eq!(browser.get(&path).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(
        (house.count("grants").await, house.count("consents").await),
        (0, 0)
    );
}

#[tokio::test]
async fn each_step_has_its_door() {
    let house = TestHouse::new().await;
    let plain = house.citizen(false).await;
    let (_, mut browser) = house.session(&plain, &[Factor::Password]).await;
    // No real name yet, and one is asked for.
    let path = begin(&mut browser, "1", json!({})).await;
    assert_eq!(
        browser.get(&path).await.location().path(),
        format!("{path}/verify")
    );
    let path = begin(&mut browser, "2", json!({"scope": "openid"})).await;
    assert_eq!(
        browser.get(&path).await.location().path(),
        format!("{path}/consent")
    );
    let path = begin(&mut browser, "3", json!({"prompt": "create"})).await;
    assert_eq!(
        browser.get(&path).await.location().path(),
        format!("{path}/login")
    );
    let mut stranger = house.browser();
    let path = begin(&mut stranger, "4", json!({"prompt": "create"})).await;
    assert_eq!(
        stranger.get(&path).await.location().path(),
        format!("{path}/create")
    );
}

#[tokio::test]
async fn levels_lead_through_one_more_factor() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    house.consent(&person, LEAF, "openid real_name").await;
    let (session, mut browser) = house.session(&person, &[Factor::Password]).await;
    let acr = |level: &str| format!("https://hefu.example/acr/{level}");
    let path = begin(&mut browser, "1", json!({"acr_values": acr("L2")})).await;
    assert_eq!(
        browser.get(&path).await.location().path(),
        format!("{path}/step-up")
    );
    let told = browser
        .ask("2", json!({"acr_values": acr("L2"), "prompt": "none"}))
        .await
        .told();
    assert_eq!(told["error"], "interaction_required");
    // What nobody here can reach: a wish is passed over, a demand is refused.
    let told = browser
        .ask(
            "3",
            json!({"acr_values": format!("{} {}", acr("L4"), acr("L1"))}),
        )
        .await
        .told();
    assert!(told.contains_key("code"));
    let essential = json!({"id_token": {"acr": {"essential": true, "values": [acr("L3")]}}});
    let told = browser.ask("4", json!({"claims": essential})).await.told();
    assert_eq!(told["error"], "unmet_authentication_requirements");
    // The second factor is added in this interaction.
    let mut conn = house.store.read().await.unwrap();
    let mut rng = hefu::random::RngSource::System.rng();
    let (stronger, handle) =
        hefu::session::add_factor(&mut conn, &mut rng, &session, Factor::Sms, house.now())
            .await
            .unwrap()
            .unwrap();
    drop(conn);
    let old_handle = browser
        .cookies
        .insert("__Host-hefu_session".to_owned(), handle.reveal().clone())
        .unwrap();
    attach(&browser, &path, &stronger.id).await;
    let code = browser.get(&path).await.told()["code"].clone();
    let tokens = house.redeem(&code, "a", &[]).await.json();
    let id_token = super::payload(tokens["id_token"].as_str().unwrap());
    assert_eq!(
        (&id_token["acr"], &id_token["amr"]),
        (&json!(acr("L2")), &json!(["pwd", "sms", "mfa"]))
    );
    // The handle from before the step-up is worth nothing.
    let mut thief = house.browser();
    thief
        .cookies
        .insert("__Host-hefu_session".to_owned(), old_handle);
    assert!(
        thief
            .ask("5", json!({}))
            .await
            .location()
            .path()
            .starts_with("/interaction/")
    );
}

#[tokio::test]
async fn a_phone_alone_opens_no_document() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    house.consent(&person, LEAF, "openid real_name").await;
    let (_, mut browser) = house.session(&person, &[Factor::Sms]).await;
    let path = begin(&mut browser, "1", json!({})).await;
    assert_eq!(
        browser.get(&path).await.location().path(),
        format!("{path}/step-up")
    );
    assert!(
        browser
            .ask("2", json!({"scope": "openid"}))
            .await
            .told()
            .contains_key("code")
    );
}

#[tokio::test]
async fn login_again_means_in_this_interaction() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    house.consent(&person, LEAF, "openid real_name").await;
    let (mut session, mut browser) = house.session(&person, &[Factor::Password]).await;
    for (i, changes) in [
        json!({"prompt": "login"}),
        json!({"max_age": 99}),
        json!({"max_age": 0}),
    ]
    .into_iter()
    .enumerate()
    {
        house.clock.advance(100);
        let mut quiet = changes.clone();
        quiet["prompt"] = json!("none");
        if changes.get("prompt").is_none() {
            assert_eq!(
                browser.ask(&format!("q{i}"), quiet).await.told()["error"],
                "login_required",
                "{changes}"
            );
        }
        let path = begin(&mut browser, &format!("j{i}"), changes.clone()).await;
        assert_eq!(
            browser.get(&path).await.location().path(),
            format!("{path}/login"),
            "{changes}"
        );
        // A further factor in the old session is no new login.
        attach(&browser, &path, &session.id).await;
        assert_eq!(
            browser.get(&path).await.location().path(),
            format!("{path}/login"),
            "{changes}"
        );
        let login = session::Login {
            person: &person,
            factors: &[Factor::Password],
            device: "test",
            lifetime: 43_200,
            replacing: Some(&session),
        };
        let mut rng = hefu::random::RngSource::System.rng();
        let mut conn = house.store.read().await.unwrap();
        let (again, handle) = session::begin(&mut conn, &mut rng, login, house.now())
            .await
            .unwrap();
        drop(conn);
        session = again;
        browser
            .cookies
            .insert("__Host-hefu_session".to_owned(), handle.reveal().clone());
        attach(&browser, &path, &session.id).await;
        assert!(
            browser.get(&path).await.told().contains_key("code"),
            "{changes}"
        );
    }
    assert!(
        browser
            .ask("ok", json!({"max_age": 100}))
            .await
            .told()
            .contains_key("code")
    );
}

#[tokio::test]
async fn the_consent_names_also_what_is_not_known_yet() {
    let house = TestHouse::new().await;
    let person = house.citizen(false).await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let answer = browser
        .ask_plain(
            "shop",
            super::SHOP_CB,
            &[("scope", "openid profile phone email")],
        )
        .await;
    let path = answer.location().path().to_owned();
    let page = browser.get(&format!("{path}/consent")).await;
    // Whoever proves their name later has told it to this platform with this yes.
    for (item, shown) in [
        ("name", true),
        ("birthdate", true),
        ("phone_number", true),
        ("email", true),
        // Not to be had at all: what no person can tell of themself here is not spoken of.
        ("website", false),
    ] {
        let there = page.body.contains(&format!("id=\"consent-item-{item}\""));
        assert_eq!(there, shown, "{item}");
    }
}

#[tokio::test]
async fn names_are_said_in_the_language_of_the_page() {
    let house = TestHouse::new().await;
    let vouched = |kind: &str, name: &str, chinese: &str, english: &str| {
        let names = json!({name: chinese, format!("{name}#en"): english});
        json!({"metadata": {kind: names}})
    };
    let leaf = vouched(
        "openid_relying_party",
        "client_name",
        "粤省事",
        "Yueshengshi",
    );
    house.world.vouch(MIDDLE, LEAF, leaf);
    let middle = vouched(
        "federation_entity",
        "organization_name",
        "广东省",
        "Guangdong",
    );
    house.world.vouch(TOP, MIDDLE, middle);
    let person = house.citizen(true).await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    for (language, shown, hidden) in [
        ("en", ["Yueshengshi", "Guangdong"], ["粤省事", "广东省"]),
        ("zh-CN", ["粤省事", "广东省"], ["Yueshengshi", "Guangdong"]),
    ] {
        let path = begin(&mut browser, language, json!({"ui_locales": language})).await;
        let page = browser.get(&format!("{path}/consent")).await;
        for name in shown {
            assert!(page.body.contains(name), "{name} in {}", page.body);
        }
        for name in hidden {
            assert!(!page.body.contains(name), "{name} in {}", page.body);
        }
    }
}

#[tokio::test]
async fn a_login_alone_and_access_while_away_are_said() {
    let house = TestHouse::new().await;
    let person = house.citizen(true).await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let show = async |browser: &mut Browser<'_>, scope: &str| {
        let more = [("scope", scope), ("prompt", "consent")];
        let asked = browser.ask_plain("shop", super::SHOP_CB, &more).await;
        let path = asked.location().path().to_owned();
        browser.get(&format!("{path}/consent")).await.body
    };
    let page = show(&mut browser, "openid").await;
    assert!(page.contains("consent-login-only"), "{page}");
    assert!(!page.contains("consent-items") && !page.contains("consent-offline"));
    let page = show(&mut browser, "openid phone real_name offline_access").await;
    assert!(page.contains("consent-offline") && !page.contains("consent-login-only"));
    let order: Vec<usize> = [
        "name",
        "cn_id_number_masked",
        "assurance_level",
        "phone_number",
    ]
    .iter()
    .map(|item| page.find(&format!("\"consent-item-{item}\"")).unwrap())
    .collect();
    assert!(order.is_sorted(), "{order:?}");
}

#[tokio::test]
async fn a_yes_counts_for_whom_the_page_was_shown_to() {
    let house = TestHouse::new().await;
    let ada = house.citizen(true).await;
    let (_, mut browser) = house.session(&ada, &[Factor::Password]).await;
    let path = begin(&mut browser, "1", json!({"scope": "openid"})).await;
    let consent = format!("{path}/consent");
    let csrf = browser.get(&consent).await.csrf();
    // In another tab somebody else logs in.
    let bob = house.citizen(false).await;
    let (_, other) = house.session(&bob, &[Factor::Password]).await;
    browser.cookies.extend(other.cookies);
    let yes = [("decision", "allow"), ("csrf_token", &*csrf)];
    let answer = browser.post(&consent, &yes).await;
    assert_eq!(answer.location().path(), path);
    assert_eq!(house.count("consents").await, 0);
    // They are asked themselves.
    assert_eq!(browser.get(&path).await.location().path(), consent);
    let csrf = browser.get(&consent).await.csrf();
    let yes = [("decision", "allow"), ("csrf_token", &*csrf)];
    browser.post(&consent, &yes).await;
    assert!(browser.get(&path).await.told().contains_key("code"));
    let agreed: String = sqlx::query_scalar("SELECT subject FROM consents")
        .fetch_one(&mut *house.store.read().await.unwrap())
        .await
        .unwrap();
    assert_eq!(agreed, bob.as_str());
}
