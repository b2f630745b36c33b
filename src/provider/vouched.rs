//! What is kept of the word of platforms' superiors: until when it holds, where a platform is told of logouts, and whether it has
//! ended. `departed` finds it out; whoever must know how a platform stands without asking the federation reads it here.

use std::collections::BTreeMap;

use sqlx::Row;

use crate::clock::UnixTime;
use crate::id::{ClientId, PersonId};
use crate::store::{Conn, Error};

/// A platform as it was last found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    pub vouched_until: UnixTime,
    /// The last address that its superiors let it have.
    pub back_channel: Option<String>,
    /// Under which algorithm its tokens are encrypted.
    pub encryption: Option<String>,
    pub ended_at: Option<UnixTime>,
}

pub async fn find(conn: &mut Conn, client: &ClientId) -> Result<Option<Platform>, Error> {
    let row = sqlx::query(
        "SELECT vouched_until, back_channel, encryption, ended_at FROM federation_clients WHERE client = $1",
    )
    .bind(client)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Platform {
            vouched_until: row.try_get("vouched_until")?,
            back_channel: row.try_get("back_channel")?,
            encryption: row.try_get("encryption")?,
            ended_at: row.try_get("ended_at")?,
        })
    })
    .transpose()
}

/// A platform that is vouched for, perhaps again.
pub async fn note(conn: &mut Conn, client: &ClientId, platform: &Platform) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO federation_clients (client, vouched_until, back_channel, encryption) VALUES ($1, $2, $3, $4)
         ON CONFLICT (client) DO UPDATE SET vouched_until = $2, back_channel = $3, encryption = $4, ended_at = NULL, ended_why = NULL",
    )
    .bind(client)
    .bind(platform.vouched_until)
    .bind(platform.back_channel.as_deref())
    .bind(platform.encryption.as_deref())
    .execute(conn)
    .await?;
    Ok(())
}

/// A platform that ended.
pub async fn ended(
    conn: &mut Conn,
    client: &ClientId,
    why: &str,
    now: UnixTime,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO federation_clients (client, vouched_until, ended_at, ended_why) VALUES ($1, $2, $2, $3)
         ON CONFLICT (client) DO UPDATE SET ended_at = $2, ended_why = $3",
    )
    .bind(client)
    .bind(now)
    .bind(why)
    .execute(conn)
    .await?;
    Ok(())
}

/// Which of the platforms that `person` agreed to have ended, and when.
pub async fn ended_for(
    conn: &mut Conn,
    person: &PersonId,
) -> Result<BTreeMap<String, UnixTime>, Error> {
    let rows = sqlx::query(
        "SELECT client, ended_at FROM federation_clients WHERE ended_at IS NOT NULL
           AND client IN (SELECT client FROM consents WHERE subject = $1)",
    )
    .bind(person)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("client")?, row.try_get("ended_at")?)))
        .collect()
}
