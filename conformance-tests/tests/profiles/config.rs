//! The discovery document, walked from end to end: what it promises works, and what works is promised. Requirements 2.1 to 2.9 (OIDC Discovery
//! 1.0, RFC 8414). A name that no test here knows fails the walk: whoever adds a promise adds its proof.

mod keys;

use std::collections::BTreeSet;

use conformance_tests::{lab::REDIRECT_URI, statement::now};
use reqwest::Method;
use serde_json::{Value, json};

use super::ground::{Ground, ground};
use super::party::{
    ASSERTION_TYPE, CHALLENGE, Client, Faults, Place, VERIFIER, refused, register, text,
};
use super::signing::{Key, hash, jti, under_secret};

/// 2.3: without these it is no provider.
const MUST: [&str; 29] = [
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "registration_endpoint",
    "scopes_supported",
    "response_types_supported",
    "response_modes_supported",
    "grant_types_supported",
    "acr_values_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
    "request_object_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "claims_supported",
    "claims_parameter_supported",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "code_challenge_methods_supported",
    "authorization_response_iss_parameter_supported",
    "pushed_authorization_request_endpoint",
    "dpop_signing_alg_values_supported",
    "end_session_endpoint",
    "check_session_iframe",
    "backchannel_logout_supported",
    "frontchannel_logout_supported",
    "tls_client_certificate_bound_access_tokens",
];

/// Proven here, or in the module that is named.
const PROVEN: [&str; 56] = [
    // encryption
    "userinfo_signing_alg_values_supported",
    "id_token_encryption_alg_values_supported",
    "id_token_encryption_enc_values_supported",
    "userinfo_encryption_alg_values_supported",
    "userinfo_encryption_enc_values_supported",
    "introspection_encryption_alg_values_supported",
    "introspection_encryption_enc_values_supported",
    "authorization_encryption_alg_values_supported",
    "authorization_encryption_enc_values_supported",
    "request_object_encryption_alg_values_supported",
    "request_object_encryption_enc_values_supported",
    // by strangers in `members`, and the federation's own tests
    "federation_registration_endpoint",
    // basic, prompts, claims
    "authorization_response_iss_parameter_supported",
    "acr_values_supported",
    "claims_supported",
    "claims_parameter_supported",
    "claim_types_supported",
    // objects
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "require_request_uri_registration",
    // logout
    "end_session_endpoint",
    "check_session_iframe",
    "backchannel_logout_supported",
    "backchannel_logout_session_supported",
    "frontchannel_logout_supported",
    "frontchannel_logout_session_supported",
    // fapi2
    "pushed_authorization_request_endpoint",
    "mtls_endpoint_aliases",
    "tls_client_certificate_bound_access_tokens",
    // oauth
    "revocation_endpoint",
    "introspection_endpoint",
    "device_authorization_endpoint",
    "authorization_details_types_supported",
    "protected_resources",
    // dynamic
    "registration_endpoint",
    // here
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "scopes_supported",
    "response_types_supported",
    "response_modes_supported",
    "grant_types_supported",
    "authorization_signing_alg_values_supported",
    "introspection_signing_alg_values_supported",
    "id_token_signing_alg_values_supported",
    "request_object_signing_alg_values_supported",
    "subject_types_supported",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "code_challenge_methods_supported",
    "dpop_signing_alg_values_supported",
    "prompt_values_supported",
    "ui_locales_supported",
    // the federation's: tests/federation and tests/protocol
    "client_registration_types_supported",
];

/// The same as the lists of the token endpoint, or the federation's.
const FOLLOWING: [&str; 6] = [
    "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported",
    "introspection_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "request_authentication_methods_supported",
    "request_authentication_signing_alg_values_supported",
];

fn list<'a>(ground: &'a Ground, name: &str) -> Vec<&'a str> {
    let items = ground.metadata[name].as_array();
    let items = items.unwrap_or_else(|| panic!("{name} is no list"));
    items.iter().map(|v| v.as_str().expect("text")).collect()
}

