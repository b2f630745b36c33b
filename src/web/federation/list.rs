//! `/federation/list` (§8.2): the immediate subordinates. Several `entity_type` mean any of them.

use axum::extract::{Request, State};
use serde_json::json;

use super::AuthorityState;
use super::answer::{Json, Refusal};
use super::asked::Asked;
use crate::config::authority::Endpoint;
use crate::federation::authority::ListFilter;

pub(super) async fn answer(
    State(state): State<AuthorityState>,
    request: Request,
) -> Result<Json, Refusal> {
    let asked = Asked::read(&state, Endpoint::List, request).await?;
    let query = &asked.query;
    let filter = ListFilter {
        entity_types: query.several("entity_type"),
        trust_marked: query.flag("trust_marked")?,
        trust_mark_types: query
            .single("trust_mark_type")?
            .map(str::to_owned)
            .into_iter()
            .collect(),
        intermediate: query.flag("intermediate")?,
    };
    let listed = state.authority.list(&filter, asked.now).await?;
    Ok(Json::new(json!(listed)).to(&asked))
}
