//! Revocation (RFC 7009): a client gives back what it holds. Only its own, and nothing is said of what never was.

use super::grants;
use super::tokens::Issuer;
use crate::clock::UnixTime;
use crate::id::{ClientId, PersonId};
use crate::oauth::{Error, ErrorCode};
use crate::store::{self, Conn};

/// What a token turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// Nothing that is in force.
    Nothing,
    /// One access token; its grant goes on (RFC 7009 §2.1 leaves it open).
    Token { person: PersonId },
    /// A refresh token, and with it everything issued from its grant (RFC 7009 §2.1).
    Grant { person: PersonId },
}

/// Revokes `token` for `client`. `token_type_hint` is not needed: the two kinds of token cannot be confused.
pub async fn revoke(
    conn: &mut Conn,
    issuer: &Issuer<'_>,
    client: &ClientId,
    token: &str,
    now: UnixTime,
) -> Result<Result<Revoked, Error>, store::Error> {
    // RFC 7009 §2.1: a token of another client is refused, and the client is told.
    let foreign = || {
        Ok(Err(Error::new(
            ErrorCode::UnauthorizedClient,
            "the token was issued to another client",
        )))
    };
    if let Ok(issued) = issuer.read_issued(token, now) {
        if issued.client != *client {
            return foreign();
        }
        let Some(grant) = issued.grant(conn, now).await? else {
            return Ok(Ok(Revoked::Nothing));
        };
        grants::revoke_token(conn, &issued.jti, issued.expires_at).await?;
        return Ok(Ok(Revoked::Token {
            person: grant.person,
        }));
    }
    let Some(stored) = grants::find_refresh_token(conn, token, now).await? else {
        return Ok(Ok(Revoked::Nothing));
    };
    if stored.client != *client {
        return foreign();
    }
    let Some(grant) = grants::find(conn, &stored.grant, now).await? else {
        return Ok(Ok(Revoked::Nothing));
    };
    grants::revoke(conn, &grant.id, "client_revoked", now).await?;
    Ok(Ok(Revoked::Grant {
        person: grant.person,
    }))
}
