//! `/federation/resolve` (§8.3): metadata of an entity below this authority, resolved and signed.

use axum::extract::{Request, State};

use super::AuthorityState;
use super::answer::{Refusal, Signed};
use super::asked::Asked;
use crate::config::authority::Endpoint;
use crate::oauth::Error;

pub(super) async fn answer(
    State(state): State<AuthorityState>,
    request: Request,
) -> Result<Signed, Refusal> {
    let asked = Asked::read(&state, Endpoint::Resolve, request).await?;
    let sub = asked.query.required("sub")?;
    let anchors = asked.query.several("trust_anchor");
    if anchors.is_empty() {
        return Err(Error::invalid_request("trust_anchor is missing").into());
    }
    let types = asked.query.several("entity_type");
    let jwt = state
        .authority
        .resolve(sub, &anchors, &types, asked.caller.as_ref(), asked.now)
        .await?;
    Ok(Signed::new("application/resolve-response+jwt", jwt).to(&asked))
}
