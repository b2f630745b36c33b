//! What follows the end of a session: every relying party of it is told through the back channel, from a queue that
//! survives restarts (OIDC Back-Channel Logout 1.0). Sessions may be ended by any room; what ended is found here, so nobody
//! who ends one can forget to tell. How far they were told is read in `told`, which also has the browser's share of it.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use sqlx::Row;
use sqlx::any::AnyRow;
use url::Url;

use super::clients::Clients;
use super::encrypted;
use super::grants::Terms;
use super::tokens::{Issuer, Told};
use super::vouched;
use crate::client::Client;
use crate::clock::UnixTime;
use crate::crypto::Signer;
use crate::id::{ClientId, PersonId, SessionId};
use crate::oauth::Algorithm;
use crate::outbound::{Limits, Outbound};
use crate::random::Rng;
use crate::session;
use crate::store::{Conn, Error, Store};

/// Seconds until the next try, by the number of tries made; after the last one the delivery has failed.
const BACKOFF: [i64; 6] = [5, 30, 120, 600, 3600, 4 * 3600];
/// Seconds after the session's end at which nobody is told any more: tokens and portal sessions have long ended.
pub(super) const GIVE_UP: i64 = 12 * 3600;
/// Seconds that a claimed delivery is left alone by other nodes.
const LEASE: i64 = 30;
/// Deliveries that one round claims.
const ROUND: i64 = 32;
const LIMITS: Limits = Limits {
    time: Duration::from_secs(5),
    body: 16 * 1024,
};

/// Finds the grants of a session whose client must hear of its end. The queue is filled in the transaction that ends the
/// session where it is ended by `end`, else by the next round of `deliver`.
pub async fn end(
    conn: &mut Conn,
    rng: &mut Rng,
    id: &SessionId,
    why: session::End,
    now: UnixTime,
) -> Result<bool, Error> {
    if !session::end(conn, id, why, now).await? {
        return Ok(false);
    }
    fill(conn, rng, id, now).await?;
    Ok(true)
}

/// Puts the relying parties of an ended session into the queue, once.
async fn fill(conn: &mut Conn, rng: &mut Rng, id: &SessionId, now: UnixTime) -> Result<(), Error> {
    let first = sqlx::query(
        "UPDATE sessions SET told_at = $1 WHERE id = $2 AND ended_at IS NOT NULL AND told_at IS NULL RETURNING id",
    )
    .bind(now)
    .bind(id)
    .fetch_optional(&mut *conn)
    .await?;
    if first.is_none() {
        return Ok(());
    }
    for party in parties(conn, id).await? {
        queue(conn, rng, id, &party, now).await?;
    }
    Ok(())
}

/// Puts one relying party of a session into the queue. It is told once, unless it was granted something since it was told: then it
/// had left (`departed`) and come back.
pub(super) async fn queue(
    conn: &mut Conn,
    rng: &mut Rng,
    id: &SessionId,
    party: &Party,
    now: UnixTime,
) -> Result<(), Error> {
    let Party {
        client,
        subject,
        terms,
        issued_at,
    } = party;
    let sub: Option<String> = crate::provider::person::sub_of(conn, subject, &terms.sector).await?;
    sqlx::query(
        "INSERT INTO logout_deliveries (id, session, subject, client, platform, uri, sub, sid, alg, attempts, due_at, give_up_at, front_uri)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $12)
         ON CONFLICT (session, client) DO UPDATE SET id = $1, platform = $5, uri = $6, sub = $7, alg = $9, attempts = 0, due_at = $10,
           give_up_at = $11, front_uri = $12, front_at = NULL, delivered_at = NULL, failed_at = NULL
           WHERE logout_deliveries.give_up_at < $13",
    )
    .bind(rng.id("lo_"))
    .bind(id)
    .bind(subject)
    .bind(client)
    .bind(&terms.platform)
    .bind(terms.back_channel.as_deref().filter(|_| sub.is_some()))
    .bind(sub.unwrap_or_default())
    .bind(session::sid(id, client))
    .bind(terms.alg.as_str())
    .bind(now)
    .bind(now.plus(GIVE_UP))
    .bind(terms.front_channel.as_deref())
    .bind(issued_at.plus(GIVE_UP))
    .execute(&mut *conn)
    .await?;
    Ok(())
}

pub(super) struct Party {
    pub(super) client: ClientId,
    pub(super) subject: PersonId,
    pub(super) terms: Terms,
    pub(super) issued_at: UnixTime,
}

