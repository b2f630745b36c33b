//! The portal's own session: begun with a new handle at every login, ended here or by the provider. What was told about the citizen is
//! encrypted in the row and wiped when the session ends. The provider's session is another thing, known only by its `sid`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::UnixTime;
use crate::crypto::{Sealer, Secret, sha256, thumb};
use crate::random::Rng;
use crate::relying::tokens::Verified;
use crate::relying::trust::Hop;
use crate::store::{Conn, Error};

const RECEIVED: &str = "portal_sessions.received";
const TOKENS: &str = "portal_sessions.tokens";

/// What this portal learned, and why it believes it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Received {
    pub claims: Map<String, Value>,
    /// Why the provider believes us: from this portal up to the anchor.
    pub own_chain: Vec<Hop>,
    /// Why we believe the provider: from it up to the anchor.
    pub provider_chain: Vec<Hop>,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Received")
            .field("claims", &self.claims.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// What a handle leads to.
#[derive(Debug, Clone, PartialEq)]
pub enum Session {
    Live(Live),
    /// Over, and not long ago: a page can say so.
    Ended(EndedBy),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    pub iss: String,
    pub sub: String,
    pub sid: Option<String>,
    pub received: Received,
    pub expires_at: UnixTime,
}

/// Who ended a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// The citizen, at this portal; or a newer login in the same browser.
    Here,
    /// The provider, by back-channel logout.
    Provider,
}

impl EndedBy {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Provider => "provider",
        }
    }
}

/// Tokens that outlive the login.
#[derive(Serialize, Deserialize)]
struct Kept {
    id_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

impl Session {
    /// Opens a session for a verified login and returns its handle, which exists nowhere else.
    pub async fn begin(
        conn: &mut Conn,
        sealer: &dyn Sealer,
        rng: &mut Rng,
        verified: Verified,
        (own_chain, provider_chain): (Vec<Hop>, Vec<Hop>),
        now: UnixTime,
        expires_at: UnixTime,
    ) -> Result<Secret<String>, Error> {
        let handle = rng.token();
        let row = thumb(handle.as_bytes());
        let received = encode(&Received {
            claims: verified.claims,
            own_chain,
            provider_chain,
        })?;
        let tokens = encode(&Kept {
            id_token: verified.id_token.reveal().clone(),
            refresh_token: verified.refresh_token.map(|token| token.reveal().clone()),
        })?;
        sqlx::query(
            "INSERT INTO portal_sessions (handle_hash, iss, sub, sid, received, tokens, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(sha256(handle.as_bytes()).to_vec())
        .bind(verified.iss)
        .bind(verified.sub)
        .bind(verified.sid)
        .bind(sealer.protect(RECEIVED, &row, &received))
        .bind(sealer.protect(TOKENS, &row, &tokens))
        .bind(now)
        .bind(expires_at)
        .execute(conn)
        .await?;
        Ok(handle.into())
    }

    /// The session of `handle`; none when it is unknown, expired or no longer readable.
    pub async fn find(
        conn: &mut Conn,
        sealer: &dyn Sealer,
        handle: &str,
        now: UnixTime,
    ) -> Result<Option<Self>, Error> {
        #[expect(
            clippy::type_complexity,
            reason = "the columns of one row, taken apart at once"
        )]
        let row: Option<(String, String, Option<String>, Vec<u8>, i64, Option<String>)> =
            sqlx::query_as(
                "SELECT iss, sub, sid, received, expires_at, ended_by
                 FROM portal_sessions WHERE handle_hash = $1 AND expires_at > $2",
            )
            .bind(sha256(handle.as_bytes()).to_vec())
            .bind(now)
            .fetch_optional(conn)
            .await?;
        Ok(
            row.and_then(|(iss, sub, sid, received, expires_at, ended_by)| {
                match ended_by.as_deref() {
                    Some("provider") => return Some(Self::Ended(EndedBy::Provider)),
                    Some(_) => return Some(Self::Ended(EndedBy::Here)),
                    None => {}
                }
                let received = sealer.reveal(RECEIVED, &thumb(handle.as_bytes()), &received)?;
                Some(Self::Live(Live {
                    iss,
                    sub,
                    sid,
                    received: serde_json::from_slice(&received).ok()?,
                    expires_at: UnixTime(expires_at),
                }))
            }),
        )
    }
}

/// Ends the session of `handle`. Nothing happens when it is not live.
pub async fn end(conn: &mut Conn, handle: &str, by: EndedBy, now: UnixTime) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE portal_sessions SET ended_at = $2, ended_by = $3, received = $4, tokens = $4
         WHERE handle_hash = $1 AND ended_at IS NULL AND expires_at > $2",
    )
    .bind(sha256(handle.as_bytes()).to_vec())
    .bind(now)
    .bind(by.as_str())
    .bind(Vec::<u8>::new())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends the session of `handle` and returns its ID Token, the hint for the provider's logout.
pub async fn end_with_hint(
    conn: &mut Conn,
    sealer: &dyn Sealer,
    handle: &str,
    now: UnixTime,
) -> Result<Option<Secret<String>>, Error> {
    let tokens: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT tokens FROM portal_sessions WHERE handle_hash = $1 AND ended_at IS NULL AND expires_at > $2",
    )
    .bind(sha256(handle.as_bytes()).to_vec())
    .bind(now)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(tokens) = tokens else {
        return Ok(None);
    };
    // Another request may have ended it in between: only one of them speaks for it.
    if !end(conn, handle, EndedBy::Here, now).await? {
        return Ok(None);
    }
    let kept = sealer
        .reveal(TOKENS, &thumb(handle.as_bytes()), &tokens)
        .and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
    Ok(kept.map(|kept| kept.id_token.into()))
}

/// Ends every live session that the provider means: of `sid`, of `sub`, or of both where both are said (Back-Channel Logout 1.0 §2.7).
pub async fn end_by_provider(
    conn: &mut Conn,
    iss: &str,
    sub: Option<&str>,
    sid: Option<&str>,
    now: UnixTime,
) -> Result<u64, Error> {
    if sub.is_none() && sid.is_none() {
        return Ok(0);
    }
    let done = sqlx::query(
        "UPDATE portal_sessions SET ended_at = $4, ended_by = $5, received = $6, tokens = $6
         WHERE iss = $1 AND sub = COALESCE($2, sub) AND ($3 IS NULL OR sid = $3) AND ended_at IS NULL AND expires_at > $4",
    )
    .bind(iss)
    .bind(sub)
    .bind(sid)
    .bind(now)
    .bind(EndedBy::Provider.as_str())
    .bind(Vec::<u8>::new())
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|e| Error::Encode(e.into()))
}
