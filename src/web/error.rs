//! An error as an answer: a page for people, JSON for programs. The log holds the cause under the reference that the page
//! shows; causes never leave the house.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::house::House;
use super::page::page;
use super::view::error::{ErrorKind, ErrorPage};
use super::view::{Frame, Way};
use crate::crypto::{DecryptError, SignError};
use crate::oauth::{Error, ErrorCode};
use crate::store;

/// A fault of ours, never of the request: a database that fails, a key that does not sign.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(transparent)]
    Decrypt(#[from] DecryptError),
}

impl Fault {
    /// What the outside is told.
    pub fn told() -> Error {
        Error::new(
            ErrorCode::ServerError,
            "a fault of this server; please try again",
        )
    }

    /// Logs the fault under `reference`, once, at the door.
    pub fn log(&self, reference: &str) {
        tracing::error!(reference, error = %self, "a request failed");
    }
}

/// By which the help desk finds the log entry: the request's id.
pub fn reference(house: &House, headers: &HeaderMap) -> String {
    headers
        .get("x-request-id")
        .and_then(|value| value.to_str().ok())
        .filter(|id| id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        .map_or_else(|| house.rng().id(""), str::to_owned)
}

/// The page, with the status that fits.
pub fn error_page(
    frame: Frame,
    kind: ErrorKind,
    error: &Error,
    reference: String,
    back: Option<Way>,
) -> Response {
    tracing::info!(reference, code = %error.code, description = %error.description, "an error page was shown");
    let status = match kind {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::FormNotOurs => StatusCode::FORBIDDEN,
        ErrorKind::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    let shown = ErrorPage {
        frame,
        kind,
        code: error.code.as_str().to_owned(),
        description: Some(error.description.clone().into_owned()),
        reference,
        back,
    };
    page(status, &shown)
}

/// Says when to come back (RFC 6585 §4).
pub fn retry_after(mut answer: Response, seconds: i64) -> Response {
    answer
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    answer
}

/// RFC 6749 §5.2: JSON, never stored; 401 for `invalid_client` alone.
pub fn error_json(error: &Error) -> Response {
    let status = match error.code {
        ErrorCode::InvalidClient => StatusCode::UNAUTHORIZED,
        ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    json_answer(
        status,
        &json!({"error": error.code.as_str(), "error_description": error.description}),
    )
}

/// A JSON answer of a protocol endpoint: never stored.
pub fn json_answer(status: StatusCode, body: &serde_json::Value) -> Response {
    unstored(status, "application/json", body.to_string())
}

/// An answer that is itself a JWT (OIDC Core 5.3.2): never stored.
pub fn jwt_answer(jwt: String) -> Response {
    unstored(StatusCode::OK, "application/jwt", jwt)
}

fn unstored(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut answer = (status, body).into_response();
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::PRAGMA, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}
