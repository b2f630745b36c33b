//! `GET /`: which service do I want, and, when signed in, what did this portal learn of me? Only what validated tokens told is shown.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use url::Url;

use crate::relying::session::{EndedBy, Live, Session};
use crate::web::page::with_cookie;
use crate::web::portal::PortalHouse;
use crate::web::portal::browser::{self, Browser};
use crate::web::view::portal::{PortalHome, PortalSignedOut, SignedOutBy, Visitor};
use crate::web::view::{Hop, Language};

pub async fn show(State(portal): State<PortalHouse>, headers: HeaderMap) -> Response {
    let browser = Browser::of(&portal, &headers);
    let session = match find(&portal, &browser).await {
        Ok(session) => session,
        Err(fault) => return portal.failed(&headers, &fault.into()),
    };
    let (token, cookie) = browser.form(&portal);
    let mut frame = portal.frame(&headers, "/");
    frame.csrf = token;
    let (visitor, ended) = match session {
        Some(Session::Live(live)) => (Some(visitor(live, frame.language)), false),
        // Said once; the next visit finds the front page.
        Some(Session::Ended(EndedBy::Provider)) => (None, true),
        Some(Session::Ended(EndedBy::Here)) | None => (None, false),
    };
    let mut answer = if ended {
        let by = SignedOutBy::National;
        portal.show(StatusCode::OK, &PortalSignedOut { frame, by })
    } else {
        let page = PortalHome {
            frame,
            region: portal.region.clone(),
            visitor,
        };
        portal.show(StatusCode::OK, &page)
    };
    if ended {
        answer = with_cookie(answer, browser::end(&portal));
    }
    match cookie {
        Some(cookie) => with_cookie(answer, cookie),
        None => answer,
    }
}

/// The browser's session, if it has one.
pub async fn find(
    portal: &PortalHouse,
    browser: &Browser<'_>,
) -> Result<Option<Session>, crate::store::Error> {
    let Some(handle) = browser.session() else {
        return Ok(None);
    };
    let mut conn = portal.house.store.read().await?;
    let sealer = &*portal.house.sealer;
    Session::find(&mut conn, sealer, handle, portal.house.now()).await
}

fn visitor(live: Live, language: Language) -> Visitor {
    let claims = live.received.claims;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let chain = |hops: Vec<_>| hops.into_iter().map(|h| hop(h, language)).collect();
    Visitor {
        name: text("name"),
        level: text("assurance_level"),
        number_masked: text("cn_id_number_masked"),
        acr: text("acr"),
        sub: live.sub,
        chain: chain(live.received.own_chain),
        provider_chain: chain(live.received.provider_chain),
        claims: claims
            .iter()
            .map(|(name, value)| (name.clone(), shown(value)))
            .collect(),
    }
}

fn hop(hop: crate::relying::Hop, language: Language) -> Hop {
    let host = || {
        Url::parse(&hop.entity)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_else(|| hop.entity.clone())
    };
    let name = match language {
        Language::Chinese => hop.name.clone(),
        Language::English => hop.name_en.clone().or_else(|| hop.name.clone()),
    };
    Hop {
        name: name.unwrap_or_else(host),
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
