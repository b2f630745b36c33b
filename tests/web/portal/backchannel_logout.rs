//! `POST /backchannel-logout`: the provider's word counts, and nobody else's.

use axum::http::{Method, StatusCode, header};
use hefu::crypto::Purpose;
use hefu::oauth::Algorithm;
use serde_json::{Value, json};

use super::provider::{Claims, SID, SUB, object};
use super::{Answer, PORTAL, Portals, now};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn order(portals: &Portals, jti: &str) -> Claims {
    object(json!({
        "iss": portals.provider.issuer,
        "aud": PORTAL,
        "iat": now(portals),
        "exp": now(portals) + 120,
        "jti": jti,
        "sub": SUB,
        "sid": SID,
        "events": {EVENT: {}},
    }))
}

async fn signed(portals: &Portals, claims: &Claims) -> String {
    portals
        .provider
        .sign(Purpose::IdToken, Algorithm::ES256, "logout+jwt", claims)
        .await
}

async fn tell(portals: &Portals, token: &str) -> Answer {
    let mut server = portals.browser();
    let answer = server
        .post("/backchannel-logout", &[("logout_token", token)])
        .await;
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    answer
}

#[tokio::test]
async fn the_provider_ends_the_session_and_the_page_says_so_once() {
    let portals = Portals::new().await;
    for spoken in [vec!["sid"], vec!["sub"], vec!["sub", "sid"]] {
        let mut browser = portals.signed_in().await;
        let mut claims = order(&portals, &spoken.join("+"));
        claims.retain(|name, _| {
            !["sub", "sid"].contains(&name.as_str()) || spoken.contains(&name.as_str())
        });
        let answer = tell(&portals, &signed(&portals, &claims).await).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let home = browser.get("/").await;
        assert!(home.body.contains("data-by=\"national\""), "{spoken:?}");
        assert!(home.has("portal-login-form"));
        let home = browser.get("/").await;
        assert!(!home.has("portal-signed-out") && home.has("portal-login-form"));
    }
}

#[tokio::test]
async fn a_session_that_is_unknown_here_is_a_success_and_hurts_nobody() {
    let portals = Portals::new().await;
    let browser = portals.signed_in().await;
    for (name, value) in [("sid", "another-session"), ("sub", "pw_another")] {
        let mut claims = order(&portals, name);
        claims.insert(name.to_owned(), value.into());
        let answer = tell(&portals, &signed(&portals, &claims).await).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        assert!(browser.is_signed_in().await, "{name}");
    }
}

#[tokio::test]
async fn a_logout_token_is_obeyed_once() {
    let portals = Portals::new().await;
    let browser = portals.signed_in().await;
    let token = signed(&portals, &order(&portals, "once")).await;
    assert_eq!(tell(&portals, &token).await.status, StatusCode::OK);
    assert!(!browser.is_signed_in().await);
    let again = portals.signed_in().await;
    let answer = tell(&portals, &token).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(again.is_signed_in().await);
}

