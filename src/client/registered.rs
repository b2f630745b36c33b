//! Clients registered by an operator's hand: in the configuration, or in the database by `hefu client …`.

use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::any::AnyRow;
use url::Url;

use super::{Client, MetadataError, Name, Platform, Profile, Vouched};
use crate::clock::UnixTime;
use crate::crypto::{Secret, sha256};
use crate::id::ClientId;
use crate::random::Rng;
use crate::store::{Conn, Error};

/// A row of the table `clients`.
#[derive(Clone, Debug, PartialEq)]
pub struct Registered {
    pub id: ClientId,
    pub metadata: Map<String, Value>,
    pub secret: Option<[u8; 32]>,
    pub created_at: UnixTime,
    pub changed_at: UnixTime,
}

impl Registered {
    pub fn client(&self, plain_http: bool) -> Result<Client, MetadataError> {
        Client::parse(
            self.id.clone(),
            Profile::of(&self.metadata)?,
            &self.metadata,
            self.secret,
            platform(&self.metadata),
            plain_http,
        )
    }

    fn read(row: &AnyRow) -> Result<Self, Error> {
        let metadata: String = row.try_get("metadata")?;
        let secret: Option<Vec<u8>> = row.try_get("secret")?;
        Ok(Self {
            id: row.try_get("id")?,
            metadata: serde_json::from_str(&metadata).map_err(|e| Error::Decode(Box::new(e)))?,
            secret: secret.and_then(|s| s.try_into().ok()),
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
    let secret = text("client_secret")?.map(|s| sha256(s.as_bytes()));
    Client::parse(
        ClientId(id.to_owned()),
        Profile::of(table)?,
        table,
        secret,
        platform(table),
        plain_http,
    )
}

/// An operator's registration vouches for the name it carries.
fn platform(metadata: &Map<String, Value>) -> Platform {
    let text = |name: &str| {
        metadata
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let host = metadata
        .get("redirect_uris")
        .and_then(|uris| uris.get(0)?.as_str())
        .and_then(|uri| Url::parse(uri).ok()?.host_str().map(str::to_owned))
        .unwrap_or_default();
    Platform {
        // OIDC Dynamic Client Registration 1.0 §2.1: `#` and a language tag.
        name: text("client_name").map(|chinese| Name {
            english: text("client_name#en").unwrap_or_else(|| chinese.clone()),
            chinese,
        }),
        vouched: Vouched::Registered,
        policy_uri: text("policy_uri"),
        tos_uri: text("tos_uri"),
        ..Platform::unvouched(&host)
    }
}

/// Registers a client; with a new random secret when its method needs one, which is told once and stored as a hash.
/// `None`: the id is taken (a removed client keeps its id, so that nobody inherits its grants).
pub async fn add(
    conn: &mut Conn,
    rng: &mut Rng,
    id: &ClientId,
    metadata: &Map<String, Value>,
    now: UnixTime,
) -> Result<Option<Option<Secret<String>>>, Error> {
    let method = metadata
        .get("token_endpoint_auth_method")
        .and_then(Value::as_str)
        .unwrap_or("client_secret_basic");
    let secret = method.starts_with("client_secret").then(|| rng.token());
    let added = sqlx::query(
        "INSERT INTO clients (id, metadata, secret, created_at, changed_at) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (id) DO NOTHING RETURNING id",
    )
    .bind(id)
    .bind(Value::Object(metadata.clone()).to_string())
    .bind(secret.as_ref().map(|s| sha256(s.as_bytes()).to_vec()))
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(added.map(|_| secret.map(Secret::new)))
}

pub async fn find(conn: &mut Conn, id: &ClientId) -> Result<Option<Registered>, Error> {
    sqlx::query(
        "SELECT id, metadata, secret, created_at, changed_at FROM clients WHERE id = $1 AND removed_at IS NULL",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?
    .as_ref()
    .map(Registered::read)
    .transpose()
}

pub async fn list(conn: &mut Conn) -> Result<Vec<Registered>, Error> {
    sqlx::query(
        "SELECT id, metadata, secret, created_at, changed_at FROM clients WHERE removed_at IS NULL ORDER BY created_at, id",
    )
    .fetch_all(conn)
    .await?
    .iter()
    .map(Registered::read)
    .collect()
}

/// Removes a client; whether it was there. Its grants are ended by `provider::grants::revoke_client`.
pub async fn remove(conn: &mut Conn, id: &ClientId, now: UnixTime) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE clients SET removed_at = $1 WHERE id = $2 AND removed_at IS NULL RETURNING id",
    )
    .bind(now)
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(done.is_some())
}

/// Gives a client that has a secret a new one; `None` for others.
pub async fn rotate_secret(
    conn: &mut Conn,
    rng: &mut Rng,
    id: &ClientId,
    now: UnixTime,
) -> Result<Option<Secret<String>>, Error> {
    let secret = rng.token();
    let done = sqlx::query(
        "UPDATE clients SET secret = $1, changed_at = $2
         WHERE id = $3 AND secret IS NOT NULL AND removed_at IS NULL RETURNING id",
    )
    .bind(sha256(secret.as_bytes()).to_vec())
    .bind(now)
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(done.map(|_| Secret::new(secret)))
}
