//! Every act in two steps: `preview` shows what a dry run found, with the act sealed into the form; `POST /acts` opens the seal and does
//! it. What is done is what was shown, to whom it was shown, for a quarter of an hour; the dry run of `Act` decides what is refused.

use axum::body::Bytes;
use axum::http::StatusCode;

use super::desk::{Answer, OnDuty};
use crate::audit::Event;
use crate::operator::role::{self, Room};
use crate::operator::{Act, Desk, Effect, Mode};
use crate::web::view::admin::{Confirm, Done, Why};
use crate::web::view::error::ErrorKind;
use crate::web::view::frame::Notice;

const USAGE: &str = "console.act";
/// Seconds that a preview may lie open.
const OPEN: i64 = 900;

/// Shows what `act` would do and asks once; `before` is what it would replace.
pub async fn preview(on: &OnDuty, act: Act, before: Option<String>) -> Answer {
    let effect = run(on, &act, Mode::DryRun).await?;
    let written = serde_json::to_vec(&act).map_err(|e| crate::store::Error::Encode(e.into()))?;
    let context = on.operator.id.as_str();
    let sealer = &on.house().sealer;
    let confirm = Confirm {
        frame: on.frame(),
        desk: on.desk(Some(room(&act))),
        sealed: sealer.seal(USAGE, context, on.now.plus(OPEN), &written),
        grants_ended: match effect {
            Effect::ClientRemoved { grants_ended } => grants_ended,
            _ => 0,
        },
        statement_lifetime: on.console.statement_lifetime,
        back: on.url(path(&act)),
        act,
        before,
    };
    on.page(&confirm)
}

/// `POST /acts`
pub async fn apply(on: OnDuty, body: Bytes) -> Answer {
    let form = on.form(&body)?;
    let sealed = form.text("act");
    let opened = on
        .house()
        .sealer
        .open(USAGE, on.operator.id.as_str(), on.now, sealed);
    let act: Option<Act> = opened.and_then(|written| serde_json::from_slice(&written).ok());
    let Some(act) = act else {
        let said = "what was shown is too old, or was shown to somebody else; look again";
        return Err(on.error(ErrorKind::FormNotOurs, said).into());
    };
    let effect = run(&on, &act, Mode::Apply).await?;
    let back = path(&act);
    let secret = match &effect {
        Effect::ClientAdded { secret }
        | Effect::ClientSet { secret }
        | Effect::SecretRotated { secret } => secret.as_ref(),
        _ => None,
    };
    if let Some(secret) = secret {
        // Told this once: no redirect, nothing stored, nothing in an address.
        let done = Done {
            frame: on.frame(),
            desk: on.desk(Some(room(&act))),
            secret: secret.reveal().clone(),
            back: on.url(back),
        };
        return Ok(on.show(StatusCode::OK, &done));
    }
    on.go(&format!("{back}?notice={}", Notice::ActDone.code()))
}

/// Asks the rules, then the act.
async fn run(on: &OnDuty, act: &Act, mode: Mode) -> Result<Effect, super::desk::Failure> {
    if !role::may(&on.operator.roles, act) {
        on.note(Event::refused("console.act").with("act", name(act)))
            .await?;
        return Err(on.refuse(role::needed(act).map_or(Why::Terminal, Why::Role)));
    }
    let house = on.house();
    let desk = Desk {
        store: &house.store,
        role: on.console.role,
        sealer: &*house.sealer,
        plain_http: house.plain_http,
        now: on.now,
    };
    let operator = on.operator.id.as_str();
    match act.apply(desk, &mut house.rng(), operator, mode).await? {
        Ok(effect) => Ok(effect),
        Err(refusal) => Err(on.refuse(Why::Reason(refusal.to_string()))),
    }
}

/// The act's name, as it is written down.
fn name(act: &Act) -> String {
    serde_json::to_value(act)
        .ok()
        .and_then(|value| value["act"].as_str().map(str::to_owned))
        .unwrap_or_default()
}

const fn room(act: &Act) -> Room {
    match act {
        Act::Enrol(_)
        | Act::Drop { .. }
        | Act::IssueTrustMark { .. }
        | Act::RevokeTrustMark { .. }
        | Act::DelegateTrustMark { .. }
        | Act::KeepDelegation { .. }
        | Act::Joining(_) => Room::Subordinates,
        Act::AddClient { .. }
        | Act::SetClient { .. }
        | Act::RemoveClient { .. }
        | Act::RotateSecret { .. }
        | Act::IssueRegistrationToken { .. }
        | Act::RevokeRegistrationToken { .. } => Room::Clients,
        Act::InviteOperator { .. } | Act::DisableOperator { .. } => Room::Audit,
    }
}

const fn path(act: &Act) -> &'static str {
    crate::web::view::admin::path(room(act))
}
