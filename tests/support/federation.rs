//! A whole federation in memory: entities with keys, what they say about themselves and each other, and a `Fetch` that
//! hands it out. Keys come from the entities' names, so that the same federation signs the same way every time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hefu::clock::UnixTime;
use hefu::crypto::{BoxFuture, Purpose, SignError, Signer};
use hefu::federation::resolve::{Document, Fetch, FetchError, Limits, Settings};
use hefu::federation::statement::Rules;
use hefu::federation::{Anchor, Anchors, EntityId, Resolver, Schemes};
use hefu::jose::{Jwk, JwkSet, jws};
use hefu::oauth::Algorithm;
use hefu::random::RngSource;
use serde_json::{Map, Value, json};

pub const START: UnixTime = UnixTime(1_772_414_130);

/// An Ed25519 key with a name.
#[derive(Clone)]
pub struct TestKey {
    pub kid: String,
    pair: Arc<Ed25519KeyPair>,
}

impl TestKey {
    pub fn of(name: &str) -> Self {
        let seed = digest::digest(&digest::SHA256, name.as_bytes());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).expect("32 bytes");
        Self {
            kid: format!("key of {name}"),
            pair: Arc::new(pair),
        }
    }

    pub fn named(mut self, kid: &str) -> Self {
        self.kid = kid.to_owned();
        self
    }

    pub fn jwk(&self) -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "kid": self.kid, "use": "sig",
            "x": URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref()),
        })
    }

    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk()] })
    }

    pub fn sign(&self, header: &Map<String, Value>, payload: &str) -> String {
        let input = jws::signing_input(header, payload.as_bytes());
        let signature = self.pair.sign(input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// Signs `claims` with this key's own `alg` and `kid`.
    pub fn jwt(&self, typ: &str, claims: &Value) -> String {
        let header = json!({"typ": typ, "alg": "EdDSA", "kid": self.kid});
        self.sign(header.as_object().expect("an object"), &claims.to_string())
    }
}

impl std::fmt::Debug for TestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kid)
    }
}

/// Signs for every purpose with one key, and counts.
#[derive(Debug)]
pub struct TestSigner {
    key: Mutex<TestKey>,
    pub signatures: AtomicUsize,
}

impl TestSigner {
    pub fn of(name: &str) -> Arc<Self> {
        Arc::new(Self {
            key: Mutex::new(TestKey::of(name)),
            signatures: AtomicUsize::new(0),
        })
    }

    /// Signs with another key from now on; the old one is published no longer.
    pub fn rekey(&self, key: TestKey) {
        *self.key.lock().expect("lock") = key;
    }

    fn key(&self) -> TestKey {
        self.key.lock().expect("lock").clone()
    }
}

impl Signer for TestSigner {
    fn sign<'a>(
        &'a self,
        _: Purpose,
        _: Algorithm,
        mut header: Map<String, Value>,
        payload: &'a [u8],
    ) -> BoxFuture<'a, Result<String, SignError>> {
        self.signatures.fetch_add(1, Ordering::SeqCst);
        header.insert("alg".into(), "EdDSA".into());
        let key = self.key();
        header.insert("kid".into(), key.kid.clone().into());
        let payload = String::from_utf8_lossy(payload).into_owned();
        Box::pin(async move { Ok(key.sign(&header, &payload)) })
    }

    fn published(&self, _: Purpose) -> Arc<Value> {
        Arc::new(self.key().jwks())
    }

    fn verify(&self, _: Purpose, kid: &str, alg: Algorithm, input: &[u8], sig: &[u8]) -> bool {
        let own = self.key();
        let key = Jwk::parse(&own.jwk()).expect("a key");
        kid == own.kid && key.verify(alg, input, sig)
    }
}

/// A statement about to be signed, for those who want to spoil it.
pub struct Draft {
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
    pub key: TestKey,
    /// Instead of `claims`, character for character.
    pub payload: Option<String>,
    /// Appended to the token.
    pub tail: &'static str,
}

type Spoil = Box<dyn Fn(&mut Draft) + Send + Sync>;

struct Entity {
    key: TestKey,
    hints: Vec<String>,
    metadata: Value,
    trust_marks: Vec<Value>,
    vouches: BTreeMap<String, Value>,
}

