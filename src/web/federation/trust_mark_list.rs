//! `/federation/trust_mark_list` (§8.5): who holds a valid mark of a type.

use axum::extract::{Request, State};
use serde_json::json;

use super::AuthorityState;
use super::answer::{Json, Refusal};
use super::asked::Asked;
use crate::config::authority::Endpoint;

pub(super) async fn answer(
    State(state): State<AuthorityState>,
    request: Request,
) -> Result<Json, Refusal> {
    let asked = Asked::read(&state, Endpoint::TrustMarkList, request).await?;
    let trust_mark_type = asked.query.required("trust_mark_type")?;
    let sub = asked.query.single("sub")?;
    let listed = state
        .authority
        .trust_marked(trust_mark_type, sub, asked.now)
        .await?;
    Ok(Json::new(json!(listed)).to(&asked))
}
