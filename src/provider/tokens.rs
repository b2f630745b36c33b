//! What tokens say: ID Token (OIDC Core 2), access token (RFC 9068), logout token (OIDC Back-Channel Logout 1.0 §2.4).
//! One signature each. What they rest on is in `grants`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::Fields;
use super::confirmation::Confirmation;
use super::grants::Grant;
use super::issued::as_aud;
use super::target::Aim;
use crate::clock::UnixTime;
use crate::crypto::{Purpose, SignError, Signer, left_half};
use crate::id::ClientId;
use crate::jose::{Audience, Expected, JwtError, Typ, jwt};
use crate::oauth::{Algorithm, Scope};
use crate::random::Rng;
use crate::session;

/// The event of a logout token.
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Seconds that a logout token lives (BCL 2.4 advises two minutes at most).
const LOGOUT_LIFETIME: i64 = 120;
/// Seconds that an authorization answer in a JWT lives (JARM 2.1 advises ten minutes at most).
const ANSWER_LIFETIME: i64 = 300;
/// The longest access token that is read.
pub(super) const LIMIT: usize = 24 * 1024;

/// Who signs, in whose name.
#[derive(Clone, Copy, Debug)]
pub struct Issuer<'a> {
    pub id: &'a str,
    pub signer: &'a dyn Signer,
}

/// What an ID Token is handed out with, and says the hash of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    pub access_token: Option<&'a str>,
    pub code: Option<&'a str>,
    pub state: Option<&'a str>,
}

/// What UserInfo reads of an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    pub grant: String,
    pub jti: String,
    pub sub: String,
    pub client: ClientId,
    pub scope: Scope,
    pub confirmation: Confirmation,
}

