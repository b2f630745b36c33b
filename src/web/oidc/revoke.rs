//! `/revoke` (RFC 7009): a client gives back a token.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::caller::Caller;
use super::read;
use super::token::{Authenticated, authenticate, with_cors};
use crate::audit::{self, Event};
use crate::oauth::Error;
use crate::provider::revoke::{self, Revoked};
use crate::web::error::{Fault, error_json};
use crate::web::provider_house::{Provider, ProviderHouse};

pub(super) async fn revoke(
    State(provider): State<Provider>,
    caller: Caller,
    body: Bytes,
) -> Response {
    let answer = handle(&provider, &caller, &body)
        .await
        .unwrap_or_else(|fault| provider.fault_json(&caller.headers, &fault));
    with_cors(answer)
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
    let Some(token) = sent.get("token") else {
        let error = Error::invalid_request("token is missing");
        return Ok(read::refused(&error, by_header));
    };
    let mut tx = house.store.write().await?;
    let revoked = if let Some(mark) = assertion
        && !mark.mark(&mut tx).await?
    {
        Err(Error::invalid_client(
            "the client assertion has been used before (jti)",
        ))
    } else {
        revoke::revoke(&mut tx, &provider.issuer(), &client.id, token, now).await?
    };
    let event = match &revoked {
        Ok(Revoked::Nothing) => None,
        Ok(Revoked::Token { person }) => Some(Event::done("token.revoke").with_person(person)),
        Ok(Revoked::Grant { person }) => Some(Event::done("grant.revoke").with_person(person)),
        Err(error) => Some(Event::refused("token.revoke").with("error", error.code.as_str())),
    };
    if let Some(event) = event {
        // It is the client that acts, not the person.
        let event = event.with_actor(&*client.id.0).with_client(&client.id);
        audit::record(&mut tx, &mut house.rng(), now, &event).await?;
    }
    tx.commit().await?;
    Ok(match revoked {
        // RFC 7009 §2.2: the same for what was revoked and for what nobody knows.
        Ok(_) => {
            let mut answer = StatusCode::OK.into_response();
            answer
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            answer
        }
        Err(error) => read::refused(&error, by_header),
    })
}
