//! What clients' metadata point to: keys, request objects, sectors; fetched over real HTTP from a server of this test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hefu::authn::Factor;
use hefu::config::provider::{Mtls, Provider, Registration};
use hefu::crypto::ClientCertificate;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use super::{Answer, CHALLENGE, ISSUER, TestHouse, encode};
use crate::support::federation::TestKey;

const CB: &str = "https://rp.example/cb";
const JWT: &str = "application/oauth-authz-req+jwt";

/// One document.
#[derive(Clone, Debug)]
struct Document {
    media_type: &'static str,
    cache_control: &'static str,
    body: String,
}

/// A server of clients' documents; counts what is asked.
#[derive(Clone, Default)]
pub(super) struct Site {
    documents: Arc<Mutex<BTreeMap<String, Document>>>,
    asked: Arc<Mutex<Vec<String>>>,
    pub(super) port: u16,
}

impl Site {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = Self {
            port: listener.local_addr().unwrap().port(),
            ..Self::default()
        };
        let router = Router::new().fallback(answer).with_state(site.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        site
    }

    fn url(&self, path: &str) -> String {
        format!("http://rp.localhost:{}{path}", self.port)
    }

    pub(super) fn put(&self, path: &str, media_type: &'static str, body: impl ToString) -> String {
        self.put_for(path, media_type, "", body)
    }

    fn put_for(
        &self,
        path: &str,
        media_type: &'static str,
        cache_control: &'static str,
        body: impl ToString,
    ) -> String {
        let document = Document {
            media_type,
            cache_control,
            body: body.to_string(),
        };
        let mut documents = self.documents.lock().unwrap();
        documents.insert(path.to_owned(), document);
        self.url(path)
    }

    pub(super) fn remove(&self, path: &str) {
        self.documents.lock().unwrap().remove(path);
    }

    fn asked(&self, path: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|p| *p == path).count()
    }
}

async fn answer(State(site): State<Site>, uri: Uri, headers: HeaderMap) -> Response {
    assert!(headers.contains_key(header::ACCEPT));
    site.asked.lock().unwrap().push(uri.path().to_owned());
    let found = site.documents.lock().unwrap().get(uri.path()).cloned();
    let Some(document) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut answer = document.body.into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, document.media_type.parse().unwrap());
    if !document.cache_control.is_empty() {
        let value = document.cache_control.parse().unwrap();
        headers.insert(header::CACHE_CONTROL, value);
    }
    answer
}

async fn house(site: &Site, set: impl FnOnce(&mut Provider)) -> TestHouse {
    TestHouse::reaching(2, Some(site.port), |settings| {
        settings.registration = Registration::Open;
        set(settings);
    })
    .await
}

async fn register(house: &TestHouse, metadata: Value) -> Answer {
    let request = Request::post("/register")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(metadata.to_string()));
    house.send(request.unwrap()).await
}

async fn registered(house: &TestHouse, metadata: Value) -> String {
    let answer = register(house, metadata).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer.json()["client_id"].as_str().unwrap().to_owned()
}

