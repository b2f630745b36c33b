//! `/interaction/{id}`: the dispatcher. It asks what comes next and sends the browser to the door of that step; the last
//! step is the answer. And `/cancel`, the way out that is always there.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::{lapsed, read, reply};
use crate::audit::{self, Event};
use crate::client::Client;
use crate::federation::RegistrationError;
use crate::oauth::{Error, ErrorCode};
use crate::provider::clients::ClientError;
use crate::provider::interaction::{self, Asked, Interaction, Purpose, Step};
use crate::provider::request::Refusal;
use crate::session;
use crate::web::cookies;
use crate::web::csrf::{self, Ours};
use crate::web::error::Fault;
use crate::web::page::see_other;
use crate::web::provider_house::{Provider, ProviderHouse};
use crate::web::view::error::ErrorKind;

pub(super) async fn dispatch(
    State(provider): State<Provider>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    handle(&provider, &headers, &id)
        .await
        .unwrap_or_else(|fault| provider.fault_page(&headers, &fault))
}

async fn handle(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    id: &str,
) -> Result<Response, Fault> {
    let Some(interaction) = load(provider, headers, id).await? else {
        return Ok(over(provider, headers));
    };
    match &interaction.purpose {
        Purpose::Account { return_to } => {
            to_account(provider, headers, &interaction, return_to).await
        }
        Purpose::Authorization(asked) => to_platform(provider, headers, &interaction, asked).await,
    }
}

async fn to_platform(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    interaction: &Interaction,
    asked: &Asked,
) -> Result<Response, Fault> {
    let house = &provider.house;
    let (client, asked) = match as_of_now(provider, headers, asked).await? {
        Ok(now) => now,
        Err(page) => return Ok(page),
    };
    let ready = provider
        .clients
        .ready_for(Arc::clone(&client), &asked.request, house.now());
    let client = match ready.await {
        Ok(client) => client,
        Err(refusal) => return reply::refuse(provider, headers, refusal, &client).await,
    };
    let handle = cookies::read(headers, house, cookies::SESSION);
    let mut tx = house.store.write().await?;
    let next = provider
        .rules()
        .proceed(
            &mut tx,
            &mut house.rng(),
            interaction,
            &asked,
            &client,
            handle,
        )
        .await?;
    tx.commit().await?;
    Ok(match next {
        Ok(answer) => {
            let name = asked.platform.shown_name();
            reply::send(provider, headers, &answer, &client, name).await?
        }
        Err(step) => see_other(&house.url(&format!("{}{}", interaction.path(), door(&step)))),
    })
}

/// The client as it is now, and what it may still ask: what its federation or an operator took back since the login began is
/// not released. The inner error is the page that ends the login. May go out: no connection may be held.
pub(super) async fn as_of_now(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    asked: &Asked,
) -> Result<Result<(Arc<Client>, Asked), Response>, Fault> {
    let house = &provider.house;
    let client = match provider
        .clients
        .find(
            &house.store,
            asked.request.client.as_str(),
            None,
            house.now(),
        )
        .await
    {
        Ok(client) => client,
        Err(ClientError::Store(error)) => return Err(error.into()),
        Err(ClientError::Registration(RegistrationError {
            lapsed: Some(lapsed),
            client_id,
            ..
        })) => return Ok(Err(lapsed::page_of(provider, headers, &client_id, &lapsed))),
        Err(error) => {
            tracing::info!(%error, "a client was lost during an interaction");
            let told = Error::new(
                ErrorCode::TemporarilyUnavailable,
                "the platform can no longer be verified",
            );
            return Ok(Err(provider.refuse(
                headers,
                ErrorKind::PlatformNotTrusted,
                &told,
            )));
        }
    };
    let allowed = provider.allowed(&client);
    Ok(match asked.request.clone().as_of_now(&client, allowed) {
        Ok(request) => {
            let platform = asked.platform.clone();
            Ok((client, Asked { request, platform }))
        }
        Err(Refusal::Page(error)) => {
            Err(provider.refuse(headers, ErrorKind::WrongReturnAddress, &error))
        }
        Err(Refusal::Redirect(to, error)) => {
            let refusal = Refusal::Redirect(to, error);
            Err(reply::refuse(provider, headers, refusal, &client).await?)
        }
    })
}

