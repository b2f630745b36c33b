//! `[entity.provider]`: lifetimes and switches of the OpenID Provider.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::offers;
use crate::oauth::{ResponseType, Scope};

/// The scopes of `provider::claims`, which no resource may take.
const OWN_SCOPES: [&str; 7] = [
    "openid",
    "profile",
    "phone",
    "address",
    "email",
    "offline_access",
    "real_name",
];

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
    /// `/revoke` (RFC 7009).
    pub revocation: bool,
    /// `/introspect` (RFC 7662): a client's own tokens, and a resource's by `servers` of `resources`.
    pub introspection: bool,
    /// `/device_authorization` (RFC 8628), for clients that registered the grant type. Off unless a deployment has devices
    /// without a browser: people can be talked into typing somebody else's code.
    pub device_grant: bool,
    pub device_code_lifetime: i64,
    /// Seconds between two polls of a device.
    pub device_code_interval: i64,
    pub resources: Vec<offers::Resource>,
    pub authorization_details: Vec<offers::DetailType>,
    pub exchanges: Vec<offers::Exchange>,
    pub userinfo_floor: Option<offers::Floor>,
    /// What the authorization endpoint may be asked for: `code`, and where wanted `id_token`, `id_token token`, `code id_token`,
    /// `code token`, `code id_token token`. With any of these, tokens travel through browsers; leave them off unless certification
    /// or an old client needs them.
    pub response_types: Vec<ResponseType>,
    /// Lets platforms watch from a hidden frame whether the person is still logged in (OIDC Session Management 1.0). The session's cookie
    /// then goes to other sites' frames too.
    pub session_management: bool,
    /// Which trust marks allow what (OpenID Federation 1.0 §7).
    pub marks: Marks,
    /// Clients registered by hand, each a table with the metadata names of OIDC Dynamic Client Registration 1.0 and
    /// `client_id`, `client_secret`.
    pub clients: Vec<Map<String, Value>>,
    /// Whether clients may register themselves (OIDC Dynamic Client Registration 1.0, RFC 7591).
    pub registration: Registration,
    /// Initial access tokens beside those of `hefu client registration-token`, each as the SHA-256 of its text in hex.
    pub registration_tokens: Vec<TokenHash>,
    /// The scopes that a client may be given that registered itself: nobody has looked at it, so no real name.
    pub registration_scope: Scope,
    /// Whether relying parties of the federation may register explicitly (OpenID Federation 1.0 §12.2), beside being registered
    /// automatically.
    pub explicit_registration: bool,
    /// Registrations that may come from one address in an hour.
    pub registrations_per_hour: i64,
    /// Days after which a client that registered itself and was never used is forgotten; 0: never.
    pub unused_registrations_days: i64,
    /// Whether request objects are fetched from a client's `request_uri` (OIDC Core 6.2).
    pub request_uri: bool,
    /// Only from addresses that the client registered (`request_uris`).
    pub require_request_uri_registration: bool,
}

/// Trust mark types, each the identifier under which the anchor lists its issuers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Marks {
    /// Lets a platform be told the full number of an identity document (`cn_id_number`). Without it nobody is.
    pub real_name_full: Option<String>,
    /// Lets a platform of the federation ask for logins at L4. Without it every platform may.
    pub level_4: Option<String>,
}

/// Who may register clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Operators only.
    #[default]
    Off,
    /// Whoever holds an initial access token.
    Token,
    /// Anybody.
    Open,
}

/// SHA-256 of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TokenHash(pub [u8; 32]);

impl TryFrom<String> for TokenHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut hash = [0; 32];
        let wrong = "must be the SHA-256 of a token in 64 hexadecimal digits";
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong);
        }
        for (place, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            *place = std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                .ok_or(wrong)?;
        }
        Ok(Self(hash))
    }
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
            revocation: true,
            introspection: true,
            device_grant: false,
            device_code_lifetime: 600,
            device_code_interval: 5,
            resources: Vec::new(),
            authorization_details: Vec::new(),
            exchanges: Vec::new(),
            userinfo_floor: None,
            response_types: vec![ResponseType::CODE],
            session_management: false,
            marks: Marks::default(),
            clients: Vec::new(),
            registration: Registration::Off,
            registration_tokens: Vec::new(),
            registration_scope: Scope::parse("openid profile phone email address offline_access")
                .unwrap_or_default(),
            explicit_registration: false,
            registrations_per_hour: 1000,
            unused_registrations_days: 30,
            request_uri: false,
            require_request_uri_registration: true,
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
            ("registrations_per_hour", self.registrations_per_hour),
            ("device_code_lifetime", self.device_code_lifetime),
            ("device_code_interval", self.device_code_interval),
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
        if self.unused_registrations_days < 0 {
            problems
                .push("unused_registrations_days is negative; 0 keeps registrations".to_owned());
        }
        if self.par_lifetime >= 600 {
            problems.push("par_lifetime must be under 600 (FAPI 2.0 §5.3.2.2)".to_owned());
        }
        if let Some(mtls) = &self.mtls
            && let Err(why) = super::Address::parse(&mtls.url, false)
        {
            problems.push(format!("mtls.url {why}"));
        }
        for (name, mark) in [
            ("marks.real_name_full", &self.marks.real_name_full),
            ("marks.level_4", &self.marks.level_4),
        ] {
            if mark
                .as_deref()
                .is_some_and(|mark| Url::parse(mark).is_err())
            {
                problems.push(format!("{name} is not a URL"));
            }
        }
        problems.extend(offers::problems(self, &OWN_SCOPES));
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_registers_unless_it_is_said() {
        let silent: Provider = toml::from_str("").unwrap();
        assert_eq!(silent.registration, Registration::Off);
        assert!(!silent.request_uri && silent.require_request_uri_registration);
        assert!(!silent.registration_scope.contains("real_name"));
        // printf token | sha256sum
        let hash = "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0";
        let said: Provider = toml::from_str(&format!(
            "registration = \"token\"\nregistration_tokens = [\"{hash}\"]"
        ))
        .unwrap();
        let [TokenHash(bytes)] = said.registration_tokens[..] else {
            panic!("one token")
        };
        assert_eq!((bytes[0], bytes[31]), (0x3c, 0xe0));
        for wrong in [
            "registration = \"yes\"",
            "registration_tokens = [\"token\"]",
        ] {
            assert!(toml::from_str::<Provider>(wrong).is_err(), "{wrong}");
        }
    }

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