/// The clients of a session, each once, with the newest terms.
async fn parties(conn: &mut Conn, id: &SessionId) -> Result<Vec<Party>, Error> {
    let rows = sqlx::query(
        "SELECT client, subject, terms, issued_at FROM grants WHERE session = $1 AND (redeemed_at IS NOT NULL OR front_at IS NOT NULL) ORDER BY issued_at DESC",
    )
    .bind(id)
    .fetch_all(conn)
    .await?;
    let mut parties: Vec<Party> = Vec::new();
    for row in &rows {
        let client: ClientId = row.try_get("client")?;
        if parties.iter().all(|p| p.client != client) {
            let terms: String = row.try_get("terms")?;
            parties.push(Party {
                client,
                subject: row.try_get("subject")?,
                terms: serde_json::from_str(&terms).map_err(|e| Error::Decode(Box::new(e)))?,
                issued_at: row.try_get("issued_at")?,
            });
        }
    }
    Ok(parties)
}

/// The names of the platforms where the person is signed in through this session.
pub async fn platforms(conn: &mut Conn, id: &SessionId) -> Result<Vec<String>, Error> {
    Ok(parties(conn, id)
        .await?
        .into_iter()
        .map(|p| p.terms.platform)
        .collect())
}

/// What a round needs.
#[derive(Clone, Debug)]
pub struct Deliverer {
    pub store: Store,
    /// Who wants them encrypted.
    pub clients: Arc<Clients>,
    pub issuer: Arc<str>,
    pub signer: Arc<dyn Signer>,
    pub outbound: Arc<Outbound>,
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    pub delivered: usize,
    pub put_off: usize,
    pub failed: usize,
}

struct Delivery {
    id: String,
    client: ClientId,
    uri: String,
    sub: String,
    sid: String,
    alg: String,
    attempts: i64,
    give_up_at: UnixTime,
}

