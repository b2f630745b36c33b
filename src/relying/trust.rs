//! Is the provider vouched for, and what may be believed of its metadata? Also its signing keys, fetched when they are needed.
//! How trust chains are built and checked is known to `federation`; a portal asks through the trait here.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::Url;

use crate::clock::UnixTime;
use crate::config::portal::Portal;
use crate::crypto::BoxFuture;
use crate::jose::json;
use crate::outbound::{Limits, Outbound};
use crate::relying::LoginError;
use crate::relying::registration::Ways;

/// Answers by trust chains that end at an anchor of ours.
pub trait Trust: Send + Sync + fmt::Debug {
    /// The metadata of the provider `issuer` after every superior's policy, and the chain it came through.
    fn provider<'a>(
        &'a self,
        issuer: &'a str,
        now: UnixTime,
    ) -> BoxFuture<'a, Result<Vouched, Untrusted>>;

    /// The chain that vouches for us; `None` when it cannot be had now.
    fn own_chain<'a>(&'a self, id: &'a str, now: UnixTime) -> BoxFuture<'a, Option<OwnChain>>;

    /// The chains by which `id` can register at `issuer`: both to one anchor.
    fn ways<'a>(
        &'a self,
        id: &'a str,
        issuer: &'a str,
        _now: UnixTime,
    ) -> BoxFuture<'a, Result<Ways, Untrusted>> {
        Box::pin(async move {
            Err(Untrusted(format!(
                "no trust anchor is common to {id} and {issuer}"
            )))
        })
    }
}

/// The portal's own chain.
#[derive(Debug, Clone)]
pub struct OwnChain {
    /// Subject first: what is handed along as `trust_chain`.
    pub statements: Vec<String>,
    /// From this portal up to the anchor.
    pub chain: Vec<Hop>,
}

/// A provider that a chain vouches for.
#[derive(Debug, Clone)]
pub struct Vouched {
    /// Resolved `openid_provider` metadata.
    pub metadata: Arc<Map<String, Value>>,
    /// From the provider up to the anchor.
    pub chain: Vec<Hop>,
}

/// One party of a chain, as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    pub entity: String,
    /// What it is called in the chain.
    pub name: Option<String>,
    /// The same in English, where its superior says it.
    #[serde(default)]
    pub name_en: Option<String>,
    /// Until when its superior's word holds; `None` for the anchor.
    pub vouched_until: Option<UnixTime>,
}

/// Why the provider may not be used, for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Untrusted(pub String);

/// What we need of the provider's resolved metadata, read once.
#[derive(Debug, Clone)]
pub struct Provider {
    pub issuer: String,
    pub authorization_endpoint: Url,
    pub token_endpoint: Url,
    pub userinfo_endpoint: Url,
    pub pushed_authorization_request_endpoint: Option<Url>,
    pub end_session_endpoint: Option<Url>,
    pub federation_registration_endpoint: Option<Url>,
    /// RFC 9207 §3: `iss` must then be in every response.
    pub names_itself: bool,
    jwks: Option<Value>,
    jwks_uri: Option<Url>,
}

impl Provider {
    /// Reads resolved metadata and refuses a provider that cannot serve this portal.
    pub fn read(settings: &Portal, metadata: &Map<String, Value>) -> Result<Self, LoginError> {
        let untrusted = |what: &str| LoginError::Untrusted(what.to_owned());
        let text = |name: &str| metadata.get(name).and_then(Value::as_str);
        let lists = |name: &str, value: &str| {
            metadata.get(name).map(|list| {
                list.as_array()
                    .is_some_and(|l| l.iter().any(|v| v == value))
            })
        };
        let endpoint = |name: &'static str| match text(name) {
            None => Ok(None),
            Some(url) => match Url::parse(url) {
                Ok(url) if url.has_host() && url.fragment().is_none() => Ok(Some(url)),
                _ => Err(LoginError::Untrusted(format!("{name} is not a usable URL"))),
            },
        };
        let required = |name: &'static str| {
            endpoint(name)?.ok_or_else(|| LoginError::Untrusted(format!("{name} is missing")))
        };

        // OpenID Federation 1.0 §5.1.2: the issuer is the entity identifier, character for character.
        if text("issuer") != Some(&settings.provider) {
            return Err(untrusted("its issuer is not its entity identifier"));
        }
        let way = settings.registration.as_str();
        if lists("client_registration_types_supported", way) != Some(true) {
            return Err(LoginError::Untrusted(format!(
                "it does not offer {way} registration"
            )));
        }
        // What is not listed is not known to be impossible; what is listed must hold our choice.
        for (list, ours) in [
            ("response_types_supported", "code"),
            (
                "id_token_signing_alg_values_supported",
                settings.id_token_signed_response_alg.as_str(),
            ),
            (
                "request_object_signing_alg_values_supported",
                settings.signing_alg.as_str(),
            ),
            ("token_endpoint_auth_methods_supported", "private_key_jwt"),
            ("code_challenge_methods_supported", "S256"),
        ] {
            if lists(list, ours) == Some(false) {
                return Err(LoginError::Untrusted(format!(
                    "{list} does not hold {ours}"
                )));
            }
        }
        let provider = Self {
            issuer: settings.provider.clone(),
            authorization_endpoint: required("authorization_endpoint")?,
            token_endpoint: required("token_endpoint")?,
            userinfo_endpoint: required("userinfo_endpoint")?,
            pushed_authorization_request_endpoint: endpoint(
                "pushed_authorization_request_endpoint",
            )?,
            end_session_endpoint: endpoint("end_session_endpoint")?,
            federation_registration_endpoint: endpoint("federation_registration_endpoint")?,
            names_itself: metadata.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
            jwks: metadata.get("jwks").cloned(),
            jwks_uri: endpoint("jwks_uri")?,
        };
        if provider.jwks.is_none() && provider.jwks_uri.is_none() {
            return Err(untrusted("it publishes no keys"));
        }
        Ok(provider)
    }
}

