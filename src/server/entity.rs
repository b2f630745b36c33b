//! What one hosted entity is made of: its store, its keys, its trust. Which doors it has stands in `rooms`.

use std::sync::Arc;

use serde_json::Value;

use crate::authn::hashing::Places;
use crate::clock::{Clock, UnixTime};
use crate::config::node::{KekSource, Node};
use crate::config::{self, Role, Section};
use crate::crypto::Purpose;
use crate::federation::chain::{Anchor, Anchors};
use crate::federation::entity::{EntityId, Schemes};
use crate::federation::resolve::{Limits as ResolveLimits, Network, Resolver, Settings};
use crate::federation::statement::Rules;
use crate::jose::JwkSet;
use crate::keys::{Kek, KekError, KeyRing, KeysError, Policy, PolicyError, Setup};
use crate::outbound::{Guard, Limits, Options as OutboundOptions, Outbound, OutboundError};
use crate::random::RngSource;
use crate::store::{self, Kind, Options, Store};
use crate::web::house::House;

/// Why an entity cannot be opened; a sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("key-encryption key: {0}")]
    Kek(#[from] KekError),
    #[error("the environment variable {0} with the key-encryption key is not set")]
    KekMissing(String),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error("the way out: {0}")]
    Outbound(#[from] OutboundError),
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    #[error("{entity}: the database {database}: {source}")]
    Store {
        entity: String,
        database: String,
        source: store::Error,
    },
    #[error("{entity}: {pending} migrations are not applied; run `hefu migrate` first")]
    Unmigrated { entity: String, pending: usize },
    #[error("{entity}: {source}")]
    Keys { entity: String, source: KeysError },
    #[error("{entity}: trust anchor {anchor}: {reason}")]
    Anchor {
        entity: String,
        anchor: String,
        reason: String,
    },
    #[error("{entity}: {reason}")]
    Settings { entity: String, reason: String },
}

/// Password hashes at once in one process: each costs memory and a core for its time.
const HASHES_AT_ONCE: usize = 2;
/// Beyond so many waiting, citizens are asked to try again rather than kept.
const HASHES_WAITING: usize = 64;

/// What the entities of a node share.
#[derive(Clone, Debug)]
pub struct Shared {
    pub kek: Arc<Kek>,
    pub policy: Policy,
    pub outbound: Arc<Outbound>,
    pub clock: Arc<dyn Clock>,
    pub rng: RngSource,
    pub schemes: Schemes,
    pub plain_http: bool,
    /// Where this process hashes passwords: a bounded number at a time, whatever entity asks.
    pub hashing: Places,
    /// Holder's name in leases.
    pub node: String,
    /// Scheme, host and port of the operators' consoles, where the node has them.
    pub console: Option<Arc<str>>,
}

