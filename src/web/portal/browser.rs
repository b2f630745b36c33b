//! The browser as the portal knows it: a secret that binds logins and forms to it, and the handle of its session. Both are cookies of this
//! portal alone; neither says anything about who somebody is.

use axum::response::AppendHeaders;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName};

use crate::clock::UnixTime;
use crate::random::Rng;
use crate::web::portal::PortalHouse;

const FORM: &str = "portal.form";
/// Seconds that a form may stay open.
const FORM_LIFETIME: i64 = 12 * 3600;

/// The cookies of one request.
#[derive(Debug)]
pub struct Browser {
    secret: Option<String>,
    session: Option<String>,
}

/// Headers that set cookies.
pub type Cookies = AppendHeaders<Vec<(HeaderName, String)>>;

impl Browser {
    pub fn of(house: &PortalHouse, headers: &HeaderMap) -> Self {
        // Both are 43 characters of our own making; anything else is no cookie of ours.
        let ours = |name: &str| {
            cookie(headers, name)
                .filter(|value| value.len() == 43)
                .map(str::to_owned)
        };
        Self {
            secret: ours(&name_of(house, "portal_browser")),
            session: ours(&name_of(house, "portal_session")),
        }
    }

    /// The secret that logins under way are bound to.
    pub fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    /// The handle of the session, if the browser has one.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// A token for the forms of a page, and the cookie it is bound to where the browser has none yet.
    pub fn form(&self, house: &PortalHouse, rng: &mut Rng, now: UnixTime) -> (String, Cookies) {
        let (secret, cookies) = match &self.secret {
            Some(secret) => (secret.clone(), Vec::new()),
            None => {
                let secret = rng.token();
                let cookie = set(house, "portal_browser", &secret);
                (secret, vec![cookie])
            }
        };
        let token = house
            .house
            .sealer
            .seal(FORM, &secret, now.plus(FORM_LIFETIME), b"");
        (token, AppendHeaders(cookies))
    }

    /// Whether a form was ours and shown in this browser; then the browser's secret.
    pub fn posted(&self, house: &PortalHouse, form: &[u8], now: UnixTime) -> Option<&str> {
        let secret = self.secret()?;
        let token = once(form, "csrf_token")?;
        house.house.sealer.open(FORM, secret, now, &token)?;
        Some(secret)
    }
}

/// The cookie that holds a new session.
pub fn begin(house: &PortalHouse, handle: &str) -> Cookies {
    AppendHeaders(vec![set(house, "portal_session", handle)])
}

/// Takes the session's cookie away.
pub fn end(house: &PortalHouse) -> Cookies {
    let (header, mut cookie) = set(house, "portal_session", "");
    cookie.push_str("; Max-Age=0");
    AppendHeaders(vec![(header, cookie)])
}

/// The only value of `name` in a form; none when it is missing or repeated.
pub fn once(form: &[u8], name: &str) -> Option<String> {
    let mut values = url::form_urlencoded::parse(form).filter(|(n, _)| n == name);
    let value = values.next()?.1.into_owned();
    values.next().is_none().then_some(value)
}

fn set(house: &PortalHouse, name: &str, value: &str) -> (HeaderName, String) {
    let name = name_of(house, name);
    let secure = if house.house.plain_http {
        ""
    } else {
        "; Secure"
    };
    // Lax: the way back from the provider is a navigation from another site. No lifetime: it ends with the browser.
    (
        SET_COOKIE,
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}"),
    )
}

/// Portals that share a host below different paths keep apart by name, since `__Host-` wants `Path=/`.
fn name_of(house: &PortalHouse, name: &str) -> String {
    let mut name = house.house.cookie_name(name);
    let path = house.root();
    name.extend(
        path.chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }),
    );
    name
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(n, value)| (n == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn cookies_and_fields_are_read_strictly() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; b=2"));
        headers.append(COOKIE, HeaderValue::from_static("c=3"));
        assert_eq!(cookie(&headers, "b"), Some("2"));
        assert_eq!(cookie(&headers, "c"), Some("3"));
        assert_eq!(cookie(&headers, "d"), None);
        assert_eq!(once(b"a=1&b=%E5%90%88", "b").as_deref(), Some("合"));
        assert_eq!(once(b"a=1&a=1", "a"), None);
        assert_eq!(once(b"", "a"), None);
    }
}
