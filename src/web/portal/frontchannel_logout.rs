//! `GET /frontchannel-logout`: loaded in a frame of the provider's signed-out page (OIDC Front-Channel Logout 1.0 §2). Our cookies do not
//! reach a frame on another site; the `sid`, which only the provider and we know, names the session.

use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use url::Url;

use crate::relying::logout;
use crate::web::portal::PortalHouse;
use crate::web::portal::browser::once;

pub async fn obey(State(portal): State<PortalHouse>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let status = match (once(query.as_bytes(), "iss"), once(query.as_bytes(), "sid")) {
        (Some(iss), Some(sid)) if iss == portal.party.settings.provider && !sid.is_empty() => {
            let (store, mut rng) = (&portal.house.store, portal.house.rng());
            match logout::obey_browser(store, &mut rng, &iss, &sid, portal.house.now()).await {
                Ok(_) => StatusCode::OK,
                Err(fault) => {
                    tracing::error!(error = %fault, "a front-channel logout could not be obeyed");
                    StatusCode::INTERNAL_SERVER_ERROR
                }
            }
        }
        _ => StatusCode::BAD_REQUEST,
    };
    let mut answer = (status, Html("<!DOCTYPE html><title>logout</title>")).into_response();
    // Framed by the provider and by nobody else; §2: not kept by any cache.
    let provider = Url::parse(&portal.party.settings.provider).map_or_else(
        |_| "'none'".to_owned(),
        |url| url.origin().ascii_serialization(),
    );
    let policy = format!("default-src 'none'; frame-ancestors {provider}");
    if let Ok(policy) = HeaderValue::try_from(policy) {
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    answer
}
