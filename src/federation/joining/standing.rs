//! How a subordinate stands after it was enrolled: vouched for, suspended for a while, or with keys that are in other hands; until
//! when; and who is told. Whoever does not stand well is neither listed nor stated about, and its row stays.

use serde_json::{Value, json};
use sqlx::Row as _;

use super::requests::undecoded;
use crate::clock::UnixTime;
use crate::federation::entity::{EntityId, Schemes};
use crate::jose::JwkSet;
use crate::store::{Conn, Error};

/// Seconds before its end at which an enrolment is worth a warning.
pub const SOON: i64 = 30 * 86_400;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    pub suspended_at: Option<UnixTime>,
    pub compromised_at: Option<UnixTime>,
    pub enrolled_until: Option<UnixTime>,
    pub contacts: Vec<String>,
}

impl Standing {
    pub async fn find(conn: &mut Conn, entity_id: &EntityId) -> Result<Option<Self>, Error> {
        let row = sqlx::query(
            "SELECT suspended_at, compromised_at, enrolled_until, contacts FROM subordinates \
             WHERE entity_id = $1 AND removed_at IS NULL",
        )
        .bind(entity_id.as_str())
        .fetch_optional(conn)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let contacts: Option<String> = row.try_get("contacts")?;
        Ok(Some(Self {
            suspended_at: row.try_get("suspended_at")?,
            compromised_at: row.try_get("compromised_at")?,
            enrolled_until: row.try_get("enrolled_until")?,
            contacts: contacts
                .map_or(Ok(Vec::new()), |text| serde_json::from_str(&text))
                .map_err(undecoded)?,
        }))
    }

    /// Whether the superior vouches for it now.
    pub fn serves(&self, now: UnixTime) -> bool {
        self.suspended_at.is_none()
            && self.compromised_at.is_none()
            && self.enrolled_until.is_none_or(|until| now < until)
    }

    /// One word.
    pub fn as_str(&self, now: UnixTime) -> &'static str {
        if self.compromised_at.is_some() {
            "compromised"
        } else if self.suspended_at.is_some() {
            "suspended"
        } else if self.serves(now) {
            "enrolled"
        } else {
            "ended"
        }
    }

    /// What an operator should know before it happens: the enrolment, or the last of `jwks` that says when it ends.
    pub fn warnings(&self, jwks: &Value, now: UnixTime) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut warn = |what: &str, end: UnixTime| {
            if end <= now {
                warnings.push(format!("{what} ended {}", end.to_rfc3339()));
            } else if end <= now.plus(SOON) {
                warnings.push(format!("{what} ends {}", end.to_rfc3339()));
            }
        };
        if let Some(until) = self.enrolled_until {
            warn("the enrolment", until);
        }
        let keys = jwks.get("keys").and_then(Value::as_array);
        let last = keys
            .into_iter()
            .flatten()
            .map(|key| key.get("exp").and_then(Value::as_i64))
            .try_fold(0, |last, exp| exp.map(|exp| exp.max(last)));
        if let Some(last) = last.filter(|last| *last > 0) {
            warn("the last of its keys", UnixTime(last));
        }
        warnings
    }
}

