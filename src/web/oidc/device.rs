//! `/device` (RFC 8628 §3.3): where somebody who is logged in types the code that a device shows, looks at who asks from
//! where, and says no or yes. A link can fill the code in; it can neither look it up nor answer it. After a yes everything
//! goes on like any login, in an interaction.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::interaction::{form, not_our_form};
use super::read;
use crate::audit::{self, Event};
use crate::authn::throttle::{self, Pass};
use crate::identity::Person;
use crate::oauth::Error;
use crate::provider::device::{self, DONE, SESSION_LIMIT, SOURCE_LIMIT, Waiting};
use crate::provider::interaction::{self, Purpose};
use crate::provider::person;
use crate::provider::request::Parameters;
use crate::session::{self, Session};
use crate::store::Conn;
use crate::web::error::Fault;
use crate::web::page::{page, see_other, with_cookie};
use crate::web::preferences::Preferences;
use crate::web::provider_house::{Provider, ProviderHouse, asking};
use crate::web::source::Source;
use crate::web::view::device::{DeviceCode, DeviceConfirm, DeviceDone};
use crate::web::view::error::ErrorKind;
use crate::web::view::{Frame, Problem};
use crate::web::{cookies, csrf};

/// Seals the way from a typed code to its confirmation, for the session that typed it.
const USAGE: &str = "device confirmation";

/// A code that was typed and found.
#[derive(Serialize, Deserialize)]
struct Typed {
    reference: String,
    user_code: String,
}

pub(super) async fn show(
    State(provider): State<Provider>,
    source: Source,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    enter(&provider, source, &headers, &query)
        .await
        .unwrap_or_else(|fault| provider.fault_page(&headers, &fault))
}

pub(super) async fn submit(
    State(provider): State<Provider>,
    source: Source,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    typed(&provider, source, &headers, &body)
        .await
        .unwrap_or_else(|fault| provider.fault_page(&headers, &fault))
}

pub(super) async fn show_confirm(
    State(provider): State<Provider>,
    Path(sealed): Path<String>,
    headers: HeaderMap,
) -> Response {
    confirm(&provider, &headers, &sealed)
        .await
        .unwrap_or_else(|fault| provider.fault_page(&headers, &fault))
}

pub(super) async fn decide(
    State(provider): State<Provider>,
    Path(sealed): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    decided(&provider, &headers, &sealed, &body)
        .await
        .unwrap_or_else(|fault| provider.fault_page(&headers, &fault))
}

/// The end of the way in the browser; what there is to fetch, the device fetches.
pub(super) async fn done(
    State(provider): State<Provider>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let refused = Parameters::parse(query.unwrap_or_default().as_bytes())
        .get("error")
        .is_some();
    let shown = DeviceDone {
        frame: provider.frame(&headers, DONE, None),
        refused,
    };
    page(StatusCode::OK, &shown)
}

async fn enter(
    provider: &ProviderHouse,
    source: Source,
    headers: &HeaderMap,
    query: &str,
) -> Result<Response, Fault> {
    let house = &provider.house;
    // RFC 8628 §3.3.1: filled in by the link, still to be compared with the device and sent by a person.
    let filled_in = Parameters::parse(query.as_bytes())
        .get("user_code")
        .and_then(device::in_form);
    let member = member(provider, headers, &mut *house.store.read().await?).await?;
    let Some(member) = member else {
        return log_in(provider, source, headers, filled_in.as_deref()).await;
    };
    let (frame, cookie) = member.frame(provider, headers, "/device");
    let shown = DeviceCode {
        frame,
        filled_in: filled_in.is_some(),
        user_code: filled_in.unwrap_or_default(),
    };
    Ok(keeping(page(StatusCode::OK, &shown), cookie))
}

/// To the login, and back here with the code that the link brought.
async fn log_in(
    provider: &ProviderHouse,
    source: Source,
    headers: &HeaderMap,
    filled_in: Option<&str>,
) -> Result<Response, Fault> {
    let house = &provider.house;
    let (now, source) = (house.now(), source.counted());
    let (secret, cookie) = csrf::browser(house, headers);
    let return_to = match filled_in {
        Some(code) => format!("/device?user_code={code}"),
        None => "/device".to_owned(),
    };
    let purpose = Purpose::Account { return_to };
    let mut tx = house.store.write().await?;
    if let Pass::Wait(seconds) = provider.counter(&source).count(&mut tx, now).await? {
        tx.commit().await?;
        return Ok(provider.wait(headers, seconds));
    }
    let begun = interaction::begin(&mut tx, &mut house.rng(), &secret, purpose, now).await?;
    tx.commit().await?;
    Ok(keeping(see_other(&house.url(&begun.path())), cookie))
}

