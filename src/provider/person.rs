//! What the provider asks of the identity room about a person: how sure we are, how far this person can get, what can be
//! told. Nobody else in `provider` looks into a `Person`.

use serde_json::{Map, Value, json};

use super::acr::Reach;
use super::claims::ClaimsRequest;
use super::grants::Terms;
use super::marks::Allowed;
use crate::authn::{self, Factor, passkey, password};
use crate::clock::UnixTime;
use crate::crypto::Sealer;
use crate::id::PersonId;
use crate::identity::{self, Person, RealNameLevel, details};
use crate::oauth::Scope;
use crate::random::Rng;
use crate::session::Session;
use crate::store::{Conn, Error};

/// The open account `id`; `None` also for one that was closed.
pub async fn find(
    conn: &mut Conn,
    sealer: &dyn Sealer,
    id: &PersonId,
) -> Result<Option<Person>, Error> {
    let person = identity::person::find(conn, sealer, id).await?;
    Ok(person.filter(|p| p.closed_at.is_none()))
}

/// The `sub` towards a sector, made at first need.
pub async fn sub(
    conn: &mut Conn,
    rng: &mut Rng,
    id: &PersonId,
    sector: &str,
    now: UnixTime,
) -> Result<String, Error> {
    identity::subject::for_sector(conn, rng, id, sector, now).await
}

/// The `sub` that a sector was ever told.
pub async fn sub_of(conn: &mut Conn, id: &PersonId, sector: &str) -> Result<Option<String>, Error> {
    identity::subject::find(conn, id, sector).await
}

/// `rn1` … `rn4` as a number.
pub const fn real_name(person: &Person) -> u8 {
    match person.level {
        RealNameLevel::Rn1 => 1,
        RealNameLevel::Rn2 => 2,
        RealNameLevel::Rn3 => 3,
        RealNameLevel::Rn4 => 4,
    }
}

/// How far this person can get here and now: with the factors of the session and those the account has besides.
/// `detailed` looks them up; without, only what is at hand counts.
pub async fn reach(
    conn: &mut Conn,
    person: &Person,
    session: &Session,
    detailed: bool,
) -> Result<Reach, Error> {
    let mut factors = session.factors();
    if detailed {
        if person.phone.is_some() {
            factors.push(Factor::Sms);
        }
        if password::changed_at(conn, &person.id).await?.is_some() {
            factors.push(Factor::Password);
        }
        if !passkey::list(conn, &person.id).await?.is_empty() {
            factors.push(Factor::Passkey);
        }
    }
    Ok(Reach {
        // Name and number can be proven here; face and counter cannot.
        real_name: real_name(person).max(2),
        authenticator: authn::level(&factors),
    })
}

/// Everything that may be told of a person in answer to `scope` and `request`, by claim name; the caller picks what was asked for
/// and agreed to. A name counts as told only when it is proven (OIDC Core 5.1 asks nothing less; `domain` rules forbid more).
pub async fn claims(
    conn: &mut Conn,
    sealer: &dyn Sealer,
    person: &Person,
    scope: &Scope,
    request: &ClaimsRequest,
) -> Result<Map<String, Value>, Error> {
    let mut held = proven(person);
    let mut changed = person.verified_at.max(Some(person.created_at));
    if super::claims::wants_details(scope, request) {
        let (details, at) = details::all(conn, sealer, &person.id).await?;
        changed = changed.max(at);
        // What is proven is not said anew.
        for (name, value) in details {
            held.entry(name).or_insert(value);
        }
    }
    held.insert("updated_at".to_owned(), json!(changed));
    Ok(held)
}

/// What documents and the phone say.
fn proven(person: &Person) -> Map<String, Value> {
    let mut held = Map::new();
    let mut hold = |name: &str, value: Value| held.insert(name.to_owned(), value);
    if person.has_real_name() {
        if let Some(name) = &person.name {
            hold("name", name.as_str().into());
        }
        if let Some(number) = &person.number {
            hold("cn_id_number_masked", number.masked().into());
            hold(super::claims::FULL_NUMBER, number.plain().into());
            if let Some(birthdate) = number.birthdate() {
                hold("birthdate", birthdate.into());
            }
            if let Some(gender) = number.gender() {
                hold("gender", gender.into());
            }
        }
    }
    hold("assurance_level", person.level.as_str().into());
    if let Some(phone) = &person.phone {
        hold("phone_number", phone.e164().into());
        hold("phone_number_verified", json!(true));
    }
    held
}

/// What may be told under the terms of a grant to a client that is `allowed` so much. A phone is a factor, not a person: what SMS alone was given before the real name
/// was proven does not grow by it.
pub async fn claims_under(
    conn: &mut Conn,
    sealer: &dyn Sealer,
    person: &Person,
    terms: &Terms,
    allowed: Allowed,
) -> Result<Map<String, Value>, Error> {
    let held = claims(conn, sealer, person, &terms.scope, &terms.claims).await?;
    let mut held = allowed.told(held);
    let later = person.verified_at.is_some_and(|at| at > terms.auth_time);
    if terms.amr == ["sms"] && later {
        held.retain(|name, _| !super::claims::VERIFIED.contains(&name.as_str()));
    }
    Ok(held)
}

/// The same as a person is shown them before agreeing: masked where they are sensitive.
pub async fn masked_claims(
    conn: &mut Conn,
    sealer: &dyn Sealer,
    person: &Person,
    scope: &Scope,
    request: &ClaimsRequest,
) -> Result<Map<String, Value>, Error> {
    let mut shown = claims(conn, sealer, person, scope, request).await?;
    if let (Some(name), Some(value)) = (&person.name, shown.get_mut("name")) {
        *value = name.masked().into();
    }
    if let (Some(phone), Some(value)) = (&person.phone, shown.get_mut("phone_number")) {
        *value = phone.masked().into();
    }
    if let (Some(number), Some(value)) = (&person.number, shown.get_mut(super::claims::FULL_NUMBER))
    {
        *value = number.masked().into();
    }
    if let Some(value) = shown.get_mut("birthdate") {
        *value = "****-**-**".into();
    }
    if let Some(value) = shown.get_mut("address") {
        *value = details::in_one_line(value).into();
    }
    Ok(shown)
}
