//! What a client that registers itself may say (OIDC Dynamic Client Registration 1.0 §2, RFC 7591 §2, and the specifications that add
//! members), member by member. `accept` turns a stranger's JSON into metadata that can be kept, echoed and read by `Client::parse`:
//! what nobody knows is left out, what the provider does not offer is refused, what was left out has its default. Offered is what the
//! discovery document says, nothing else. What needs the network (`sector_identifier_uri`) is checked in `provider::registration`.

mod members;

use serde_json::{Map, Value, json};
use url::Url;

use super::metadata::are_direct;
use super::{Client, MetadataError, Platform, Profile};
use crate::id::ClientId;
use crate::oauth::{Error, ErrorCode, ResponseType, Scope};

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
        let Some(form) = members::form_of(name) else {
            continue;
        };
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

/// OIDC Registration 2, RFC 7591 §2.1: what is asked for at the authorization endpoint and what is done at the token endpoint agree.
/// Who names no grants gets those that go with its responses.
fn fit_grants_and_responses(kept: &mut Map<String, Value>, offer: Offer<'_>) -> Result<(), Error> {
    let list = |kept: &Map<String, Value>, name: &str| -> Option<Vec<String>> {
        let items = kept.get(name)?.as_array()?;
        let text = |v: &Value| v.as_str().map(str::to_owned);
        items.iter().map(text).collect()
    };
    // RFC 7591 §2.1: grants that begin elsewhere have no response.
    let direct = list(kept, "grant_types")
        .is_some_and(|grants| are_direct(grants.iter().map(String::as_str)));
    let named = list(kept, "response_types").unwrap_or_else(|| {
        let usual = (!direct).then(|| "code".to_owned());
        usual.into_iter().collect()
    });
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
    // OIDC Registration 5: a sector is proven by its list of redirect URIs. Who has none could take part in anybody's.
    if kept.contains_key("sector_identifier_uri") && redirect_uris.is_none_or(Vec::is_empty) {
        return Err(invalid("sector_identifier_uri needs redirect_uris"));
    }
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
mod tests;