async fn typed(
    provider: &ProviderHouse,
    source: Source,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Fault> {
    let house = &provider.house;
    let now = house.now();
    let Some(ours) = form(provider, headers, body) else {
        return Ok(not_our_form(provider, headers));
    };
    let written = read::form(headers, body)
        .ok()
        .and_then(|form| form.get("user-code").map(str::to_owned))
        .unwrap_or_default();
    let mut tx = house.store.write().await?;
    let Some(member) = member(provider, headers, &mut tx).await? else {
        drop(tx);
        return log_in(
            provider,
            source,
            headers,
            device::in_form(&written).as_deref(),
        )
        .await;
    };
    if !ours.is_for(&member.session.person) {
        return Ok(not_our_form(provider, headers));
    }
    let session = &member.session;
    let again = |problem| {
        let (frame, cookie) = member.frame(provider, headers, "/device");
        let shown = DeviceCode {
            frame: frame.with_problem(problem),
            user_code: written.chars().take(20).collect(),
            filled_in: false,
        };
        Ok(keeping(
            page(StatusCode::UNPROCESSABLE_ENTITY, &shown),
            cookie,
        ))
    };
    // Counted before the answer is known (RFC 8628 §5.1): so many wrong codes and no more.
    let (indexer, source) = (&*house.indexer, source.counted());
    let by_source = throttle::count(&mut tx, indexer, SOURCE_LIMIT, &[&source], now).await?;
    let by_session =
        throttle::count(&mut tx, indexer, SESSION_LIMIT, &[session.id.as_str()], now).await?;
    let wait = match (by_source, by_session) {
        (Pass::Go, Pass::Go) => None,
        (Pass::Wait(a), Pass::Wait(b)) => Some(a.max(b)),
        (Pass::Wait(wait), Pass::Go) | (Pass::Go, Pass::Wait(wait)) => Some(wait),
    };
    if let Some(wait) = wait {
        tx.commit().await?;
        let minutes = u32::try_from((wait + 59) / 60).unwrap_or(u32::MAX);
        return again(Problem::TooManyTries { minutes });
    }
    let found = device::find(&mut tx, provider.device_keys(), &written, now).await?;
    let Some((waiting, user_code)) = found.zip(device::in_form(&written)) else {
        let event = Event::refused("device.code")
            .with_person(&session.person)
            .with_session(&session.id);
        audit::record(&mut tx, &mut house.rng(), now, &event).await?;
        tx.commit().await?;
        return again(Problem::DeviceCodeUnknown);
    };
    throttle::forgive(&mut tx, indexer, SOURCE_LIMIT, &[&source]).await?;
    throttle::clear(&mut tx, indexer, SESSION_LIMIT, &[session.id.as_str()]).await?;
    tx.commit().await?;
    Ok(see_other(&house.url(&format!(
        "/device/{}",
        sealed(provider, session, &waiting, user_code)
    ))))
}

async fn confirm(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    sealed: &str,
) -> Result<Response, Fault> {
    let house = &provider.house;
    let mut conn = house.store.read().await?;
    let Some((member, typed, waiting)) = opened(provider, headers, &mut conn, sealed).await? else {
        return Ok(over(provider, headers));
    };
    let (frame, cookie) = member.frame(provider, headers, &format!("/device/{sealed}"));
    let shown = DeviceConfirm {
        asking: asking(&waiting.wanted.asked.platform, frame.language),
        frame,
        user_code: typed.user_code,
        device: waiting.wanted.device,
        from: waiting.wanted.from,
        asked_at: waiting.asked_at,
    };
    Ok(keeping(page(StatusCode::OK, &shown), cookie))
}

async fn decided(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    sealed: &str,
    body: &[u8],
) -> Result<Response, Fault> {
    let house = &provider.house;
    let now = house.now();
    let Some(ours) = form(provider, headers, body) else {
        return Ok(not_our_form(provider, headers));
    };
    let decision = read::form(headers, body)
        .ok()
        .and_then(|form| form.get("decision").map(str::to_owned));
    let mut rng = house.rng();
    let mut tx = house.store.write().await?;
    let Some((member, _, waiting)) = opened(provider, headers, &mut tx, sealed).await? else {
        return Ok(over(provider, headers));
    };
    let session = member.session;
    if !ours.is_for(&session.person) {
        return Ok(not_our_form(provider, headers));
    }
    let mut asked = waiting.wanted.asked;
    let note = |event: Event| {
        event
            .with_person(&session.person)
            .with_session(&session.id)
            .with_client(&asked.request.client)
    };
    match decision.as_deref() {
        Some("allow") => {
            let event = note(Event::done("device.confirm"));
            audit::record(&mut tx, &mut rng, now, &event).await?;
            asked.request.device = Some(waiting.reference);
            let (secret, cookie) = csrf::browser(house, headers);
            let purpose = Purpose::Authorization(Box::new(asked));
            let begun = interaction::begin(&mut tx, &mut rng, &secret, purpose, now).await?;
            tx.commit().await?;
            Ok(keeping(see_other(&house.url(&begun.path())), cookie))
        }
        Some("deny") => {
            device::refuse(&mut tx, &waiting.reference, now).await?;
            let event = note(Event::refused("device.confirm"));
            audit::record(&mut tx, &mut rng, now, &event).await?;
            tx.commit().await?;
            Ok(see_other(
                &house.url(&format!("{DONE}?error=access_denied")),
            ))
        }
        _ => Ok(see_other(&house.url(&format!("/device/{sealed}")))),
    }
}

/// The way from the typed code to its confirmation: for this session alone, so that no link leads past the typing.
fn sealed(
    provider: &ProviderHouse,
    session: &Session,
    waiting: &Waiting,
    user_code: String,
) -> String {
    let typed = Typed {
        reference: waiting.reference.clone(),
        user_code,
    };
    let plain = serde_json::json!(typed).to_string();
    provider.house.sealer.seal(
        USAGE,
        session.id.as_str(),
        waiting.expires_at,
        plain.as_bytes(),
    )
}

/// Back from `sealed`, while the device still waits.
async fn opened(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    conn: &mut Conn,
    sealed: &str,
) -> Result<Option<(Member, Typed, Waiting)>, Fault> {
    let house = &provider.house;
    let now = house.now();
    let Some(member) = member(provider, headers, conn).await? else {
        return Ok(None);
    };
    let typed: Option<Typed> = house
        .sealer
        .open(USAGE, member.session.id.as_str(), now, sealed)
        .and_then(|plain| serde_json::from_slice(&plain).ok());
    let Some(typed) = typed else { return Ok(None) };
    let waiting = device::load(conn, &*house.sealer, &typed.reference, now).await?;
    Ok(waiting.map(|waiting| (member, typed, waiting)))
}

/// Somebody who is logged in.
struct Member {
    session: Session,
    person: Person,
}

async fn member(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    conn: &mut Conn,
) -> Result<Option<Member>, Fault> {
    let house = &provider.house;
    let Some(handle) = cookies::read(headers, house, cookies::SESSION) else {
        return Ok(None);
    };
    let Some(session) = session::find(conn, handle, house.now()).await? else {
        return Ok(None);
    };
    let person = person::find(conn, &*house.sealer, &session.person).await?;
    Ok(person.map(|person| Member { session, person }))
}

impl Member {
    /// A frame for a page with a form, and the cookie that its browser lacks: a session alone guards no form.
    fn frame(
        &self,
        provider: &ProviderHouse,
        headers: &HeaderMap,
        here: &str,
    ) -> (Frame, Option<HeaderValue>) {
        let house = &provider.house;
        let (secret, cookie) = csrf::browser(house, headers);
        let preferences = Preferences::of(headers).or_of_account(&self.person.appearance);
        let person = &self.session.person;
        let frame = provider.frame_with_form(preferences, here, None, &secret, person, house.now());
        (frame, cookie)
    }
}

fn keeping(answer: Response, cookie: Option<HeaderValue>) -> Response {
    match cookie {
        Some(cookie) => with_cookie(answer, cookie),
        None => answer,
    }
}

/// Answered, expired, or of another login; nobody learns which.
fn over(provider: &ProviderHouse, headers: &HeaderMap) -> Response {
    let error = Error::invalid_request("this code is over; ask for a new one at the device");
    provider.refuse(headers, ErrorKind::LoginExpired, &error)
}
