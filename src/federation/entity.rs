//! Entity identifiers and entity type names (OpenID Federation 1.0 §1.1, §1.2, §5.1).

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

pub const FEDERATION_ENTITY: &str = "federation_entity";
pub const OPENID_PROVIDER: &str = "openid_provider";
pub const OPENID_RELYING_PARTY: &str = "openid_relying_party";

/// An entity identifier: a URL with a host, without query, fragment and userinfo, kept character for character.
///
/// Two identifiers are the same entity only when they are equal code point by code point (§16): nothing is
/// normalised, folded or stripped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct EntityId(String);

/// Which schemes a deployment accepts in entity identifiers and federation endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Schemes {
    #[default]
    HttpsOnly,
    /// The demonstration: also `http` on `localhost` and names below it, which browsers and `outbound` keep on loopback.
    HttpsOrLoopbackHttp,
}

impl Schemes {
    pub const fn of_demo(plain_http: bool) -> Self {
        if plain_http {
            Self::HttpsOrLoopbackHttp
        } else {
            Self::HttpsOnly
        }
    }

    pub fn allow(self, url: &Url) -> bool {
        match url.scheme() {
            "https" => true,
            "http" => {
                self == Self::HttpsOrLoopbackHttp
                    && matches!(url.host(), Some(url::Host::Domain(host)) if host == "localhost" || host.ends_with(".localhost"))
            }
            _ => false,
        }
    }
}

impl EntityId {
    /// Long enough for any host with a generous path; bounds what indexes, caches and logs must hold.
    pub const MAX_LENGTH: usize = 2048;

    pub fn parse(text: &str, schemes: Schemes) -> Result<Self, InvalidEntityId> {
        if text.len() > Self::MAX_LENGTH {
            return Err(InvalidEntityId("is too long"));
        }
        // `url` forgives blanks, control characters and backslashes; an identifier that is compared by code point may not.
        if text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || c == '\\')
        {
            return Err(InvalidEntityId(
                "holds a blank, control character or backslash",
            ));
        }
        let url = Url::parse(text).map_err(|_| InvalidEntityId("is not a URL"))?;
        if !schemes.allow(&url) {
            return Err(InvalidEntityId("has a scheme that is not allowed here"));
        }
        let authority = text.split_once("://").map(|(_, rest)| rest);
        if authority.is_none_or(|rest| rest.starts_with('/')) || !url.has_host() {
            return Err(InvalidEntityId("has no host"));
        }
        // Looked for in the text too: `url` drops an empty query, fragment or userinfo.
        if text.contains(['?', '#']) {
            return Err(InvalidEntityId("has a query or a fragment"));
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || authority.is_some_and(|rest| rest.split('/').next().is_some_and(|a| a.contains('@')))
        {
            return Err(InvalidEntityId("has user information"));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }

    /// The host as lower-case A-labels, or the address in its canonical form.
    pub fn host(&self) -> String {
        Url::parse(&self.0)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// §9: one trailing slash is stripped, then the well-known path is appended behind the path.
    pub fn configuration_url(&self) -> String {
        let base = self.0.strip_suffix('/').unwrap_or(&self.0);
        format!("{base}/.well-known/openid-federation")
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for EntityId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for EntityId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Configuration files and the database are trusted with the demonstration's scheme; strangers' identifiers go
/// through `parse` with the deployment's rule.
impl<'de> Deserialize<'de> for EntityId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text, Schemes::HttpsOrLoopbackHttp).map_err(serde::de::Error::custom)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the entity identifier {0}")]
pub struct InvalidEntityId(pub &'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers() {
        let good = [
            "https://a.example",
            "https://a.example/",
            "https://a.example:8443/path/of/it",
            "https://粤.example",
            "https://A.example",
        ];
        for text in good {
            assert_eq!(
                EntityId::parse(text, Schemes::HttpsOnly).unwrap().as_str(),
                text
            );
        }
        let bad = [
            "",
            "a.example",
            "https://",
            "https:///a.example",
            "https:a.example",
            "http://a.example",
            "ftp://a.example",
            "urn:a",
            "https://a.example?",
            "https://a.example?x=1",
            "https://a.example#",
            "https://a.example/#f",
            "https://u@a.example",
            "https://@a.example",
            "https://u:p@a.example",
            " https://a.example",
            "https://a.example\n",
            "https://a.exa\tmple",
            "https:\\\\a.example",
            "http://id.localhost:8080",
        ];
        for text in bad {
            assert!(
                EntityId::parse(text, Schemes::HttpsOnly).is_err(),
                "{text:?}"
            );
        }
        assert!(
            EntityId::parse(
                &format!("https://a.example/{}", "x".repeat(3000)),
                Schemes::HttpsOnly
            )
            .is_err()
        );
    }

    #[test]
    fn plain_http_only_on_loopback_names_and_only_when_allowed() {
        let demo = Schemes::HttpsOrLoopbackHttp;
        assert!(EntityId::parse("http://id.localhost:8080", demo).is_ok());
        assert!(EntityId::parse("https://id.localhost:8080", demo).is_ok());
        for text in [
            "http://a.example",
            "http://127.0.0.1",
            "http://localhost.example",
            "http://xlocalhost",
        ] {
            assert!(EntityId::parse(text, demo).is_err(), "{text}");
        }
    }

    #[test]
    fn the_well_known_path_is_appended() {
        for (id, url) in [
            (
                "https://a.example",
                "https://a.example/.well-known/openid-federation",
            ),
            (
                "https://a.example/",
                "https://a.example/.well-known/openid-federation",
            ),
            (
                "https://a.example/gd",
                "https://a.example/gd/.well-known/openid-federation",
            ),
            (
                "https://a.example/gd//",
                "https://a.example/gd//.well-known/openid-federation",
            ),
        ] {
            assert_eq!(
                EntityId::parse(id, Schemes::HttpsOnly)
                    .unwrap()
                    .configuration_url(),
                url
            );
        }
    }

    #[test]
    fn a_trailing_slash_makes_another_entity() {
        let parse = |text| EntityId::parse(text, Schemes::HttpsOnly).unwrap();
        assert_ne!(parse("https://a.example"), parse("https://a.example/"));
        assert_ne!(parse("https://a.example"), parse("https://A.example"));
    }
}
