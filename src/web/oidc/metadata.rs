//! What this provider says of itself: discovery (OIDC Discovery 1.0 §3, RFC 8414) and its keys. Promised is only what works.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::{check_session, federation_registration, promises, register};
use crate::client::ISSUED;
use crate::config::provider::{Mtls, Registration};
use crate::crypto::Purpose;
use crate::jose::JwkSet;
use crate::oauth::{Algorithm, ContentEncryption, KeyManagement, MacAlgorithm};
use crate::provider::acr::Level;
use crate::provider::claims::{FULL_NUMBER, SCOPES};
use crate::provider::dpop;
use crate::provider::request::ResponseMode;
use crate::web::provider_house::{Provider, ProviderHouse};

/// Where the keys of tokens are published.
pub const JWKS_PATH: &str = "/jwks";
/// Caches may keep what changes with a key rotation that is announced long before.
const CACHE: &str = "public, max-age=300";

pub(super) async fn discovery(State(provider): State<Provider>) -> Response {
    cached("application/json", &Value::Object(metadata(&provider)))
}

pub(super) async fn jwks(State(provider): State<Provider>) -> Response {
    let signer = &provider.house.signer;
    let keys: Vec<Value> = [Purpose::IdToken, Purpose::Encryption]
        .iter()
        .filter_map(|purpose| signer.published(*purpose).get("keys")?.as_array().cloned())
        .flatten()
        .collect();
    cached("application/jwk-set+json", &json!({ "keys": keys }))
}

