//! `POST /login`, and what a whole login leads to.

use axum::http::StatusCode;
use hefu::config::portal::RequestMode;
use hefu::crypto::Purpose;
use hefu::jose::{UnverifiedJws, jwt};
use hefu::oauth::Algorithm;
use hefu::relying::metadata;
use serde_json::{Value, json};

use super::provider::{SUB, object};
use super::{PORTAL, Portals};

#[tokio::test]
async fn the_request_is_signed_and_says_what_federation_asks_for() {
    let portals = Portals::with(|settings| settings.acr_values = "x/L2".to_owned()).await;
    let mut browser = portals.browser();
    let location = browser.press_login().await;
    let outer: Vec<String> = location
        .query_pairs()
        .map(|(n, _)| n.into_owned())
        .collect();
    assert_eq!(outer, ["client_id", "response_type", "scope", "request"]);
    let (_, request) = location
        .query_pairs()
        .find(|(n, _)| n == "request")
        .unwrap();
    let header = UnverifiedJws::parse(&request, 8192).unwrap().header;
    assert_eq!(header.typ.as_deref(), Some("oauth-authz-req+jwt"));
    assert!(header.kid.is_some() && !header.members.contains_key("trust_chain"));

    let (mut claims, _) = portals.provider.authorize(&location);
    let secret = |value: &Value| value.as_str().is_some_and(|v| v.len() == 43);
    for name in ["state", "nonce", "jti", "code_challenge"] {
        assert!(secret(&claims.remove(name).unwrap()), "{name}");
    }
    let expected = json!({
        "iss": PORTAL,
        "client_id": PORTAL,
        "aud": portals.provider.issuer,
        "iat": super::now(&portals),
        "exp": super::now(&portals) + 120,
        "response_type": "code",
        "redirect_uri": format!("{PORTAL}/callback"),
        "scope": "openid real_name",
        "code_challenge_method": "S256",
        "acr_values": "x/L2",
        "ui_locales": "zh-CN",
    });
    assert_eq!(Value::Object(claims), expected);
    // Each press is a login of its own.
    assert_ne!(browser.press_login().await, location);
}

#[tokio::test]
async fn whatever_the_algorithm_the_citizen_is_known_and_sees_what_was_told() {
    for alg in [Algorithm::ES256, Algorithm::RS256, Algorithm::EdDSA] {
        let portals = Portals::with(|settings| settings.id_token_signed_response_alg = alg).await;
        portals.provider.behave(|manners| manners.alg = alg);
        let mut browser = portals.signed_in().await;
        let home = browser.get("/").await;
        assert_eq!(home.status, StatusCode::OK);
        assert_eq!(home.text("portal-name"), "测试甲", "{alg}");
        assert_eq!(home.text("portal-number"), "4499**********0014");
        assert_eq!(home.text("portal-sub"), SUB);
        assert!(home.body.contains("data-level=\"rn2\""));
        assert!(
            home.body
                .contains("data-acr=\"https://hefu.example/acr/L1\"")
        );
        for claim in ["sub", "name", "acr", "amr", "auth_time", "assurance_level"] {
            assert!(
                home.body.contains(&format!("data-claim=\"{claim}\"")),
                "{claim}"
            );
        }
        for protocol in ["nonce", "at_hash", "sid", "aud"] {
            assert!(!home.body.contains(&format!("data-claim=\"{protocol}\"")));
        }
        assert!(home.has("portal-chain") && home.has("portal-provider-chain"));
        assert!(home.has("portal-logout-form") && !home.has("portal-login-form"));
        assert_eq!(home.headers["cache-control"], "no-store");
        // One of each: nothing is asked twice.
        for path in ["/token", "/userinfo", "/jwks"] {
            assert_eq!(portals.provider.count(path), 1, "{path}");
        }
    }
}

#[tokio::test]
async fn a_pushed_request_leaves_only_a_reference_in_the_browser() {
    let portals = Portals::with(|settings| {
        settings.request = RequestMode::Pushed;
        settings.send_trust_chain = true;
    })
    .await;
    let mut browser = portals.browser();
    let answer = browser.log_in(&portals.provider, |_| ()).await;
    assert_eq!(answer.location.as_deref(), Some("/"));
    assert_eq!(portals.provider.count("/par"), 1);
    assert!(browser.is_signed_in().await);
}

