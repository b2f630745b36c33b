//! Bad input at the doors: the specified error, a sentence a person can act on, nothing given away, nobody sent anywhere.

mod back_doors;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use conformance_tests::{
    demo::{self, Demo},
    statement::peek,
    visitor::{Answer, Visitor},
};
use reqwest::Method;
use url::Url;

use super::walk::{genuine_request, log_in, until_callback};

/// A genuine request of a portal, taken apart.
struct Request {
    endpoint: String,
    client_id: String,
    object: String,
}

impl Request {
    async fn fresh(demo: &Demo, portal: &str) -> Self {
        let url = genuine_request(&Visitor::new(), demo, portal).await;
        let get = |name: &str| {
            url.query_pairs()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.into_owned())
        };
        let mut endpoint = url.clone();
        endpoint.set_query(None);
        Self {
            client_id: get("client_id").expect("a client_id"),
            object: get("request").unwrap_or_else(|| panic!("no request object in {url}")),
            endpoint: endpoint.into(),
        }
    }

    fn url(&self, more: &[(&str, &str)]) -> String {
        let mut url: Url = self.endpoint.parse().expect("a URL");
        url.query_pairs_mut()
            .append_pair("client_id", &self.client_id)
            .append_pair("request", &self.object)
            .extend_pairs(more);
        url.into()
    }
}