#[tokio::test]
async fn a_token_that_is_wrong_in_one_way_ends_nothing() {
    let portals = Portals::new().await;
    let browser = portals.signed_in().await;
    let now = now(&portals);
    let changes: [(&str, Value); 19] = [
        ("iss", json!("http://evil.localhost:1")),
        ("iss", json!(format!("{}/", portals.provider.issuer))),
        ("iss", Value::Null),
        ("aud", json!("http://sufuban.localhost:9")),
        ("aud", json!([PORTAL, "http://sufuban.localhost:9"])),
        ("aud", Value::Null),
        ("exp", json!(now - 61)),
        ("exp", json!(now + 86_400)),
        ("exp", Value::Null),
        ("iat", json!(now + 3600)),
        ("iat", Value::Null),
        ("jti", Value::Null),
        ("jti", json!(5)),
        ("nonce", json!("n")),
        ("events", Value::Null),
        ("events", json!({})),
        ("events", json!({EVENT: "yes"})),
        ("sid", json!(7)),
        ("sub", json!({})),
    ];
    let mut tokens = Vec::new();
    for (name, value) in changes {
        let mut claims = order(&portals, "j");
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.to_owned(), value.clone());
        }
        tokens.push((format!("{name} = {value}"), signed(&portals, &claims).await));
    }
    let good = order(&portals, "j");
    let mut nobody = good.clone();
    nobody.remove("sub");
    nobody.remove("sid");
    tokens.push((
        "nobody is meant".to_owned(),
        signed(&portals, &nobody).await,
    ));
    let provider = &portals.provider;
    for (what, purpose, alg, typ) in [
        ("typ JWT", Purpose::IdToken, Algorithm::ES256, "JWT"),
        (
            "another alg",
            Purpose::IdToken,
            Algorithm::RS256,
            "logout+jwt",
        ),
        (
            "another key",
            Purpose::Client,
            Algorithm::ES256,
            "logout+jwt",
        ),
    ] {
        let token = provider.sign(purpose, alg, typ, &good).await;
        tokens.push((what.to_owned(), token));
    }
    let token = signed(&portals, &good).await;
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    tokens.push((
        "altered".to_owned(),
        format!("{rest}.{first}{}", &signature[1..]),
    ));
    tokens.push(("unsigned".to_owned(), format!("{rest}.")));
    tokens.push(("no JWT".to_owned(), "合符".to_owned()));
    tokens.push((
        "too long".to_owned(),
        format!("{token}{}", "A".repeat(20_000)),
    ));

    for (what, token) in tokens {
        let answer = tell(&portals, &token).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["error"], "invalid_request", "{what}");
        assert!(browser.is_signed_in().await, "{what}");
    }
    // The same, unspoiled, is obeyed: its jti was not used up by any of them.
    assert_eq!(tell(&portals, &token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_citizens_own_id_token_is_no_logout_token() {
    let portals = Portals::new().await;
    let mut browser = portals.signed_in().await;
    let csrf = browser.get("/").await.csrf();
    let answer = browser.post("/logout", &[("csrf_token", &csrf)]).await;
    let location: url::Url = answer.location.unwrap().parse().unwrap();
    let hint = location.query_pairs().find(|(n, _)| n == "id_token_hint");
    let other = portals.signed_in().await;
    let answer = tell(&portals, &hint.unwrap().1).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(other.is_signed_in().await);
}

#[tokio::test]
async fn only_one_token_in_a_form_is_read() {
    let portals = Portals::new().await;
    let token = signed(&portals, &order(&portals, "j")).await;
    let mut server = portals.browser();
    for fields in [
        vec![],
        vec![("token", token.as_str())],
        vec![
            ("logout_token", token.as_str()),
            ("logout_token", token.as_str()),
        ],
    ] {
        let answer = server.post("/backchannel-logout", &fields).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{fields:?}");
    }
    let answer = server
        .ask(Method::GET, "/backchannel-logout", String::new())
        .await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn when_keys_cannot_be_had_the_provider_is_asked_to_come_again() {
    let portals = Portals::new().await;
    portals.provider.behave(|manners| manners.jwks_status = 500);
    let token = signed(&portals, &order(&portals, "j")).await;
    let answer = tell(&portals, &token).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.body.contains("temporarily_unavailable"));
    portals.provider.behave(|_| ());
    assert_eq!(tell(&portals, &token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn made_up_keys_cost_few_requests() {
    let portals = Portals::new().await;
    let provider = &portals.provider;
    let other = provider
        .sign(
            Purpose::Client,
            Algorithm::ES256,
            "logout+jwt",
            &order(&portals, "j"),
        )
        .await;
    for _ in 0..5 {
        tell(&portals, &other).await;
    }
    assert_eq!(provider.count("/jwks"), 1);
    portals.clock.advance(11);
    tell(&portals, &other).await;
    assert_eq!(provider.count("/jwks"), 2);
    // A stranger's issuer costs none.
    let mut claims = order(&portals, "j");
    claims.insert("iss".to_owned(), "http://evil.localhost:1".into());
    portals.clock.advance(3600);
    tell(&portals, &signed(&portals, &claims).await).await;
    assert_eq!(provider.count("/jwks"), 2);
}
