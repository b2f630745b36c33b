//! What was found out about each entity below an authority, kept in the database, so that the map can name, search and judge all
//! of them without a chain in memory. Written by the job that keeps chains warm (`subtree`), read by `map`.

use super::subordinate::{asserted_name, read_id};
use crate::clock::UnixTime;
use crate::federation::chain::TrustChain;
use crate::federation::entity::EntityId;
use crate::federation::registration::Localized;
use crate::federation::resolve::{ResolveError, ResolveFault};
use crate::federation::trust_mark::TrustMark;
use crate::store::{Conn, Error};

/// Seconds after which an entity is looked up again: half of its chain's life within these bounds, or this long after a failure.
const SOONEST: i64 = 60;
const LATEST: i64 = 1_800;
const AFTER_FAILURE: i64 = 600;

/// What is known of one entity. Two states are equal when the map would say the same of both, but for the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub entity_id: EntityId,
    /// As its immediate superior vouches for it.
    pub name: Option<String>,
    pub name_en: Option<String>,
    pub types: String,
    pub marks: String,
    pub outcome: Outcome,
}

/// What came of looking for a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Good {
        expires_at: UnixTime,
    },
    /// A code: which kind of failure, or which check.
    Bad {
        fault: &'static str,
        /// Whether signed statements say so. If not, a chain that was good serves until its end (§18.2).
        proven: bool,
    },
}

impl State {
    pub fn good(chain: &TrustChain, marks: &[TrustMark]) -> Self {
        let name = chain
            .superior_statement()
            .and_then(|statement| asserted_name(&statement.metadata));
        let types: Vec<&str> = chain.metadata().keys().map(String::as_str).collect();
        let marks: Vec<&str> = marks.iter().map(|m| m.trust_mark_type.as_str()).collect();
        let outcome = Outcome::Good {
            expires_at: chain.expires_at(),
        };
        Self {
            types: types.join(" "),
            marks: marks.join(" "),
            outcome,
            ..Self::named(chain.subject(), name.as_ref())
        }
    }

    /// `name` is what this authority itself asserts of the entity, if it does.
    ///
    /// Without an error there is no anchor to look for a chain to.
    pub fn bad(
        entity_id: &EntityId,
        name: Option<&Localized>,
        error: Option<&ResolveError>,
    ) -> Self {
        let fault = match error.map(|error| error.kind) {
            Some(ResolveFault::Subject) => "subject",
            Some(ResolveFault::NoAnchor) | None => "no_anchor",
            Some(ResolveFault::Exhausted) => "exhausted",
            Some(ResolveFault::Invalid(step)) => step.as_str(),
        };
        Self {
            outcome: Outcome::Bad {
                fault,
                proven: error.is_some_and(ResolveError::is_signed_evidence),
            },
            ..Self::named(entity_id, name)
        }
    }

    fn named(entity_id: &EntityId, name: Option<&Localized>) -> Self {
        let best = |languages: &[&str]| name.map(|name| name.best(languages).to_owned());
        let (name, name_en) = (best(&["zh-CN", "zh"]), best(&["en"]));
        Self {
            entity_id: entity_id.clone(),
            name_en: name_en.filter(|english| Some(english) != name.as_ref()),
            name,
            types: String::new(),
            marks: String::new(),
            outcome: Outcome::Bad {
                fault: "subject",
                proven: false,
            },
        }
    }

    /// When it should be looked up again.
    pub fn due_at(&self, now: UnixTime) -> UnixTime {
        match self.outcome {
            Outcome::Good { expires_at } => {
                now.plus((expires_at.since(now) / 2).clamp(SOONEST, LATEST))
            }
            Outcome::Bad { .. } => now.plus(AFTER_FAILURE),
        }
    }

