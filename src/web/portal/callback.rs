//! `GET /callback`: back from the provider (`response_mode=query`).

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;

use crate::relying::{Answer, LoginError, callback};
use crate::web::portal::PortalHouse;
use crate::web::portal::browser::{self, Browser};

pub async fn finish(
    State(portal): State<PortalHouse>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    match opened(&portal, &headers, query.as_deref().unwrap_or_default()).await {
        // The redirect takes code and state out of the address bar.
        Ok(cookies) => (cookies, Redirect::to(&portal.path("/"))).into_response(),
        Err(error) => portal.failed(&headers, &error),
    }
}

async fn opened(
    portal: &PortalHouse,
    headers: &HeaderMap,
    query: &str,
) -> Result<browser::Cookies, LoginError> {
    let browser = Browser::of(portal, headers);
    let answer = Answer::parse(query)?;
    let secret = browser.secret().ok_or(LoginError::NotUnderWay)?;
    let handle = callback::finish(
        &portal.party,
        &portal.house.store,
        &mut portal.house.rng(),
        portal.house.now(),
        answer,
        secret,
        browser.session(),
    )
    .await?;
    Ok(browser::begin(portal, handle.reveal()))
}