/// 2.1 to 2.6, 2.9.
#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_whole() {
    let ground = ground().await;
    let program = ground.program();
    let issuer = ground.issuer();
    let mut documents = Vec::new();
    for name in ["openid-configuration", "oauth-authorization-server"] {
        let answer = program.get(&format!("{issuer}/.well-known/{name}")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/json");
        documents.push(answer.json());
    }
    assert_eq!(documents[0], documents[1], "2.2");
    let document = documents.remove(0);
    assert_eq!(document["issuer"], issuer, "2.1");
    let mut faults = Faults::default();
    for name in MUST {
        faults.same(name, &document.get(name).is_some(), &true);
    }
    let aliases = document["mtls_endpoint_aliases"]
        .as_object()
        .expect("aliases");
    for (name, value) in document.as_object().expect("an object") {
        let known = PROVEN.contains(&&**name) || FOLLOWING.contains(&&**name);
        faults.same((name, "is proven"), &known, &true);
        faults.same(
            (name, "is a registered name"),
            &name.starts_with("hefu"),
            &false,
        );
        if let Some(list) = value.as_array() {
            let each: BTreeSet<String> = list.iter().map(ToString::to_string).collect();
            faults.same((name, "has no repetition"), &each.len(), &list.len());
            faults.same(
                (name, "does not list none"),
                &(name.contains("_alg_") && list.contains(&json!("none"))),
                &false,
            );
        }
        let address =
            name.ends_with("_endpoint") || name.ends_with("_uri") || name.ends_with("_iframe");
        if address {
            let url: url::Url = value.as_str().expect("text").parse().expect("a URL");
            faults.same((name, "is https"), &url.scheme(), &"https");
            faults.same(
                (name, "has no query or fragment"),
                &(url.query(), url.fragment()),
                &(None, None),
            );
        }
    }
    for (name, value) in aliases {
        let url = value.as_str().expect("text");
        faults.same((name, "alias"), &url.starts_with("https://"), &true);
        faults.same(
            (name, "stands outside too"),
            &document.get(name).is_some(),
            &true,
        );
        faults.same((name, "is elsewhere"), &(document[name] != *value), &true);
    }
    faults.same(
        "a browser's",
        &aliases.contains_key("authorization_endpoint"),
        &false,
    );
    for locale in list(ground, "ui_locales_supported") {
        let (language, region) = locale.split_once('-').unwrap_or((locale, "CN"));
        let canonical = language.chars().all(|c| c.is_ascii_lowercase())
            && region.chars().all(|c| c.is_ascii_uppercase());
        faults.same((locale, "2.5"), &canonical, &true);
    }
    for (name, value) in [
        ("id_token_signing_alg_values_supported", "RS256"),
        ("scopes_supported", "openid"),
        ("response_types_supported", "code"),
        ("response_types_supported", "id_token"),
        ("response_types_supported", "id_token token"),
        ("grant_types_supported", "authorization_code"),
        ("grant_types_supported", "implicit"),
        ("grant_types_supported", "refresh_token"),
        ("subject_types_supported", "public"),
        ("code_challenge_methods_supported", "S256"),
    ] {
        faults.same((name, value), &list(ground, name).contains(&value), &true);
    }
    faults.same(
        "plain",
        &list(ground, "code_challenge_methods_supported").contains(&"plain"),
        &false,
    );
    faults.none();
}

/// Each endpoint is there, by the method of its specification.
#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_answers() {
    let ground = ground().await;
    let program = ground.program();
    let mut faults = Faults::default();
    for (name, value) in ground.metadata.as_object().expect("an object") {
        if !(name.ends_with("_endpoint") || name.ends_with("_uri") || name.ends_with("_iframe")) {
            continue;
        }
        let url = value.as_str().expect("text");
        let (method, due) = match &**name {
            "authorization_endpoint" => (Method::GET, 400),
            "end_session_endpoint" => (Method::GET, 303),
            "jwks_uri" | "check_session_iframe" => (Method::GET, 200),
            "userinfo_endpoint" => (Method::GET, 401),
            "token_endpoint"
            | "pushed_authorization_request_endpoint"
            | "revocation_endpoint"
            | "introspection_endpoint"
            | "device_authorization_endpoint" => (Method::POST, 401),
            "registration_endpoint" | "federation_registration_endpoint" => (Method::POST, 400),
            other => panic!("{other} is promised, and nobody knows how to ask it"),
        };
        let request = program.request(method.clone(), url);
        let request = match (&method, &**name) {
            (&Method::GET, _) => request,
            (_, "registration_endpoint") => request.json(&json!({})),
            _ => request.form(&[("x", "y")]),
        };
        let answer = program.send(request).await;
        faults.same(name, &answer.status.as_u16(), &due);
        if method == Method::POST {
            faults.same(name, &(refused(&answer).0), &due);
        }
    }
    faults.none();
}

/// Every response type by every mode: what the specifications let go together does, and what they do not is refused.
#[tokio::test(flavor = "multi_thread")]
async fn types_and_modes_work() {
    let ground = ground().await;
    let mut faults = Faults::default();
    for kind in list(ground, "response_types_supported") {
        let client = Client::for_type(ground, kind).await;
        client
            .ask(ground, &ground.citizen, &[("response_type", kind)])
            .await;
        for mode in list(ground, "response_modes_supported") {
            let more = [("response_type", kind), ("response_mode", mode)];
            let told = client.ask(ground, &ground.citizen, &more).await;
            let signed = told.has("response");
            faults.same((kind, mode), &signed, &mode.contains("jwt"));
            if kind != "code" && mode.starts_with("query") {
                faults.same((kind, mode), &told.place, &Place::Fragment);
                continue;
            }
            let place = match (mode, kind) {
                ("query" | "query.jwt", _) | ("jwt", "code") => Place::Query,
                ("form_post" | "form_post.jwt", _) => Place::Form,
                _ => Place::Fragment,
            };
            faults.same((kind, mode), &told.place, &place);
            let good = signed || told.has("code") || told.has("id_token");
            faults.same((kind, mode), &good, &true);
        }
    }
    faults.none();
}

