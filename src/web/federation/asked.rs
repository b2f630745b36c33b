//! A request at a federation endpoint (OpenID Federation 1.0 §8, §8.8): its parameters, from the query of a GET or the form of a
//! POST, and who sent it. Which of the two it is, is decided by client authentication; the status of a mark is always a POST.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{Method, header};

use super::AuthorityState;
use super::answer::Refusal;
use super::query::Query;
use crate::clock::UnixTime;
use crate::config::authority::Endpoint;
use crate::federation::EntityId;
use crate::federation::authority::Shown;
use crate::oauth::Error;

/// Bytes of a form: a trust mark and an assertion fit.
const LONGEST: usize = 64 * 1024;

/// What is asked, and by whom.
pub(super) struct Asked {
    pub(super) query: Query,
    /// Who authenticated itself.
    pub(super) caller: Option<EntityId>,
    pub(super) now: UnixTime,
}

impl Asked {
    pub(super) async fn read(
        state: &AuthorityState,
        endpoint: Endpoint,
        request: Request,
    ) -> Result<Self, Refusal> {
        let posted = request.method() == Method::POST;
        let query = if posted {
            form(request).await?
        } else {
            Query::parse(request.uri().query().unwrap_or_default().as_bytes())?
        };
        let now = state.clock.now();
        let shown = match query.single("client_assertion")? {
            Some(assertion) if posted => Some(Shown {
                assertion_type: query.single("client_assertion_type")?.unwrap_or_default(),
                assertion,
            }),
            // Not among the parameters of a GET (§8.8).
            _ => None,
        };
        if posted && shown.is_none() && endpoint != Endpoint::TrustMarkStatus {
            let text = "a POST to this endpoint needs a client_assertion; without one, use GET";
            return Err(Error::invalid_client(text).into());
        }
        let caller = state.authority.caller(endpoint, shown, now).await?;
        Ok(Self { query, caller, now })
    }
}

async fn form(request: Request) -> Result<Query, Error> {
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim();
    if !content_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let text = "the body is not application/x-www-form-urlencoded";
        return Err(Error::invalid_request(text));
    }
    let body = to_bytes(request.into_body(), LONGEST).await;
    Query::parse(&body.map_err(|_| Error::invalid_request("the body is too long"))?)
}
