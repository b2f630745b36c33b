//! The entities that an authority vouches for: rows and their rules.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::Row as _;

use crate::clock::UnixTime;
use crate::federation::authority::mark::marked;
use crate::federation::constraints::Constraints;
use crate::federation::entity::{EntityId, FEDERATION_ENTITY, Schemes};
use crate::federation::joining::standing;
use crate::federation::policy::MetadataPolicy;
use crate::federation::registration::Localized;
use crate::jose::JwkSet;
use crate::store::{Conn, Error};

/// What an operator says about a subordinate. `check` turns it into something that may be stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSubordinate {
    pub entity_id: EntityId,
    /// Its federation keys, received out of band; never taken from what it says about itself.
    pub jwks: Value,
    pub entity_types: Vec<String>,
    /// What the superior asserts: names and logos that citizens are shown.
    pub metadata: Option<Map<String, Value>>,
    pub metadata_policy: Option<Value>,
    pub constraints: Option<Value>,
    pub is_intermediate: bool,
}

/// A subordinate as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Subordinate {
    pub entity_id: EntityId,
    pub jwks: Value,
    pub entity_types: Vec<String>,
    pub metadata: Option<Value>,
    pub metadata_policy: Option<Value>,
    pub constraints: Option<Value>,
    pub intermediate_since: Option<UnixTime>,
    pub added_at: UnixTime,
    pub updated_at: UnixTime,
}

/// What is wrong with what an operator said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSubordinate {
    #[error("jwks: {0}")]
    Keys(String),
    #[error("entity_types is empty or holds a name with blanks")]
    Types,
    #[error("metadata: {0}")]
    Metadata(String),
    #[error("metadata_policy: {0}")]
    Policy(String),
    #[error("constraints: {0}")]
    Constraints(String),
    #[error("the key {0:?} was reported as being in other hands; it is never vouched for again")]
    CompromisedKey(String),
}

impl NewSubordinate {
    /// Whether peers would accept a statement that says this.
    pub fn check(&self) -> Result<(), InvalidSubordinate> {
        JwkSet::parse_strict(&self.jwks).map_err(|e| InvalidSubordinate::Keys(e.to_string()))?;
        let odd = |name: &String| name.is_empty() || name.contains(char::is_whitespace);
        if self.entity_types.is_empty() || self.entity_types.iter().any(odd) {
            return Err(InvalidSubordinate::Types);
        }
        for (entity_type, members) in self.metadata.iter().flatten() {
            let fault =
                |reason: &str| InvalidSubordinate::Metadata(format!("{entity_type} {reason}"));
            let members = members
                .as_object()
                .ok_or_else(|| fault("is not an object"))?;
            if members.values().any(Value::is_null) {
                return Err(fault("holds null"));
            }
            // §8.1: endpoints are the entity's own to publish.
            if entity_type == FEDERATION_ENTITY
                && members.keys().any(|name| name.ends_with("_endpoint"))
            {
                return Err(fault(
                    "holds an endpoint, which only the entity itself may publish",
                ));
            }
        }
        if let Some(policy) = &self.metadata_policy {
            MetadataPolicy::parse(policy).map_err(|e| InvalidSubordinate::Policy(e.to_string()))?;
        }
        if let Some(constraints) = &self.constraints {
            Constraints::parse(constraints)
                .map_err(|e| InvalidSubordinate::Constraints(e.to_string()))?;
        }
        Ok(())
    }

    /// Stores the subordinate, new or changed; one that was dropped is taken back. One whose keys were in other hands has other keys
    /// now; one that is suspended stays so.
    pub async fn put(
        &self,
        conn: &mut Conn,
        now: UnixTime,
    ) -> Result<Result<(), InvalidSubordinate>, Error> {
        if let Err(invalid) = self.check() {
            return Ok(Err(invalid));
        }
        if let Ok(jwks) = JwkSet::parse_strict(&self.jwks)
            && let Some(kid) = standing::compromised_key(conn, &jwks).await?
        {
            return Ok(Err(InvalidSubordinate::CompromisedKey(kid)));
        }
        sqlx::query(
            "INSERT INTO subordinates (entity_id, jwks, entity_types, metadata, metadata_policy, constraints, \
             intermediate_since, added_at, updated_at, removed_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, NULL) \
             ON CONFLICT (entity_id) DO UPDATE SET jwks = excluded.jwks, entity_types = excluded.entity_types, \
             metadata = excluded.metadata, metadata_policy = excluded.metadata_policy, \
             constraints = excluded.constraints, \
             intermediate_since = CASE WHEN excluded.intermediate_since IS NULL THEN NULL \
             ELSE COALESCE(subordinates.intermediate_since, excluded.intermediate_since) END, \
             updated_at = excluded.updated_at, removed_at = NULL, compromised_at = NULL",
        )
        .bind(self.entity_id.as_str())
        .bind(self.jwks.to_string())
        .bind(self.entity_types.join(" "))
        .bind(self.metadata.clone().map(|metadata| Value::Object(metadata).to_string()))
        .bind(self.metadata_policy.as_ref().map(Value::to_string))
        .bind(self.constraints.as_ref().map(Value::to_string))
        .bind(self.is_intermediate.then_some(now))
        .bind(now)
        .execute(conn)
        .await?;
        Ok(Ok(()))
    }
}

