//! `/sign-in`: by passkey, and by nothing else. `/sign-out` ends it.

use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::desk::{Answer, Failure, OnDuty, Visit, refusal};
use crate::audit::{self, Event};
use crate::authn::ceremony::Begun;
use crate::authn::passkey::Finished;
use crate::authn::throttle::{self, Limit, Pass};
use crate::operator::session;
use crate::store::{Conn, Error};
use crate::web::error::retry_after;
use crate::web::page::with_cookie;
use crate::web::view::admin::SignIn;
use crate::web::view::login::PasskeyDoor;

/// Ceremonies that one source may begin.
const TRIES: Limit = Limit {
    kind: "console",
    tries: 30,
    seconds: 900,
};

#[derive(Deserialize)]
pub(super) struct Finish {
    pub ceremony: String,
    pub credential: Value,
    #[serde(default)]
    pub name: String,
}

pub async fn show(visit: Visit) -> Answer {
    visit.page(&SignIn {
        frame: visit.frame(),
        entity: visit.console.entity.to_string(),
        door: PasskeyDoor {
            options_url: visit.url("/sign-in/options"),
            finish_url: visit.url("/sign-in/finish"),
            conditional: false,
        },
    })
}

pub async fn options(visit: Visit, body: Bytes) -> Answer {
    visit.json(&body)?;
    let mut rng = visit.house().rng();
    let mut tx = visit.house().store.write().await?;
    let passed = counted(&visit, &mut tx).await?;
    let begun = match &passed {
        Ok(()) => {
            let place = visit.place();
            let passkeys = &visit.console.passkeys;
            passkeys
                .begin_sign_in(&mut tx, &mut rng, &place, visit.now)
                .await?
        }
        Err(_) => None,
    };
    tx.commit().await?;
    passed?;
    told(begun)
}

pub async fn finish(visit: Visit, body: Bytes) -> Answer {
    let finish: Finish = read(visit.json(&body)?)?;
    let mut rng = visit.house().rng();
    let mut tx = visit.house().store.write().await?;
    let (place, now) = (visit.place(), visit.now);
    let passkeys = &visit.console.passkeys;
    let finished = passkeys
        .finish_sign_in(&mut tx, &finish.ceremony, &place, finish.credential, now)
        .await?;
    let Finished::Done(operator) = finished else {
        let event = Event::refused("operator.sign_in");
        audit::record(&mut tx, &mut rng, now, &event).await?;
        tx.commit().await?;
        return Err(refusal(StatusCode::UNAUTHORIZED).into());
    };
    // Whoever sat in this browser before is signed out.
    if let Some(before) = visit.handle() {
        session::end(&mut tx, before, now).await?;
    }
    let handle = session::begin(&mut tx, &mut rng, &operator, now).await?;
    let event = Event::done("operator.sign_in").with_actor(operator.as_str());
    audit::record(&mut tx, &mut rng, now, &event).await?;
    tx.commit().await?;
    let answer = Json(json!({ "next": visit.url("/") })).into_response();
    Ok(with_cookie(answer, visit.sign_in_cookie(handle.reveal())))
}

pub async fn sign_out(on: OnDuty, body: Bytes) -> Answer {
    on.form(&body)?;
    let mut tx = on.house().store.write().await?;
    if let Some(handle) = on.handle() {
        session::end(&mut tx, handle, on.now).await?;
    }
    let event = Event::done("operator.sign_out").with_actor(on.operator.id.as_str());
    audit::record(&mut tx, &mut on.house().rng(), on.now, &event).await?;
    tx.commit().await?;
    Ok(with_cookie(on.go("/sign-in")?, on.no_sign_in_cookie()))
}

/// Counts a ceremony that is about to begin; the inner refusal says when to come back.
pub(super) async fn counted(visit: &Visit, conn: &mut Conn) -> Result<Result<(), Response>, Error> {
    let indexer = &*visit.house().indexer;
    let pass = throttle::count(conn, indexer, TRIES, &[&visit.source], visit.now).await?;
    Ok(match pass {
        Pass::Go => Ok(()),
        Pass::Wait(seconds) => Err(retry_after(refusal(StatusCode::TOO_MANY_REQUESTS), seconds)),
    })
}

pub(super) fn told(begun: Option<Begun>) -> Answer {
    match begun {
        Some(begun) => Ok(Json(json!({
            "ceremony": begun.ceremony,
            "options": begun.options,
        }))
        .into_response()),
        None => Err(refusal(StatusCode::BAD_REQUEST).into()),
    }
}

pub(super) fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|_| refusal(StatusCode::BAD_REQUEST).into())
}
