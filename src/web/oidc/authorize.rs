//! `/authorize` (OIDC Core 3.1.2.1): by GET and by POST the same.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::{lapsed, read, reply};
use crate::authn::throttle::Pass;
use crate::client::Client;
use crate::clock::UnixTime;
use crate::federation::RegistrationError;
use crate::oauth::{Error, ErrorCode};
use crate::provider::authorize::{Arrival, Outcome};
use crate::provider::clients::ClientError;
use crate::provider::request::{self, AuthorizationRequest, Context, Parameters, Reading, Refusal};
use crate::provider::waiting;
use crate::web::cookies;
use crate::web::error::Fault;
use crate::web::page::{see_other, with_cookie};
use crate::web::provider_house::{Provider, ProviderHouse};
use crate::web::source::Source;
use crate::web::view::error::ErrorKind;

/// Names a parked request in the query of our own redirect.
const PARKED: &str = "parked";

pub(super) async fn by_get(
    State(provider): State<Provider>,
    source: Source,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let sent = Parameters::parse(query.unwrap_or_default().as_bytes());
    handle(&provider, source, &headers, sent)
        .await
        .unwrap_or_else(|fault| provider.fault_page(&headers, &fault))
}

pub(super) async fn by_post(
    State(provider): State<Provider>,
    source: Source,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let sent = match read::form(&headers, &body) {
        Ok(sent) => sent.without(&[PARKED]),
        Err(error) => return provider.refuse(&headers, ErrorKind::BadRequest, &error),
    };
    let answer = if read::browser(&provider.house, &headers).session.is_some() {
        handle(&provider, source, &headers, sent).await
    } else {
        park(&provider, source, &headers, &sent).await
    };
    answer.unwrap_or_else(|fault| provider.fault_page(&headers, &fault))
}

/// A POST from another site comes without our Lax cookies: the request waits, and the browser comes back by GET with them.
async fn park(
    provider: &ProviderHouse,
    source: Source,
    headers: &HeaderMap,
    sent: &Parameters,
) -> Result<Response, Fault> {
    let house = &provider.house;
    let (now, source) = (house.now(), source.counted());
    let mut tx = house.store.write().await?;
    if let Pass::Wait(seconds) = provider.counter(&source).count(&mut tx, now).await? {
        tx.commit().await?;
        return Ok(provider.wait(headers, seconds));
    }
    let name = waiting::park(&mut tx, &mut house.rng(), sent, now).await?;
    tx.commit().await?;
    Ok(see_other(
        &house.url(&format!("/authorize?{PARKED}={name}")),
    ))
}

