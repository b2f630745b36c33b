//! `/register` and the addresses below it.

mod management;
mod reach;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use hefu::config::provider::{Provider, Registration, TokenHash};
use hefu::crypto::sha256;
use hefu::oauth::Scope;
use hefu::operator::{Act, Desk, Effect, Mode};
use hefu::random::RngSource;
use serde_json::{Value, json};

use super::{Answer, ISSUER, TestHouse};
use crate::support::federation::TestKey;

const CB: &str = "https://rp.example/cb";

fn open(settings: &mut Provider) {
    settings.registration = Registration::Open;
}

async fn ask(
    house: &TestHouse,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("bearer {token}"));
    }
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    house.send(request.body(body).unwrap()).await
}

async fn register(house: &TestHouse, metadata: &Value) -> Answer {
    ask(house, Method::POST, "/register", None, Some(metadata)).await
}

fn path_of(told: &Value) -> &str {
    let uri = told["registration_client_uri"].as_str().unwrap();
    uri.strip_prefix(ISSUER).unwrap()
}

fn text<'a>(told: &'a Value, name: &str) -> &'a str {
    told[name].as_str().unwrap()
}

#[tokio::test]
async fn everything_that_counts_is_kept_and_told_with_its_defaults() {
    let house = TestHouse::with(2, open).await;
    let answer = register(
        &house,
        &json!({"redirect_uris": [CB, "https://rp.example/other?x=1"], "client_name": "Shop", "client_name#ja-Kana-JP": "ショップ",
            "logo_uri": "https://rp.example/logo.png", "policy_uri#fr": "https://rp.example/vie-privee",
            "contacts": ["ve7jtb@example.org", "mary@example.org"], "default_acr_values": ["https://hefu.example/acr/L2"],
            "default_max_age": 3600, "initiate_login_uri": "https://rp.example/login", "request_uris": ["https://rp.example/r#x"],
            "post_logout_redirect_uris": ["https://rp.example/bye"], "backchannel_logout_uri": "https://rp.example/bcl",
            "backchannel_logout_session_required": true, "frontchannel_logout_uri": "https://rp.example/fcl",
            "tls_client_auth_san_dns": "rp.example", "software_id": "s", "scope": "openid email real_name unheard_of",
            "something_else": {"a": 1}, "client_id": "chosen", "client_secret": "chosen", "jwks": null,
            "client_name#<b>": "x"}),
    )
    .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["content-type"], "application/json");
    let mut told = answer.json();
    assert_eq!(told["client_id_issued_at"], house.now().0);
    let id = text(&told, "client_id").to_owned();
    assert!(id.starts_with("cl_"));
    assert_eq!(path_of(&told), format!("/register/{id}"));
    for (name, length) in [("client_secret", 43), ("registration_access_token", 43)] {
        assert_eq!(text(&told, name).len(), length);
    }
    for name in [
        "client_id",
        "client_id_issued_at",
        "client_secret",
        "registration_access_token",
        "registration_client_uri",
    ] {
        told[name] = "[changes]".into();
    }
    insta::assert_snapshot!("register", serde_json::to_string_pretty(&told).unwrap());
    let told = answer.json();
    // Only hashes of what was told are kept.
    let rows: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM clients WHERE id = $1 AND secret = $2 AND registration_token = $3 AND sealed_secret IS NULL",
    )
    .bind(&id)
    .bind(sha256(text(&told, "client_secret").as_bytes()).to_vec())
    .bind(sha256(text(&told, "registration_access_token").as_bytes()).to_vec())
    .fetch_one(&mut *house.store.read().await.unwrap())
    .await
    .unwrap();
    assert_eq!(rows, 1);
    let discovery = ask(
        &house,
        Method::GET,
        "/.well-known/openid-configuration",
        None,
        None,
    )
    .await;
    assert_eq!(
        discovery.json()["registration_endpoint"],
        format!("{ISSUER}/register")
    );
}

