//! What clients' metadata point to, fetched: one document at a time, by media type and size, with the time for which it may be kept.
//! Nobody holds a connection of the store meanwhile.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, EXPIRES};
use url::Url;

use crate::clock::UnixTime;
use crate::outbound::{Limits, Outbound};

/// What is expected behind an address, and how long it may be kept.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Media types that are taken for it; the first is asked for.
    pub media_types: &'static [&'static str],
    pub most_bytes: usize,
    /// Seconds: not shorter and not longer than these, whatever the answer says; `usual` when it says nothing.
    pub shortest: i64,
    pub usual: i64,
    pub longest: i64,
}

/// A document, and until when it needs no other look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub text: String,
    pub until: UnixTime,
}

/// Why there is no document; for the log and the registering engineer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// Fetches `url`, its fragment left out.
pub async fn fetch(
    outbound: &Outbound,
    url: &Url,
    kind: Kind,
    now: UnixTime,
) -> Result<Fetched, Unreadable> {
    let limits = Limits {
        time: Duration::from_secs(5),
        body: kind.most_bytes,
    };
    let mut address = url.clone();
    address.set_fragment(None);
    let answer = outbound
        .get(&address, &kind.media_types.join(", "), &limits)
        .await
        .map_err(|e| Unreadable(e.to_string()))?;
    if answer.status() != http::StatusCode::OK {
        return Err(Unreadable(format!("it was answered {}", answer.status())));
    }
    let header = |name| answer.headers().get(name).and_then(|v| v.to_str().ok());
    let media_type = header(CONTENT_TYPE)
        .and_then(|v| v.split(';').next())
        .unwrap_or_default()
        .trim();
    if !kind
        .media_types
        .iter()
        .any(|known| media_type.eq_ignore_ascii_case(known))
    {
        return Err(Unreadable(
            "it was answered with another media type".to_owned(),
        ));
    }
    let wished = lifetime(header(CACHE_CONTROL), header(EXPIRES), now).unwrap_or(kind.usual);
    let until = now.plus(wished.clamp(kind.shortest, kind.longest));
    let text = String::from_utf8(answer.into_body())
        .map_err(|_| Unreadable("the answer is not text".to_owned()))?;
    Ok(Fetched { text, until })
}

/// Seconds for which the answer may be kept (RFC 9111 §5.2.2, §5.3), if it says so.
fn lifetime(cache_control: Option<&str>, expires: Option<&str>, now: UnixTime) -> Option<i64> {
    let directives = cache_control.unwrap_or_default().split(',').map(str::trim);
    let mut max_age = None;
    for directive in directives {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Some(0);
        }
        if name.eq_ignore_ascii_case("max-age") {
            max_age = value.trim_matches('"').parse().ok();
        }
    }
    max_age.or_else(|| {
        let at = jiff::fmt::rfc2822::parse(expires?).ok()?;
        Some(at.timestamp().as_second().saturating_sub(now.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_says_of_its_life() {
        let now = UnixTime(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        for (cache_control, expires, seconds) in [
            (None, None, None),
            (Some("public, max-age=300"), None, Some(300)),
            (Some("Max-Age=\"60\""), None, Some(60)),
            (Some("max-age=60, no-store"), None, Some(0)),
            (Some("no-cache"), None, Some(0)),
            (Some("public"), None, None),
            (Some("max-age=x"), None, None),
            (None, Some("Sun, 06 Nov 1994 08:59:37 GMT"), Some(600)),
            (None, Some("0"), None),
            (
                Some("max-age=1"),
                Some("Sun, 06 Nov 1994 08:59:37 GMT"),
                Some(1),
            ),
        ] {
            assert_eq!(
                lifetime(cache_control, expires, now),
                seconds,
                "{cache_control:?} {expires:?}"
            );
        }
    }
}
