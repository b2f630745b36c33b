//! `POST /logout`: ends the session here and goes on to the provider's logout. `GET /signed-out`: back from there.

use axum::extract::{RawForm, RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use crate::relying::logout::{self, Leave};
use crate::web::page::{see_other, with_cookie};
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
    let Some(secret) = browser.posted(&portal, &form) else {
        return portal.form_not_ours(&headers);
    };
    let left = match browser.session() {
        Some(handle) => {
            let (store, mut rng) = (&portal.house.store, portal.house.rng());
            logout::leave(&portal.party, store, &mut rng, handle, secret, now).await
        }
        None => Ok(Leave::Nothing),
    };
    let answer = match left {
        Ok(Leave::ToProvider(location)) => see_other(location.as_str()),
        Ok(Leave::OnlyHere) => said(&portal, &headers, SignedOutBy::OnlyHere),
        Ok(Leave::Nothing) => see_other(&portal.path("/")),
        Err(fault) => return portal.failed(&headers, &fault.into()),
    };
    with_cookie(answer, browser::end(&portal))
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
        return see_other(&portal.path("/"));
    }
    said(&portal, &headers, SignedOutBy::Here)
}

fn said(portal: &PortalHouse, headers: &HeaderMap, by: SignedOutBy) -> Response {
    let browser = Browser::of(portal, headers);
    let (token, cookie) = browser.form(portal);
    let mut frame = portal.frame(headers, "/");
    frame.csrf = token;
    let answer = portal.show(StatusCode::OK, &PortalSignedOut { frame, by });
    match cookie {
        Some(cookie) => with_cookie(answer, cookie),
        None => answer,
    }
}
