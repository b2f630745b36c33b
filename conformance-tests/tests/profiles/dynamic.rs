//! Registration and management of clients. Requirements 8.1 to 8.5 (OIDC Registration 1.0, RFC 7591, RFC 7592).

use conformance_tests::{lab::REDIRECT_URI, visitor::Answer};
use reqwest::Method;
use serde_json::{Value, json};

use super::ground::{Ground, ground};
use super::party::{Client, Faults, Place, refused, register, text};
use super::signing::{Key, changed, jti};

fn usual(more: &Value) -> Value {
    changed(json!({"redirect_uris": [REDIRECT_URI]}), more)
}

/// 8.1 and 8.2: the least, with its defaults; and all of it, echoed.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_registered_is_echoed() {
    let ground = ground().await;
    let answer = register(ground, &usual(&json!({}))).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert!(
        answer
            .header("content-type")
            .starts_with("application/json")
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    let told = answer.json();
    for (name, value) in [
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("response_types", json!(["code"])),
        ("grant_types", json!(["authorization_code"])),
        ("id_token_signed_response_alg", json!("RS256")),
        ("application_type", json!("web")),
        ("client_secret_expires_at", json!(0)),
        ("redirect_uris", json!([REDIRECT_URI])),
    ] {
        assert_eq!(told[name], value, "{name}");
    }
    for name in ["client_id", "client_secret", "registration_access_token"] {
        assert!(text(&told, name).len() >= 22, "{name}");
    }
    assert!(told["client_id_issued_at"].is_i64());
    assert!(text(&told, "registration_client_uri").starts_with(ground.issuer()));

    let (sector, jwks) = (format!("/sector/{}", jti()), Key::new().public());
    let all = json!({
        "client_name": "party", "client_name#zh-CN": "平台", "client_uri": "https://rp.hefu.test/",
        "client_uri#en": "https://rp.hefu.test/en", "logo_uri": "https://rp.hefu.test/logo.png",
        "policy_uri": "https://rp.hefu.test/policy", "tos_uri": "https://rp.hefu.test/terms",
        "contacts": ["help@rp.hefu.test"], "application_type": "web", "jwks": {"keys": [jwks]},
        "redirect_uris": [REDIRECT_URI, "https://rp.hefu.test/second?x=1"],
        "response_types": ["code", "code id_token"], "grant_types": ["authorization_code", "refresh_token", "implicit"],
        "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
        "id_token_signed_response_alg": "ES256", "request_object_signing_alg": "ES256",
        "subject_type": "pairwise", "default_max_age": 3600, "require_auth_time": true,
        "sector_identifier_uri": ground.elsewhere.put(&sector, "application/json",
            json!([REDIRECT_URI, "https://rp.hefu.test/second?x=1"]).to_string()),
        "default_acr_values": [ground.metadata["acr_values_supported"][0]],
        "initiate_login_uri": "https://rp.hefu.test/login", "request_uris": ["https://rp.hefu.test/object#a"],
        "post_logout_redirect_uris": ["https://rp.hefu.test/bye"],
        "backchannel_logout_uri": "https://rp.hefu.test/back", "backchannel_logout_session_required": true,
        "frontchannel_logout_uri": "https://rp.hefu.test/front", "frontchannel_logout_session_required": true,
        "authorization_signed_response_alg": "ES256", "introspection_signed_response_alg": "ES256",
        "require_pushed_authorization_requests": false, "require_signed_request_object": false,
        "dpop_bound_access_tokens": false, "tls_client_certificate_bound_access_tokens": false,
        "scope": "openid email",
        "software_id": "profiles", "software_version": "1",
    });
    let sent = changed(all.clone(), &json!({"unheard_of": {"a": [1]}}));
    let answer = register(ground, &sent).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let told = answer.json();
    for (name, value) in all.as_object().expect("an object") {
        assert_eq!(&told[name], value, "{name}");
    }
    assert_eq!(told.get("client_secret"), None, "it has a key");
    assert_eq!(told.get("unheard_of"), None);
}

