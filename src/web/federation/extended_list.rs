//! `/federation/extended_list` (OpenID Federation Extended Subordinate Listing 1.0, draft 03): the immediate subordinates in
//! pages, with what is wanted to be known of them. Off unless configured.

use axum::extract::{Request, State};

use super::AuthorityState;
use super::answer::{Json, Refusal};
use super::asked::Asked;
use crate::clock::UnixTime;
use crate::config::authority::Endpoint;
use crate::federation::authority::ListFilter;
use crate::federation::authority::listing::Extended;

pub(super) async fn answer(
    State(state): State<AuthorityState>,
    request: Request,
) -> Result<Json, Refusal> {
    let asked = Asked::read(&state, Endpoint::ExtendedList, request).await?;
    let query = &asked.query;
    let wanted = Extended {
        filter: ListFilter {
            entity_types: query.several("entity_type"),
            trust_marked: query.flag("trust_marked")?,
            trust_mark_types: query.several("trust_mark_type"),
            intermediate: query.flag("intermediate")?,
        },
        page: query.page()?,
        updated_after: query.number("updated_after")?.map(UnixTime),
        updated_before: query.number("updated_before")?.map(UnixTime),
        audit_timestamps: query.flag("audit_timestamps")?,
        claims: query.several("claims"),
    };
    let listed = state.authority.extended_list(&wanted, asked.now).await?;
    Ok(Json::new(listed).to(&asked))
}
