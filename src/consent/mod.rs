//! What a person agreed to tell a platform: asked once, remembered for a year, withdrawn at any time.
//! What must be asked for a given request is decided in `provider::interaction`; what a withdrawal ends, in `provider::grants`.

use std::collections::BTreeSet;

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::clock::UnixTime;
use crate::id::{ClientId, PersonId};
use crate::oauth::Scope;
use crate::random::Rng;
use crate::store::{Conn, Error};

/// A consent that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    pub id: String,
    pub person: PersonId,
    pub client: ClientId,
    pub scope: Scope,
    /// Names of claims beyond those of the scopes.
    pub claims: BTreeSet<String>,
    /// The platform's name as the person saw it.
    pub platform: String,
    pub given_at: UnixTime,
    pub expires_at: UnixTime,
}

/// What a person says yes to.
#[derive(Clone, Debug)]
pub struct Yes<'a> {
    pub person: &'a PersonId,
    pub client: &'a ClientId,
    pub scope: &'a Scope,
    pub claims: &'a BTreeSet<String>,
    pub platform: &'a str,
    /// Seconds that it is remembered.
    pub lifetime: i64,
}

/// The columns that `read` wants, each under the name `consent_…`, of a table called `consents`.
pub const COLUMNS: &str = "consents.id AS consent_id, consents.client AS consent_client, consents.subject AS consent_subject, \
     consents.scope AS consent_scope, consents.claims AS consent_claims, consents.platform AS consent_platform, \
     consents.given_at AS consent_given_at, consents.expires_at AS consent_expires_at";

impl Consent {
    /// Whether everything asked for has been agreed to.
    pub fn covers(&self, scope: &Scope, claims: &BTreeSet<String>) -> bool {
        scope.is_subset_of(&self.scope) && claims.is_subset(&self.claims)
    }

    /// Reads `COLUMNS`; `None` where an outer join found nothing.
    pub fn read(row: &AnyRow) -> Result<Option<Self>, Error> {
        let Some(id) = row.try_get::<Option<String>, _>("consent_id")? else {
            return Ok(None);
        };
        let (scope, claims): (String, String) = (
            row.try_get("consent_scope")?,
            row.try_get("consent_claims")?,
        );
        Ok(Some(Self {
            id,
            person: row.try_get("consent_subject")?,
            client: row.try_get("consent_client")?,
            scope: Scope::parse(&scope).unwrap_or_default(),
            claims: serde_json::from_str(&claims).map_err(|e| Error::Decode(Box::new(e)))?,
            platform: row.try_get("consent_platform")?,
            given_at: row.try_get("consent_given_at")?,
            expires_at: row.try_get("consent_expires_at")?,
        }))
    }
}

/// Remembers a yes; what was agreed to before and still holds stays agreed to.
pub async fn give(
    conn: &mut Conn,
    rng: &mut Rng,
    yes: &Yes<'_>,
    now: UnixTime,
) -> Result<(), Error> {
    let before = find(conn, yes.person, yes.client, now).await?;
    let mut scope = yes.scope.to_string();
    let mut claims = yes.claims.clone();
    if let Some(before) = before {
        for name in before.scope.iter().filter(|n| !yes.scope.contains(n)) {
            scope.push(' ');
            scope.push_str(name);
        }
        claims.extend(before.claims);
    }
    sqlx::query(
        "INSERT INTO consents (subject, client, id, actor, scope, claims, platform, given_at, expires_at)
         VALUES ($1, $2, $3, $1, $4, $5, $6, $7, $8)
         ON CONFLICT (subject, client) DO UPDATE SET id = $3, actor = $1, scope = $4, claims = $5, platform = $6,
           given_at = $7, expires_at = $8, withdrawn_at = NULL",
    )
    .bind(yes.person)
    .bind(yes.client)
    .bind(rng.id("co_"))
    .bind(scope)
    .bind(serde_json::json!(claims).to_string())
    .bind(yes.platform)
    .bind(now)
    .bind(now.plus(yes.lifetime))
    .execute(conn)
    .await?;
    Ok(())
}

/// The consent of a person towards a client, if it holds.
pub async fn find(
    conn: &mut Conn,
    person: &PersonId,
    client: &ClientId,
    now: UnixTime,
) -> Result<Option<Consent>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM consents WHERE subject = $1 AND client = $2 AND withdrawn_at IS NULL AND expires_at > $3"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(person)
        .bind(client)
        .bind(now)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map_or(Ok(None), Consent::read)
}

/// All consents of a person that hold, newest first.
pub async fn list_for(
    conn: &mut Conn,
    person: &PersonId,
    now: UnixTime,
) -> Result<Vec<Consent>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM consents WHERE subject = $1 AND withdrawn_at IS NULL AND expires_at > $2
         ORDER BY given_at DESC, id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(person)
        .bind(now)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .filter_map(|row| Consent::read(row).transpose())
        .collect()
}

/// Withdraws the consent `id` of this person and says towards which client it was. Tokens are ended by
/// `provider::grants::withdraw_consent`, which calls this.
pub async fn withdraw(
    conn: &mut Conn,
    person: &PersonId,
    id: &str,
    now: UnixTime,
) -> Result<Option<ClientId>, Error> {
    sqlx::query_scalar(
        "UPDATE consents SET withdrawn_at = $1 WHERE subject = $2 AND id = $3 AND withdrawn_at IS NULL RETURNING client",
    )
    .bind(now)
    .bind(person)
    .bind(id)
    .fetch_optional(conn)
    .await
}
