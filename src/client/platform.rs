//! What people are shown of a relying party: only what somebody vouches for.

use serde::{Deserialize, Serialize};

use crate::clock::UnixTime;

/// The platform that asks, as far as it is proven.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Platform {
    /// The vouched-for name; never the one a stranger gives itself.
    pub name: Option<Name>,
    /// The host people know it by, shown when there is no name.
    pub host: String,
    pub vouched: Vouched,
    /// From the platform up to the anchor; empty without a chain.
    pub chain: Vec<Hop>,
    pub policy_uri: Option<String>,
    pub tos_uri: Option<String>,
    /// What it says of itself and nobody vouches for; shown as that, never in place of the above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<Claimed>,
}

/// A stranger's own words, from its registration of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Claimed {
    pub name: Option<Name>,
    pub policy_uri: Option<String>,
    pub tos_uri: Option<String>,
}

/// What something is called, in the languages of our pages: the same twice where its voucher gives one text only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Name {
    pub chinese: String,
    pub english: String,
}

impl Name {
    /// The same in both languages.
    pub fn plain(text: &str) -> Self {
        Self {
            chinese: text.to_owned(),
            english: text.to_owned(),
        }
    }

    /// For a page in the language `tag` (RFC 5646).
    pub fn in_language(&self, tag: &str) -> &str {
        if tag == "en" {
            &self.english
        } else {
            &self.chinese
        }
    }
}

/// By whom.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vouched {
    /// A trust chain to the anchor; `region` in words, for example 广东省.
    Chain {
        region: Name,
    },
    /// An operator of this provider registered it by hand.
    Registered,
    No,
}

/// One party of the chain in words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hop {
    pub name: Name,
    pub entity_id: String,
    /// Until when its superior's word holds; `None` for the anchor.
    pub vouched_until: Option<UnixTime>,
}

impl Platform {
    pub fn unvouched(host: &str) -> Self {
        Self {
            name: None,
            host: host.to_owned(),
            vouched: Vouched::No,
            chain: Vec::new(),
            policy_uri: None,
            tos_uri: None,
            claimed: None,
        }
    }

    /// What it is called in what is written down, whatever language the page was in.
    pub fn shown_name(&self) -> &str {
        match (&self.vouched, &self.name) {
            (Vouched::No, _) | (_, None) => &self.host,
            (_, Some(name)) => &name.chinese,
        }
    }
}