/// The federation. `&self` everywhere: a resolver may hold it while a test changes it.
pub struct World {
    entities: Mutex<BTreeMap<String, Entity>>,
    spoils: Mutex<BTreeMap<(String, String), Spoil>>,
    offline: Mutex<Vec<String>>,
    documents: Mutex<BTreeMap<String, String>>,
    /// What issuers say about marks; `active` unless it is here.
    statuses: Mutex<BTreeMap<String, String>>,
    pub fetched: Mutex<Vec<String>>,
    now: AtomicI64,
    pub lifetime: AtomicI64,
}

impl World {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            entities: Mutex::default(),
            spoils: Mutex::default(),
            offline: Mutex::default(),
            documents: Mutex::default(),
            statuses: Mutex::default(),
            fetched: Mutex::default(),
            now: AtomicI64::new(START.0),
            lifetime: AtomicI64::new(600),
        })
    }

    /// leaf → middle → top, the smallest federation with an intermediate.
    pub fn small() -> Arc<Self> {
        let world = Self::new();
        world.entity(TOP, &[], json!({}));
        world.entity(MIDDLE, &[TOP], json!({}));
        world.entity(LEAF, &[MIDDLE], relying_party("https://leaf.example/cb"));
        world.vouch(TOP, MIDDLE, json!({}));
        world.vouch(MIDDLE, LEAF, json!({}));
        world
    }

    pub fn entity(&self, id: &str, hints: &[&str], metadata: Value) {
        let entity = Entity {
            key: TestKey::of(id),
            hints: hints.iter().map(|h| (*h).to_owned()).collect(),
            metadata,
            trust_marks: Vec::new(),
            vouches: BTreeMap::new(),
        };
        self.entities
            .lock()
            .expect("lock")
            .insert(id.to_owned(), entity);
    }

    /// `superior` issues a statement about `subject` with these claims besides the usual ones.
    pub fn vouch(&self, superior: &str, subject: &str, claims: Value) {
        let mut entities = self.entities.lock().expect("lock");
        let superior = entities.get_mut(superior).expect("a known superior");
        superior.vouches.insert(subject.to_owned(), claims);
    }

    pub fn drop_subordinate(&self, superior: &str, subject: &str) {
        let mut entities = self.entities.lock().expect("lock");
        entities
            .get_mut(superior)
            .expect("known")
            .vouches
            .remove(subject);
    }

    pub fn hints(&self, id: &str, hints: &[&str]) {
        let mut entities = self.entities.lock().expect("lock");
        entities.get_mut(id).expect("known").hints =
            hints.iter().map(|h| (*h).to_owned()).collect();
    }

    pub fn rekey(&self, id: &str, key: TestKey) {
        self.entities
            .lock()
            .expect("lock")
            .get_mut(id)
            .expect("known")
            .key = key;
    }

    pub fn trust_mark(&self, id: &str, trust_mark_type: &str, trust_mark: &str) {
        let mark = json!({"trust_mark_type": trust_mark_type, "trust_mark": trust_mark});
        self.entities
            .lock()
            .expect("lock")
            .get_mut(id)
            .expect("known")
            .trust_marks
            .push(mark);
    }

    /// Changes every statement of `iss` about `sub` before it is signed.
    pub fn spoil(&self, iss: &str, sub: &str, change: impl Fn(&mut Draft) + Send + Sync + 'static) {
        self.spoils
            .lock()
            .expect("lock")
            .insert((iss.to_owned(), sub.to_owned()), Box::new(change));
    }

    pub fn offline(&self, id: &str) {
        self.offline.lock().expect("lock").push(id.to_owned());
    }

    pub fn online(&self, id: &str) {
        self.offline
            .lock()
            .expect("lock")
            .retain(|known| known != id);
    }

    pub fn document(&self, url: &str, body: String) {
        self.documents
            .lock()
            .expect("lock")
            .insert(url.to_owned(), body);
    }

    /// From now on the issuer says this about the mark, at `<its identifier>/status`.
    pub fn trust_mark_status(&self, trust_mark: &str, status: &str) {
        self.statuses
            .lock()
            .expect("lock")
            .insert(trust_mark.to_owned(), status.to_owned());
    }

    fn status(&self, issuer: &str, trust_mark: &str) -> Option<String> {
        let statuses = self.statuses.lock().expect("lock");
        let status = statuses.get(trust_mark).map_or("active", String::as_str);
        let claims =
            json!({"iss": issuer, "iat": self.now().0, "trust_mark": trust_mark, "status": status});
        let entities = self.entities.lock().expect("lock");
        let key = &entities.get(issuer)?.key;
        Some(key.jwt("trust-mark-status-response+jwt", &claims))
    }

    pub fn now(&self) -> UnixTime {
        UnixTime(self.now.load(Ordering::SeqCst))
    }

    pub fn advance(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn fetches(&self) -> usize {
        self.fetched.lock().expect("lock").len()
    }

    pub fn forget_fetches(&self) {
        self.fetched.lock().expect("lock").clear();
    }

    #[expect(
        clippy::unused_self,
        reason = "the federation is asked for its anchors"
    )]
    pub fn anchors(&self, ids: &[&str]) -> Anchors {
        let anchor = |id: &&str| Anchor {
            id: entity_id(id),
            jwks: JwkSet::parse_strict(&TestKey::of(id).jwks()).expect("a key set"),
        };
        Anchors::new(ids.iter().map(anchor).collect())
    }

    pub fn resolver(self: &Arc<Self>) -> Arc<Resolver> {
        self.resolver_to(&[TOP])
    }

    pub fn resolver_to(self: &Arc<Self>, anchors: &[&str]) -> Arc<Resolver> {
        self.resolver_within(anchors, Limits::default())
    }

    pub fn resolver_within(self: &Arc<Self>, anchors: &[&str], limits: Limits) -> Arc<Resolver> {
        let settings = Settings {
            anchors: self.anchors(anchors),
            rules: Rules::default(),
            limits,
            chance: RngSource::seeded(7),
        };
        Resolver::new(self.clone(), settings)
    }

    pub fn configuration(&self, id: &str) -> Option<String> {
        let entities = self.entities.lock().expect("lock");
        let entity = entities.get(id)?;
        let mut metadata = entity.metadata.clone();
        if !entity.vouches.is_empty() {
            metadata["federation_entity"]["federation_fetch_endpoint"] =
                format!("{id}/fetch").into();
            metadata["federation_entity"]["federation_list_endpoint"] = format!("{id}/list").into();
        }
        let mut claims = json!({"jwks": entity.key.jwks(), "metadata": metadata});
        if !entity.hints.is_empty() {
            claims["authority_hints"] = json!(entity.hints);
        }
        if !entity.trust_marks.is_empty() {
            claims["trust_marks"] = json!(entity.trust_marks);
        }
        Some(self.sign(id, id, &entity.key, claims))
    }

    pub fn statement(&self, superior: &str, subject: &str) -> Option<String> {
        let entities = self.entities.lock().expect("lock");
        let issuer = entities.get(superior)?;
        let extra = issuer.vouches.get(subject)?;
        let mut claims = json!({
            "jwks": entities.get(subject).map_or_else(|| TestKey::of(subject).jwks(), |e| e.key.jwks()),
        });
        for (name, value) in extra.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        Some(self.sign(superior, subject, &issuer.key, claims))
    }

    /// The statements of a chain along `path`, the anchor's configuration included.
    pub fn chain(&self, path: &[&str]) -> Vec<String> {
        let mut chain = vec![self.configuration(path[0]).expect("a configuration")];
        for pair in path.windows(2) {
            chain.push(self.statement(pair[1], pair[0]).expect("a statement"));
        }
        chain.push(
            self.configuration(path[path.len() - 1])
                .expect("a configuration"),
        );
        chain
    }

    fn sign(&self, iss: &str, sub: &str, key: &TestKey, claims: Value) -> String {
        let now = self.now();
        let Value::Object(mut claims) = claims else {
            panic!("claims are an object")
        };
        claims.insert("iss".into(), iss.into());
        claims.insert("sub".into(), sub.into());
        claims.insert("iat".into(), now.plus(-5).0.into());
        let lifetime = self.lifetime.load(Ordering::SeqCst);
        claims
            .entry("exp")
            .or_insert_with(|| now.plus(lifetime).0.into());
        let header = json!({"typ": "entity-statement+jwt", "alg": "EdDSA", "kid": key.kid});
        let mut draft = Draft {
            header: header.as_object().expect("an object").clone(),
            claims,
            key: key.clone(),
            payload: None,
            tail: "",
        };
        if let Some(spoil) = self
            .spoils
            .lock()
            .expect("lock")
            .get(&(iss.to_owned(), sub.to_owned()))
        {
            spoil(&mut draft);
        }
        let payload = draft
            .payload
            .unwrap_or_else(|| Value::Object(draft.claims).to_string());
        draft.key.sign(&draft.header, &payload) + draft.tail
    }

    fn answer(&self, document: &Document) -> Result<String, FetchError> {
        let missing = || FetchError::Answer("404 not_found".to_owned());
        let away = |id: &str| {
            self.offline
                .lock()
                .expect("lock")
                .iter()
                .any(|known| known == id)
        };
        match document {
            Document::Configuration(id) => {
                self.fetched.lock().expect("lock").push(id.to_string());
                if away(id.as_str()) {
                    return Err(FetchError::Unreachable("no answer".to_owned()));
                }
                self.configuration(id.as_str()).ok_or_else(missing)
            }
            Document::Subordinate { endpoint, subject } => {
                let superior = endpoint.strip_suffix("/fetch").ok_or_else(missing)?;
                self.fetched
                    .lock()
                    .expect("lock")
                    .push(format!("{superior} about {subject}"));
                if away(superior) {
                    return Err(FetchError::Unreachable("no answer".to_owned()));
                }
                self.statement(superior, subject.as_str())
                    .ok_or_else(missing)
            }
            Document::List { endpoint } => {
                let (endpoint, query) = endpoint.split_once('?').unwrap_or((endpoint, ""));
                let superior = endpoint.strip_suffix("/list").ok_or_else(missing)?;
                self.fetched
                    .lock()
                    .expect("lock")
                    .push(format!("{superior} list"));
                if away(superior) {
                    return Err(FetchError::Unreachable("no answer".to_owned()));
                }
                let entities = self.entities.lock().expect("lock");
                let entity = entities.get(superior).ok_or_else(missing)?;
                let wanted = |id: &&String| {
                    query != "intermediate=true"
                        || entities.get(*id).is_some_and(|e| !e.vouches.is_empty())
                };
                Ok(json!(entity.vouches.keys().filter(wanted).collect::<Vec<_>>()).to_string())
            }
            Document::TrustMarkStatus {
                endpoint,
                trust_mark,
            } => {
                let issuer = endpoint.strip_suffix("/status").ok_or_else(missing)?;
                self.fetched
                    .lock()
                    .expect("lock")
                    .push(format!("{issuer} status"));
                if away(issuer) {
                    return Err(FetchError::Unreachable("no answer".to_owned()));
                }
                self.status(issuer, trust_mark).ok_or_else(missing)
            }
            Document::Jwks { url }
            | Document::SignedJwks { url }
            | Document::Sector { url }
            | Document::TrustMark { endpoint: url, .. } => {
                self.fetched.lock().expect("lock").push(url.clone());
                self.documents
                    .lock()
                    .expect("lock")
                    .get(url)
                    .cloned()
                    .ok_or_else(missing)
            }
        }
    }
}

impl Fetch for World {
    fn fetch<'a>(&'a self, document: &'a Document) -> BoxFuture<'a, Result<String, FetchError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.answer(document)
        })
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

pub const TOP: &str = "https://top.example";
pub const MIDDLE: &str = "https://middle.example";
pub const LEAF: &str = "https://leaf.example";

pub fn entity_id(text: &str) -> EntityId {
    EntityId::parse(text, Schemes::HttpsOnly).expect("an entity identifier")
}

pub fn relying_party(redirect_uri: &str) -> Value {
    json!({"openid_relying_party": {
        "redirect_uris": [redirect_uri],
        "client_registration_types": ["automatic"],
        "client_name": "my own idea of my name",
        "jwks": TestKey::of("protocol key").jwks(),
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": "openid real_name phone",
    }})
}
