//! What a person granted a client at one login: issued with its code, redeemed once, renewed by refresh tokens, revoked
//! when anything about it turns out wrong. A grant's name is the hash of its code, so the code finds it and it does not tell
//! the code. How tokens look is known to `tokens`.

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::claims::ClaimsRequest;
use super::confirmation::Confirmation;
use super::details::Detail;
use crate::clock::UnixTime;
use crate::consent;
use crate::crypto::{Secret, constant_time_eq, sha256, thumb};
use crate::id::{ClientId, PersonId, SessionId};
use crate::oauth::{self, Algorithm, Scope};
use crate::random::Rng;
use crate::store::{Conn, Error};

/// Seconds in which a refresh token that was used may be repeated: the answer may have been lost.
const GRACE: i64 = 30;

/// A grant that is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    pub id: String,
    pub person: PersonId,
    pub actor: PersonId,
    pub client: ClientId,
    pub session: Option<SessionId>,
    pub terms: Terms,
    pub offline_until: Option<UnixTime>,
    /// Nothing issued from it lives longer.
    pub expires_at: UnixTime,
    /// What the tokens of this answer are bound to: proven in the request that asks for them, never stored with the grant.
    pub confirmation: Confirmation,
}

/// What the code is bound to, what the tokens will say, and what is needed when the session ends and the client is far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    pub redirect_uri: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<String>,
    /// The key that alone may redeem the code (RFC 9449 §10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
    pub scope: Scope,
    #[serde(default)]
    pub claims: ClaimsRequest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    pub auth_time: UnixTime,
    pub acr: String,
    pub amr: Vec<String>,
    pub sector: String,
    pub alg: Algorithm,
    /// The platform's name as the person saw it.
    pub platform: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_channel: Option<String>,
    /// What access tokens may be for (RFC 8707); empty: the provider itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// RFC 9396.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front_channel: Option<String>,
}

/// What a grant begins with.
#[derive(Clone, Debug)]
pub struct New<'a> {
    pub person: &'a PersonId,
    pub actor: &'a PersonId,
    pub client: &'a ClientId,
    pub session: &'a SessionId,
    pub terms: &'a Terms,
    /// The hash of the pushed request that it answers.
    pub pushed: Option<&'a [u8]>,
    pub lives: Lives,
}

/// Lifetimes, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Lives {
    pub code: i64,
    /// Of a grant without `offline_access`: as long as the session can last.
    pub grant: i64,
    /// Of one with it.
    pub offline: i64,
    pub refresh_token: i64,
}

const COLUMNS: &str = "grants.id, grants.subject, grants.actor, grants.client, grants.session, grants.terms, \
     grants.offline_until, grants.expires_at";

/// A session that ended, by whatever hand, takes along what does not work without it; one that ended for security takes
/// everything. That, and a withdrawn consent, are looked at here, beside the revocation that goes with them: a grant that was
/// being issued at that very moment is seen by no revocation.
const ALIVE: &str = "grants.revoked_at IS NULL AND grants.expires_at > $2 AND ((grants.offline_until > $2 \
     AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.id = grants.session AND sessions.ended_why = 'security')) \
     OR EXISTS (SELECT 1 FROM sessions WHERE sessions.id = grants.session AND sessions.ended_at IS NULL AND sessions.expires_at > $2)) \
     AND NOT EXISTS (SELECT 1 FROM consents WHERE consents.subject = grants.subject AND consents.client = grants.client \
     AND consents.withdrawn_at >= grants.issued_at)";

impl Grant {
    fn read(row: &AnyRow) -> Result<Self, Error> {
        let terms: String = row.try_get("terms")?;
        Ok(Self {
            id: row.try_get("id")?,
            person: row.try_get("subject")?,
            actor: row.try_get("actor")?,
            client: row.try_get("client")?,
            session: row.try_get("session")?,
            terms: serde_json::from_str(&terms).map_err(|e| Error::Decode(Box::new(e)))?,
            offline_until: row.try_get("offline_until")?,
            expires_at: row.try_get("expires_at")?,
            confirmation: Confirmation::default(),
        })
    }
}

