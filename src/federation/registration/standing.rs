//! Whether a relying party's superiors still vouch for it: asked for platforms where people are signed in, and not only when the
//! next person comes.

use serde_json::Value;

use super::Registrar;
use crate::clock::UnixTime;
use crate::federation::chain::TrustChain;
use crate::federation::entity::{EntityId, OPENID_RELYING_PARTY};
use crate::federation::resolve::ResolveFault;

/// What is known of a relying party's superiors now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// They vouch for it.
    Vouched {
        until: UnixTime,
        /// Where it is told of logouts, as they let it say.
        back_channel: Option<String>,
        /// Under which algorithm its ID Tokens, and with them its logout tokens, are encrypted.
        encryption: Option<String>,
    },
    /// What they signed ends it, whatever was vouched for before.
    Ended(String),
    /// Nobody vouches for it now, and nobody signed that: what was vouched for holds to its end (§18.2).
    Unsaid(String),
    /// We have reached bounds of our own; ask again.
    Later,
}

impl Registrar {
    pub async fn standing(&self, id: &EntityId, now: UnixTime) -> Standing {
        match self.resolver.resolve(id, None, now).await {
            Ok(chain) => Standing::of(&chain),
            Err(error) if error.kind == ResolveFault::Exhausted => Standing::Later,
            Err(error) if error.is_signed_evidence() => Standing::Ended(error.reason.clone()),
            Err(error) => Standing::Unsaid(error.reason.clone()),
        }
    }
}

impl Standing {
    /// By a chain that holds.
    pub fn of(chain: &TrustChain) -> Self {
        let Some(party) = chain.metadata().get(OPENID_RELYING_PARTY) else {
            return Self::Ended("it is no relying party any more, or may not be one".to_owned());
        };
        let registers_itself = party
            .get("client_registration_types")
            .and_then(Value::as_array)
            .is_some_and(|types| !types.iter().any(|t| t == "automatic"));
        if registers_itself && !chain.is_request() {
            return Self::Unsaid("it registers explicitly, and is not registered".to_owned());
        }
        let text = |name: &str| party.get(name).and_then(Value::as_str).map(str::to_owned);
        Self::Vouched {
            until: chain.expires_at(),
            back_channel: text("backchannel_logout_uri"),
            encryption: text("id_token_encrypted_response_alg"),
        }
    }
}
