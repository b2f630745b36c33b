//! Pages as answers: the frame around them, and the page for every way in which a login can fail.

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use url::Url;

use crate::oauth::{Error, ErrorCode};
use crate::relying::LoginError;
use crate::web::page::page_leading_to;
use crate::web::portal::PortalHouse;
use crate::web::preferences::Preferences;
use crate::web::view::error::{ErrorKind, ErrorPage};
use crate::web::view::{Frame, Page, Place, Way};

impl PortalHouse {
    /// The entity's own path, without a slash at its end.
    pub fn root(&self) -> String {
        Url::parse(&self.house.id)
            .map(|url| url.path().trim_end_matches('/').to_owned())
            .unwrap_or_default()
    }

    /// The address of `path` at this portal, for links and redirects.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.root())
    }

    pub fn frame(&self, headers: &HeaderMap, here: &str) -> Frame {
        let preferences = Preferences::of(headers);
        let mut frame = Frame::new(Place::Portal, self.brand.clone());
        frame.language = preferences.language(None);
        frame.elder = preferences.elder();
        frame.root = self.root();
        frame.here = self.path(here);
        frame
    }

    /// A page; its forms post to us, and the redirect that answers goes to the provider.
    pub fn show(&self, status: StatusCode, page: &dyn Page) -> Response {
        page_leading_to(status, page, &[&self.party.settings.provider])
    }

    /// Why nobody was signed in, in words, with the way to try again. The log gets the cause under the same reference number.
    pub fn failed(&self, headers: &HeaderMap, error: &LoginError) -> Response {
        let (kind, status, wire) = told(error);
        self.refused(headers, kind, status, &wire, Some(error))
    }

    /// A form that was not shown by us in this browser.
    pub fn form_not_ours(&self, headers: &HeaderMap) -> Response {
        let wire = (
            ErrorCode::InvalidRequest.as_str().to_owned(),
            Some("The form token is missing or belongs to another browser".to_owned()),
        );
        self.refused(
            headers,
            ErrorKind::FormNotOurs,
            StatusCode::FORBIDDEN,
            &wire,
            None,
        )
    }

    fn refused(
        &self,
        headers: &HeaderMap,
        kind: ErrorKind,
        status: StatusCode,
        (code, description): &(String, Option<String>),
        cause: Option<&LoginError>,
    ) -> Response {
        let reference = self.house.rng().digits(10);
        if let Some(cause) = cause {
            if status == StatusCode::INTERNAL_SERVER_ERROR {
                tracing::error!(reference, error = %cause, "a login failed by a fault");
            } else {
                tracing::info!(reference, error = %cause, "a login did not succeed");
            }
        }
        // Codes and states stand in the address of a failed return: the switches lead home instead.
        let frame = self.frame(headers, "/");
        let back = Some(Way {
            name: frame.brand_name(),
            url: self.path("/"),
        });
        let page = ErrorPage {
            frame,
            kind,
            code: code.clone(),
            description: description.clone(),
            reference,
            back,
        };
        self.show(status, &page)
    }
}

/// What the citizen reads, with which status, and what stands in it for the engineer.
fn told(error: &LoginError) -> (ErrorKind, StatusCode, (String, Option<String>)) {
    let ours = |code: ErrorCode, description: &'static str| {
        (code.as_str().to_owned(), Some(description.to_owned()))
    };
    match error {
        LoginError::Untrusted(_) => (
            ErrorKind::LoginFailed,
            StatusCode::BAD_GATEWAY,
            ours(
                ErrorCode::InvalidTrustChain,
                "The provider's trust chain does not hold",
            ),
        ),
        LoginError::Unreachable(_) => (
            ErrorKind::Unavailable,
            StatusCode::BAD_GATEWAY,
            ours(
                ErrorCode::TemporarilyUnavailable,
                "The provider does not answer",
            ),
        ),
        LoginError::Malformed(what) => (
            ErrorKind::LoginFailed,
            StatusCode::BAD_REQUEST,
            (
                ErrorCode::InvalidRequest.as_str().to_owned(),
                Some(format!("The authorization response is faulty: {what}")),
            ),
        ),
        LoginError::NotUnderWay => (
            ErrorKind::LoginExpired,
            StatusCode::BAD_REQUEST,
            ours(
                ErrorCode::InvalidRequest,
                "state is unknown, used, expired or of another browser",
            ),
        ),
        LoginError::WrongIssuer => (
            ErrorKind::LoginFailed,
            StatusCode::BAD_REQUEST,
            ours(
                ErrorCode::InvalidIssuer,
                "iss is missing or not the provider that was asked",
            ),
        ),
        LoginError::Denied => (
            ErrorKind::Refused,
            StatusCode::FORBIDDEN,
            (ErrorCode::AccessDenied.as_str().to_owned(), None),
        ),
        LoginError::LevelNotReached => (
            ErrorKind::LevelNotReached,
            StatusCode::FORBIDDEN,
            (
                ErrorCode::UnmetAuthenticationRequirements
                    .as_str()
                    .to_owned(),
                None,
            ),
        ),
        LoginError::Refused { code, description } => (
            ErrorKind::LoginFailed,
            StatusCode::BAD_GATEWAY,
            (
                registered(code),
                description.as_deref().map(|text| {
                    let short: String = text.chars().take(200).collect();
                    Error::invalid_request(short).description.into_owned()
                }),
            ),
        ),
        LoginError::Invalid(_) => (
            ErrorKind::LoginFailed,
            StatusCode::BAD_GATEWAY,
            ours(
                ErrorCode::InvalidToken,
                "The provider's answer did not pass its checks",
            ),
        ),
        LoginError::Sign(_) | LoginError::Store(_) => (
            ErrorKind::Internal,
            StatusCode::INTERNAL_SERVER_ERROR,
            (ErrorCode::ServerError.as_str().to_owned(), None),
        ),
    }
}

/// A stranger's error code, if it looks like one.
fn registered(code: &str) -> String {
    let plausible = !code.is_empty()
        && code.len() <= 64
        && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if plausible {
        code.to_owned()
    } else {
        ErrorCode::ServerError.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_words_are_tamed() {
        let error = LoginError::Refused {
            code: "<script>".to_owned(),
            description: Some("a\u{202e}\"b".to_owned() + &"x".repeat(500)),
        };
        let (_, _, (code, description)) = told(&error);
        assert_eq!(code, "server_error");
        let description = description.unwrap();
        assert!(description.starts_with("a??b") && description.len() == 200);
        assert_eq!(registered("login_required"), "login_required");
    }
}
