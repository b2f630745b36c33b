//! `[entity.provider]`: lifetimes and switches of the OpenID Provider.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::oauth::ResponseType;

/// Settings of the provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Provider {
    /// Base of the `acr` values; `L1` … `L4` are appended.
    pub acr_base: String,
    /// Seconds that a national session lives at most.
    pub session_lifetime: i64,
    /// Seconds of idleness after which sensitive acts ask again.
    pub session_idle: i64,
    pub code_lifetime: i64,
    pub access_token_lifetime: i64,
    pub id_token_lifetime: i64,
    pub refresh_token_lifetime: i64,
    pub consent_lifetime: i64,
    pub par_lifetime: i64,
    /// Logins that one source may begin in an hour, counting what must be stored for them: high, since a province may sit
    /// behind one address.
    pub begun_per_source: i64,
    /// Whether DPoP proofs must hold a nonce of ours (RFC 9449 §8): safe from proofs made in advance, one more round trip.
    pub dpop_nonces: bool,
    /// Where clients with certificates ask (RFC 8705); needs `[node] mtls_listen`. Without it there is no mutual TLS.
    pub mtls: Option<Mtls>,
    /// What the authorization endpoint may be asked for: `code`, and where wanted `id_token`, `id_token token`, `code id_token`,
    /// `code token`, `code id_token token`. With any of these, tokens travel through browsers; leave them off unless certification
    /// or an old client needs them.
    pub response_types: Vec<ResponseType>,
    /// Lets platforms watch from a hidden frame whether the person is still logged in (OIDC Session Management 1.0). The session's cookie
    /// then goes to other sites' frames too.
    pub session_management: bool,
    /// Clients registered by hand, each a table with the metadata names of OIDC Dynamic Client Registration 1.0 and
    /// `client_id`, `client_secret`.
    pub clients: Vec<Map<String, Value>>,
}

/// Mutual TLS.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mtls {
    /// Begins every endpoint alias: a host or a port of its own, so that browsers are never asked for a certificate.
    pub url: String,
    /// PEM file of the authorities that vouch for names in certificates. Without it `tls_client_auth` is not offered, and
    /// clients show certificates that they registered (`self_signed_tls_client_auth`).
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

impl Mtls {
    /// The alias of the endpoint at `path`.
    pub fn alias(&self, path: &str) -> String {
        format!("{}{path}", self.url.trim_end_matches('/'))
    }
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            acr_base: "https://hefu.example/acr/".to_owned(),
            session_lifetime: 12 * 3600,
            session_idle: 15 * 60,
            code_lifetime: 60,
            access_token_lifetime: 300,
            id_token_lifetime: 300,
            refresh_token_lifetime: 30 * 86_400,
            consent_lifetime: 365 * 86_400,
            par_lifetime: 90,
            begun_per_source: 20_000,
            dpop_nonces: false,
            mtls: None,
            response_types: vec![ResponseType::CODE],
            session_management: false,
            clients: Vec::new(),
        }
    }
}

impl Provider {
    /// What is wrong with the numbers, each in a sentence.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = super::not_positive(&[
            ("session_lifetime", self.session_lifetime),
            ("session_idle", self.session_idle),
            ("code_lifetime", self.code_lifetime),
            ("access_token_lifetime", self.access_token_lifetime),
            ("id_token_lifetime", self.id_token_lifetime),
            ("refresh_token_lifetime", self.refresh_token_lifetime),
            ("consent_lifetime", self.consent_lifetime),
            ("par_lifetime", self.par_lifetime),
            ("begun_per_source", self.begun_per_source),
        ]);
        if !self.response_types.contains(&ResponseType::CODE) {
            problems.push("response_types lacks code, which every client may ask for".to_owned());
        }
        if self.response_types.iter().any(|t| t.to_string() == "token") {
            problems.push(
                "response_types holds token alone, which OpenID Connect has no use for (Core 3)"
                    .to_owned(),
            );
        }
        if self.code_lifetime > 60 {
            problems.push(
                "code_lifetime is over 60: FAPI 2.0 §5.3.2.1 lets a code live 60 seconds at most"
                    .to_owned(),
            );
        }
        if self.par_lifetime >= 600 {
            problems.push("par_lifetime must be under 600 (FAPI 2.0 §5.3.2.2)".to_owned());
        }
        if let Some(mtls) = &self.mtls
            && let Err(why) = super::Address::parse(&mtls.url, false)
        {
            problems.push(format!("mtls.url {why}"));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_types_are_code_and_what_goes_with_it() {
        let read = |types: &str| toml::from_str::<Provider>(&format!("response_types = {types}"));
        assert_eq!(Provider::default().response_types, [ResponseType::CODE]);
        for (types, problems) in [
            (r#"["code"]"#, 0),
            (r#"["code", "token id_token", "code id_token token"]"#, 0),
            (r#"["id_token"]"#, 1),
            (r#"["code", "token"]"#, 1),
            ("[]", 1),
        ] {
            assert_eq!(read(types).unwrap().problems().len(), problems, "{types}");
        }
        for types in [r#"["none"]"#, r#"["code code"]"#, r#""code""#] {
            assert!(read(types).is_err(), "{types}");
        }
    }
}
