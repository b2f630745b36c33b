//! Authorization requests that wait for their browser: pushed by an authenticated client (RFC 9126), or parked because
//! they came by POST from another site, where our cookies are not sent along. Both are fetched by an unguessable name.
//! A pushed one was read and proven and is kept so; a parked one is kept as it was sent.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::request::{AuthorizationRequest, Parameters};
use crate::clock::UnixTime;
use crate::crypto::sha256;
use crate::random::Rng;
use crate::store::{Conn, Error};

/// RFC 9126 §2.2.
pub const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
/// Seconds that a parked request waits for the redirect that follows at once.
const PARKED: i64 = 120;

/// Stores a pushed request; returns its `request_uri`.
pub async fn push(
    conn: &mut Conn,
    rng: &mut Rng,
    request: &AuthorizationRequest,
    lifetime: i64,
    now: UnixTime,
) -> Result<String, Error> {
    let name = rng.token();
    let json = serde_json::to_string(request).map_err(|e| Error::Encode(Box::new(e)))?;
    sqlx::query(
        "INSERT INTO waiting_requests (reference, client, parameters, request, expires_at)
         VALUES ($1, $2, '', $3, $4)",
    )
    .bind(reference(&name))
    .bind(&request.client)
    .bind(json)
    .bind(now.plus(lifetime))
    .execute(conn)
    .await?;
    Ok(format!("{PREFIX}{name}"))
}

/// Parks a request; returns its name.
pub async fn park(
    conn: &mut Conn,
    rng: &mut Rng,
    parameters: &Parameters,
    now: UnixTime,
) -> Result<String, Error> {
    let name = rng.token();
    sqlx::query(
        "INSERT INTO waiting_requests (reference, parameters, expires_at) VALUES ($1, $2, $3)",
    )
    .bind(reference(&name))
    .bind(parameters.to_json())
    .bind(now.plus(PARKED))
    .execute(conn)
    .await?;
    Ok(name)
}

/// The pushed request of a `request_uri`; `None`: not ours, expired, of another client, or answered already.
/// Reading does not consume it: a reload before the answer works (FAPI 2.0 §5.3.2.2 note 3).
pub async fn pushed(
    conn: &mut Conn,
    request_uri: &str,
    client: &str,
    now: UnixTime,
) -> Result<Option<AuthorizationRequest>, Error> {
    let Some(name) = request_uri.strip_prefix(PREFIX) else {
        return Ok(None);
    };
    let found: Option<String> = sqlx::query_scalar(
        "SELECT request FROM waiting_requests
         WHERE reference = $1 AND client = $2 AND request IS NOT NULL AND expires_at > $3
           AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.pushed = waiting_requests.reference)",
    )
    .bind(reference(name))
    .bind(client)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    let Some(json) = found else { return Ok(None) };
    let request: AuthorizationRequest =
        serde_json::from_str(&json).map_err(|e| Error::Decode(Box::new(e)))?;
    Ok(Some(AuthorizationRequest {
        // A grant carries it, so that a pushed request is answered once.
        pushed: Some(URL_SAFE_NO_PAD.encode(reference(name))),
        ..request
    }))
}

/// A parked request.
pub async fn parked(
    conn: &mut Conn,
    name: &str,
    now: UnixTime,
) -> Result<Option<Parameters>, Error> {
    let found: Option<String> = sqlx::query_scalar(
        "SELECT parameters FROM waiting_requests WHERE reference = $1 AND client IS NULL AND expires_at > $2",
    )
    .bind(reference(name))
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(found.and_then(|json| Parameters::from_json(&json)))
}

fn reference(name: &str) -> Vec<u8> {
    sha256(name.as_bytes()).to_vec()
}
