//! The doors of OpenID Federation 1.0 §8 and §9. Every role serves its entity configuration and the keys it had; authorities
//! also fetch, list, resolve, and give trust marks. What is answered is public; where callers must say who they are, and in the
//! drafts that are off at first, stands in `[entity.authority]`.

mod answer;
mod asked;
mod collection;
mod configuration;
mod extended_list;
mod fetch;
mod historical_keys;
pub mod home;
pub mod joining;
mod list;
pub mod map;
mod query;
mod resolve;
mod trust_mark;
mod trust_mark_list;
mod trust_mark_status;

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, get, on};
use tower_http::cors::{Any, CorsLayer};

use crate::clock::Clock;
use crate::config::authority::{AuthMethod, Endpoint};
use crate::federation::{Authority, History, Publisher};

/// What the doors need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FederationState {
    pub clock: Arc<dyn Clock>,
    pub publisher: Arc<Publisher>,
    /// Of whoever has keys of its own.
    pub history: Option<Arc<History>>,
    /// Of an anchor or an intermediate.
    pub authority: Option<Arc<Authority>>,
}

/// The routes of one entity, to be merged into its router. Paths are relative to the entity's own prefix.
pub fn routes(state: FederationState) -> Router {
    let mut router = Router::new().route("/.well-known/openid-federation", get(configuration::get));
    if let Some(history) = &state.history {
        let told = historical_keys::State {
            clock: Arc::clone(&state.clock),
            history: Arc::clone(history),
        };
        let door = get(historical_keys::answer).with_state(told);
        router = router.route("/federation/historical_keys", door);
    }
    if let Some(authority) = &state.authority {
        let mut doors = Router::new();
        for endpoint in authority.endpoints() {
            let path = format!("/federation/{}", endpoint.as_str());
            doors = doors.route(&path, door(endpoint, authority));
        }
        let doors = doors.with_state(AuthorityState {
            clock: Arc::clone(&state.clock),
            authority: Arc::clone(authority),
        });
        return router_with(router.with_state(state).merge(doors));
    }
    router = router.route("/federation/{*path}", get(answer::not_an_authority));
    router_with(router.with_state(state))
}

/// POST is there only for those who may authenticate with it (§8.8).
fn door(endpoint: Endpoint, authority: &Authority) -> MethodRouter<AuthorityState> {
    let methods = authority.auth_methods(endpoint);
    let mut filter = if endpoint == Endpoint::TrustMarkStatus {
        MethodFilter::POST
    } else {
        MethodFilter::GET
    };
    if methods.contains(&AuthMethod::PrivateKeyJwt) {
        filter = filter.or(MethodFilter::POST);
    }
    match endpoint {
        Endpoint::Fetch => on(filter, fetch::answer),
        Endpoint::List => on(filter, list::answer),
        Endpoint::Resolve => on(filter, resolve::answer),
        Endpoint::TrustMarkStatus => on(filter, trust_mark_status::answer),
        Endpoint::TrustMarkList => on(filter, trust_mark_list::answer),
        Endpoint::TrustMark => on(filter, trust_mark::answer),
        Endpoint::ExtendedList => on(filter, extended_list::answer),
        Endpoint::Collection => on(filter, collection::answer),
    }
}

/// Public, signed or informational: readable from any page.
fn router_with(router: Router) -> Router {
    router
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(
            CorsLayer::new()
                .allow_origin(Any)
                .allow_methods([Method::GET, Method::POST]),
        )
}

#[derive(Debug, Clone)]
struct AuthorityState {
    clock: Arc<dyn Clock>,
    authority: Arc<Authority>,
}
