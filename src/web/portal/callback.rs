//! `GET /callback`: back from the provider (`response_mode=query`).

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue};

use crate::relying::{Answer, LoginError, callback};
use crate::web::page::{see_other, with_cookie};
use crate::web::portal::PortalHouse;
use crate::web::portal::browser::{self, Browser};

pub async fn finish(
    State(portal): State<PortalHouse>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    match opened(&portal, &headers, query.as_deref().unwrap_or_default()).await {
        // The redirect takes code and state out of the address bar.
        Ok((cookie, target)) => {
            let home = portal.path("/");
            with_cookie(see_other(target.as_deref().unwrap_or(&home)), cookie)
        }
        Err(error) => portal.failed(&headers, &error),
    }
}

async fn opened(
    portal: &PortalHouse,
    headers: &HeaderMap,
    query: &str,
) -> Result<(HeaderValue, Option<String>), LoginError> {
    let browser = Browser::of(portal, headers);
    let answer = Answer::parse(query)?;
    let secret = browser.secret().ok_or(LoginError::NotUnderWay)?;
    let finished = callback::finish(
        &portal.party,
        &portal.house.store,
        &mut portal.house.rng(),
        portal.house.now(),
        answer,
        secret,
        browser.session(),
    )
    .await?;
    let cookie = browser::begin(portal, finished.handle.reveal());
    Ok((cookie, finished.target))
}
