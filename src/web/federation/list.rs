//! `GET /federation/list` (§8.2): the immediate subordinates. Several `entity_type` mean any of them.

use axum::extract::State;
use serde_json::json;

use super::AuthorityState;
use super::answer::{Json, Refusal};
use super::query::Query;
use crate::federation::authority::ListFilter;

pub(super) async fn get(
    State(state): State<AuthorityState>,
    query: Query,
) -> Result<Json, Refusal> {
    let filter = ListFilter {
        entity_types: query.several("entity_type"),
        trust_marked: query.flag("trust_marked")?,
        trust_mark_type: query.single("trust_mark_type")?.map(str::to_owned),
        intermediate: query.flag("intermediate")?,
    };
    let listed = state.authority.list(&filter, state.clock.now()).await?;
    Ok(Json(json!(listed)))
}
