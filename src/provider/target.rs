//! What a token is for: the resources it is made out to (RFC 8707), with the scope and the details that mean something
//! there. Asked at authorization, narrowed at the token endpoint, never widened.

use serde_json::{Map, Value, json};

use super::claims::SCOPES;
use super::details::{self, Detail};
use super::grants::Terms;
use super::request::Parameters;
use crate::client::Client;
use crate::config::offers::{DetailType, Resource};
use crate::config::provider::Provider;
use crate::oauth::{Error, ErrorCode, Scope};

/// The most resources of one request.
const MOST: usize = 10;

/// What tokens can be for at this provider: itself, and what it is configured to offer.
#[derive(Clone, Copy, Debug)]
pub struct Offered<'a> {
    pub issuer: &'a str,
    pub resources: &'a [Resource],
    pub types: &'a [DetailType],
}

/// What one access token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    pub audience: Vec<String>,
    pub scope: Scope,
    pub details: Vec<Detail>,
}

impl Aim {
    /// What of it stands in a token and beside it: `scope` (RFC 9068 §2.2.3) and `authorization_details` (RFC 9396 §7, §9.1).
    pub fn say_in(&self, payload: &mut Map<String, Value>) {
        if !self.scope.is_empty() {
            payload.insert("scope".to_owned(), self.scope.to_string().into());
        }
        if !self.details.is_empty() {
            payload.insert("authorization_details".to_owned(), json!(self.details));
        }
    }
}

impl<'a> Offered<'a> {
    pub fn of(issuer: &'a str, settings: &'a Provider) -> Self {
        Self {
            issuer,
            resources: &settings.resources,
            types: &settings.authorization_details,
        }
    }

    fn find(&self, uri: &str) -> Option<&'a Resource> {
        self.resources.iter().find(|resource| resource.uri == uri)
    }

    fn has(&self, uri: &str) -> bool {
        uri == self.issuer || self.find(uri).is_some()
    }

    /// The resources of an authorization request, each once. The provider itself is one: UserInfo.
    pub fn resources(&self, parameters: &Parameters) -> Result<Vec<String>, Error> {
        let mut asked: Vec<String> = Vec::new();
        for uri in parameters.all("resource") {
            if !self.has(uri) {
                return Err(invalid("the resource is not known here"));
            }
            if !asked.contains(uri) {
                asked.push(uri.clone());
            }
        }
        if asked.len() > MOST {
            return Err(invalid("too many resources"));
        }
        Ok(asked)
    }

    /// The details of an authorization request, of types that the client may send.
    pub fn details(&self, parameters: &Parameters, client: &Client) -> Result<Vec<Detail>, Error> {
        let Some(text) = parameters.get("authorization_details") else {
            return Ok(Vec::new());
        };
        let details = details::parse(text, self.types)?;
        // RFC 9396 §10: what it registered is what it will use.
        if details
            .iter()
            .all(|detail| client.may_detail(detail.kind()))
        {
            Ok(details)
        } else {
            Err(Error::new(
                ErrorCode::InvalidAuthorizationDetails,
                "the client has not registered this type",
            ))
        }
    }

    /// Whether `scope` means something at one of `audience`; those of other resources are asked for together with them.
    pub fn means(&self, scope: &str, audience: &[String]) -> bool {
        audience.iter().any(|uri| {
            if uri == self.issuer {
                SCOPES.iter().any(|(own, _)| *own == scope)
            } else {
                self.find(uri).is_some_and(|r| r.has_scope(scope))
            }
        })
    }

    /// Whether anything would be allowed at `uri`: people agree to scopes and details, and a token that has neither there
    /// would be worth something by its audience alone.
    pub fn allows(&self, uri: &str, scope: &Scope, details: &[Detail]) -> bool {
        let here = [uri.to_owned()];
        scope.iter().any(|name| self.means(name, &here))
            || details.iter().any(|detail| detail.is_at(uri))
    }

    /// Each of `audience` must allow something.
    pub fn check(
        &self,
        audience: &[String],
        scope: &Scope,
        details: &[Detail],
    ) -> Result<(), Error> {
        if audience.iter().all(|uri| self.allows(uri, scope, details)) {
            Ok(())
        } else {
            Err(invalid(
                "nothing that this resource has was asked for, or the client may not have it",
            ))
        }
    }

    /// What a token of a grant with these terms is for. `asked`: the `resource` parameters of the token request; without
    /// them, all that was granted (RFC 8707 §2.2). `scope`: within the grant's.
    pub fn aim(
        &self,
        terms: &Terms,
        scope: &Scope,
        asked: &[String],
        details: Option<&str>,
    ) -> Result<Aim, Error> {
        let itself = [self.issuer.to_owned()];
        let granted: &[String] = if terms.resources.is_empty() {
            &itself
        } else {
            &terms.resources
        };
        if asked.iter().any(|uri| !granted.contains(uri)) {
            return Err(invalid("the resource was not granted"));
        }
        let mut audience: Vec<String> = Vec::new();
        for uri in if asked.is_empty() { granted } else { asked } {
            // One that is configured no more is no place to send tokens to.
            if self.has(uri) && !audience.contains(uri) {
                audience.push(uri.clone());
            }
        }
        let mut kept = terms.details.clone();
        if let Some(text) = details {
            let narrower = details::parse(text, self.types)?;
            if !details::within(&narrower, &kept) {
                return Err(Error::new(
                    ErrorCode::InvalidAuthorizationDetails,
                    "authorization_details is wider than what was granted",
                ));
            }
            kept = narrower;
        }
        if asked.is_empty() {
            audience.retain(|uri| self.allows(uri, scope, &kept));
        } else {
            self.check(&audience, scope, &kept)?;
        }
        if audience.is_empty() {
            return Err(invalid("nothing of the resources is left"));
        }
        if !terms.resources.is_empty() {
            kept.retain(|detail| detail.concerns(&audience));
        }
        Ok(Aim {
            scope: scope.filtered(|name| self.means(name, &audience)),
            audience,
            details: kept,
        })
    }
}

