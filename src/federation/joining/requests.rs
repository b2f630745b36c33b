//! What entities ask of an authority, from filing to decision: rows and their rules. At most one open request of a kind for each
//! entity; what is approved is what was filed, since the row holds the keys as they were found then.

use serde_json::{Map, Value, json};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::finding::Finding;
use crate::clock::UnixTime;
use crate::crypto::sha256;
use crate::federation::entity::{EntityId, Schemes};
use crate::random::Rng;
use crate::store::{Conn, Error};

/// Open requests that one authority keeps: an operator reads them one by one.
const MOST_OPEN: i64 = 1000;
/// Seconds after which a request that nobody decided is given up.
const OPEN: i64 = 60 * 86_400;
/// Seconds for which a decided request can be looked up.
const KEPT: i64 = 90 * 86_400;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// To be vouched for.
    Join,
    /// To be vouched for with other keys.
    Keys,
}

impl Wish {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Keys => "keys",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Filed,
    Approved,
    Refused,
    Withdrawn,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Filed, Self::Approved, Self::Refused, Self::Withdrawn];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Filed => "filed",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A request about to be filed.
#[derive(Debug, Clone)]
pub struct NewRequest<'a> {
    pub wish: Wish,
    pub entity_id: &'a EntityId,
    pub jwks: Value,
    pub entity_types: &'a [String],
    pub metadata: &'a Map<String, Value>,
    pub contacts: &'a [String],
    pub notes: Vec<Finding>,
    /// The signed request itself, when it may be used once only.
    pub proof: Option<&'a str>,
}

/// What came of filing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filed {
    /// The handle is told this once; only its hash is kept.
    Open { id: String, reference: String },
    /// The entity has asked for this already and waits, or the proof was used before.
    Already,
    /// Too many wait.
    Full,
}

/// A request as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub id: String,
    pub wish: Wish,
    pub entity_id: EntityId,
    pub jwks: Value,
    pub entity_types: Vec<String>,
    pub metadata: Map<String, Value>,
    pub contacts: Vec<String>,
    pub notes: Vec<Finding>,
    pub state: State,
    pub filed_at: UnixTime,
    pub decided_at: Option<UnixTime>,
    pub reason: Option<String>,
}

const COLUMNS: &str = "id, kind, entity_id, jwks, entity_types, metadata, contacts, notes, state, filed_at, decided_at, reason";

impl NewRequest<'_> {
    pub async fn file(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        now: UnixTime,
    ) -> Result<Filed, Error> {
        let open: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM join_requests WHERE decided_at IS NULL")
                .fetch_one(&mut *conn)
                .await?;
        if open >= MOST_OPEN {
            return Ok(Filed::Full);
        }
        let (id, reference) = (rng.id("jr_"), rng.token());
        let row = sqlx::query(
            "INSERT INTO join_requests (id, reference, kind, entity_id, jwks, entity_types, metadata, contacts, notes, proof, \
             state, filed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'filed', $11) \
             ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(&id)
        .bind(sha256(reference.as_bytes()).to_vec())
        .bind(self.wish.as_str())
        .bind(self.entity_id.as_str())
        .bind(self.jwks.to_string())
        .bind(self.entity_types.join(" "))
        .bind(Value::Object(self.metadata.clone()).to_string())
        .bind(json!(self.contacts).to_string())
        .bind(json!(self.notes).to_string())
        .bind(self.proof.map(|proof| sha256(proof.as_bytes()).to_vec()))
        .bind(now)
        .fetch_optional(conn)
        .await?;
        Ok(match row {
            Some(_) => Filed::Open { id, reference },
            None => Filed::Already,
        })
    }
}

