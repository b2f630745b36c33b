//! `/federation/trust_mark` (§8.6): a mark that this authority gave, for its bearer to show.

use axum::extract::{Request, State};

use super::AuthorityState;
use super::answer::{Refusal, Signed};
use super::asked::Asked;
use crate::config::authority::Endpoint;

pub(super) async fn answer(
    State(state): State<AuthorityState>,
    request: Request,
) -> Result<Signed, Refusal> {
    let asked = Asked::read(&state, Endpoint::TrustMark, request).await?;
    let trust_mark_type = asked.query.required("trust_mark_type")?;
    let sub = asked.query.required("sub")?;
    let jwt = state
        .authority
        .trust_mark(trust_mark_type, sub, asked.now)
        .await?;
    Ok(Signed::new("application/trust-mark+jwt", jwt).to(&asked))
}
