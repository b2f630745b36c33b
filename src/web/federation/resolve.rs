//! `GET /federation/resolve` (§8.3): metadata of an entity below this authority, resolved and signed.

use axum::extract::State;

use super::AuthorityState;
use super::answer::{Refusal, Signed};
use super::query::Query;
use crate::oauth::Error;

pub(super) async fn get(
    State(state): State<AuthorityState>,
    query: Query,
) -> Result<Signed, Refusal> {
    let sub = query.required("sub")?;
    let anchors = query.several("trust_anchor");
    if anchors.is_empty() {
        return Err(Error::invalid_request("trust_anchor is missing").into());
    }
    let types = query.several("entity_type");
    let jwt = state
        .authority
        .resolve(sub, &anchors, &types, state.clock.now())
        .await?;
    Ok(Signed {
        media_type: "application/resolve-response+jwt",
        jwt,
    })
}
