//! Configuration: read once at the door, checked, handed down in sections. A role gets only its own section.
//! Each section stands in a file of its own, beside the defaults and the reason for them; `file` reads TOML and says
//! what is wrong, by line; `expand` puts in what the file leaves to the environment.

pub mod authority;
mod expand;
pub mod federation;
mod file;
pub mod joining;
pub mod node;
pub mod offers;
pub mod people;
pub mod portal;
pub mod provider;

use std::path::PathBuf;

use serde::Deserialize;

pub use file::{Problem, load, parse};

/// Everything a node is told.
#[derive(Debug, Clone)]
pub struct Config {
    pub node: node::Node,
    pub entities: Vec<Entity>,
}

/// What an entity is in the federation; it is exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The trust anchor: the national platform's federation office.
    Anchor,
    /// A province, a city, a county: vouches for those below it.
    Intermediate,
    /// The OpenID Provider.
    Provider,
    /// A relying party: the brand that a citizen sees.
    Portal,
    /// Development only: stands in for the population register and the SMS gateway.
    Register,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anchor => "anchor",
            Self::Intermediate => "intermediate",
            Self::Provider => "provider",
            Self::Portal => "portal",
            Self::Register => "register",
        }
    }
}

/// One entity that the node hosts.
#[derive(Debug, Clone)]
pub struct Entity {
    /// Where its table begins in the file; `None` when it was not read from one.
    pub line: Option<usize>,
    /// Short name for people and commands: `gd`, `id`.
    pub name: String,
    pub address: Address,
    /// `sqlite:FILE?mode=rwc` or `postgres://…`.
    pub database: String,
    /// Folder for what must stay outside the database.
    pub vault: PathBuf,
    pub connections: u32,
    /// SQLite only: wait for the disk at every commit.
    pub durable: bool,
    pub federation: federation::Federation,
    pub section: Section,
}

/// The part of the configuration that only one role has.
#[derive(Debug, Clone)]
pub enum Section {
    Anchor(authority::Authority),
    Intermediate(authority::Authority),
    Provider {
        provider: Box<provider::Provider>,
        people: Box<people::People>,
    },
    Portal(portal::Portal),
    Register,
}

impl Section {
    pub const fn role(&self) -> Role {
        match self {
            Self::Anchor(_) => Role::Anchor,
            Self::Intermediate(_) => Role::Intermediate,
            Self::Provider { .. } => Role::Provider,
            Self::Portal(_) => Role::Portal,
            Self::Register => Role::Register,
        }
    }
}

/// An entity identifier, taken apart: by host and path the node finds the entity for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The identifier, character for character.
    pub id: String,
    /// `host` or `host:port`, lower case, as a `Host` header says it.
    pub authority: String,
    /// Empty, or `/gd`: never ends with a slash.
    pub path: String,
}

impl Address {
    /// Takes `id` apart. https only, unless `plain_http`: then it is the demonstration.
    pub fn parse(id: &str, plain_http: bool) -> Result<Self, &'static str> {
        let url = url::Url::parse(id).map_err(|_| "is not a URL")?;
        match url.scheme() {
            "https" => {}
            "http" if plain_http => {}
            _ => return Err("must begin with https://"),
        }
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err("must have no query, fragment or user");
        }
        let host = url.host_str().ok_or("has no host")?;
        let authority = url
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let path = url.path().trim_end_matches('/').to_owned();
        // The identifier is compared character for character everywhere: what we were told must be what others write.
        let canonical = format!("{}://{authority}{}", url.scheme(), url.path());
        if id != canonical && format!("{id}/") != canonical {
            return Err("is not written as its URL normally is (case, default port, dots)");
        }
        Ok(Self {
            id: id.to_owned(),
            authority,
            path,
        })
    }
}

/// A sentence for every setting that must be more than nothing and is not.
fn not_positive(settings: &[(&str, i64)]) -> Vec<String> {
    let wrong = settings.iter().filter(|(_, value)| *value <= 0);
    wrong
        .map(|(name, value)| format!("{name} is {value}; it must be at least 1"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_taken_apart_or_refused() {
        let parts = |id: &str, plain| Address::parse(id, plain).map(|a| (a.authority, a.path));
        let ok = |a: &str, p: &str| Ok((a.to_owned(), p.to_owned()));
        assert_eq!(
            parts("https://id.example.cn", false),
            ok("id.example.cn", "")
        );
        assert_eq!(
            parts("https://id.example.cn/", false),
            ok("id.example.cn", "")
        );
        assert_eq!(
            parts("https://id.example.cn:8443/gd", false),
            ok("id.example.cn:8443", "/gd")
        );
        assert_eq!(
            parts("http://id.localhost:8080", true),
            ok("id.localhost:8080", "")
        );
        for bad in [
            "http://id.example.cn",
            "https://ID.example.cn",
            "https://id.example.cn:443",
            "https://id.example.cn?x",
            "https://id.example.cn#x",
            "https://u@id.example.cn",
            "https://id.example.cn/a/../b",
            "id.example.cn",
            "",
        ] {
            assert!(parts(bad, false).is_err(), "{bad}");
        }
    }
}
