//! `POST /backchannel-logout`: the provider says that a session ended (Back-Channel Logout 1.0 §2.5 to §2.8). A server speaks here: no
//! cookie, no form token; the signature is what counts.

use axum::Json;
use axum::extract::rejection::RawFormRejection;
use axum::extract::{RawForm, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::oauth::{Error, ErrorCode};
use crate::relying::logout::{self, LogoutError};
use crate::web::portal::PortalHouse;
use crate::web::portal::browser::once;

pub async fn obey(
    State(portal): State<PortalHouse>,
    form: Result<RawForm, RawFormRejection>,
) -> Response {
    let Some(token) = form
        .ok()
        .and_then(|RawForm(form)| once(&form, "logout_token"))
    else {
        let error = Error::invalid_request("one logout_token is expected, in a form");
        return refused(StatusCode::BAD_REQUEST, &error);
    };
    let now = portal.house.now();
    let (store, mut rng) = (&portal.house.store, portal.house.rng());
    match logout::obey(&portal.party, store, &mut rng, &token, now).await {
        Ok(_) => answer(StatusCode::OK, json!({})),
        Err(LogoutError::Refused(reason)) => {
            refused(StatusCode::BAD_REQUEST, &Error::invalid_request(reason))
        }
        Err(LogoutError::Unavailable(reason)) => {
            tracing::warn!(reason, "a logout token could not be checked");
            let error = Error::new(
                ErrorCode::TemporarilyUnavailable,
                "the token cannot be checked now; try again",
            );
            refused(StatusCode::SERVICE_UNAVAILABLE, &error)
        }
        Err(LogoutError::Store(fault)) => {
            tracing::error!(error = %fault, "a logout token could not be obeyed");
            let error = Error::new(ErrorCode::ServerError, "try again later");
            refused(StatusCode::INTERNAL_SERVER_ERROR, &error)
        }
    }
}

fn refused(status: StatusCode, error: &Error) -> Response {
    let body = json!({"error": error.code.as_str(), "error_description": error.description});
    answer(status, body)
}

/// §2.8: never cached.
fn answer(status: StatusCode, body: Value) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
