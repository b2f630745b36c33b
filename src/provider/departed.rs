//! Platforms that their superiors no longer vouch for (OpenID Federation 1.0 §12.3, §18.2): what people granted them ends, and
//! they are told that the logins there are over. Run by a job; no person need come for it.
//!
//! Signed evidence ends a platform at once, the expiry of what was vouched for ends it then. An error that nobody signed ends
//! nothing before: that is why the expiry is kept here, where a restart does not forget it.

use futures_util::future::join_all;
use sqlx::Row;

use super::clients::{ClientError, Clients};
use super::logout::{self, Party};
use super::vouched::{self, Platform};
use crate::audit::{self, Event};
use crate::clock::UnixTime;
use crate::federation::registration::Standing;
use crate::id::{ClientId, SessionId};
use crate::random::Rng;
use crate::store::{Conn, Error, Store};

/// Platforms that are asked about at once.
const TOGETHER: usize = 16;
/// Grants that end in one transaction.
const PORTION: i64 = 200;
/// Seconds that a platform is given of which nothing is known: as long as a superior's statement lives by default.
const UNSEEN: i64 = 3600;

/// One round: every platform of the federation with grants in force is looked at. Returns those that ended. Several nodes may run
/// it at once: a grant ends once.
pub async fn look(
    store: &Store,
    clients: &Clients,
    rng: &mut Rng,
    now: UnixTime,
) -> Result<Vec<ClientId>, Error> {
    let mut granted = Vec::new();
    {
        let mut conn = store.read().await?;
        while let Some(client) = next(&mut conn, granted.last(), now).await? {
            granted.push(client);
        }
    }
    let mut ended = Vec::new();
    for some in granted.chunks(TOGETHER) {
        // No connection is held while superiors are asked.
        let found = join_all(
            some.iter()
                .map(|client| clients.standing(store, client, now)),
        )
        .await;
        for (client, standing) in some.iter().zip(found) {
            let standing = match standing {
                Ok(Some(standing)) => standing,
                Err(ClientError::Store(error)) => return Err(error),
                // Registered by hand, or by nobody any more.
                Ok(None) | Err(_) => continue,
            };
            if judge(store, rng, client, standing, now).await? {
                ended.push(client.clone());
            }
        }
    }
    Ok(ended)
}

/// Notes how a platform stands, or ends it; whether it ended.
async fn judge(
    store: &Store,
    rng: &mut Rng,
    client: &ClientId,
    standing: Standing,
    now: UnixTime,
) -> Result<bool, Error> {
    let before = vouched::find(&mut *store.read().await?, client).await?;
    let (why, reason) = match (standing, &before) {
        (Standing::Later, _) => return Ok(false),
        (
            Standing::Vouched {
                until,
                back_channel,
                encryption,
            },
            _,
        ) => {
            let platform = Platform {
                vouched_until: until,
                back_channel,
                encryption,
                ended_at: None,
            };
            if before.as_ref() != Some(&platform) {
                vouched::note(&mut *store.read().await?, client, &platform).await?;
            }
            return Ok(false);
        }
        (Standing::Unsaid(_), None) => {
            let platform = Platform {
                vouched_until: now.plus(UNSEEN),
                back_channel: None,
                encryption: None,
                ended_at: None,
            };
            vouched::note(&mut *store.read().await?, client, &platform).await?;
            return Ok(false);
        }
        (Standing::Unsaid(_), Some(known)) if now < known.vouched_until => return Ok(false),
        (Standing::Unsaid(reason), Some(_)) => ("expired", reason),
        (Standing::Ended(reason), _) => ("signed", reason),
    };
    tracing::warn!(%client, why, %reason, "nobody vouches for a platform any more: what was granted to it ends");
    let address = before.and_then(|platform| platform.back_channel);
    loop {
        let mut tx = store.write().await?;
        let gone = end(&mut tx, rng, client, address.as_deref(), now).await?;
        if gone == 0 {
            vouched::ended(&mut tx, client, why, now).await?;
            let event = Event::done("client.departed")
                .with_client(client)
                .with("why", why);
            audit::record(&mut tx, rng, now, &event).await?;
            tx.commit().await?;
            return Ok(true);
        }
        tx.commit().await?;
    }
}

/// The client after `after`, by the order of the database, that has grants in force.
pub async fn next(
    conn: &mut Conn,
    after: Option<&ClientId>,
    now: UnixTime,
) -> Result<Option<ClientId>, Error> {
    sqlx::query_scalar(
        "SELECT client FROM grants WHERE revoked_at IS NULL AND client > $1 AND expires_at > $2 ORDER BY client LIMIT 1",
    )
    .bind(after.map_or("", ClientId::as_str))
    .bind(now)
    .fetch_optional(conn)
    .await
}

/// Ends a portion of the grants of `client`, and queues a logout for each session behind them, to be told at `address`, where
/// there is one. How many ended.
pub async fn end(
    conn: &mut Conn,
    rng: &mut Rng,
    client: &ClientId,
    address: Option<&str>,
    now: UnixTime,
) -> Result<usize, Error> {
    let rows = sqlx::query(
        "UPDATE grants SET revoked_at = $1, revoked_why = 'departed'
         WHERE id IN (SELECT id FROM grants WHERE client = $2 AND revoked_at IS NULL AND expires_at > $1 ORDER BY issued_at DESC LIMIT $3)
           AND revoked_at IS NULL
         RETURNING session, subject, terms, issued_at, redeemed_at, front_at",
    )
    .bind(now)
    .bind(client)
    .bind(PORTION)
    .fetch_all(&mut *conn)
    .await?;
    for row in &rows {
        let session: Option<SessionId> = row.try_get("session")?;
        let redeemed: Option<UnixTime> = row.try_get("redeemed_at")?;
        let front: Option<UnixTime> = row.try_get("front_at")?;
        let (Some(session), Some(_)) = (session, redeemed.or(front)) else {
            continue;
        };
        let terms: String = row.try_get("terms")?;
        let mut party = Party {
            client: client.clone(),
            subject: row.try_get("subject")?,
            terms: serde_json::from_str(&terms).map_err(|e| Error::Decode(Box::new(e)))?,
            issued_at: row.try_get("issued_at")?,
        };
        if let Some(address) = address {
            party.terms.back_channel = Some(address.to_owned());
        }
        // No browser is here, and the person's session with us goes on.
        party.terms.front_channel = None;
        logout::queue(conn, rng, &session, &party, now).await?;
    }
    Ok(rows.len())
}
