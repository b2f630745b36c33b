//! The token in every form that posts to us: sealed for one browser's cookie, so that another site, which cannot read the
//! cookie, cannot write the form. It says whom the page was shown to, so that nobody who logs in with the same browser since
//! does what another person was asked. Nothing is stored.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use super::cookies;
use super::house::House;
use crate::clock::UnixTime;
use crate::crypto::thumb;
use crate::id::PersonId;

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

/// The token for a form shown to the browser that holds `secret`, and to `person` where the page is theirs.
pub fn token(house: &House, secret: &str, person: Option<&PersonId>, now: UnixTime) -> String {
    token_for(house, secret, person.map_or("", PersonId::as_str), now)
}

/// The same, shown to whoever has this identifier; to nobody in particular where it is empty.
pub fn token_for(house: &House, secret: &str, whom: &str, now: UnixTime) -> String {
    let expires = now.plus(LIFETIME);
    let browser = thumb(secret.as_bytes());
    house.sealer.seal(USAGE, &browser, expires, whom.as_bytes())
}

/// A form of ours.
#[derive(Debug)]
pub struct Ours {
    whom: Vec<u8>,
}

impl Ours {
    /// Whether its page was shown to `person`. The person and not their session: forms that lie open over a new login of the
    /// same person go on.
    pub fn is_for(&self, person: &PersonId) -> bool {
        self.was_shown_to(person.as_str())
    }

    /// Whether its page was shown to whoever has this identifier.
    pub fn was_shown_to(&self, whom: &str) -> bool {
        self.whom == whom.as_bytes()
    }
}

/// Reads `sent`, a token made for the browser that sends `headers`, from a page of this origin. The browser's secret stays the
/// same at a login: open interactions and login forms of other tabs hang on it, and what a login gives is the session's own
/// handle, which is always new.
pub fn open(house: &House, headers: &HeaderMap, sent: &str, now: UnixTime) -> Option<Ours> {
    if !from_here(house, headers) {
        return None;
    }
    let secret = cookies::read(headers, house, cookies::BROWSER)?;
    let browser = thumb(secret.as_bytes());
    let whom = house.sealer.open(USAGE, &browser, now, sent)?;
    Some(Ours { whom })
}

/// Whether `sent` belongs to a form of ours, whoever it was shown to.
pub fn fits(house: &House, headers: &HeaderMap, sent: &str, now: UnixTime) -> bool {
    open(house, headers, sent, now).is_some()
}

/// What the browser itself says of the page that sent the form, where it says anything: `Origin` (RFC 6454 §7; `null` says
/// nothing) and `Sec-Fetch-Site`. A second lock beside the token.
fn from_here(house: &House, headers: &HeaderMap) -> bool {
    let ours = || {
        Url::parse(&house.id)
            .is_ok_and(|id| Some(&*id.origin().ascii_serialization()) == text(headers, "origin"))
    };
    let origin_fits =
        !headers.contains_key(header::ORIGIN) || text(headers, "origin") == Some("null") || ours();
    origin_fits && text(headers, "sec-fetch-site") != Some("cross-site")
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
