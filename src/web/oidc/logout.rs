//! `/logout` (OIDC RP-Initiated Logout 1.0): ends the national session, and those at the
//! platforms: through the back channel, and in frames of the signed-out page for those that want it (OIDC Front-Channel Logout 1.0).

use axum::body::Bytes;
use axum::extract::{Query, RawQuery, State as Handed};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::interaction::not_our_form;
use super::read;
use crate::audit::{self, Event};
use crate::client::Client;
use crate::clock::UnixTime;
use crate::id::{ClientId, SessionId};
use crate::provider::logout;
use crate::provider::person;
use crate::provider::request::Parameters;
use crate::provider::tokens::Hint;
use crate::provider::told::{self, Channel, State};
use crate::session::{self, Session};
use crate::web::error::Fault;
use crate::web::page::{page, page_with_frames, see_other, with_cookie};
use crate::web::preferences::Preferences;
use crate::web::provider_house::{Provider, ProviderHouse};
use crate::web::view::Way;
use crate::web::view::leave::{By, Ended, LogoutConfirm, SignedOut, Told};
use crate::web::{cookies, csrf};

/// Seal of what `/logout/done` shows: the session that ended and where one came from.
const DONE: &str = "signed out";
/// Seconds that the signed-out page can be looked at again.
const DONE_LIFETIME: i64 = 3600;

pub(super) async fn by_get(
    Handed(provider): Handed<Provider>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let sent = Parameters::parse(query.unwrap_or_default().as_bytes());
    handle(&provider, &headers, &sent, false)
        .await
        .unwrap_or_else(|fault| provider.fault_page(&headers, &fault))
}

/// A POST is a platform's request, or our own confirmation form, which carries a decision and its token.
pub(super) async fn by_post(
    Handed(provider): Handed<Provider>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let sent = match read::form(&headers, &body) {
        Ok(sent) => sent,
        Err(error) => {
            return provider.refuse(
                &headers,
                crate::web::view::error::ErrorKind::BadRequest,
                &error,
            );
        }
    };
    let ours = sent.get("decision").is_some() || sent.get(csrf::FIELD).is_some();
    let house = &provider.house;
    if ours
        && !sent
            .get(csrf::FIELD)
            .is_some_and(|t| csrf::fits(house, &headers, t, house.now()))
    {
        return not_our_form(&provider, &headers);
    }
    if sent.get("decision") == Some("stay") {
        return see_other(&house.url("/account"));
    }
    if !ours && read::browser(house, &headers).session.is_none() {
        // From another site a POST comes without our cookie: the browser comes back by GET with it. A hint that is too
        // long for an address is worth nothing to anyone.
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(
                [
                    "id_token_hint",
                    "client_id",
                    "post_logout_redirect_uri",
                    "state",
                    "ui_locales",
                ]
                .iter()
                .filter_map(|name| sent.get(name).map(|value| (*name, value))),
            )
            .finish();
        return see_other(&house.url(&format!("/logout?{query}")));
    }
    handle(&provider, &headers, &sent, ours)
        .await
        .unwrap_or_else(|fault| provider.fault_page(&headers, &fault))
}

async fn handle(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    sent: &Parameters,
    confirmed: bool,
) -> Result<Response, Fault> {
    let house = &provider.house;
    let now = house.now();
    let hint = match sent.get("id_token_hint") {
        Some(token) => provider.hint(token, now).await,
        None => None,
    };
    // RPL 2: a client_id that differs from the hint's audience spoils it.
    let hint = hint.filter(|hint| {
        sent.get("client_id")
            .is_none_or(|id| id == hint.client.as_str())
    });
    let client = match &hint {
        Some(hint) => provider
            .clients
            .find(&house.store, hint.client.as_str(), None, now)
            .await
            .ok(),
        None => None,
    };
    // RPL 2: its audience must be a client that we know.
    let hint = hint.filter(|_| client.is_some());
    let handle = cookies::read(headers, house, cookies::SESSION);
    let session = match handle {
        Some(handle) => session::find(&mut *house.store.read().await?, handle, now).await?,
        None => None,
    };
    let way = client.as_deref().and_then(|client| way_back(client, sent));
    let Some(session) = session else {
        // Already signed out is not an error (RPL 2); the platform that proves itself gets its browser back.
        return Ok(match way {
            Some(way) => see_other(&way),
            None => to_done(provider, None, client.as_deref(), None, now),
        });
    };
    let belongs = hint.as_ref().is_some_and(|hint| names(hint, &session));
    if !confirmed && !belongs {
        return confirm(provider, headers, sent, &session, client.as_deref(), now).await;
    }
    let mut rng = house.rng();
    let mut tx = house.store.write().await?;
    logout::end(&mut tx, &mut rng, &session.id, session::End::SignedOut, now).await?;
    let mut event = Event::done("session.end")
        .with_person(&session.person)
        .with_session(&session.id);
    if let Some(client) = &client {
        event = event.with_client(&client.id);
    }
    audit::record(&mut tx, &mut rng, now, &event).await?;
    let framed = told::has_frames(&mut tx, &session.id).await?;
    tx.commit().await?;
    deliver_now(provider);
    let answer = match way.filter(|_| belongs) {
        Some(way) if !framed => see_other(&way),
        // Back to the platform by way of our page, which has the browser tell the others first (FCL 3).
        way => to_done(provider, Some(&session.id), client.as_deref(), way, now),
    };
    Ok(with_cookie(answer, cookies::clear(house, cookies::SESSION)))
}

