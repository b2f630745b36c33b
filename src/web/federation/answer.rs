//! Answers of federation endpoints: signed objects with their media types, and the errors of §8.9.

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::crypto::SignError;
use crate::federation::authority::AuthorityError;
use crate::oauth::{Error, ErrorCode};

/// Seconds for which intermediaries may keep an answer: short, so that a dropped subordinate or a new key is seen soon.
const MAX_AGE: &str = "public, max-age=60";

/// A signed object under its media type (§15).
pub(super) struct Signed {
    pub(super) media_type: &'static str,
    pub(super) jwt: Arc<str>,
}

impl IntoResponse for Signed {
    fn into_response(self) -> Response {
        let headers = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static(self.media_type),
            ),
            (header::CACHE_CONTROL, HeaderValue::from_static(MAX_AGE)),
            NO_SNIFF,
        ];
        (headers, self.jwt.to_string()).into_response()
    }
}

/// A listing.
pub(super) struct Json(pub(super) serde_json::Value);

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        let headers = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            ),
            (header::CACHE_CONTROL, HeaderValue::from_static(MAX_AGE)),
            NO_SNIFF,
        ];
        (headers, self.0.to_string()).into_response()
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
            | ErrorCode::NotFound => StatusCode::NOT_FOUND,
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

/// §8.8: without client authentication requests come by GET.
pub(super) async fn wrong_method() -> Response {
    let refusal: Refusal = Error::invalid_request("this address is read with GET").into();
    (StatusCode::METHOD_NOT_ALLOWED, refusal).into_response()
}

const NO_SNIFF: (HeaderName, HeaderValue) = (
    header::X_CONTENT_TYPE_OPTIONS,
    HeaderValue::from_static("nosniff"),
);
