//! What an applicant is told about its entity configuration: what stands in the way, and what it should know. English here, for the
//! command line and JSON; a page has its own words for each kind.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What was found, and about what: an address, a parameter, a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub kind: Kind,
    pub what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    // In the way.
    /// It could not be fetched from its own host: nothing is proven.
    NotFetched,
    /// It is no valid entity configuration.
    Invalid,
    /// What was handed in is not what the host serves.
    Differs,
    /// Its signature is not by one of its own keys.
    Signature,
    /// `authority_hints` does not name the superior that was asked.
    NotNamed,
    /// It says of no entity type that it plays it, or of several that do not go together.
    Types,
    /// A leaf publishes an endpoint that only authorities have, or an authority lacks one (§9).
    Endpoint,
    /// Keys in its metadata: private, malformed, or the federation's own (§5.2.1).
    ProtocolKeys,
    /// A redirect URI that is not https, or goes to an address rather than a name.
    RedirectUri,
    /// The superior's policy, or one above it, does not take it.
    Policy,
    /// A superior's constraints do not take it (§6.2).
    Constraint,
    /// What is left after policy makes no relying party.
    RelyingParty,
    /// A key that was in other hands once.
    CompromisedKey,
    // To know.
    /// Policy takes this away.
    Loses,
    /// A redirect URI on a host that is not evidently the entity's: an operator will ask.
    ForeignHost,
    /// Nobody can be told of decisions.
    NoContacts,
    /// Names and logos of its own, which citizens are not shown.
    OwnName,
}

impl Kind {
    pub const ALL: [Self; 17] = [
        Self::NotFetched,
        Self::Invalid,
        Self::Differs,
        Self::Signature,
        Self::NotNamed,
        Self::Types,
        Self::Endpoint,
        Self::ProtocolKeys,
        Self::RedirectUri,
        Self::Policy,
        Self::Constraint,
        Self::RelyingParty,
        Self::CompromisedKey,
        Self::Loses,
        Self::ForeignHost,
        Self::NoContacts,
        Self::OwnName,
    ];

    /// Whether nothing can be filed before it is put right.
    pub const fn refuses(self) -> bool {
        !matches!(
            self,
            Self::Loses | Self::ForeignHost | Self::NoContacts | Self::OwnName
        )
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFetched => "not_fetched",
            Self::Invalid => "invalid",
            Self::Differs => "differs",
            Self::Signature => "signature",
            Self::NotNamed => "not_named",
            Self::Types => "types",
            Self::Endpoint => "endpoint",
            Self::ProtocolKeys => "protocol_keys",
            Self::RedirectUri => "redirect_uri",
            Self::Policy => "policy",
            Self::Constraint => "constraint",
            Self::RelyingParty => "relying_party",
            Self::CompromisedKey => "compromised_key",
            Self::Loses => "loses",
            Self::ForeignHost => "foreign_host",
            Self::NoContacts => "no_contacts",
            Self::OwnName => "own_name",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::NotFetched => {
                "the entity configuration could not be fetched from its own address"
            }
            Self::Invalid => "what was found there is no valid entity configuration",
            Self::Differs => "what was handed in is not what the host serves",
            Self::Signature => "the entity configuration is not signed with one of its own keys",
            Self::NotNamed => "authority_hints does not name this superior",
            Self::Types => "metadata must say what the entity is, and that it is one thing",
            Self::Endpoint => {
                "fetch and list endpoints belong to authorities, both, and to nobody else"
            }
            Self::ProtocolKeys => "the keys in the metadata are not acceptable",
            Self::RedirectUri => "a redirect URI must be https and go to a host name",
            Self::Policy => "the metadata do not comply with the policy",
            Self::Constraint => "the constraints of a superior do not permit the entity",
            Self::RelyingParty => "a provider would not serve what is left after policy",
            Self::CompromisedKey => {
                "this key was reported as being in other hands; it is never accepted again"
            }
            Self::Loses => "the policy takes away",
            Self::ForeignHost => "this redirect URI is on another host; the operator will ask why",
            Self::NoContacts => "without contacts nobody can be told what becomes of the request",
            Self::OwnName => {
                "citizens are shown the name and logo that the superior gives, not your own"
            }
        }
    }
}

impl Finding {
    pub fn new(kind: Kind, what: impl fmt::Display) -> Self {
        // What a stranger wrote is shown, but not without end.
        let what = what.to_string().chars().take(400).collect();
        Self { kind, what }
    }

    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({"finding": self.kind.as_str(), "refuses": self.kind.refuses(), "about": self.what, "text": self.to_string()})
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.sentence())?;
        if self.what.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.what)
        }
    }
}