async fn handle(
    provider: &ProviderHouse,
    source: Source,
    headers: &HeaderMap,
    sent: Parameters,
) -> Result<Response, Fault> {
    let house = &provider.house;
    let now = house.now();
    let page = |kind, error: &Error| Ok(provider.refuse(headers, kind, error));

    let sent = match sent.get(PARKED) {
        None => sent,
        Some(name) => match waiting::parked(&mut *house.store.read().await?, name, now).await? {
            Some(parameters) => parameters,
            None => {
                return page(
                    ErrorKind::LoginExpired,
                    &Error::invalid_request("this request is over; start again at the platform"),
                );
            }
        },
    };
    let Some(client_id) = sent.get("client_id").map(str::to_owned) else {
        return page(
            ErrorKind::BadRequest,
            &Error::invalid_request("client_id is missing or repeated"),
        );
    };
    // RFC 9126 §4: a pushed request comes with its client_id and nothing else that counts.
    let pushed = sent
        .get("request_uri")
        .filter(|uri| uri.starts_with(waiting::PREFIX));
    let found = match pushed {
        Some(uri) => {
            let found =
                waiting::pushed(&mut *house.store.read().await?, uri, &client_id, now).await?;
            let Some(request) = found else {
                let error = Error::new(
                    ErrorCode::InvalidRequestUri,
                    "the pushed request is unknown, expired, answered or of another client",
                );
                return page(ErrorKind::BadRequest, &error);
            };
            Some(request)
        }
        None => None,
    };
    let (sent, closed) = match pushed {
        Some(_) => (sent, None),
        None => read::opened(provider, sent).await?,
    };
    let by_reference = sent.get("request").is_none();
    // No connection is held here: finding a client of the federation may go out.
    let hinted = request::hinted_chains(&sent);
    let mut client = match provider
        .clients
        .find(&house.store, &client_id, hinted.as_ref(), now)
        .await
    {
        Ok(client) => client,
        Err(error) => return unknown_client(provider, headers, error),
    };
    let reading = if let Some(request) = found {
        // It was verified and its marks were set when it was pushed; what the client may ask is what it may ask now.
        let one_use = None;
        request
            .as_of_now(&client, provider.allowed(&client))
            .map(|request| Reading { request, one_use })
    } else if let Some(error) = closed {
        Err(request::unopened(&sent, &client, error))
    } else {
        let followed = match provider.clients.followed(sent, &client, now).await {
            // OIDC Core 6.2: what stood behind a request_uri may be encrypted too. What came by value was opened, once.
            Ok(sent) if by_reference => match read::opened(provider, sent).await? {
                (sent, Some(error)) => Err(request::unopened(&sent, &client, error)),
                (sent, None) => Ok(sent),
            },
            followed => followed,
        };
        match followed {
            Ok(sent) => {
                // The keys that what is signed asks for.
                if let Some(token) = sent.get("request") {
                    client = provider.clients.for_token(client, token, now).await;
                }
                read_sent(provider, &sent, &client, now).await
            }
            Err(refusal) => Err(refusal),
        }
    };
    let reading = match reading {
        Ok(reading) => provider
            .clients
            .ready_for(Arc::clone(&client), &reading.request, now)
            .await
            .map(|client| (reading, client)),
        Err(refusal) => Err(refusal),
    };
    let (Reading { request, one_use }, client) = match reading {
        Ok(ready) => ready,
        Err(refusal) => return reply::refuse(provider, headers, refusal, &client).await,
    };
    let source = source.counted();
    let arrival = Arrival {
        request,
        one_use,
        client: &client,
        browser: read::browser(house, headers),
        counter: provider.counter(&source),
    };
    let mut tx = house.store.write().await?;
    let outcome = provider
        .rules()
        .arrive(&mut tx, &mut house.rng(), arrival)
        .await?;
    tx.commit().await?;
    Ok(match outcome {
        Outcome::Wait(seconds) => provider.wait(headers, seconds),
        Outcome::Reply(answer) => {
            let name = client.platform.shown_name();
            reply::send(provider, headers, &answer, &client, name).await?
        }
        Outcome::Interact {
            interaction,
            new_secret,
        } => {
            let answer = see_other(&house.url(&interaction.path()));
            match new_secret {
                Some(secret) => {
                    with_cookie(answer, cookies::set(house, cookies::BROWSER, &secret, None))
                }
                None => answer,
            }
        }
    })
}

/// Reads a request that comes by the browser.
async fn read_sent(
    provider: &ProviderHouse,
    sent: &Parameters,
    client: &Client,
    now: UnixTime,
) -> Result<Reading, Refusal> {
    let context = Context {
        issuer: &provider.house.id,
        acr_base: &provider.settings.acr_base,
        response_types: &provider.settings.response_types,
        now,
        authenticated: false,
        settings: &provider.settings,
    };
    let mut reading = request::read(sent, client, &context)?;
    name_hinted(provider, &mut reading.request, client, now).await;
    Ok(reading)
}

/// `id_token_hint` (OIDC Core 3.1.2.1): ours, of this client, also when it has expired; anything else counts as none.
pub(super) async fn name_hinted(
    provider: &ProviderHouse,
    request: &mut AuthorizationRequest,
    client: &Client,
    now: UnixTime,
) {
    let Some(hint) = request.id_token_hint.take() else {
        return;
    };
    if let Some(hint) = provider.hint(&hint, now).await
        && hint.client == client.id
    {
        request.hinted_sub = Some(hint.sub);
    }
}

/// Federation 1.0 §12.1.3: while trust is not established the redirect URI is nobody's; a page, never a redirect.
fn unknown_client(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    error: ClientError,
) -> Result<Response, Fault> {
    let (kind, told) = match error {
        ClientError::Store(error) => return Err(error.into()),
        ClientError::Registration(RegistrationError {
            lapsed: Some(lapsed),
            client_id,
            ..
        }) => return Ok(lapsed::page_of(provider, headers, &client_id, &lapsed)),
        ClientError::Registration(e) if e.code == ErrorCode::TemporarilyUnavailable => (
            ErrorKind::Unavailable,
            Error::new(e.code, shortened(&e.reason)),
        ),
        ClientError::Registration(e) => (
            ErrorKind::PlatformNotTrusted,
            Error::invalid_client(shortened(&e.reason)),
        ),
        other => (
            ErrorKind::PlatformNotTrusted,
            Error::invalid_client(other.to_string()),
        ),
    };
    Ok(provider.refuse(headers, kind, &told))
}

/// Reasons may quote a stranger's address; a query in it is cut off.
fn shortened(reason: &str) -> String {
    reason
        .split('?')
        .next()
        .unwrap_or_default()
        .chars()
        .take(400)
        .collect()
}
