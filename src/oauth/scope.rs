//! `scope`: a set of space-separated names (RFC 6749 §3.3), kept in the order of first mention.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The scope names of a request or a grant, without repetition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope(Vec<String>);

impl Scope {
    pub const OPENID: &'static str = "openid";
    pub const OFFLINE_ACCESS: &'static str = "offline_access";

    /// Reads the wire form. `None` when a name holds a character outside RFC 6749 §3.3 or there are more than 64 names.
    pub fn parse(text: &str) -> Option<Self> {
        let mut names: Vec<String> = Vec::new();
        for name in text.split(' ').filter(|n| !n.is_empty()) {
            let allowed =
                |b: u8| b == 0x21 || (0x23..=0x5b).contains(&b) || (0x5d..=0x7e).contains(&b);
            if !name.bytes().all(allowed) || names.len() == 64 {
                return None;
            }
            if !names.iter().any(|n| n == name) {
                names.push(name.to_owned());
            }
        }
        Some(Self(names))
    }

    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|n| n == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.0.iter().all(|n| other.contains(n))
    }

    /// The names for which `keep` holds.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|n| keep(n)).cloned().collect())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom("a scope name holds a character that is not allowed")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sets_and_refuses_odd_characters() {
        let scope = Scope::parse("openid  profile openid").unwrap();
        assert_eq!(scope.to_string(), "openid profile");
        assert!(Scope::parse("openid").unwrap().is_subset_of(&scope));
        assert!(Scope::parse("a\"b").is_none());
        assert!(Scope::parse("合").is_none());
        assert!(Scope::parse("").unwrap().is_empty());
    }
}
