//! `/federation/collection` (OpenID Federation Entity Collection Endpoint 1.0, draft 01): all entities below, for those who let
//! people choose among them. Off unless configured.

use axum::extract::{Request, State};

use super::AuthorityState;
use super::answer::{Json, Refusal};
use super::asked::Asked;
use crate::config::authority::Endpoint;
use crate::federation::authority::listing::Collected;

pub(super) async fn answer(
    State(state): State<AuthorityState>,
    request: Request,
) -> Result<Json, Refusal> {
    let asked = Asked::read(&state, Endpoint::Collection, request).await?;
    let query = &asked.query;
    let wanted = Collected {
        page: query.page()?,
        entity_types: query.several("entity_type"),
        trust_mark_types: query.several("trust_mark_type"),
        trust_anchor: query.single("trust_anchor")?.map(str::to_owned),
        query: query.single("query")?.map(str::to_owned),
        entity_claims: query.several("entity_claims"),
        ui_claims: query.several("ui_claims"),
    };
    let collected = state.authority.collection(&wanted, asked.now).await?;
    Ok(Json::new(collected).to(&asked))
}