/// Whether the hint is of this session: its `sid` where it has one.
fn names(hint: &Hint, session: &Session) -> bool {
    hint.sid.as_deref() == Some(session.sid_for(&hint.client).as_str())
}

/// The registered address to go back to, with `state` and nothing else (RPL 3).
fn way_back(client: &Client, sent: &Parameters) -> Option<String> {
    let uri = sent.get("post_logout_redirect_uri")?;
    if !client
        .post_logout_redirect_uris
        .iter()
        .any(|known| known == uri)
    {
        return None;
    }
    Some(match sent.get("state") {
        None => uri.to_owned(),
        Some(state) => {
            let glue = if uri.contains('?') { '&' } else { '?' };
            let state: String = form_urlencoded::byte_serialize(state.as_bytes()).collect();
            format!("{uri}{glue}state={state}")
        }
    })
}

async fn confirm(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    sent: &Parameters,
    session: &Session,
    client: Option<&Client>,
    now: UnixTime,
) -> Result<Response, Fault> {
    let house = &provider.house;
    let mut conn = house.store.read().await?;
    let platforms = logout::platforms(&mut conn, &session.id).await?;
    let person = person::find(&mut conn, &*house.sealer, &session.person).await?;
    let appearance = person.map(|person| person.appearance).unwrap_or_default();
    let preferences = Preferences::of(headers).or_of_account(&appearance);
    let (secret, cookie) = csrf::browser(house, headers);
    let shown = LogoutConfirm {
        frame: provider.frame_with_form(
            preferences,
            "/logout",
            sent.get("ui_locales"),
            &secret,
            &session.person,
            now,
        ),
        asked_by: client.map(|c| c.platform.shown_name().to_owned()),
        platforms,
    };
    let answer = page(StatusCode::OK, &shown);
    Ok(match cookie {
        Some(cookie) => with_cookie(answer, cookie),
        None => answer,
    })
}

/// What our own page shows: the session that ended, the platform that asked, and the address to go on to.
type Ending = (Option<SessionId>, Option<ClientId>, Option<String>);

/// To our own page that says what was ended, and has the browser tell the platforms that want it so.
pub(in crate::web) fn to_done(
    provider: &ProviderHouse,
    session: Option<&SessionId>,
    client: Option<&Client>,
    way: Option<String>,
    now: UnixTime,
) -> Response {
    let house = &provider.house;
    let what = serde_json::json!([session, client.map(|c| &c.id), way]).to_string();
    let seal = house
        .sealer
        .seal(DONE, "", now.plus(DONE_LIFETIME), what.as_bytes());
    see_other(&house.url(&format!("/logout/done?ended={seal}")))
}

#[derive(Deserialize)]
pub(super) struct Done {
    ended: Option<String>,
}

pub(super) async fn done(
    Handed(provider): Handed<Provider>,
    headers: HeaderMap,
    Query(query): Query<Done>,
) -> Response {
    show_done(&provider, &headers, query.ended.as_deref())
        .await
        .unwrap_or_else(|fault| provider.fault_page(&headers, &fault))
}

async fn show_done(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    sealed: Option<&str>,
) -> Result<Response, Fault> {
    let house = &provider.house;
    let now = house.now();
    let (session, client, way): Ending = sealed
        .and_then(|sealed| house.sealer.open(DONE, "", now, sealed))
        .and_then(|what| serde_json::from_slice(&what).ok())
        .unwrap_or_default();
    let (platforms, frames) = match &session {
        Some(session) => {
            let mut tx = house.store.write().await?;
            let frames = told::frames(&mut tx, session, &house.id, now).await?;
            let platforms = told::of_session(&mut tx, session).await?;
            tx.commit().await?;
            (platforms, frames)
        }
        None => (Vec::new(), Vec::new()),
    };
    let client = match &client {
        Some(client) => provider
            .clients
            .find(&house.store, client.as_str(), None, now)
            .await
            .ok(),
        None => None,
    };
    let goes_on = way.is_some();
    let back = client.and_then(|client| {
        let home = || {
            let uri = client.redirect_uris.first()?;
            let url = url::Url::parse(uri).ok()?.join("/").ok()?;
            Some(url.to_string())
        };
        Some(Way {
            name: client.platform.shown_name().to_owned(),
            url: way.or_else(home)?,
        })
    });
    let here = format!("/logout/done?ended={}", sealed.unwrap_or_default());
    let shown = SignedOut {
        frame: provider.frame(headers, &here, None),
        platforms: platforms.into_iter().map(ended).collect(),
        goes_on: goes_on && back.is_some(),
        back,
        frames,
    };
    Ok(page_with_frames(StatusCode::OK, &shown, &shown.frames))
}

fn ended(told: told::Told) -> Ended {
    Ended {
        platform: told.platform,
        state: match told.state {
            State::Delivered => Told::Ended,
            State::Asked => Told::Asked,
            State::Waiting => Told::Notifying,
            State::Failed => Told::Failed,
        },
        by: match told.channel {
            Channel::Back => By::Us,
            Channel::Front => By::Browser,
            Channel::Both => By::Both,
            Channel::None => By::Nobody,
        },
    }
}

/// The browser does not wait; what cannot be told now is told by the job.
fn deliver_now(provider: &ProviderHouse) {
    let deliverer = provider.deliverer();
    let (mut rng, now) = (provider.house.rng(), provider.house.now());
    tokio::spawn(async move {
        if let Err(error) = deliverer.deliver(&mut rng, now).await {
            tracing::warn!(%error, "logout tokens could not be delivered at once");
        }
    });
}
