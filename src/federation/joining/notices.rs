//! What the contacts of an entity are told of decisions about it. Written with the decision. A contact with an https address is posted a
//! signed notice by a job; for mail addresses there is no way out here: their notices wait in the table, and `hefu federation notices`
//! shows them to whoever sends the mail.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use url::Url;

use super::standing::Standing;
use crate::clock::UnixTime;
use crate::crypto::Signer;
use crate::federation::entity::EntityId;
use crate::federation::statement;
use crate::oauth::Algorithm;
use crate::outbound::{Limits, Outbound};
use crate::random::Rng;
use crate::store::{Conn, Error, Store};

/// `typ` of a notice.
pub const TYP: &str = "federation-notice+jwt";

/// Seconds until the next try, by the number of tries made; after the last one it is given up.
const BACKOFF: [i64; 5] = [60, 600, 3_600, 6 * 3_600, 86_400];
/// Seconds that a claimed notice is left alone by other nodes.
const LEASE: i64 = 120;
const ROUND: i64 = 16;
/// Seconds for which notices are kept.
const KEPT: i64 = 90 * 86_400;
const LIMITS: Limits = Limits {
    time: Duration::from_secs(10),
    body: 16 * 1024,
};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    Approved,
    Refused,
    KeysAsked,
    KeysChanged,
    PolicyChanged,
    Suspended,
    Resumed,
    Compromised,
    Dropped,
    /// The enrolment is over.
    Ended,
}

impl News {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::KeysAsked => "keys_asked",
            Self::KeysChanged => "keys_changed",
            Self::PolicyChanged => "policy_changed",
            Self::Suspended => "suspended",
            Self::Resumed => "resumed",
            Self::Compromised => "compromised",
            Self::Dropped => "dropped",
            Self::Ended => "ended",
        }
    }
}

/// A notice as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Notice {
    pub id: String,
    pub entity_id: String,
    pub contact: String,
    pub event: String,
    pub detail: String,
    pub noted_at: UnixTime,
    pub attempts: i64,
    pub next_at: Option<UnixTime>,
    pub told_at: Option<UnixTime>,
}

/// Tells `contacts`. Belongs into the transaction of what happened.
pub async fn put(
    conn: &mut Conn,
    rng: &mut Rng,
    entity_id: &EntityId,
    contacts: &[String],
    news: News,
    detail: &str,
    now: UnixTime,
) -> Result<(), Error> {
    for contact in contacts {
        sqlx::query(
            "INSERT INTO contact_notices (id, entity_id, contact, event, detail, noted_at, attempts, next_at) \
             VALUES ($1, $2, $3, $4, $5, $6, 0, $7)",
        )
        .bind(rng.id("cn_"))
        .bind(entity_id.as_str())
        .bind(contact)
        .bind(news.as_str())
        .bind(detail)
        .bind(now)
        .bind(contact.starts_with("https://").then_some(now))
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Tells the contacts that a subordinate has.
pub async fn tell(
    conn: &mut Conn,
    rng: &mut Rng,
    entity_id: &EntityId,
    news: News,
    detail: &str,
    now: UnixTime,
) -> Result<(), Error> {
    let standing = Standing::find(conn, entity_id).await?.unwrap_or_default();
    put(conn, rng, entity_id, &standing.contacts, news, detail, now).await
}

/// The newest notices, at most `limit`.
pub async fn list(conn: &mut Conn, limit: i64) -> Result<Vec<Notice>, Error> {
    sqlx::query_as(
        "SELECT id, entity_id, contact, event, detail, noted_at, attempts, next_at, told_at FROM contact_notices \
         ORDER BY noted_at DESC, id LIMIT $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await
}

/// Forgets what is old; a job's work.
pub async fn sweep(conn: &mut Conn, now: UnixTime) -> Result<u64, Error> {
    let gone = sqlx::query("DELETE FROM contact_notices WHERE noted_at <= $1")
        .bind(now.plus(-KEPT))
        .execute(conn)
        .await?;
    Ok(gone.rows_affected())
}

/// Posts notices to contacts that have an address for it.
#[derive(Debug, Clone)]
pub struct Deliverer {
    pub id: Arc<str>,
    pub alg: Algorithm,
    pub store: Store,
    pub signer: Arc<dyn Signer>,
    pub outbound: Arc<Outbound>,
}

impl Deliverer {
    /// One round: claims what is due and posts it. Several nodes may run it at once; a notice may come twice, and its `jti` says so.
    pub async fn deliver(&self, now: UnixTime) -> Result<usize, Error> {
        let claimed: Vec<Notice> = sqlx::query_as(
            "UPDATE contact_notices SET next_at = $1, attempts = attempts + 1 \
             WHERE id IN (SELECT id FROM contact_notices WHERE next_at <= $2 ORDER BY next_at, id LIMIT $3) AND next_at <= $2 \
             RETURNING id, entity_id, contact, event, detail, noted_at, attempts, next_at, told_at",
        )
        .bind(now.plus(LEASE))
        .bind(now)
        .bind(ROUND)
        .fetch_all(&mut *self.store.read().await?)
        .await?;
        // No connection is held while strangers are asked.
        let answers =
            futures_util::future::join_all(claimed.iter().map(|notice| self.post(notice, now)))
                .await;
        let mut told = 0;
        for (notice, answer) in claimed.iter().zip(answers) {
            let done = answer.is_ok();
            told += usize::from(done);
            let tries = usize::try_from(notice.attempts).unwrap_or(usize::MAX);
            let again = BACKOFF.get(tries.saturating_sub(1)).filter(|_| !done);
            if let Err(why) = answer {
                tracing::warn!(notice = notice.id, %why, gives_up = again.is_none(), "a contact could not be told");
            }
            sqlx::query("UPDATE contact_notices SET next_at = $2, told_at = $3 WHERE id = $1 AND attempts = $4")
                .bind(&notice.id)
                .bind(again.map(|wait| now.plus(*wait)))
                .bind(done.then_some(now))
                .bind(notice.attempts)
                .execute(&mut *self.store.read().await?)
                .await?;
        }
        Ok(told)
    }

    async fn post(&self, notice: &Notice, now: UnixTime) -> Result<(), String> {
        let url = Url::parse(&notice.contact).map_err(|e| e.to_string())?;
        let claims = json!({
            "iss": &*self.id, "aud": notice.contact, "sub": notice.entity_id, "jti": notice.id,
            "iat": now.0, "exp": now.plus(600).0, "event": notice.event, "detail": notice.detail, "noted_at": notice.noted_at,
        });
        let claims: Map<String, Value> = claims.as_object().cloned().unwrap_or_default();
        let signed = statement::sign_typed(&*self.signer, self.alg, TYP, &claims).await;
        let body = signed.map_err(|e| e.to_string())?.into_bytes();
        let answer = self
            .outbound
            .post(&url, "application/jwt", body, &LIMITS)
            .await;
        let status = answer.map_err(|e| e.to_string())?.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(format!("answered {status}"))
        }
    }
}
