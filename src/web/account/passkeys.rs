//! Passkeys as the script speaks them (`docs/pages.md`): login without a name, second factor, step-up, and adding one.

use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::entry::{self, Kind};
use super::login;
use super::step_up;
use super::visit::{Answer, Door, Failure, Member, Visit, refusal};
use crate::audit::Event;
use crate::authn::Factor;
use crate::authn::passkey::{Begun, Finished, Passkeys, parse_name};
use crate::id::PersonId;
use crate::identity::{Phone, person};
use crate::web::view::frame::Notice;

/// `{"mediation":"conditional"}` for the autofill of a field; `username` where the person typed one.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Options {
    mediation: Option<String>,
    username: Option<String>,
}

#[derive(Deserialize)]
struct Finish {
    ceremony: String,
    credential: Value,
    #[serde(default)]
    name: String,
}

/// Begins a login, with or without a name.
pub async fn login_options(door: Door, body: Bytes) -> Answer {
    let options: Options = read(door.json(&body)?)?;
    let passkeys = offered(&door)?;
    let mut rng = door.house().rng();
    let mut tx = door.house().store.write().await?;
    let place = door.place();
    let begun = match options.username.as_deref().map(str::trim) {
        Some(name) if !name.is_empty() => {
            let phone = Phone::parse(name).ok();
            let person = match &phone {
                Some(phone) => person::by_phone(&mut tx, door.keys().indexer, phone).await?,
                None => None,
            };
            // The made-up credential of a name is always the same, as a real one is.
            let account = phone.as_ref().map_or(name, Phone::e164);
            let decoy = door
                .keys()
                .indexer
                .index("passkey.decoy", account.as_bytes());
            passkeys
                .begin_known(&mut tx, &mut rng, person.as_ref(), &decoy, &place, door.now)
                .await?
        }
        _ => {
            let conditional = options.mediation.as_deref() == Some("conditional");
            passkeys
                .begin_login(&mut tx, &mut rng, conditional, &place, door.now)
                .await?
        }
    };
    tx.commit().await?;
    told(begun)
}

pub async fn login_finish(door: Door, body: Bytes) -> Answer {
    let finish: Finish = read(door.json(&body)?)?;
    let passkeys = offered(&door)?;
    let mut rng = door.house().rng();
    let mut tx = door.house().store.write().await?;
    let finished = passkeys
        .finish_login(
            &mut tx,
            &finish.ceremony,
            &door.place(),
            finish.credential,
            door.now,
        )
        .await?;
    let Finished::Done(person) = finished else {
        let event = Event::refused("session.begin").with("reason", "passkey");
        door.note(&mut tx, &mut rng, event).await?;
        tx.commit().await?;
        return Err(refusal(StatusCode::UNAUTHORIZED).into());
    };
    let answer = login::admit(&door, tx, &person, &[Factor::Passkey]).await?;
    Ok(as_json(answer))
}

/// Begins the second factor after an SMS code.
pub async fn second_options(door: Door, body: Bytes) -> Answer {
    door.json(&body)?;
    let Some(person) = login::pending(&door).await? else {
        return Err(refusal(StatusCode::BAD_REQUEST).into());
    };
    known_options(&door, &person).await
}

pub async fn second_finish(door: Door, body: Bytes) -> Answer {
    let finish: Finish = read(door.json(&body)?)?;
    let passkeys = offered(&door)?;
    let mut tx = door.house().store.write().await?;
    let finished = passkeys
        .finish_login(
            &mut tx,
            &finish.ceremony,
            &door.place(),
            finish.credential,
            door.now,
        )
        .await?;
    let taken = entry::take(
        &mut tx,
        door.keys().sealer,
        Kind::Second,
        &door.place(),
        door.now,
    )
    .await?;
    let waiting = taken.and_then(|entry| entry.person);
    match (finished, waiting) {
        (Finished::Done(person), Some(waiting)) if person == waiting => {
            let factors = [Factor::Sms, Factor::Passkey];
            Ok(as_json(login::admit(&door, tx, &person, &factors).await?))
        }
        _ => {
            tx.commit().await?;
            Err(refusal(StatusCode::UNAUTHORIZED).into())
        }
    }
}

/// Begins the step-up of somebody who is logged in.
pub async fn step_up_options(member: Member, body: Bytes) -> Answer {
    member.json(&body)?;
    known_options(&member, &member.person.id).await
}

