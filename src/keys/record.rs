//! A key's life in the database. The private half is there too, but wrapped; only `vault` can read it.

use sqlx::Row;

use crate::clock::UnixTime;
use crate::store::{Conn, Error};

/// Where a key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Published, not yet signing: the spare.
    Announced { since: UnixTime },
    /// Signing.
    Active { since: UnixTime },
    /// Verifying what it signed until nothing of it can be valid any more.
    Retired { since: UnixTime },
    /// Believed by nobody from now on.
    Revoked { since: UnixTime },
}

/// One row of `keys`.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// RFC 7638 thumbprint; random for symmetric keys.
    pub kid: String,
    pub purpose: String,
    pub alg: String,
    /// Public JWK as JSON; `None` for symmetric keys.
    pub public_jwk: Option<String>,
    /// Wrapped private or symmetric bytes; `None` for the index key, which lives outside the database.
    pub(super) wrapped: Option<Vec<u8>>,
    pub created_at: UnixTime,
    pub activated_at: Option<UnixTime>,
    pub retired_at: Option<UnixTime>,
    pub revoked_at: Option<UnixTime>,
}

impl KeyRecord {
    pub fn stage(&self) -> Stage {
        match (self.revoked_at, self.retired_at, self.activated_at) {
            (Some(since), _, _) => Stage::Revoked { since },
            (None, Some(since), _) => Stage::Retired { since },
            (None, None, Some(since)) => Stage::Active { since },
            (None, None, None) => Stage::Announced {
                since: self.created_at,
            },
        }
    }

    /// All keys of the entity, oldest first.
    pub async fn all(conn: &mut Conn) -> Result<Vec<Self>, Error> {
        let rows = sqlx::query(
            "SELECT kid, purpose, alg, public_jwk, wrapped, created_at, activated_at, retired_at, revoked_at
             FROM keys ORDER BY created_at, kid",
        )
        .fetch_all(conn)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Self {
                    kid: row.try_get("kid")?,
                    purpose: row.try_get("purpose")?,
                    alg: row.try_get("alg")?,
                    public_jwk: row.try_get("public_jwk")?,
                    wrapped: row.try_get("wrapped")?,
                    created_at: row.try_get("created_at")?,
                    activated_at: row.try_get("activated_at")?,
                    retired_at: row.try_get("retired_at")?,
                    revoked_at: row.try_get("revoked_at")?,
                })
            })
            .collect()
    }

    /// Writes a new key; `false` when another node has already made one for the same place (purpose, algorithm, stage).
    pub(super) async fn insert(&self, conn: &mut Conn) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO keys (kid, purpose, alg, public_jwk, wrapped, created_at, activated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(&self.kid)
        .bind(&self.purpose)
        .bind(&self.alg)
        .bind(self.public_jwk.as_deref())
        .bind(self.wrapped.clone())
        .bind(self.created_at)
        .bind(self.activated_at)
        .execute(conn)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
