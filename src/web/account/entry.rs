//! How far somebody came on the way in: the phone that was asked for, whether its code was right, a proof that waits for a yes. Encrypted,
//! one row per way and place (an interaction, or a session in the account centre), so that one can stop and come back.

use serde::{Deserialize, Serialize};

use crate::clock::UnixTime;
use crate::crypto::{Sealer, sha256, thumb};
use crate::id::PersonId;
use crate::store::{Conn, Error};

/// Seconds that a half-made entry waits.
const LIFETIME: i64 = 3600;

const COLUMN: &str = "entries.data";

/// What is being entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Login by SMS code.
    Login,
    /// A second factor before the first login of this session.
    Second,
    Create,
    Recover,
    StepUp,
    /// Another phone for the account.
    Phone,
    /// A real name that another account holds.
    Takeover,
    /// A page of the account centre that wants a fresh proof first.
    Act,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Second => "second",
            Self::Create => "create",
            Self::Recover => "recover",
            Self::StepUp => "step-up",
            Self::Phone => "phone",
            Self::Takeover => "takeover",
            Self::Act => "act",
        }
    }
}

/// What is remembered of it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// E.164.
    pub phone: Option<String>,
    /// The code sent there was right.
    pub phone_verified: bool,
    /// The person says that the account which had this phone is somebody else's.
    pub new_holder: bool,
    /// Whose password is being set, who still owes a second factor, whose the proof is.
    pub person: Option<PersonId>,
    pub proof: Option<KeptProof>,
    /// Where to go on.
    pub next: Option<String>,
}

/// A proof that the register gave and that waits for the person's yes.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeptProof {
    pub name: String,
    pub number: String,
    pub method: String,
    pub check_id: String,
    pub at: UnixTime,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("phone_verified", &self.phone_verified)
            .finish_non_exhaustive()
    }
}

/// Remembers `entry`, in place of what was there.
pub async fn save(
    conn: &mut Conn,
    sealer: &dyn Sealer,
    kind: Kind,
    place: &str,
    entry: &Entry,
    now: UnixTime,
) -> Result<(), Error> {
    let (hash, row) = key(kind, place);
    let plain = serde_json::to_vec(entry).map_err(|e| Error::Encode(e.into()))?;
    sqlx::query(
        "INSERT INTO entries (hash, data, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (hash) DO UPDATE SET data = $2, expires_at = $3",
    )
    .bind(hash)
    .bind(sealer.protect(COLUMN, &row, &plain))
    .bind(now.plus(LIFETIME))
    .execute(conn)
    .await?;
    Ok(())
}

/// What is remembered; `None` when nothing is.
pub async fn load(
    conn: &mut Conn,
    sealer: &dyn Sealer,
    kind: Kind,
    place: &str,
    now: UnixTime,
) -> Result<Option<Entry>, Error> {
    let (hash, row) = key(kind, place);
    let data: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT data FROM entries WHERE hash = $1 AND expires_at > $2")
            .bind(hash)
            .bind(now)
            .fetch_optional(conn)
            .await?;
    Ok(data.and_then(|data| open(sealer, &row, &data)))
}

/// Takes what is remembered: of two who ask at once, one gets it.
pub async fn take(
    conn: &mut Conn,
    sealer: &dyn Sealer,
    kind: Kind,
    place: &str,
    now: UnixTime,
) -> Result<Option<Entry>, Error> {
    let (hash, row) = key(kind, place);
    let data: Option<Vec<u8>> = sqlx::query_scalar(
        "DELETE FROM entries WHERE hash = $1 AND expires_at > $2 RETURNING data",
    )
    .bind(hash)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(data.and_then(|data| open(sealer, &row, &data)))
}

/// Forgets what nobody came back for; a job's work.
pub async fn sweep(conn: &mut Conn, now: UnixTime) -> Result<u64, Error> {
    Ok(sqlx::query("DELETE FROM entries WHERE expires_at <= $1")
        .bind(now)
        .execute(conn)
        .await?
        .rows_affected())
}

fn open(sealer: &dyn Sealer, row: &str, data: &[u8]) -> Option<Entry> {
    serde_json::from_slice(&sealer.reveal(COLUMN, row, data)?).ok()
}

fn key(kind: Kind, place: &str) -> (Vec<u8>, String) {
    let name = format!("{}\n{place}", kind.as_str());
    (sha256(name.as_bytes()).to_vec(), thumb(name.as_bytes()))
}
