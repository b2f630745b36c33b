//! `POST /logout`: ends the session here and goes on to the provider's logout. `GET /signed-out`: back from there.

use axum::extract::{RawForm, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};

use crate::relying::logout::{self, Leave};
use crate::web::portal::PortalHouse;
use crate::web::portal::browser::{self, Browser, once};
use crate::web::view::portal::{PortalSignedOut, SignedOutBy};

pub async fn leave(
    State(portal): State<PortalHouse>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Response {
    let now = portal.house.now();
    let browser = Browser::of(&portal, &headers);
    let Some(secret) = browser.posted(&portal, &form, now) else {
        return portal.form_not_ours(&headers);
    };
    let left = match browser.session() {
        Some(handle) => {
            let (store, mut rng) = (&portal.house.store, portal.house.rng());
            logout::leave(&portal.party, store, &mut rng, handle, secret, now).await
        }
        None => Ok(Leave::Nothing),
    };
    let gone = browser::end(&portal);
    match left {
        Ok(Leave::ToProvider(location)) => (gone, Redirect::to(location.as_str())).into_response(),
        // The session here is over all the same; the page says that the provider could not be told.
        Ok(Leave::OnlyHere) => (gone, said(&portal, &headers, SignedOutBy::OnlyHere)).into_response(),
        Ok(Leave::Nothing) => (gone, Redirect::to(&portal.path("/"))).into_response(),
        Err(fault) => portal.failed(&headers, &fault.into()),
    }
}

/// Only the return from a logout that began in this browser is greeted; everybody else sees the front page, which tells the truth.
pub async fn returned(
    State(portal): State<PortalHouse>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let now = portal.house.now();
    let browser = Browser::of(&portal, &headers);
    let state = once(query.unwrap_or_default().as_bytes(), "state");
    let began_here = match (state, browser.secret()) {
        (Some(state), Some(secret)) => logout::returned(&portal.party, &state, secret, now),
        _ => false,
    };
    if !began_here {
        return Redirect::to(&portal.path("/")).into_response();
    }
    said(&portal, &headers, SignedOutBy::Here)
}

fn said(portal: &PortalHouse, headers: &HeaderMap, by: SignedOutBy) -> Response {
    let browser = Browser::of(portal, headers);
    let (token, cookies) = browser.form(portal, &mut portal.house.rng(), portal.house.now());
    let mut frame = portal.frame(headers, "/");
    frame.csrf = token;
    let page = PortalSignedOut { frame, by };
    (cookies, portal.show(StatusCode::OK, &page)).into_response()
}
