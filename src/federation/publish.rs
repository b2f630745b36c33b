//! What an entity says about itself (OpenID Federation 1.0 §9): its entity configuration, signed once and kept until it
//! is due for renewal. What an authority says about others is in `authority`.

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::clock::UnixTime;
use crate::config::authority::{AuthMethod, Authority as Section};
use crate::crypto::{Purpose, SignError, Signer, sha256};
use crate::federation::entity::{EntityId, FEDERATION_ENTITY};
use crate::federation::statement;
use crate::federation::trust_mark::HeldMark;
use crate::oauth::Algorithm;

/// Gives the metadata of the entity's role as it is now: keys inside it change while the node runs.
pub type MetadataSource = Arc<dyn Fn() -> Map<String, Value> + Send + Sync>;

/// What a publisher is told once.
#[derive(Clone)]
pub struct PublisherSettings {
    pub id: EntityId,
    pub alg: Algorithm,
    /// Seconds that a configuration lives; it is signed anew after half of them.
    pub lifetime: i64,
    /// Immediate superiors, the preferred ones first; empty for an anchor without superiors.
    pub authority_hints: Vec<EntityId>,
    /// Entity type → metadata. `federation_entity` endpoints of an authority belong here too.
    pub metadata: MetadataSource,
    /// Further claims of a configuration: for an anchor `trust_mark_issuers`, `trust_mark_owners`.
    pub claims: Map<String, Value>,
}

/// Publishes one entity's configuration.
pub struct Publisher {
    settings: PublisherSettings,
    signer: Arc<dyn Signer>,
    signed: Mutex<Option<Signed>>,
    marks: RwLock<Arc<[HeldMark]>>,
}

/// A signed object that serves until it is due for renewal.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    /// Of everything but the times: a changed content is signed at once.
    content: [u8; 32],
    pub(super) jwt: Arc<str>,
    renew_at: UnixTime,
    exp: UnixTime,
}

impl Signed {
    /// Signs `claims` with `iat` and `exp`, due for renewal after half of its life.
    pub(super) async fn make(
        signer: &dyn Signer,
        alg: Algorithm,
        typ: &str,
        mut claims: Map<String, Value>,
        now: UnixTime,
        exp: UnixTime,
    ) -> Result<Self, SignError> {
        let content = content(&claims);
        claims.insert("iat".into(), now.0.into());
        claims.insert("exp".into(), exp.0.into());
        let jwt = statement::sign_typed(signer, alg, typ, &claims).await?;
        Ok(Self {
            content,
            jwt: jwt.into(),
            renew_at: now.plus(exp.since(now) / 2),
            exp,
        })
    }

    /// Whether it says nothing about the time after `end`.
    pub(super) fn ends_by(&self, end: UnixTime) -> bool {
        self.exp <= end
    }

    pub(super) fn serves(&self, claims: &Map<String, Value>, now: UnixTime) -> bool {
        now < self.renew_at && self.content == content(claims)
    }
}

fn content(claims: &Map<String, Value>) -> [u8; 32] {
    sha256(Value::Object(claims.clone()).to_string().as_bytes())
}

impl Publisher {
    pub fn new(settings: PublisherSettings, signer: Arc<dyn Signer>) -> Self {
        Self {
            settings,
            signer,
            signed: Mutex::new(None),
            marks: RwLock::new(Arc::new([])),
        }
    }

    /// From now on shows these trust marks, each until it expires.
    pub fn show(&self, marks: Vec<HeldMark>) {
        *self.marks.write().unwrap_or_else(PoisonError::into_inner) = marks.into();
    }

    pub fn id(&self) -> &EntityId {
        &self.settings.id
    }

    /// The entity configuration to be served now.
    pub async fn configuration(&self, now: UnixTime) -> Result<Arc<str>, SignError> {
        let claims = self.claims(now);
        // Held while signing: many requests at the moment of renewal cost one signature.
        let mut signed = self.signed.lock().await;
        if let Some(signed) = signed.as_ref().filter(|signed| signed.serves(&claims, now)) {
            return Ok(Arc::clone(&signed.jwt));
        }
        let exp = now.plus(self.settings.lifetime);
        let fresh = Signed::make(
            &*self.signer,
            self.settings.alg,
            statement::TYP,
            claims,
            now,
            exp,
        )
        .await?;
        Ok(Arc::clone(&signed.insert(fresh).jwt))
    }

    fn claims(&self, now: UnixTime) -> Map<String, Value> {
        let settings = &self.settings;
        let mut claims = settings.claims.clone();
        claims.insert("iss".into(), settings.id.as_str().into());
        claims.insert("sub".into(), settings.id.as_str().into());
        let jwks = self.signer.published(Purpose::Federation);
        claims.insert("jwks".into(), Value::clone(&jwks));
        claims.insert("metadata".into(), Value::Object((settings.metadata)()));
        // §3.1.2: absent, never empty.
        if !settings.authority_hints.is_empty() {
            let hints = settings.authority_hints.iter().map(|id| id.as_str().into());
            claims.insert("authority_hints".into(), Value::Array(hints.collect()));
        }
        let marks = Arc::clone(&self.marks.read().unwrap_or_else(PoisonError::into_inner));
        let shown: Vec<Value> = marks
            .iter()
            .filter(|mark| mark.expires_at.is_none_or(|exp| now < exp))
            .map(|mark| {
                json!({"trust_mark_type": mark.trust_mark_type, "trust_mark": mark.trust_mark})
            })
            .collect();
        if !shown.is_empty() {
            claims.insert("trust_marks".into(), Value::Array(shown));
        }
        claims
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher")
            .field("id", &self.settings.id)
            .finish_non_exhaustive()
    }
}

/// The `federation_entity` metadata of an authority at `id`: names, the endpoints that `web::federation` serves, and how
/// their callers say who they are (§5.1.1, §8.8.1).
pub fn authority_metadata(
    id: &EntityId,
    names: &Map<String, Value>,
    section: &Section,
) -> Map<String, Value> {
    let mut members = names.clone();
    for endpoint in section.endpoints() {
        let name = format!("federation_{}_endpoint", endpoint.as_str());
        members.insert(name.clone(), endpoint_url(id, endpoint.as_str()).into());
        if let Some(methods) = section.auth_methods.get(&endpoint) {
            let methods = methods.iter().map(|method| method.as_str().into());
            let methods = Value::Array(methods.collect());
            members.insert(format!("{name}_auth_methods"), methods);
        }
    }
    let signed = |methods: &Vec<AuthMethod>| methods.contains(&AuthMethod::PrivateKeyJwt);
    if section.auth_methods.values().any(signed) {
        let algorithms = Algorithm::FEDERATION.map(|alg| Value::from(alg.as_str()));
        members.insert(
            "endpoint_auth_signing_alg_values_supported".into(),
            Value::Array(algorithms.to_vec()),
        );
    }
    let mut metadata = Map::new();
    metadata.insert(FEDERATION_ENTITY.into(), Value::Object(members));
    metadata
}

pub fn endpoint_url(id: &EntityId, endpoint: &str) -> String {
    format!(
        "{}/federation/{endpoint}",
        id.as_str().trim_end_matches('/')
    )
}
