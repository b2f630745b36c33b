//! The token in every form that posts to us: sealed for one browser's cookie, so that another site, which cannot read the
//! cookie, cannot write the form. Nothing is stored.

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::cookies;
use super::house::House;
use crate::clock::UnixTime;
use crate::crypto::thumb;

/// The name of the form field.
pub const FIELD: &str = "csrf_token";
/// The header in which scripts send it.
pub const HEADER: &str = "x-csrf-token";

const USAGE: &str = "csrf";
/// Seconds that a form may lie open.
const LIFETIME: i64 = 12 * 3600;

/// The secret that binds this browser; made, with its cookie, when it has none.
pub fn browser(house: &House, headers: &HeaderMap) -> (String, Option<HeaderValue>) {
    if let Some(secret) = cookies::read(headers, house, cookies::BROWSER) {
        return (secret.to_owned(), None);
    }
    let secret = URL_SAFE_NO_PAD.encode(house.rng().bytes::<32>());
    let cookie = cookies::set(house, cookies::BROWSER, &secret, None);
    (secret, Some(cookie))
}

/// The token for a form shown to the browser that holds `secret`.
pub fn token(house: &House, secret: &str, now: UnixTime) -> String {
    let expires = now.plus(LIFETIME);
    house
        .sealer
        .seal(USAGE, &thumb(secret.as_bytes()), expires, b"")
}

/// Whether `sent` is a token made for the browser that sends `headers`.
pub fn fits(house: &House, headers: &HeaderMap, sent: &str, now: UnixTime) -> bool {
    cookies::read(headers, house, cookies::BROWSER).is_some_and(|secret| {
        house
            .sealer
            .open(USAGE, &thumb(secret.as_bytes()), now, sent)
            .is_some()
    })
}
