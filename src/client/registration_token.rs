//! Initial access tokens (RFC 7591 §1.2): who holds one may register so many clients, until a day. Made by an operator, stored as
//! hashes; those written into the configuration are known there only.

use sqlx::Row;

use crate::clock::UnixTime;
use crate::crypto::{Secret, sha256};
use crate::random::Rng;
use crate::store::{Conn, Error};

/// A token as an operator sees it; the token itself was told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationToken {
    pub id: String,
    pub uses_left: i64,
    pub expires_at: UnixTime,
}

/// Makes a token; its id and itself.
pub async fn issue(
    conn: &mut Conn,
    rng: &mut Rng,
    uses: i64,
    expires_at: UnixTime,
    now: UnixTime,
) -> Result<(String, Secret<String>), Error> {
    let (id, token) = (rng.id("rt_"), rng.token());
    sqlx::query(
        "INSERT INTO registration_tokens (id, token, uses_left, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&id)
    .bind(sha256(token.as_bytes()).to_vec())
    .bind(uses)
    .bind(now)
    .bind(expires_at)
    .execute(conn)
    .await?;
    Ok((id, Secret::new(token)))
}

/// Whether the token could be used now. Uses nothing: asked before anything costly is done for a stranger.
pub async fn counts(conn: &mut Conn, token: &str, now: UnixTime) -> Result<bool, Error> {
    let found: Option<String> = sqlx::query_scalar(
        "SELECT id FROM registration_tokens WHERE token = $1 AND uses_left > 0 AND expires_at > $2 AND revoked_at IS NULL",
    )
    .bind(sha256(token.as_bytes()).to_vec())
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Uses the token once; its id, or `None` when it does not count (any more).
pub async fn spend(conn: &mut Conn, token: &str, now: UnixTime) -> Result<Option<String>, Error> {
    sqlx::query_scalar(
        "UPDATE registration_tokens SET uses_left = uses_left - 1
         WHERE token = $1 AND uses_left > 0 AND expires_at > $2 AND revoked_at IS NULL RETURNING id",
    )
    .bind(sha256(token.as_bytes()).to_vec())
    .bind(now)
    .fetch_optional(conn)
    .await
}

/// Ends a token before its day; whether it still counted.
pub async fn revoke(conn: &mut Conn, id: &str, now: UnixTime) -> Result<bool, Error> {
    let done: Option<String> = sqlx::query_scalar(
        "UPDATE registration_tokens SET revoked_at = $1 WHERE id = $2 AND expires_at > $1 AND revoked_at IS NULL RETURNING id",
    )
    .bind(now)
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(done.is_some())
}

/// Those that count.
pub async fn list(conn: &mut Conn, now: UnixTime) -> Result<Vec<RegistrationToken>, Error> {
    let rows = sqlx::query(
        "SELECT id, uses_left, expires_at FROM registration_tokens
         WHERE uses_left > 0 AND expires_at > $1 AND revoked_at IS NULL ORDER BY issued_at, id",
    )
    .bind(now)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(RegistrationToken {
                id: row.try_get("id")?,
                uses_left: row.try_get("uses_left")?,
                expires_at: row.try_get("expires_at")?,
            })
        })
        .collect()
}

/// Forgets those whose day is over; a job's work.
pub async fn sweep(conn: &mut Conn, now: UnixTime) -> Result<u64, Error> {
    Ok(
        sqlx::query("DELETE FROM registration_tokens WHERE expires_at <= $1")
            .bind(now)
            .execute(conn)
            .await?
            .rows_affected(),
    )
}