impl Request {
    pub async fn find(conn: &mut Conn, id: &str) -> Result<Option<Self>, Error> {
        let text = format!("SELECT {COLUMNS} FROM join_requests WHERE id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(id)
            .fetch_optional(conn)
            .await?;
        row.map(|row| Self::read(&row)).transpose()
    }

    /// The request whose handle this is.
    pub async fn of_reference(conn: &mut Conn, reference: &str) -> Result<Option<Self>, Error> {
        let text = format!("SELECT {COLUMNS} FROM join_requests WHERE reference = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(sha256(reference.as_bytes()).to_vec())
            .fetch_optional(conn)
            .await?;
        row.map(|row| Self::read(&row)).transpose()
    }

    /// Open requests, or all that are kept; the oldest first.
    pub async fn list(conn: &mut Conn, all: bool) -> Result<Vec<Self>, Error> {
        let which = if all { "" } else { "WHERE decided_at IS NULL" };
        let text = format!("SELECT {COLUMNS} FROM join_requests {which} ORDER BY filed_at, id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .fetch_all(conn)
            .await?;
        rows.iter().map(Self::read).collect()
    }

    fn read(row: &AnyRow) -> Result<Self, Error> {
        let text = |name: &str| row.try_get::<String, _>(name);
        let kind = text("kind")?;
        Ok(Self {
            id: text("id")?,
            wish: if kind == Wish::Keys.as_str() {
                Wish::Keys
            } else {
                Wish::Join
            },
            entity_id: EntityId::parse(&text("entity_id")?, Schemes::HttpsOrLoopbackHttp)
                .map_err(undecoded)?,
            jwks: serde_json::from_str(&text("jwks")?).map_err(undecoded)?,
            entity_types: text("entity_types")?
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            metadata: serde_json::from_str(&text("metadata")?).map_err(undecoded)?,
            contacts: serde_json::from_str(&text("contacts")?).map_err(undecoded)?,
            notes: serde_json::from_str(&text("notes")?).map_err(undecoded)?,
            // A state of a newer version is over, as far as we know.
            state: State::of(&text("state")?).unwrap_or(State::Withdrawn),
            filed_at: row.try_get("filed_at")?,
            decided_at: row.try_get("decided_at")?,
            reason: row.try_get("reason")?,
        })
    }
}

/// Ends an open request of this kind about this entity; `false` when it is none, or no longer open.
pub async fn decide(
    conn: &mut Conn,
    id: &str,
    state: State,
    reason: Option<&str>,
    now: UnixTime,
) -> Result<bool, Error> {
    let row = sqlx::query(
        "UPDATE join_requests SET state = $2, reason = $3, decided_at = $4 WHERE id = $1 AND decided_at IS NULL RETURNING id",
    )
    .bind(id)
    .bind(state.as_str())
    .bind(reason)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Ends the open requests of one kind about an entity: they no longer fit what it has become.
pub async fn overtake(
    conn: &mut Conn,
    entity_id: &EntityId,
    wish: Wish,
    reason: &str,
    now: UnixTime,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE join_requests SET state = 'refused', reason = $3, decided_at = $4 \
         WHERE entity_id = $1 AND kind = $2 AND decided_at IS NULL",
    )
    .bind(entity_id.as_str())
    .bind(wish.as_str())
    .bind(reason)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes a request back, by its handle.
pub async fn withdraw(conn: &mut Conn, reference: &str, now: UnixTime) -> Result<bool, Error> {
    let row = sqlx::query(
        "UPDATE join_requests SET state = 'withdrawn', decided_at = $2 WHERE reference = $1 AND decided_at IS NULL RETURNING id",
    )
    .bind(sha256(reference.as_bytes()).to_vec())
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Gives up what nobody decided and forgets what was decided long ago; a job's work.
pub async fn sweep(conn: &mut Conn, now: UnixTime) -> Result<(), Error> {
    sqlx::query(
        "UPDATE join_requests SET state = 'refused', reason = 'nobody decided in time', decided_at = $2 \
         WHERE decided_at IS NULL AND filed_at <= $1",
    )
    .bind(now.plus(-OPEN))
    .bind(now)
    .execute(&mut *conn)
    .await?;
    sqlx::query("DELETE FROM join_requests WHERE decided_at <= $1")
        .bind(now.plus(-KEPT))
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) fn undecoded<E: std::error::Error + Send + Sync + 'static>(e: E) -> Error {
    Error::Decode(Box::new(e))
}
