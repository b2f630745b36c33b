//! Our cookies: what they are called, how long they live, how they are guarded. `Lax`, so that a link from a portal finds
//! the session; protocol POSTs from other sites find none and must not need one. Language and size are kept by
//! `web::preferences`, the form token by `web::csrf`.

use axum::http::{HeaderMap, HeaderValue, header};

use super::house::House;

/// Binds interactions to the browser that began them.
pub const BROWSER: &str = "hefu_browser";
/// The secret handle of the national session.
pub const SESSION: &str = "hefu_session";

/// The value of our cookie `name`, if the browser sent exactly one.
pub fn read<'h>(headers: &'h HeaderMap, house: &House, name: &str) -> Option<&'h str> {
    let name = house.cookie_name(name);
    let mut values = headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(found, _)| *found == name)
        .map(|(_, value)| value);
    let value = values.next()?;
    // Two of one name: somebody planted one.
    (values.next().is_none() && !value.is_empty() && value.len() <= 512).then_some(value)
}

/// A `Set-Cookie` for this host alone, gone with the browser's own session unless `seconds` says otherwise.
pub fn set(house: &House, name: &str, value: &str, seconds: Option<i64>) -> HeaderValue {
    let name = house.cookie_name(name);
    let age = seconds.map_or_else(String::new, |s| format!("; Max-Age={s}"));
    let secure = if house.plain_http { "" } else { "; Secure" };
    let text = format!("{name}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}");
    // Names and values are ours: base64url and digits.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// The same, sent with requests that begin at this very site alone: what operators do begins nowhere else.
pub fn set_strict(house: &House, name: &str, value: &str, seconds: Option<i64>) -> HeaderValue {
    let name = house.cookie_name(name);
    let age = seconds.map_or_else(String::new, |s| format!("; Max-Age={s}"));
    let secure = if house.plain_http { "" } else { "; Secure" };
    let text = format!("{name}={value}; Path=/{age}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// The same, sent along from frames on other sites' pages too; `readable` by script. Browsers want `Secure` for that, and take
/// it from loopback without TLS.
pub fn set_for_frames(
    house: &House,
    name: &str,
    value: &str,
    seconds: Option<i64>,
    readable: bool,
) -> HeaderValue {
    let name = house.cookie_name(name);
    let age = seconds.map_or_else(String::new, |s| format!("; Max-Age={s}"));
    let hidden = if readable { "" } else { "; HttpOnly" };
    let text = format!("{name}={value}; Path=/{age}{hidden}; SameSite=None; Secure");
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// A `Set-Cookie` that removes it.
pub fn clear(house: &House, name: &str) -> HeaderValue {
    set(house, name, "", Some(0))
}
