//! Names and values as they were sent, with the memory of what was sent twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// The parameters of a request. Unknown ones are kept and ignored (RFC 6749 §3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    values: BTreeMap<String, String>,
    repeated: BTreeSet<String>,
}

impl Parameters {
    /// Takes decoded pairs. Empty values count as absent (RFC 6749 §3.1); a NUL is in no parameter of ours.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut out = Self::default();
        for (name, value) in pairs {
            if value.is_empty() {
                continue;
            }
            if value.contains('\0') || out.values.contains_key(&name) {
                // Both are refused in the same place: the request says something it cannot mean.
                out.repeated.insert(name.clone());
            }
            out.values.entry(name).or_insert(value);
        }
        // RFC 8707 §2: `resource` may be repeated; we do not use it yet.
        out.repeated.remove("resource");
        out
    }

    /// Reads a query or a form body.
    pub fn parse(encoded: &[u8]) -> Self {
        Self::new(
            url::form_urlencoded::parse(encoded).map(|(n, v)| (n.into_owned(), v.into_owned())),
        )
    }

    /// The members of a request object: text as it is, numbers and objects as their JSON (OIDC Core 6.1, `claims`).
    pub fn of_claims(claims: &Map<String, Value>) -> Self {
        Self::new(claims.iter().filter_map(|(name, value)| {
            let text = match value {
                Value::String(s) => s.clone(),
                Value::Null => return None,
                other => other.to_string(),
            };
            Some((name.clone(), text))
        }))
    }

    /// The value, if the parameter was sent exactly once.
    pub fn get(&self, name: &str) -> Option<&str> {
        if self.repeated.contains(name) {
            return None;
        }
        self.values.get(name).map(String::as_str)
    }

    pub fn repeats(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.repeated.contains(*name))
    }

    pub fn repeats_any(&self) -> bool {
        !self.repeated.is_empty()
    }

    /// These parameters, with those of `inner` in their place where it has them.
    #[must_use]
    pub fn overlaid(&self, inner: Self) -> Self {
        let mut out = self.clone();
        for (name, value) in inner.values {
            out.repeated.remove(&name);
            out.values.insert(name, value);
        }
        out.repeated.extend(inner.repeated);
        out
    }

    /// With this one besides, or in the place of one of this name.
    #[must_use]
    pub fn with(mut self, name: &str, value: String) -> Self {
        self.values.insert(name.to_owned(), value);
        self
    }

    /// For the store: pushed and parked requests wait there.
    pub fn to_json(&self) -> String {
        serde_json::json!([self.values, self.repeated]).to_string()
    }

    pub fn from_json(text: &str) -> Option<Self> {
        let (values, repeated) = serde_json::from_str(text).ok()?;
        Some(Self { values, repeated })
    }

    /// Without these.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        for name in names {
            self.values.remove(*name);
            self.repeated.remove(*name);
        }
        self
    }
}