/// Every promised grant is known to the token endpoint.
#[tokio::test(flavor = "multi_thread")]
async fn grants_work() {
    let ground = ground().await;
    let client = Client::open(ground).await;
    for grant in list(ground, "grant_types_supported") {
        if grant == "implicit" {
            continue; // of the authorization endpoint
        }
        let answer = client
            .post(ground, "token_endpoint", &[("grant_type", grant)])
            .await;
        let (status, error) = refused(&answer);
        assert_eq!(status, 400);
        assert_ne!(error, "unsupported_grant_type", "{grant}");
    }
}

/// Scopes, subjects, prompts, languages.
#[tokio::test(flavor = "multi_thread")]
async fn the_other_lists_are_true() {
    let ground = ground().await;
    let client = Client::lab_one();
    // A scope means something where it is asked for with its resource; nothing promised is an unknown word.
    for scope in list(ground, "scopes_supported") {
        let resource = match scope.split_once('.') {
            Some(("records", _)) => "https://records.hefu.test/",
            Some(("pension", _)) => "https://pension.hefu.test/",
            _ => ground.issuer(),
        };
        let asked = format!("openid {scope}");
        let more = [("scope", &*asked), ("resource", resource)];
        let told = client.begin(ground, &ground.citizen, &more).await;
        assert!(
            told.has("code") || told.place == Place::Asks,
            "{scope}: {told:?}"
        );
    }
    for kind in list(ground, "subject_types_supported") {
        let client = Client::with(ground, json!({"subject_type": kind})).await;
        client.tokens(ground, &[]).await;
    }
    let prompts: BTreeSet<&str> = list(ground, "prompt_values_supported")
        .into_iter()
        .collect();
    let known = ["none", "login", "consent", "select_account", "create"];
    assert_eq!(prompts, known.into_iter().collect(), "what `prompts` tries");
    for locale in list(ground, "ui_locales_supported") {
        let nobody = ground.lab.browser();
        let told = client
            .begin(ground, &nobody, &[("ui_locales", locale)])
            .await;
        assert_eq!(told.asks(), "login-form");
        assert!(
            told.answer.body.contains(&format!("lang=\"{locale}\"")),
            "{locale}"
        );
    }
}

/// What is not promised is not taken.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_works_that_is_not_promised() {
    let ground = ground().await;
    let mut faults = Faults::default();
    let promised = |name: &str, value: &str| list(ground, name).contains(&value);
    for (member, name, values) in [
        (
            "id_token_signed_response_alg",
            "id_token_signing_alg_values_supported",
            &[
                "none", "HS256", "RS384", "RS512", "PS512", "ES384", "ES512", "ES256K",
            ][..],
        ),
        (
            "token_endpoint_auth_method",
            "token_endpoint_auth_methods_supported",
            &["attest_jwt_client_auth", "bearer"],
        ),
        ("subject_type", "subject_types_supported", &["Public"]),
    ] {
        for value in values {
            let metadata = json!({"redirect_uris": [REDIRECT_URI], member: value});
            let answer = register(ground, &metadata).await;
            faults.same(
                (member, value),
                &(answer.status == 201),
                &promised(name, value),
            );
        }
    }
    let client = Client::open(ground).await;
    for grant in [
        "password",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "urn:openid:params:grant-type:ciba",
    ] {
        let answer = client
            .post(ground, "token_endpoint", &[("grant_type", grant)])
            .await;
        let unknown = refused(&answer).1 == "unsupported_grant_type";
        faults.same(grant, &!unknown, &promised("grant_types_supported", grant));
    }
    for kind in ["token", "none", "code none"] {
        let told = client
            .begin(ground, &ground.citizen, &[("response_type", kind)])
            .await;
        faults.same(kind, &told.refusal().1, &"unsupported_response_type");
    }
    for path in [
        "/backchannel-authentication",
        "/bc-authorize",
        "/federation_registration",
        "/ciba",
    ] {
        let answer = ground
            .program()
            .get(&format!("{}{path}", ground.issuer()))
            .await;
        faults.same(path, &answer.status.as_u16(), &404);
    }
    faults.none();
    let nowhere = format!("{}/nowhere", ground.issuer());
    assert_eq!(ground.program().get(&nowhere).await.status, 404);
}
