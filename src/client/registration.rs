//! What a client that registers itself may say (OIDC Dynamic Client Registration 1.0 §2, RFC 7591 §2, and the specifications that add
//! members), member by member. `accept` turns a stranger's JSON into metadata that can be kept, echoed and read by `Client::parse`:
//! what nobody knows is left out, what the provider does not offer is refused, what was left out has its default. Offered is what the
//! discovery document says, nothing else. What needs the network (`sector_identifier_uri`) is checked in `provider::registration`.

use serde_json::{Map, Value, json};
use url::Url;

use super::metadata::{check_redirect_uri, is_safe};
use super::{Client, MetadataError, Platform, Profile};
use crate::id::ClientId;
use crate::oauth::{Error, ErrorCode, ResponseType, Scope};

/// The most items of a list.
const MOST_ITEMS: usize = 64;
/// The longest text, in bytes.
const LONGEST_TEXT: usize = 2048;
/// The longest name, in characters.
const MOST_LETTERS: usize = 200;

/// What a member must be.
#[derive(Clone, Copy, Debug)]
enum Form {
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

/// What the provider lets clients have that register themselves.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The discovery document.
    pub discovery: &'a Map<String, Value>,
    /// The scopes that such a client may ever be given.
    pub scope: &'a Scope,
    pub plain_http: bool,
}

/// The metadata that are kept and echoed for what was `sent`, or the refusal (RFC 7591 §3.2.2).
pub fn accept(sent: &Map<String, Value>, offer: Offer<'_>) -> Result<Map<String, Value>, Error> {
    if sent.contains_key("software_statement") {
        // RFC 7591 §3.2.2: nobody is trusted here to issue them, and what they say must not be dropped silently.
        return Err(Error::new(
            ErrorCode::UnapprovedSoftwareStatement,
            "software statements are not accepted here",
        ));
    }
    let mut kept = Map::new();
    for (name, value) in sent {
        // RFC 7592 §2.2: null and empty say nothing.
        if value.is_null() || value.as_str() == Some("") {
            continue;
        }
        // RFC 7591 §2: members that are not understood are ignored.
        let Some(form) = form_of(name) else { continue };
        if !form.fits(value, offer) {
            return Err(invalid(format!(
                "{name} has a wrong type, or a value that is not supported"
            )));
        }
        kept.insert(name.clone(), value.clone());
    }
    fit_grants_and_responses(&mut kept, offer)?;
    fit_scope(&mut kept, offer)?;
    fit_encryption(&mut kept)?;
    fit_redirect_uris(&kept)?;
    fill_defaults(&mut kept);
    // The same reader that will make a client of it at every login.
    let id = ClientId(String::new());
    Profile::of(&kept)
        .and_then(|profile| {
            let (secret, nobody) = (Some([0; 32]), Platform::unvouched(""));
            Client::parse(id, profile, &kept, secret, nobody, offer.plain_http)
        })
        .map_err(told)?;
    Ok(kept)
}