    /// Whether a reader of the map would learn nothing from the other but a later end.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let same_outcome = match (&self.outcome, &other.outcome) {
            (Outcome::Good { .. }, Outcome::Good { .. }) => true,
            (a, b) => a == b,
        };
        same_outcome
            && (&self.name, &self.name_en, &self.types, &self.marks)
                == (&other.name, &other.name_en, &other.types, &other.marks)
    }

    /// Writes it. What was known before of the name stays where nothing is known now.
    pub async fn put(&self, conn: &mut Conn, now: UnixTime) -> Result<(), Error> {
        let (expires_at, fault, ended_by) = match self.outcome {
            Outcome::Good { expires_at } => (Some(expires_at), None, UnixTime(i64::MAX)),
            Outcome::Bad {
                fault,
                proven: true,
            } => (None, Some(fault), UnixTime(i64::MAX)),
            Outcome::Bad { fault, .. } => (None, Some(fault), now),
        };
        let written = sqlx::query(
            "INSERT INTO subtree_states \
             (entity_id, name, name_en, folded, types, expires_at, marks, fault, seen_at, due_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
             ON CONFLICT (entity_id) DO UPDATE SET \
             name = COALESCE(excluded.name, subtree_states.name), \
             name_en = CASE WHEN excluded.name IS NULL THEN subtree_states.name_en ELSE excluded.name_en END, \
             folded = CASE WHEN excluded.name IS NULL THEN subtree_states.folded ELSE excluded.folded END, \
             types = CASE WHEN excluded.types = '' THEN subtree_states.types ELSE excluded.types END, \
             expires_at = excluded.expires_at, marks = excluded.marks, fault = excluded.fault, \
             seen_at = excluded.seen_at, due_at = excluded.due_at \
             WHERE subtree_states.expires_at IS NULL OR subtree_states.expires_at <= $11",
        )
        .bind(self.entity_id.as_str())
        .bind(self.name.as_deref())
        .bind(self.name_en.as_deref())
        .bind(self.folded())
        .bind(self.types.as_str())
        .bind(expires_at)
        .bind(self.marks.as_str())
        .bind(fault)
        .bind(now)
        .bind(self.due_at(now))
        .bind(ended_by)
        .execute(&mut *conn)
        .await?;
        if written.rows_affected() == 0 {
            // The chain found before still serves; it must not be the first to be asked about again.
            sqlx::query("UPDATE subtree_states SET due_at = $2 WHERE entity_id = $1")
                .bind(self.entity_id.as_str())
                .bind(self.due_at(now))
                .execute(conn)
                .await?;
        }
        Ok(())
    }

    fn folded(&self) -> String {
        let parts = [self.name.as_deref(), self.name_en.as_deref()];
        let parts: Vec<String> = parts
            .into_iter()
            .flatten()
            .chain([self.entity_id.as_str()])
            .map(str::to_lowercase)
            .collect();
        // A blank between them would be found by a search for it.
        parts.join("\n")
    }
}

/// At most `limit` entities below that were never looked up, or should be again: the longest waiting first.
pub async fn due(conn: &mut Conn, limit: usize, now: UnixTime) -> Result<Vec<EntityId>, Error> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT m.entity_id FROM (SELECT entity_id FROM subordinates WHERE removed_at IS NULL \
         UNION SELECT entity_id FROM subtree_members) m \
         LEFT JOIN subtree_states s ON s.entity_id = m.entity_id \
         WHERE s.entity_id IS NULL OR s.due_at <= $1 \
         ORDER BY COALESCE(s.due_at, 0), m.entity_id LIMIT $2",
    )
    .bind(now)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await?;
    rows.iter().map(|id| read_id(id)).collect()
}

/// Forgets what was found out about entities that nobody lists any more.
pub async fn forget_strangers(conn: &mut Conn) -> Result<(), Error> {
    sqlx::query(
        "DELETE FROM subtree_states WHERE NOT EXISTS \
         (SELECT 1 FROM subtree_members m WHERE m.entity_id = subtree_states.entity_id) AND NOT EXISTS \
         (SELECT 1 FROM subordinates d WHERE d.entity_id = subtree_states.entity_id AND d.removed_at IS NULL)",
    )
    .execute(conn)
    .await?;
    Ok(())
}
