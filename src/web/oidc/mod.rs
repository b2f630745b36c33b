//! The doors of the OpenID Provider, one file per endpoint. What they decide is decided in `provider`; the doors of
//! login and of the account centre are in `web::account`.

mod authorize;
mod caller;
mod check_session;
mod consent;
mod device;
mod device_authorization;
mod exchange;
mod federation_registration;
mod interaction;
mod introspect;
mod lapsed;
pub(super) mod logout;
mod metadata;
mod par;
mod promises;
mod protected_resource;
mod read;
mod register;
mod reply;
mod revoke;
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
use crate::config;

/// The longest form that these doors read: a signed request that carries trust chains.
const BODY_LIMIT: usize = 96 * 1024;

/// What clients with certificates call (RFC 8705 §5), by the names of their metadata. Nothing else is served at the alias.
const FOR_CERTIFICATES: [(&str, &str); 3] = [
    ("token_endpoint", "/token"),
    ("pushed_authorization_request_endpoint", "/par"),
    ("userinfo_endpoint", "/userinfo"),
];

/// With those that are switched on.
fn for_certificates(
    settings: &config::provider::Provider,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    let switched = [
        (settings.revocation, ("revocation_endpoint", "/revoke")),
        (
            settings.introspection,
            ("introspection_endpoint", "/introspect"),
        ),
        (
            settings.device_grant,
            ("device_authorization_endpoint", "/device_authorization"),
        ),
    ];
    let switched = switched
        .into_iter()
        .filter_map(|(on, door)| on.then_some(door));
    FOR_CERTIFICATES.into_iter().chain(switched)
}

/// The doors for programs that hold keys or tokens.
fn for_programs(settings: &config::provider::Provider) -> Router<Provider> {
    switched(settings)
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
    for_programs(&provider.settings)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .route_layer(from_fn_with_state(Provider::clone(&provider), say_refusals))
        .with_state(provider)
}

/// All of them, below the entity's prefix.
pub fn routes(provider: Provider) -> Router {
    for_programs(&provider.settings)
        .merge(device_pages(&provider.settings))
        .route(protected_resource::PATH, get(protected_resource::describe))
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
        .merge(register::routes(&provider))
        .merge(federation_registration::routes(&provider))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .route_layer(from_fn_with_state(Provider::clone(&provider), say_refusals))
        .route_layer(from_fn_with_state(
            Provider::clone(&provider),
            browser_state::follow,
        ))
        .with_state(provider)
}

/// The building blocks that a deployment switches on or off; what is off is not there.
fn switched(settings: &config::provider::Provider) -> Router<Provider> {
    let mut router = Router::new();
    if settings.revocation {
        let door = post(revoke::revoke)
            .options(token::preflight)
            .fallback(read::wrong_method);
        router = router.route("/revoke", door);
    }
    if settings.introspection {
        let door = post(introspect::introspect).fallback(read::wrong_method);
        router = router.route("/introspect", door);
    }
    if settings.device_grant {
        let door = post(device_authorization::ask).fallback(read::wrong_method);
        router = router.route("/device_authorization", door);
    }
    router
}

/// Where people answer devices.
fn device_pages(settings: &config::provider::Provider) -> Router<Provider> {
    if !settings.device_grant {
        return Router::new();
    }
    Router::new()
        .route("/device", get(device::show).post(device::submit))
        .route("/device/done", get(device::done))
        .route(
            "/device/{sealed}",
            get(device::show_confirm).post(device::decide),
        )
}
