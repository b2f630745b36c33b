//! Why a real name is believed: which source agreed to what, when, and under which number of theirs.

use std::fmt;
use std::str::FromStr;

use crate::clock::UnixTime;
use crate::id::PersonId;
use crate::random::Rng;
use crate::store::{Conn, Error};

/// What was compared with the source. Later is stronger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Method {
    /// Name and number: both leak, so this binds provisionally only.
    Match2,
    /// Name, number and the phone whose holder is present.
    Match3,
}

impl Method {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Match2 => "match2",
            Self::Match3 => "match3",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(word: &str) -> Result<Self, UnknownMethod> {
        match word {
            "match2" => Ok(Self::Match2),
            "match3" => Ok(Self::Match3),
            _ => Err(UnknownMethod),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a method of proof")]
pub struct UnknownMethod;

/// One agreement of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub source: String,
    pub method: Method,
    /// The source's own number of the check.
    pub check_id: String,
    pub at: UnixTime,
}

/// Keeps `evidence` for `person`.
pub async fn keep(
    conn: &mut Conn,
    rng: &mut Rng,
    person: &PersonId,
    evidence: &Evidence,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO evidence (person, id, source, method, check_id, at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(person)
    .bind(rng.id("evd_"))
    .bind(&evidence.source)
    .bind(evidence.method.as_str())
    .bind(&evidence.check_id)
    .bind(evidence.at)
    .execute(conn)
    .await?;
    Ok(())
}

/// All evidence for `person`, newest first.
pub async fn list(conn: &mut Conn, person: &PersonId) -> Result<Vec<Evidence>, Error> {
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
        "SELECT source, method, check_id, at FROM evidence WHERE person = $1 ORDER BY at DESC, id",
    )
    .bind(person)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(source, method, check_id, at)| {
            Ok(Evidence {
                source,
                method: method
                    .parse()
                    .map_err(|_| super::person::unreadable("evidence.method"))?,
                check_id,
                at: UnixTime(at),
            })
        })
        .collect()
}
