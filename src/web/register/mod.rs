//! Development only: a stand-in for the population register (`/api/match`) and for the SMS gateway (`/sms`, read at `/outbox`). It knows the
//! synthetic people of `identity::synthetic` and nobody else, and can be told to be slow or to fail (`/api/control`). No real service
//! looks like this: it has no authentication, and shows what it was sent.

mod control;
mod home;
mod matching;
mod outbox;
pub mod store;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use url::Url;

use super::house::House;
use super::preferences::Preferences;
use super::view::{Frame, Place};
use crate::brand::STAND_IN;

/// The doors. The people are put into the store by `store::seed` beforehand.
pub fn routes(house: House) -> Router {
    Router::new()
        .route("/", get(home::show))
        .route("/api/match", post(matching::answer))
        .route("/api/control", get(control::show).post(control::change))
        .route("/sms", post(outbox::accept))
        .route("/outbox", get(outbox::show))
        .route("/outbox.json", get(outbox::list))
        .layer(DefaultBodyLimit::max(16 * 1024))
        .with_state(house)
}

/// The frame of a page of the stand-in.
pub fn frame(house: &House, headers: &HeaderMap, here: &str) -> Frame {
    let preferences = Preferences::of(headers);
    let mut frame = Frame::new(Place::StandIn, STAND_IN.brand.clone());
    frame.language = preferences.language(None);
    frame.elder = preferences.elder();
    frame.root = Url::parse(&house.id)
        .map(|id| id.path().trim_end_matches('/').to_owned())
        .unwrap_or_default();
    frame.here = format!("{}{here}", frame.root);
    frame
}

/// The database of the stand-in failed.
fn broken(error: &crate::store::Error) -> axum::response::Response {
    use axum::response::IntoResponse;
    tracing::error!(%error, "the register's stand-in failed");
    axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
