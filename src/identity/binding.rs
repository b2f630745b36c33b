//! Binding a real name to an account: one real person, one identity, and nobody can squat on it.
//!
//! A document is held by at most one account: the table `documents` says so by its primary key, the keyed hash of the number. Name and
//! number leak, so a match of these two is provisional; a match together with the verified phone (`Match3`) binds, and takes the document
//! from an account that holds it provisionally. Neither data nor `sub` goes with it. Who lost it must lose sessions and grants as well:
//! those rooms are not known here, so [`Binding::Bound`] names the account and the caller ends them in the same transaction.

use crate::clock::UnixTime;
use crate::id::PersonId;
use crate::random::Rng;
use crate::store::{Conn, Error};

use super::evidence::{self, Evidence, Method};
use super::level::RealNameLevel;
use super::name::Name;
use super::number::IdNumber;
use super::person::{ID_NUMBER, Keys, NAME};

/// A real name that a source has just confirmed.
#[derive(Clone, Debug)]
pub struct Proof {
    pub name: Name,
    pub number: IdNumber,
    pub evidence: Evidence,
}

/// Whether a document may be taken from an account whose proof is weaker. The person was told and agreed, or was not asked yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Takeover {
    NotAsked,
    Agreed,
}

/// How binding ended. Every outcome is an ordinary value and commits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Binding {
    /// The account now has the name. Sessions, grants and delegations of `taken_from` must end in this transaction.
    Bound { taken_from: Option<PersonId> },
    /// Another account holds the document. Told only to somebody whose match succeeded.
    Held {
        by: PersonId,
        /// Its proof is weaker than this one: with the person's agreement the document moves.
        weaker: bool,
    },
    /// This account already has another document.
    OtherDocument,
    /// There is no such open account.
    NoAccount,
}

/// Domain of the keyed hash of a document's number.
const DOCUMENT_INDEX: &str = "id_number";

