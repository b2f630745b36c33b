//! What clients that registered themselves may reach: the device grant, an app's own ports, types of authorization details.

use axum::http::StatusCode;
use hefu::authn::Factor;
use hefu::config::provider::Registration;
use hefu::provider::device::GRANT_TYPE;
use serde_json::{Value, json};

use super::{CB, open, register, text};
use crate::web::oidc::{CHALLENGE, TestHouse, VERIFIER, basic, offers};

/// A provider with everything, where anybody may register.
async fn house() -> TestHouse {
    TestHouse::with(4, |settings| {
        offers::all(settings);
        settings.registration = Registration::Open;
    })
    .await
}

#[tokio::test]
async fn a_television_registers_itself_where_the_deployment_has_devices() {
    let television = json!({"grant_types": [GRANT_TYPE], "token_endpoint_auth_method": "none", "client_name": "电视"});
    let without = TestHouse::with(2, open).await;
    let refused = register(&without, &television).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["error"]),
        (400, &json!("invalid_client_metadata"))
    );

    let house = house().await;
    let answer = register(&house, &television).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let told = answer.json();
    assert_eq!(
        (
            &told["grant_types"],
            &told["response_types"],
            told.get("redirect_uris")
        ),
        (&json!([GRANT_TYPE]), &json!([]), None)
    );
    let id = text(&told, "client_id");
    let form = [("client_id", id), ("scope", "openid profile")];
    let asked = house.post("/device_authorization", &form, None).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    let asked = asked.json();

    let person = house.citizen(true).await;
    house.consent(&person, id, "openid profile").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let csrf = browser.get("/device").await.csrf();
    let typed = [
        ("csrf_token", csrf.as_str()),
        ("user-code", text(&asked, "user_code")),
    ];
    let path = browser.post("/device", &typed).await.location();
    let page = browser.get(path.path()).await;
    // Nobody vouches for it, and it has no host: it is called by its id.
    assert!(page.body.contains(id), "{}", page.body);
    let csrf = page.csrf();
    let allow = [("csrf_token", csrf.as_str()), ("decision", "allow")];
    let interaction = browser.post(path.path(), &allow).await.location();
    let done = browser.get(interaction.path()).await.location();
    assert_eq!(done.path(), "/device/done");

    let poll = [
        ("grant_type", GRANT_TYPE),
        ("device_code", text(&asked, "device_code")),
        ("client_id", id),
    ];
    let tokens = house.post("/token", &poll, None).await;
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
    // It has nothing to do with the authorization endpoint.
    let begun = browser.ask_plain(id, CB, &[]).await;
    assert_eq!(begun.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_app_is_answered_on_the_port_that_it_asked_with() {
    let house = house().await;
    let app = |kind: &str, uri: &str| {
        json!({"application_type": kind, "redirect_uris": [uri], "token_endpoint_auth_method": "none",
            "id_token_signed_response_alg": "ES256"})
    };
    let told = register(&house, &app("native", "http://127.0.0.1/cb"))
        .await
        .json();
    let id = text(&told, "client_id");
    let person = house.citizen(true).await;
    house.consent(&person, id, "openid").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let ask = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let here = "http://127.0.0.1:51004/cb";
    for (sent_back, fits) in [
        ("http://127.0.0.1:51005/cb", false),
        ("http://127.0.0.1/cb", false),
        (here, true),
    ] {
        let answer = browser.ask_plain(id, here, &ask).await;
        assert_eq!(answer.location().port(), Some(51004));
        let code = answer.told()["code"].clone();
        // The request's own address counts, to the letter.
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", id),
            ("code", code.as_str()),
            ("redirect_uri", sent_back),
            ("code_verifier", VERIFIER),
        ];
        let tokens = house.post("/token", &form, None).await;
        assert_eq!(
            tokens.status.is_success(),
            fits,
            "{sent_back}: {}",
            tokens.body
        );
    }
    for other in [
        "http://127.0.0.1:51004/other",
        "http://[::1]:51004/cb",
        "http://localhost:51004/cb",
        "https://127.0.0.1:51004/cb",
        "http://127.0.0.1:51004@evil.example/cb",
    ] {
        let answer = browser.ask_plain(id, other, &ask).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{other}");
    }
    let named = register(&house, &app("native", "http://localhost:1/cb"))
        .await
        .json();
    let answer = browser
        .ask_plain(text(&named, "client_id"), "http://localhost:2/cb", &ask)
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn types_of_details_are_those_that_were_registered() {
    let house = house().await;
    let asked = r#"[{"type":"records","actions":["read"]}]"#;
    for (types, taken) in [
        (json!(["records"]), true),
        (json!([]), false),
        (Value::Null, true),
    ] {
        let answer = register(
            &house,
            &json!({"redirect_uris": [CB], "authorization_details_types": types}),
        )
        .await;
        let told = answer.json();
        // RFC 9396 §10, RFC 7591 §3.2.1: what counts is told.
        let listed = told.get("authorization_details_types");
        assert_eq!(listed, (!types.is_null()).then_some(&types));
        let form = [
            ("redirect_uri", CB),
            ("response_type", "code"),
            ("scope", "openid"),
            ("authorization_details", asked),
        ];
        let secret = basic(text(&told, "client_id"), text(&told, "client_secret"));
        let pushed = house.post("/par", &form, Some(&secret)).await;
        assert_eq!(
            pushed.status == StatusCode::CREATED,
            taken,
            "{types}: {}",
            pushed.body
        );
        if !taken {
            assert_eq!(pushed.json()["error"], "invalid_authorization_details");
        }
    }
    let unknown = json!({"redirect_uris": [CB], "authorization_details_types": ["payments"]});
    let refused = register(&house, &unknown).await.json();
    assert_eq!(refused["error"], "invalid_client_metadata");
}