/// Asks the token endpoint with an assertion signed by `key`; `invalid_grant` means that the client was believed.
async fn prove(house: &TestHouse, client: &str, key: &TestKey, jti: &str) -> String {
    let claims =
        json!({"iss": client, "sub": client, "aud": ISSUER, "jti": jti, "exp": house.now().0 + 60});
    let form = [
        ("grant_type", "authorization_code"),
        ("code", "none"),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", &key.jwt("JWT", &claims)),
    ];
    let answer = house.post("/token", &form, None).await;
    answer.json()["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn keys_behind_an_address_are_read_when_needed_and_kept_as_long_as_their_owner_says() {
    let site = Site::start().await;
    let house = house(&site, |_| {}).await;
    let [one, two, three] = ["one", "two", "three"].map(TestKey::of);
    let json = "application/json";
    let jwks_uri = site.put_for("/jwks", json, "max-age=300", one.jwks());
    let id = registered(
        &house,
        json!({"redirect_uris": [CB], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": jwks_uri}),
    )
    .await;
    let asked = || site.asked("/jwks");
    assert_eq!(asked(), 0, "nobody needed them yet");
    for jti in ["1", "2", "3"] {
        assert_eq!(prove(&house, &id, &one, jti).await, "invalid_grant");
    }
    assert_eq!(asked(), 1);
    // Many at once read once.
    house.clock.advance(301);
    let (a, b, c) = tokio::join!(
        prove(&house, &id, &one, "4"),
        prove(&house, &id, &one, "5"),
        prove(&house, &id, &one, "6")
    );
    assert_eq!([a, b, c], ["invalid_grant"; 3].map(str::to_owned));
    assert_eq!(asked(), 2);
    // A key that nobody has seen: looked for at once, and then not more often than once a minute.
    site.put_for("/jwks", json, "max-age=300", two.jwks());
    assert_eq!(prove(&house, &id, &two, "7").await, "invalid_grant");
    assert_eq!(asked(), 3);
    site.put_for("/jwks", json, "max-age=300", three.jwks());
    for jti in ["8", "9"] {
        assert_eq!(prove(&house, &id, &three, jti).await, "invalid_client");
    }
    assert_eq!(asked(), 3);
    house.clock.advance(60);
    assert_eq!(prove(&house, &id, &three, "10").await, "invalid_grant");
    assert_eq!(asked(), 4);
    // What was taken out stops when the owner's time is over.
    assert_eq!(prove(&house, &id, &two, "11").await, "invalid_client");
    // An address that does not answer takes no key away, and is not asked at every request.
    site.remove("/jwks");
    house.clock.advance(301);
    let before = asked();
    for jti in ["12", "13"] {
        assert_eq!(prove(&house, &id, &three, jti).await, "invalid_grant");
    }
    assert_eq!(asked(), before + 1);
    // But not for ever.
    house.clock.advance(86_400);
    assert_eq!(prove(&house, &id, &three, "14").await, "invalid_client");
}

#[tokio::test]
async fn how_long_keys_are_kept_has_limits() {
    let site = Site::start().await;
    let house = house(&site, |_| {}).await;
    let key = TestKey::of("one");
    for (path, cache_control, kept, over) in [
        ("/never", "no-store", 59, 60),
        ("/usual", "", 599, 600),
        ("/ever", "max-age=31536000", 3599, 3600),
    ] {
        let jwks_uri = site.put_for(path, "application/jwk-set+json", cache_control, key.jwks());
        let id = registered(
            &house,
            json!({"redirect_uris": [CB], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": jwks_uri}),
        )
        .await;
        for (advance, asked) in [(0, 1), (kept, 1), (over - kept, 2)] {
            house.clock.advance(advance);
            let jti = format!("{path} {advance}");
            assert_eq!(prove(&house, &id, &key, &jti).await, "invalid_grant");
            assert_eq!(site.asked(path), asked, "{jti}");
        }
    }
}

#[tokio::test]
async fn keys_of_another_kind_or_from_inside_are_no_keys() {
    let site = Site::start().await;
    let house = house(&site, |_| {}).await;
    let key = TestKey::of("one");
    let long = format!("{}{}", key.jwks(), " ".repeat(65 * 1024));
    for (path, media_type, body) in [
        ("/html", "text/html", key.jwks().to_string()),
        ("/array", "application/json", "[]".to_owned()),
        ("/long", "application/json", long),
    ] {
        let jwks_uri = site.put(path, media_type, body);
        let id = registered(
            &house,
            json!({"redirect_uris": [CB], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": jwks_uri}),
        )
        .await;
        assert_eq!(prove(&house, &id, &key, path).await, "invalid_client");
        assert_eq!(site.asked(path), 1);
    }
    let inside = json!({"redirect_uris": [CB], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://169.254.169.254/jwks"});
    let id = registered(&house, inside).await;
    assert_eq!(prove(&house, &id, &key, "x").await, "invalid_client");
}

#[tokio::test]
async fn a_configured_client_may_publish_its_keys_too() {
    let site = Site::start().await;
    let key = TestKey::of("one");
    let jwks_uri = site.put("/jwks", "application/json", key.jwks());
    let table = json!({"client_id": "bank", "redirect_uris": [CB], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": jwks_uri});
    let house = house(&site, |settings| {
        settings.clients.push(table.as_object().unwrap().clone());
    })
    .await;
    assert_eq!(prove(&house, "bank", &key, "1").await, "invalid_grant");
    assert_eq!(site.asked("/jwks"), 1);
}

/// RFC 8705 §2.2.1: a certificate among the keys behind the address.
#[tokio::test]
async fn certificates_behind_an_address_prove_their_client() {
    let site = Site::start().await;
    let house = house(&site, |settings| {
        settings.mtls = Some(Mtls {
            url: "https://mtls.id.example".to_owned(),
            ca: None,
        });
    })
    .await;
    let certified = || {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        (
            ClientCertificate::new(vec![certificate.der().to_vec()]).unwrap(),
            STANDARD.encode(certificate.der()),
        )
    };
    let ((own, x5c), (other, _)) = (certified(), certified());
    let mut jwks = TestKey::of("one").jwks();
    jwks["keys"][0]["x5c"] = json!([x5c]);
    let jwks_uri = site.put("/jwks", "application/json", jwks);
    let id = registered(
        &house,
        json!({"redirect_uris": [CB], "token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks_uri": jwks_uri,
            "tls_client_certificate_bound_access_tokens": true}),
    )
    .await;
    for (certificate, code) in [
        (Some(own), "invalid_grant"),
        (Some(other), "invalid_client"),
        (None, "invalid_client"),
    ] {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", "none"),
            ("client_id", &id),
        ];
        let mut request = Request::post("/token")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(encode(&form)))
            .unwrap();
        if let Some(certificate) = certificate {
            request.extensions_mut().insert(certificate);
        }
        assert_eq!(house.send_to_alias(request).await.json()["error"], code);
    }
}

#[tokio::test]
async fn a_sector_holds_all_redirect_uris_of_a_client() {
    let site = Site::start().await;
    let house = house(&site, |_| {}).await;
    let uris = json!([CB, "https://other.example/cb"]);
    let good = site.put(
        "/good",
        "application/json",
        json!([CB, "https://third.example/", uris[1]]),
    );
    let id = registered(
        &house,
        json!({"redirect_uris": uris, "sector_identifier_uri": good, "subject_type": "pairwise"}),
    )
    .await;
    assert!(!id.is_empty());
    for (path, media_type, body) in [
        ("/lacks", "application/json", json!([CB])),
        (
            "/object",
            "application/json",
            json!({"redirect_uris": uris}),
        ),
        ("/html", "text/html", uris.clone()),
        ("/missing", "", Value::Null),
    ] {
        let uri = if media_type.is_empty() {
            site.url(path)
        } else {
            site.put(path, media_type, body)
        };
        for subject_type in ["pairwise", "public"] {
            let answer = register(&house, json!({"redirect_uris": uris, "sector_identifier_uri": uri, "subject_type": subject_type})).await;
            assert_eq!(answer.json()["error"], "invalid_client_metadata", "{path}");
        }
    }
}

struct Asked<'a> {
    house: &'a TestHouse,
    client: String,
    key: TestKey,
}

impl Asked<'_> {
    fn object(&self, changes: Value) -> String {
        let mut claims = json!({"iss": self.client, "client_id": self.client, "aud": ISSUER, "exp": self.house.now().0 + 600,
            "response_type": "code", "redirect_uri": CB, "scope": "openid", "state": "inner", "code_challenge": CHALLENGE,
            "code_challenge_method": "S256"});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.key.jwt("oauth-authz-req+jwt", &claims)
    }

    async fn authorize(&self, browser: &mut super::Browser<'_>, request_uri: &str) -> Answer {
        let query = encode(&[
            ("client_id", &self.client),
            ("response_type", "code"),
            ("scope", "openid"),
            ("redirect_uri", CB),
            ("state", "outer"),
            ("request_uri", request_uri),
        ]);
        browser.get(&format!("/authorize?{query}")).await
    }
}

#[tokio::test]
async fn request_objects_by_reference() {
    let site = Site::start().await;
    let house = house(&site, |settings| settings.request_uri = true).await;
    let key = TestKey::of("rp");
    let uris = [
        "/object#v1",
        "/object",
        "/json",
        "/unsigned",
        "/long",
        "/typed",
    ];
    let client = registered(
        &house,
        json!({"redirect_uris": [CB], "jwks": key.jwks(), "request_uris": uris.map(|path| site.url(path))}),
    )
    .await;
    let rp = Asked {
        house: &house,
        client,
        key,
    };
    let person = house.citizen(true).await;
    house.consent(&person, &rp.client, "openid").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    let object = site.put("/object", JWT, rp.object(json!({})));

    // Compared and fetched without the fragment; what is inside wins.
    for fragment in ["", "#v1", "#another"] {
        let told = rp
            .authorize(&mut browser, &format!("{object}{fragment}"))
            .await
            .told();
        assert_eq!(told["state"], "inner", "{told:?}");
        assert!(told.contains_key("code"));
    }
    assert_eq!(site.asked("/object"), 3);
    // The fragment tells versions apart; without it nobody knows whether the object is still the same.
    site.put("/object", JWT, rp.object(json!({"state": "newer"})));
    for (fragment, state) in [("#v1", "inner"), ("#v2", "newer"), ("", "newer")] {
        let told = rp
            .authorize(&mut browser, &format!("{object}{fragment}"))
            .await
            .told();
        assert_eq!(told["state"], state, "{fragment}");
    }
    house.clock.advance(301);
    site.put("/object", JWT, rp.object(json!({"state": "newest"})));
    let told = rp
        .authorize(&mut browser, &format!("{object}#v1"))
        .await
        .told();
    assert_eq!(told["state"], "newest", "no version is kept for ever");

    let unsigned = rp.object(json!({}));
    let unsigned = format!(
        "eyJhbGciOiJub25lIn0.{}.",
        unsigned.split('.').nth(1).unwrap()
    );
    let typed = site.put(
        "/typed",
        "application/jwt; charset=utf-8",
        format!("{}\n", rp.object(json!({}))),
    );
    assert!(
        rp.authorize(&mut browser, &typed)
            .await
            .told()
            .contains_key("code")
    );
    for (uri, code) in [
        (
            site.put("/json", "application/json", rp.object(json!({}))),
            "invalid_request_uri",
        ),
        (
            site.put("/unsigned", JWT, unsigned),
            "invalid_request_object",
        ),
        (
            site.put("/long", JWT, "x".repeat(65 * 1024)),
            "invalid_request_uri",
        ),
        (site.url("/not-registered"), "invalid_request_uri"),
        ("https://169.254.169.254/".to_owned(), "invalid_request_uri"),
        ("nonsense".to_owned(), "invalid_request_uri"),
        (
            format!("{object}#{}", "x".repeat(512)),
            "invalid_request_uri",
        ),
    ] {
        let told = rp.authorize(&mut browser, &uri).await.told();
        assert_eq!(told["error"], code, "{uri}");
        assert_eq!(told["state"], "outer");
    }
    assert_eq!(site.asked("/not-registered"), 0);
    site.remove("/object");
    let told = rp.authorize(&mut browser, &object).await.told();
    assert_eq!(told["error"], "invalid_request_uri");
    // Both at once are neither.
    let query = encode(&[
        ("client_id", &rp.client),
        ("redirect_uri", CB),
        ("request_uri", &object),
        ("request", "x"),
    ]);
    let told = browser.get(&format!("/authorize?{query}")).await.told();
    assert_eq!(told["error"], "invalid_request");
    let discovery = browser
        .get("/.well-known/openid-configuration")
        .await
        .json();
    assert_eq!(discovery["request_uri_parameter_supported"], true);
    assert_eq!(discovery["require_request_uri_registration"], true);
}

#[tokio::test]
async fn addresses_of_objects_need_no_registration_where_that_is_said() {
    let site = Site::start().await;
    let house = house(&site, |settings| {
        settings.request_uri = true;
        settings.require_request_uri_registration = false;
    })
    .await;
    let key = TestKey::of("rp");
    let client = registered(&house, json!({"redirect_uris": [CB], "jwks": key.jwks()})).await;
    let rp = Asked {
        house: &house,
        client,
        key,
    };
    let object = site.put("/object", JWT, rp.object(json!({"prompt": "none"})));
    let mut browser = house.browser();
    let told = rp.authorize(&mut browser, &object).await.told();
    assert_eq!(told["error"], "login_required");
    let inside = rp
        .authorize(&mut browser, "https://127.0.0.1/object")
        .await
        .told();
    assert_eq!(inside["error"], "invalid_request_uri");
    let discovery = browser
        .get("/.well-known/openid-configuration")
        .await
        .json();
    assert_eq!(discovery["require_request_uri_registration"], false);
}

#[tokio::test]
async fn where_references_are_off_nothing_is_fetched() {
    let site = Site::start().await;
    let house = house(&site, |_| {}).await;
    let key = TestKey::of("rp");
    let object = site.url("/object");
    let client = registered(
        &house,
        json!({"redirect_uris": [CB], "jwks": key.jwks(), "request_uris": [object]}),
    )
    .await;
    let rp = Asked {
        house: &house,
        client,
        key,
    };
    site.put("/object", JWT, rp.object(json!({})));
    let told = rp.authorize(&mut house.browser(), &object).await.told();
    assert_eq!(told["error"], "request_uri_not_supported");
    assert_eq!(site.asked("/object"), 0);
}
