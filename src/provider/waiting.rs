//! Authorization requests that wait for their browser: pushed by an authenticated client (RFC 9126), or parked because
//! they came by POST from another site, where our cookies are not sent along. Both are fetched by an unguessable name.

use super::request::Parameters;
use crate::clock::UnixTime;
use crate::crypto::sha256;
use crate::id::ClientId;
use crate::random::Rng;
use crate::store::{Conn, Error};
use sqlx::Row;

/// RFC 9126 §2.2.
pub const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
/// Seconds that a parked request waits for the redirect that follows at once.
const PARKED: i64 = 120;

/// A request that was waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The hash of its name: a grant carries it, so that a pushed request is answered once.
    pub reference: Vec<u8>,
    /// Who pushed it; `None`: parked.
    pub client: Option<ClientId>,
    pub parameters: Parameters,
}

/// Stores a pushed request; returns its `request_uri`.
pub async fn push(
    conn: &mut Conn,
    rng: &mut Rng,
    client: &ClientId,
    parameters: &Parameters,
    lifetime: i64,
    now: UnixTime,
) -> Result<String, Error> {
    let name = keep(conn, rng, Some(client), parameters, now.plus(lifetime)).await?;
    Ok(format!("{PREFIX}{name}"))
}

/// Parks a request; returns its name.
pub async fn park(
    conn: &mut Conn,
    rng: &mut Rng,
    parameters: &Parameters,
    now: UnixTime,
) -> Result<String, Error> {
    keep(conn, rng, None, parameters, now.plus(PARKED)).await
}

async fn keep(
    conn: &mut Conn,
    rng: &mut Rng,
    client: Option<&ClientId>,
    parameters: &Parameters,
    expires_at: UnixTime,
) -> Result<String, Error> {
    let name = rng.token();
    sqlx::query(
        "INSERT INTO waiting_requests (reference, client, parameters, expires_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(sha256(name.as_bytes()).to_vec())
    .bind(client)
    .bind(parameters.to_json())
    .bind(expires_at)
    .execute(conn)
    .await?;
    Ok(name)
}

/// The pushed request of a `request_uri`; `None`: not ours, expired, of another client, or answered already.
/// Reading does not consume it: a reload before the answer works (FAPI 2.0 §5.3.2.2 note 3).
pub async fn pushed(
    conn: &mut Conn,
    request_uri: &str,
    client: &str,
    now: UnixTime,
) -> Result<Option<Waiting>, Error> {
    let Some(name) = request_uri.strip_prefix(PREFIX) else {
        return Ok(None);
    };
    let found = find(conn, name, now).await?;
    Ok(found.filter(|w| w.client.as_ref().is_some_and(|c| c.as_str() == client)))
}

/// A parked request.
pub async fn parked(conn: &mut Conn, name: &str, now: UnixTime) -> Result<Option<Waiting>, Error> {
    Ok(find(conn, name, now).await?.filter(|w| w.client.is_none()))
}

async fn find(conn: &mut Conn, name: &str, now: UnixTime) -> Result<Option<Waiting>, Error> {
    let reference = sha256(name.as_bytes()).to_vec();
    let row = sqlx::query(
        "SELECT client, parameters FROM waiting_requests WHERE reference = $1 AND expires_at > $2
           AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.pushed = waiting_requests.reference)",
    )
    .bind(reference.clone())
    .bind(now)
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let parameters: String = row.try_get("parameters")?;
    Ok(
        Parameters::from_json(&parameters).map(|parameters| Waiting {
            reference,
            client: row.try_get("client").unwrap_or(None),
            parameters,
        }),
    )
}
