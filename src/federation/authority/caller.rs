//! Who calls a federation endpoint (OpenID Federation 1.0 §8.8): `private_key_jwt`, signed with a federation key of the caller.
//! What an endpoint lets in is said in `[entity.authority] auth_methods` and published beside the endpoint.

use serde_json::Value;

use super::subordinate::Subordinate;
use super::{Authority, AuthorityError};
use crate::client::one_use::{self, OneUse};
use crate::clock::UnixTime;
use crate::config::authority::{AuthMethod, Endpoint};
use crate::federation::entity::EntityId;
use crate::federation::resolve::ResolveFault;
use crate::jose::{Audience, Expected, JwkSet, Typ, jwt};
use crate::oauth::{Algorithm, Error, ErrorCode};
use crate::store;

/// The longest assertion that is read, in bytes.
const LONGEST: usize = 16 * 1024;
/// Seconds that an assertion may live at most: as long its `jti` is remembered.
const LIVES: i64 = 3600;
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a caller shows.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    pub assertion_type: &'a str,
    pub assertion: &'a str,
}

impl Authority {
    /// The endpoints that are served.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.settings.section.endpoints()
    }

    /// How callers of `endpoint` may say who they are.
    pub fn auth_methods(&self, endpoint: Endpoint) -> &[AuthMethod] {
        let methods = self.settings.section.auth_methods.get(&endpoint);
        methods.map_or(&[AuthMethod::None], Vec::as_slice)
    }

    /// Who calls `endpoint`; nobody in particular, where that is allowed and nothing is shown.
    pub async fn caller(
        &self,
        endpoint: Endpoint,
        shown: Option<Shown<'_>>,
        now: UnixTime,
    ) -> Result<Option<EntityId>, AuthorityError> {
        let methods = self.auth_methods(endpoint);
        match shown {
            None if methods.contains(&AuthMethod::None) => Ok(None),
            None => Err(Error::invalid_client(
                "this endpoint wants client authentication: a POST with a client_assertion",
            )
            .into()),
            Some(_) if !methods.contains(&AuthMethod::PrivateKeyJwt) => {
                Err(Error::invalid_client("this endpoint takes no client authentication").into())
            }
            Some(shown) => self.authenticate(shown, now).await.map(Some),
        }
    }

    async fn authenticate(
        &self,
        shown: Shown<'_>,
        now: UnixTime,
    ) -> Result<EntityId, AuthorityError> {
        let refused = |reason: &'static str| Error::invalid_client(reason);
        if shown.assertion_type != TYPE {
            return Err(refused("client_assertion_type is not jwt-bearer").into());
        }
        let (_, claims) = jwt::peek(shown.assertion, LONGEST)
            .map_err(|_| refused("client_assertion is not a JWT"))?;
        let text = |name| claims.get(name).and_then(Value::as_str);
        let caller = text("iss")
            .filter(|iss| text("sub") == Some(*iss))
            .and_then(|iss| EntityId::parse(iss, self.resolver.rules().schemes).ok())
            .ok_or_else(|| {
                refused("iss and sub of the client_assertion are not one entity identifier")
            })?;
        let jti = text("jti")
            .filter(|jti| !jti.is_empty())
            .ok_or_else(|| refused("the client_assertion has no jti"))?;
        let exp = jwt::time(&claims, "exp")
            .ok()
            .flatten()
            .filter(|exp| exp.since(now) <= LIVES)
            .ok_or_else(|| refused("the client_assertion has no exp, or lives too long"))?;
        let expected = Expected {
            issuer: caller.as_str(),
            // §8.8: our entity identifier, and no other value.
            audience: Audience::Only(&[self.settings.id.as_str()]),
            typ: Typ::AbsentOr(&["JWT", "client-authentication+jwt"]),
            algorithms: &Algorithm::FEDERATION,
            now,
            leeway: self.resolver.rules().leeway,
            accept_expired: false,
            limit: LONGEST,
        };
        // Everything but the signature first: who cannot even address us makes us ask nobody for keys.
        let anything = |_: &str, _: Algorithm, _: &[u8], _: &[u8]| true;
        let describe = |error: jwt::JwtError| {
            Error::invalid_client(format!("the client_assertion does not hold: {error}"))
        };
        jwt::verify(shown.assertion, &anything, &expected).map_err(describe)?;
        let keys = self.keys_of(&caller, now).await?;
        jwt::verify(shown.assertion, &keys, &expected).map_err(describe)?;
        let once = OneUse::of("federation_endpoint", caller.as_str(), jti, exp);
        if once.mark(&mut *self.store.read().await?).await? {
            Ok(caller)
        } else {
            Err(refused("the client_assertion was used before").into())
        }
    }

    /// The federation keys of a caller: as we vouch for them ourselves, or by its chain to an anchor of ours.
    async fn keys_of(&self, caller: &EntityId, now: UnixTime) -> Result<JwkSet, AuthorityError> {
        let unknown = || Error::invalid_client("the caller is not known in this federation");
        let ours = Subordinate::find(&mut *self.store.read().await?, caller).await?;
        if let Some(subordinate) = ours {
            return Ok(JwkSet::parse_strict(&subordinate.jwks).map_err(|_| unknown())?);
        }
        self.follow_own_keys();
        match self.resolver.resolve(caller, None, now).await {
            Ok(chain) => Ok(chain.keys().clone()),
            Err(error) if error.kind == ResolveFault::Exhausted => Err(Error::new(
                ErrorCode::TemporarilyUnavailable,
                "the search for the caller's keys took too long; try again later",
            )
            .into()),
            Err(_) => Err(unknown().into()),
        }
    }

    /// Forgets the assertions that can no longer come again.
    pub async fn forget_callers(&self, now: UnixTime) -> Result<u64, store::Error> {
        one_use::sweep(&mut *self.store.read().await?, now).await
    }
}