impl Shared {
    /// Reads what the node's section names: keys, trust roots.
    pub fn of(node: &Node, clock: Arc<dyn Clock>, rng: RngSource) -> Result<Self, OpenError> {
        let kek = match &node.kek {
            KekSource::File(path) => Kek::from_file(path)?,
            KekSource::Env(name) => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the configuration names the variable; this is the door"
                )]
                let text = std::env::var(name).map_err(|_| OpenError::KekMissing(name.clone()))?;
                Kek::from_text(&text)?
            }
        };
        let mut trust_roots = Vec::new();
        for path in &node.outbound.trust_roots {
            trust_roots.push(std::fs::read(path).map_err(|e| OpenError::File {
                path: path.display().to_string(),
                reason: e.to_string(),
            })?);
        }
        let guard = Guard {
            allow: node.outbound.allow.clone(),
            demo_port: node.demo.map(|d| d.port),
        };
        let outbound = Outbound::new(OutboundOptions {
            guard,
            trust_roots,
            per_destination: 0,
        })?;
        let plain_http = node.demo.is_some_and(|d| d.plain_http);
        Ok(Self {
            kek: Arc::new(kek),
            policy: Policy::shipped()?,
            outbound: Arc::new(outbound),
            clock,
            schemes: if plain_http {
                Schemes::HttpsOrLoopbackHttp
            } else {
                Schemes::HttpsOnly
            },
            plain_http,
            hashing: Places::new(HASHES_AT_ONCE, HASHES_WAITING),
            console: node
                .console
                .as_ref()
                .map(|console| console.origin.trim_end_matches('/').into()),
            node: node.name.clone().unwrap_or_else(|| rng.rng().id("node_")),
            rng,
        })
    }

    /// Opens database and keys of `entity`. With `migrate`, brings the schema up to date first; without, an outdated
    /// one is refused.
    pub async fn open(&self, entity: config::Entity, migrate: bool) -> Result<Opened, OpenError> {
        let name = entity.name.clone();
        let database = |source| OpenError::Store {
            entity: name.clone(),
            // Without what stands between the scheme and the host: a password may be there.
            database: entity
                .database
                .rsplit('@')
                .next()
                .unwrap_or_default()
                .to_owned(),
            source,
        };
        let options = Options {
            connections: entity.connections,
            durable: entity.durable,
        };
        let store = Store::open(&entity.database, &options)
            .await
            .map_err(database)?;
        if migrate {
            store.migrate().await.map_err(database)?;
        }
        let pending = store.pending_migrations().await.map_err(database)?;
        if pending > 0 {
            return Err(OpenError::Unmigrated {
                entity: name,
                pending,
            });
        }
        let purposes: &[Purpose] = match entity.section.role() {
            Role::Anchor | Role::Intermediate => &[Purpose::Federation, Purpose::Audit],
            Role::Provider => &[
                Purpose::Federation,
                Purpose::IdToken,
                Purpose::Encryption,
                Purpose::Audit,
            ],
            Role::Portal => &[Purpose::Federation, Purpose::Client, Purpose::Audit],
            Role::Register => &[Purpose::Audit],
        };
        let setup = Setup {
            entity: &entity.address.id,
            vault: &entity.vault,
            kek: Arc::clone(&self.kek),
            policy: self.policy.clone(),
            purposes,
        };
        let ring = KeyRing::open(&store, setup, self.clock.now(), &mut self.rng.rng())
            .await
            .map_err(|source| OpenError::Keys {
                entity: name.clone(),
                source,
            })?;
        let ring = Arc::new(ring);
        let house = House {
            id: entity.address.id.as_str().into(),
            store,
            signer: ring.clone(),
            decrypter: ring.clone(),
            sealer: ring.clone(),
            indexer: ring.clone(),
            outbound: Arc::clone(&self.outbound),
            clock: Arc::clone(&self.clock),
            rng: self.rng.clone(),
            plain_http: self.plain_http,
        };
        Ok(Opened {
            entity,
            house,
            ring,
        })
    }

    /// A resolver that trusts the anchors of `entity`'s configuration.
    pub fn resolver(&self, entity: &config::Entity) -> Result<Arc<Resolver>, OpenError> {
        let mut anchors = Vec::new();
        for trusted in &entity.federation.trust_anchors {
            let wrong = |reason: String| OpenError::Anchor {
                entity: entity.name.clone(),
                anchor: trusted.id.clone(),
                reason,
            };
            let id =
                EntityId::parse(&trusted.id, self.schemes).map_err(|e| wrong(e.to_string()))?;
            let value: Value = match (&trusted.jwks, &trusted.jwks_file) {
                (Some(value), _) => value.clone(),
                (None, Some(path)) => {
                    let text = std::fs::read_to_string(path)
                        .map_err(|e| wrong(format!("{}: {e}", path.display())))?;
                    serde_json::from_str(&text)
                        .map_err(|e| wrong(format!("{}: {e}", path.display())))?
                }
                (None, None) => return Err(wrong("has no keys".to_owned())),
            };
            let jwks = JwkSet::parse_strict(&value).map_err(|e| wrong(e.to_string()))?;
            anchors.push(Anchor { id, jwks });
        }
        let limits = ResolveLimits::default().bounded(entity.federation.resolution);
        let rules = Rules {
            schemes: self.schemes,
            max_statements: limits.depth + 1,
            ..Rules::default()
        };
        let network = Network::new((*self.outbound).clone(), Limits::default(), self.schemes);
        let settings = Settings {
            anchors: Anchors::new(anchors),
            rules,
            limits,
            chance: self.rng.clone(),
        };
        Ok(Resolver::new(Arc::new(network), settings))
    }

    /// Where operators find the console of `entity`; a stand-in has nothing to operate.
    pub fn console(&self, entity: &config::Entity) -> Option<String> {
        let origin = self.console.as_ref()?;
        (entity.section.role() != Role::Register)
            .then(|| format!("{origin}/console/{}", entity.name))
    }

    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }
}

/// An entity whose database and keys are open.
#[derive(Clone, Debug)]
pub struct Opened {
    pub entity: config::Entity,
    pub house: House,
    pub ring: Arc<KeyRing>,
}

impl Opened {
    pub fn role(&self) -> Role {
        self.entity.section.role()
    }

    /// The lifetime of its subordinate statements, when it is an authority.
    pub fn authority(&self) -> Option<&config::authority::Authority> {
        match &self.entity.section {
            Section::Anchor(authority) | Section::Intermediate(authority) => Some(authority),
            _ => None,
        }
    }

    /// Whether the database is the embedded one.
    pub fn is_embedded(&self) -> bool {
        self.house.store.kind() == Kind::Sqlite
    }
}
