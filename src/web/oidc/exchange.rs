//! `/token` with `grant_type=…:token-exchange` (RFC 8693): one token for another.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::read;
use crate::audit::{self, Event};
use crate::client::Client;
use crate::oauth::{Error, ErrorCode};
use crate::provider::confirmation::Confirmation;
use crate::provider::dpop::Proof;
use crate::provider::exchange::{ACCESS_TOKEN, Context, Exchanged, Request};
use crate::provider::one_use::OneUse;
use crate::provider::request::Parameters;
use crate::web::error::{Fault, json_answer};
use crate::web::provider_house::ProviderHouse;

pub(super) async fn answer(
    provider: &ProviderHouse,
    sent: &Parameters,
    client: &Client,
    assertion: Option<OneUse>,
    (proof, confirmation): (Option<Proof>, Confirmation),
    by_header: bool,
) -> Result<Response, Fault> {
    let house = &provider.house;
    let now = house.now();
    let mut rng = house.rng();
    let request = match Request::read(sent) {
        Ok(request) => request,
        Err(error) => return Ok(read::refused(&error, by_header)),
    };
    let context = Context {
        issuer: provider.issuer(),
        settings: &provider.settings,
        client,
        confirmation: &confirmation,
        now,
    };
    let mut tx = house.store.write().await?;
    let judged = if let Some(mark) = assertion
        && !mark.mark(&mut tx).await?
    {
        Err(Error::invalid_client(
            "the client assertion has been used before (jti)",
        ))
    } else if let Some(proof) = proof
        && !proof.one_use.mark(&mut tx).await?
    {
        Err(Error::new(
            ErrorCode::InvalidDpopProof,
            "the DPoP proof has been used before (jti)",
        ))
    } else {
        request.judge(&mut tx, &mut rng, &context).await?
    };
    let event = match &judged {
        Ok(exchanged) => done(exchanged, client),
        Err(error) => Event::refused("token.exchange")
            .with_actor(&*client.id.0)
            .with("error", error.code.as_str()),
    };
    audit::record(&mut tx, &mut rng, now, &event.with_client(&client.id)).await?;
    tx.commit().await?;
    let exchanged = match judged {
        Ok(exchanged) => exchanged,
        Err(error) => return Ok(read::refused(&error, by_header)),
    };
    let token = context
        .issuer
        .sign(exchanged.grant.terms.alg, "at+jwt", exchanged.payload)
        .await?;
    // RFC 8693 §2.2.1.
    let mut answer = json!({
        "access_token": token,
        "issued_token_type": ACCESS_TOKEN,
        "token_type": exchanged.token_type,
        "expires_in": exchanged.expires_in,
    });
    if let Some(answer) = answer.as_object_mut() {
        exchanged.aim.say_in(answer);
    }
    Ok(json_answer(StatusCode::OK, &answer))
}

/// For whom, by whom, from which platform, for where.
fn done(exchanged: &Exchanged, client: &Client) -> Event {
    let grant = &exchanged.grant;
    // Without an actor of flesh and blood it is the client that acts.
    let actor = exchanged
        .actor
        .as_ref()
        .map_or(client.id.as_str(), |person| person.as_str());
    let event = Event::done("token.exchange")
        .with_person(&grant.person)
        .with_actor(actor)
        .with("from", grant.client.as_str())
        .with("scope", exchanged.aim.scope.to_string())
        .with("audience", json!(exchanged.aim.audience));
    match &grant.session {
        Some(session) => event.with_session(session),
        None => event,
    }
}