/// Who holds the document `number`, and by which method.
pub async fn holder(
    conn: &mut Conn,
    keys: Keys<'_>,
    number: &IdNumber,
) -> Result<Option<(PersonId, Method)>, Error> {
    for hash in hashes(keys, number) {
        if let Some(found) = held(conn, &hash).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Binds the proven name to `person`. Belongs into a write transaction.
pub async fn bind(
    conn: &mut Conn,
    keys: Keys<'_>,
    rng: &mut Rng,
    person: &PersonId,
    proof: &Proof,
    takeover: Takeover,
    now: UnixTime,
) -> Result<Binding, Error> {
    // Touching the row first makes two bindings of one account wait for each other on both databases.
    let open: Option<PersonId> = sqlx::query_scalar(
        "UPDATE persons SET level = level WHERE id = $1 AND closed_at IS NULL RETURNING id",
    )
    .bind(person)
    .fetch_optional(&mut *conn)
    .await?;
    if open.is_none() {
        return Ok(Binding::NoAccount);
    }
    let hashes = hashes(keys, &proof.number);
    let own: Vec<Vec<u8>> = sqlx::query_scalar("SELECT hash FROM documents WHERE person = $1")
        .bind(person)
        .fetch_all(&mut *conn)
        .await?;
    if !own.is_empty() && !own.iter().any(|hash| hashes.contains(hash)) {
        return Ok(Binding::OtherDocument);
    }

    let method = proof.evidence.method;
    let mut taken_from = None;
    let mut claimed: Vec<&Vec<u8>> = Vec::new();
    for hash in &hashes {
        match claim(conn, hash, person, method, takeover, now).await? {
            Claim::Ours => claimed.push(hash),
            Claim::From(holder) => {
                claimed.push(hash);
                taken_from = Some(holder);
            }
            Claim::Held { by, weaker } => {
                // A refusal commits: what this call put there under a newer key must not stay.
                for hash in claimed.into_iter().filter(|hash| !own.contains(hash)) {
                    sqlx::query("DELETE FROM documents WHERE hash = $1 AND person = $2")
                        .bind(hash)
                        .bind(person)
                        .execute(&mut *conn)
                        .await?;
                }
                return Ok(Binding::Held { by, weaker });
            }
        }
    }
    if let Some(former) = &taken_from {
        unbind(conn, former).await?;
    }
    write_name(conn, keys, person, proof, now).await?;
    evidence::keep(conn, rng, person, &proof.evidence).await?;
    Ok(Binding::Bound { taken_from })
}

/// What became of one hash.
enum Claim {
    Ours,
    From(PersonId),
    Held { by: PersonId, weaker: bool },
}

async fn claim(
    conn: &mut Conn,
    hash: &[u8],
    person: &PersonId,
    method: Method,
    takeover: Takeover,
    now: UnixTime,
) -> Result<Claim, Error> {
    loop {
        // The database decides who is first; the later one waits here and then finds the row.
        let inserted: Option<PersonId> = sqlx::query_scalar(
            "INSERT INTO documents (hash, person, method, bound_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (hash) DO NOTHING RETURNING person",
        )
        .bind(hash)
        .bind(person)
        .bind(method.as_str())
        .bind(now)
        .fetch_optional(&mut *conn)
        .await?;
        if inserted.is_some() {
            return Ok(Claim::Ours);
        }
        let Some((by, standing)) = held(conn, hash).await? else {
            continue;
        };
        let ours = by == *person;
        let weaker = standing < method;
        let may_move = ours || (weaker && takeover == Takeover::Agreed);
        if !may_move {
            return Ok(Claim::Held { by, weaker });
        }
        if ours && !weaker {
            return Ok(Claim::Ours);
        }
        // The state is in the WHERE: a holder who became stronger meanwhile keeps it.
        let moved: Option<PersonId> = sqlx::query_scalar(
            "UPDATE documents SET person = $2, method = $3, bound_at = $4
             WHERE hash = $1 AND person = $5 AND method = $6 RETURNING person",
        )
        .bind(hash)
        .bind(person)
        .bind(method.as_str())
        .bind(now)
        .bind(&by)
        .bind(standing.as_str())
        .fetch_optional(&mut *conn)
        .await?;
        if moved.is_some() {
            return Ok(if ours { Claim::Ours } else { Claim::From(by) });
        }
    }
}

async fn held(conn: &mut Conn, hash: &[u8]) -> Result<Option<(PersonId, Method)>, Error> {
    let row: Option<(PersonId, String)> =
        sqlx::query_as("SELECT person, method FROM documents WHERE hash = $1")
            .bind(hash)
            .fetch_optional(conn)
            .await?;
    row.map(|(person, method)| {
        let method = method
            .parse()
            .map_err(|_| super::person::unreadable("documents.method"))?;
        Ok((person, method))
    })
    .transpose()
}

/// Takes name and number from `person`, whose document went to somebody with a stronger proof. The evidence stays as history.
async fn unbind(conn: &mut Conn, person: &PersonId) -> Result<(), Error> {
    sqlx::query("DELETE FROM documents WHERE person = $1")
        .bind(person)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "UPDATE persons SET level = $2, name = NULL, id_number = NULL, verified_at = NULL, provisional_at = NULL
         WHERE id = $1",
    )
    .bind(person)
    .bind(RealNameLevel::Rn1.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_name(
    conn: &mut Conn,
    keys: Keys<'_>,
    person: &PersonId,
    proof: &Proof,
    now: UnixTime,
) -> Result<(), Error> {
    let row = person.as_str();
    let name = keys
        .sealer
        .protect(NAME, row, proof.name.as_str().as_bytes());
    let number = keys
        .sealer
        .protect(ID_NUMBER, row, proof.number.plain().as_bytes());
    // A provisional name raises nothing: who only knows name and number must not be believed elsewhere. A weaker proof
    // given later does not lower what a stronger one has reached, but the name of the moment is kept.
    let statement = match proof.evidence.method {
        Method::Match2 => {
            "UPDATE persons SET name = $2, id_number = $3, verified_at = $4,
               provisional_at = CASE WHEN level = 'rn1' THEN $4 ELSE provisional_at END
             WHERE id = $1"
        }
        Method::Match3 => {
            "UPDATE persons SET name = $2, id_number = $3, verified_at = $4, provisional_at = NULL,
               level = CASE WHEN level = 'rn1' THEN 'rn2' ELSE level END
             WHERE id = $1"
        }
    };
    sqlx::query(statement)
        .bind(person)
        .bind(name)
        .bind(number)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

fn hashes(keys: Keys<'_>, number: &IdNumber) -> Vec<Vec<u8>> {
    keys.indexer
        .indices(DOCUMENT_INDEX, number.plain().as_bytes())
}