fn invalid(text: &'static str) -> Error {
    Error::new(ErrorCode::InvalidTarget, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::offers::ResourceScope;

    fn resource(uri: &str, scope: &str) -> Resource {
        Resource {
            uri: uri.to_owned(),
            name: "r".to_owned(),
            name_en: None,
            scopes: vec![ResourceScope {
                name: scope.to_owned(),
                text: "t".to_owned(),
                text_en: None,
            }],
            servers: Vec::new(),
        }
    }

    #[test]
    fn resources_are_asked_by_their_exact_names_and_with_something_to_do() {
        let resources = [resource("https://a.example", "a.read")];
        let offered = Offered {
            issuer: "https://id.example",
            resources: &resources,
            types: &[],
        };
        let asked = |query: &str| offered.resources(&Parameters::parse(query.as_bytes()));
        let a = || "https://a.example".to_owned();
        assert_eq!(asked("scope=openid"), Ok(Vec::new()));
        assert_eq!(
            asked(
                "resource=https://a.example&resource=https://id.example&resource=https://a.example"
            ),
            Ok(vec![a(), "https://id.example".to_owned()])
        );
        for wrong in [
            "https://a.example/",
            "https://b.example",
            "a",
            "https://a.example#x",
        ] {
            let query = format!("resource={}", wrong.replace('#', "%23"));
            assert_eq!(
                asked(&query).unwrap_err().code,
                ErrorCode::InvalidTarget,
                "{wrong}"
            );
        }
        let scope = |text| Scope::parse(text).unwrap();
        assert!(offered.check(&[a()], &scope("openid a.read"), &[]).is_ok());
        assert!(
            offered
                .check(&[a()], &scope("openid profile"), &[])
                .is_err()
        );
        assert!(offered.means("profile", &["https://id.example".to_owned()]));
        assert!(!offered.means("profile", &[a()]));
    }

    #[test]
    fn no_resource_may_take_a_scope_of_ours() {
        for (own, _) in SCOPES {
            let settings = Provider {
                resources: vec![resource("https://a.example", own)],
                ..Provider::default()
            };
            assert_eq!(settings.problems().len(), 1, "{own}");
        }
    }
}
