//! The members that are known, each with the form that its specification gives it.

use serde_json::Value;
use url::Url;

use super::Offer;
use crate::client::metadata::{check_redirect_uri, is_safe};

/// The most items of a list.
const MOST_ITEMS: usize = 64;
/// The longest text, in bytes.
const LONGEST_TEXT: usize = 2048;
/// The longest name, in characters.
const MOST_LETTERS: usize = 200;

/// What a member must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Text,
    Texts,
    Flag,
    Number,
    /// A JWK Set; read by `Client::parse`.
    Keys,
    /// Words for people, also with a language tag (`client_name#ja`).
    Words,
    /// A page for people, also with a language tag: http or https.
    Page,
    /// An address that we or a browser of ours will go to: https, no fragment.
    Address,
    /// Where browsers are sent back to.
    ReturnAddresses,
    /// One of what the discovery document lists under this name.
    OneOf(&'static str),
    /// The same, for each item.
    AllOf(&'static str),
    /// A demand that the provider can only meet when its discovery document has this member, and not `false`.
    Demand(&'static str),
}

use Form::{
    Address, AllOf, Demand, Flag, Keys, Number, OneOf, Page, ReturnAddresses, Text, Texts, Words,
};

const MEMBERS: &[(&str, Form)] = &[
    // OIDC Registration 2
    ("redirect_uris", Texts),
    ("response_types", Texts),
    ("grant_types", AllOf("grant_types_supported")),
    ("application_type", Text),
    ("contacts", Texts),
    ("client_name", Words),
    ("logo_uri", Page),
    ("client_uri", Page),
    ("policy_uri", Page),
    ("tos_uri", Page),
    ("jwks_uri", Address),
    ("jwks", Keys),
    ("sector_identifier_uri", Address),
    ("subject_type", OneOf("subject_types_supported")),
    (
        "id_token_signed_response_alg",
        OneOf("id_token_signing_alg_values_supported"),
    ),
    (
        "id_token_encrypted_response_alg",
        OneOf("id_token_encryption_alg_values_supported"),
    ),
    (
        "id_token_encrypted_response_enc",
        OneOf("id_token_encryption_enc_values_supported"),
    ),
    (
        "userinfo_signed_response_alg",
        OneOf("userinfo_signing_alg_values_supported"),
    ),
    (
        "userinfo_encrypted_response_alg",
        OneOf("userinfo_encryption_alg_values_supported"),
    ),
    (
        "userinfo_encrypted_response_enc",
        OneOf("userinfo_encryption_enc_values_supported"),
    ),
    (
        "request_object_signing_alg",
        OneOf("request_object_signing_alg_values_supported"),
    ),
    (
        "request_object_encryption_alg",
        OneOf("request_object_encryption_alg_values_supported"),
    ),
    (
        "request_object_encryption_enc",
        OneOf("request_object_encryption_enc_values_supported"),
    ),
    (
        "token_endpoint_auth_method",
        OneOf("token_endpoint_auth_methods_supported"),
    ),
    (
        "token_endpoint_auth_signing_alg",
        OneOf("token_endpoint_auth_signing_alg_values_supported"),
    ),
    ("default_max_age", Number),
    ("require_auth_time", Flag),
    ("default_acr_values", Texts),
    ("initiate_login_uri", Address),
    ("request_uris", Texts),
    // RFC 7591 §2
    ("scope", Text),
    ("software_id", Text),
    ("software_version", Text),
    // The logout specifications, each §2 or §3.1
    ("post_logout_redirect_uris", ReturnAddresses),
    ("backchannel_logout_uri", Address),
    ("backchannel_logout_session_required", Flag),
    ("frontchannel_logout_uri", Address),
    ("frontchannel_logout_session_required", Flag),
    // RFC 9126 §6, RFC 9101 §10.5
    ("require_pushed_authorization_requests", Flag),
    ("require_signed_request_object", Flag),
    // JARM §3
    (
        "authorization_signed_response_alg",
        OneOf("authorization_signing_alg_values_supported"),
    ),
    (
        "authorization_encrypted_response_alg",
        OneOf("authorization_encryption_alg_values_supported"),
    ),
    (
        "authorization_encrypted_response_enc",
        OneOf("authorization_encryption_enc_values_supported"),
    ),
    // RFC 9701 §6
    (
        "introspection_signed_response_alg",
        OneOf("introspection_signing_alg_values_supported"),
    ),
    (
        "introspection_encrypted_response_alg",
        OneOf("introspection_encryption_alg_values_supported"),
    ),
    (
        "introspection_encrypted_response_enc",
        OneOf("introspection_encryption_enc_values_supported"),
    ),
    // RFC 8705 §2.1.2, §3.4
    ("tls_client_auth_subject_dn", Text),
    ("tls_client_auth_san_dns", Text),
    ("tls_client_auth_san_uri", Text),
    ("tls_client_auth_san_ip", Text),
    ("tls_client_auth_san_email", Text),
    (
        "tls_client_certificate_bound_access_tokens",
        Demand("tls_client_certificate_bound_access_tokens"),
    ),
    // RFC 9449 §5.2
    (
        "dpop_bound_access_tokens",
        Demand("dpop_signing_alg_values_supported"),
    ),
    // RFC 9396 §10
    (
        "authorization_details_types",
        AllOf("authorization_details_types_supported"),
    ),
    // CIBA §4
    (
        "backchannel_token_delivery_mode",
        OneOf("backchannel_token_delivery_modes_supported"),
    ),
    ("backchannel_client_notification_endpoint", Address),
    (
        "backchannel_authentication_request_signing_alg",
        OneOf("backchannel_authentication_request_signing_alg_values_supported"),
    ),
    (
        "backchannel_user_code_parameter",
        Demand("backchannel_user_code_parameter_supported"),
    ),
    // Ours; both only make the client's own rules stricter.
    ("hefu_profile", Text),
    ("hefu_acr_required", Flag),
];

pub(super) fn form_of(name: &str) -> Option<Form> {
    let known = |name: &str| MEMBERS.iter().find(|(n, _)| *n == name).map(|(_, f)| *f);
    match name.split_once('#') {
        None => known(name),
        // OIDC Registration 2.1: a BCP 47 tag, on what people read.
        Some((name, tag)) => known(name)
            .filter(|form| matches!(form, Words | Page))
            .filter(|_| {
                (1..=35).contains(&tag.len())
                    && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            }),
    }
}

impl Form {
    pub(super) fn fits(self, value: &Value, offer: Offer<'_>) -> bool {
        let offered = |list: &str, wanted: &str| {
            let list = offer.discovery.get(list).and_then(Value::as_array);
            list.is_some_and(|list| list.iter().any(|v| v.as_str() == Some(wanted)))
        };
        let address = |text: &str| {
            Url::parse(text)
                .is_ok_and(|url| is_safe(&url, offer.plain_http) && url.fragment().is_none())
        };
        let page = |text: &str| {
            Url::parse(text)
                .is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
        };
        match self {
            Self::Flag => value.is_boolean(),
            Self::Number => value.is_u64(),
            Self::Keys => value.is_object(),
            Self::Demand(member) => match value {
                Value::Bool(false) => true,
                Value::Bool(true) => offer
                    .discovery
                    .get(member)
                    .is_some_and(|offered| *offered != Value::Bool(false)),
                _ => false,
            },
            Self::Text => text(value).is_some(),
            Self::Words => text(value).is_some_and(|words| words.chars().count() <= MOST_LETTERS),
            Self::Page => text(value).is_some_and(page),
            Self::Address => text(value).is_some_and(address),
            Self::OneOf(list) => text(value).is_some_and(|wanted| offered(list, wanted)),
            Self::Texts => texts(value).is_some(),
            Self::ReturnAddresses => texts(value).is_some_and(|all| {
                all.into_iter()
                    .all(|uri| check_redirect_uri(uri, true, offer.plain_http).is_ok())
            }),
            Self::AllOf(list) => {
                texts(value).is_some_and(|all| all.into_iter().all(|wanted| offered(list, wanted)))
            }
        }
    }
}

fn text(value: &Value) -> Option<&str> {
    value
        .as_str()
        .filter(|text| text.len() <= LONGEST_TEXT && !text.contains(char::is_control))
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    let items = value.as_array().filter(|list| list.len() <= MOST_ITEMS)?;
    items.iter().map(text).collect()
}
