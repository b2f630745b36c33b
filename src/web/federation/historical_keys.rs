//! `GET /federation/historical_keys` (§8.7): the federation keys that this entity had. Of every role.

use std::sync::Arc;

use axum::extract;

use super::answer::{Refusal, Signed};
use crate::clock::Clock;
use crate::federation::History;

/// Whose keys.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) history: Arc<History>,
}

pub(super) async fn answer(
    extract::State(state): extract::State<State>,
) -> Result<Signed, Refusal> {
    let jwt = state.history.keys(state.clock.now()).await?;
    Ok(Signed::new("application/jwk-set+jwt", jwt))
}
