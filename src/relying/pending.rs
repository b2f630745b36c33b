//! A login under way: what was sent to the provider and must come back, bound to the browser that pressed the button.
//! `state` is stored as its hash, nonce and PKCE verifier encrypted; the row is taken exactly once.

use serde::{Deserialize, Serialize};

use crate::clock::UnixTime;
use crate::crypto::{Sealer, sha256, thumb};
use crate::store::{Conn, Error};

const COLUMN: &str = "portal_logins.secrets";

/// What must match when the citizen comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub issuer: String,
    pub secrets: Secrets,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    pub nonce: String,
    pub verifier: String,
    /// The page of ours that the citizen wants to come to; nobody else's business either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secrets of a login]")
    }
}

impl Pending {
    /// Keeps a login under `state` for the browser that holds the secret `browser`.
    pub async fn keep(
        &self,
        conn: &mut Conn,
        sealer: &dyn Sealer,
        state: &str,
        browser: &str,
        now: UnixTime,
        expires_at: UnixTime,
    ) -> Result<(), Error> {
        let secrets = serde_json::to_vec(&self.secrets).map_err(|e| Error::Encode(e.into()))?;
        sqlx::query(
            "INSERT INTO portal_logins (state_hash, browser_hash, issuer, secrets, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(sha256(state.as_bytes()).to_vec())
        .bind(sha256(browser.as_bytes()).to_vec())
        .bind(&self.issuer)
        .bind(sealer.protect(COLUMN, &thumb(state.as_bytes()), &secrets))
        .bind(now)
        .bind(expires_at)
        .execute(conn)
        .await?;
        Ok(())
    }

    /// Takes the login that `state` names, once, if it is this browser's and still in time.
    pub async fn take(
        conn: &mut Conn,
        sealer: &dyn Sealer,
        state: &str,
        browser: &str,
        now: UnixTime,
    ) -> Result<Option<Self>, Error> {
        let row: Option<(String, Vec<u8>)> = sqlx::query_as(
            "UPDATE portal_logins SET used_at = $3
             WHERE state_hash = $1 AND browser_hash = $2 AND used_at IS NULL AND expires_at > $3
             RETURNING issuer, secrets",
        )
        .bind(sha256(state.as_bytes()).to_vec())
        .bind(sha256(browser.as_bytes()).to_vec())
        .bind(now)
        .fetch_optional(conn)
        .await?;
        // A row that no longer decrypts (the data key was lost) is as good as none.
        Ok(row.and_then(|(issuer, secrets)| {
            let secrets = sealer.reveal(COLUMN, &thumb(state.as_bytes()), &secrets)?;
            let secrets = serde_json::from_slice(&secrets).ok()?;
            Some(Self { issuer, secrets })
        }))
    }
}
