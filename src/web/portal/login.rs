//! `POST /login`: to the provider, with a signed request.

use axum::extract::{RawForm, State};
use axum::response::Response;
use http::HeaderMap;

use crate::relying::login::{self, Wish};
use crate::web::page::see_other;
use crate::web::portal::PortalHouse;
use crate::web::portal::browser::Browser;

pub async fn start(
    State(portal): State<PortalHouse>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Response {
    let now = portal.house.now();
    let browser = Browser::of(&portal, &headers);
    let Some(secret) = browser.posted(&portal, &form) else {
        return portal.form_not_ours(&headers);
    };
    let wish = Wish {
        language: portal.frame(&headers, "/").language.tag(),
        ..Wish::default()
    };
    let (store, mut rng) = (&portal.house.store, portal.house.rng());
    match login::start(&portal.party, store, &mut rng, now, secret, &wish).await {
        Ok(location) => see_other(location.as_str()),
        Err(error) => portal.failed(&headers, &error),
    }
}
