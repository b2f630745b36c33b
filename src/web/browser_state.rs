//! What hidden frames may see of a login (OIDC Session Management 1.0 §3.2): a cookie that scripts can read, made from the
//! session's handle by a one-way hash, so that it changes with every login and logout and opens nothing. Kept in step with
//! the session's cookie in one place, here; what the frame does with it is in `oidc::check_session`.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::cookies;
use super::house::House;
use super::provider_house::Provider;
use crate::crypto::thumb;

/// Read by script, therefore never more than a hash.
pub const COOKIE: &str = "hefu_state";

/// The state of the browser that sends `headers`; empty when nobody is logged in.
pub fn of(house: &House, headers: &HeaderMap) -> String {
    cookies::read(headers, house, cookies::SESSION).map_or_else(String::new, hashed)
}

fn hashed(handle: &str) -> String {
    thumb(format!("hefu browser state\n{handle}").as_bytes())
}

/// Lets the state follow the session's cookie. Both must reach frames on other sites' pages, so the session's cookie is set
/// without `Lax` while session management is on: every form of ours has its own token against other sites.
pub async fn follow(State(provider): State<Provider>, request: Request, next: Next) -> Response {
    if !provider.settings.session_management {
        return next.run(request).await;
    }
    let house = &provider.house;
    let held = of(house, request.headers());
    let shown = cookies::read(request.headers(), house, COOKIE)
        .unwrap_or_default()
        .to_owned();
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    if let Some(handle) = replaced(house, headers) {
        let state = if handle.is_empty() {
            handle
        } else {
            hashed(&handle)
        };
        headers.append(header::SET_COOKIE, state_cookie(house, &state));
    } else if held != shown && is_private(headers) {
        headers.append(header::SET_COOKIE, state_cookie(house, &held));
    }
    answer
}

/// Sets the session's cookie anew where the answer sets it, for other sites' frames too; says its value.
fn replaced(house: &House, headers: &mut HeaderMap) -> Option<String> {
    let name = house.cookie_name(cookies::SESSION);
    let cookies: Vec<HeaderValue> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .cloned()
        .collect();
    let value_of = |cookie: &HeaderValue| {
        let (found, rest) = cookie.to_str().ok()?.split_once('=')?;
        (found == name).then(|| rest.split(';').next().unwrap_or_default().to_owned())
    };
    let handle = cookies.iter().find_map(value_of)?;
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        let cookie = match value_of(&cookie) {
            Some(value) => {
                let age = value.is_empty().then_some(0);
                cookies::set_for_frames(house, cookies::SESSION, &value, age, false)
            }
            None => cookie,
        };
        headers.append(header::SET_COOKIE, cookie);
    }
    Some(handle)
}

fn state_cookie(house: &House, state: &str) -> HeaderValue {
    let age = state.is_empty().then_some(0);
    cookies::set_for_frames(house, COOKIE, state, age, true)
}

/// A cookie in an answer that others may be given from a cache would be theirs.
fn is_private(headers: &HeaderMap) -> bool {
    headers
        .get(header::CACHE_CONTROL)
        .is_some_and(|value| value.as_bytes().starts_with(b"no-store"))
}
