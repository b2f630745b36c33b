//! Access tokens of ours that come back, whatever they are for: to be introspected, revoked or exchanged. UserInfo reads
//! its own through `tokens`.

use serde_json::{Map, Value};

use super::grants::{self, Grant};
use super::tokens::{Issuer, LIMIT};
use crate::clock::UnixTime;
use crate::id::ClientId;
use crate::jose::{Audience, Expected, JwtError, Typ, jwt};
use crate::oauth::Scope;
use crate::store::{Conn, Error};

/// What an access token of ours says. Whether it still holds is asked of `Issued::grant`.
#[derive(Clone, Debug, PartialEq)]
pub struct Issued {
    pub jti: String,
    pub sub: String,
    /// To whom it was issued.
    pub client: ClientId,
    pub scope: Scope,
    pub audience: Vec<String>,
    pub expires_at: UnixTime,
    /// All of it; `cnf` and `act` are passed on from here.
    pub claims: Map<String, Value>,
}

impl Issued {
    /// The grant that it rests on, when both are in force.
    pub async fn grant(&self, conn: &mut Conn, now: UnixTime) -> Result<Option<Grant>, Error> {
        let Some((grant, _)) = self.jti.split_once('.') else {
            return Ok(None);
        };
        grants::of_token(conn, grant, &self.jti, now).await
    }

    pub fn is_for(&self, uri: &str) -> bool {
        self.audience.iter().any(|aud| aud == uri)
    }
}

impl Issuer<'_> {
    /// Reads an access token of ours for anybody.
    pub fn read_issued(&self, token: &str, now: UnixTime) -> Result<Issued, JwtError> {
        let (_, unverified) = jwt::peek(token, LIMIT)?;
        // Whom it is for is not what is asked here; the signature vouches for what it says.
        let audience = audience(&unverified).ok_or(JwtError::Claim("aud"))?;
        let named: Vec<&str> = audience.iter().map(String::as_str).collect();
        let claims = jwt::verify(
            token,
            &self.own_keys(),
            &Expected {
                issuer: self.id,
                audience: Audience::Contains(&named),
                typ: Typ::Is("at+jwt"),
                algorithms: &crate::client::ISSUED,
                now,
                leeway: 0,
                accept_expired: false,
                limit: LIMIT,
            },
        )?;
        let text = |name| jwt::text(&claims, name).map(str::to_owned);
        let scope = match claims.get("scope") {
            None => Scope::default(),
            Some(_) => Scope::parse(&text("scope")?).ok_or(JwtError::Claim("scope"))?,
        };
        Ok(Issued {
            jti: text("jti")?,
            sub: text("sub")?,
            client: ClientId(text("client_id")?),
            scope,
            expires_at: jwt::time(&claims, "exp")?.ok_or(JwtError::Claim("exp"))?,
            audience,
            claims,
        })
    }
}

/// `aud` as a list.
pub fn audience(claims: &Map<String, Value>) -> Option<Vec<String>> {
    match claims.get("aud")? {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(many) => many.iter().map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// A list as `aud`: a single string where there is one (RFC 7519 §4.1.3).
pub fn as_aud(audience: &[String]) -> Value {
    match audience {
        [one] => one.as_str().into(),
        several => several.into(),
    }
}