/// 8.3.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused() {
    let ground = ground().await;
    let elsewhere = &ground.elsewhere;
    let short = elsewhere.put(&format!("/{}", jti()), "application/json", "[]");
    let page = elsewhere.put(&format!("/{}", jti()), "text/html", "<p>no list");
    let missing = format!("{}/{}", elsewhere.origin, jti());
    let key = Key::new().public();
    let mut faults = Faults::default();
    let uri = "invalid_redirect_uri";
    let metadata = "invalid_client_metadata";
    for (more, error) in [
        (json!({"redirect_uris": null}), uri),
        (json!({"redirect_uris": []}), uri),
        (json!({"redirect_uris": "https://rp.hefu.test/"}), metadata),
        (json!({"redirect_uris": [format!("{REDIRECT_URI}#f")]}), uri),
        (json!({"redirect_uris": ["http://rp.hefu.test/cb"]}), uri),
        (json!({"redirect_uris": ["/cb"]}), uri),
        (json!({"redirect_uris": ["javascript:alert(1)"]}), uri),
        (
            json!({"redirect_uris": ["https://user@rp.hefu.test/cb"]}),
            uri,
        ),
        (json!({"redirect_uris": ["com.hefu.app:/cb"]}), uri),
        (
            json!({"initiate_login_uri": "http://rp.hefu.test/login"}),
            metadata,
        ),
        (json!({"grant_types": ["implicit"]}), metadata),
        (
            json!({"response_types": ["id_token"], "grant_types": ["authorization_code"]}),
            metadata,
        ),
        (
            json!({"response_types": ["code id_token"], "grant_types": ["authorization_code"]}),
            metadata,
        ),
        (json!({"response_types": ["token"]}), metadata),
        (json!({"response_types": ["unheard_of"]}), metadata),
        (
            json!({"grant_types": ["authorization_code", "password"]}),
            metadata,
        ),
        (
            json!({"sector_identifier_uri": "http://rp.hefu.test/sector"}),
            metadata,
        ),
        (json!({"sector_identifier_uri": short}), metadata),
        (json!({"sector_identifier_uri": page}), metadata),
        (json!({"sector_identifier_uri": missing}), metadata),
        (
            json!({"redirect_uris": [REDIRECT_URI, "https://other.hefu.test/cb"]}),
            metadata,
        ),
        (json!({"subject_type": "unheard_of"}), metadata),
        (json!({"id_token_signed_response_alg": "none"}), metadata),
        (json!({"id_token_signed_response_alg": "HS256"}), metadata),
        (json!({"request_object_signing_alg": "none"}), metadata),
        (
            json!({"userinfo_signed_response_alg": "unheard_of"}),
            metadata,
        ),
        (
            json!({"id_token_encrypted_response_alg": "unheard_of"}),
            metadata,
        ),
        (
            json!({"authorization_signed_response_alg": "none"}),
            metadata,
        ),
        (
            json!({"token_endpoint_auth_method": "unheard_of"}),
            metadata,
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt"}),
            metadata,
        ),
        (json!({"token_endpoint_auth_signing_alg": "none"}), metadata),
        (
            json!({"jwks": {"keys": [key]}, "jwks_uri": "https://rp.hefu.test/jwks"}),
            metadata,
        ),
        (json!({"jwks_uri": "http://rp.hefu.test/jwks"}), metadata),
        (json!({"jwks": "keys"}), metadata),
        (json!({"default_max_age": -1}), metadata),
        (json!({"default_max_age": "60"}), metadata),
        (json!({"require_auth_time": "true"}), metadata),
        (json!({"contacts": "help@rp.hefu.test"}), metadata),
        (json!({"application_type": "unheard_of"}), metadata),
        (
            json!({"request_uris": ["http://rp.hefu.test/object"]}),
            metadata,
        ),
        (
            json!({"post_logout_redirect_uris": ["https://rp.hefu.test/bye#f"]}),
            metadata,
        ),
        (
            json!({"backchannel_logout_uri": "http://rp.hefu.test/back"}),
            metadata,
        ),
        (
            json!({"backchannel_logout_uri": "https://rp.hefu.test/back#f"}),
            metadata,
        ),
        (
            json!({"frontchannel_logout_uri": "https://other.hefu.test/front"}),
            metadata,
        ),
        (json!({"logo_uri": "javascript:alert(1)"}), metadata),
        (json!({"hefu_profile": "unheard_of"}), metadata),
        (
            json!({"software_statement": "a.b.c"}),
            "unapproved_software_statement",
        ),
    ] {
        let answer = register(ground, &usual(&more)).await;
        if answer.status == 201 {
            faults.same(&more, &"registered", &error);
        } else {
            faults.same(&more, &refused(&answer), &(400, error.to_owned()));
        }
    }
    let endpoint = ground.endpoint("registration_endpoint");
    let program = ground.program();
    let post = |kind: &str, body: &str| {
        let request = program.request(Method::POST, endpoint);
        request.header("content-type", kind).body(body.to_owned())
    };
    let good = usual(&json!({})).to_string();
    for (kind, body) in [
        ("application/json", "{"),
        ("application/json", "[]"),
        (
            "application/json",
            "{\"redirect_uris\":[],\"redirect_uris\":[]}",
        ),
        ("text/plain", &good),
    ] {
        let answer = program.send(post(kind, body)).await;
        faults.same((kind, body), &refused(&answer), &(400, metadata.to_owned()));
    }
    let charset = program
        .send(post("application/json; charset=utf-8", &good))
        .await;
    faults.same("charset", &charset.status.as_u16(), &201);
    let wrong = program.get(endpoint).await;
    faults.same("GET", &wrong.status.as_u16(), &405);
    faults.none();
}

