//! Relying parties as the provider knows them: what they may do, how they prove themselves, what people are shown of them.
//! All sources (configuration, database, federation) speak the metadata names of OpenID Connect Dynamic Client Registration 1.0
//! and come through one reader, `Client::parse`. Trust chains are walked in `federation`; requests are judged in `provider`.

mod platform;
pub mod registered;

use serde_json::{Map, Value};
use url::Url;

use crate::crypto::{constant_time_eq, sha256};
use crate::id::ClientId;
use crate::jose::JwkSet;
use crate::oauth::{Algorithm, Scope};

pub use platform::{Hop, Name, Platform, Vouched};

/// Which rules hold for a client where specifications disagree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// OpenID Connect Core, registered by hand.
    Oidc,
    /// OpenID Federation 1.0 §12.1, automatic registration.
    Federation,
}

/// How a client proves itself at our endpoints; exactly one way each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Authentication {
    /// RFC 7523, with the client's own keys; under this algorithm only, if it registered one.
    PrivateKeyJwt(Option<Algorithm>),
    SecretBasic,
    SecretPost,
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

/// A relying party with everything that requests of it are judged by.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: ClientId,
    pub profile: Profile,
    pub redirect_uris: Vec<String>,
    pub post_logout_redirect_uris: Vec<String>,
    pub authentication: Authentication,
    /// SHA-256 of the random secret.
    pub secret: Option<[u8; 32]>,
    /// The client's protocol keys.
    pub keys: JwkSet,
    pub id_token_alg: Algorithm,
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
    pub back_channel: Option<BackChannel>,
    /// `None`: every scope the provider has.
    pub scope_limit: Option<Scope>,
    pub refresh_tokens: bool,
    /// What people are shown.
    pub platform: Platform,
}

/// Why metadata describes no client of ours. The text is for the operator or the registering engineer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{0}` has a wrong type or value")]
    Value(&'static str),
    #[error(
        "redirect URI {0}: must be absolute, without fragment, and https (or loopback, or a private scheme of a native app)"
    )]
    RedirectUri(String),
    #[error("{0} needs a secret")]
    NoSecret(&'static str),
}

/// The algorithms under which tokens are issued.
pub const ISSUED: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

impl Client {
    /// Reads client metadata (OIDC Dynamic Client Registration 1.0 §2; unknown members are ignored).
    /// `plain_http` admits http redirect URIs of the loopback demonstration.
    pub fn parse(
        id: ClientId,
        profile: Profile,
        metadata: &Map<String, Value>,
        secret: Option<[u8; 32]>,
        platform: Platform,
        plain_http: bool,
    ) -> Result<Self, MetadataError> {
        let reader = Reader(metadata);
        let redirect_uris = reader
            .list("redirect_uris")?
            .ok_or(MetadataError::Missing("redirect_uris"))?;
        if redirect_uris.is_empty() {
            return Err(MetadataError::Missing("redirect_uris"));
        }
        let native = reader.text("application_type")? == Some("native");
        for uri in &redirect_uris {
            check_redirect_uri(uri, native, plain_http)?;
        }
        let response_types = reader
            .list("response_types")?
            .unwrap_or_else(|| vec!["code".to_owned()]);
        if !response_types.iter().any(|t| t == "code") {
            return Err(MetadataError::Value("response_types"));
        }
        let grant_types = reader.list("grant_types")?;
        let authentication = authentication(profile, &reader)?;
        match authentication {
            Authentication::SecretBasic if secret.is_none() => {
                return Err(MetadataError::NoSecret("client_secret_basic"));
            }
            Authentication::SecretPost if secret.is_none() => {
                return Err(MetadataError::NoSecret("client_secret_post"));
            }
            _ => {}
        }
        let keys = match metadata.get("jwks") {
            None => JwkSet::default(),
            Some(jwks) => JwkSet::parse_lenient(jwks).map_err(|_| MetadataError::Value("jwks"))?,
        };
        // `jwks_uri` alone is not enough for a client registered by hand: its keys are pinned by the operator.
        if matches!(authentication, Authentication::PrivateKeyJwt(_)) && keys.is_empty() {
            return Err(MetadataError::Missing("jwks"));
        }
        let id_token_alg = match reader.text("id_token_signed_response_alg")? {
            None => Algorithm::RS256, // Reg 2
            Some(name) => name
                .parse()
                .ok()
                .filter(|alg| ISSUED.contains(alg))
                .ok_or(MetadataError::Value("id_token_signed_response_alg"))?,
        };
        let required = metadata.get("hefu_acr_required") == Some(&Value::Bool(true));
        let acr = reader.list("default_acr_values")?.unwrap_or_default();
        Ok(Self {
            subject: subject(profile, &id, &reader, &redirect_uris)?,
            post_logout_redirect_uris: reader
                .list("post_logout_redirect_uris")?
                .unwrap_or_default(),
            authentication,
            secret,
            keys,
            id_token_alg,
            request_object_alg: reader.algorithm("request_object_signing_alg")?,
            required_acr: if required { acr.clone() } else { Vec::new() },
            default_acr: if required { Vec::new() } else { acr },
            default_max_age: reader.number("default_max_age")?,
            require_auth_time: reader.flag("require_auth_time")?,
            require_pushed_requests: reader.flag("require_pushed_authorization_requests")?,
            back_channel: reader
                .url("backchannel_logout_uri")?
                .map(|uri| {
                    // BCL 2.2: absolute, no fragment.
                    if uri.fragment().is_some() {
                        return Err(MetadataError::Value("backchannel_logout_uri"));
                    }
                    Ok(BackChannel {
                        uri,
                        session_required: reader.flag("backchannel_logout_session_required")?,
                    })
                })
                .transpose()?,
            scope_limit: reader
                .text("scope")?
                .map(|s| Scope::parse(s).ok_or(MetadataError::Value("scope")))
                .transpose()?,
            refresh_tokens: grant_types
                .is_none_or(|types| types.iter().any(|t| t == "refresh_token")),
            platform,
            redirect_uris,
            id,
            profile,
        })
    }

