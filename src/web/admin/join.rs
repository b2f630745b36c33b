//! `/join?invitation=…`: whoever was invited sees who invited them and what for, and registers the passkey they will sign in with. The
//! invitation and the ceremony are used in one transaction, so that each works once.

use axum::Json;
use axum::body::Bytes;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;

use super::desk::{Answer, Visit, refusal};
use super::sign_in::{Finish, counted, read, told};
use crate::audit::{self, Event};
use crate::authn::passkey::{Finished, parse_name};
use crate::operator::account::Operator;
use crate::operator::{invitation, session};
use crate::web::page::with_cookie;
use crate::web::view::admin::{Invited, Join};
use crate::web::view::login::PasskeyDoor;

#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    invitation: String,
}

pub async fn show(visit: Visit, Query(asked): Query<Asked>) -> Answer {
    let mut conn = visit.house().store.read().await?;
    let found = invitation::find(&mut conn, &asked.invitation, visit.now).await?;
    drop(conn);
    let status = match &found {
        Some(_) => StatusCode::OK,
        None => StatusCode::NOT_FOUND,
    };
    let invited = found.map(|found| {
        let query: String =
            url::form_urlencoded::byte_serialize(asked.invitation.as_bytes()).collect();
        Invited {
            name: found.name,
            roles: found.roles,
            by: found.invited_by,
            until: found.expires_at,
            door: PasskeyDoor {
                options_url: visit.url(&format!("/join/options?invitation={query}")),
                finish_url: visit.url(&format!("/join/finish?invitation={query}")),
                conditional: false,
            },
        }
    });
    let mut frame = visit.frame();
    // The address holds the invitation: it goes into no other link.
    frame.here = visit.url("/sign-in");
    let shown = Join {
        frame,
        entity: visit.console.entity.to_string(),
        invited,
    };
    Ok(visit.show(status, &shown))
}

pub async fn options(visit: Visit, Query(asked): Query<Asked>, body: Bytes) -> Answer {
    visit.json(&body)?;
    let mut rng = visit.house().rng();
    let mut tx = visit.house().store.write().await?;
    let passed = counted(&visit, &mut tx).await?;
    let found = match &passed {
        Ok(()) => invitation::find(&mut tx, &asked.invitation, visit.now).await?,
        Err(_) => None,
    };
    let begun = match &found {
        Some(found) => {
            let shown_as = format!("{} · {}", found.name, visit.console.name);
            let (passkeys, place) = (&visit.console.passkeys, visit.place());
            passkeys
                .begin_join(&mut tx, &mut rng, found, &shown_as, &place, visit.now)
                .await?
        }
        None => None,
    };
    tx.commit().await?;
    passed?;
    told(begun)
}

pub async fn finish(visit: Visit, Query(asked): Query<Asked>, body: Bytes) -> Answer {
    let finish: Finish = read(visit.json(&body)?)?;
    let Some(name) = parse_name(&finish.name) else {
        return Err(refusal(StatusCode::UNPROCESSABLE_ENTITY).into());
    };
    let (mut rng, now, place) = (visit.house().rng(), visit.now, visit.place());
    let mut tx = visit.house().store.write().await?;
    let Some(used) = invitation::take(&mut tx, &asked.invitation, now).await? else {
        return Err(refusal(StatusCode::BAD_REQUEST).into());
    };
    let passkeys = &visit.console.passkeys;
    let finished = passkeys
        .finish_join(
            &mut tx,
            &used.id,
            &finish.ceremony,
            &place,
            &name,
            finish.credential,
            now,
        )
        .await?;
    let operator = Operator {
        id: used.id,
        name: used.name,
        roles: used.roles,
        added_at: now,
        disabled_at: None,
    };
    if finished != Finished::Done(()) || !operator.add(&mut tx).await? {
        // Rolled back: the invitation may be tried again, from its page.
        return Err(refusal(StatusCode::BAD_REQUEST).into());
    }
    let handle = session::begin(&mut tx, &mut rng, &operator.id, now).await?;
    let event = Event::done("operator.join")
        .with_actor(operator.id.as_str())
        .with("roles", operator.roles.to_string());
    audit::record(&mut tx, &mut rng, now, &event).await?;
    tx.commit().await?;
    let answer = Json(json!({ "next": visit.url("/") })).into_response();
    Ok(with_cookie(answer, visit.sign_in_cookie(handle.reveal())))
}
