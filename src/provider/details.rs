//! `authorization_details` (RFC 9396): what may be done in detail, of types that a deployment configures. Read strictly, since
//! people are shown every word of it; what was granted can be narrowed later, never widened.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::offers::{DetailMember, DetailType, in_language};
use crate::jose::json;
use crate::oauth::{Error, ErrorCode};

/// The longest parameter that is read, in bytes.
const LIMIT: usize = 8 * 1024;
/// The most details of one request, and values of one member: more, nobody reads on a page.
const MOST: usize = 10;
/// The longest value, in characters.
const LONGEST: usize = 200;

/// One object of `authorization_details`, of a known type and with the members that type has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Detail(Map<String, Value>);

/// A detail as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InWords {
    pub text: String,
    /// Member and values.
    pub facts: Vec<(String, String)>,
}

/// RFC 9396 §5: unknown types, unknown members, wrong types and missing members are refused.
pub fn parse(text: &str, types: &[DetailType]) -> Result<Vec<Detail>, Error> {
    if text.len() > LIMIT {
        return Err(invalid("authorization_details is too long"));
    }
    let Ok(Value::Array(items)) = json::parse(text.as_bytes()) else {
        return Err(invalid("authorization_details is not a JSON array"));
    };
    if items.is_empty() || items.len() > MOST {
        return Err(invalid("authorization_details holds one to ten objects"));
    }
    items
        .into_iter()
        .map(|item| Detail::parse(item, types))
        .collect()
}

/// RFC 9396 §6 and §7: each of `asked` stands within one of `granted`.
pub fn within(asked: &[Detail], granted: &[Detail]) -> bool {
    asked
        .iter()
        .all(|detail| granted.iter().any(|whole| detail.is_within(whole)))
}

impl Detail {
    fn parse(item: Value, types: &[DetailType]) -> Result<Self, Error> {
        let Value::Object(members) = item else {
            return Err(invalid(
                "authorization_details holds something else than objects",
            ));
        };
        let kind = members.get("type").and_then(Value::as_str);
        let known = types
            .iter()
            .find(|known| Some(known.kind.as_str()) == kind)
            .ok_or_else(|| invalid("a type of authorization_details is not known here"))?;
        for (name, value) in members.iter().filter(|(name, _)| *name != "type") {
            let fits = known
                .members
                .iter()
                .find(|member| member.name == *name)
                .is_some_and(|member| fits(member, value));
            if !fits {
                return Err(invalid(
                    "a member of authorization_details is not known or has a value that is not allowed",
                ));
            }
        }
        if known
            .members
            .iter()
            .any(|m| m.required && !members.contains_key(&m.name))
        {
            return Err(invalid("a member of authorization_details is missing"));
        }
        Ok(Self(members))
    }

    /// The same members; where the whole has a list, some of it.
    fn is_within(&self, whole: &Self) -> bool {
        self.0.len() == whole.0.len()
            && self
                .0
                .iter()
                .all(|(name, value)| match (value, whole.0.get(name)) {
                    (Value::Array(some), Some(Value::Array(all))) => {
                        some.iter().all(|one| all.contains(one))
                    }
                    (value, whole) => Some(value) == whole,
                })
    }

    /// Whether it is for one of `audience`, or says nothing of where (RFC 9396 §2.2, `locations`).
    pub fn concerns(&self, audience: &[String]) -> bool {
        match self.0.get("locations") {
            Some(Value::Array(places)) => places
                .iter()
                .any(|place| audience.iter().any(|uri| place == uri.as_str())),
            _ => true,
        }
    }

    /// Whether it names this resource as its place.
    pub fn is_at(&self, uri: &str) -> bool {
        self.0.contains_key("locations") && self.concerns(&[uri.to_owned()])
    }

    /// Its `type`.
    pub fn kind(&self) -> &str {
        self.0.get("type").and_then(Value::as_str).unwrap_or("")
    }

    /// For a page in the language `tag`; `None` when the type is configured no more.
    pub fn in_words(&self, types: &[DetailType], tag: &str) -> Option<InWords> {
        let known = types.iter().find(|known| known.kind == self.kind())?;
        let facts = known
            .members
            .iter()
            .filter_map(|member| {
                let label = in_language(tag, &member.text, member.text_en.as_deref());
                let values = match self.0.get(&member.name)? {
                    Value::String(one) => one.clone(),
                    Value::Array(many) => many
                        .iter()
                        .filter_map(Value::as_str)
                        .collect::<Vec<_>>()
                        .join(", "),
                    _ => return None,
                };
                Some((label.to_owned(), values))
            })
            .collect();
        Some(InWords {
            text: in_language(tag, &known.text, known.text_en.as_deref()).to_owned(),
            facts,
        })
    }
}

