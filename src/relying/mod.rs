//! Everything hefu does as a relying party: the portal role. Built on the `openidconnect` crate, like any portal's engineer would, plus
//! what OpenID Federation asks of a party that was never registered: it checks the provider's trust chain first and signs its requests.
//!
//! Reading order is the order of a login: `metadata` (what we publish), `trust` (is the provider vouched for), `login` (the request),
//! `callback` (the answer), `tokens` (ID Token and UserInfo), `session`, `logout`. HTTP is in `web::portal`; the provider's side of the same
//! conversation is in `provider`, which this room never imports.

pub mod callback;
pub mod federated;
pub mod login;
pub mod logout;
pub mod metadata;
pub mod pending;
pub mod registration;
pub mod session;
pub mod tokens;
pub mod trust;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::clock::UnixTime;
use crate::config::portal::Portal;
use crate::crypto::{Purpose, Sealer, SignError, Signer};
use crate::outbound::Outbound;
use crate::random::Rng;
use crate::store::{self, Conn};

pub use callback::Answer;
pub use federated::Federated;
pub use session::{Received, Session};
pub use trust::{Hop, OwnChain, Provider, Trust, Untrusted, Vouched};

/// A portal as a relying party: who it is, what it was told to ask for, and what it needs to do so.
#[derive(Debug)]
pub struct Party {
    /// Entity identifier, which is also the `client_id`.
    pub id: Arc<str>,
    pub settings: Portal,
    pub signer: Arc<dyn Signer>,
    pub sealer: Arc<dyn Sealer>,
    pub outbound: Arc<Outbound>,
    pub trust: Arc<dyn Trust>,
    keys: trust::KeyCache,
    registration: registration::Place,
}

impl Party {
    pub fn new(
        id: Arc<str>,
        settings: Portal,
        signer: Arc<dyn Signer>,
        sealer: Arc<dyn Sealer>,
        outbound: Arc<Outbound>,
        trust: Arc<dyn Trust>,
    ) -> Self {
        Self {
            id,
            settings,
            signer,
            sealer,
            outbound,
            trust,
            keys: trust::KeyCache::default(),
            registration: registration::Place::default(),
        }
    }

    /// The absolute URL of `path` at this portal.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.id.trim_end_matches('/'))
    }

    /// The provider as its superiors let it be: nothing it says about itself is used unchecked.
    pub async fn provider(&self, now: UnixTime) -> Result<(Provider, Vouched), LoginError> {
        let vouched = self
            .trust
            .provider(&self.settings.provider, now)
            .await
            .map_err(|Untrusted(reason)| LoginError::Untrusted(reason))?;
        let provider = Provider::read(&self.settings, &vouched.metadata)?;
        Ok((provider, vouched))
    }

    /// RFC 7523 §2.2 with the audience of OpenID Federation 1.0 §12.1.1.2: the provider's entity identifier alone.
    async fn client_assertion(
        &self,
        provider: &Provider,
        rng: &mut Rng,
        now: UnixTime,
    ) -> Result<String, LoginError> {
        let claims = json!({
            "iss": &*self.id,
            "sub": &*self.id,
            "aud": provider.issuer,
            "jti": rng.token(),
            "iat": now,
            "exp": now.plus(self.settings.assertion_lifetime),
        });
        self.sign("client-authentication+jwt", Map::new(), &claims)
            .await
    }

    async fn sign(
        &self,
        typ: &str,
        mut header: Map<String, Value>,
        claims: &Value,
    ) -> Result<String, LoginError> {
        header.insert("typ".to_owned(), typ.into());
        let payload = claims.to_string();
        let alg = self.settings.signing_alg;
        Ok(self
            .signer
            .sign(Purpose::Client, alg, header, payload.as_bytes())
            .await?)
    }
}

/// `client_assertion_type` of RFC 7523 §2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Why nobody was logged in. What the citizen is told follows from the variant; the texts inside are for the log and never hold
/// personal data or tokens.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No valid trust chain, or metadata that does not fit us.
    #[error("the provider is not trusted: {0}")]
    Untrusted(String),
    #[error("the provider does not answer: {0}")]
    Unreachable(String),
    /// The response's own form is wrong.
    #[error("the authorization response is not well-formed: {0}")]
    Malformed(&'static str),
    /// Unknown, used or expired `state`, or one that belongs to another browser.
    #[error("no such login is under way in this browser")]
    NotUnderWay,
    /// RFC 9207 §2.4.
    #[error("the authorization response names another issuer")]
    WrongIssuer,
    /// The citizen said no.
    #[error("the citizen refused")]
    Denied,
    #[error("the login's level is below what this portal asks for")]
    LevelNotReached,
    /// Any other error response of the provider.
    #[error("the provider refused: {code}")]
    Refused {
        code: String,
        description: Option<String>,
    },
    /// A token or an answer of the provider that must not be believed.
    #[error("the provider's answer is not valid: {0}")]
    Invalid(String),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Forgets what has expired: logins under way, sessions, logout tokens. A job calls it now and then.
pub async fn purge(conn: &mut Conn, now: UnixTime) -> Result<u64, store::Error> {
    let mut gone = 0;
    for statement in [
        "DELETE FROM portal_logins WHERE expires_at <= $1",
        "DELETE FROM portal_sessions WHERE expires_at <= $1",
        "DELETE FROM portal_logout_tokens WHERE expires_at <= $1",
    ] {
        gone += sqlx::query(statement)
            .bind(now)
            .execute(&mut *conn)
            .await?
            .rows_affected();
    }
    Ok(gone)
}