/// Issues a grant with its code. `None`: the pushed request has been answered before.
pub async fn issue(
    conn: &mut Conn,
    rng: &mut Rng,
    new: &New<'_>,
    now: UnixTime,
) -> Result<Option<Secret<String>>, Error> {
    let code = rng.token();
    let offline = new.terms.scope.contains(Scope::OFFLINE_ACCESS);
    let offline_until = offline.then(|| now.plus(new.lives.offline));
    let issued = sqlx::query(
        "INSERT INTO grants (id, subject, actor, client, session, terms, pushed, issued_at, code_expires_at, offline_until, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (pushed) DO NOTHING RETURNING id",
    )
    .bind(thumb(code.as_bytes()))
    .bind(new.person)
    .bind(new.actor)
    .bind(new.client)
    .bind(new.session)
    .bind(serde_json::to_string(new.terms).map_err(|e| Error::Encode(Box::new(e)))?)
    .bind(new.pushed.map(<[u8]>::to_vec))
    .bind(now)
    .bind(now.plus(new.lives.code))
    .bind(offline_until)
    .bind(offline_until.unwrap_or(now.plus(new.lives.grant)))
    .fetch_optional(conn)
    .await?;
    Ok(issued.map(|_| Secret::new(code)))
}

/// Notes that tokens of a grant just issued go out at the authorization endpoint, beside its code or instead of it: they
/// rest on the grant from now on, and fall with it when the code is repeated.
pub async fn hand_out(
    conn: &mut Conn,
    code: &Secret<String>,
    with_code: bool,
    now: UnixTime,
) -> Result<Option<Grant>, Error> {
    // A code that nobody is told counts as used.
    let redeemed = if with_code { "redeemed_at" } else { "$1" };
    let sql = format!(
        "UPDATE grants SET front_at = $1, redeemed_at = {redeemed} WHERE id = $2 RETURNING {}",
        COLUMNS.replace("grants.", "")
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(now)
        .bind(thumb(code.reveal().as_bytes()))
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(Grant::read)
        .transpose()
}

/// Redeems a code of this client, once. `None`: not this client's, too late, or used before; in the last case everything
/// issued from it is revoked (RFC 6749 §4.1.2). What the code is bound to is checked by `Grant::check_binding`.
pub async fn redeem(
    conn: &mut Conn,
    code: &str,
    client: &ClientId,
    now: UnixTime,
) -> Result<Option<Grant>, Error> {
    let id = thumb(code.as_bytes());
    if let Some(grant) = redeem_by_id(conn, &id, client, now).await? {
        return Ok(Some(grant));
    }
    sqlx::query(
        "UPDATE grants SET revoked_at = $1, revoked_why = 'code_repeated'
         WHERE id = $2 AND redeemed_at IS NOT NULL AND revoked_at IS NULL",
    )
    .bind(now)
    .bind(&id)
    .execute(conn)
    .await?;
    Ok(None)
}

/// Redeems the grant whose name is known, once: where something else than its code stood for it.
pub async fn redeem_by_id(
    conn: &mut Conn,
    id: &str,
    client: &ClientId,
    now: UnixTime,
) -> Result<Option<Grant>, Error> {
    let sql = format!(
        "UPDATE grants SET redeemed_at = $2 WHERE id = $1 AND client = $3 AND redeemed_at IS NULL
           AND code_expires_at > $2 AND {ALIVE} RETURNING {}",
        COLUMNS.replace("grants.", "")
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .bind(now)
        .bind(client)
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(Grant::read)
        .transpose()
}

impl Grant {
    /// Whether the redeemer is the one who asked: same redirect URI, the verifier of the challenge (RFC 7636 §4.6), and the
    /// key that was named (RFC 9449 §10).
    pub fn check_binding(
        &self,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
        jkt: Option<&str>,
    ) -> Result<(), oauth::Error> {
        if redirect_uri != Some(self.terms.redirect_uri.as_str()) {
            return Err(oauth::Error::invalid_grant(
                "redirect_uri is not that of the authorization request",
            ));
        }
        if self.terms.dpop_jkt.is_some() && self.terms.dpop_jkt.as_deref() != jkt {
            return Err(oauth::Error::invalid_grant(
                "the code is bound to another key than that of the DPoP proof",
            ));
        }
        match (&self.terms.code_challenge, verifier) {
            (None, None) => Ok(()),
            (Some(challenge), Some(verifier))
                if (43..=128).contains(&verifier.len())
                    && constant_time_eq(
                        thumb(verifier.as_bytes()).as_bytes(),
                        challenge.as_bytes(),
                    ) =>
            {
                Ok(())
            }
            (Some(_), Some(_)) => Err(oauth::Error::invalid_grant(
                "code_verifier does not fit the code_challenge",
            )),
            (Some(_), None) => Err(oauth::Error::invalid_grant("code_verifier is missing")),
            // RFC 9700 §2.1.1: a verifier without a challenge is a downgrade.
            (None, Some(_)) => Err(oauth::Error::invalid_grant(
                "the authorization request had no code_challenge",
            )),
        }
    }
}

/// The grant of an access token, when both are in force: what a token is checked against at our own resources.
pub async fn of_token(
    conn: &mut Conn,
    id: &str,
    jti: &str,
    now: UnixTime,
) -> Result<Option<Grant>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM grants WHERE id = $1 AND (redeemed_at IS NOT NULL OR front_at IS NOT NULL) AND {ALIVE}
           AND NOT EXISTS (SELECT 1 FROM revoked_tokens WHERE revoked_tokens.token = $3)"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .bind(now)
        .bind(sha256(jti.as_bytes()).to_vec())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(Grant::read)
        .transpose()
}

/// The grants in force that `person` gave to `client`, newest first.
pub async fn given_to(
    conn: &mut Conn,
    person: &PersonId,
    client: &ClientId,
    now: UnixTime,
) -> Result<Vec<Grant>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM grants WHERE subject = $1 AND client = $3 AND (redeemed_at IS NOT NULL OR front_at IS NOT NULL) AND {ALIVE}
         ORDER BY grants.issued_at DESC, grants.id"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(person)
        .bind(now)
        .bind(client)
        .fetch_all(conn)
        .await?
        .iter()
        .map(Grant::read)
        .collect()
}

