//! `GET /federation/fetch` (§8.1): what this authority says about one immediate subordinate.

use axum::extract::State;

use super::AuthorityState;
use super::answer::{Refusal, Signed};
use super::query::Query;

pub(super) async fn get(
    State(state): State<AuthorityState>,
    query: Query,
) -> Result<Signed, Refusal> {
    let sub = query.required("sub")?;
    let jwt = state.authority.fetch(sub, state.clock.now()).await?;
    Ok(Signed {
        media_type: "application/entity-statement+jwt",
        jwt,
    })
}
