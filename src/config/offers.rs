//! What a provider offers beyond logins: resources of others that tokens may be for, kinds of fine-grained authorization,
//! exchanges of tokens, and the floor under its own UserInfo. Tables of `[entity.provider]`; all empty by default.

use std::collections::BTreeSet;

use serde::Deserialize;

/// `[[entity.provider.resources]]`: a resource server that access tokens may be for (RFC 8707).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// As `resource` and `aud` name it, character for character.
    pub uri: String,
    /// What people call it.
    pub name: String,
    #[serde(default, rename = "name#en")]
    pub name_en: Option<String>,
    /// What can be done there; at least one, each of one resource only.
    pub scopes: Vec<ResourceScope>,
    /// The clients that are this resource: they may introspect tokens made out to it.
    #[serde(default)]
    pub servers: Vec<String>,
}

/// A scope of a resource, with the words in which people are asked for it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceScope {
    pub name: String,
    pub text: String,
    #[serde(default, rename = "text#en")]
    pub text_en: Option<String>,
}

/// `[[entity.provider.authorization_details]]`: a type of `authorization_details` (RFC 9396 §2).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetailType {
    #[serde(rename = "type")]
    pub kind: String,
    /// What it allows, for people.
    pub text: String,
    #[serde(default, rename = "text#en")]
    pub text_en: Option<String>,
    /// The members it may have besides `type`; any other is refused.
    #[serde(default)]
    pub members: Vec<DetailMember>,
}

/// A member of a type: a text or a list of texts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetailMember {
    pub name: String,
    pub text: String,
    #[serde(default, rename = "text#en")]
    pub text_en: Option<String>,
    #[serde(default)]
    pub required: bool,
    /// The values it may have; empty: any short text.
    #[serde(default)]
    pub values: Vec<String>,
}

/// `[[entity.provider.exchanges]]`: one client may exchange these tokens for tokens of these resources (RFC 8693).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Who may exchange.
    pub client: String,
    /// The clients whose tokens it may bring.
    pub subjects: Vec<String>,
    /// What kinds of them.
    #[serde(default = "access_tokens")]
    pub subject_types: Vec<TokenKind>,
    /// For which resources.
    pub resources: Vec<String>,
    /// Only with an actor: the new token then says who acts.
    #[serde(default)]
    pub actor_required: bool,
}

/// A kind of token that may be brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    AccessToken,
    IdToken,
}

fn access_tokens() -> Vec<TokenKind> {
    vec![TokenKind::AccessToken]
}

/// `[entity.provider.userinfo_floor]`: what a login must have been for UserInfo to answer (RFC 9470).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// The least `acr`, as a whole value.
    #[serde(default)]
    pub acr: Option<String>,
    /// Seconds since the login at most.
    #[serde(default)]
    pub max_age: Option<i64>,
    /// The floor is under tokens that hold one of these scopes; empty: under all.
    #[serde(default)]
    pub scopes: Vec<String>,
}

impl Resource {
    pub fn has_scope(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.name == name)
    }
}

/// The text for a page in the language `tag` (RFC 5646): Chinese unless there is an English one and it is asked for.
pub fn in_language<'a>(tag: &str, chinese: &'a str, english: Option<&'a str>) -> &'a str {
    english.filter(|_| tag == "en").unwrap_or(chinese)
}