    /// Whether PKCE may not be left out: public and federation clients (RFC 9700 §2.1.1).
    pub fn requires_pkce(&self) -> bool {
        self.profile == Profile::Federation || self.authentication == Authentication::None
    }

    /// Whether `secret` is this client's, compared in constant time.
    pub fn has_secret(&self, secret: &str) -> bool {
        self.secret
            .is_some_and(|hash| constant_time_eq(&hash, &sha256(secret.as_bytes())))
    }

    /// The sector of `sub`; the empty one is that of all public clients.
    pub fn sector(&self) -> &str {
        match &self.subject {
            Subject::Public => "",
            Subject::Pairwise { sector } => sector,
        }
    }
}

fn authentication(profile: Profile, reader: &Reader<'_>) -> Result<Authentication, MetadataError> {
    const NAME: &str = "token_endpoint_auth_method";
    let alg = reader.algorithm("token_endpoint_auth_signing_alg")?;
    if profile == Profile::Federation {
        // Federation 1.0 §12.1: asymmetric, whatever the metadata leaves out.
        return Ok(Authentication::PrivateKeyJwt(alg));
    }
    match reader.text(NAME)? {
        None | Some("client_secret_basic") => Ok(Authentication::SecretBasic), // Reg 2
        Some("client_secret_post") => Ok(Authentication::SecretPost),
        Some("private_key_jwt") => Ok(Authentication::PrivateKeyJwt(alg)),
        Some("none") => Ok(Authentication::None),
        Some(_) => Err(MetadataError::Value(NAME)),
    }
}

/// OIDC Core 8.1: the host of `sector_identifier_uri`, else of the redirect URIs, which then must share one.
fn subject(
    profile: Profile,
    id: &ClientId,
    reader: &Reader<'_>,
    redirect_uris: &[String],
) -> Result<Subject, MetadataError> {
    match reader.text("subject_type")? {
        Some("public") => return Ok(Subject::Public),
        None | Some("pairwise") => {}
        Some(_) => return Err(MetadataError::Value("subject_type")),
    }
    if let Some(uri) = reader.url("sector_identifier_uri")? {
        let sector = uri.host_str().unwrap_or_default().to_owned();
        return Ok(Subject::Pairwise { sector });
    }
    let mut hosts: Vec<String> = redirect_uris
        .iter()
        .filter_map(|u| Url::parse(u).ok()?.host_str().map(str::to_owned))
        .collect();
    hosts.dedup();
    match (hosts.as_slice(), profile) {
        ([host], _) => Ok(Subject::Pairwise {
            sector: host.clone(),
        }),
        // What is left is its name: the entity identifier, or that of a native app without hosts.
        (_, Profile::Federation) | ([], Profile::Oidc) => Ok(Subject::Pairwise {
            sector: id.0.clone(),
        }),
        _ => Err(MetadataError::Missing("sector_identifier_uri")),
    }
}

fn check_redirect_uri(text: &str, native: bool, plain_http: bool) -> Result<(), MetadataError> {
    let refused = || MetadataError::RedirectUri(text.chars().take(200).collect());
    let url = Url::parse(text).map_err(|_| refused())?;
    let host = url.host_str().unwrap_or_default();
    let loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let fits = match url.scheme() {
        "https" => true,
        "http" => {
            (native && loopback) || (plain_http && (loopback || host.ends_with(".localhost")))
        }
        // RFC 8252 §7.1: private-use schemes of native apps contain a dot.
        scheme => native && scheme.contains('.'),
    };
    // RFC 6749 §3.1.2: no fragment; and no user name that could make an address look like another.
    if fits && url.fragment().is_none() && url.username().is_empty() && text.len() <= 2048 {
        Ok(())
    } else {
        Err(refused())
    }
}

/// Members of metadata with the type they must have.
struct Reader<'a>(&'a Map<String, Value>);

impl<'a> Reader<'a> {
    fn text(&self, name: &'static str) -> Result<Option<&'a str>, MetadataError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(s)) => Ok(Some(s)),
            Some(_) => Err(MetadataError::Value(name)),
        }
    }

    fn list(&self, name: &'static str) -> Result<Option<Vec<String>>, MetadataError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => items
                .iter()
                .map(|v| v.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .map(Some)
                .ok_or(MetadataError::Value(name)),
            Some(_) => Err(MetadataError::Value(name)),
        }
    }

    fn url(&self, name: &'static str) -> Result<Option<Url>, MetadataError> {
        self.text(name)?
            .map(|text| {
                Url::parse(text)
                    .ok()
                    .filter(|u| matches!(u.scheme(), "https" | "http") && u.host_str().is_some())
                    .ok_or(MetadataError::Value(name))
            })
            .transpose()
    }

    fn algorithm(&self, name: &'static str) -> Result<Option<Algorithm>, MetadataError> {
        self.text(name)?
            .map(|text| text.parse().map_err(|_| MetadataError::Value(name)))
            .transpose()
    }

    fn number(&self, name: &'static str) -> Result<Option<i64>, MetadataError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_i64()
                .filter(|n| *n >= 0)
                .map(Some)
                .ok_or(MetadataError::Value(name)),
        }
    }

    fn flag(&self, name: &'static str) -> Result<bool, MetadataError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(MetadataError::Value(name)),
        }
    }
}

#[cfg(test)]
mod tests;
