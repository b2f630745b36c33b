//! Relying parties as the provider knows them: what they may do, how they prove themselves, what people are shown of them.
//! All sources (configuration, database, federation) speak the metadata names of OpenID Connect Dynamic Client Registration 1.0
//! and come through one reader, `Client::parse`. Trust chains are walked in `federation`; requests are judged in `provider`.

mod loopback;
mod metadata;
pub mod one_use;
mod platform;
pub mod registered;
pub mod registration;
pub mod registration_token;

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::clock::UnixTime;
use crate::crypto::{CertificateName, ClientCertificate, constant_time_eq, sha256};
use crate::id::ClientId;
use crate::jose::{ClientSecret, JwkSet};
use crate::oauth::{Algorithm, Encryption, MacAlgorithm, ResponseType, Scope};

pub use metadata::MetadataError;
pub use platform::{Claimed, Hop, Name, Platform, Vouched};

/// Which rules hold for a client where specifications disagree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// OpenID Connect Core.
    Oidc,
    /// FAPI 2.0 Security Profile: chosen by the member `hefu_profile` of a registration.
    Fapi2,
    /// OpenID Federation 1.0 §12.1, automatic registration.
    Federation,
}

/// How a client proves itself at our endpoints; exactly one way each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Authentication {
    /// RFC 7523, with the client's own keys; under this algorithm only, if it registered one.
    PrivateKeyJwt(Option<Algorithm>),
    /// The same under the client's secret (OIDC Core 9, `client_secret_jwt`).
    SecretJwt(Option<MacAlgorithm>),
    SecretBasic,
    SecretPost,
    /// A certificate with the name `certificate_name`, vouched for by an authority of ours (RFC 8705 §2.1).
    TlsClientAuth,
    /// One of the certificates among its keys (RFC 8705 §2.2).
    SelfSignedTls,
    /// A public client; PKCE is what binds it.
    None,
}

/// What `sub` is made for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// The same at every public client.
    Public,
    /// Another at every sector (OIDC Core 8.1).
    Pairwise { sector: String },
}

/// Where and how a client is told that a session ended (OIDC Back-Channel Logout 1.0 §2.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackChannel {
    pub uri: Url,
    pub session_required: bool,
}

/// The page of a client that a browser loads when a session ends (OIDC Front-Channel Logout 1.0 §2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrontChannel {
    pub uri: Url,
    pub session_required: bool,
}

/// A relying party with everything that requests of it are judged by.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: ClientId,
    pub profile: Profile,
    /// None where no grant of the client begins at the authorization endpoint.
    pub redirect_uris: Vec<String>,
    /// An app on somebody's device (`application_type`).
    pub native: bool,
    /// What it may ask for at the authorization endpoint (OIDC Registration 2).
    pub response_types: Vec<ResponseType>,
    /// `grant_type` values that it may use.
    pub grant_types: BTreeSet<String>,
    pub post_logout_redirect_uris: Vec<String>,
    pub authentication: Authentication,
    /// SHA-256 of the random secret.
    pub secret: Option<[u8; 32]>,
    /// The name that the certificate of `TlsClientAuth` must bear.
    pub certificate_name: Option<CertificateName>,
    /// The secret itself, where a method needs it (`needs_clear_secret`).
    pub clear_secret: Option<ClientSecret>,
    /// When the secret stops working.
    pub secret_expires_at: Option<UnixTime>,
    /// The client's protocol keys; those behind `jwks_uri` are put here by `provider::clients`, when they are needed.
    pub keys: JwkSet,
    /// Where the client publishes its keys, instead of among its metadata.
    pub jwks_uri: Option<Url>,
    /// Where its request objects may be fetched from (OIDC Core 6.2).
    pub request_uris: Vec<String>,
    pub id_token_alg: Algorithm,
    /// ID Tokens are encrypted so, after they are signed.
    pub id_token_encryption: Option<Encryption>,
    /// UserInfo answers are signed so; `None`: they are not.
    pub userinfo_alg: Option<Algorithm>,
    pub userinfo_encryption: Option<Encryption>,
    /// RFC 9701 §6: under which its introspection answers are signed.
    pub introspection_alg: Algorithm,
    /// RFC 9701 §6: signed ones are encrypted so, besides.
    pub introspection_encryption: Option<Encryption>,
    /// Under which authorization answers are signed when the client asks for signed ones (JARM 3).
    pub authorization_alg: Algorithm,
    /// Signed authorization answers are encrypted so, besides.
    pub authorization_encryption: Option<Encryption>,
    /// When set, request objects must be signed under it.
    pub request_object_alg: Option<Algorithm>,
    pub subject: Subject,
    /// Levels of which one must be reached, whatever the request says (`default_acr_values` with `hefu_acr_required`).
    pub required_acr: Vec<String>,
    /// Levels wished for when the request wishes none.
    pub default_acr: Vec<String>,
    pub default_max_age: Option<i64>,
    pub require_auth_time: bool,
    pub require_pushed_requests: bool,
    /// Plain parameters are refused (`require_signed_request_object`, RFC 9101 §10.5).
    pub require_signed_requests: bool,
    /// Tokens only for a key whose possession is proven (`dpop_bound_access_tokens`, RFC 9449 §5.2).
    pub dpop_bound: bool,
    /// Tokens only for the certificate shown in TLS (`tls_client_certificate_bound_access_tokens`, RFC 8705 §3.4).
    pub certificate_bound: bool,
    pub back_channel: Option<BackChannel>,
    pub front_channel: Option<FrontChannel>,
    /// `None`: every scope the provider has.
    pub scope_limit: Option<Scope>,
    /// Its trust marks that count, where it comes from the federation.
    pub marks: Option<Vec<Mark>>,
    /// The types of `authorization_details` that it may send (RFC 9396 §10). `None`: every type the provider has.
    pub details_types: Option<Vec<String>>,
    /// What people are shown.
    pub platform: Platform,
}