impl Subordinate {
    pub async fn find(conn: &mut Conn, entity_id: &EntityId) -> Result<Option<Self>, Error> {
        let row = sqlx::query(
            "SELECT entity_id, jwks, entity_types, metadata, metadata_policy, constraints, intermediate_since, \
             added_at, updated_at FROM subordinates WHERE entity_id = $1 AND removed_at IS NULL",
        )
        .bind(entity_id.as_str())
        .fetch_optional(conn)
        .await?;
        row.map(|row| {
            let text = |name: &str| row.try_get::<Option<String>, _>(name);
            Ok(Self {
                entity_id: read_id(&row.try_get::<String, _>("entity_id")?)?,
                jwks: read_json(&row.try_get::<String, _>("jwks")?)?,
                entity_types: row
                    .try_get::<String, _>("entity_types")?
                    .split(' ')
                    .map(str::to_owned)
                    .collect(),
                metadata: text("metadata")?.as_deref().map(read_json).transpose()?,
                metadata_policy: text("metadata_policy")?
                    .as_deref()
                    .map(read_json)
                    .transpose()?,
                constraints: text("constraints")?.as_deref().map(read_json).transpose()?,
                intermediate_since: row.try_get("intermediate_since")?,
                added_at: row.try_get("added_at")?,
                updated_at: row.try_get("updated_at")?,
            })
        })
        .transpose()
    }

    /// Drops the subordinate; `false` when it was none. What was signed about it serves until it expires.
    pub async fn remove(
        conn: &mut Conn,
        entity_id: &EntityId,
        now: UnixTime,
    ) -> Result<bool, Error> {
        let row = sqlx::query(
            "UPDATE subordinates SET removed_at = $2, updated_at = $2, suspended_at = NULL, enrolled_until = NULL WHERE entity_id = $1 AND removed_at IS NULL \
             RETURNING entity_id",
        )
        .bind(entity_id.as_str())
        .bind(now)
        .fetch_optional(conn)
        .await?;
        Ok(row.is_some())
    }
}

/// Identifiers of all that are not dropped, however they stand: for operators.
pub async fn everyone(conn: &mut Conn) -> Result<Vec<EntityId>, Error> {
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT entity_id FROM subordinates WHERE removed_at IS NULL")
            .fetch_all(conn)
            .await?;
    let mut everyone: Vec<EntityId> = rows
        .iter()
        .map(|id| read_id(id))
        .collect::<Result<_, _>>()?;
    everyone.sort();
    Ok(everyone)
}

/// The filters of §8.2; an empty one lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Any of these.
    pub entity_types: Vec<String>,
    /// Holding at least one mark of ours that is valid.
    pub trust_marked: bool,
    /// All of these.
    pub trust_mark_types: Vec<String>,
    pub intermediate: bool,
}

/// The immediate subordinates that pass `filter`, in the order of their identifiers' code points.
pub async fn list(
    conn: &mut Conn,
    filter: &ListFilter,
    now: UnixTime,
) -> Result<Vec<EntityId>, Error> {
    let rows = sqlx::query(
        "SELECT entity_id, entity_types, intermediate_since FROM subordinates WHERE removed_at IS NULL \
         AND suspended_at IS NULL AND compromised_at IS NULL AND (enrolled_until IS NULL OR enrolled_until > $1)",
    )
    .bind(now)
    .fetch_all(&mut *conn)
    .await?;
    // One set per condition: whoever passes is in all of them.
    let mut having = Vec::new();
    if filter.trust_marked {
        having.push(marked(conn, None, now).await?);
    }
    for trust_mark_type in &filter.trust_mark_types {
        having.push(marked(conn, Some(trust_mark_type), now).await?);
    }
    let mut listed = Vec::new();
    for row in rows {
        let id: String = row.try_get("entity_id")?;
        let types: String = row.try_get("entity_types")?;
        let intermediate: Option<i64> = row.try_get("intermediate_since")?;
        let wanted = filter.entity_types.is_empty()
            || types
                .split(' ')
                .any(|t| filter.entity_types.iter().any(|wanted| wanted == t));
        if wanted
            && (!filter.intermediate || intermediate.is_some())
            && having.iter().all(|having| having.contains(&id))
        {
            listed.push(read_id(&id)?);
        }
    }
    // Databases sort text each in their own way.
    listed.sort();
    Ok(listed)
}

/// An immediate subordinate as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    pub entity_id: EntityId,
    /// As this authority vouches for it.
    pub name: Option<Localized>,
    pub is_intermediate: bool,
}

/// At most `limit` immediate subordinates, the longest known first. One whose enrolment is over is gone when the job has come.
pub async fn faces(conn: &mut Conn, limit: i64) -> Result<Vec<Face>, Error> {
    let rows = sqlx::query(
        "SELECT entity_id, metadata, intermediate_since FROM subordinates WHERE removed_at IS NULL \
         AND suspended_at IS NULL AND compromised_at IS NULL ORDER BY added_at, entity_id LIMIT $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let metadata: Option<String> = row.try_get("metadata")?;
            let metadata = metadata.as_deref().map(read_json).transpose()?;
            let intermediate: Option<i64> = row.try_get("intermediate_since")?;
            Ok(Face {
                entity_id: read_id(&row.try_get::<String, _>("entity_id")?)?,
                name: metadata
                    .as_ref()
                    .and_then(Value::as_object)
                    .and_then(asserted_name),
                is_intermediate: intermediate.is_some(),
            })
        })
        .collect()
}

/// The first name among the metadata that we assert of an entity, of whatever type it is.
pub(super) fn asserted_name(metadata: &Map<String, Value>) -> Option<Localized> {
    let types = metadata.values().filter_map(Value::as_object);
    let names = ["display_name", "organization_name", "client_name"];
    types
        .flat_map(|members| names.map(|name| Localized::parse(members, name)))
        .find_map(|name| name)
}

pub(super) fn read_id(text: &str) -> Result<EntityId, Error> {
    EntityId::parse(text, Schemes::HttpsOrLoopbackHttp).map_err(|e| Error::Decode(Box::new(e)))
}

pub(super) fn read_json(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|e| Error::Decode(Box::new(e)))
}