/// Refused on the spot: an error page with the code, no redirect, no trace of what was sent.
fn assert_refused(answer: &Answer, expected: &[&str], what: &str) {
    assert!(
        answer.location().is_none(),
        "{what}: sent on to {:?}",
        answer.location()
    );
    assert!(
        answer.status.is_client_error(),
        "{what}: {} {}",
        answer.status,
        answer.body
    );
    let code = answer.text("error-code");
    assert!(
        expected.contains(&code.as_str()),
        "{what}: said {code}, expected one of {expected:?}\n{}",
        answer.text("main")
    );
    assert!(
        !answer.text("error-text").is_empty() && answer.has("error-reference"),
        "{what}: no words for people"
    );
    assert!(!answer.has("login-form"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_object_is_accepted_once() {
    let demo = demo::shared().await;
    let request = Request::fresh(demo, "粤省事").await;
    let first = Visitor::new();
    let page = first.get(&request.url(&[])).await;
    let page = first.follow(page, |_| false).await;
    assert!(page.has("login-form"), "{}", page.body);
    // The same signed object from anybody else, or again: its `jti` is spent.
    let again = Visitor::new().get(&request.url(&[])).await;
    let told = again
        .location()
        .expect("its signature is good, so its redirect_uri is proven: the portal is told");
    assert!(
        told.as_str().starts_with(&demo.portal("粤省事").url),
        "sent to {told}"
    );
    let get = |name: &str| {
        told.query_pairs()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.into_owned())
    };
    assert_eq!(get("error").as_deref(), Some("invalid_request_object"));
    assert_eq!(get("code"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn altered_and_foreign_request_objects_are_refused() {
    let demo = demo::shared().await;
    let genuine = Request::fresh(demo, "粤省事").await;
    let parts: Vec<&str> = genuine.object.split('.').collect();
    let seen = peek(&genuine.object);
    let b64 = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());

    let mut other_redirect = seen.claims.clone();
    other_redirect["redirect_uri"] = "http://evil.localhost/callback".into();
    let unsigned = serde_json::json!({ "alg": "none", "typ": seen.header["typ"] });
    let mut strangers_header = seen.header.clone();
    strangers_header["alg"] = "ES256".into();
    let signature = if parts[2].starts_with('A') {
        format!("B{}", &parts[2][1..])
    } else {
        format!("A{}", &parts[2][1..])
    };

    let cases = [
        (
            "another signature",
            format!("{}.{}.{signature}", parts[0], parts[1]),
        ),
        (
            "another payload under the old signature",
            format!("{}.{}.{}", parts[0], b64(&other_redirect), parts[2]),
        ),
        ("alg none", format!("{}.{}.", b64(&unsigned), parts[1])),
        (
            "alg none, the old signature",
            format!("{}.{}.{}", b64(&unsigned), parts[1], parts[2]),
        ),
        (
            "signed with a stranger's key under the portal's kid",
            sign_as_stranger(&strangers_header, &seen.claims),
        ),
        ("cut short", format!("{}.{}", parts[0], parts[1])),
        ("not a token", "🙂".to_owned()),
        ("empty", String::new()),
    ];
    for (what, object) in cases {
        let request = Request {
            object,
            endpoint: genuine.endpoint.clone(),
            client_id: genuine.client_id.clone(),
        };
        let answer = Visitor::new().get(&request.url(&[])).await;
        assert_refused(
            &answer,
            &["invalid_request_object", "invalid_request"],
            what,
        );
    }

    // One portal's object under another portal's name.
    let foreign = Request {
        client_id: demo.portal("苏服办").id.clone(),
        object: genuine.object.clone(),
        endpoint: genuine.endpoint.clone(),
    };
    assert_refused(
        &Visitor::new().get(&foreign.url(&[])).await,
        &["invalid_request_object", "invalid_request"],
        "foreign",
    );

    // All of that has not spent the genuine one.
    let visitor = Visitor::new();
    let page = visitor.get(&genuine.url(&[])).await;
    assert!(visitor.follow(page, |_| false).await.has("login-form"));
}

#[tokio::test(flavor = "multi_thread")]
async fn doubtful_parameters_are_refused() {
    let demo = demo::shared().await;
    let genuine = Request::fresh(demo, "海易办").await;
    let endpoint = &genuine.endpoint;
    let id: String = url::form_urlencoded::byte_serialize(genuine.client_id.as_bytes()).collect();
    let long = "x".repeat(60_000);
    let cases: &[(&str, String, &[&str])] = &[
        // OIDC Core 3.1.2.2, RFC 6749 §3.1: parameters MUST NOT be included more than once.
        (
            "client_id twice",
            format!("{}&client_id={id}", genuine.url(&[])),
            &["invalid_request"],
        ),
        (
            "no parameters at all",
            endpoint.clone(),
            &["invalid_request"],
        ),
        // A client of the federation must sign what it asks for (Federation §12.1).
        (
            "unsigned",
            format!(
                "{endpoint}?client_id={id}&response_type=code&scope=openid&redirect_uri=http%3A%2F%2Fa.example"
            ),
            &["invalid_request", "invalid_request_object"],
        ),
        (
            "an unknown client",
            format!("{endpoint}?client_id=nobody&response_type=code&scope=openid"),
            &["invalid_client", "unauthorized_client", "invalid_request"],
        ),
        (
            "a client from nowhere",
            format!("{endpoint}?client_id=https%3A%2F%2Fnobody.example&request=a.b.c"),
            &[
                "invalid_client",
                "unauthorized_client",
                "invalid_request",
                "invalid_request_object",
                "invalid_trust_chain",
            ],
        ),
        (
            "a client inside our own walls",
            format!("{endpoint}?client_id=http%3A%2F%2F169.254.169.254&request=a.b.c"),
            &[
                "invalid_client",
                "unauthorized_client",
                "invalid_request",
                "invalid_request_object",
                "invalid_trust_chain",
            ],
        ),
        (
            "a request_uri never pushed",
            format!(
                "{endpoint}?client_id={id}&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Anope"
            ),
            &["invalid_request_uri", "invalid_request"],
        ),
        (
            "a client_id of HTML",
            format!("{endpoint}?client_id=%3Cscript%3Ealert(1)%3C%2Fscript%3E&response_type=code"),
            &["invalid_client", "unauthorized_client", "invalid_request"],
        ),
    ];
    for (what, url, expected) in cases {
        let answer = Visitor::new().get(url).await;
        assert_refused(&answer, expected, what);
        assert!(
            !answer.body.contains("<script>alert(1)"),
            "{what}: said back as HTML"
        );
    }
    // Bounded before it is parsed.
    let answer = Visitor::new()
        .get(&format!("{endpoint}?client_id={long}"))
        .await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    let form = [("client_id", "a"), ("request", &"x".repeat(5_000_000))];
    let request = Visitor::new().request(Method::POST, endpoint).form(&form);
    // The door may close while the bytes are still coming: the sender sees that as a broken connection.
    if let Ok(answer) = request.send().await {
        assert!(answer.status().is_client_error(), "{}", answer.status());
    }
    still_well(demo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_belongs_to_the_browser_that_began_it() {
    let demo = demo::shared().await;
    let citizen = demo.citizen("14000000001");
    let (hers, thief) = (Visitor::new(), Visitor::new());
    let request = genuine_request(&hers, demo, "贵人服务").await;
    let page = hers.get(request.as_str()).await;
    let page = hers.follow(page, |_| false).await;
    assert!(page.has("login-form"));

    // The address of her login is of no use elsewhere (session fixation, either way round).
    let stolen = thief.get(page.url.as_str()).await;
    let stolen = thief.follow(stolen, |_| false).await;
    assert!(
        stolen.status.is_client_error() && !stolen.has("login-form"),
        "{} {}",
        stolen.status,
        stolen.url
    );

    // A form without its CSRF token, or from another site, does nothing.
    let fields = [
        ("username", citizen.username.as_str()),
        ("password", citizen.password.as_str()),
    ];
    let forged = hers.post(page.url.as_str(), &fields).await;
    assert!(
        forged.status.is_client_error(),
        "{} {:?}",
        forged.status,
        forged.location()
    );

    // What she sends herself does; then her callback, in the thief's browser, logs in nobody.
    let callback = until_callback(&hers, demo, "贵人服务", citizen, page).await;
    let planted = thief.get(callback.url.as_str()).await;
    let planted = thief.follow(planted, |_| false).await;
    assert!(
        !planted.has("portal-name"),
        "login CSRF: the thief's browser is signed in"
    );
    assert!(planted.status.is_client_error(), "{}", planted.status);

    // In hers it does, once.
    let arrived = hers.get(callback.url.as_str()).await;
    assert!(hers.follow(arrived, |_| false).await.has("portal-name"));
    let twice = hers.get(callback.url.as_str()).await;
    assert!(
        twice.status.is_client_error(),
        "a callback was taken twice: {}",
        twice.status
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_up_callback_is_refused() {
    // RFC 9207 §2.4: an answer that names another issuer, or none, is not accepted.
    let demo = demo::shared().await;
    let citizen = demo.citizen("14000000001");
    for (name, value) in [
        ("iss", Some("http://other.localhost")),
        ("iss", None),
        ("state", Some("wrong")),
        ("state", None),
    ] {
        let visitor = Visitor::new();
        let request = genuine_request(&visitor, demo, "苏服办").await;
        let start = visitor.get(request.as_str()).await;
        let callback = until_callback(&visitor, demo, "苏服办", citizen, start).await;
        let mut url = callback.url.clone();
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(n, _)| n != name)
            .map(|(n, v)| (n.into(), v.into()))
            .collect();
        url.query_pairs_mut()
            .clear()
            .extend_pairs(kept)
            .extend_pairs(value.map(|v| (name, v)));
        let answer = visitor.get(url.as_str()).await;
        let answer = visitor.follow(answer, |_| false).await;
        assert!(!answer.has("portal-name"), "{name}={value:?} was accepted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_host_is_misdirected() {
    let demo = demo::shared().await;
    let visitor = Visitor::new();
    let port = demo.said.connect.rsplit(':').next().expect("a port");
    for host in [
        format!("nobody.localhost:{port}"),
        "evil.example".to_owned(),
    ] {
        let request = visitor.request(
            Method::GET,
            &format!(
                "http://{}/.well-known/openid-configuration",
                demo.said.connect
            ),
        );
        let answer = visitor.send(request.header("host", &host)).await;
        assert_eq!(answer.status, 421, "{host}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_sends_nobody_to_a_strangers_page() {
    let demo = demo::shared().await;
    let visitor = Visitor::new();
    let citizen = demo.citizen("14000000001");
    log_in(&visitor, demo, "粤省事", citizen).await;
    let issuer = demo.provider().id.trim_end_matches('/');
    let answer =
        visitor.get(&format!("{issuer}/logout?post_logout_redirect_uri=http%3A%2F%2Fevil.example%2F&id_token_hint=a.b.c&state=s")).await;
    let answer = visitor
        .follow(answer, |url| url.host_str() == Some("evil.example"))
        .await;
    assert!(
        answer.location().is_none() && !answer.body.contains("href=\"http://evil.example"),
        "sent to a stranger"
    );
    // Nor does a link alone end her session: she is asked, or refused (RP-Initiated Logout 1.0 §2, §6).
    let (_, seen) = log_in(&visitor, demo, "海易办", citizen).await;
    assert!(
        !seen.contains(&"login-form"),
        "a link of a stranger logged her out"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_throttled() {
    let demo = demo::shared().await;
    let citizen = demo.citizen("14000000005");
    let visitor = Visitor::new();
    let mut last = String::new();
    // Five failures per account and source are allowed; the right password is then refused as well, in the same words.
    for attempt in 0..7 {
        let request = genuine_request(&visitor, demo, "粤省事").await;
        let page = visitor.get(request.as_str()).await;
        let page = visitor.follow(page, |_| false).await;
        let password = if attempt == 6 {
            citizen.password.as_str()
        } else {
            "wrong-password-0"
        };
        let answer = visitor
            .submit(
                &page,
                "login-form",
                &[("username", &citizen.username), ("password", password)],
            )
            .await;
        let answer = visitor.follow(answer, |_| false).await;
        assert!(
            !answer.has("consent-form") && !answer.has("portal-name"),
            "attempt {attempt} got in"
        );
        last = answer.text("main");
    }
    assert!(!last.is_empty());
}

/// Nothing of the above has hurt the server, or made it say something that it should not.
async fn still_well(demo: &Demo) {
    let answer = Visitor::new()
        .get(&format!(
            "{}/.well-known/openid-configuration",
            demo.provider().id.trim_end_matches('/')
        ))
        .await;
    assert_eq!(answer.status, 200);
    let log = demo.log();
    assert!(!log.contains("panicked"), "a panic in the log:\n{log}");
}

fn sign_as_stranger(header: &serde_json::Value, claims: &serde_json::Value) -> String {
    let random = SystemRandom::new();
    let document =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref())
        .expect("a key");
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let signature = key.sign(&random, input.as_bytes()).expect("a signature");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}
