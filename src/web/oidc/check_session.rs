//! Session management (OIDC Session Management 1.0), while it is on: `session_state` in authorization answers, and the page
//! behind `check_session_iframe` that platforms load in a hidden frame and ask whether it still holds.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use url::Url;

use crate::crypto::thumb;
use crate::id::ClientId;
use crate::oauth::Error;
use crate::provider::answer::Reply;
use crate::web::page::with_cookie;
use crate::web::provider_house::{Provider, ProviderHouse};
use crate::web::view::error::ErrorKind;
use crate::web::{assets, browser_state, cookies};

pub(super) const PATH: &str = "/session/check";

/// §3: a hash over client, its origin, the browser's state and a salt, which the frame computes again. Sent with errors too:
/// a platform that is told `login_required` may watch for the login.
pub(super) fn session_state(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    reply: &Reply,
    client: &ClientId,
) -> Option<String> {
    if !provider.settings.session_management {
        return None;
    }
    let origin = Url::parse(&reply.to.redirect_uri).ok()?.origin();
    if !origin.is_tuple() {
        // A native app has no frames.
        return None;
    }
    let state = if reply.nobody {
        String::new()
    } else {
        browser_state::of(&provider.house, headers)
    };
    let salt = provider.house.rng().id("");
    let hashed = format!("{client} {} {state} {salt}", origin.ascii_serialization());
    Some(format!("{}.{salt}", thumb(hashed.as_bytes())))
}

/// Takes away the cookie of a session that is over; the browser's state follows.
pub(super) fn forget(provider: &ProviderHouse, headers: &HeaderMap, answer: Response) -> Response {
    let house = &provider.house;
    if provider.settings.session_management
        && cookies::read(headers, house, cookies::SESSION).is_some()
    {
        return with_cookie(answer, cookies::clear(house, cookies::SESSION));
    }
    answer
}

/// The page for frames. It shows nothing and knows nothing that the asking page does not.
pub(super) async fn frame(State(provider): State<Provider>, headers: HeaderMap) -> Response {
    if !provider.settings.session_management {
        let error = Error::invalid_request("session management is off here");
        return provider.refuse(&headers, ErrorKind::NotFound, &error);
    }
    let document = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>check session</title></head>\
         <body id=\"check-session\" data-cookie=\"{}\"><script src=\"{}{}\"></script></body></html>\n",
        provider.house.cookie_name(browser_state::COOKIE),
        provider.root(),
        assets::check_session_js(),
    );
    let mut answer = (StatusCode::OK, Html(document)).into_response();
    for (name, value) in [
        // §3.3: framed by anyone, so neither frame-ancestors nor X-Frame-Options stand here.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; form-action 'none'; base-uri 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Also by pages that admit only what says that it may be embedded.
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "cross-origin",
        ),
    ] {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    answer
}
