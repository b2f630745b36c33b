//! `/device_authorization` (RFC 8628 §3.1): a device without a browser asks.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::json;

use super::caller::Caller;
use super::read;
use super::token::{Authenticated, authenticate};
use crate::audit::{self, Event};
use crate::authn::throttle::Pass;
use crate::oauth::Error;
use crate::provider::device::{self, Lives, Wanted};
use crate::provider::interaction::Asked;
use crate::provider::request::Context;
use crate::web::error::{Fault, error_json, json_answer};
use crate::web::provider_house::{Provider, ProviderHouse};
use crate::web::source::Source;
use crate::web::view::account;

pub(super) async fn ask(
    State(provider): State<Provider>,
    source: Source,
    caller: Caller,
    body: Bytes,
) -> Response {
    handle(&provider, source, &caller, &body)
        .await
        .unwrap_or_else(|fault| provider.fault_json(&caller.headers, &fault))
}

async fn handle(
    provider: &ProviderHouse,
    source: Source,
    caller: &Caller,
    body: &[u8],
) -> Result<Response, Fault> {
    let house = &provider.house;
    let settings = &provider.settings;
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
    let context = Context {
        issuer: &house.id,
        acr_base: &settings.acr_base,
        response_types: &settings.response_types,
        now,
        authenticated: true,
        settings,
    };
    let request = match device::read(&sent, &client, &context, house.url(device::DONE)) {
        Ok(request) => request,
        Err(error) => return Ok(read::refused(&error, by_header)),
    };
    let wanted = Wanted {
        asked: Asked {
            request,
            platform: client.platform.clone(),
        },
        from: source.0.to_canonical().to_string(),
        device: caller
            .headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .map(account::device)
            .unwrap_or_default(),
    };
    let lives = Lives {
        code: settings.device_code_lifetime,
        pause: settings.device_code_interval,
    };
    let mut rng = house.rng();
    let mut tx = house.store.write().await?;
    if let Some(mark) = assertion
        && !mark.mark(&mut tx).await?
    {
        tx.commit().await?;
        let error = Error::invalid_client("the client assertion has been used before (jti)");
        return Ok(read::refused(&error, by_header));
    }
    // Whoever has proven itself is a platform's server and is not counted.
    if client.is_public() {
        let source = source.counted();
        if let Pass::Wait(seconds) = provider.counter(&source).count(&mut tx, now).await? {
            tx.commit().await?;
            return Ok(read::too_many(seconds));
        }
    }
    let codes = device::begin(
        &mut tx,
        &mut rng,
        provider.device_keys(),
        &wanted,
        lives,
        now,
    )
    .await?;
    let event = Event::done("device.ask")
        .with_actor(&*client.id.0)
        .with_client(&client.id);
    audit::record(&mut tx, &mut rng, now, &event).await?;
    tx.commit().await?;
    let uri = house.url("/device");
    // RFC 8628 §3.2.
    let answer = json!({
        "device_code": codes.device_code.reveal(),
        "user_code": codes.user_code,
        "verification_uri": uri,
        "verification_uri_complete": format!("{uri}?user_code={}", codes.user_code),
        "expires_in": lives.code,
        "interval": lives.pause,
    });
    Ok(json_answer(StatusCode::OK, &answer))
}
