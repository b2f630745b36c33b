//! An operator's sign-in at the console: eight hours at most, a quarter of an hour without a request. The browser holds a handle, the
//! table its hash.

use super::account::Operator;
use crate::clock::UnixTime;
use crate::crypto::{Secret, sha256};
use crate::id::OperatorId;
use crate::random::Rng;
use crate::store::{Conn, Error};

/// Seconds until a session ends, whatever happens.
pub const ABSOLUTE: i64 = 8 * 3600;
/// Seconds without a request after which it ends.
pub const IDLE: i64 = 900;

/// Begins a session. The handle is always new.
pub async fn begin(
    conn: &mut Conn,
    rng: &mut Rng,
    operator: &OperatorId,
    now: UnixTime,
) -> Result<Secret<String>, Error> {
    let handle = rng.token();
    sqlx::query(
        "INSERT INTO operator_sessions (hash, operator, begun_at, seen_at, expires_at) VALUES ($1, $2, $3, $3, $4)",
    )
    .bind(hash(&handle))
    .bind(operator)
    .bind(now)
    .bind(now.plus(ABSOLUTE))
    .execute(conn)
    .await?;
    Ok(Secret::new(handle))
}

/// Whose session this is, if it lasts and they are not disabled; notes that they were here.
pub async fn seen(conn: &mut Conn, handle: &str, now: UnixTime) -> Result<Option<Operator>, Error> {
    // The state is in the WHERE: a session that ended meanwhile is not revived.
    let owner: Option<OperatorId> = sqlx::query_scalar(
        "UPDATE operator_sessions SET seen_at = $2 WHERE hash = $1 AND ended_at IS NULL \
         AND expires_at > $2 AND seen_at > $3 RETURNING operator",
    )
    .bind(hash(handle))
    .bind(now)
    .bind(now.plus(-IDLE))
    .fetch_optional(&mut *conn)
    .await?;
    let Some(owner) = owner else {
        return Ok(None);
    };
    let sql = format!(
        "SELECT {} FROM operators WHERE id = $1 AND disabled_at IS NULL",
        Operator::COLUMNS
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(owner)
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(Operator::read)
        .transpose()
}

/// Ends the session behind `handle`; whose it was.
pub async fn end(
    conn: &mut Conn,
    handle: &str,
    now: UnixTime,
) -> Result<Option<OperatorId>, Error> {
    sqlx::query_scalar(
        "UPDATE operator_sessions SET ended_at = $2 WHERE hash = $1 AND ended_at IS NULL RETURNING operator",
    )
    .bind(hash(handle))
    .bind(now)
    .fetch_optional(conn)
    .await
}

/// Ends all sessions of `operator`.
pub(super) async fn end_all(
    conn: &mut Conn,
    operator: &OperatorId,
    now: UnixTime,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE operator_sessions SET ended_at = $2 WHERE operator = $1 AND ended_at IS NULL",
    )
    .bind(operator)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes those that are over; a job's work.
pub async fn sweep(conn: &mut Conn, now: UnixTime) -> Result<u64, Error> {
    let gone = sqlx::query(
        "DELETE FROM operator_sessions WHERE expires_at <= $1 OR seen_at <= $2 OR ended_at IS NOT NULL",
    )
    .bind(now)
    .bind(now.plus(-IDLE))
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}

fn hash(handle: &str) -> Vec<u8> {
    sha256(handle.as_bytes()).to_vec()
}
