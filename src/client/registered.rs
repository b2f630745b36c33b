//! Clients that were registered here: by an operator's hand, in the configuration or in the database by `hefu client …`, or by
//! themselves (`registration`). An operator vouches for what a registration says; a client that registers itself vouches for nothing.

use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::any::AnyRow;
use url::Url;

use super::{Claimed, Client, MetadataError, Name, Platform, Profile, Vouched};
use crate::clock::UnixTime;
use crate::crypto::{Sealer, Secret, sha256};
use crate::id::ClientId;
use crate::jose::ClientSecret;
use crate::random::Rng;
use crate::store::{Conn, Error};

/// The column that sealed secrets are bound to.
const COLUMN: &str = "clients.sealed_secret";
const COLUMNS: &str = "id, metadata, secret, sealed_secret, secret_expires_at, registration_token, created_at, changed_at";

/// A row of the table `clients`.
#[derive(Clone, Debug, PartialEq)]
pub struct Registered {
    pub id: ClientId,
    pub metadata: Map<String, Value>,
    pub secret: Option<[u8; 32]>,
    sealed_secret: Option<Vec<u8>>,
    pub secret_expires_at: Option<UnixTime>,
    /// It registered itself; nobody vouches for its words.
    pub by_itself: bool,
    pub created_at: UnixTime,
    pub changed_at: UnixTime,
}

impl Registered {
    pub fn client(&self, plain_http: bool) -> Result<Client, MetadataError> {
        let platform = if self.by_itself {
            claimed(&self.id, &self.metadata)
        } else {
            platform(&self.id, &self.metadata)
        };
        let client = Client::parse(
            self.id.clone(),
            Profile::of(&self.metadata)?,
            &self.metadata,
            self.secret,
            platform,
            plain_http,
        )?;
        Ok(Client {
            secret_expires_at: self.secret_expires_at,
            ..client
        })
    }

    /// The secret itself, where it is kept; `None` also when the key it is sealed with is lost.
    pub fn clear_secret(&self, sealer: &dyn Sealer) -> Option<Secret<String>> {
        let sealed = self.sealed_secret.as_deref()?;
        let secret = sealer.reveal(COLUMN, self.id.as_str(), sealed)?;
        String::from_utf8(secret).ok().map(Secret::new)
    }

    fn read(row: &AnyRow) -> Result<Self, Error> {
        let metadata: String = row.try_get("metadata")?;
        let secret: Option<Vec<u8>> = row.try_get("secret")?;
        let registration_token: Option<Vec<u8>> = row.try_get("registration_token")?;
        Ok(Self {
            id: row.try_get("id")?,
            metadata: serde_json::from_str(&metadata).map_err(|e| Error::Decode(Box::new(e)))?,
            secret: secret.and_then(|s| s.try_into().ok()),
            sealed_secret: row.try_get("sealed_secret")?,
            secret_expires_at: row.try_get("secret_expires_at")?,
            by_itself: registration_token.is_some(),
            created_at: row.try_get("created_at")?,
            changed_at: row.try_get("changed_at")?,
        })
    }
}

/// A client written into the configuration: metadata with `client_id` and, for the secret methods, `client_secret`.
pub fn from_config(table: &Map<String, Value>, plain_http: bool) -> Result<Client, MetadataError> {
    let text = |name: &'static str| match table.get(name) {
        None => Ok(None),
        Some(Value::String(s)) if !s.is_empty() => Ok(Some(s.as_str())),
        Some(_) => Err(MetadataError::Value(name)),
    };
    let id = text("client_id")?.ok_or(MetadataError::Missing("client_id"))?;
    let secret = text("client_secret")?;
    let id = ClientId(id.to_owned());
    let platform = platform(&id, table);
    let client = Client::parse(
        id,
        Profile::of(table)?,
        table,
        secret.map(|s| sha256(s.as_bytes())),
        platform,
        plain_http,
    )?;
    Ok(Client {
        clear_secret: secret
            .filter(|_| needs_clear_secret(table))
            .map(|s| ClientSecret::new(s.to_owned())),
        ..client
    })
}

/// Whether something that the client registered makes a key of its secret, so that a hash is not enough: signatures and
/// encryption under the secret (OIDC Core 10.1, 10.2).
pub fn needs_clear_secret(metadata: &Map<String, Value>) -> bool {
    has_secret(metadata)
        && metadata.iter().any(|(name, value)| {
            let value = value.as_str().unwrap_or_default();
            match name.as_str() {
                "token_endpoint_auth_method" => value == "client_secret_jwt",
                name if name.ends_with("_alg") => {
                    value.starts_with("HS") || matches!(value, "dir" | "A128KW" | "A256KW")
                }
                _ => false,
            }
        })
}

fn has_secret(metadata: &Map<String, Value>) -> bool {
    metadata
        .get("token_endpoint_auth_method")
        .and_then(Value::as_str)
        // Reg 2: the default.
        .unwrap_or("client_secret_basic")
        .starts_with("client_secret")
}

