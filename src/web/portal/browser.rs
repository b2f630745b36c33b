//! The browser as the portal knows it: a secret that binds logins and forms to it, and the handle of its session. Both are cookies of this
//! portal alone; neither says anything about who somebody is.

use http::{HeaderMap, HeaderValue};

use crate::web::cookies;
use crate::web::portal::PortalHouse;

const BROWSER: &str = "portal_browser";
const SESSION: &str = "portal_session";

const FORM: &str = "portal.form";
/// Seconds that a form may stay open.
const FORM_LIFETIME: i64 = 12 * 3600;

/// The cookies of one request.
#[derive(Debug)]
pub struct Browser {
    secret: Option<String>,
    session: Option<String>,
}

impl Browser {
    pub fn of(portal: &PortalHouse, headers: &HeaderMap) -> Self {
        // Both are 43 characters of our own making; anything else is no cookie of ours.
        let ours = |name: &str| {
            cookies::read(headers, &portal.house, &name_of(portal, name))
                .filter(|value| value.len() == 43)
                .map(str::to_owned)
        };
        Self {
            secret: ours(BROWSER),
            session: ours(SESSION),
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
    pub fn form(&self, portal: &PortalHouse) -> (String, Option<HeaderValue>) {
        let house = &portal.house;
        let (secret, cookie) = match &self.secret {
            Some(secret) => (secret.clone(), None),
            None => {
                let secret = house.rng().token();
                let cookie = cookies::set(house, &name_of(portal, BROWSER), &secret, None);
                (secret, Some(cookie))
            }
        };
        let expires_at = house.now().plus(FORM_LIFETIME);
        (house.sealer.seal(FORM, &secret, expires_at, b""), cookie)
    }

    /// Whether a form was ours and shown in this browser; then the browser's secret.
    pub fn posted(&self, portal: &PortalHouse, form: &[u8]) -> Option<&str> {
        let secret = self.secret()?;
        let token = once(form, "csrf_token")?;
        let house = &portal.house;
        house.sealer.open(FORM, secret, house.now(), &token)?;
        Some(secret)
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