#[tokio::test]
async fn what_is_refused_is_refused_by_its_name() {
    let house = TestHouse::with(2, open).await;
    let jwks = TestKey::of("rp").jwks();
    let mut private = jwks.clone();
    private["keys"][0]["d"] = "AA".into();
    let metadata = "invalid_client_metadata";
    let uri = "invalid_redirect_uri";
    let cases: &[(Value, &str)] = &[
        (json!({"redirect_uris": null}), uri),
        (json!({"redirect_uris": []}), uri),
        (json!({"redirect_uris": [format!("{CB}#x")]}), uri),
        (json!({"redirect_uris": ["http://rp.example/cb"]}), uri),
        (json!({"redirect_uris": ["http://localhost:1/cb"]}), uri),
        (json!({"redirect_uris": ["com.example.app:/cb"]}), uri),
        (
            json!({"application_type": "native", "redirect_uris": ["http://rp.example/cb"]}),
            uri,
        ),
        (
            json!({"application_type": "native", "redirect_uris": ["javascript:alert(1)"]}),
            uri,
        ),
        (json!({"redirect_uris": "https://rp.example/cb"}), metadata),
        (json!({"application_type": "desktop"}), metadata),
        (json!({"response_types": ["code", "what"]}), metadata),
        (json!({"response_types": ["none"]}), metadata),
        (json!({"response_types": []}), metadata),
        (json!({"grant_types": ["refresh_token"]}), metadata),
        (
            json!({"grant_types": ["authorization_code", "password"]}),
            metadata,
        ),
        (
            json!({"response_types": ["code"], "grant_types": ["authorization_code", "implicit"]}),
            metadata,
        ),
        (
            json!({"initiate_login_uri": "http://rp.example/login"}),
            metadata,
        ),
        (
            json!({"initiate_login_uri": "https://rp.example/login#x"}),
            metadata,
        ),
        (
            json!({"backchannel_logout_uri": "http://rp.example/out"}),
            metadata,
        ),
        (
            json!({"frontchannel_logout_uri": "https://other.example/out"}),
            metadata,
        ),
        (
            json!({"post_logout_redirect_uris": ["https://rp.example/#x"]}),
            metadata,
        ),
        (json!({"request_uris": ["http://rp.example/r"]}), metadata),
        (
            json!({"request_uris": [format!("https://rp.example/{}", "x".repeat(512))]}),
            metadata,
        ),
        (json!({"policy_uri": "javascript:alert(1)"}), metadata),
        (json!({"logo_uri": "logo.png"}), metadata),
        (json!({"client_name": "x".repeat(201)}), metadata),
        (json!({"client_name": "a\u{0}b"}), metadata),
        (json!({"contacts": "me"}), metadata),
        (json!({"contacts": vec!["x"; 65]}), metadata),
        (json!({"default_max_age": -1}), metadata),
        (json!({"require_auth_time": "yes"}), metadata),
        (json!({"subject_type": "other"}), metadata),
        (
            json!({"sector_identifier_uri": "http://rp.example/s.json"}),
            metadata,
        ),
        // Of an address that may not be asked, as of one that does not answer.
        (
            json!({"sector_identifier_uri": "https://127.0.0.1/s.json"}),
            metadata,
        ),
        (
            json!({"redirect_uris": [CB, "https://other.example/cb"]}),
            metadata,
        ),
        (json!({"id_token_signed_response_alg": "none"}), metadata),
        (json!({"id_token_signed_response_alg": "HS256"}), metadata),
        (
            json!({"id_token_encrypted_response_enc": "A128GCM"}),
            metadata,
        ),
        (json!({"request_object_signing_alg": "none"}), metadata),
        (
            json!({"token_endpoint_auth_method": "carrier_pigeon"}),
            metadata,
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt"}),
            metadata,
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks, "token_endpoint_auth_signing_alg": "HS256"}),
            metadata,
        ),
        (
            json!({"token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "RS256"}),
            metadata,
        ),
        (
            json!({"jwks": jwks, "jwks_uri": "https://rp.example/jwks"}),
            metadata,
        ),
        (json!({"jwks": private}), metadata),
        (json!({"jwks": [1]}), metadata),
        (json!({"jwks_uri": "http://rp.example/jwks"}), metadata),
        (json!({"hefu_profile": "fapi2"}), metadata),
        (json!({"scope": "a\"b"}), metadata),
        (
            json!({"software_statement": "a.b.c"}),
            "unapproved_software_statement",
        ),
    ];
    let before = house.count("clients").await;
    for (changes, code) in cases {
        let mut sent = json!({"redirect_uris": [CB]});
        for (name, value) in changes.as_object().unwrap() {
            sent[name] = value.clone();
        }
        let answer = register(&house, &sent).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{changes}: {}",
            answer.body
        );
        assert_eq!(answer.json()["error"], *code, "{changes}: {}", answer.body);
    }
    for body in ["", "[]", "{", "{\"redirect_uris\":[],\"redirect_uris\":[]}"] {
        let request = Request::post("/register").header(header::CONTENT_TYPE, "application/json");
        let answer = house.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.json()["error"], metadata, "{body}");
    }
    let form = house
        .post("/register", &[("redirect_uris", CB)], None)
        .await;
    assert_eq!(
        (form.status.as_u16(), &form.json()["error"]),
        (400, &json!(metadata))
    );
    assert_eq!(house.count("clients").await, before);
    let wrong = ask(&house, Method::GET, "/register", None, None).await;
    assert_eq!(wrong.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn native_clients_come_back_to_themselves() {
    let house = TestHouse::with(2, open).await;
    for uris in [
        json!([
            "http://127.0.0.1:7/cb",
            "http://[::1]/cb",
            "http://localhost/cb"
        ]),
        json!(["com.example.app:/cb"]),
        json!(["https://rp.example/app"]),
    ] {
        let mut sent = json!({"application_type": "native", "token_endpoint_auth_method": "none", "redirect_uris": uris});
        if uris[1].is_string() {
            // Three hosts have no sector in common.
            sent["subject_type"] = "public".into();
        }
        let answer = register(&house, &sent).await;
        assert_eq!(
            answer.status,
            StatusCode::CREATED,
            "{uris}: {}",
            answer.body
        );
        let told = answer.json();
        assert!(
            told.get("client_secret").is_none() && told.get("client_secret_expires_at").is_none()
        );
    }
}

#[tokio::test]
async fn where_registration_is_off_there_is_no_door() {
    let house = TestHouse::new().await;
    for (method, path) in [
        (Method::POST, "/register"),
        (Method::GET, "/register/shop"),
        (Method::DELETE, "/register/shop"),
    ] {
        let answer = ask(
            &house,
            method,
            path,
            Some("x"),
            Some(&json!({"redirect_uris": [CB]})),
        )
        .await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    let discovery = ask(
        &house,
        Method::GET,
        "/.well-known/openid-configuration",
        None,
        None,
    )
    .await;
    assert!(discovery.json().get("registration_endpoint").is_none());
}

#[tokio::test]
async fn with_tokens_only_their_holders_register() {
    let house = TestHouse::with(2, |settings| {
        settings.registration = Registration::Token;
        settings.registration_tokens = vec![TokenHash(sha256(b"configured"))];
    })
    .await;
    let metadata = json!({"redirect_uris": [CB]});
    let desk = Desk {
        store: &house.store,
        role: hefu::config::Role::Provider,
        sealer: &*house.ring,
        plain_http: false,
        now: house.now(),
    };
    let act = Act::IssueRegistrationToken {
        uses: 1,
        expires_at: house.now().plus(60),
    };
    let mut rng = RngSource::System.rng();
    let effect = act.apply(desk, &mut rng, "operator", Mode::Apply).await;
    let Ok(Ok(Effect::RegistrationTokenIssued {
        token: Some(issued),
        ..
    })) = effect
    else {
        panic!("a token")
    };
    let issued = issued.reveal().as_str();
    let post =
        async |token, body: &Value| ask(&house, Method::POST, "/register", token, Some(body)).await;
    // What is refused spends nothing.
    let refused = post(Some(issued), &json!({"redirect_uris": []})).await;
    assert_eq!(refused.json()["error"], "invalid_redirect_uri");
    for (token, status, challenge) in [
        (None, 401, Some("Bearer")),
        (Some("wrong"), 401, Some("Bearer error=\"invalid_token\"")),
        (Some("configured"), 201, None),
        (Some("configured"), 201, None),
        (Some(issued), 201, None),
        (Some(issued), 401, Some("Bearer error=\"invalid_token\"")),
    ] {
        let answer = post(token, &metadata).await;
        assert_eq!(answer.status.as_u16(), status, "{token:?} {}", answer.body);
        let said = answer.headers.get(header::WWW_AUTHENTICATE);
        assert_eq!(said.map(|v| v.to_str().unwrap()), challenge);
    }
    assert_eq!(house.count("clients").await, 3);
}

#[tokio::test]
async fn hundreds_may_come_from_one_address_and_thousands_may_not() {
    let house = TestHouse::with(2, open).await;
    let metadata = json!({"redirect_uris": [CB], "token_endpoint_auth_method": "none"});
    for _ in 0..300 {
        assert_eq!(
            register(&house, &metadata).await.status,
            StatusCode::CREATED
        );
    }
    let house = TestHouse::with(2, |settings| {
        open(settings);
        settings.registrations_per_hour = 2;
    })
    .await;
    for status in [201, 201, 429, 429] {
        assert_eq!(register(&house, &metadata).await.status.as_u16(), status);
    }
    let wait = register(&house, &metadata).await;
    assert_eq!(wait.headers[header::RETRY_AFTER], "3600");
    assert_eq!(wait.json()["error"], "temporarily_unavailable");
    house.clock.advance(3600);
    assert_eq!(
        register(&house, &metadata).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn people_see_whose_words_a_self_registered_name_is() {
    let house = TestHouse::with(2, |settings| {
        open(settings);
        settings.registration_scope = Scope::parse("openid phone").unwrap();
    })
    .await;
    let told = register(
        &house,
        &json!({"redirect_uris": [CB], "client_name": "惠民商店", "client_name#en": "Good Shop", "policy_uri": "https://rp.example/p",
            "tos_uri": "https://rp.example/t", "logo_uri": "https://rp.example/l.png"}),
    )
    .await
    .json();
    assert_eq!(told["scope"], "openid phone");
    let id = text(&told, "client_id");
    let person = house.citizen(true).await;
    let (_, mut browser) = house
        .session(&person, &[hefu::authn::Factor::Password])
        .await;
    // A name that needs a real name is not to be had.
    let location = browser
        .ask_plain(id, CB, &[("scope", "openid phone real_name")])
        .await
        .location();
    let step = browser.get(location.path()).await.location();
    assert!(step.path().ends_with("/consent"), "{step}");
    let page = browser.get(step.path()).await;
    assert!(!page.body.contains("cn_id_number"), "{}", page.body);
    assert!(page.element("asking-status").contains("未核验名称"));
    let words = page.body.split("id=\"claimed\"").nth(1).unwrap();
    let words = words.split("</details>").next().unwrap();
    for shown in ["惠民商店", "https://rp.example/p", "https://rp.example/t"] {
        assert!(words.contains(shown), "{shown}");
    }
    assert_eq!(page.body.matches("惠民商店").count(), 1, "nowhere else");
    assert!(page.body.contains("<bdi>rp.example</bdi>"));
    assert!(!page.body.contains("l.png"));
}