/// The body of a refusal (BCL 2.8).
#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl Deliverer {
    /// One round: fills the queue with sessions that ended elsewhere, claims what is due, delivers in parallel. Several
    /// nodes may run it at once; a claimed delivery whose node dies is due again after its lease.
    pub async fn deliver(&self, rng: &mut Rng, now: UnixTime) -> Result<Round, Error> {
        self.fill_ended(rng, now).await?;
        let claimed = self.claim(now).await?;
        // Side by side: a federation that does not answer keeps nobody else waiting.
        let clients = claimed.iter().map(|delivery| self.client(delivery, now));
        let clients = futures_util::future::join_all(clients).await;
        let mut tokens = Vec::new();
        for (delivery, client) in claimed.iter().zip(clients) {
            tokens.push(match client {
                Ok(client) => self.token(rng, delivery, client.as_deref(), now).await,
                Err(why) => Err(why),
            });
        }
        // No connection is held while we wait for others; `outbound` bounds how many go to one destination at once.
        let answers = futures_util::future::join_all(claimed.iter().zip(&tokens).map(
            async |(delivery, token)| match token {
                Ok(token) => self.tell(delivery, token).await,
                // A key that does not sign now keeps nobody else waiting.
                Err(why) => Answer::Later(why.clone()),
            },
        ))
        .await;
        let mut round = Round::default();
        for (delivery, answer) in claimed.iter().zip(answers) {
            self.note(delivery, &answer, now, &mut round).await?;
        }
        Ok(round)
    }

    async fn fill_ended(&self, rng: &mut Rng, now: UnixTime) -> Result<(), Error> {
        let ended: Vec<SessionId> = sqlx::query_scalar(
            "SELECT id FROM sessions WHERE ended_at IS NOT NULL AND told_at IS NULL ORDER BY ended_at LIMIT 100",
        )
        .fetch_all(&mut *self.store.read().await?)
        .await?;
        for id in ended {
            let mut tx = self.store.write().await?;
            fill(&mut tx, rng, &id, now).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn claim(&self, now: UnixTime) -> Result<Vec<Delivery>, Error> {
        let mut conn = self.store.read().await?;
        // The lease is the due time moved on; a second node finds nothing due.
        let rows = sqlx::query(
            "UPDATE logout_deliveries SET due_at = $1, attempts = attempts + 1
             WHERE id IN (SELECT id FROM logout_deliveries WHERE delivered_at IS NULL AND failed_at IS NULL AND uri IS NOT NULL
                          AND due_at <= $2 ORDER BY due_at, id LIMIT $3)
               AND due_at <= $2 AND delivered_at IS NULL
             RETURNING id, client, uri, sub, sid, alg, attempts, give_up_at",
        )
        .bind(now.plus(LEASE))
        .bind(now)
        .bind(ROUND)
        .fetch_all(&mut *conn)
        .await?;
        rows.iter().map(Delivery::read).collect()
    }

    /// The client with the key that its tokens are encrypted to; one that has departed, as it was last known, or none where its
    /// tokens were not encrypted. No connection is held.
    async fn client(
        &self,
        delivery: &Delivery,
        now: UnixTime,
    ) -> Result<Option<Arc<Client>>, String> {
        let found = self
            .clients
            .find(&self.store, delivery.client.as_str(), None, now);
        let client = match found.await {
            Ok(client) => client,
            Err(error) => {
                let id = &delivery.client;
                let gone = async { vouched::find(&mut *self.store.read().await?, id).await };
                let gone = gone.await.map_err(|e: Error| e.to_string())?;
                let Some(gone) = gone.filter(|platform| platform.ended_at.is_some()) else {
                    return Err(error.to_string());
                };
                match self.clients.last_known(id) {
                    Some(client) => client,
                    None if gone.encryption.is_none() => return Ok(None),
                    None => return Err(error.to_string()),
                }
            }
        };
        let encryption = client.id_token_encryption;
        let ready = self.clients.with_key_for(client, encryption, now).await;
        ready
            .map(Some)
            .map_err(|error| error.description.into_owned())
    }

    /// BCL 2.4: signed, and encrypted where the client has its ID Tokens encrypted.
    async fn token(
        &self,
        rng: &mut Rng,
        delivery: &Delivery,
        client: Option<&Client>,
        now: UnixTime,
    ) -> Result<String, String> {
        let issuer = Issuer {
            id: &self.issuer,
            signer: &*self.signer,
        };
        let told = Told {
            client: &delivery.client,
            sub: &delivery.sub,
            sid: &delivery.sid,
            alg: delivery.alg.parse().unwrap_or(Algorithm::RS256),
        };
        let signed = issuer.logout_token(rng, &told, now).await;
        let signed = signed.map_err(|error| error.to_string())?;
        let Some(client) = client else {
            return Ok(signed);
        };
        encrypted::nested(signed, client, client.id_token_encryption, rng)
            .map_err(|error| error.description.into_owned())
    }

    /// BCL 2.5: a form POST with `logout_token`. 200 and 204 are a yes, 400 is a no that repeating does not change.
    async fn tell(&self, delivery: &Delivery, token: &str) -> Answer {
        let Ok(url) = Url::parse(&delivery.uri) else {
            return Answer::Refused("not a URL".to_owned());
        };
        let body = format!("logout_token={token}");
        match self
            .outbound
            .post(
                &url,
                "application/x-www-form-urlencoded",
                body.into_bytes(),
                &LIMITS,
            )
            .await
        {
            Ok(answer) if matches!(answer.status().as_u16(), 200 | 204) => Answer::Done,
            Ok(answer) if matches!(answer.status().as_u16(), 400 | 404 | 405 | 410 | 501) => {
                let said = serde_json::from_slice::<Refused>(answer.body())
                    .map_or_else(|_| String::new(), |r| r.error);
                Answer::Refused(format!(
                    "{} {}",
                    answer.status().as_u16(),
                    said.chars().take(60).collect::<String>()
                ))
            }
            Ok(answer) => Answer::Later(answer.status().to_string()),
            Err(error) => Answer::Later(error.to_string()),
        }
    }

    async fn note(
        &self,
        delivery: &Delivery,
        answer: &Answer,
        now: UnixTime,
        round: &mut Round,
    ) -> Result<(), Error> {
        let mut conn = self.store.read().await?;
        let tries = usize::try_from(delivery.attempts).unwrap_or(usize::MAX);
        let next = BACKOFF
            .get(tries - 1)
            .map(|wait| now.plus(*wait))
            .filter(|at| *at < delivery.give_up_at);
        let query = match (answer, next) {
            (Answer::Done, _) => {
                round.delivered += 1;
                sqlx::query("UPDATE logout_deliveries SET delivered_at = $1 WHERE id = $2")
                    .bind(now)
            }
            (Answer::Later(_), Some(next)) => {
                round.put_off += 1;
                sqlx::query("UPDATE logout_deliveries SET due_at = $1 WHERE id = $2 AND delivered_at IS NULL").bind(next)
            }
            (Answer::Later(why) | Answer::Refused(why), _) => {
                round.failed += 1;
                tracing::warn!(client = %delivery.client, why, "a relying party could not be told of a logout");
                sqlx::query("UPDATE logout_deliveries SET failed_at = $1 WHERE id = $2").bind(now)
            }
        };
        query.bind(&delivery.id).execute(&mut *conn).await?;
        Ok(())
    }
}

enum Answer {
    Done,
    Later(String),
    Refused(String),
}

impl Delivery {
    fn read(row: &AnyRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.try_get("id")?,
            client: row.try_get("client")?,
            uri: row.try_get("uri")?,
            sub: row.try_get("sub")?,
            sid: row.try_get("sid")?,
            alg: row.try_get("alg")?,
            attempts: row.try_get("attempts")?,
            give_up_at: row.try_get("give_up_at")?,
        })
    }
}
