//! Names and values as they were sent, with the memory of what was sent twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// May be sent several times (RFC 8707 §2; RFC 8693 §2.1 for `audience`, at a token exchange alone).
const SEVERAL: [&str; 2] = ["resource", "audience"];
/// RFC 8693 §2.1.
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The parameters of a request. Unknown ones are kept and ignored (RFC 6749 §3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    values: BTreeMap<String, String>,
    repeated: BTreeSet<String>,
    /// Of those that may be sent several times, every value.
    several: BTreeMap<String, Vec<String>>,
}

impl Parameters {
    /// Takes decoded pairs. Empty values count as absent (RFC 6749 §3.1); a NUL is in no parameter of ours.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut out = Self::default();
        let mut broken = BTreeSet::new();
        for (name, value) in pairs {
            if value.is_empty() {
                continue;
            }
            let has_nul = value.contains('\0');
            if has_nul || out.values.contains_key(&name) {
                // Both are refused in the same place: the request says something it cannot mean.
                out.repeated.insert(name.clone());
            }
            if has_nul {
                broken.insert(name.clone());
            } else if SEVERAL.contains(&name.as_str()) {
                out.several
                    .entry(name.clone())
                    .or_default()
                    .push(value.clone());
            }
            out.values.entry(name).or_insert(value);
        }
        let exchange = out.get("grant_type") == Some(TOKEN_EXCHANGE);
        for name in SEVERAL {
            if !broken.contains(name) && (name == "resource" || exchange) {
                out.repeated.remove(name);
            }
        }
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
        Self::new(claims.iter().flat_map(|(name, value)| {
            let text = |value: &Value| match value {
                Value::String(s) => Some(s.clone()),
                Value::Null => None,
                other => Some(other.to_string()),
            };
            let texts: Vec<String> = match value {
                // RFC 8707 §2: several are an array in a request object.
                Value::Array(many) if SEVERAL.contains(&name.as_str()) => {
                    many.iter().filter_map(text).collect()
                }
                one => text(one).into_iter().collect(),
            };
            texts.into_iter().map(|text| (name.clone(), text))
        }))
    }

    /// The value, if the parameter was sent exactly once.
    pub fn get(&self, name: &str) -> Option<&str> {
        if self.repeated.contains(name) {
            return None;
        }
        self.values.get(name).map(String::as_str)
    }

    /// Every value of a parameter that may be sent several times, in the order of sending.
    pub fn all(&self, name: &str) -> &[String] {
        self.several.get(name).map_or(&[], Vec::as_slice)
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
            out.several.remove(&name);
            out.values.insert(name, value);
        }
        out.several.extend(inner.several);
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
        serde_json::json!([self.values, self.repeated, self.several]).to_string()
    }

    pub fn from_json(text: &str) -> Option<Self> {
        let (values, repeated, several) = serde_json::from_str(text).ok()?;
        Some(Self {
            values,
            repeated,
            several,
        })
    }

    /// Without these.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        for name in names {
            self.values.remove(*name);
            self.repeated.remove(*name);
            self.several.remove(*name);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_sent_several_times() {
        for (sent, repeats) in [
            ("scope=a&scope=b", true),
            ("resource=a&resource=b", false),
            ("resource=a&resource=%00", true),
            ("audience=a&audience=b", true),
            (
                "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&audience=a&audience=b",
                false,
            ),
            ("resource=&resource=a", false),
        ] {
            let sent = Parameters::parse(sent.as_bytes());
            assert_eq!(sent.repeats_any(), repeats, "{sent:?}");
            assert_eq!(Parameters::from_json(&sent.to_json()), Some(sent));
        }
        let sent = Parameters::parse(b"resource=b&resource=a&resource=b");
        assert_eq!(sent.all("resource"), ["b", "a", "b"]);
        let object = serde_json::json!({"resource": ["c", "d"], "x": ["e"]});
        let inner = Parameters::of_claims(object.as_object().unwrap());
        assert_eq!(inner.get("x"), Some("[\"e\"]"));
        assert_eq!(sent.overlaid(inner).all("resource"), ["c", "d"]);
        assert!(sent.without(&["resource"]).all("resource").is_empty());
    }
}