/// An operator's registration vouches for the name it carries.
fn platform(id: &ClientId, metadata: &Map<String, Value>) -> Platform {
    let Claimed {
        name,
        policy_uri,
        tos_uri,
    } = words(metadata);
    Platform {
        name,
        vouched: Vouched::Registered,
        policy_uri,
        tos_uri,
        ..Platform::unvouched(&host(id, metadata))
    }
}

/// A client that registered itself is known by its host; what it says of itself is told as its own words.
fn claimed(id: &ClientId, metadata: &Map<String, Value>) -> Platform {
    let words = words(metadata);
    Platform {
        claimed: (words != Claimed::default()).then_some(words),
        ..Platform::unvouched(&host(id, metadata))
    }
}

fn words(metadata: &Map<String, Value>) -> Claimed {
    let text = |name: &str| {
        metadata
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    // OIDC Dynamic Client Registration 1.0 §2.1: `#` and a language tag.
    let chinese = text("client_name")
        .or_else(|| text("client_name#zh-CN"))
        .or_else(|| text("client_name#zh"));
    let english = text("client_name#en").or_else(|| chinese.clone());
    Claimed {
        name: english.map(|english| Name {
            chinese: chinese.unwrap_or_else(|| english.clone()),
            english,
        }),
        policy_uri: text("policy_uri"),
        tos_uri: text("tos_uri"),
    }
}

/// Where the client's pages are; one that has no page is known by its id.
fn host(id: &ClientId, metadata: &Map<String, Value>) -> String {
    metadata
        .get("redirect_uris")
        .and_then(|uris| uris.get(0)?.as_str())
        .and_then(|uri| {
            let url = Url::parse(uri).ok()?;
            // A native app without a host is known by its scheme.
            Some(url.host_str().unwrap_or(url.scheme()).to_owned())
        })
        .unwrap_or_else(|| id.0.clone())
}

/// A client to be registered.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    pub id: &'a ClientId,
    pub metadata: &'a Map<String, Value>,
    pub secret_expires_at: Option<UnixTime>,
    /// The registration access token, where the client registers itself.
    pub registration_token: Option<&'a str>,
}

/// Registers a client; with a new random secret when its method needs one, which is told once and stored as a hash (sealed as
/// well, where it must be known). `None`: the id is taken (a removed client keeps its id, so that nobody inherits its grants).
pub async fn add(
    conn: &mut Conn,
    rng: &mut Rng,
    sealer: &dyn Sealer,
    new: New<'_>,
    now: UnixTime,
) -> Result<Option<Option<Secret<String>>>, Error> {
    let secret = new_secret(rng, new.metadata);
    let added = sqlx::query(
        "INSERT INTO clients (id, metadata, secret, sealed_secret, secret_expires_at, registration_token, created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
         ON CONFLICT (id) DO NOTHING RETURNING id",
    )
    .bind(new.id)
    .bind(Value::Object(new.metadata.clone()).to_string())
    .bind(secret.as_ref().map(|s| hash(s.reveal())))
    .bind(seal(sealer, new.id, new.metadata, secret.as_ref()))
    .bind(new.secret_expires_at.filter(|_| secret.is_some()))
    .bind(new.registration_token.map(hash))
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(added.map(|_| secret))
}

pub async fn find(conn: &mut Conn, id: &ClientId) -> Result<Option<Registered>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM clients WHERE id = $1 AND removed_at IS NULL");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(Registered::read)
        .transpose()
}

/// The client that `registration_token` belongs to, if that is `id` (RFC 7592 §2).
pub async fn find_own(
    conn: &mut Conn,
    id: &ClientId,
    registration_token: &str,
) -> Result<Option<Registered>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM clients WHERE id = $1 AND registration_token = $2 AND removed_at IS NULL"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .bind(hash(registration_token))
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(Registered::read)
        .transpose()
}

pub async fn list(conn: &mut Conn) -> Result<Vec<Registered>, Error> {
    let sql =
        format!("SELECT {COLUMNS} FROM clients WHERE removed_at IS NULL ORDER BY created_at, id");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .fetch_all(conn)
        .await?
        .iter()
        .map(Registered::read)
        .collect()
}

/// Which secret a client has after a change of its metadata.
#[derive(Debug)]
pub enum Changed {
    /// The client is not there any more, or was changed by somebody else meanwhile.
    Gone,
    /// As before: the same one, or none.
    Kept,
    /// The metadata asks for a secret that the client did not have, or not in the form it is needed in: told this once.
    NewSecret(Secret<String>),
}