impl Issuer<'_> {
    /// `claims`: what the `claims` parameter asked for in the ID Token, as far as it is held and agreed to.
    /// `access_token`: the one it is handed out with.
    pub async fn id_token(
        &self,
        grant: &Grant,
        sub: &str,
        claims: Map<String, Value>,
        access_token: &str,
        lifetime: i64,
        now: UnixTime,
    ) -> Result<String, SignError> {
        let beside = Beside {
            access_token: Some(access_token),
            ..Beside::default()
        };
        self.id_token_beside(grant, sub, claims, beside, lifetime, now)
            .await
    }

    /// The same, bound to whatever it is handed out with.
    pub async fn id_token_beside(
        &self,
        grant: &Grant,
        sub: &str,
        claims: Map<String, Value>,
        beside: Beside<'_>,
        lifetime: i64,
        now: UnixTime,
    ) -> Result<String, SignError> {
        // What the protocol says wins over what a person's claims may be called.
        let mut payload = claims;
        let mut say = |name: &str, value: Value| payload.insert(name.to_owned(), value);
        say("iss", self.id.into());
        say("sub", sub.into());
        // A single string (Federation 1.0 §12.1: exactly the relying party).
        say("aud", grant.client.as_str().into());
        say("iat", now.0.into());
        say("exp", now.plus(lifetime).0.into());
        say("auth_time", grant.terms.auth_time.0.into());
        say("acr", grant.terms.acr.as_str().into());
        say("amr", json!(grant.terms.amr));
        // OIDC Core 3.1.3.6 and 3.3.2.11; `s_hash` of Financial-grade API 1.0 part 2 §5.1.1.
        for (name, value) in [
            ("at_hash", beside.access_token),
            ("c_hash", beside.code),
            ("s_hash", beside.state),
        ] {
            if let Some(value) = value {
                say(name, left_half(grant.terms.alg, value.as_bytes()).into());
            }
        }
        if let Some(nonce) = &grant.terms.nonce {
            say("nonce", nonce.as_str().into());
        }
        if let Some(session) = &grant.session {
            say("sid", session::sid(session, &grant.client).into());
        }
        self.sign(grant.terms.alg, "JWT", payload).await
    }

    /// An access token for what `aim` says. Its `jti` begins with the name of the grant, by which it can be revoked.
    pub async fn access_token(
        &self,
        rng: &mut Rng,
        grant: &Grant,
        sub: &str,
        aim: &Aim,
        lifetime: i64,
        now: UnixTime,
    ) -> Result<String, SignError> {
        let mut payload = json!({
            "iss": self.id,
            "aud": as_aud(&aim.audience),
            "sub": sub,
            "client_id": grant.client,
            "iat": now,
            "exp": now.plus(lifetime).min(grant.expires_at),
            "jti": format!("{}.{}", grant.id, rng.id("")),
            "auth_time": grant.terms.auth_time,
            "acr": grant.terms.acr,
            "amr": grant.terms.amr,
        });
        if !grant.confirmation.is_none() {
            payload["cnf"] = json!(grant.confirmation);
        }
        let mut payload = object(payload);
        aim.say_in(&mut payload);
        self.sign(grant.terms.alg, "at+jwt", payload).await
    }

    /// The authorization answer as a JWT (JARM 2.1): the client checks `iss`, `aud`, `exp`, then takes the rest as its answer.
    pub async fn authorization_response(
        &self,
        alg: Algorithm,
        client: &ClientId,
        fields: Fields,
        now: UnixTime,
    ) -> Result<String, SignError> {
        let mut payload: Map<String, Value> = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        payload.insert("iss".to_owned(), self.id.into());
        payload.insert("aud".to_owned(), client.as_str().into());
        payload.insert("exp".to_owned(), now.plus(ANSWER_LIFETIME).0.into());
        self.sign(alg, "JWT", payload).await
    }

    /// Tells a client that the session `sid` of `sub` ended.
    pub async fn logout_token(
        &self,
        rng: &mut Rng,
        to: &Told<'_>,
        now: UnixTime,
    ) -> Result<String, SignError> {
        // BCL 2.4: both sub and sid, one event whose value is {}, no nonce.
        let payload = json!({
            "iss": self.id,
            "aud": to.client,
            "sub": to.sub,
            "sid": to.sid,
            "iat": now,
            "exp": now.plus(LOGOUT_LIFETIME),
            "jti": rng.id(""),
            "events": { LOGOUT_EVENT: {} },
        });
        self.sign(to.alg, "logout+jwt", object(payload)).await
    }

    /// Reads an access token of ours. Whether its grant still holds is asked of `grants::find`.
    pub fn read_access_token(&self, token: &str, now: UnixTime) -> Result<AccessToken, JwtError> {
        let claims = jwt::verify(
            token,
            &self.own_keys(),
            &Expected {
                issuer: self.id,
                // RFC 8707: it may be for others as well, but it must be for us.
                audience: Audience::Contains(&[self.id]),
                typ: Typ::Is("at+jwt"),
                algorithms: &crate::client::ISSUED,
                now,
                leeway: 0,
                accept_expired: false,
                limit: LIMIT,
            },
        )?;
        let jti = jwt::text(&claims, "jti")?;
        let grant = jti.split_once('.').ok_or(JwtError::Claim("jti"))?.0;
        Ok(AccessToken {
            grant: grant.to_owned(),
            jti: jti.to_owned(),
            sub: jwt::text(&claims, "sub")?.to_owned(),
            client: ClientId(jwt::text(&claims, "client_id")?.to_owned()),
            scope: Scope::parse(jwt::text(&claims, "scope")?).ok_or(JwtError::Claim("scope"))?,
            confirmation: match claims.get("cnf") {
                None => Confirmation::default(),
                Some(cnf) => Confirmation::deserialize(cnf).map_err(|_| JwtError::Claim("cnf"))?,
            },
        })
    }

    /// Reads an ID Token of ours that comes back as a hint; expired ones too (OIDC RP-Initiated Logout 1.0 §2).
    pub fn read_hint(&self, token: &str, now: UnixTime) -> Option<Hint> {
        let (_, unverified) = jwt::peek(token, LIMIT).ok()?;
        let client = jwt::text(&unverified, "aud").ok()?.to_owned();
        let claims = jwt::verify(
            token,
            &self.own_keys(),
            &Expected {
                issuer: self.id,
                audience: Audience::String(&client),
                typ: Typ::AbsentOr(&["JWT"]),
                algorithms: &crate::client::ISSUED,
                now,
                leeway: 60,
                accept_expired: true,
                limit: LIMIT,
            },
        )
        .ok()?;
        Some(Hint {
            sub: jwt::text(&claims, "sub").ok()?.to_owned(),
            sid: jwt::text(&claims, "sid").ok().map(str::to_owned),
            client: ClientId(client),
        })
    }

    pub(super) fn own_keys(&self) -> impl Fn(&str, Algorithm, &[u8], &[u8]) -> bool {
        |kid, alg, input, signature| {
            self.signer
                .verify(Purpose::IdToken, kid, alg, input, signature)
        }
    }

    /// Signs a token of another kind than these: the answers of building blocks that have files of their own.
    pub async fn sign(
        &self,
        alg: Algorithm,
        typ: &str,
        payload: Map<String, Value>,
    ) -> Result<String, SignError> {
        let mut header = Map::new();
        header.insert("typ".to_owned(), typ.into());
        let payload = Value::Object(payload).to_string();
        self.signer
            .sign(Purpose::IdToken, alg, header, payload.as_bytes())
            .await
    }
}

/// Who is told of a logout.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub client: &'a ClientId,
    pub sub: &'a str,
    pub sid: &'a str,
    pub alg: Algorithm,
}

/// What an `id_token_hint` of ours says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    pub client: ClientId,
    pub sub: String,
    pub sid: Option<String>,
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
