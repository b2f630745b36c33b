//! Leases: one node at a time runs a job. The fencing number grows with every change of hands, so that a node that
//! slept through the end of its lease cannot write as if it still held it.

use super::{Conn, Error};
use crate::clock::UnixTime;

/// A job that this node may run until `until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub name: String,
    pub holder: String,
    pub fence: i64,
    pub until: UnixTime,
}

impl Lease {
    /// Takes or prolongs the lease `name` for `seconds`; `None` while another node holds it.
    pub async fn take(
        conn: &mut Conn,
        name: &str,
        holder: &str,
        now: UnixTime,
        seconds: i64,
    ) -> Result<Option<Self>, Error> {
        let until = now.plus(seconds);
        let fence: Option<i64> = sqlx::query_scalar(
            "INSERT INTO leases (name, holder, fence, until) VALUES ($1, $2, 1, $3)
             ON CONFLICT (name) DO UPDATE SET
               fence = CASE WHEN leases.holder = $2 THEN leases.fence ELSE leases.fence + 1 END,
               holder = $2,
               until = $3
             WHERE leases.holder = $2 OR leases.until <= $4
             RETURNING fence",
        )
        .bind(name)
        .bind(holder)
        .bind(until)
        .bind(now)
        .fetch_optional(conn)
        .await?;
        Ok(fence.map(|fence| Self {
            name: name.to_owned(),
            holder: holder.to_owned(),
            fence,
            until,
        }))
    }

    /// Whether this lease is still the current one; asked inside the transaction that the job writes in.
    pub async fn holds(&self, conn: &mut Conn, now: UnixTime) -> Result<bool, Error> {
        let row: Option<i64> =
            sqlx::query_scalar("SELECT fence FROM leases WHERE name = $1 AND holder = $2 AND fence = $3 AND until > $4")
                .bind(&self.name)
                .bind(&self.holder)
                .bind(self.fence)
                .bind(now)
                .fetch_optional(conn)
                .await?;
        Ok(row.is_some())
    }

    /// Gives the lease back before its end.
    pub async fn release(self, conn: &mut Conn) -> Result<(), Error> {
        sqlx::query("UPDATE leases SET until = 0 WHERE name = $1 AND holder = $2 AND fence = $3")
            .bind(&self.name)
            .bind(&self.holder)
            .bind(self.fence)
            .execute(conn)
            .await?;
        Ok(())
    }
}
