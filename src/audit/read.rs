//! The log as it is read by people: newest first, page by page.

use sqlx::Row as _;

use crate::clock::UnixTime;
use crate::store::{Conn, Error};

/// One row, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub id: String,
    pub at: UnixTime,
    pub kind: String,
    pub outcome: String,
    pub actor: Option<String>,
    pub subject: Option<String>,
    pub client: Option<String>,
    /// JSON object.
    pub detail: String,
    /// It has its place in the chain.
    pub sealed: bool,
}

/// The newest rows, at most `most`; with `before` (time and id of a row), those that are older.
pub async fn newest(
    conn: &mut Conn,
    before: Option<(UnixTime, &str)>,
    most: i64,
) -> Result<Vec<Written>, Error> {
    let (at, id) = before.unwrap_or((UnixTime(i64::MAX), ""));
    sqlx::query(
        "SELECT id, at, kind, outcome, actor, subject, client, detail, seq FROM audit_events \
         WHERE at < $1 OR (at = $1 AND id < $2) ORDER BY at DESC, id DESC LIMIT $3",
    )
    .bind(at)
    .bind(id)
    .bind(most)
    .fetch_all(conn)
    .await?
    .iter()
    .map(|row| {
        Ok(Written {
            id: row.try_get("id")?,
            at: row.try_get("at")?,
            kind: row.try_get("kind")?,
            outcome: row.try_get("outcome")?,
            actor: row.try_get("actor")?,
            subject: row.try_get("subject")?,
            client: row.try_get("client")?,
            detail: row.try_get("detail")?,
            sealed: row.try_get::<Option<i64>, _>("seq")?.is_some(),
        })
    })
    .collect()
}