/// What came of an attempt with one key set.
pub enum Attempt<T> {
    Done(T),
    /// The set does not hold the key that is asked for; a newer set may.
    NoSuchKey,
}

/// The provider's key set as last fetched. One provider, so one place.
#[derive(Default)]
pub(super) struct KeyCache(Mutex<Option<Held>>);

struct Held {
    from: Url,
    at: UnixTime,
    jwks: Arc<Value>,
}

/// Seconds after which a fetched key set is fetched again.
const KEYS_LIFETIME: i64 = 300;
/// Seconds within which a missing key does not lead to another fetch: strangers may send tokens with made-up key ids.
const KEYS_PATIENCE: i64 = 10;

impl super::Party {
    /// Tries `attempt` with the keys that the chain itself carries, then with those we hold, then with those that the provider publishes
    /// now: a key that began to sign this minute is found, an unknown one costs at most one request in ten seconds.
    pub(super) async fn with_keys<T>(
        &self,
        provider: &Provider,
        now: UnixTime,
        attempt: impl Fn(&Value) -> Result<Attempt<T>, LoginError>,
    ) -> Result<T, LoginError> {
        if let Some(jwks) = &provider.jwks
            && let Attempt::Done(done) = attempt(jwks)?
        {
            return Ok(done);
        }
        if let Some(uri) = &provider.jwks_uri {
            for oldest in [KEYS_LIFETIME, KEYS_PATIENCE] {
                let jwks = self.keys.held(&self.outbound, uri, oldest, now).await?;
                if let Attempt::Done(done) = attempt(&jwks)? {
                    return Ok(done);
                }
            }
        }
        Err(LoginError::Invalid(
            "signed with a key that the provider does not publish".to_owned(),
        ))
    }
}

impl KeyCache {
    /// The set at `uri`, at most `oldest` seconds old. Callers that come together wait for one fetch.
    async fn held(
        &self,
        outbound: &Outbound,
        uri: &Url,
        oldest: i64,
        now: UnixTime,
    ) -> Result<Arc<Value>, LoginError> {
        let mut place = self.0.lock().await;
        if let Some(held) = &*place
            && held.from == *uri
            && now.since(held.at) < oldest
        {
            return Ok(Arc::clone(&held.jwks));
        }
        let answer = outbound
            .get(
                uri,
                "application/jwk-set+json, application/json",
                &Limits::default(),
            )
            .await
            .map_err(|e| LoginError::Unreachable(e.to_string()))?;
        if !answer.status().is_success() {
            let status = answer.status().as_u16();
            return Err(LoginError::Unreachable(format!(
                "jwks_uri answers {status}"
            )));
        }
        let jwks = json::parse(answer.body())
            .map_err(|e| LoginError::Invalid(format!("the provider's key set: {e}")))?;
        let jwks = Arc::new(jwks);
        *place = Some(Held {
            from: uri.clone(),
            at: now,
            jwks: Arc::clone(&jwks),
        });
        Ok(jwks)
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyCache")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata() -> Map<String, Value> {
        let Value::Object(map) = json!({
            "issuer": "http://id.localhost:1",
            "authorization_endpoint": "http://id.localhost:1/authorize",
            "token_endpoint": "http://id.localhost:1/token",
            "userinfo_endpoint": "http://id.localhost:1/userinfo",
            "jwks_uri": "http://id.localhost:1/jwks",
            "client_registration_types_supported": ["automatic", "something-new"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        }) else {
            unreachable!()
        };
        map
    }

    #[test]
    fn a_provider_that_cannot_serve_us_is_refused() {
        let settings = Portal {
            provider: "http://id.localhost:1".to_owned(),
            ..Portal::default()
        };
        assert!(Provider::read(&settings, &metadata()).is_ok());
        let cases: [(&str, Value); 11] = [
            ("issuer", json!("http://id.localhost:1/")),
            ("issuer", Value::Null),
            ("client_registration_types_supported", json!([])),
            ("client_registration_types_supported", json!(["explicit"])),
            ("client_registration_types_supported", Value::Null),
            ("id_token_signing_alg_values_supported", json!(["RS256"])),
            (
                "request_object_signing_alg_values_supported",
                json!("ES256"),
            ),
            ("response_types_supported", json!(["id_token"])),
            ("token_endpoint", json!("not a url")),
            ("userinfo_endpoint", Value::Null),
            ("jwks_uri", Value::Null),
        ];
        for (name, value) in cases {
            let mut metadata = metadata();
            if value.is_null() {
                metadata.remove(name);
            } else {
                metadata.insert(name.to_owned(), value.clone());
            }
            assert!(
                matches!(
                    Provider::read(&settings, &metadata),
                    Err(LoginError::Untrusted(_))
                ),
                "{name} = {value}"
            );
        }
    }
}
