//! Answers of federation endpoints: signed objects with their media types, and the errors of §8.9.

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::asked::Asked;
use crate::crypto::SignError;
use crate::federation::authority::AuthorityError;
use crate::federation::history::HistoryError;
use crate::oauth::{Error, ErrorCode};

/// What intermediaries may keep: shortly, so that a dropped subordinate or a new key is seen soon; nothing, when it was said to
/// one caller or is of the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Shortly,
    Nothing,
}

impl Keep {
    fn of(asked: &Asked) -> Self {
        if asked.caller.is_some() {
            Self::Nothing
        } else {
            Self::Shortly
        }
    }

    const fn header(self) -> (HeaderName, HeaderValue) {
        let value = match self {
            Self::Shortly => "public, max-age=60",
            Self::Nothing => "no-store",
        };
        (header::CACHE_CONTROL, HeaderValue::from_static(value))
    }
}

/// A signed object under its media type (§15).
pub(super) struct Signed {
    media_type: &'static str,
    jwt: Arc<str>,
    keep: Keep,
}

impl Signed {
    pub(super) const fn new(media_type: &'static str, jwt: Arc<str>) -> Self {
        Self {
            media_type,
            jwt,
            keep: Keep::Shortly,
        }
    }

    pub(super) fn to(mut self, asked: &Asked) -> Self {
        self.keep = Keep::of(asked);
        self
    }

    pub(super) const fn fleeting(mut self) -> Self {
        self.keep = Keep::Nothing;
        self
    }
}

impl IntoResponse for Signed {
    fn into_response(self) -> Response {
        let media_type = HeaderValue::from_static(self.media_type);
        let headers = [
            (header::CONTENT_TYPE, media_type),
            self.keep.header(),
            NO_SNIFF,
        ];
        (headers, self.jwt.to_string()).into_response()
    }
}

/// A listing.
pub(super) struct Json {
    value: Value,
    keep: Keep,
}

impl Json {
    pub(super) const fn new(value: Value) -> Self {
        Self {
            value,
            keep: Keep::Shortly,
        }
    }

    pub(super) fn to(mut self, asked: &Asked) -> Self {
        self.keep = Keep::of(asked);
        self
    }
}

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        let headers = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            ),
            self.keep.header(),
            NO_SNIFF,
        ];
        (headers, self.value.to_string()).into_response()
    }
}

/// §8.9: an error of a federation endpoint.
pub(super) struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<AuthorityError> for Refusal {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::Refused(error) => Self(error),
            fault => Self::fault(&fault),
        }
    }
}

impl From<SignError> for Refusal {
    fn from(error: SignError) -> Self {
        Self::fault(&error)
    }
}

impl From<HistoryError> for Refusal {
    fn from(error: HistoryError) -> Self {
        Self::fault(&error)
    }
}

impl Refusal {
    /// Our own fault: logged once, here; the caller learns only that it was ours.
    fn fault(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "a federation endpoint failed");
        Self(Error::new(
            ErrorCode::ServerError,
            "the server failed to answer; try again later",
        ))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Error { code, description } = self.0;
        let status = match code {
            ErrorCode::InvalidClient => StatusCode::UNAUTHORIZED,
            ErrorCode::InvalidIssuer
            | ErrorCode::InvalidSubject
            | ErrorCode::InvalidTrustAnchor
            | ErrorCode::NotFound
            | ErrorCode::PageNotFound => StatusCode::NOT_FOUND,
            ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        let headers = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            ),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            NO_SNIFF,
        ];
        let body = json!({"error": code.as_str(), "error_description": description});
        (status, headers, body.to_string()).into_response()
    }
}

/// Leaves have no subordinates.
pub(super) async fn not_an_authority() -> Refusal {
    Error::new(ErrorCode::NotFound, "this entity has no subordinates").into()
}

/// §8.8: GET without client authentication, POST with it; a status by POST.
pub(super) async fn wrong_method() -> Response {
    let refusal: Refusal = Error::invalid_request("this address takes another method").into();
    (StatusCode::METHOD_NOT_ALLOWED, refusal).into_response()
}

const NO_SNIFF: (HeaderName, HeaderValue) = (
    header::X_CONTENT_TYPE_OPTIONS,
    HeaderValue::from_static("nosniff"),
);
