//! The doors by which entities ask an authority for something: `/federation/join` for being vouched for, as a page and for programs, and
//! `/federation/change-keys` for other keys. What is asked of them is `federation::joining`'s; here a request is counted, its host
//! asked, its answer told, and nothing decided.

mod asking;
mod keys;
mod page;
mod program;
mod told;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use serde_json::Value;

use super::home::AuthorityHouse;
use crate::federation::EntityId;
use crate::federation::resolve::Resolver;

/// Bytes of a request.
const LIMIT: usize = 64 * 1024;

/// What the doors need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct JoiningHouse {
    pub front: AuthorityHouse,
    pub id: EntityId,
    /// Asks hosts for what they say of themselves, and knows what stands above us.
    pub resolver: Arc<Resolver>,
    /// What an approval gives unless the operator says another.
    pub policy: Option<Value>,
}

pub fn routes(joining: JoiningHouse) -> Router {
    // Keys change where nobody may ask to join as well: whoever is vouched for needs it.
    let mut router = Router::new().route("/federation/change-keys", post(keys::ask));
    if joining.front.joining {
        router = router.route("/federation/join", get(page::show).post(program::ask));
    }
    router
        .route(
            "/federation/join/{reference}",
            get(told::show).post(told::withdraw).delete(told::withdraw),
        )
        .layer(DefaultBodyLimit::max(LIMIT))
        .with_state(joining)
}
