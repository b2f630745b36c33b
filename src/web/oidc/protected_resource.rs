//! `/.well-known/oauth-protected-resource` (RFC 9728): what UserInfo, the resource that the issuer names, wants of its callers.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::metadata::cached;
use crate::provider::claims::SCOPES;
use crate::web::provider_house::Provider;

pub const PATH: &str = "/.well-known/oauth-protected-resource";

pub(super) async fn describe(State(provider): State<Provider>) -> Response {
    let scopes: Vec<&str> = SCOPES.iter().map(|(name, _)| *name).collect();
    let document = json!({
        // RFC 9728 §3.3: what tokens for it hold in `aud`.
        "resource": &*provider.house.id,
        "authorization_servers": [&*provider.house.id],
        "scopes_supported": scopes,
        // RFC 6750 §2.1 and §2.2; never in the query.
        "bearer_methods_supported": ["header", "body"],
    });
    cached("application/json", &document)
}
