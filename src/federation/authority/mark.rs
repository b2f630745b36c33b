//! The trust marks that an authority gives (OpenID Federation 1.0 §7, §8.4 to §8.6). A row says that a mark was given and until
//! when; the mark itself is signed whenever its bearer asks, and lives shortly. What others' marks are worth is in `trust_mark`.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Map;
use sqlx::Row as _;

use super::subordinate::read_id;
use super::{Authority, AuthorityError};
use crate::clock::UnixTime;
use crate::crypto::{Purpose, sha256};
use crate::federation::entity::{EntityId, Schemes};
use crate::federation::publish::Signed;
use crate::federation::trust_mark::{self, Delegation, Status, status};
use crate::jose::{UnverifiedJws, json, jwt};
use crate::oauth::{Algorithm, Error, ErrorCode};
use crate::store::{self, Conn};

/// Seconds for which an answer about a status is used again: a flood of questions about one mark costs one signature.
const STATUS_SERVES: i64 = 10;

/// A mark as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedMark {
    pub trust_mark_type: String,
    pub subject: EntityId,
    /// When it was given; given again after a revocation, then.
    pub issued_at: UnixTime,
    /// Until when it is signed anew; without: until it is revoked.
    pub expires_at: Option<UnixTime>,
    pub revoked_at: Option<UnixTime>,
}

impl IssuedMark {
    pub async fn find(
        conn: &mut Conn,
        trust_mark_type: &str,
        subject: &EntityId,
    ) -> Result<Option<Self>, store::Error> {
        let row = sqlx::query(
            "SELECT trust_mark_type, subject, issued_at, expires_at, revoked_at FROM issued_trust_marks \
             WHERE trust_mark_type = $1 AND subject = $2",
        )
        .bind(trust_mark_type)
        .bind(subject.as_str())
        .fetch_optional(conn)
        .await?;
        row.as_ref().map(Self::read).transpose()
    }

    /// Every mark that was ever given, by type and subject.
    pub async fn all(conn: &mut Conn) -> Result<Vec<Self>, store::Error> {
        let rows = sqlx::query(
            "SELECT trust_mark_type, subject, issued_at, expires_at, revoked_at FROM issued_trust_marks",
        )
        .fetch_all(conn)
        .await?;
        let mut marks: Vec<Self> = rows.iter().map(Self::read).collect::<Result<_, _>>()?;
        marks.sort_by(|a, b| {
            (&a.trust_mark_type, &a.subject).cmp(&(&b.trust_mark_type, &b.subject))
        });
        Ok(marks)
    }

    fn read(row: &sqlx::any::AnyRow) -> Result<Self, store::Error> {
        Ok(Self {
            trust_mark_type: row.try_get("trust_mark_type")?,
            subject: read_id(&row.try_get::<String, _>("subject")?)?,
            issued_at: row.try_get("issued_at")?,
            expires_at: row.try_get("expires_at")?,
            revoked_at: row.try_get("revoked_at")?,
        })
    }

