//! The browser as the portal knows it: a secret that binds logins and forms to it, and the handle of its session. Both are cookies of this
//! portal alone; neither says anything about who somebody is.

use http::{HeaderMap, HeaderValue};

use crate::web::portal::PortalHouse;
use crate::web::{cookies, csrf};

const SESSION: &str = "portal_session";

/// The cookies of one request.
#[derive(Debug)]
pub struct Browser<'h> {
    headers: &'h HeaderMap,
    secret: Option<&'h str>,
    session: Option<String>,
}

impl<'h> Browser<'h> {
    pub fn of(portal: &PortalHouse, headers: &'h HeaderMap) -> Self {
        let house = &portal.house;
        Self {
            headers,
            secret: cookies::read(headers, house, cookies::BROWSER),
            session: cookies::read(headers, house, &name_of(portal, SESSION)).map(str::to_owned),
        }
    }

    /// The secret that logins under way are bound to.
    pub fn secret(&self) -> Option<&'h str> {
        self.secret
    }

    /// The handle of the session, if the browser has one.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// A token for the forms of a page, and the cookie it is bound to where the browser has none yet.
    pub fn form(&self, portal: &PortalHouse) -> (String, Option<HeaderValue>) {
        let house = &portal.house;
        let (secret, cookie) = csrf::browser(house, self.headers);
        (csrf::token(house, &secret, None, house.now()), cookie)
    }

    /// Whether a form was ours and shown in this browser; then the browser's secret.
    pub fn posted(&self, portal: &PortalHouse, form: &[u8]) -> Option<&'h str> {
        let (house, token) = (&portal.house, once(form, csrf::FIELD)?);
        csrf::fits(house, self.headers, &token, house.now())
            .then_some(self.secret)
            .flatten()
    }
}

/// The cookie that holds a new session. It ends with the browser, or when the row says so.
pub fn begin(portal: &PortalHouse, handle: &str) -> HeaderValue {
    cookies::set(&portal.house, &name_of(portal, SESSION), handle, None)
}

/// Takes the session's cookie away.
pub fn end(portal: &PortalHouse) -> HeaderValue {
    cookies::clear(&portal.house, &name_of(portal, SESSION))
}

/// The only value of `name` in a form; none when it is missing or repeated.
pub fn once(form: &[u8], name: &str) -> Option<String> {
    let mut values = url::form_urlencoded::parse(form).filter(|(n, _)| n == name);
    let value = values.next()?.1.into_owned();
    values.next().is_none().then_some(value)
}

/// Portals that share a host below different paths keep apart by name, since `__Host-` wants `Path=/`.
fn name_of(portal: &PortalHouse, name: &str) -> String {
    let path = portal.root();
    let path = path
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    name.chars().chain(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_strictly() {
        assert_eq!(once(b"a=1&b=%E5%90%88", "b").as_deref(), Some("合"));
        assert_eq!(once(b"a=1&a=1", "a"), None);
        assert_eq!(once(b"", "a"), None);
    }
}