#[tokio::test]
async fn a_trust_chain_goes_along_where_it_is_wanted() {
    let portals = Portals::with(|settings| settings.send_trust_chain = true).await;
    let location = portals.browser().press_login().await;
    let (_, request) = location
        .query_pairs()
        .find(|(n, _)| n == "request")
        .unwrap();
    let (header, _) = jwt::peek(&request, 8192).unwrap();
    assert_eq!(header.members["trust_chain"], json!(["a", "b"]));
}

#[tokio::test]
async fn without_a_chain_to_the_provider_nothing_is_sent() {
    let portals = Portals::new().await;
    portals.trust.withdraw();
    let mut browser = portals.browser();
    let home = browser.get("/").await;
    let answer = browser
        .post("/login", &[("csrf_token", &home.csrf())])
        .await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.text("error-code"), "invalid_trust_chain");
    assert!(answer.has("error-back") && !answer.text("error-reference").is_empty());
    assert!(portals.provider.seen.lock().unwrap().is_empty());

    // Nor to one that does not speak our way.
    let portals = Portals::new().await;
    portals.trust.change(|metadata| {
        metadata.insert(
            "client_registration_types_supported".into(),
            json!(["explicit"]),
        );
    });
    let mut browser = portals.browser();
    let home = browser.get("/").await;
    let answer = browser
        .post("/login", &[("csrf_token", &home.csrf())])
        .await;
    assert_eq!(answer.text("error-code"), "invalid_trust_chain");
}

#[tokio::test]
async fn a_form_of_another_browser_starts_nothing() {
    let portals = Portals::new().await;
    let theirs = portals.browser().get("/").await.csrf();
    let mut browser = portals.browser();
    let ours = browser.get("/").await.csrf();
    for fields in [
        vec![],
        vec![("csrf_token", theirs.as_str())],
        vec![("csrf_token", "")],
        vec![("csrf_token", ours.as_str()), ("csrf_token", ours.as_str())],
    ] {
        let answer = browser.post("/login", &fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{fields:?}");
        assert_eq!(answer.text("error-code"), "invalid_request");
    }
    let mut nobody = portals.browser();
    let answer = nobody.post("/login", &[("csrf_token", &ours)]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    portals.clock.advance(12 * 3600 + 1);
    let answer = browser.post("/login", &[("csrf_token", &ours)]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let answer = browser.get("/login").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_front_page_offers_the_login_and_leads_forms_to_the_provider_only() {
    let portals = Portals::new().await;
    let home = portals.browser().get("/").await;
    assert!(home.has("portal-login-form") && home.has("portal-services"));
    let policy = home.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains(&format!("form-action 'self' {};", portals.provider.issuer)),
        "{policy}"
    );
}

#[tokio::test]
async fn what_the_portal_publishes_about_itself() {
    let portals = Portals::with(|settings| {
        settings.provider = "http://id.localhost:1".to_owned();
        settings.id_token_signed_response_alg = Algorithm::EdDSA;
    })
    .await;
    let mut metadata = metadata::openid_relying_party(&portals.party, "粤省事");
    let jwks = metadata.remove("jwks").unwrap();
    // The key that signs and the announced one, public members only.
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 2);
    let published = portals.party.signer.published(Purpose::Client);
    assert_eq!(jwks, *published);
    let expected = object(json!({
        "client_registration_types": ["automatic"],
        "client_name": "粤省事",
        "application_type": "web",
        "redirect_uris": [format!("{PORTAL}/callback")],
        "response_types": ["code"],
        "grant_types": ["authorization_code"],
        "scope": "openid real_name",
        "subject_type": "pairwise",
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "request_object_signing_alg": "ES256",
        "id_token_signed_response_alg": "EdDSA",
        "require_pushed_authorization_requests": false,
        "post_logout_redirect_uris": [format!("{PORTAL}/signed-out")],
        "initiate_login_uri": format!("{PORTAL}/initiate-login"),
        "backchannel_logout_uri": format!("{PORTAL}/backchannel-logout"),
        "backchannel_logout_session_required": true,
    }));
    assert_eq!(metadata, expected);
}
