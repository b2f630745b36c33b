//! `GET /`: which service do I want, and, when signed in, what did this portal learn of me? Only what validated tokens told is shown.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use url::Url;

use crate::relying::session::{EndedBy, Live, Session};
use crate::web::portal::PortalHouse;
use crate::web::portal::browser::{self, Browser};
use crate::web::view::portal::{PortalHome, PortalSignedOut, SignedOutBy, Visitor};
use crate::web::view::{Hop, Page};

pub async fn show(State(portal): State<PortalHouse>, headers: HeaderMap) -> Response {
    let now = portal.house.now();
    let browser = Browser::of(&portal, &headers);
    let session = match find(&portal, &browser).await {
        Ok(session) => session,
        Err(fault) => return portal.failed(&headers, &fault.into()),
    };
    let (token, cookies) = browser.form(&portal, &mut portal.house.rng(), now);
    let mut frame = portal.frame(&headers, "/");
    frame.csrf = token;
    match session {
        // Said once; the next visit finds the front page.
        Some(Session::Ended(EndedBy::Provider)) => {
            let page = PortalSignedOut {
                frame,
                by: SignedOutBy::National,
            };
            let gone = browser::end(&portal);
            (cookies, gone, portal.show(StatusCode::OK, &page)).into_response()
        }
        Some(Session::Live(live)) => {
            let page = PortalHome {
                frame,
                region: portal.region.clone(),
                visitor: Some(visitor(live)),
            };
            answer(&portal, cookies, &page)
        }
        Some(Session::Ended(EndedBy::Here)) | None => {
            let page = PortalHome {
                frame,
                region: portal.region.clone(),
                visitor: None,
            };
            answer(&portal, cookies, &page)
        }
    }
}

fn answer(portal: &PortalHouse, cookies: browser::Cookies, page: &impl Page) -> Response {
    (cookies, portal.show(StatusCode::OK, page)).into_response()
}

/// The browser's session, if it has one.
pub async fn find(
    portal: &PortalHouse,
    browser: &Browser,
) -> Result<Option<Session>, crate::store::Error> {
    let Some(handle) = browser.session() else {
        return Ok(None);
    };
    let mut conn = portal.house.store.read().await?;
    let sealer = &*portal.house.sealer;
    Session::find(&mut conn, sealer, handle, portal.house.now()).await
}

fn visitor(live: Live) -> Visitor {
    let claims = live.received.claims;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    Visitor {
        name: text("name"),
        level: text("assurance_level"),
        number_masked: text("cn_id_number_masked"),
        acr: text("acr"),
        sub: live.sub,
        chain: live.received.chain.into_iter().map(hop).collect(),
        claims: claims
            .iter()
            .map(|(name, value)| (name.clone(), shown(value)))
            .collect(),
    }
}

fn hop(hop: crate::relying::Hop) -> Hop {
    let host = || {
        Url::parse(&hop.entity)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_else(|| hop.entity.clone())
    };
    Hop {
        name: hop.name.clone().unwrap_or_else(host),
        vouched_until: hop.vouched_until,
        entity_id: hop.entity,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
