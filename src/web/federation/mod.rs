//! The doors of OpenID Federation 1.0 §8 and §9. Every role serves its entity configuration; authorities also fetch,
//! list and resolve. Requests come without client authentication, so by GET only (§8.8); what is answered is public.

mod answer;
mod configuration;
mod fetch;
pub mod home;
mod list;
mod query;
mod resolve;

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::routing::get;
use tower_http::cors::{Any, CorsLayer};

use crate::clock::Clock;
use crate::federation::{Authority, Publisher};

/// What the doors need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FederationState {
    pub clock: Arc<dyn Clock>,
    pub publisher: Arc<Publisher>,
    /// Of an anchor or an intermediate.
    pub authority: Option<Arc<Authority>>,
}

/// The routes of one entity, to be merged into its router. Paths are relative to the entity's own prefix.
pub fn routes(state: FederationState) -> Router {
    let mut router = Router::new().route("/.well-known/openid-federation", get(configuration::get));
    if let Some(authority) = &state.authority {
        let doors = Router::new()
            .route("/federation/fetch", get(fetch::get))
            .route("/federation/list", get(list::get))
            .route("/federation/resolve", get(resolve::get))
            .with_state(AuthorityState {
                clock: Arc::clone(&state.clock),
                authority: Arc::clone(authority),
            });
        return router_with(router.with_state(state).merge(doors));
    }
    router = router.route("/federation/{*path}", get(answer::not_an_authority));
    router_with(router.with_state(state))
}

/// Public, signed or informational: readable from any page.
fn router_with(router: Router) -> Router {
    router
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(
            CorsLayer::new()
                .allow_origin(Any)
                .allow_methods([Method::GET]),
        )
}

#[derive(Debug, Clone)]
struct AuthorityState {
    clock: Arc<dyn Clock>,
    authority: Arc<Authority>,
}
