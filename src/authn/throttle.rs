//! How often something may be tried. Counters live in the database, so that every node sees them, and are raised *before* the answer is
//! known, so that a hundred tries at once are a hundred tries.

use crate::clock::UnixTime;
use crate::crypto::Indexer;
use crate::store::{Conn, Error};

/// One rule: so many tries in so many seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// What is counted; part of the key.
    pub kind: &'static str,
    pub tries: i64,
    pub seconds: i64,
}

/// Whether a try may go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pass {
    Go,
    /// Come back in so many seconds.
    Wait(i64),
}

/// Counts one try of `who` (any number of parts, for example account and source) against `limit`.
pub async fn count(
    conn: &mut Conn,
    indexer: &dyn Indexer,
    limit: Limit,
    who: &[&str],
    now: UnixTime,
) -> Result<Pass, Error> {
    let (tries, window_end): (i64, i64) = sqlx::query_as(
        "INSERT INTO throttles (hash, window_start, window_end, tries) VALUES ($1, $2, $3, 1)
         ON CONFLICT (hash) DO UPDATE SET
           tries = CASE WHEN throttles.window_end <= $2 THEN 1 ELSE throttles.tries + 1 END,
           window_start = CASE WHEN throttles.window_end <= $2 THEN $2 ELSE throttles.window_start END,
           window_end = CASE WHEN throttles.window_end <= $2 THEN $3 ELSE throttles.window_end END
         RETURNING tries, window_end",
    )
    .bind(key(indexer, limit, who))
    .bind(now)
    .bind(now.plus(limit.seconds))
    .fetch_one(conn)
    .await?;
    Ok(if tries > limit.tries {
        Pass::Wait(UnixTime(window_end).since(now).max(1))
    } else {
        Pass::Go
    })
}

/// Forgets the tries of `who`: the last one succeeded.
pub async fn clear(
    conn: &mut Conn,
    indexer: &dyn Indexer,
    limit: Limit,
    who: &[&str],
) -> Result<(), Error> {
    sqlx::query("DELETE FROM throttles WHERE hash = $1")
        .bind(key(indexer, limit, who))
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes one try back: it succeeded, and only failures are limited.
pub async fn forgive(
    conn: &mut Conn,
    indexer: &dyn Indexer,
    limit: Limit,
    who: &[&str],
) -> Result<(), Error> {
    sqlx::query("UPDATE throttles SET tries = tries - 1 WHERE hash = $1 AND tries > 0")
        .bind(key(indexer, limit, who))
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes counters whose window is over; a job's work.
pub async fn sweep(conn: &mut Conn, now: UnixTime) -> Result<u64, Error> {
    Ok(sqlx::query("DELETE FROM throttles WHERE window_end <= $1")
        .bind(now)
        .execute(conn)
        .await?
        .rows_affected())
}

/// The newest key alone: a rotation of the index key forgets the open windows once, which is harmless.
fn key(indexer: &dyn Indexer, limit: Limit, who: &[&str]) -> Vec<u8> {
    let mut value = limit.kind.as_bytes().to_vec();
    for part in who {
        value.extend((part.len() as u64).to_be_bytes());
        value.extend(part.as_bytes());
    }
    indexer.index("throttle", &value)
}