fn form_of(name: &str) -> Option<Form> {
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
    fn fits(self, value: &Value, offer: Offer<'_>) -> bool {
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

/// OIDC Registration 2, RFC 7591 §2.1: what is asked for at the authorization endpoint and what is done at the token endpoint agree.
/// Who names no grants gets those that go with its responses.
fn fit_grants_and_responses(kept: &mut Map<String, Value>, offer: Offer<'_>) -> Result<(), Error> {
    let list = |kept: &Map<String, Value>, name: &str| -> Option<Vec<String>> {
        let items = kept.get(name)?.as_array()?;
        let text = |v: &Value| v.as_str().map(str::to_owned);
        items.iter().map(text).collect()
    };
    let named = list(kept, "response_types").unwrap_or_else(|| vec!["code".to_owned()]);
    let offered: Vec<ResponseType> = offer
        .discovery
        .get("response_types_supported")
        .and_then(Value::as_array)
        .map(|list| {
            let parse = |v: &Value| ResponseType::parse(v.as_str()?);
            list.iter().filter_map(parse).collect()
        })
        .unwrap_or_default();
    let responses: Vec<ResponseType> = named
        .iter()
        .map(|name| ResponseType::parse(name).filter(|t| offered.contains(t)))
        .collect::<Option<_>>()
        .ok_or_else(|| invalid("response_types holds one that is not supported"))?;
    let code = responses.iter().any(|t| t.code);
    let front = responses.iter().any(|t| t.is_front());
    let needed = [(code, "authorization_code"), (front, "implicit")];
    let grants = list(kept, "grant_types").unwrap_or_else(|| {
        let needed = needed.iter().filter(|(needed, _)| *needed);
        needed.map(|(_, grant)| (*grant).to_owned()).collect()
    });
    for (needed, grant) in needed {
        if needed != grants.iter().any(|g| g == grant) {
            return Err(invalid(format!(
                "response_types and grant_types do not fit together ({grant})"
            )));
        }
    }
    if front && kept.get("application_type").and_then(Value::as_str) != Some("native") {
        // OIDC Registration 2, application_type.
        let local =
            |uri: &String| Url::parse(uri).is_ok_and(|url| url.host_str() == Some("localhost"));
        if list(kept, "redirect_uris").is_some_and(|uris| uris.iter().any(local)) {
            return Err(Error::new(
                ErrorCode::InvalidRedirectUri,
                "a web client that takes tokens from the authorization endpoint has no localhost address",
            ));
        }
    }
    kept.insert("response_types".to_owned(), named.into());
    kept.insert("grant_types".to_owned(), grants.into());
    Ok(())
}

/// Of the scopes asked for, those that such a client may have; all of these when it asks for none.
fn fit_scope(kept: &mut Map<String, Value>, offer: Offer<'_>) -> Result<(), Error> {
    let scope = match kept.get("scope").and_then(Value::as_str) {
        None => offer.scope.clone(),
        Some(text) => Scope::parse(text)
            .ok_or_else(|| invalid("scope holds a character that is not allowed"))?
            .filtered(|name| offer.scope.contains(name)),
    };
    kept.insert("scope".to_owned(), scope.to_string().into());
    Ok(())
}

/// OIDC Registration 2: an `enc` needs its `alg`; without `enc` it is A128CBC-HS256.
fn fit_encryption(kept: &mut Map<String, Value>) -> Result<(), Error> {
    for (alg, enc) in [
        (
            "id_token_encrypted_response_alg",
            "id_token_encrypted_response_enc",
        ),
        (
            "userinfo_encrypted_response_alg",
            "userinfo_encrypted_response_enc",
        ),
        (
            "request_object_encryption_alg",
            "request_object_encryption_enc",
        ),
        (
            "authorization_encrypted_response_alg",
            "authorization_encrypted_response_enc",
        ),
        (
            "introspection_encrypted_response_alg",
            "introspection_encrypted_response_enc",
        ),
    ] {
        match (kept.contains_key(alg), kept.contains_key(enc)) {
            (false, true) => return Err(invalid(format!("{enc} is of no use without {alg}"))),
            (true, false) => {
                kept.insert(enc.to_owned(), "A128CBC-HS256".into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// What hangs on the redirect URIs beside their own form.
fn fit_redirect_uris(kept: &Map<String, Value>) -> Result<(), Error> {
    if !matches!(
        kept.get("application_type").and_then(Value::as_str),
        None | Some("web" | "native")
    ) {
        return Err(invalid("application_type is web or native"));
    }
    // OIDC Front-Channel Logout 1.0 §2: scheme, host and port of a redirect URI.
    let front = kept.get("frontchannel_logout_uri").and_then(Value::as_str);
    let origin = |uri: &str| Url::parse(uri).map(|url| url.origin()).ok();
    let redirect_uris = kept.get("redirect_uris").and_then(Value::as_array);
    if let Some(front) = front {
        let mut origins = redirect_uris
            .into_iter()
            .flatten()
            .filter_map(|uri| origin(uri.as_str()?));
        let wanted = origin(front);
        if !origins.any(|o| Some(o) == wanted) {
            return Err(invalid(
                "frontchannel_logout_uri has another scheme, host or port than the redirect URIs",
            ));
        }
    }
    Ok(())
}

fn fill_defaults(kept: &mut Map<String, Value>) {
    let fapi = kept.get("hefu_profile").and_then(Value::as_str) == Some("fapi2");
    for (name, value) in [
        ("application_type", json!("web")),
        ("subject_type", json!("pairwise")),
        ("require_auth_time", json!(false)),
    ] {
        kept.entry(name).or_insert(value);
    }
    if !fapi {
        // OIDC Registration 2.
        for (name, value) in [
            ("token_endpoint_auth_method", "client_secret_basic"),
            ("id_token_signed_response_alg", "RS256"),
        ] {
            kept.entry(name).or_insert(value.into());
        }
    }
}

/// RFC 7591 §3.2.2.
fn told(error: MetadataError) -> Error {
    match error {
        MetadataError::RedirectUri(_)
        | MetadataError::Missing("redirect_uris")
        | MetadataError::Value("redirect_uris") => {
            Error::new(ErrorCode::InvalidRedirectUri, error.to_string())
        }
        other => invalid(other.to_string()),
    }
}

fn invalid(description: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorCode::InvalidClientMetadata, description)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A provider that offers everything.
    fn discovery() -> Map<String, Value> {
        let discovery = json!({
            "response_types_supported": ["code", "id_token", "code id_token token"],
            "grant_types_supported": ["authorization_code", "implicit", "refresh_token"],
            "subject_types_supported": ["pairwise", "public"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt", "none"],
            "token_endpoint_auth_signing_alg_values_supported": ["PS256"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "id_token_encryption_alg_values_supported": ["RSA-OAEP"],
            "id_token_encryption_enc_values_supported": ["A128CBC-HS256"],
            "dpop_signing_alg_values_supported": ["ES256"],
            "tls_client_certificate_bound_access_tokens": false,
            "backchannel_token_delivery_modes_supported": ["poll"],
        });
        discovery.as_object().unwrap().clone()
    }

    fn accepted(changes: &Value) -> Result<Map<String, Value>, Error> {
        let scope = Scope::parse("openid email").unwrap();
        let mut sent = json!({"redirect_uris": ["https://rp.example/cb"]});
        for (name, value) in changes.as_object().unwrap() {
            sent[name] = value.clone();
        }
        let offer = Offer {
            discovery: &discovery(),
            scope: &scope,
            plain_http: false,
        };
        accept(sent.as_object().unwrap(), offer)
    }

    #[test]
    fn what_is_offered_may_be_had_and_nothing_else() {
        for (changes, taken) in [
            (json!({"dpop_bound_access_tokens": true}), true),
            (json!({"dpop_bound_access_tokens": "true"}), false),
            (
                json!({"tls_client_certificate_bound_access_tokens": true}),
                false,
            ),
            (
                json!({"tls_client_certificate_bound_access_tokens": false}),
                true,
            ),
            (json!({"backchannel_user_code_parameter": true}), false),
            (json!({"id_token_encrypted_response_alg": "RSA-OAEP"}), true),
            (json!({"id_token_encrypted_response_alg": "RSA1_5"}), false),
            (
                json!({"userinfo_encrypted_response_alg": "RSA-OAEP"}),
                false,
            ),
            (json!({"userinfo_signed_response_alg": "RS256"}), false),
            (json!({"backchannel_token_delivery_mode": "poll"}), true),
            (json!({"backchannel_token_delivery_mode": "push"}), false),
            (
                json!({"token_endpoint_auth_method": "client_secret_post"}),
                false,
            ),
            (json!({"authorization_details_types": ["payment"]}), false),
            (json!({"subject_type": "public"}), true),
        ] {
            let answer = accepted(&changes);
            assert_eq!(answer.is_ok(), taken, "{changes}: {answer:?}");
            if let Ok(kept) = answer {
                for (name, value) in changes.as_object().unwrap() {
                    assert_eq!(kept.get(name), Some(value));
                }
            }
        }
        let kept = accepted(&json!({"id_token_encrypted_response_alg": "RSA-OAEP"})).unwrap();
        assert_eq!(kept["id_token_encrypted_response_enc"], "A128CBC-HS256");
    }

    #[test]
    fn grants_follow_responses() {
        for (changes, grants) in [
            (json!({}), Some(json!(["authorization_code"]))),
            (
                json!({"response_types": ["id_token"]}),
                Some(json!(["implicit"])),
            ),
            (
                json!({"response_types": ["token id_token code"]}),
                Some(json!(["authorization_code", "implicit"])),
            ),
            (
                json!({"response_types": ["code", "id_token"], "grant_types": ["implicit", "authorization_code", "refresh_token"]}),
                Some(json!(["implicit", "authorization_code", "refresh_token"])),
            ),
            (
                json!({"response_types": ["id_token"], "grant_types": ["authorization_code"]}),
                None,
            ),
            (
                json!({"response_types": ["code id_token token"], "grant_types": ["authorization_code"]}),
                None,
            ),
            (json!({"grant_types": ["implicit"]}), None),
            (json!({"response_types": ["id_token token"]}), None),
        ] {
            let kept = accepted(&changes).ok();
            let found = kept.map(|kept| kept["grant_types"].clone());
            assert_eq!(found, grants, "{changes}");
        }
        let local =
            json!({"response_types": ["id_token"], "redirect_uris": ["https://localhost/cb"]});
        let refused = accepted(&local).unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidRedirectUri);
    }

    #[test]
    fn scopes_are_those_that_may_be_had() {
        for (asked, kept) in [
            (json!(null), "email openid"),
            (json!("openid"), "openid"),
            (json!("openid real_name"), "openid"),
            (json!("real_name"), ""),
        ] {
            let found = accepted(&json!({"scope": asked})).unwrap();
            let mut names: Vec<&str> = found["scope"].as_str().unwrap().split(' ').collect();
            names.sort_unstable();
            assert_eq!(names.join(" "), kept, "{asked}");
        }
    }
}