/// The provider's metadata: the discovery document, and `openid_provider` in its entity configuration.
pub fn metadata(provider: &ProviderHouse) -> Map<String, Value> {
    let house = &provider.house;
    let url = |path: &str| house.url(path);
    let issued: Vec<&str> = ISSUED.iter().map(|a| a.as_str()).collect();
    let accepted: Vec<&str> = Algorithm::ALL.iter().map(|a| a.as_str()).collect();
    // HMAC under the client's secret, for `client_secret_jwt` alone.
    let proofs: Vec<&str> = accepted
        .iter()
        .copied()
        .chain(MacAlgorithm::ALL.iter().map(|a| a.as_str()))
        .collect();
    let mut methods = vec![
        "private_key_jwt",
        "client_secret_jwt",
        "client_secret_basic",
        "client_secret_post",
        "none",
    ];
    if provider.settings.mtls.is_some() {
        methods.push("self_signed_tls_client_auth");
        methods.extend(provider.authorities.as_ref().map(|_| "tls_client_auth"));
    }
    let mut claims: Vec<&str> = SCOPES
        .iter()
        .flat_map(|(_, claims)| claims.iter().copied())
        .collect();
    claims.extend([
        "sub",
        "iss",
        "aud",
        "exp",
        "iat",
        "auth_time",
        "nonce",
        "acr",
        "amr",
        "sid",
    ]);
    claims.extend(
        provider
            .settings
            .marks
            .real_name_full
            .as_ref()
            .map(|_| FULL_NUMBER),
    );
    claims.sort_unstable();
    claims.dedup();
    let acr: Vec<String> = Level::ALL
        .iter()
        .map(|l| l.acr(&provider.settings.acr_base))
        .collect();
    let scopes: Vec<&str> = SCOPES.iter().map(|(name, _)| *name).collect();
    let response_types: Vec<String> = provider
        .settings
        .response_types
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut grant_types = vec!["authorization_code", "refresh_token"];
    // OIDC Registration 2: `implicit` goes with every type that hands out a token here.
    if provider
        .settings
        .response_types
        .iter()
        .any(|t| t.is_front())
    {
        grant_types.push("implicit");
    }
    let mut registration_types = vec!["automatic"];
    if provider.settings.explicit_registration {
        registration_types.push("explicit");
    }
    let mut value = json!({
        "issuer": &*house.id,
        "authorization_endpoint": url("/authorize"),
        "token_endpoint": url("/token"),
        "userinfo_endpoint": url("/userinfo"),
        "jwks_uri": url(JWKS_PATH),
        "pushed_authorization_request_endpoint": url("/par"),
        "end_session_endpoint": url("/logout"),
        "scopes_supported": scopes,
        "response_types_supported": response_types,
        "response_modes_supported": ResponseMode::NAMES,
        "grant_types_supported": grant_types,
        "authorization_signing_alg_values_supported": issued,
        "acr_values_supported": acr,
        "subject_types_supported": ["pairwise", "public"],
        "id_token_signing_alg_values_supported": issued,
        "userinfo_signing_alg_values_supported": issued,
        "request_object_signing_alg_values_supported": accepted,
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": proofs,
        "claim_types_supported": ["normal"],
        "claims_supported": claims,
        "claims_parameter_supported": true,
        "request_parameter_supported": true,
        "request_uri_parameter_supported": provider.settings.request_uri,
        "authorization_response_iss_parameter_supported": true,
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": dpop::ALGORITHMS.map(Algorithm::as_str),
        "prompt_values_supported": ["none", "login", "consent", "select_account", "create"],
        "ui_locales_supported": ["zh-CN", "en"],
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
        // Federation 1.0 §5.1.3.
        "client_registration_types_supported": registration_types,
        "request_authentication_methods_supported": {
            "authorization_endpoint": ["request_object"],
            "pushed_authorization_request_endpoint": ["request_object", "private_key_jwt"],
        },
        "request_authentication_signing_alg_values_supported": accepted,
    });
    if provider.settings.request_uri {
        value["require_request_uri_registration"] =
            provider.settings.require_request_uri_registration.into();
    }
    if provider.settings.explicit_registration {
        value["federation_registration_endpoint"] = url(federation_registration::PATH).into();
    }
    if provider.settings.registration != Registration::Off {
        value["registration_endpoint"] = url(register::PATH).into();
    }
    if provider.settings.session_management {
        value["check_session_iframe"] = url(check_session::PATH).into();
    }
    let mut said = match value {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    said.extend(encryption(provider));
    promises::add(provider, &mut said);
    if let Some(mtls) = &provider.settings.mtls {
        said.extend(of_certificates(provider, mtls));
    }
    said
}

/// RFC 8705 §3.3 and §5.
fn of_certificates(provider: &ProviderHouse, mtls: &Mtls) -> [(String, Value); 2] {
    let aliases: Map<String, Value> = super::for_certificates(&provider.settings)
        .map(|(name, path)| (name.to_owned(), mtls.alias(path).into()))
        .collect();
    [
        (
            "tls_client_certificate_bound_access_tokens".to_owned(),
            true.into(),
        ),
        ("mtls_endpoint_aliases".to_owned(), aliases.into()),
    ]
}

/// What is encrypted to clients, to a key or under the secret, and what they may encrypt to the keys that are published here.
fn encryption(provider: &ProviderHouse) -> Map<String, Value> {
    let house = &provider.house;
    let ours = house.signer.published(Purpose::Encryption);
    let ours = JwkSet::parse_lenient(&ours).unwrap_or_default();
    let to_clients = KeyManagement::ALL.to_vec();
    let mut to_us = KeyManagement::PUBLIC.to_vec();
    to_us.retain(|alg| ours.for_encryption(*alg).is_some());
    let mut out = Map::new();
    for (what, algorithms) in [
        ("id_token", &to_clients),
        ("userinfo", &to_clients),
        ("authorization", &to_clients),
        ("request_object", &to_us),
    ] {
        // RFC 8414 §3.2: nothing is said with an empty list.
        if !algorithms.is_empty() {
            out.insert(
                format!("{what}_encryption_alg_values_supported"),
                json!(algorithms),
            );
            out.insert(
                format!("{what}_encryption_enc_values_supported"),
                json!(ContentEncryption::ALL),
            );
        }
    }
    out
}

pub(super) fn cached(content_type: &'static str, body: &Value) -> Response {
    let mut answer = (StatusCode::OK, body.to_string()).into_response();
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, CACHE),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}
