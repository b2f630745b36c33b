//! Names as a superior vouches for them (OpenID Federation 1.0 §5.2.2), in the languages it gives.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::federation::entity::{FEDERATION_ENTITY, OPENID_RELYING_PARTY};
use crate::federation::statement::EntityStatement;

/// A text in several languages: `name` and `name#tag`. The empty tag is the text without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Localized(BTreeMap<String, String>);

impl Localized {
    /// Reads one parameter and its language variants; none when there is no usable text.
    pub fn parse(members: &Map<String, Value>, name: &str) -> Option<Self> {
        let mut texts = BTreeMap::new();
        for (member, value) in members {
            let tag = match member.strip_prefix(name) {
                Some("") => "",
                Some(rest) => match rest.strip_prefix('#') {
                    Some(tag) => tag,
                    None => continue,
                },
                None => continue,
            };
            if let Some(text) = value.as_str().and_then(shown) {
                texts.insert(tag.to_ascii_lowercase(), text);
            }
        }
        (!texts.is_empty()).then_some(Self(texts))
    }

    /// The text for the first of `languages` that fits: exactly, then by its primary subtag, then without language.
    pub fn best(&self, languages: &[&str]) -> &str {
        let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_owned();
        languages
            .iter()
            .find_map(|wanted| {
                let wanted = wanted.to_ascii_lowercase();
                self.0.get(&wanted).or_else(|| {
                    let same = |tag: &&String| !tag.is_empty() && primary(tag) == primary(&wanted);
                    self.0.keys().find(same).and_then(|tag| self.0.get(tag))
                })
            })
            .or_else(|| self.0.get(""))
            .or_else(|| self.0.values().next())
            .map_or("", String::as_str)
    }
}

/// The name under which an immediate superior presents a relying party.
pub(super) fn of_relying_party(statement: &EntityStatement) -> Option<Localized> {
    named(
        statement,
        OPENID_RELYING_PARTY,
        &["client_name", "display_name", "organization_name"],
    )
    .or_else(|| of_federation_entity(statement))
}

pub(super) fn of_federation_entity(statement: &EntityStatement) -> Option<Localized> {
    named(
        statement,
        FEDERATION_ENTITY,
        &["display_name", "organization_name"],
    )
}

pub(super) fn logo_of_relying_party(statement: &EntityStatement) -> Option<String> {
    [OPENID_RELYING_PARTY, FEDERATION_ENTITY]
        .into_iter()
        .find_map(|entity_type| {
            let logo = statement
                .metadata
                .get(entity_type)?
                .get("logo_uri")?
                .as_str()?;
            url::Url::parse(logo)
                .is_ok_and(|url| url.scheme() == "https")
                .then(|| logo.to_owned())
        })
}

fn named(statement: &EntityStatement, entity_type: &str, names: &[&str]) -> Option<Localized> {
    let members = statement.metadata.get(entity_type)?.as_object()?;
    names
        .iter()
        .find_map(|name| Localized::parse(members, name))
}

/// Even a vouched-for name is one line of bearable length without characters that rearrange what stands around it.
fn shown(text: &str) -> Option<String> {
    let rearranging = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let text: String = text.chars().filter(|c| !rearranging(*c)).take(80).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_best_language_is_chosen() {
        let members = json!({
            "display_name": "Guangdong", "display_name#zh-Hans": "广东", "display_name#en": "Guangdong Province",
            "display_name_other": "x", "display_name#fr": ""
        });
        let name = Localized::parse(members.as_object().unwrap(), "display_name").unwrap();
        assert_eq!(name.best(&["zh-Hans"]), "广东");
        assert_eq!(name.best(&["zh-CN", "en"]), "广东");
        assert_eq!(name.best(&["en-GB"]), "Guangdong Province");
        assert_eq!(name.best(&["fr"]), "Guangdong");
        assert_eq!(name.best(&[]), "Guangdong");
        assert_eq!(
            Localized::parse(members.as_object().unwrap(), "client_name"),
            None
        );
        let members = json!({"client_name": "粤省事", "client_name#en": "Yueshengshi"});
        let name = Localized::parse(members.as_object().unwrap(), "client_name").unwrap();
        assert_eq!(name.best(&["zh-CN", "zh"]), "粤省事");
        assert_eq!(name.best(&["en"]), "Yueshengshi");
    }

    #[test]
    fn characters_that_rearrange_a_line_are_left_out() {
        let members = json!({"client_name": "粤\u{202e}省\n事 𠮷"});
        let name = Localized::parse(members.as_object().unwrap(), "client_name").unwrap();
        assert_eq!(name.best(&["zh"]), "粤省事 𠮷");
    }
}
