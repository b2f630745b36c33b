//! `[entity.portal]`: a relying party of the federation. Which anchors it trusts is said in the entity's federation section.

use serde::Deserialize;

use crate::oauth::{Algorithm, Scope};

/// Settings of a portal.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Portal {
    /// Code name of the brand that its pages wear; one that is not in the table wears `name` in neutral colours.
    pub brand: String,
    /// What the portal calls itself. Login pages show what its superior calls it.
    pub name: String,
    /// The place it serves, as its page says it: 广东省.
    pub region: String,
    /// Entity identifier (issuer) of the provider that citizens log in at.
    pub provider: String,
    /// What is asked for at every login. `openid` is added when it is missing; `offline_access` only with `offline_access = true`.
    pub scope: Scope,
    /// `acr_values` asked for at every login, space separated; empty: whatever the citizen has. A login below all of them is refused.
    pub acr_values: String,
    /// The algorithm that ID Tokens and logout tokens for this portal must be signed with.
    pub id_token_signed_response_alg: Algorithm,
    /// The algorithm of our request objects and client assertions; the key ring must hold a `client` key for it.
    pub signing_alg: Algorithm,
    /// How the provider comes to know us.
    pub registration: Registration,
    /// How the signed request reaches the provider.
    pub request: RequestMode,
    /// Sends our own trust chain in the request object's header, so that the provider need not collect it. Makes the request some
    /// kilobytes longer: best together with `request = "pushed"`.
    pub send_trust_chain: bool,
    /// Asks for a refresh token and keeps it with the session.
    pub offline_access: bool,
    /// Asks the provider to tell the end of a session through the browser as well: for where its servers cannot reach ours. The citizen
    /// then sees the provider's signed-out page for a moment on the way back.
    pub frontchannel_logout: bool,
    /// Seconds that a session at this portal lives.
    pub session_lifetime: i64,
    /// Seconds that a citizen has to come back from the provider. Must exceed the time that creating an account takes.
    pub login_lifetime: i64,
    /// Seconds that request objects and client assertions live. The provider keeps their `jti` as long, so it is short.
    pub assertion_lifetime: i64,
}

/// How a provider comes to know a portal (OpenID Federation 1.0 §12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// By the portal's entity configuration, when the first citizen comes.
    #[default]
    Automatic,
    /// The portal registers itself beforehand, and again before the registration ends.
    Explicit,
}

impl Registration {
    /// Its name in metadata.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Explicit => "explicit",
        }
    }
}

/// How the request object travels (OpenID Federation 1.0 §12.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestMode {
    /// In the query of the authorization request.
    #[default]
    Value,
    /// Pushed to the provider first (RFC 9126).
    Pushed,
}

impl Default for Portal {
    fn default() -> Self {
        Self {
            brand: String::new(),
            name: String::new(),
            region: String::new(),
            provider: String::new(),
            scope: Scope::parse("openid real_name").unwrap_or_default(),
            acr_values: String::new(),
            id_token_signed_response_alg: Algorithm::ES256,
            signing_alg: Algorithm::ES256,
            registration: Registration::Automatic,
            request: RequestMode::Value,
            send_trust_chain: false,
            offline_access: false,
            frontchannel_logout: false,
            session_lifetime: 8 * 3600,
            login_lifetime: 3600,
            assertion_lifetime: 120,
        }
    }
}

impl Portal {
    /// The scope as it is sent: with `openid`, and with `offline_access` exactly when that is wanted.
    pub fn requested_scope(&self) -> Scope {
        let mut names = vec![Scope::OPENID];
        names.extend(
            self.scope
                .iter()
                .filter(|n| *n != Scope::OPENID && *n != Scope::OFFLINE_ACCESS),
        );
        if self.offline_access {
            names.push(Scope::OFFLINE_ACCESS);
        }
        Scope::parse(&names.join(" ")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_section_and_refuses_what_it_does_not_know() {
        let portal: Portal = toml::from_str(
            "provider = \"http://id.localhost:1\"\nid_token_signed_response_alg = \"EdDSA\"\nrequest = \"pushed\"\nscope = \"real_name offline_access\"",
        )
        .unwrap();
        assert_eq!(portal.id_token_signed_response_alg, Algorithm::EdDSA);
        assert_eq!(portal.request, RequestMode::Pushed);
        assert_eq!(portal.registration, Registration::Automatic);
        assert_eq!(portal.requested_scope().to_string(), "openid real_name");
        assert!(toml::from_str::<Portal>("id_token_signed_response_alg = \"none\"").is_err());
        assert!(toml::from_str::<Portal>("providers = \"x\"").is_err());
        let offline = Portal {
            offline_access: true,
            ..Portal::default()
        };
        assert_eq!(
            offline.requested_scope().to_string(),
            "openid real_name offline_access"
        );
    }
}