/// OIDC Registration 2: what a native client may have that a web client may not.
#[tokio::test(flavor = "multi_thread")]
async fn native_clients_have_addresses_of_their_own() {
    let ground = ground().await;
    for uri in [
        "http://127.0.0.1/cb",
        "http://localhost:8080/cb",
        "com.hefu.app:/cb",
        REDIRECT_URI,
    ] {
        let sent = json!({"application_type": "native", "redirect_uris": [uri], "token_endpoint_auth_method": "none"});
        let answer = register(ground, &sent).await;
        assert_eq!(answer.status, 201, "{uri}: {}", answer.body);
    }
    let sent = json!({"redirect_uris": ["https://localhost/cb"], "response_types": ["id_token"], "grant_types": ["implicit"]});
    let answer = register(ground, &sent).await;
    assert_eq!(refused(&answer), (400, "invalid_redirect_uri".to_owned()));
}

async fn manage(
    ground: &Ground,
    client: &Client,
    method: Method,
    token: &str,
    body: Option<&Value>,
) -> Answer {
    let program = ground.program();
    let mut request = program.request(method, &text(&client.told, "registration_client_uri"));
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    program.send(request).await
}

/// 8.4.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_looks_after_itself() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    let other = Client::open(ground).await;
    let token = text(&client.told, "registration_access_token");
    let foreign = text(&other.told, "registration_access_token");
    let read = manage(ground, &client, Method::GET, &token, None).await;
    assert_eq!(read.status, 200);
    assert_eq!(read.header("cache-control"), "no-store");
    let read = read.json();
    for name in [
        "client_id",
        "redirect_uris",
        "client_name",
        "registration_client_uri",
        "grant_types",
    ] {
        assert_eq!(read[name], client.told[name], "{name}");
    }
    let mut faults = Faults::default();
    let unauthorized = (401, "invalid_token".to_owned());
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        for wrong in ["", "nothing", &foreign] {
            let body = (method == Method::PUT).then_some(&read);
            let answer = manage(ground, &client, method.clone(), wrong, body).await;
            faults.same((&method, wrong), &refused(&answer), &unauthorized);
        }
    }
    let good = json!({"client_id": client.id, "redirect_uris": [REDIRECT_URI], "client_name": "renamed",
        "grant_types": ["authorization_code", "refresh_token"]});
    for more in [
        json!({"client_id": null}),
        json!({"client_id": other.id}),
        json!({"client_secret": "chosen by myself"}),
        json!({"registration_access_token": token}),
        json!({"registration_client_uri": "https://rp.hefu.test/"}),
        json!({"client_id_issued_at": 1}),
        json!({"client_secret_expires_at": 0}),
        json!({"subject_type": "unheard_of"}),
    ] {
        let body = changed(good.clone(), &more);
        let answer = manage(ground, &client, Method::PUT, &token, Some(&body)).await;
        faults.same(
            &more,
            &refused(&answer),
            &(400, "invalid_client_metadata".to_owned()),
        );
    }
    let body = changed(
        good.clone(),
        &json!({"redirect_uris": ["http://rp.hefu.test/"]}),
    );
    let answer = manage(ground, &client, Method::PUT, &token, Some(&body)).await;
    faults.same(
        "redirect",
        &refused(&answer),
        &(400, "invalid_redirect_uri".to_owned()),
    );
    faults.none();

    let second = "https://rp.hefu.test/second";
    let body = changed(good, &json!({"redirect_uris": [second]}));
    let changed = manage(ground, &client, Method::PUT, &token, Some(&body)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let told = changed.json();
    assert_eq!(told["client_name"], "renamed");
    assert_eq!(told["redirect_uris"], json!([second]));
    let before = client.begin(ground, &ground.citizen, &[]).await;
    assert_eq!(before.refusal(), (Place::Page, "invalid_request"));
    let more = [("redirect_uri", second), ("scope", "openid offline_access")];
    let told = client.ask(ground, &ground.citizen, &more).await;
    let tokens = client
        .redeem(ground, &told.code(), &[("redirect_uri", second)])
        .await;
    assert_eq!(tokens.status, 200, "the secret stayed: {}", tokens.body);
    let access_token = text(&tokens.json(), "access_token");
    assert_eq!(ground.userinfo(&access_token).await.status, 200);

    let gone = manage(ground, &client, Method::DELETE, &token, None).await;
    assert_eq!(gone.status, 204);
    assert_eq!(refused(&ground.userinfo(&access_token).await), unauthorized);
    let again = manage(ground, &client, Method::GET, &token, None).await;
    assert_eq!(refused(&again), unauthorized);
    let told = client
        .begin(ground, &ground.citizen, &[("redirect_uri", second)])
        .await;
    assert_eq!(told.refusal(), (Place::Page, "invalid_client"));
    let form = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let answer = client.post(ground, "token_endpoint", &form).await;
    assert_eq!(refused(&answer), (401, "invalid_client".to_owned()));
}

/// 8.2: without name, logo or anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_name_logs_in() {
    let ground = ground().await;
    let told = register(ground, &usual(&json!({}))).await.json();
    let mut client = Client::configured(&text(&told, "client_id"), &text(&told, "client_secret"));
    client.told = told;
    client.tokens(ground, &[]).await;
}

/// OIDC Core 4: a login that another began is refused by nobody here, but the address must be safe; 8.5 with the others of this room.
#[tokio::test(flavor = "multi_thread")]
async fn scopes_are_kept_within_what_was_registered() {
    let ground = ground().await;
    let client = Client::with(ground, json!({"scope": "openid email real_name"})).await;
    assert_eq!(client.told["scope"], "openid email");
    let tokens = client
        .tokens(ground, &[("scope", "openid email phone")])
        .await;
    let userinfo = ground.userinfo(&text(&tokens, "access_token")).await.json();
    assert_eq!(userinfo["email"], "lab-citizen@hefu.test");
    assert_eq!(userinfo.get("phone_number"), None);
}
