//! One-time invitations: who holds the link registers the first passkey of a new operator. The link holds a token, the table its hash.

use sqlx::Row;

use super::account::read_roles;
use super::role::Roles;
use crate::clock::UnixTime;
use crate::crypto::{Secret, sha256};
use crate::id::OperatorId;
use crate::random::Rng;
use crate::store::{Conn, Error};

/// An invitation that may still be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The id that the operator will have.
    pub id: OperatorId,
    pub name: String,
    pub roles: Roles,
    pub invited_by: String,
    pub expires_at: UnixTime,
}

/// What an invitation says.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    pub name: &'a str,
    pub roles: &'a Roles,
    pub invited_by: &'a str,
    pub expires_at: UnixTime,
}

/// Makes an invitation; its token is told this once.
pub async fn issue(
    conn: &mut Conn,
    rng: &mut Rng,
    new: New<'_>,
    now: UnixTime,
) -> Result<(OperatorId, Secret<String>), Error> {
    let (id, token) = (OperatorId(rng.id("op_")), rng.token());
    sqlx::query(
        "INSERT INTO operator_invitations (id, hash, name, roles, invited_by, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&id)
    .bind(sha256(token.as_bytes()).to_vec())
    .bind(new.name)
    .bind(new.roles.to_string())
    .bind(new.invited_by)
    .bind(now)
    .bind(new.expires_at)
    .execute(conn)
    .await?;
    Ok((id, Secret::new(token)))
}

/// The invitation behind `token`, if it may still be used.
pub async fn find(
    conn: &mut Conn,
    token: &str,
    now: UnixTime,
) -> Result<Option<Invitation>, Error> {
    let sql = "SELECT id, name, roles, invited_by, expires_at FROM operator_invitations \
         WHERE hash = $1 AND used_at IS NULL AND expires_at > $2";
    answered(conn, sql, token, now).await
}

/// Uses it: one call of all gets it.
pub async fn take(
    conn: &mut Conn,
    token: &str,
    now: UnixTime,
) -> Result<Option<Invitation>, Error> {
    let sql = "UPDATE operator_invitations SET used_at = $2 \
         WHERE hash = $1 AND used_at IS NULL AND expires_at > $2 \
         RETURNING id, name, roles, invited_by, expires_at";
    answered(conn, sql, token, now).await
}

/// Takes an invitation back that nobody used yet; `false` when there is none.
pub async fn withdraw(conn: &mut Conn, id: &OperatorId, now: UnixTime) -> Result<bool, Error> {
    let row = sqlx::query(
        "UPDATE operator_invitations SET expires_at = $2 \
         WHERE id = $1 AND used_at IS NULL AND expires_at > $2 RETURNING id",
    )
    .bind(id)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Those that may still be used, the newest first.
pub async fn list(conn: &mut Conn, now: UnixTime) -> Result<Vec<Invitation>, Error> {
    sqlx::query(
        "SELECT id, name, roles, invited_by, expires_at FROM operator_invitations \
         WHERE used_at IS NULL AND expires_at > $1 ORDER BY created_at DESC, id",
    )
    .bind(now)
    .fetch_all(conn)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// Removes those that can no longer be used; a job's work.
pub async fn sweep(conn: &mut Conn, now: UnixTime) -> Result<u64, Error> {
    let gone = sqlx::query("DELETE FROM operator_invitations WHERE expires_at <= $1")
        .bind(now)
        .execute(conn)
        .await?;
    Ok(gone.rows_affected())
}

async fn answered(
    conn: &mut Conn,
    sql: &'static str,
    token: &str,
    now: UnixTime,
) -> Result<Option<Invitation>, Error> {
    sqlx::query(sql)
        .bind(sha256(token.as_bytes()).to_vec())
        .bind(now)
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

fn read(row: &sqlx::any::AnyRow) -> Result<Invitation, Error> {
    Ok(Invitation {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        roles: read_roles(&row.try_get::<String, _>("roles")?)?,
        invited_by: row.try_get("invited_by")?,
        expires_at: row.try_get("expires_at")?,
    })
}
