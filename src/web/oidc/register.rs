//! `/register` and each client's own address below it: dynamic registration (OIDC Registration 3, RFC 7591 §3) and its management
//! (RFC 7592 §2). There only where the configuration lets clients register themselves.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use super::metadata::metadata;
use super::read;
use crate::audit::{self, Event};
use crate::authn::throttle::{self, Limit, Pass};
use crate::client::registered::{self, Registered};
use crate::client::registration::{Offer, accept};
use crate::config::provider::Registration;
use crate::id::ClientId;
use crate::jose::json as strict;
use crate::oauth::{Error, ErrorCode};
use crate::provider::registration::{Office, Permit, bad_token, check_sector};
use crate::web::error::{Fault, error_json, json_answer};
use crate::web::provider_house::{Provider, ProviderHouse};
use crate::web::source::Source;

/// The registration endpoint.
pub(super) const PATH: &str = "/register";

/// The doors, where there are any.
pub(super) fn routes(provider: &ProviderHouse) -> Router<Provider> {
    if provider.settings.registration == Registration::Off {
        return Router::new();
    }
    Router::new()
        .route(PATH, post(register).fallback(read::wrong_method))
        .route(
            "/register/{client_id}",
            get(show).put(change).delete(remove),
        )
}

async fn register(
    State(provider): State<Provider>,
    source: Source,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    registered(&provider, source, &headers, &body)
        .await
        .unwrap_or_else(|fault| provider.fault_json(&headers, &fault))
}