/// Stops vouching for a while; `false` when it is no subordinate, or suspended already.
pub async fn suspend(conn: &mut Conn, entity_id: &EntityId, now: UnixTime) -> Result<bool, Error> {
    let row = sqlx::query(
        "UPDATE subordinates SET suspended_at = $2, updated_at = $2 WHERE entity_id = $1 AND removed_at IS NULL \
         AND suspended_at IS NULL RETURNING entity_id",
    )
    .bind(entity_id.as_str())
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Vouches again; `false` when it was not suspended. One whose keys are in other hands is not resumed: it enrols anew.
pub async fn resume(conn: &mut Conn, entity_id: &EntityId, now: UnixTime) -> Result<bool, Error> {
    let row = sqlx::query(
        "UPDATE subordinates SET suspended_at = NULL, updated_at = $2 WHERE entity_id = $1 AND removed_at IS NULL \
         AND suspended_at IS NOT NULL AND compromised_at IS NULL RETURNING entity_id",
    )
    .bind(entity_id.as_str())
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Notes that the keys of a subordinate are in other hands. They are vouched for by nobody here again.
pub async fn compromise(
    conn: &mut Conn,
    entity_id: &EntityId,
    now: UnixTime,
) -> Result<bool, Error> {
    let row = sqlx::query(
        "UPDATE subordinates SET compromised_at = COALESCE(compromised_at, $2), updated_at = $2 \
         WHERE entity_id = $1 AND removed_at IS NULL RETURNING jwks",
    )
    .bind(entity_id.as_str())
    .bind(now)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(false) };
    let jwks: Value =
        serde_json::from_str(&row.try_get::<String, _>("jwks")?).map_err(undecoded)?;
    let jwks = JwkSet::parse_strict(&jwks).map_err(undecoded)?;
    for key in jwks.iter() {
        sqlx::query(
            "INSERT INTO compromised_keys (thumbprint, entity_id, noted_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(key.thumbprint())
        .bind(entity_id.as_str())
        .bind(now)
        .execute(&mut *conn)
        .await?;
    }
    Ok(true)
}

/// The first of `jwks` that was in other hands once, by its `kid`.
pub async fn compromised_key(conn: &mut Conn, jwks: &JwkSet) -> Result<Option<String>, Error> {
    for key in jwks.iter() {
        let known: Option<String> =
            sqlx::query_scalar("SELECT thumbprint FROM compromised_keys WHERE thumbprint = $1")
                .bind(key.thumbprint())
                .fetch_optional(&mut *conn)
                .await?;
        if known.is_some() {
            return Ok(Some(key.kid.clone().unwrap_or_default()));
        }
    }
    Ok(None)
}

/// Until when, and who is told. What is `None` stays as it is; an end of 0 means none.
pub async fn set_terms(
    conn: &mut Conn,
    entity_id: &EntityId,
    enrolled_until: Option<UnixTime>,
    contacts: Option<&[String]>,
    now: UnixTime,
) -> Result<bool, Error> {
    let row = sqlx::query(
        "UPDATE subordinates SET enrolled_until = CASE WHEN $2 = 0 THEN NULL ELSE COALESCE($3, enrolled_until) END, \
         contacts = COALESCE($4, contacts), updated_at = $5 WHERE entity_id = $1 AND removed_at IS NULL RETURNING entity_id",
    )
    .bind(entity_id.as_str())
    .bind(enrolled_until.map_or(-1, |until| until.0))
    .bind(enrolled_until)
    .bind(contacts.map(|contacts| json!(contacts).to_string()))
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Puts other keys in the place of a subordinate's. Not those of one whose keys are in other hands.
pub async fn change_keys(
    conn: &mut Conn,
    entity_id: &EntityId,
    jwks: &JwkSet,
    now: UnixTime,
) -> Result<bool, Error> {
    let row = sqlx::query(
        "UPDATE subordinates SET jwks = $2, updated_at = $3 WHERE entity_id = $1 AND removed_at IS NULL \
         AND compromised_at IS NULL RETURNING entity_id",
    )
    .bind(entity_id.as_str())
    .bind(jwks.to_value().to_string())
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Puts another policy, or none, in the place of a subordinate's; the caller has checked it.
pub async fn set_policy(
    conn: &mut Conn,
    entity_id: &EntityId,
    policy: Option<&Value>,
    now: UnixTime,
) -> Result<bool, Error> {
    let row = sqlx::query(
        "UPDATE subordinates SET metadata_policy = $2, updated_at = $3 WHERE entity_id = $1 AND removed_at IS NULL \
         RETURNING entity_id",
    )
    .bind(entity_id.as_str())
    .bind(policy.map(Value::to_string))
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Suspends those whose enrolment is over, and says which; a job's work. Until it comes, `serves` says no already.
pub async fn end(conn: &mut Conn, now: UnixTime) -> Result<Vec<EntityId>, Error> {
    let rows: Vec<String> = sqlx::query_scalar(
        "UPDATE subordinates SET suspended_at = $1, updated_at = $1 WHERE removed_at IS NULL AND suspended_at IS NULL \
         AND enrolled_until <= $1 RETURNING entity_id",
    )
    .bind(now)
    .fetch_all(conn)
    .await?;
    let read =
        |text: String| EntityId::parse(&text, Schemes::HttpsOrLoopbackHttp).map_err(undecoded);
    rows.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_vouched_for_and_what_ends_soon() {
        let now = UnixTime(1_000_000_000);
        let at = Some(now);
        let later = |days: i64| Some(now.plus(days * 86_400));
        let new = |suspended_at, compromised_at, enrolled_until| Standing {
            suspended_at,
            compromised_at,
            enrolled_until,
            contacts: Vec::new(),
        };
        let no_keys = json!({"keys": [{"kid": "a"}]});
        for (standing, word, warned) in [
            (new(None, None, None), "enrolled", 0),
            (new(None, None, later(31)), "enrolled", 0),
            (new(None, None, later(30)), "enrolled", 1),
            (new(None, None, at), "ended", 1),
            (new(at, None, later(40)), "suspended", 0),
            (new(at, at, None), "compromised", 0),
        ] {
            assert_eq!(standing.as_str(now), word);
            assert_eq!(standing.serves(now), word == "enrolled");
            assert_eq!(standing.warnings(&no_keys, now).len(), warned, "{word}");
        }
        let exp = |days: i64| now.plus(days * 86_400).0;
        let keys = json!({"keys": [{"exp": exp(3)}, {"exp": exp(9)}]});
        let said = Standing::default().warnings(&keys, now);
        assert_eq!(said, ["the last of its keys ends 2001-09-18T01:46:40Z"]);
    }
}