/// What is wrong with these tables, each in a sentence. `taken`: scopes that the provider has itself.
pub fn problems(settings: &super::provider::Provider, taken: &[&str]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut uris = BTreeSet::new();
    let mut scopes: BTreeSet<&str> = taken.iter().copied().collect();
    for resource in &settings.resources {
        let uri = &resource.uri;
        // RFC 8707 §2.
        let fits = url::Url::parse(uri).is_ok_and(|u| u.fragment().is_none());
        if !fits {
            problems.push(format!(
                "resource `{uri}` must be an absolute URI without fragment"
            ));
        }
        if !uris.insert(uri.as_str()) {
            problems.push(format!("resource `{uri}` is there twice"));
        }
        if resource.scopes.is_empty() {
            problems.push(format!("resource `{uri}` has no scopes"));
        }
        for scope in &resource.scopes {
            if !scopes.insert(&scope.name) {
                problems.push(format!(
                    "scope `{}` of resource `{uri}` belongs to another already",
                    scope.name
                ));
            }
        }
    }
    let mut kinds = BTreeSet::new();
    for detail in &settings.authorization_details {
        if !kinds.insert(detail.kind.as_str()) {
            problems.push(format!(
                "authorization_details type `{}` is there twice",
                detail.kind
            ));
        }
        if detail.members.iter().any(|m| m.name == "type") {
            problems.push(format!(
                "authorization_details type `{}`: `type` is no member of its own",
                detail.kind
            ));
        }
    }
    for exchange in &settings.exchanges {
        for uri in exchange
            .resources
            .iter()
            .filter(|uri| !uris.contains(uri.as_str()))
        {
            problems.push(format!(
                "exchange of `{}`: resource `{uri}` is not configured",
                exchange.client
            ));
        }
    }
    if let Some(floor) = &settings.userinfo_floor {
        let known = |acr: &String| {
            acr.strip_prefix(settings.acr_base.as_str())
                .is_some_and(|level| ["L1", "L2", "L3", "L4"].contains(&level))
        };
        if !floor.acr.as_ref().is_none_or(known) {
            problems.push("userinfo_floor: acr is none of this provider's".to_owned());
        }
        if floor.acr.is_none() && floor.max_age.is_none() {
            problems.push("userinfo_floor needs acr or max_age".to_owned());
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::provider::Provider;

    #[test]
    fn what_does_not_fit_is_said() {
        let settings = |text: &str| toml::from_str::<Provider>(text).unwrap();
        let resource = |uri: &str, scope: &str| {
            format!(
                "[[resources]]\nuri = \"{uri}\"\nname = \"健康档案\"\n\"name#en\" = \"Health\"\nscopes = [{{ name = \"{scope}\", text = \"查看\" }}]\n"
            )
        };
        let exchange = |uri: &str| {
            format!(
                "[[exchanges]]\nclient = \"gw\"\nsubjects = [\"shop\"]\nresources = [\"{uri}\"]\n"
            )
        };
        for (text, said) in [
            (resource("https://a.example", "a.read"), None),
            (resource("records", "a.read"), Some("absolute URI")),
            (resource("https://a.example/#x", "a.read"), Some("absolute URI")),
            (resource("https://a.example", "openid"), Some("belongs to another")),
            (
                resource("https://a.example", "a") + &resource("https://a.example", "b"),
                Some("there twice"),
            ),
            (
                "[[resources]]\nuri = \"https://a.example\"\nname = \"a\"\nscopes = []\n".to_owned(),
                Some("no scopes"),
            ),
            (
                resource("https://a.example", "a") + &exchange("https://a.example"),
                None,
            ),
            (exchange("https://a.example"), Some("not configured")),
            ("[userinfo_floor]\nacr = \"https://hefu.example/acr/L2\"\n".to_owned(), None),
            ("[userinfo_floor]\nacr = \"L2\"\n".to_owned(), Some("none of this provider's")),
            ("[userinfo_floor]\n".to_owned(), Some("acr or max_age")),
            (
                "[[authorization_details]]\ntype = \"x\"\ntext = \"x\"\nmembers = [{ name = \"type\", text = \"x\" }]\n".to_owned(),
                Some("no member"),
            ),
            ("device_code_interval = 0\n".to_owned(), Some("device_code_interval")),
        ] {
            let problems = settings(&text).problems().join("; ");
            match said {
                None => assert_eq!(problems, "", "{text}"),
                Some(said) => assert!(problems.contains(said), "{text}: {problems}"),
            }
        }
    }
}