async fn registered(
    provider: &ProviderHouse,
    source: Source,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Fault> {
    let house = &provider.house;
    let now = house.now();
    let token = bearer(headers);
    let permit = {
        let mut conn = house.store.read().await?;
        let limit = Limit {
            kind: "registration",
            tries: provider.settings.registrations_per_hour,
            seconds: 3600,
        };
        let source = source.counted();
        let pass = throttle::count(&mut conn, &*house.indexer, limit, &[&source], now).await?;
        if let Pass::Wait(seconds) = pass {
            return Ok(too_many(seconds));
        }
        Permit::of(&mut conn, &provider.settings, token, now).await?
    };
    let mut rng = house.rng();
    let Some(permit) = permit else {
        let refused = Event::refused("client.register").with("error", "invalid_token");
        let mut conn = house.store.read().await?;
        audit::record(&mut conn, &mut rng, now, &refused).await?;
        return Ok(unauthorized(token.is_some()));
    };
    let metadata = match accepted(provider, headers, body).await {
        Ok((_, metadata)) => metadata,
        Err(error) => return Ok(error_json(&error)),
    };
    let endpoint = house.url(PATH);
    let mut tx = house.store.write().await?;
    let told = office(provider, &endpoint)
        .register(&mut tx, &mut rng, &permit, &metadata)
        .await?;
    tx.commit().await?;
    Ok(match told {
        Ok(told) => json_answer(StatusCode::CREATED, &told),
        Err(_) => unauthorized(true),
    })
}

async fn show(
    State(provider): State<Provider>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let shown = async || -> Result<Response, Fault> {
        let Some((client, token)) = owner(&provider, &headers, id).await? else {
            return Ok(unauthorized(bearer(&headers).is_some()));
        };
        let endpoint = provider.house.url(PATH);
        let told = office(&provider, &endpoint).read(&client, token);
        Ok(json_answer(StatusCode::OK, &told))
    };
    shown()
        .await
        .unwrap_or_else(|fault| provider.fault_json(&headers, &fault))
}

async fn change(
    State(provider): State<Provider>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    changed(&provider, id, &headers, &body)
        .await
        .unwrap_or_else(|fault| provider.fault_json(&headers, &fault))
}

async fn changed(
    provider: &ProviderHouse,
    id: String,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Fault> {
    let house = &provider.house;
    let Some((client, token)) = owner(provider, headers, id).await? else {
        return Ok(unauthorized(bearer(headers).is_some()));
    };
    let endpoint = house.url(PATH);
    let office = office(provider, &endpoint);
    let (sent, metadata) = match accepted(provider, headers, body).await {
        Ok(accepted) => accepted,
        Err(error) => return Ok(error_json(&error)),
    };
    if let Err(error) = office.check_change(&client, &sent) {
        return Ok(error_json(&error));
    }
    let mut tx = house.store.write().await?;
    let told = office
        .change(&mut tx, &mut house.rng(), &client, token, &metadata)
        .await?;
    tx.commit().await?;
    provider.clients.forget(&client.id);
    Ok(match told {
        Some(told) => json_answer(StatusCode::OK, &told),
        None => json_answer(
            StatusCode::CONFLICT,
            &json!({"error": "invalid_request", "error_description": "the client was changed meanwhile; read it again"}),
        ),
    })
}

async fn remove(
    State(provider): State<Provider>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let removed = async || -> Result<Response, Fault> {
        let house = &provider.house;
        let Some((client, _)) = owner(&provider, &headers, id).await? else {
            return Ok(unauthorized(bearer(&headers).is_some()));
        };
        let endpoint = house.url(PATH);
        let mut tx = house.store.write().await?;
        let there = office(&provider, &endpoint)
            .remove(&mut tx, &mut house.rng(), &client.id)
            .await?;
        tx.commit().await?;
        provider.clients.forget(&client.id);
        Ok(if there {
            let mut answer = StatusCode::NO_CONTENT.into_response();
            let no_store = HeaderValue::from_static("no-store");
            answer.headers_mut().insert(header::CACHE_CONTROL, no_store);
            answer
        } else {
            unauthorized(true)
        })
    };
    removed()
        .await
        .unwrap_or_else(|fault| provider.fault_json(&headers, &fault))
}

/// Whoever holds the registration access token of this client (RFC 7592 §2). Clients of operators have none.
async fn owner<'h>(
    provider: &ProviderHouse,
    headers: &'h HeaderMap,
    id: String,
) -> Result<Option<(Registered, &'h str)>, Fault> {
    let Some(token) = bearer(headers).filter(|_| !id.contains('\0')) else {
        return Ok(None);
    };
    let mut conn = provider.house.store.read().await?;
    let found = registered::find_own(&mut conn, &ClientId(id), token).await?;
    Ok(found.map(|client| (client, token)))
}

/// What was sent and what is kept of it. Reads the document of a sector: no connection is held here.
async fn accepted(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(Map<String, Value>, Map<String, Value>), Error> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|v| v.to_str().ok()?.split(';').next());
    let invalid = |text: &'static str| Error::new(ErrorCode::InvalidClientMetadata, text);
    if !kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
        return Err(invalid("the body must be application/json"));
    }
    let sent = strict::parse_object(body)
        .map_err(|_| invalid("the body is not a JSON object without repeated members"))?;
    let offer = Offer {
        discovery: &metadata(provider),
        scope: &provider.settings.registration_scope,
        plain_http: provider.house.plain_http,
    };
    let kept = accept(&sent, offer)?;
    check_sector(&provider.house.outbound, &kept, provider.house.now()).await?;
    Ok((sent, kept))
}

fn office<'a>(provider: &'a ProviderHouse, endpoint: &'a str) -> Office<'a> {
    Office {
        sealer: &*provider.house.sealer,
        endpoint,
        now: provider.house.now(),
    }
}

/// The token of `Authorization: Bearer`, the scheme in any case.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// RFC 6750 §3: without a token, nothing more than the scheme is said. The same for a client that is not there (RFC 7592 §2).
fn unauthorized(sent: bool) -> Response {
    let error = bad_token();
    let mut answer = json_answer(
        StatusCode::UNAUTHORIZED,
        &json!({"error": error.code.as_str(), "error_description": error.description}),
    );
    let challenge = if sent {
        "Bearer error=\"invalid_token\""
    } else {
        "Bearer"
    };
    answer.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(challenge),
    );
    answer
}

pub(super) fn too_many(seconds: i64) -> Response {
    let error = Error::new(
        ErrorCode::TemporarilyUnavailable,
        "too many clients were registered from this address; try again later",
    );
    let mut answer = error_json(&error);
    *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    answer
        .headers_mut()
        .insert(header::RETRY_AFTER, seconds.into());
    answer
}
