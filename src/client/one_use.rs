//! What may be used once until it expires: the `jti` of assertions and request objects, on any number of nodes.

use crate::clock::UnixTime;
use crate::crypto::sha256;
use crate::store::{Conn, Error};

/// Seconds by which clocks may differ; a verifier accepts a little past the expiry, so the mark stays as long.
const LEEWAY: i64 = 60;

/// Something that was presented and must not be presented again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OneUse {
    mark: [u8; 32],
    expires_at: UnixTime,
}

impl OneUse {
    /// `kind` keeps request objects and assertions apart, `by` their senders.
    pub fn of(kind: &str, by: &str, jti: &str, expires_at: UnixTime) -> Self {
        Self {
            mark: sha256(format!("{kind}\n{by}\n{jti}").as_bytes()),
            expires_at: expires_at.plus(LEEWAY),
        }
    }

    /// Marks it as used; `false` when it was used before. Two at once: the database lets one through.
    pub async fn mark(&self, conn: &mut Conn) -> Result<bool, Error> {
        let first: Option<i64> = sqlx::query_scalar(
            "INSERT INTO replay_marks (mark, expires_at) VALUES ($1, $2) ON CONFLICT (mark) DO NOTHING RETURNING expires_at",
        )
        .bind(self.mark.to_vec())
        .bind(self.expires_at)
        .fetch_optional(conn)
        .await?;
        Ok(first.is_some())
    }
}

/// Forgets what can no longer come again.
pub async fn sweep(conn: &mut Conn, now: UnixTime) -> Result<u64, Error> {
    let gone = sqlx::query("DELETE FROM replay_marks WHERE expires_at <= $1")
        .bind(now)
        .execute(conn)
        .await?;
    Ok(gone.rows_affected())
}
