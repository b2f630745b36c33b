//! `GET /.well-known/openid-federation` (§9).

use axum::extract::State;

use super::FederationState;
use super::answer::{Refusal, Signed};

pub(super) async fn get(State(state): State<FederationState>) -> Result<Signed, Refusal> {
    let jwt = state.publisher.configuration(state.clock.now()).await?;
    Ok(Signed::new("application/entity-statement+jwt", jwt))
}
