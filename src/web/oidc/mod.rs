//! The doors of the OpenID Provider, one file per endpoint. What they decide is decided in `provider`; the doors of
//! login and of the account centre are in `web::account`.

mod authorize;
mod caller;
mod check_session;
mod consent;
mod interaction;
mod logout;
mod metadata;
mod par;
mod read;
mod reply;
mod token;
mod userinfo;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

pub use metadata::{JWKS_PATH, metadata};
pub use read::{basic, form};

use super::browser_state;
use super::provider_house::{Provider, say_refusals};

/// The longest form that these doors read: a signed request that carries trust chains.
const BODY_LIMIT: usize = 96 * 1024;

/// What clients with certificates call (RFC 8705 §5), by the names of their metadata. Nothing else is served at the alias.
const FOR_CERTIFICATES: [(&str, &str); 3] = [
    ("token_endpoint", "/token"),
    ("pushed_authorization_request_endpoint", "/par"),
    ("userinfo_endpoint", "/userinfo"),
];

/// The doors for programs that hold keys or tokens.
fn for_programs() -> Router<Provider> {
    Router::new()
        .route("/par", post(par::push).fallback(read::wrong_method))
        .route(
            "/token",
            post(token::grant)
                .options(token::preflight)
                .fallback(read::wrong_method),
        )
        .route(
            "/userinfo",
            get(userinfo::by_get)
                .post(userinfo::by_post)
                .options(userinfo::preflight),
        )
}

/// The same at the alias, where clients show certificates.
pub fn alias_routes(provider: Provider) -> Router {
    for_programs()
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .route_layer(from_fn_with_state(Provider::clone(&provider), say_refusals))
        .with_state(provider)
}

/// All of them, below the entity's prefix.
pub fn routes(provider: Provider) -> Router {
    for_programs()
        .route(
            "/.well-known/openid-configuration",
            get(metadata::discovery),
        )
        .route(
            "/.well-known/oauth-authorization-server",
            get(metadata::discovery),
        )
        .route(metadata::JWKS_PATH, get(metadata::jwks))
        .route(
            "/authorize",
            get(authorize::by_get).post(authorize::by_post),
        )
        .route("/logout", get(logout::by_get).post(logout::by_post))
        .route("/logout/done", get(logout::done))
        .route(check_session::PATH, get(check_session::frame))
        .route("/interaction/{id}", get(interaction::dispatch))
        .route(
            "/interaction/{id}/consent",
            get(consent::show).post(consent::decide),
        )
        .route("/interaction/{id}/cancel", post(interaction::cancel))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .route_layer(from_fn_with_state(Provider::clone(&provider), say_refusals))
        .route_layer(from_fn_with_state(
            Provider::clone(&provider),
            browser_state::follow,
        ))
        .with_state(provider)
}
