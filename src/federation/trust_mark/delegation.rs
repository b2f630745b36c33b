//! Delegations (OpenID Federation 1.0 §7.2): the owner of a trust mark type lets somebody issue its marks. The owner signs one,
//! the issuer keeps it and puts it into its marks. Whether a delegation counts is judged with the mark, in `trust_mark`.

use serde_json::Map;
use sqlx::Row as _;

use super::{DELEGATION_TYP, LONGEST};
use crate::clock::UnixTime;
use crate::crypto::{SignError, Signer};
use crate::federation::entity::{EntityId, Schemes};
use crate::federation::statement::sign_typed;
use crate::jose::{UnverifiedJws, json, jwt};
use crate::oauth::Algorithm;
use crate::store::{Conn, Error};

/// A delegation as its issuer keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    pub trust_mark_type: String,
    /// Who may issue.
    pub issuer: EntityId,
    pub expires_at: Option<UnixTime>,
    pub jwt: String,
}

/// What is wrong with a text that should be a delegation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the delegation {0}")]
pub struct InvalidDelegation(&'static str);

impl Delegation {
    /// Signs a delegation of `trust_mark_type`, which `owner` owns, to `issuer`.
    pub async fn sign(
        signer: &dyn Signer,
        alg: Algorithm,
        (owner, issuer): (&EntityId, &EntityId),
        trust_mark_type: &str,
        expires_at: Option<UnixTime>,
        now: UnixTime,
    ) -> Result<String, SignError> {
        let mut claims = Map::new();
        claims.insert("iss".into(), owner.as_str().into());
        claims.insert("sub".into(), issuer.as_str().into());
        claims.insert("trust_mark_type".into(), trust_mark_type.into());
        claims.insert("iat".into(), now.0.into());
        if let Some(exp) = expires_at {
            claims.insert("exp".into(), exp.0.into());
        }
        sign_typed(signer, alg, DELEGATION_TYP, &claims).await
    }

    /// Reads a delegation that was handed over. Whose signature it bears is known to the anchor, who publishes the owner's keys.
    pub fn read(jwt: &str, now: UnixTime) -> Result<Self, InvalidDelegation> {
        let jws = UnverifiedJws::parse(jwt, LONGEST)
            .map_err(|_| InvalidDelegation("is no compact JWS"))?;
        if !jws.header.is_typ(DELEGATION_TYP) {
            return Err(InvalidDelegation("has another typ"));
        }
        let claims = json::parse_object(&jws.payload)
            .map_err(|_| InvalidDelegation("holds no JSON object"))?;
        let text = |name| jwt::text(&claims, name);
        let (Ok(_), Ok(sub), Ok(trust_mark_type), Ok(Some(_))) = (
            text("iss"),
            text("sub"),
            text("trust_mark_type"),
            jwt::time(&claims, "iat"),
        ) else {
            return Err(InvalidDelegation("lacks iss, sub, trust_mark_type or iat"));
        };
        let issuer = EntityId::parse(sub, Schemes::HttpsOrLoopbackHttp)
            .map_err(|_| InvalidDelegation("is for nobody: sub is no entity identifier"))?;
        let expires_at = jwt::time(&claims, "exp")
            .map_err(|_| InvalidDelegation("has an exp that is no time"))?;
        if expires_at.is_some_and(|exp| exp <= now) {
            return Err(InvalidDelegation("has expired"));
        }
        Ok(Self {
            trust_mark_type: trust_mark_type.to_owned(),
            issuer,
            expires_at,
            jwt: jwt.to_owned(),
        })
    }

    /// Keeps it, in the place of an earlier one for the same type.
    pub async fn store(&self, conn: &mut Conn, now: UnixTime) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO trust_mark_delegations (trust_mark_type, delegation, expires_at, stored_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (trust_mark_type) DO UPDATE SET \
             delegation = excluded.delegation, expires_at = excluded.expires_at, stored_at = excluded.stored_at",
        )
        .bind(&self.trust_mark_type)
        .bind(&self.jwt)
        .bind(self.expires_at)
        .bind(now)
        .execute(conn)
        .await?;
        Ok(())
    }

    /// The one that is kept for a type, unless it has expired.
    pub async fn stored(
        conn: &mut Conn,
        trust_mark_type: &str,
        now: UnixTime,
    ) -> Result<Option<Self>, Error> {
        let row = sqlx::query(
            "SELECT delegation FROM trust_mark_delegations WHERE trust_mark_type = $1 \
             AND (expires_at IS NULL OR expires_at > $2)",
        )
        .bind(trust_mark_type)
        .bind(now)
        .fetch_optional(conn)
        .await?;
        row.map(|row| {
            let jwt: String = row.try_get("delegation")?;
            Self::read(&jwt, now).map_err(|e| Error::Decode(Box::new(e)))
        })
        .transpose()
    }
}