/// A grant in force, by its name.
pub async fn find(conn: &mut Conn, id: &str, now: UnixTime) -> Result<Option<Grant>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM grants WHERE id = $1 AND (redeemed_at IS NOT NULL OR front_at IS NOT NULL) AND {ALIVE}"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .bind(now)
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(Grant::read)
        .transpose()
}

/// A new refresh token of the grant; `bound_to`: that of a public client (`bond`).
pub async fn issue_refresh_token(
    conn: &mut Conn,
    rng: &mut Rng,
    grant: &Grant,
    bound_to: Option<&str>,
    lives: Lives,
    now: UnixTime,
) -> Result<Secret<String>, Error> {
    let token = rng.token();
    let expires_at = now.plus(lives.refresh_token).min(grant.expires_at);
    sqlx::query(
        "INSERT INTO refresh_tokens (token, grant_id, scope, issued_at, expires_at, confirmation) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(sha256(token.as_bytes()).to_vec())
    .bind(&grant.id)
    .bind(grant.terms.scope.to_string())
    .bind(now)
    .bind(expires_at)
    .bind(bound_to)
    .execute(conn)
    .await?;
    Ok(Secret::new(token))
}

/// Uses a refresh token of this client. A token repeated within the grace gets a sibling; one repeated later was stolen,
/// by whoever came first or second, and ends the family (RFC 9700 §4.14.2). A bound one is a stranger's to whoever does not
/// prove what it is bound to: nothing happens to it.
pub async fn refresh(
    conn: &mut Conn,
    token: &str,
    client: &ClientId,
    bound_to: Option<&str>,
    now: UnixTime,
) -> Result<Option<Grant>, Error> {
    let hash = sha256(token.as_bytes()).to_vec();
    let used: Option<String> = sqlx::query_scalar(
        "UPDATE refresh_tokens SET used_at = $1 WHERE token = $2 AND used_at IS NULL AND expires_at > $1
           AND (confirmation IS NULL OR confirmation = $4)
           AND EXISTS (SELECT 1 FROM grants WHERE grants.id = refresh_tokens.grant_id AND grants.client = $3)
         RETURNING grant_id",
    )
    .bind(now)
    .bind(hash.clone())
    .bind(client)
    .bind(bound_to)
    .fetch_optional(&mut *conn)
    .await?;
    let grant = if let Some(grant) = used {
        grant
    } else {
        let before = sqlx::query(
            "SELECT grant_id, used_at FROM refresh_tokens WHERE token = $1 AND used_at IS NOT NULL AND expires_at > $2
               AND (confirmation IS NULL OR confirmation = $4)
               AND EXISTS (SELECT 1 FROM grants WHERE grants.id = refresh_tokens.grant_id AND grants.client = $3)",
        )
        .bind(hash)
        .bind(now)
        .bind(client)
        .bind(bound_to)
        .fetch_optional(&mut *conn)
        .await?;
        let Some(before) = before else {
            return Ok(None);
        };
        let (grant, used_at): (String, UnixTime) =
            (before.try_get("grant_id")?, before.try_get("used_at")?);
        // Only the last one can have been lost: who used a later one of this grant has had an answer.
        let later: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM refresh_tokens WHERE grant_id = $1 AND used_at > $2 LIMIT 1",
        )
        .bind(&grant)
        .bind(used_at)
        .fetch_optional(&mut *conn)
        .await?;
        if now.since(used_at) > GRACE || later.is_some() {
            revoke(conn, &grant, "refresh_token_repeated", now).await?;
            return Ok(None);
        }
        grant
    };
    find(conn, &grant, now).await
}

