//! What the router of any entity is handed: its name, its store, its keys, the way out, time and chance.

use std::sync::Arc;

use crate::clock::{Clock, UnixTime};
use crate::crypto::{Decrypter, Indexer, Sealer, Signer};
use crate::outbound::Outbound;
use crate::random::{Rng, RngSource};
use crate::store::Store;

/// One entity on this node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct House {
    /// Entity identifier; for a provider also the issuer. Never derived from a request.
    pub id: Arc<str>,
    pub store: Store,
    pub signer: Arc<dyn Signer>,
    pub decrypter: Arc<dyn Decrypter>,
    pub sealer: Arc<dyn Sealer>,
    pub indexer: Arc<dyn Indexer>,
    pub outbound: Arc<Outbound>,
    pub clock: Arc<dyn Clock>,
    pub rng: RngSource,
    /// Plain-http demonstration: cookies without `Secure` and `__Host-`.
    pub plain_http: bool,
}

impl House {
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    pub fn rng(&self) -> Rng {
        self.rng.rng()
    }

    /// The absolute URL of `path` (which begins with `/`) at this entity.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.id.trim_end_matches('/'))
    }

    /// `__Host-name` where TLS is spoken, `name` in the plain-http demonstration.
    pub fn cookie_name(&self, name: &str) -> String {
        if self.plain_http {
            name.to_owned()
        } else {
            format!("__Host-{name}")
        }
    }
}
