//! `/federation/fetch` (§8.1): what this authority says about one immediate subordinate.

use axum::extract::{Request, State};

use super::AuthorityState;
use super::answer::{Refusal, Signed};
use super::asked::Asked;
use crate::config::authority::Endpoint;

pub(super) async fn answer(
    State(state): State<AuthorityState>,
    request: Request,
) -> Result<Signed, Refusal> {
    let asked = Asked::read(&state, Endpoint::Fetch, request).await?;
    let sub = asked.query.required("sub")?;
    let jwt = state.authority.fetch(sub, asked.now).await?;
    Ok(Signed::new("application/entity-statement+jwt", jwt).to(&asked))
}
