//! `POST /federation/trust_mark_status` (§8.4): whether a mark of ours still holds.

use axum::extract::{Request, State};

use super::AuthorityState;
use super::answer::{Refusal, Signed};
use super::asked::Asked;
use crate::config::authority::Endpoint;

pub(super) async fn answer(
    State(state): State<AuthorityState>,
    request: Request,
) -> Result<Signed, Refusal> {
    let asked = Asked::read(&state, Endpoint::TrustMarkStatus, request).await?;
    let mark = asked.query.required("trust_mark")?;
    let jwt = state.authority.trust_mark_status(mark, asked.now).await?;
    Ok(Signed::new("application/trust-mark-status-response+jwt", jwt).fleeting())
}
