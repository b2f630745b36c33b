//! Takes out what nobody can use any more: run by a job. What people may want to look up stays longer than it works.

use crate::clock::UnixTime;
use crate::store::{Conn, Error};

/// Days that ended sessions, dead grants and told logouts can still be looked at.
const KEPT: i64 = 30 * 86_400;
/// Seconds that a device is still told that its code has expired.
const DEVICES: i64 = 3600;

/// One round; how many rows went.
pub async fn sweep(conn: &mut Conn, now: UnixTime) -> Result<u64, Error> {
    let mut gone = 0;
    for (sql, before) in [
        ("DELETE FROM interactions WHERE expires_at <= $1", now),
        ("DELETE FROM waiting_requests WHERE expires_at <= $1", now),
        ("DELETE FROM replay_marks WHERE expires_at <= $1", now),
        (
            "DELETE FROM device_codes WHERE expires_at <= $1",
            now.plus(-DEVICES),
        ),
        (
            "DELETE FROM explicit_registrations WHERE expires_at <= $1",
            now,
        ),
        ("DELETE FROM revoked_tokens WHERE expires_at <= $1", now),
        ("DELETE FROM refresh_tokens WHERE expires_at <= $1", now),
        ("DELETE FROM grants WHERE expires_at <= $1", now.plus(-KEPT)),
        (
            "DELETE FROM sessions WHERE expires_at <= $1",
            now.plus(-KEPT),
        ),
        (
            "DELETE FROM logout_deliveries WHERE give_up_at <= $1",
            now.plus(-KEPT),
        ),
        (
            "DELETE FROM consents WHERE expires_at <= $1",
            now.plus(-KEPT),
        ),
    ] {
        gone += sqlx::query(sql)
            .bind(before)
            .execute(&mut *conn)
            .await?
            .rows_affected();
    }
    Ok(gone)
}
