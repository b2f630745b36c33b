//! Sending a code to a phone, and checking one that was typed: the same for login, creation, recovery, step-up and a new phone.

use super::entry::Kind;
use super::visit::{Failure, Visit};
use crate::authn::code::{self, Issue, Redeemed};
use crate::authn::throttle::{self, Pass};
use crate::crypto::Secret;
use crate::identity::Phone;
use crate::store::{Conn, Error};
use crate::web::view::Problem;
use crate::web::view::message::Code;

/// Sends a code to `phone` that works for this kind at this place only.
pub async fn send(
    visit: &Visit,
    kind: Kind,
    phone: &Phone,
) -> Result<Result<(), Problem>, Failure> {
    let (house, people) = (visit.house(), visit.people());
    let mut rng = house.rng();
    let context = context(visit, kind);
    let mut tx = house.store.write().await?;
    let limited = throttle::count(
        &mut tx,
        &*house.indexer,
        people.sms_limit(),
        &[&visit.source],
        visit.now,
    )
    .await?;
    if let Pass::Wait(seconds) = limited {
        tx.commit().await?;
        return Ok(Err(too_soon(seconds)));
    }
    let issued = code::issue(
        &mut tx,
        &*house.indexer,
        &mut rng,
        phone.e164(),
        &context,
        &people.code_rules(),
        visit.now,
    )
    .await?;
    tx.commit().await?;
    let code: Secret<String> = match issued {
        Issue::Wait(seconds) => return Ok(Err(too_soon(seconds))),
        Issue::Send(code) => code,
    };
    // No transaction is held while the gateway is asked.
    let text = Code {
        code: code.reveal(),
        minutes: minutes(people.settings.sms_code_lifetime),
    }
    .words(visit.language());
    if let Err(problem) = people.sms.send(phone, &text).await {
        tracing::warn!(%problem, "a code could not be sent");
        let mut tx = house.store.write().await?;
        code::unsent(&mut tx, &*house.indexer, phone.e164(), &context).await?;
        tx.commit().await?;
        return Ok(Err(Problem::SmsUnavailable));
    }
    Ok(Ok(()))
}

/// Uses the code that was typed. Belongs into the transaction of what it opens.
pub async fn check(
    conn: &mut Conn,
    visit: &Visit,
    kind: Kind,
    phone: &Phone,
    typed: &str,
) -> Result<Result<(), Problem>, Error> {
    let typed: String = typed
        .chars()
        .take(32)
        .filter_map(|c| match c {
            '0'..='9' => Some(c),
            '\u{ff10}'..='\u{ff19}' => char::from_u32(u32::from(c) - 0xfee0),
            _ => None,
        })
        .collect();
    if typed.is_empty() {
        return Ok(Err(Problem::CodeMissing));
    }
    let redeemed = code::redeem(
        conn,
        &*visit.house().indexer,
        phone.e164(),
        &context(visit, kind),
        &typed,
        &visit.people().code_rules(),
        visit.now,
    )
    .await?;
    Ok(match redeemed {
        Redeemed::Right => Ok(()),
        Redeemed::Wrong => Err(Problem::CodeWrong),
        Redeemed::Expired => Err(Problem::CodeExpired),
    })
}

/// Whole minutes, at least one.
pub fn minutes(seconds: i64) -> u32 {
    u32::try_from((seconds + 59) / 60).unwrap_or(1).max(1)
}

fn too_soon(seconds: i64) -> Problem {
    Problem::CodeTooSoon {
        seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
    }
}

fn context(visit: &Visit, kind: Kind) -> String {
    format!("{}/{}", visit.place(), kind.as_str())
}