    pub fn is_active(&self, now: UnixTime) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// Gives a mark, or changes until when it is given. One that was revoked is given anew: what was signed before stays revoked.
pub async fn give_trust_mark(
    conn: &mut Conn,
    trust_mark_type: &str,
    subject: &EntityId,
    expires_at: Option<UnixTime>,
    now: UnixTime,
) -> Result<(), store::Error> {
    sqlx::query(
        "INSERT INTO issued_trust_marks (trust_mark_type, subject, issued_at, expires_at, revoked_at) \
         VALUES ($1, $2, $3, $4, NULL) ON CONFLICT (trust_mark_type, subject) DO UPDATE SET \
         issued_at = CASE WHEN issued_trust_marks.revoked_at IS NULL THEN issued_trust_marks.issued_at \
         ELSE excluded.issued_at END, expires_at = excluded.expires_at, revoked_at = NULL",
    )
    .bind(trust_mark_type)
    .bind(subject.as_str())
    .bind(now)
    .bind(expires_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Revokes a mark; `false` when there is none to revoke.
pub async fn revoke_trust_mark(
    conn: &mut Conn,
    trust_mark_type: &str,
    subject: &EntityId,
    now: UnixTime,
) -> Result<bool, store::Error> {
    let row = sqlx::query(
        "UPDATE issued_trust_marks SET revoked_at = $3 WHERE trust_mark_type = $1 AND subject = $2 \
         AND revoked_at IS NULL RETURNING subject",
    )
    .bind(trust_mark_type)
    .bind(subject.as_str())
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Who holds a mark of ours that is valid: of the type, or any.
pub(super) async fn marked(
    conn: &mut Conn,
    trust_mark_type: Option<&str>,
    now: UnixTime,
) -> Result<HashSet<String>, store::Error> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT subject FROM issued_trust_marks WHERE revoked_at IS NULL \
         AND (expires_at IS NULL OR expires_at > $1) AND (trust_mark_type = $2 OR $3 = 1)",
    )
    .bind(now)
    .bind(trust_mark_type.unwrap_or_default())
    .bind(i64::from(trust_mark_type.is_none()))
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}

impl Authority {
    /// §8.6: the mark of this type that `sub` was given, signed now or lately.
    pub async fn trust_mark(
        &self,
        trust_mark_type: &str,
        sub: &str,
        now: UnixTime,
    ) -> Result<Arc<str>, AuthorityError> {
        let none = || Error::new(ErrorCode::NotFound, "the subject has no such trust mark");
        let sub = EntityId::parse(sub, Schemes::HttpsOrLoopbackHttp).map_err(|_| none())?;
        let mut conn = self.store.read().await?;
        let given = IssuedMark::find(&mut conn, trust_mark_type, &sub)
            .await?
            .filter(|given| given.is_active(now))
            .ok_or_else(none)?;
        let delegation = Delegation::stored(&mut conn, trust_mark_type, now).await?;
        drop(conn);
        let mut claims = Map::new();
        claims.insert("iss".into(), self.settings.id.as_str().into());
        claims.insert("sub".into(), sub.as_str().into());
        claims.insert("trust_mark_type".into(), trust_mark_type.into());
        let mut exp = now.plus(self.settings.section.trust_mark_lifetime);
        if let Some(delegation) = delegation {
            exp = delegation.expires_at.map_or(exp, |end| exp.min(end));
            claims.insert("delegation".into(), delegation.jwt.into());
        }
        exp = given.expires_at.map_or(exp, |end| exp.min(end));
        self.forget_other_keys();
        // What was signed before a revocation is not given out after it.
        let key = (given.trust_mark_type, given.subject, given.issued_at);
        if let Some(signed) = self.marks.get(&key).await
            && signed.serves(&claims, now)
            && signed.ends_by(exp)
        {
            return Ok(Arc::clone(&signed.jwt));
        }
        let typ = trust_mark::TYP;
        let signed = Signed::make(&*self.signer, self.settings.alg, typ, claims, now, exp).await?;
        let jwt = Arc::clone(&signed.jwt);
        self.marks.insert(key, Arc::new(signed)).await;
        Ok(jwt)
    }

    /// §8.4: whether `mark`, which we signed, still holds.
    pub async fn trust_mark_status(
        &self,
        mark: &str,
        now: UnixTime,
    ) -> Result<Arc<str>, AuthorityError> {
        let status = self.status_of(mark, now).await?;
        self.forget_other_keys();
        let key = (sha256(mark.as_bytes()), status.as_str());
        if let Some((told_at, jwt)) = self.statuses.get(&key).await
            && now.since(told_at) < STATUS_SERVES
        {
            return Ok(jwt);
        }
        let mut claims = Map::new();
        claims.insert("iss".into(), self.settings.id.as_str().into());
        claims.insert("iat".into(), now.0.into());
        claims.insert("trust_mark".into(), mark.into());
        claims.insert("status".into(), status.as_str().into());
        let jwt: Arc<str> = crate::federation::statement::sign_typed(
            &*self.signer,
            self.settings.alg,
            status::TYP,
            &claims,
        )
        .await?
        .into();
        self.statuses.insert(key, (now, Arc::clone(&jwt))).await;
        Ok(jwt)
    }

    async fn status_of(&self, mark: &str, now: UnixTime) -> Result<Status, AuthorityError> {
        let malformed = || Error::invalid_request("trust_mark is not a trust mark");
        let unknown = || {
            Error::new(
                ErrorCode::NotFound,
                "no such trust mark was issued by this entity",
            )
        };
        let jws = UnverifiedJws::parse(mark, trust_mark::LONGEST).map_err(|_| malformed())?;
        let claims = json::parse_object(&jws.payload).map_err(|_| malformed())?;
        let text = |name| jwt::text(&claims, name);
        let (iss, sub) = (text("iss"), text("sub"));
        let trust_mark_type = text("trust_mark_type").map_err(|_| malformed())?;
        if iss != Ok(self.settings.id.as_str()) {
            return Err(unknown().into());
        }
        let sub = EntityId::parse(sub.unwrap_or_default(), Schemes::HttpsOrLoopbackHttp)
            .map_err(|_| unknown())?;
        let given = IssuedMark::find(&mut *self.store.read().await?, trust_mark_type, &sub).await?;
        let given = given.ok_or_else(unknown)?;
        let ours = jws.header.is_typ(trust_mark::TYP)
            && jws
                .checked_algorithm(&Algorithm::FEDERATION)
                .is_ok_and(|alg| {
                    let kid = jws.header.kid.as_deref().unwrap_or_default();
                    let (input, signature) = (jws.signing_input(), jws.signature());
                    self.signer
                        .verify(Purpose::Federation, kid, alg, input, signature)
                });
        let times = (jwt::time(&claims, "iat"), jwt::time(&claims, "exp"));
        let (Ok(Some(iat)), Ok(exp)) = times else {
            return Ok(Status::Invalid);
        };
        Ok(if !ours {
            Status::Invalid
        } else if given.revoked_at.is_some() || iat < given.issued_at {
            Status::Revoked
        } else if exp.is_some_and(|exp| exp <= now) || !given.is_active(now) {
            Status::Expired
        } else {
            Status::Active
        })
    }

    /// §8.5: who holds a valid mark of this type; with `sub`, whether that entity does.
    pub async fn trust_marked(
        &self,
        trust_mark_type: &str,
        sub: Option<&str>,
        now: UnixTime,
    ) -> Result<Vec<EntityId>, AuthorityError> {
        let held = marked(&mut *self.store.read().await?, Some(trust_mark_type), now).await?;
        let mut listed: Vec<EntityId> = held
            .iter()
            .filter(|id| sub.is_none_or(|sub| sub == id.as_str()))
            .map(|id| read_id(id))
            .collect::<Result<_, _>>()?;
        listed.sort();
        Ok(listed)
    }
}