/// The door of a step, below the interaction.
fn door(step: &Step) -> &'static str {
    match step {
        Step::Login { create: true } => "/create",
        Step::VerifyRealName { .. } => "/verify",
        Step::StepUp { .. } => "/step-up",
        Step::Consent { .. } => "/consent",
        // Answers and errors do not come here; a login is never wrong.
        Step::Login { create: false }
        | Step::Reauthenticate
        | Step::Answer { .. }
        | Step::Error(_) => "/login",
    }
}

async fn to_account(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    interaction: &Interaction,
    return_to: &str,
) -> Result<Response, Fault> {
    let house = &provider.house;
    let now = house.now();
    let mut tx = house.store.write().await?;
    let session = match cookies::read(headers, house, cookies::SESSION) {
        Some(handle) => session::find(&mut tx, handle, now).await?,
        None => None,
    };
    // A login that this interaction was begun for must have happened in it.
    let step = interaction::next_for_account(
        session
            .as_ref()
            .filter(|s| interaction.session.as_ref() == Some(&s.id)),
    );
    let answer = match step {
        Step::Answer { .. } => {
            interaction::complete(&mut tx, interaction, now).await?;
            see_other(&house.url(return_to))
        }
        step => see_other(&house.url(&format!("{}{}", interaction.path(), door(&step)))),
    };
    tx.commit().await?;
    Ok(answer)
}

pub(super) async fn cancel(
    State(provider): State<Provider>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    refuse(&provider, &headers, &id, &body)
        .await
        .unwrap_or_else(|fault| provider.fault_page(&headers, &fault))
}

/// `access_denied` to the platform; to the account centre there is nobody to tell.
async fn refuse(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    id: &str,
    body: &[u8],
) -> Result<Response, Fault> {
    let house = &provider.house;
    let Some(interaction) = load(provider, headers, id).await? else {
        return Ok(over(provider, headers));
    };
    if form(provider, headers, body).is_none() {
        return Ok(not_our_form(provider, headers));
    }
    let client = match interaction.asked() {
        None => None,
        Some(asked) => match as_of_now(provider, headers, asked).await? {
            Ok((client, _)) => Some(client),
            Err(page) => return Ok(page),
        },
    };
    let now = house.now();
    let mut tx = house.store.write().await?;
    let first = interaction::complete(&mut tx, &interaction, now).await?;
    if let Some(asked) = interaction.asked().filter(|_| first) {
        provider.rules().told_no(&mut tx, &asked.request).await?;
        let event = Event::refused("interaction.cancel").with_client(&asked.request.client);
        audit::record(&mut tx, &mut house.rng(), now, &event).await?;
    }
    tx.commit().await?;
    let Some((asked, client)) = interaction.asked().zip(client) else {
        return Ok(see_other(&house.url("/")));
    };
    if !first {
        return Ok(over(provider, headers));
    }
    let error = Error::new(ErrorCode::AccessDenied, "the person cancelled");
    let answer = provider.rules().refuse(asked.request.answer.clone(), error);
    let name = asked.platform.shown_name();
    reply::send(provider, headers, &answer, &client, name).await
}

/// The interaction of this browser.
pub(super) async fn load(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    id: &str,
) -> Result<Option<Interaction>, Fault> {
    let house = &provider.house;
    let Some(secret) = read::browser(house, headers).secret else {
        return Ok(None);
    };
    if id.contains('\0') {
        return Ok(None);
    }
    Ok(Interaction::load(&mut *house.store.read().await?, id, secret, house.now()).await?)
}

/// The page for an interaction that is over, or of another browser; nobody learns which.
pub(super) fn over(provider: &ProviderHouse, headers: &HeaderMap) -> Response {
    let error = Error::invalid_request(
        "this login is over, or began in another browser; start again at the platform",
    );
    provider.refuse(headers, ErrorKind::LoginExpired, &error)
}

/// The posted form, if it is ours.
pub(super) fn form(provider: &ProviderHouse, headers: &HeaderMap, body: &[u8]) -> Option<Ours> {
    let form = read::form(headers, body).ok()?;
    let token = form.get(csrf::FIELD)?;
    csrf::open(&provider.house, headers, token, provider.house.now())
}

pub(super) fn not_our_form(provider: &ProviderHouse, headers: &HeaderMap) -> Response {
    let error = Error::invalid_request("this form is not ours, or lay open too long");
    provider.refuse(headers, ErrorKind::FormNotOurs, &error)
}