/// Replaces the metadata of the client as it was read in `before`.
pub async fn replace(
    conn: &mut Conn,
    rng: &mut Rng,
    sealer: &dyn Sealer,
    before: &Registered,
    metadata: &Map<String, Value>,
    now: UnixTime,
) -> Result<Changed, Error> {
    let keeps = before.secret.is_some()
        && has_secret(metadata)
        && (before.sealed_secret.is_some() || !needs_clear_secret(metadata));
    let secret = if keeps {
        None
    } else {
        new_secret(rng, metadata)
    };
    let (hashed, sealed, expires_at) = if keeps {
        (
            before.secret.map(|s| s.to_vec()),
            // What no method needs any more is forgotten.
            before
                .sealed_secret
                .clone()
                .filter(|_| needs_clear_secret(metadata)),
            before.secret_expires_at,
        )
    } else {
        (
            secret.as_ref().map(|s| hash(s.reveal())),
            seal(sealer, &before.id, metadata, secret.as_ref()),
            None,
        )
    };
    let done = sqlx::query(
        "UPDATE clients SET metadata = $1, secret = $2, sealed_secret = $3, secret_expires_at = $4, changed_at = $5
         WHERE id = $6 AND metadata = $7 AND removed_at IS NULL
           AND (secret = $8 OR (secret IS NULL AND $8 IS NULL)) RETURNING id",
    )
    .bind(Value::Object(metadata.clone()).to_string())
    .bind(hashed)
    .bind(sealed)
    .bind(expires_at)
    .bind(now)
    .bind(&before.id)
    .bind(Value::Object(before.metadata.clone()).to_string())
    .bind(before.secret.map(|s| s.to_vec()))
    .fetch_optional(conn)
    .await?;
    Ok(match (done, secret) {
        (None, _) => Changed::Gone,
        (Some(_), None) => Changed::Kept,
        (Some(_), Some(secret)) => Changed::NewSecret(secret),
    })
}

/// Removes a client; whether it was there. Its grants are ended by `provider::grants::revoke_client`.
pub async fn remove(conn: &mut Conn, id: &ClientId, now: UnixTime) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE clients SET removed_at = $1, sealed_secret = NULL WHERE id = $2 AND removed_at IS NULL RETURNING id",
    )
    .bind(now)
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(done.is_some())
}

/// Where it is seen that a client was used: rows stay longer than what they stand for works.
const USED: &str = "SELECT client FROM grants UNION SELECT client FROM consents UNION SELECT client FROM device_codes";

/// Clients that registered themselves by `before`, are still there and were never used. At most `most`.
pub async fn unused(conn: &mut Conn, before: UnixTime, most: i64) -> Result<Vec<ClientId>, Error> {
    let sql = format!(
        "SELECT c.id FROM clients c LEFT JOIN ({USED}) used ON used.client = c.id
         WHERE c.registration_token IS NOT NULL AND c.removed_at IS NULL AND c.created_at <= $1 AND used.client IS NULL
         ORDER BY c.created_at, c.id LIMIT $2"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(before)
        .bind(most)
        .fetch_all(conn)
        .await
}

/// Removes those of `ids` that are still unused.
pub async fn remove_unused(
    conn: &mut Conn,
    ids: &[ClientId],
    now: UnixTime,
) -> Result<Vec<ClientId>, Error> {
    let places: Vec<String> = (0..ids.len()).map(|i| format!("${}", i + 2)).collect();
    let sql = format!(
        "UPDATE clients SET removed_at = $1, sealed_secret = NULL
         WHERE id IN ({}) AND removed_at IS NULL AND id NOT IN ({USED}) RETURNING id",
        places.join(", ")
    );
    let mut query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(now);
    for id in ids {
        query = query.bind(id);
    }
    query.fetch_all(conn).await
}

/// Gives a client that has a secret a new one, until `expires_at`; `None` for others.
pub async fn rotate_secret(
    conn: &mut Conn,
    rng: &mut Rng,
    sealer: &dyn Sealer,
    id: &ClientId,
    expires_at: Option<UnixTime>,
    now: UnixTime,
) -> Result<Option<Secret<String>>, Error> {
    let Some(client) = find(&mut *conn, id).await? else {
        return Ok(None);
    };
    let Some(secret) = new_secret(rng, &client.metadata) else {
        return Ok(None);
    };
    let done = sqlx::query(
        "UPDATE clients SET secret = $1, sealed_secret = $2, secret_expires_at = $3, changed_at = $4
         WHERE id = $5 AND secret IS NOT NULL AND removed_at IS NULL RETURNING id",
    )
    .bind(hash(secret.reveal()))
    .bind(seal(sealer, id, &client.metadata, Some(&secret)))
    .bind(expires_at)
    .bind(now)
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(done.map(|_| secret))
}

/// A random secret for a client whose method needs one.
fn new_secret(rng: &mut Rng, metadata: &Map<String, Value>) -> Option<Secret<String>> {
    has_secret(metadata).then(|| {
        let mut secret = rng.token();
        if needs_clear_secret(metadata) {
            // RFC 7518 §3.2: HS512 wants 64 octets.
            secret.push_str(&rng.token());
        }
        Secret::new(secret)
    })
}

fn seal(
    sealer: &dyn Sealer,
    id: &ClientId,
    metadata: &Map<String, Value>,
    secret: Option<&Secret<String>>,
) -> Option<Vec<u8>> {
    secret
        .filter(|_| needs_clear_secret(metadata))
        .map(|s| sealer.protect(COLUMN, id.as_str(), s.reveal().as_bytes()))
}

fn hash(secret: &str) -> Vec<u8> {
    sha256(secret.as_bytes()).to_vec()
}
