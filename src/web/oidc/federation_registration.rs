//! `/federation/register`: explicit registration of relying parties of the federation (OpenID Federation 1.0 §12.2). There only
//! where the configuration offers it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use super::{read, register};
use crate::audit::{self, Event};
use crate::authn::throttle::{self, Limit, Pass};
use crate::federation::registration::{Posted, RESPONSE_TYP, ResolvedRelyingParty};
use crate::federation::statement;
use crate::id::ClientId;
use crate::oauth::{Algorithm, Error, ErrorCode, ResponseType};
use crate::provider::explicit;
use crate::web::error::{Fault, error_json};
use crate::web::provider_house::{Provider, ProviderHouse};
use crate::web::source::Source;

/// `federation_registration_endpoint`.
pub(super) const PATH: &str = "/federation/register";

/// The door, where there is one.
pub(super) fn routes(provider: &ProviderHouse) -> Router<Provider> {
    if !provider.settings.explicit_registration {
        return Router::new();
    }
    Router::new().route(PATH, post(register).fallback(read::wrong_method))
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
    let Some(offices) = provider.clients.offices() else {
        return Ok(refused(&Error::new(
            ErrorCode::RegistrationNotSupported,
            "explicit registration is not offered here",
        )));
    };
    let posted = match posted(headers, body) {
        Ok(posted) => posted,
        Err(error) => return Ok(refused(&error)),
    };
    // Counted before anything is fetched for a stranger.
    let limit = Limit {
        kind: "federation registration",
        tries: provider.settings.registrations_per_hour,
        seconds: 3600,
    };
    let pass = {
        let mut conn = house.store.read().await?;
        let source = source.counted();
        throttle::count(&mut conn, &*house.indexer, limit, &[&source], now).await?
    };
    if let Pass::Wait(seconds) = pass {
        return Ok(register::too_many(seconds));
    }
    let (registrar, registrations) = offices;
    // No connection is held: superiors may have to be asked.
    let party = match registrar
        .explicit(posted, registrations.provider(), now)
        .await
        .and_then(|party| fitting(provider, &party).map(|()| party))
    {
        Ok(party) => party,
        Err(error) => {
            tracing::info!(%error, "an explicit registration was refused");
            return Ok(refused(&error));
        }
    };
    let mut rng = house.rng();
    let mut tx = house.store.write().await?;
    let kept = explicit::keep(&mut tx, party.chain(), now).await?;
    let event = if kept {
        Event::done("client.register_explicit").with("anchor", party.trust_anchor.as_str())
    } else {
        Event::refused("client.register_explicit").with("error", "invalid_request")
    };
    let client = ClientId(party.entity_id.to_string());
    audit::record(&mut tx, &mut rng, now, &event.with_client(&client)).await?;
    tx.commit().await?;
    if !kept {
        return Ok(refused(&Error::invalid_request(
            "a request that was made later has been answered already",
        )));
    }
    let chain = Some(Arc::clone(party.chain()));
    registrations.remember(&party.entity_id, chain, now);
    // Signed after the commit: no connection waits for a key that may live elsewhere.
    let claims = party.answer(registrations.provider(), now);
    let signer = &*house.signer;
    let token = statement::sign_typed(signer, Algorithm::ES256, RESPONSE_TYP, &claims).await?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/explicit-registration-response+jwt"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ];
    Ok((StatusCode::OK, headers, token).into_response())
}

/// Whether what was asked for is something that we can do (§12.2.2).
fn fitting(provider: &ProviderHouse, party: &ResolvedRelyingParty) -> Result<(), Error> {
    let refused = |text: String| Error::new(ErrorCode::InvalidClientMetadata, text);
    provider
        .clients
        .accepts(party)
        .map_err(|e| refused(e.to_string()))?;
    let offered = &provider.settings.response_types;
    let known = |text: &String| ResponseType::parse(text).is_some_and(|t| offered.contains(&t));
    if !party.response_types.iter().all(known) {
        return Err(refused(
            "response_types holds one that is not offered here".to_owned(),
        ));
    }
    // We issue no secrets, and certificates are for clients that operators know.
    if !party
        .token_endpoint_auth_methods
        .contains("private_key_jwt")
    {
        return Err(refused(
            "token_endpoint_auth_method must be private_key_jwt".to_owned(),
        ));
    }
    Ok(())
}

/// §12.2.1, §15: compared without parameters and case.
fn posted<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Posted<'a>, Error> {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match &*media_type {
        "application/entity-statement+jwt" => std::str::from_utf8(body)
            .map(|text| Posted::Statement(text.trim_ascii()))
            .map_err(|_| Error::invalid_request("the body is not a JWT")),
        "application/trust-chain+json" => Ok(Posted::Chain(body)),
        _ => Err(Error::invalid_request(
            "the body must be application/entity-statement+jwt or application/trust-chain+json",
        )),
    }
}

/// §8.9: what is not found is 404; the errors of OIDC Registration 3.3 are 400.
fn refused(error: &Error) -> Response {
    let mut answer = error_json(error);
    if matches!(
        error.code,
        ErrorCode::InvalidTrustAnchor
            | ErrorCode::InvalidIssuer
            | ErrorCode::InvalidSubject
            | ErrorCode::NotFound
    ) {
        *answer.status_mut() = StatusCode::NOT_FOUND;
    }
    answer
}
