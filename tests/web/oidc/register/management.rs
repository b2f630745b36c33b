//! What a client does with its registration: reads, changes and removes it (RFC 7592).

use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::{CB, ask, open, path_of, register, text};
use crate::web::oidc::{CHALLENGE, TestHouse, VERIFIER, basic};

/// Metadata as a client sends them back: without what it may not choose (RFC 7592 §2.2).
fn sent_back(told: &Value) -> Value {
    let mut members = told.as_object().unwrap().clone();
    for name in [
        "registration_access_token",
        "registration_client_uri",
        "client_secret_expires_at",
        "client_id_issued_at",
    ] {
        members.remove(name);
    }
    Value::Object(members)
}

#[tokio::test]
async fn a_client_reads_changes_and_removes_itself() {
    let house = TestHouse::with(2, open).await;
    let told = register(
        &house,
        &json!({"redirect_uris": [CB], "client_name": "Shop", "contacts": ["a@rp.example"], "grant_types": ["authorization_code"]}),
    )
    .await
    .json();
    let other = register(&house, &json!({"redirect_uris": [CB]}))
        .await
        .json();
    let (path, token) = (path_of(&told), text(&told, "registration_access_token"));
    let (secret, id) = (text(&told, "client_secret"), text(&told, "client_id"));
    let ask = async |method: Method, token, body: Option<&Value>| {
        ask(&house, method, path, token, body).await
    };

    // Whoever is not the client learns nothing, whatever it asks.
    let good = sent_back(&told);
    for wrong in [
        None,
        Some("x"),
        Some(text(&other, "registration_access_token")),
        Some(secret),
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = ask(method, wrong, Some(&good)).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert_eq!(answer.json()["error"], "invalid_token");
            assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE));
        }
    }
    let nobody = super::ask(&house, Method::GET, "/register/shop", Some(token), None).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);

    let read = ask(Method::GET, Some(token), None).await;
    assert_eq!(
        (read.status.as_u16(), &read.headers["cache-control"]),
        (200, &"no-store".parse().unwrap())
    );
    // The secret is kept as a hash and cannot be told again.
    let mut expected = told.as_object().unwrap().clone();
    expected.remove("client_secret");
    expected.remove("client_secret_expires_at");
    assert_eq!(read.json(), Value::Object(expected));

    // A change replaces everything; what is left out is gone or has its default again.
    for (name, value) in [
        ("client_id", Value::Null),
        ("client_id", json!("other")),
        ("client_secret", json!("mine")),
        ("registration_access_token", json!(token)),
        ("registration_client_uri", json!(path)),
        ("client_secret_expires_at", json!(0)),
        ("client_id_issued_at", json!(1)),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        let answer = ask(Method::PUT, Some(token), Some(&bad)).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (400, &json!("invalid_client_metadata")),
            "{name}"
        );
    }
    let mut bad = good.clone();
    bad["redirect_uris"] = json!(["http://rp.example/"]);
    let answer = ask(Method::PUT, Some(token), Some(&bad)).await;
    assert_eq!(answer.json()["error"], "invalid_redirect_uri");
    let change = json!({"client_id": id, "client_secret": secret, "redirect_uris": [CB, "https://rp.example/2"],
        "client_name": "Store", "grant_types": ["authorization_code", "refresh_token"]});
    let changed = ask(Method::PUT, Some(token), Some(&change)).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    let changed = changed.json();
    assert_eq!(changed["client_name"], "Store");
    assert_eq!(changed["client_id_issued_at"], told["client_id_issued_at"]);
    assert_eq!(changed["token_endpoint_auth_method"], "client_secret_basic");
    assert!(changed.get("contacts").is_none() && changed.get("client_secret").is_none());
    assert_eq!(ask(Method::GET, Some(token), None).await.json(), changed);
    // The secret is still the client's.
    let form = [("grant_type", "refresh_token"), ("refresh_token", "none")];
    let answer = house.post("/token", &form, Some(&basic(id, secret))).await;
    assert_eq!(answer.json()["error"], "invalid_grant");

    // A method that needs none takes it away, one that needs it again makes a new one.
    let mut public = sent_back(&changed);
    public["token_endpoint_auth_method"] = "none".into();
    assert_eq!(
        ask(Method::PUT, Some(token), Some(&public)).await.status,
        200
    );
    let answer = house.post("/token", &form, Some(&basic(id, secret))).await;
    assert_eq!(answer.json()["error"], "invalid_client");
    let again = ask(Method::PUT, Some(token), Some(&sent_back(&changed)))
        .await
        .json();
    assert_eq!(again["client_secret_expires_at"], 0);
    assert_ne!(text(&again, "client_secret"), secret);

    let kinds: Vec<String> = sqlx::query_scalar(
        "SELECT kind FROM audit_events WHERE client = $1 AND actor = $1 ORDER BY kind",
    )
    .bind(id)
    .fetch_all(&mut *house.store.read().await.unwrap())
    .await
    .unwrap();
    assert_eq!(
        kinds,
        [
            "client.change",
            "client.change",
            "client.change",
            "client.register"
        ]
    );
}

#[tokio::test]
async fn tokens_of_a_client_that_left_die_with_it() {
    let house = TestHouse::with(2, open).await;
    let told = register(
        &house,
        &json!({"redirect_uris": [CB], "id_token_signed_response_alg": "ES256"}),
    )
    .await
    .json();
    let (id, secret) = (text(&told, "client_id"), text(&told, "client_secret"));
    let person = house.citizen(true).await;
    house.consent(&person, id, "openid").await;
    let (_, mut browser) = house
        .session(&person, &[hefu::authn::Factor::Password])
        .await;
    let ask_login = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let code = browser.ask_plain(id, CB, &ask_login).await.told()["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CB),
        ("code_verifier", VERIFIER),
    ];
    let tokens = house
        .post("/token", &form, Some(&basic(id, secret)))
        .await
        .json();
    let access = text(&tokens, "access_token");
    assert_eq!(house.userinfo(access).await.status, StatusCode::OK);

    let token = text(&told, "registration_access_token");
    let left = ask(&house, Method::DELETE, path_of(&told), Some(token), None).await;
    assert_eq!(
        (left.status, left.body.as_str()),
        (StatusCode::NO_CONTENT, "")
    );
    assert_eq!(
        house.userinfo(access).await.status,
        StatusCode::UNAUTHORIZED
    );
    for method in [Method::GET, Method::DELETE] {
        let answer = ask(&house, method, path_of(&told), Some(token), None).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let unknown = browser.ask_plain(id, CB, &ask_login).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    let detail: String = sqlx::query_scalar(
        "SELECT detail FROM audit_events WHERE kind = 'client.leave' AND client = $1",
    )
    .bind(id)
    .fetch_one(&mut *house.store.read().await.unwrap())
    .await
    .unwrap();
    assert_eq!(detail, "{\"grants_ended\":1}");
}
