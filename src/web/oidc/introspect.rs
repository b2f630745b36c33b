//! `/introspect` (RFC 7662): what a token is worth, as JSON, or signed (RFC 9701) for those who ask for it, and
//! encrypted besides as they registered.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::read;
use super::token::{Authenticated, authenticate};
use crate::client::Client;
use crate::crypto::SignError;
use crate::oauth::Error;
use crate::provider::{encrypted, introspect};
use crate::web::error::{Fault, error_json, json_answer};
use crate::web::provider_house::{Provider, ProviderHouse};

/// RFC 9701 §5; the `typ` is the same without `application/`.
const SIGNED: &str = "application/token-introspection+jwt";
const TYP: &str = "token-introspection+jwt";

pub(super) async fn introspect(
    State(provider): State<Provider>,
    caller: Caller,
    body: Bytes,
) -> Response {
    handle(&provider, &caller, &body)
        .await
        .unwrap_or_else(|fault| provider.fault_json(&caller.headers, &fault))
}

async fn handle(provider: &ProviderHouse, caller: &Caller, body: &[u8]) -> Result<Response, Fault> {
    let house = &provider.house;
    let now = house.now();
    let sent = match read::form_once(&caller.headers, body) {
        Ok(sent) => sent,
        Err(error) => return Ok(error_json(&error)),
    };
    let Authenticated {
        client,
        assertion,
        by_header,
    } = match authenticate(provider, caller, &sent, None).await? {
        Ok(authenticated) => authenticated,
        Err(refusal) => return Ok(refusal),
    };
    // RFC 7662 §2.1: whoever asks is known; a public client could be anybody.
    if client.is_public() {
        let error = Error::invalid_client("a public client may not introspect");
        return Ok(read::refused(&error, by_header));
    }
    let Some(token) = sent.get("token") else {
        let error = Error::invalid_request("token is missing");
        return Ok(read::refused(&error, by_header));
    };
    let signs = wants_signed(&caller.headers);
    let encryption = client.introspection_encryption.filter(|_| signs);
    // Asked before the assertion is used up: a client whose keys are put right comes again.
    let client = match provider.clients.with_key_for(client, encryption, now).await {
        Ok(client) => client,
        Err(error) => return Ok(read::refused(&error, by_header)),
    };
    let mut conn = house.store.read().await?;
    if let Some(mark) = assertion
        && !mark.mark(&mut conn).await?
    {
        let error = Error::invalid_client("the client assertion has been used before (jti)");
        return Ok(read::refused(&error, by_header));
    }
    let issuer = provider.issuer();
    let told =
        introspect::introspect(&mut conn, &issuer, &provider.settings, &client, token, now).await?;
    drop(conn);
    // RFC 7662 §2.2: nothing more is said of a token that is not active.
    let told = Value::Object(
        told.unwrap_or_else(|| Map::from_iter([("active".to_owned(), false.into())])),
    );
    if signs {
        let jwt = signed(provider, &client, &told).await?;
        // RFC 9701 §5: first signed, then encrypted.
        return Ok(
            match encrypted::nested(jwt, &client, encryption, &mut house.rng()) {
                Ok(jwt) => answer(jwt),
                Err(error) => read::refused(&error, by_header),
            },
        );
    }
    Ok(json_answer(StatusCode::OK, &told))
}

/// RFC 9701 §5: an answer to this client and no token of any other kind: `typ` of its own, neither `sub` nor `exp` outside.
async fn signed(
    provider: &ProviderHouse,
    client: &Client,
    told: &Value,
) -> Result<String, SignError> {
    let mut payload = Map::new();
    for (name, value) in [
        ("iss", json!(provider.issuer().id)),
        ("aud", json!(client.id)),
        ("iat", json!(provider.house.now())),
        ("token_introspection", told.clone()),
    ] {
        payload.insert(name.to_owned(), value);
    }
    provider
        .issuer()
        .sign(client.introspection_alg, TYP, payload)
        .await
}

fn answer(jwt: String) -> Response {
    let mut answer = Response::new(jwt.into());
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, SIGNED),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// RFC 9701 §4: the caller says so in `Accept`.
fn wants_signed(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|kind| kind.split(';').next())
        .any(|kind| kind.trim().eq_ignore_ascii_case(SIGNED))
}