/// A trust mark that counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    pub trust_mark_type: String,
    pub expires_at: Option<UnixTime>,
}

/// The algorithms under which tokens are issued.
pub const ISSUED: [Algorithm; 4] = [
    Algorithm::RS256,
    Algorithm::ES256,
    Algorithm::EdDSA,
    Algorithm::PS256,
];

impl Profile {
    /// What signs an answer when the client names no algorithm: RS256 (JARM 3), or the first of FAPI 2.0 §5.4.1 that we sign with.
    pub(crate) fn default_answer_alg(self) -> Algorithm {
        match self {
            Self::Fapi2 => Algorithm::FAPI
                .into_iter()
                .find(|alg| ISSUED.contains(alg))
                .unwrap_or(Algorithm::ES256),
            Self::Oidc | Self::Federation => Algorithm::RS256,
        }
    }
}

impl FrontChannel {
    /// FCL 2: absolute, no fragment, and of the scheme, host and port of a redirect URI.
    pub(crate) fn of(uri: Url, session_required: bool, redirect_uris: &[String]) -> Option<Self> {
        let ours = redirect_uris
            .iter()
            .filter_map(|known| Url::parse(known).ok())
            .any(|known| known.origin().is_tuple() && known.origin() == uri.origin());
        (ours && uri.fragment().is_none()).then_some(Self {
            uri,
            session_required,
        })
    }
}

impl Client {
    /// Whether PKCE may not be left out: public clients (RFC 9700 §2.1.1), those of the federation and of FAPI 2.0 (§5.3.2.2).
    pub fn requires_pkce(&self) -> bool {
        self.profile != Profile::Oidc || self.is_public()
    }

    /// Under which algorithms its assertions and request objects may be signed, where it registered none.
    pub fn algorithms(&self) -> &'static [Algorithm] {
        match self.profile {
            // FAPI 2.0 §5.4.1.
            Profile::Fapi2 => &Algorithm::FAPI,
            Profile::Oidc | Profile::Federation => &Algorithm::ALL,
        }
    }

    /// Whether it shows a mark of this type that counts now.
    pub fn shows_mark(&self, trust_mark_type: &str, now: UnixTime) -> bool {
        self.marks.iter().flatten().any(|mark| {
            mark.trust_mark_type == trust_mark_type && mark.expires_at.is_none_or(|end| now < end)
        })
    }

    /// Whether it has no way to prove itself; then its refresh tokens are bound to what it proved when it got them.
    pub fn is_public(&self) -> bool {
        self.authentication == Authentication::None
    }

    /// Whether an answer may go to `redirect_uri`: one of the client's own, character for character (OIDC Core 3.1.2.1), but for the
    /// port of a native app's loopback address.
    pub fn has_redirect_uri(&self, redirect_uri: &str) -> bool {
        self.redirect_uris.iter().any(|known| {
            known == redirect_uri || (self.native && loopback::differ_by_port(known, redirect_uri))
        })
    }

    /// Whether it may send `authorization_details` of this type (RFC 9396 §10).
    pub fn may_detail(&self, kind: &str) -> bool {
        self.details_types
            .as_ref()
            .is_none_or(|types| types.iter().any(|known| known == kind))
    }

    /// Whether it may have refresh tokens.
    pub fn refresh_tokens(&self) -> bool {
        self.grant_types.contains("refresh_token")
    }

    /// Whether the client's secret still counts.
    pub fn secret_works(&self, now: UnixTime) -> bool {
        self.secret_expires_at.is_none_or(|end| now < end)
    }

    /// Whether `secret` is this client's, compared in constant time.
    pub fn has_secret(&self, secret: &str) -> bool {
        self.secret
            .is_some_and(|hash| constant_time_eq(&hash, &sha256(secret.as_bytes())))
    }

    /// Whether `certificate` is the first of `x5c` in one of its keys (RFC 8705 §2.2.2).
    pub fn has_certificate(&self, certificate: &ClientCertificate) -> bool {
        self.keys.iter().any(|key| {
            key.to_value()["x5c"][0]
                .as_str()
                .and_then(|text| STANDARD.decode(text).ok())
                .is_some_and(|der| constant_time_eq(&der, certificate.der()))
        })
    }

    /// The sector of `sub`; the empty one is that of all public clients.
    pub fn sector(&self) -> &str {
        match &self.subject {
            Subject::Public => "",
            Subject::Pairwise { sector } => sector,
        }
    }
}

#[cfg(test)]
mod tests;