/// Uses a refresh token that stays the same, for clients whose tokens are not rotated (FAPI 2.0 §5.3.2.1): each use puts off
/// its end by `lives.refresh_token`.
pub async fn refresh_again(
    conn: &mut Conn,
    token: &str,
    client: &ClientId,
    lives: Lives,
    now: UnixTime,
) -> Result<Option<Grant>, Error> {
    let grant: Option<String> = sqlx::query_scalar(
        "UPDATE refresh_tokens SET expires_at = $1 WHERE token = $2 AND used_at IS NULL AND expires_at > $3
           AND EXISTS (SELECT 1 FROM grants WHERE grants.id = refresh_tokens.grant_id AND grants.client = $4)
         RETURNING grant_id",
    )
    .bind(now.plus(lives.refresh_token))
    .bind(sha256(token.as_bytes()).to_vec())
    .bind(now)
    .bind(client)
    .fetch_optional(&mut *conn)
    .await?;
    match grant {
        Some(grant) => find(conn, &grant, now).await,
        None => Ok(None),
    }
}

/// A refresh token, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRefreshToken {
    pub grant: String,
    pub client: ClientId,
    pub issued_at: UnixTime,
    pub expires_at: UnixTime,
    pub used_at: Option<UnixTime>,
}

/// Looks at a refresh token without using it.
pub async fn find_refresh_token(
    conn: &mut Conn,
    token: &str,
    now: UnixTime,
) -> Result<Option<StoredRefreshToken>, Error> {
    let row = sqlx::query(
        "SELECT refresh_tokens.grant_id, refresh_tokens.issued_at, refresh_tokens.expires_at, refresh_tokens.used_at, grants.client
         FROM refresh_tokens JOIN grants ON grants.id = refresh_tokens.grant_id
         WHERE refresh_tokens.token = $1 AND refresh_tokens.expires_at > $2",
    )
    .bind(sha256(token.as_bytes()).to_vec())
    .bind(now)
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(StoredRefreshToken {
        grant: row.try_get("grant_id")?,
        client: row.try_get("client")?,
        issued_at: row.try_get("issued_at")?,
        expires_at: row.try_get("expires_at")?,
        used_at: row.try_get("used_at")?,
    }))
}

/// Ends one access token before its time; its grant goes on.
pub async fn revoke_token(conn: &mut Conn, jti: &str, expires_at: UnixTime) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO revoked_tokens (token, expires_at) VALUES ($1, $2) ON CONFLICT (token) DO NOTHING",
    )
    .bind(sha256(jti.as_bytes()).to_vec())
    .bind(expires_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a grant with everything issued from it; whether it was in force.
pub async fn revoke(
    conn: &mut Conn,
    id: &str,
    why: &'static str,
    now: UnixTime,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE grants SET revoked_at = $1, revoked_why = $2 WHERE id = $3 AND revoked_at IS NULL RETURNING id",
    )
    .bind(now)
    .bind(why)
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(done.is_some())
}

/// Withdraws the consent `id` of this person and ends what the client was given by it. Says which client it was.
pub async fn withdraw_consent(
    conn: &mut Conn,
    person: &PersonId,
    id: &str,
    now: UnixTime,
) -> Result<Option<ClientId>, Error> {
    let Some(client) = consent::withdraw(conn, person, id, now).await? else {
        return Ok(None);
    };
    sqlx::query(
        "UPDATE grants SET revoked_at = $1, revoked_why = 'consent_withdrawn'
         WHERE subject = $2 AND client = $3 AND revoked_at IS NULL",
    )
    .bind(now)
    .bind(person)
    .bind(&client)
    .execute(conn)
    .await?;
    Ok(Some(client))
}

/// Ends all grants of a client that was removed; how many.
pub async fn revoke_client(
    conn: &mut Conn,
    client: &ClientId,
    now: UnixTime,
) -> Result<u64, Error> {
    Ok(sqlx::query(
        "UPDATE grants SET revoked_at = $1, revoked_why = 'client_removed' WHERE client = $2 AND revoked_at IS NULL",
    )
    .bind(now)
    .bind(client)
    .execute(conn)
    .await?
    .rows_affected())
}

/// Ends all grants of a person, those that work without a session included: the identity moved or was closed.
pub async fn revoke_person(
    conn: &mut Conn,
    person: &PersonId,
    why: &'static str,
    now: UnixTime,
) -> Result<u64, Error> {
    Ok(sqlx::query(
        "UPDATE grants SET revoked_at = $1, revoked_why = $2 WHERE subject = $3 AND revoked_at IS NULL",
    )
    .bind(now)
    .bind(why)
    .bind(person)
    .execute(conn)
    .await?
    .rows_affected())
}
