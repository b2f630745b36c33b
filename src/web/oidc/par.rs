//! `/par`: pushed authorization requests (RFC 9126).

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::authorize::name_hinted;
use super::caller::Caller;
use super::read;
use super::token::{Authenticated, authenticate};
use crate::authn::throttle::Pass;
use crate::client::Authentication;
use crate::oauth::{Error, ErrorCode};
use crate::provider::request::{self, Context, Reading, Refusal};
use crate::provider::waiting;
use crate::web::error::{Fault, json_answer};
use crate::web::provider_house::{Provider, ProviderHouse};
use crate::web::source::Source;

pub(super) async fn push(
    State(provider): State<Provider>,
    source: Source,
    caller: Caller,
    body: Bytes,
) -> Response {
    let answer = handle(&provider, source, &caller, &body)
        .await
        .unwrap_or_else(|fault| provider.fault_json(&caller.headers, &fault));
    caller.with_nonce(&provider, answer)
}

async fn handle(
    provider: &ProviderHouse,
    source: Source,
    caller: &Caller,
    body: &[u8],
) -> Result<Response, Fault> {
    let house = &provider.house;
    let now = house.now();
    let sent = match read::form(&caller.headers, body) {
        Ok(sent) => sent,
        Err(error) => return Ok(read::refused(&error, false)),
    };
    if sent.repeats_any() {
        return Ok(read::refused(
            &Error::invalid_request("a parameter is repeated"),
            false,
        ));
    }
    let (sent, closed) = read::opened(provider, sent).await?;
    let par = house.url("/par");
    // Federation 1.0 §12.1.1.2: a signed request object is a proof of its own; the client needs no second one.
    let Authenticated {
        client,
        assertion,
        by_header,
    } = match authenticate(provider, caller, &sent, Some(&par)).await? {
        Ok(authenticated) => authenticated,
        Err(refusal) => return Ok(refusal),
    };
    if sent.get("request_uri").is_some() {
        // RFC 9126 §2.1.
        return Ok(read::refused(
            &Error::invalid_request("request_uri cannot be pushed"),
            by_header,
        ));
    }
    if let Some(error) = closed {
        return Ok(read::refused(&error, by_header));
    }
    let context = Context {
        issuer: &house.id,
        acr_base: &provider.settings.acr_base,
        response_types: &provider.settings.response_types,
        now,
        authenticated: true,
        settings: &provider.settings,
    };
    let proof = match caller.proof(provider, "/par", None) {
        Ok(proof) => proof,
        Err(error) => return Ok(read::refused(&error, by_header)),
    };
    let Reading {
        mut request,
        one_use,
    } = match request::read(&sent, &client, &context) {
        Ok(reading) => reading,
        Err(Refusal::Page(error) | Refusal::Redirect(_, error)) => {
            return Ok(read::refused(&error, by_header));
        }
    };
    if let Some(proof) = &proof {
        // RFC 9449 §10.1: the proof says the same as `dpop_jkt`, and where both are there they must agree.
        if request
            .dpop_jkt
            .as_ref()
            .is_some_and(|jkt| *jkt != proof.jkt)
        {
            let error = Error::new(
                ErrorCode::InvalidDpopProof,
                "dpop_jkt is not the key of the DPoP proof",
            );
            return Ok(read::refused(&error, by_header));
        }
        request.dpop_jkt = Some(proof.jkt.clone());
    }
    name_hinted(provider, &mut request, &client, now).await;
    let mut tx = house.store.write().await?;
    for (mark, error) in [
        (
            assertion,
            Error::invalid_client("the client assertion has been used before (jti)"),
        ),
        (
            one_use,
            Error::new(
                ErrorCode::InvalidRequestObject,
                "the request object has been used before (jti)",
            ),
        ),
        (
            proof.map(|proof| proof.one_use),
            Error::new(
                ErrorCode::InvalidDpopProof,
                "the DPoP proof has been used before (jti)",
            ),
        ),
    ] {
        if let Some(mark) = mark
            && !mark.mark(&mut tx).await?
        {
            tx.commit().await?;
            return Ok(read::refused(&error, by_header));
        }
    }
    // RFC 9126 §2.3. Whoever has proven itself is a platform's server and is not counted.
    if client.authentication == Authentication::None {
        let source = source.counted();
        if let Pass::Wait(seconds) = provider.counter(&source).count(&mut tx, now).await? {
            tx.commit().await?;
            return Ok(read::too_many(seconds));
        }
    }
    let lifetime = provider.settings.par_lifetime;
    let request_uri = waiting::push(&mut tx, &mut house.rng(), &request, lifetime, now).await?;
    tx.commit().await?;
    Ok(json_answer(
        StatusCode::CREATED,
        &json!({"request_uri": request_uri, "expires_in": lifetime}),
    ))
}
