//! `WebAuthn` ceremonies under way: rows that their one use deletes, bound to the interaction or session that began them. What they prove
//! is decided by whoever began them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::clock::UnixTime;
use crate::crypto::sha256;
use crate::random::Rng;
use crate::store::{Conn, Error};

/// Seconds that a ceremony may take.
const CEREMONY: i64 = 300;

/// A ceremony that began: what the browser is told, and the one-time name by which it comes back.
#[derive(Debug)]
pub struct Begun {
    pub ceremony: String,
    pub options: Value,
}

#[expect(
    clippy::too_many_arguments,
    reason = "the columns of one row, and what is told; a struct would be taken apart at once"
)]
pub async fn begin(
    conn: &mut Conn,
    rng: &mut Rng,
    kind: &str,
    context: &str,
    holder: Option<&str>,
    state: &impl Serialize,
    options: &impl Serialize,
    now: UnixTime,
) -> Result<Option<Begun>, Error> {
    let ceremony = rng.token();
    sqlx::query(
        "INSERT INTO ceremonies (hash, kind, context, person, state, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(sha256(ceremony.as_bytes()).to_vec())
    .bind(kind)
    .bind(context)
    .bind(holder)
    .bind(to_json(state)?)
    .bind(now.plus(CEREMONY))
    .execute(conn)
    .await?;
    let options = serde_json::to_value(options).map_err(|e| Error::Encode(e.into()))?;
    Ok(Some(Begun { ceremony, options }))
}

/// Takes a ceremony: it works once, for its kind, where it began.
pub async fn take<T: DeserializeOwned>(
    conn: &mut Conn,
    kind: &str,
    ceremony: &str,
    context: &str,
    now: UnixTime,
) -> Result<Option<(Option<String>, T)>, Error> {
    let row: Option<(Option<String>, String)> = sqlx::query_as(
        "DELETE FROM ceremonies WHERE hash = $1 AND kind = $2 AND context = $3 AND expires_at > $4
         RETURNING person, state",
    )
    .bind(sha256(ceremony.as_bytes()).to_vec())
    .bind(kind)
    .bind(context)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    row.map(|(holder, state)| Ok((holder, from_json(&state)?)))
        .transpose()
}

/// Removes ceremonies that nobody finished; a job's work.
pub async fn sweep(conn: &mut Conn, now: UnixTime) -> Result<u64, Error> {
    Ok(sqlx::query("DELETE FROM ceremonies WHERE expires_at <= $1")
        .bind(now)
        .execute(conn)
        .await?
        .rows_affected())
}

pub fn to_json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error::Encode(e.into()))
}

pub fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|e| Error::Decode(e.into()))
}
