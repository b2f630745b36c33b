//! Codes sent by SMS: six digits, five minutes, one use, five tries, one message a minute. Stored under keyed hashes only, since a bare
//! hash of six digits is no secret. Each belongs to one `context` (a form of one interaction or session): a code overheard is of no use
//! elsewhere.

use crate::clock::UnixTime;
use crate::crypto::{Indexer, Secret, constant_time_eq};
use crate::random::Rng;
use crate::store::{Conn, Error};

/// Bounds of codes and their sending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    pub lifetime: i64,
    pub tries: i64,
    /// Seconds between two messages to one phone.
    pub resend: i64,
    /// Messages to one phone in a day.
    pub daily: i64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            lifetime: 300,
            tries: 5,
            resend: 60,
            daily: 20,
        }
    }
}

/// Whether a message may be sent.
#[derive(Debug)]
pub enum Issue {
    /// Send this after the transaction is committed.
    Send(Secret<String>),
    /// Too soon, or too many today: in so many seconds.
    Wait(i64),
}

/// How a typed code fared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Redeemed {
    Right,
    Wrong,
    /// Too old, used, tried too often, or never sent here.
    Expired,
}

/// Makes a code for `phone` (E.164) and `context`; an earlier one of the same context stops working.
pub async fn issue(
    conn: &mut Conn,
    indexer: &dyn Indexer,
    rng: &mut Rng,
    phone: &str,
    context: &str,
    rules: &Rules,
    now: UnixTime,
) -> Result<Issue, Error> {
    let target = indexer.index(TARGET, phone.as_bytes());
    // One statement decides for all nodes: no row means "not yet".
    let allowed: Option<i64> = sqlx::query_scalar(
        "INSERT INTO sms_sends (target, sent_at, window_start, sent) VALUES ($1, $2, $2, 1)
         ON CONFLICT (target) DO UPDATE SET
           sent_at = $2,
           sent = CASE WHEN sms_sends.window_start <= $4 THEN 1 ELSE sms_sends.sent + 1 END,
           window_start = CASE WHEN sms_sends.window_start <= $4 THEN $2 ELSE sms_sends.window_start END
         WHERE sms_sends.sent_at <= $3 AND (sms_sends.sent < $5 OR sms_sends.window_start <= $4)
         RETURNING sent",
    )
    .bind(&target)
    .bind(now)
    .bind(now.plus(-rules.resend))
    .bind(now.plus(-86_400))
    .bind(rules.daily)
    .fetch_optional(&mut *conn)
    .await?;
    if allowed.is_none() {
        let row: Option<(i64, i64, i64)> =
            sqlx::query_as("SELECT sent_at, window_start, sent FROM sms_sends WHERE target = $1")
                .bind(&target)
                .fetch_optional(conn)
                .await?;
        let until = row.map_or(now, |(sent_at, window_start, sent)| {
            let soon = UnixTime(sent_at).plus(rules.resend);
            if sent >= rules.daily {
                soon.max(UnixTime(window_start).plus(86_400))
            } else {
                soon
            }
        });
        return Ok(Issue::Wait(until.since(now).max(1)));
    }
    let code = Secret::new(rng.digits(6));
    sqlx::query(
        "INSERT INTO sms_codes (target, context, code, expires_at, tries) VALUES ($1, $2, $3, $4, 0)
         ON CONFLICT (target, context) DO UPDATE SET code = $3, expires_at = $4, tries = 0, used_at = NULL",
    )
    .bind(&target)
    .bind(context)
    .bind(digest(indexer, &target, context, code.reveal()).swap_remove(0))
    .bind(now.plus(rules.lifetime))
    .execute(conn)
    .await?;
    Ok(Issue::Send(code))
}

/// The message could not be sent: the code is void, and another may be asked for at once.
pub async fn unsent(
    conn: &mut Conn,
    indexer: &dyn Indexer,
    phone: &str,
    context: &str,
) -> Result<(), Error> {
    let target = indexer.index(TARGET, phone.as_bytes());
    sqlx::query("DELETE FROM sms_codes WHERE target = $1 AND context = $2")
        .bind(&target)
        .bind(context)
        .execute(&mut *conn)
        .await?;
    sqlx::query("UPDATE sms_sends SET sent_at = 0, sent = sent - 1 WHERE target = $1 AND sent > 0")
        .bind(&target)
        .execute(conn)
        .await?;
    Ok(())
}

/// Uses a code. The try is counted before the digits are compared, and a right one is used up by the same row that holds it.
pub async fn redeem(
    conn: &mut Conn,
    indexer: &dyn Indexer,
    phone: &str,
    context: &str,
    typed: &str,
    rules: &Rules,
    now: UnixTime,
) -> Result<Redeemed, Error> {
    for target in indexer.indices(TARGET, phone.as_bytes()) {
        let row: Option<(Vec<u8>, i64)> = sqlx::query_as(
            "UPDATE sms_codes SET tries = tries + 1
             WHERE target = $1 AND context = $2 AND used_at IS NULL AND tries < $3 AND expires_at > $4
             RETURNING code, tries",
        )
        .bind(&target)
        .bind(context)
        .bind(rules.tries)
        .bind(now)
        .fetch_optional(&mut *conn)
        .await?;
        let Some((code, tries)) = row else {
            continue;
        };
        let right = digest(indexer, &target, context, typed)
            .iter()
            .any(|typed| constant_time_eq(typed, &code));
        if !right {
            return Ok(if tries >= rules.tries {
                Redeemed::Expired
            } else {
                Redeemed::Wrong
            });
        }
        let used: Option<i64> = sqlx::query_scalar(
            "UPDATE sms_codes SET used_at = $3
             WHERE target = $1 AND context = $2 AND code = $4 AND used_at IS NULL RETURNING used_at",
        )
        .bind(&target)
        .bind(context)
        .bind(now)
        .bind(&code)
        .fetch_optional(conn)
        .await?;
        return Ok(if used.is_some() {
            Redeemed::Right
        } else {
            Redeemed::Expired
        });
    }
    Ok(Redeemed::Expired)
}

/// Removes what no longer works; a job's work.
pub async fn sweep(conn: &mut Conn, now: UnixTime) -> Result<u64, Error> {
    let codes = sqlx::query("DELETE FROM sms_codes WHERE expires_at <= $1")
        .bind(now)
        .execute(&mut *conn)
        .await?
        .rows_affected();
    let sends = sqlx::query("DELETE FROM sms_sends WHERE window_start <= $1 AND sent_at <= $1")
        .bind(now.plus(-86_400))
        .execute(conn)
        .await?
        .rows_affected();
    Ok(codes + sends)
}

/// Domain of the keyed hash of the phone a code went to.
const TARGET: &str = "sms.target";

/// The keyed hashes of the digits at their place, under every key in use, newest first.
fn digest(indexer: &dyn Indexer, target: &[u8], context: &str, digits: &str) -> Vec<Vec<u8>> {
    let mut value = target.to_vec();
    value.extend((context.len() as u64).to_be_bytes());
    value.extend(context.as_bytes());
    value.extend(digits.as_bytes());
    indexer.indices("sms.code", &value)
}