pub async fn step_up_finish(member: Member, body: Bytes) -> Answer {
    let finish: Finish = read(member.json(&body)?)?;
    let passkeys = offered(&member)?;
    let mut rng = member.house().rng();
    let mut tx = member.house().store.write().await?;
    let finished = passkeys
        .finish_login(
            &mut tx,
            &finish.ceremony,
            &member.place(),
            finish.credential,
            member.now,
        )
        .await?;
    if finished != Finished::Done(member.person.id.clone()) {
        tx.commit().await?;
        return Err(refusal(StatusCode::UNAUTHORIZED).into());
    }
    Ok(as_json(
        step_up::proven(&member, tx, &mut rng, Factor::Passkey).await?,
    ))
}

/// Begins to add a passkey.
pub async fn add_options(member: Member, body: Bytes) -> Answer {
    member.json(&body)?;
    if let Some(first) = step_up::wanted(&member, "/account/passkeys/add").await? {
        return Ok(as_json_with(StatusCode::FORBIDDEN, first));
    }
    let passkeys = offered(&member)?;
    let mut rng = member.house().rng();
    let mut tx = member.house().store.write().await?;
    let shown_as = member
        .person
        .phone
        .as_ref()
        .map_or_else(|| "***".to_owned(), Phone::masked);
    let begun = passkeys
        .begin_registration(
            &mut tx,
            &mut rng,
            &member.person.id,
            &shown_as,
            &member.place(),
            member.now,
        )
        .await?;
    tx.commit().await?;
    told(begun)
}

pub async fn add_finish(member: Member, body: Bytes) -> Answer {
    let finish: Finish = read(member.json(&body)?)?;
    if let Some(first) = step_up::wanted(&member, "/account/passkeys/add").await? {
        return Ok(as_json_with(StatusCode::FORBIDDEN, first));
    }
    let passkeys = offered(&member)?;
    let Some(name) = parse_name(&finish.name) else {
        return Err(refusal(StatusCode::UNPROCESSABLE_ENTITY).into());
    };
    let mut rng = member.house().rng();
    let mut tx = member.house().store.write().await?;
    let finished = passkeys
        .finish_registration(
            &mut tx,
            &mut rng,
            &member.person.id,
            &finish.ceremony,
            &member.place(),
            &name,
            finish.credential,
            member.now,
        )
        .await?;
    let Finished::Done(_) = finished else {
        tx.commit().await?;
        return Err(refusal(StatusCode::BAD_REQUEST).into());
    };
    let event = Event::done("person.passkey_added").with_person(&member.person.id);
    member.note(&mut tx, &mut rng, event).await?;
    tx.commit().await?;
    Ok(as_json(member.go_home(Notice::PasskeyAdded)?))
}

async fn known_options(visit: &Visit, person: &PersonId) -> Answer {
    let passkeys = offered(visit)?;
    let mut rng = visit.house().rng();
    let mut tx = visit.house().store.write().await?;
    let decoy = visit
        .keys()
        .indexer
        .index("passkey.decoy", person.as_str().as_bytes());
    let begun = passkeys
        .begin_known(
            &mut tx,
            &mut rng,
            Some(person),
            &decoy,
            &visit.place(),
            visit.now,
        )
        .await?;
    tx.commit().await?;
    told(begun)
}

fn offered(visit: &Visit) -> Result<&Passkeys, Failure> {
    visit
        .people()
        .passkeys
        .as_ref()
        .ok_or_else(|| refusal(StatusCode::NOT_FOUND).into())
}

fn told(begun: Option<Begun>) -> Answer {
    match begun {
        Some(begun) => Ok(Json(json!({
            "ceremony": begun.ceremony,
            "options": begun.options,
        }))
        .into_response()),
        None => Err(refusal(StatusCode::BAD_REQUEST).into()),
    }
}

/// A redirect as the script follows it; cookies stay.
fn as_json(redirect: Response) -> Response {
    as_json_with(StatusCode::OK, redirect)
}

fn as_json_with(status: StatusCode, redirect: Response) -> Response {
    let (mut parts, _) = redirect.into_parts();
    let next = parts
        .headers
        .remove(axum::http::header::LOCATION)
        .and_then(|value| value.to_str().map(str::to_owned).ok());
    let Some(next) = next else {
        // A page, such as that of a closed account: the script cannot show it.
        return refusal(StatusCode::FORBIDDEN);
    };
    let mut answer = (status, Json(json!({ "next": next }))).into_response();
    for (name, value) in &parts.headers {
        if *name == axum::http::header::SET_COOKIE || *name == axum::http::header::CACHE_CONTROL {
            answer.headers_mut().append(name, value.clone());
        }
    }
    answer
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|_| refusal(StatusCode::BAD_REQUEST).into())
}
