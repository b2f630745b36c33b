//! Notices to phones that something happened to an account. A notice is written in the transaction of what happened, and
//! sent by whichever node comes first: at once, or again and again until the gateway accepts it or its time is over. Codes
//! are not kept here: one that comes late is worth nothing. Words are known to `web::view`.

use std::sync::Arc;

use super::phone::Phone;
use super::sms::{Gateway, NotSent};
use crate::audit::{self, Event};
use crate::clock::UnixTime;
use crate::crypto::Sealer;
use crate::id::PersonId;
use crate::random::Rng;
use crate::store::{Conn, Error, Store};

/// Seconds until the next try, by the number of tries made; the last one repeats.
const BACKOFF: [i64; 6] = [10, 60, 300, 1_800, 7_200, 6 * 3_600];
/// Seconds after which a notice is given up: its reader has found out, or the number has another holder.
const GIVE_UP: i64 = 3 * 86_400;
/// Seconds that a claimed notice is left alone by other nodes; longer than the gateway needs for a whole round.
const LEASE: i64 = 120;
/// Notices that one round claims.
const ROUND: i64 = 16;

/// The column of the ciphertext, as it is named to the `Sealer`.
const PHONE: &str = "notices.phone";

/// Something to tell.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    /// Whose account it is about.
    pub person: &'a PersonId,
    pub to: &'a Phone,
    /// Names of a text and a language.
    pub text: &'a str,
    pub language: &'a str,
}

/// Puts a notice down. Belongs into the transaction of what happened.
pub async fn put(
    conn: &mut Conn,
    sealer: &dyn Sealer,
    rng: &mut Rng,
    notice: Notice<'_>,
    now: UnixTime,
) -> Result<(), Error> {
    let id = rng.id("no_");
    sqlx::query(
        "INSERT INTO notices (id, person, phone, text, language, attempts, next_at, give_up_at)
         VALUES ($1, $2, $3, $4, $5, 0, $6, $7)",
    )
    .bind(&id)
    .bind(notice.person)
    .bind(sealer.protect(PHONE, &id, notice.to.e164().as_bytes()))
    .bind(notice.text)
    .bind(notice.language)
    .bind(now)
    .bind(now.plus(GIVE_UP))
    .execute(conn)
    .await?;
    Ok(())
}

/// What a round needs.
#[derive(Clone, Debug)]
pub struct Deliverer {
    pub store: Store,
    pub sealer: Arc<dyn Sealer>,
    pub gateway: Arc<dyn Gateway>,
    /// The words of a text in a language; `None` for names that this version does not know.
    pub words: fn(text: &str, language: &str) -> Option<String>,
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    pub sent: usize,
    pub put_off: usize,
    pub given_up: usize,
}

#[derive(sqlx::FromRow)]
struct Claimed {
    id: String,
    person: PersonId,
    phone: Vec<u8>,
    text: String,
    language: String,
    attempts: i64,
    give_up_at: UnixTime,
}

impl Deliverer {
    /// One round: claims what is due and sends it. Several nodes may run it at once. A claimed notice whose node dies is due
    /// again after its lease: it may be read twice, but not lost.
    pub async fn deliver(&self, rng: &mut Rng, now: UnixTime) -> Result<Round, Error> {
        let claimed = self.claim(now).await?;
        // No connection is held while the gateway is asked.
        let answers =
            futures_util::future::join_all(claimed.iter().map(|notice| self.send(notice)));
        let mut round = Round::default();
        for (notice, answer) in claimed.iter().zip(answers.await) {
            match answer {
                Ok(()) => {
                    round.sent += 1;
                    self.forget(&mut *self.store.read().await?, notice).await?;
                }
                Err(why) => {
                    self.put_off(rng, notice, &why, now, &mut round).await?;
                }
            }
        }
        Ok(round)
    }

    async fn claim(&self, now: UnixTime) -> Result<Vec<Claimed>, Error> {
        // The lease is the due time moved on; a second node finds nothing due.
        sqlx::query_as(
            "UPDATE notices SET next_at = $1, attempts = attempts + 1
             WHERE id IN (SELECT id FROM notices WHERE next_at <= $2 ORDER BY next_at, id LIMIT $3) AND next_at <= $2
             RETURNING id, person, phone, text, language, attempts, give_up_at",
        )
        .bind(now.plus(LEASE))
        .bind(now)
        .bind(ROUND)
        .fetch_all(&mut *self.store.read().await?)
        .await
    }

    async fn send(&self, notice: &Claimed) -> Result<(), NotSent> {
        // A lost key, or a text of a newer version beside this one: tried again like anything that fails.
        let phone = self
            .sealer
            .reveal(PHONE, &notice.id, &notice.phone)
            .and_then(|plain| Phone::parse(std::str::from_utf8(&plain).ok()?).ok())
            .ok_or_else(|| NotSent::because("the number cannot be read"))?;
        let words = (self.words)(&notice.text, &notice.language)
            .ok_or_else(|| NotSent::because("the text is not known"))?;
        self.gateway.send(&phone, &words).await
    }

    async fn put_off(
        &self,
        rng: &mut Rng,
        notice: &Claimed,
        why: &NotSent,
        now: UnixTime,
        round: &mut Round,
    ) -> Result<(), Error> {
        let tries = usize::try_from(notice.attempts).unwrap_or(usize::MAX);
        let wait = BACKOFF[tries.clamp(1, BACKOFF.len()) - 1];
        if now.plus(wait) < notice.give_up_at {
            round.put_off += 1;
            tracing::warn!(notice = notice.id, %why, "a notice could not be sent; it is tried again");
            // Unless its lease ran out and another node has it.
            sqlx::query("UPDATE notices SET next_at = $1 WHERE id = $2 AND attempts = $3")
                .bind(now.plus(wait))
                .bind(&notice.id)
                .bind(notice.attempts)
                .execute(&mut *self.store.read().await?)
                .await?;
            return Ok(());
        }
        round.given_up += 1;
        tracing::error!(notice = notice.id, %why, "a notice was given up");
        let mut tx = self.store.write().await?;
        self.forget(&mut tx, notice).await?;
        let event = Event::refused("notice.send")
            .with_actor("hefu")
            .with_person(&notice.person)
            .with("text", notice.text.as_str());
        audit::record(&mut tx, rng, now, &event).await?;
        tx.commit().await
    }

    async fn forget(&self, conn: &mut Conn, notice: &Claimed) -> Result<(), Error> {
        sqlx::query("DELETE FROM notices WHERE id = $1")
            .bind(&notice.id)
            .execute(conn)
            .await?;
        Ok(())
    }
}