/// A text or a list of texts, each allowed; RFC 9396 §2.2 says which of the common members are lists.
fn fits(member: &DetailMember, value: &Value) -> bool {
    let allowed = |value: &Value| {
        value.as_str().is_some_and(|text| {
            !text.is_empty()
                && text.chars().count() <= LONGEST
                && !text.chars().any(char::is_control)
                && (member.values.is_empty() || member.values.iter().any(|v| v == text))
        })
    };
    let list_wanted = ["locations", "actions", "datatypes", "privileges"];
    match value {
        Value::String(_) => !list_wanted.contains(&member.name.as_str()) && allowed(value),
        Value::Array(many) => {
            member.name != "identifier"
                && (1..=MOST).contains(&many.len())
                && many.iter().all(allowed)
        }
        _ => false,
    }
}

fn invalid(text: &'static str) -> Error {
    Error::new(ErrorCode::InvalidAuthorizationDetails, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> Vec<DetailType> {
        let member = |name: &str, required, values: &[&str]| DetailMember {
            name: name.to_owned(),
            text: format!("「{name}」"),
            text_en: None,
            required,
            values: values.iter().map(|v| (*v).to_owned()).collect(),
        };
        vec![DetailType {
            kind: "records".to_owned(),
            text: "查看病历".to_owned(),
            text_en: Some("Read medical records".to_owned()),
            members: vec![
                member("actions", true, &["read", "list"]),
                member("locations", false, &["https://a.example"]),
                member("hospital", false, &[]),
            ],
        }]
    }

    #[test]
    fn only_what_the_type_allows_is_read() {
        let long = format!(
            r#"[{{"type":"records","actions":["read"],"hospital":"{}"}}]"#,
            "x".repeat(201)
        );
        for (text, good) in [
            (r#"[{"type":"records","actions":["read"]}]"#, true),
            (
                r#"[{"type":"records","actions":["read","list"],"hospital":"市一"},{"type":"records","actions":["list"]}]"#,
                true,
            ),
            (r#"[{"type":"records","actions":["write"]}]"#, false),
            (r#"[{"type":"records","actions":"read"}]"#, false),
            (r#"[{"type":"records","actions":[]}]"#, false),
            (r#"[{"type":"records","actions":[1]}]"#, false),
            (r#"[{"type":"records"}]"#, false),
            (r#"[{"type":"payments","actions":["read"]}]"#, false),
            (r#"[{"actions":["read"]}]"#, false),
            (
                r#"[{"type":"records","actions":["read"],"amount":"1"}]"#,
                false,
            ),
            (
                r#"[{"type":"records","actions":["read"],"hospital":{}}]"#,
                false,
            ),
            (
                r#"[{"type":"records","actions":["read"],"hospital":"a\nb"}]"#,
                false,
            ),
            (
                r#"[{"type":"records","type":"records","actions":["read"]}]"#,
                false,
            ),
            (
                r#"[{"type":"records","actions":["read"],"locations":["https://evil.example"]}]"#,
                false,
            ),
            (&long, false),
            ("[]", false),
            (r#"{"type":"records","actions":["read"]}"#, false),
            ("[1]", false),
            ("records", false),
        ] {
            let read = parse(text, &types());
            assert_eq!(read.is_ok(), good, "{text}: {read:?}");
            if let Err(error) = read {
                assert_eq!(error.code, ErrorCode::InvalidAuthorizationDetails);
            }
        }
    }

    #[test]
    fn granted_details_can_be_narrowed_only() {
        let details = |text: &str| parse(text, &types()).unwrap();
        let granted = details(r#"[{"type":"records","actions":["read","list"],"hospital":"a"}]"#);
        for (asked, within_it) in [
            (
                r#"[{"type":"records","actions":["read","list"],"hospital":"a"}]"#,
                true,
            ),
            (
                r#"[{"type":"records","actions":["read"],"hospital":"a"}]"#,
                true,
            ),
            (
                r#"[{"type":"records","actions":["read"],"hospital":"b"}]"#,
                false,
            ),
            (r#"[{"type":"records","actions":["read"]}]"#, false),
        ] {
            assert_eq!(within(&details(asked), &granted), within_it, "{asked}");
        }
        assert!(!within(&granted, &[]));
    }

    #[test]
    fn places_and_words() {
        let text =
            r#"[{"type":"records","actions":["read","list"],"locations":["https://a.example"]}]"#;
        let detail = &parse(text, &types()).unwrap()[0];
        assert!(detail.is_at("https://a.example") && !detail.is_at("https://b.example"));
        assert!(!detail.concerns(&["https://b.example".to_owned()]));
        let words = detail.in_words(&types(), "en").unwrap();
        assert_eq!(words.text, "Read medical records");
        assert_eq!(
            words.facts[0],
            ("「actions」".to_owned(), "read, list".to_owned())
        );
        assert_eq!(detail.in_words(&[], "en"), None);
    }
}
