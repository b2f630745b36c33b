//! How far platforms were told of a session's end, and through which channel: for the person who signed out, and for
//! operators. Telling itself is done in `logout` (back channel) and by the browser (front channel).

use serde::Serialize;
use sqlx::Row;
use sqlx::any::AnyRow;
use url::Url;

use super::logout::GIVE_UP;
use crate::clock::UnixTime;
use crate::id::{ClientId, SessionId};
use crate::store::{Conn, Error};

/// Seconds in which a page that is loaded again shows its frames again.
const AGAIN: i64 = 60;

/// One platform of a session that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    pub client: ClientId,
    /// Its name, as the person knows it.
    pub platform: String,
    pub state: State,
    pub channel: Channel,
    pub ended_at: UnixTime,
    /// Deliveries tried through the back channel.
    pub attempts: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It said so itself, through the back channel.
    Delivered,
    /// The browser was given its page to load; whether it ended its session is known to it alone.
    Asked,
    Waiting,
    Failed,
}

/// Through which it was told, or is being told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Back,
    Front,
    Both,
    None,
}

const COLUMNS: &str =
    "client, platform, uri, front_at, delivered_at, failed_at, attempts, give_up_at";

impl Told {
    fn read(row: &AnyRow) -> Result<Self, Error> {
        let uri: Option<String> = row.try_get("uri")?;
        let front: Option<UnixTime> = row.try_get("front_at")?;
        let delivered: Option<UnixTime> = row.try_get("delivered_at")?;
        let failed: Option<UnixTime> = row.try_get("failed_at")?;
        let give_up_at: UnixTime = row.try_get("give_up_at")?;
        Ok(Self {
            client: row.try_get("client")?,
            platform: row.try_get("platform")?,
            state: match (uri.is_some(), delivered, failed, front) {
                (_, Some(_), _, _) => State::Delivered,
                (true, None, None, _) => State::Waiting,
                (_, None, _, Some(_)) => State::Asked,
                _ => State::Failed,
            },
            channel: match (uri, front) {
                (Some(_), Some(_)) => Channel::Both,
                (Some(_), None) => Channel::Back,
                (None, Some(_)) => Channel::Front,
                (None, None) => Channel::None,
            },
            ended_at: give_up_at.plus(-GIVE_UP),
            attempts: row.try_get("attempts")?,
        })
    }
}

/// The platforms of an ended session, for the page that says so.
pub async fn of_session(conn: &mut Conn, session: &SessionId) -> Result<Vec<Told>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM logout_deliveries WHERE session = $1 ORDER BY platform, client"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(session)
        .fetch_all(conn)
        .await?
        .iter()
        .map(Told::read)
        .collect()
}

/// The newest ones of all sessions, for operators.
pub async fn latest(conn: &mut Conn, most: i64) -> Result<Vec<Told>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM logout_deliveries ORDER BY give_up_at DESC, session, client LIMIT $1"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(most)
        .fetch_all(conn)
        .await?
        .iter()
        .map(Told::read)
        .collect()
}

/// Whether the browser has pages of platforms to load.
pub async fn has_frames(conn: &mut Conn, session: &SessionId) -> Result<bool, Error> {
    let found = sqlx::query(
        "SELECT 1 FROM logout_deliveries WHERE session = $1 AND front_uri IS NOT NULL LIMIT 1",
    )
    .bind(session)
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// The platforms' pages that the browser loads now, with `iss` and `sid` (OIDC Front-Channel Logout 1.0 §2); noted as shown.
pub async fn frames(
    conn: &mut Conn,
    session: &SessionId,
    issuer: &str,
    now: UnixTime,
) -> Result<Vec<Url>, Error> {
    sqlx::query(
        "UPDATE logout_deliveries SET front_at = $1 WHERE session = $2 AND front_uri IS NOT NULL AND front_at IS NULL",
    )
    .bind(now)
    .bind(session)
    .execute(&mut *conn)
    .await?;
    let rows = sqlx::query(
        "SELECT front_uri, sid FROM logout_deliveries WHERE session = $1 AND front_at > $2 ORDER BY client",
    )
    .bind(session)
    .bind(now.plus(-AGAIN))
    .fetch_all(conn)
    .await?;
    let mut frames = Vec::new();
    for row in &rows {
        let uri: String = row.try_get("front_uri")?;
        let sid: String = row.try_get("sid")?;
        // Parsed when the client was read; a query that was registered stays.
        if let Ok(mut uri) = Url::parse(&uri) {
            uri.query_pairs_mut()
                .append_pair("iss", issuer)
                .append_pair("sid", &sid);
            frames.push(uri);
        }
    }
    Ok(frames)
}
