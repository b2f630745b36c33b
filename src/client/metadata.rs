//! From registration metadata to a client: every member with the type and the rules that its specification gives it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use url::Url;

use super::{
    Authentication, BackChannel, Client, FrontChannel, ISSUED, Platform, Profile, Subject,
};
use crate::crypto::CertificateName;
use crate::id::ClientId;
use crate::jose::JwkSet;
use crate::oauth::{
    Algorithm, Encryption, EncryptionError, KeyManagement, MacAlgorithm, ResponseType, Scope,
};

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
    #[error("`jwks` holds no key that fits `{0}`")]
    NoKey(&'static str),
}

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
        let grant_types = grant_types(&reader)?;
        let native = reader.text("application_type")? == Some("native");
        let redirect_uris = reader.list("redirect_uris")?.unwrap_or_default();
        for uri in &redirect_uris {
            check_redirect_uri(uri, native, plain_http)?;
        }
        let response_types = response_types(profile, &grant_types, &reader)?;
        // RFC 7591 §2: for who is answered by redirects.
        if redirect_uris.is_empty() && !response_types.is_empty() {
            return Err(MetadataError::Missing("redirect_uris"));
        }
        let authentication = authentication(profile, &reader)?;
        match authentication {
            Authentication::SecretBasic if secret.is_none() => {
                return Err(MetadataError::NoSecret("client_secret_basic"));
            }
            Authentication::SecretPost if secret.is_none() => {
                return Err(MetadataError::NoSecret("client_secret_post"));
            }
            Authentication::SecretJwt(_) if secret.is_none() => {
                return Err(MetadataError::NoSecret("client_secret_jwt"));
            }
            _ => {}
        }
        let keys = match metadata.get("jwks") {
            None => JwkSet::default(),
            Some(jwks) => JwkSet::parse_lenient(jwks).map_err(|_| MetadataError::Value("jwks"))?,
        };
        let jwks_uri = reader.address("jwks_uri", plain_http)?;
        // OIDC Core 4: https.
        reader.address("initiate_login_uri", plain_http)?;
        // Reg 2: one or the other.
        if jwks_uri.is_some() && metadata.contains_key("jwks") {
            return Err(MetadataError::Value("jwks_uri"));
        }
        if authentication == Authentication::SelfSignedTls
            && !keys.iter().any(|key| key.to_value()["x5c"][0].is_string())
            && jwks_uri.is_none()
        {
            return Err(MetadataError::Missing("x5c"));
        }
        let certificate_name = match authentication {
            Authentication::TlsClientAuth => Some(certificate_name(&reader)?),
            _ => None,
        };
        if matches!(authentication, Authentication::PrivateKeyJwt(_))
            && keys.is_empty()
            && jwks_uri.is_none()
        {
            return Err(MetadataError::Missing("jwks"));
        }
        let id_token_alg = reader.issued(profile, "id_token_signed_response_alg")?;
        let certificate_bound = reader.flag("tls_client_certificate_bound_access_tokens")?;
        // FAPI 2.0 §5.3.2.1: sender-constrained tokens only; one of the two ways.
        let dpop_bound = reader.flag("dpop_bound_access_tokens")?
            || (profile == Profile::Fapi2 && !certificate_bound);
        // What comes through the browser cannot be bound.
        if (dpop_bound || certificate_bound) && response_types.iter().any(|t| t.token) {
            return Err(MetadataError::Value("response_types"));
        }
        // OIDC Core 10.2: under the secret too, for those that have one.
        let served: &[KeyManagement] = match authentication {
            Authentication::SecretBasic
            | Authentication::SecretPost
            | Authentication::SecretJwt(_) => &KeyManagement::ALL,
            _ => &KeyManagement::PUBLIC,
        };
        let to_client = |names: [&'static str; 2]| {
            let encryption = reader.encryption(names, served)?;
            // Keys behind a URL change: they are looked at when something is encrypted.
            if let Some(Encryption { alg, .. }) = encryption
                && KeyManagement::PUBLIC.contains(&alg)
                && jwks_uri.is_none()
                && keys.for_encryption(alg).is_none()
            {
                return Err(MetadataError::NoKey(names[0]));
            }
            Ok(encryption)
        };
        let id_token_encryption = to_client(Encryption::ID_TOKEN)?;
        let userinfo_encryption = to_client(Encryption::USERINFO)?;
        let introspection_encryption = to_client(Encryption::INTROSPECTION)?;
        let authorization_encryption = to_client(Encryption::AUTHORIZATION)?;
        reader.encryption(Encryption::REQUEST_OBJECT, &KeyManagement::PUBLIC)?;
        let required = metadata.get("hefu_acr_required") == Some(&Value::Bool(true));
        let acr = reader.list("default_acr_values")?.unwrap_or_default();
        Ok(Self {
            subject: subject(profile, &id, &reader, &redirect_uris)?,
            post_logout_redirect_uris: post_logout_redirect_uris(&reader, native, plain_http)?,
            authentication,
            secret,
            certificate_name,
            clear_secret: None,
            secret_expires_at: None,
            keys,
            jwks_uri,
            request_uris: request_uris(&reader, plain_http)?,
            id_token_alg,
            id_token_encryption,
            userinfo_alg: match reader.text("userinfo_signed_response_alg")? {
                None => None, // Reg 2: plain JSON
                Some(_) => Some(reader.issued(profile, "userinfo_signed_response_alg")?),
            },
            userinfo_encryption,
            introspection_alg: reader.issued(profile, "introspection_signed_response_alg")?,
            introspection_encryption,
            authorization_alg: authorization_alg(profile, &reader)?,
            authorization_encryption,
            request_object_alg: match reader.algorithm("request_object_signing_alg")? {
                Some(alg) if !suits(profile, alg) => {
                    return Err(MetadataError::Value("request_object_signing_alg"));
                }
                alg => alg,
            },
            required_acr: if required { acr.clone() } else { Vec::new() },
            default_acr: if required { Vec::new() } else { acr },
            default_max_age: reader.number("default_max_age")?,
            require_auth_time: reader.flag("require_auth_time")?,
            require_pushed_requests: profile == Profile::Fapi2 // FAPI 2.0 §5.3.2.2
                || reader.flag("require_pushed_authorization_requests")?,
            require_signed_requests: reader.flag("require_signed_request_object")?,
            dpop_bound,
            certificate_bound,
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
            front_channel: front_channel(&reader, &redirect_uris)?,
            scope_limit: reader
                .text("scope")?
                .map(|s| Scope::parse(s).ok_or(MetadataError::Value("scope")))
                .transpose()?,
            marks: None,
            details_types: reader.list("authorization_details_types")?,
            platform,
            native,
            response_types,
            grant_types,
            redirect_uris,
            id,
            profile,
        })
    }
}

impl Profile {
    /// The profile that a registration chooses with `hefu_profile`; OpenID Connect Core without it.
    pub fn of(metadata: &Map<String, Value>) -> Result<Self, MetadataError> {
        match Reader(metadata).text("hefu_profile")? {
            None | Some("oidc") => Ok(Self::Oidc),
            Some("fapi2") => Ok(Self::Fapi2),
            Some(_) => Err(MetadataError::Value("hefu_profile")),
        }
    }
}

/// FAPI 2.0 §5.4.1 leaves three algorithms.
fn suits(profile: Profile, alg: Algorithm) -> bool {
    profile != Profile::Fapi2 || Algorithm::FAPI.contains(&alg)
}

/// Reg 2: `code` when absent, or nothing where no grant begins at the authorization endpoint (RFC 7591 §2.1). Those that hefu does
/// not know make a client that asks for what it never gets.
fn response_types(
    profile: Profile,
    grant_types: &BTreeSet<String>,
    reader: &Reader<'_>,
) -> Result<Vec<ResponseType>, MetadataError> {
    const NAME: &str = "response_types";
    let direct = are_direct(grant_types.iter().map(String::as_str));
    let types = match reader.list(NAME)? {
        None if direct => Vec::new(),
        None => vec![ResponseType::CODE],
        Some(listed) => listed
            .iter()
            .map(|t| ResponseType::parse(t))
            .collect::<Option<Vec<_>>>()
            .filter(|types| direct || !types.is_empty())
            .ok_or(MetadataError::Value(NAME))?,
    };
    // FAPI 2.0 §5.3.2.2: code only.
    if profile == Profile::Fapi2 && !types.is_empty() && types != [ResponseType::CODE] {
        return Err(MetadataError::Value(NAME));
    }
    Ok(types)
}

/// Reg 2: `authorization_code` when absent. Who says nothing may also have refresh tokens: they need `offline_access` and a consent.
fn grant_types(reader: &Reader<'_>) -> Result<BTreeSet<String>, MetadataError> {
    Ok(match reader.list("grant_types")? {
        Some(listed) => listed.into_iter().collect(),
        None => ["authorization_code", "refresh_token"]
            .map(str::to_owned)
            .into(),
    })
}

/// Whether clients with these grants are never answered by a redirect: the device grant, token exchange. A refresh token alone begins
/// nothing.
pub(super) fn are_direct<'a>(grant_types: impl IntoIterator<Item = &'a str>) -> bool {
    let mut begin = grant_types
        .into_iter()
        .filter(|grant| *grant != "refresh_token")
        .peekable();
    begin.peek().is_some() && begin.all(|grant| !matches!(grant, "authorization_code" | "implicit"))
}

/// RP-Initiated Logout 1.0 §3.1: addresses like redirect URIs.
fn post_logout_redirect_uris(
    reader: &Reader<'_>,
    native: bool,
    plain_http: bool,
) -> Result<Vec<String>, MetadataError> {
    const NAME: &str = "post_logout_redirect_uris";
    let uris = reader.list(NAME)?.unwrap_or_default();
    for uri in &uris {
        check_redirect_uri(uri, native, plain_http).map_err(|_| MetadataError::Value(NAME))?;
    }
    Ok(uris)
}

/// JARM 3; FAPI 2.0 §5.4.1 where that profile holds.
fn authorization_alg(profile: Profile, reader: &Reader<'_>) -> Result<Algorithm, MetadataError> {
    const NAME: &str = "authorization_signed_response_alg";
    match reader.algorithm(NAME)? {
        None => Ok(profile.default_answer_alg()),
        Some(alg) if !ISSUED.contains(&alg) => Err(MetadataError::Value(NAME)),
        Some(alg) if profile == Profile::Fapi2 && !Algorithm::FAPI.contains(&alg) => {
            Err(MetadataError::Value(NAME))
        }
        Some(alg) => Ok(alg),
    }
}

fn front_channel(
    reader: &Reader<'_>,
    redirect_uris: &[String],
) -> Result<Option<FrontChannel>, MetadataError> {
    const NAME: &str = "frontchannel_logout_uri";
    let session_required = reader.flag("frontchannel_logout_session_required")?;
    reader
        .url(NAME)?
        .map(|uri| {
            FrontChannel::of(uri, session_required, redirect_uris).ok_or(MetadataError::Value(NAME))
        })
        .transpose()
}

fn authentication(profile: Profile, reader: &Reader<'_>) -> Result<Authentication, MetadataError> {
    const NAME: &str = "token_endpoint_auth_method";
    const ALG: &str = "token_endpoint_auth_signing_alg";
    if reader.text(NAME)? == Some("client_secret_jwt") && profile == Profile::Oidc {
        let alg: Option<MacAlgorithm> = reader
            .text(ALG)?
            .map(|name| name.parse().map_err(|_| MetadataError::Value(ALG)))
            .transpose()?;
        return Ok(Authentication::SecretJwt(alg));
    }
    let alg = reader.algorithm(ALG)?;
    if profile == Profile::Federation {
        // Federation 1.0 §12.1: asymmetric, whatever the metadata leaves out.
        return Ok(Authentication::PrivateKeyJwt(alg));
    }
    match reader.text(NAME)? {
        // FAPI 2.0 §5.3.2.1, §5.4.1: keys, never secrets, and no RS256.
        Some("private_key_jwt") if profile == Profile::Fapi2 => match alg {
            Some(alg) if !suits(profile, alg) => Err(MetadataError::Value(ALG)),
            alg => Ok(Authentication::PrivateKeyJwt(alg)),
        },
        Some("tls_client_auth") => Ok(Authentication::TlsClientAuth),
        Some("self_signed_tls_client_auth") => Ok(Authentication::SelfSignedTls),
        _ if profile == Profile::Fapi2 => Err(MetadataError::Value(NAME)),
        None | Some("client_secret_basic") => Ok(Authentication::SecretBasic), // Reg 2
        Some("client_secret_post") => Ok(Authentication::SecretPost),
        Some("private_key_jwt") => Ok(Authentication::PrivateKeyJwt(alg)),
        Some("none") => Ok(Authentication::None),
        Some(_) => Err(MetadataError::Value(NAME)),
    }
}

/// RFC 8705 §2.1.2: exactly one of the five.
fn certificate_name(reader: &Reader<'_>) -> Result<CertificateName, MetadataError> {
    let mut found = None;
    for member in CertificateName::MEMBERS {
        if let Some(value) = reader.text(member)? {
            let name = CertificateName::parse(member, value).ok_or(MetadataError::Value(member))?;
            if found.replace(name).is_some() {
                return Err(MetadataError::Value(member));
            }
        }
    }
    found.ok_or(MetadataError::Missing("tls_client_auth_subject_dn"))
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
        // What is left is its name: the entity identifier, or that of an app or a device without hosts.
        (_, Profile::Federation) | ([], _) => Ok(Subject::Pairwise {
            sector: id.0.clone(),
        }),
        _ => Err(MetadataError::Missing("sector_identifier_uri")),
    }
}

/// OIDC Core 6.2: https, in ASCII, of 512 characters at most; the fragment tells versions apart.
fn request_uris(reader: &Reader<'_>, plain_http: bool) -> Result<Vec<String>, MetadataError> {
    const NAME: &str = "request_uris";
    let uris = reader.list(NAME)?.unwrap_or_default();
    let good = |uri: &String| {
        uri.len() <= 512 && uri.is_ascii() && Url::parse(uri).is_ok_and(|u| is_safe(&u, plain_http))
    };
    if uris.iter().all(good) {
        Ok(uris)
    } else {
        Err(MetadataError::Value(NAME))
    }
}

/// An address that may be asked or shown: https, or http below `localhost` in the demonstration; no user name in it.
pub(super) fn is_safe(url: &Url, plain_http: bool) -> bool {
    let host = url.host_str().unwrap_or_default();
    let loopback = host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1";
    let scheme = url.scheme() == "https" || (plain_http && loopback && url.scheme() == "http");
    scheme && !host.is_empty() && url.username().is_empty() && url.password().is_none()
}

pub(super) fn check_redirect_uri(
    text: &str,
    native: bool,
    plain_http: bool,
) -> Result<(), MetadataError> {
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

    /// An algorithm under which we sign; RS256 when absent (Reg 2, RFC 9701 §6), which FAPI 2.0 does not have.
    fn issued(&self, profile: Profile, name: &'static str) -> Result<Algorithm, MetadataError> {
        match self.text(name)? {
            None if profile == Profile::Fapi2 => Ok(Algorithm::PS256),
            None => Ok(Algorithm::RS256),
            Some(alg) => alg
                .parse()
                .ok()
                .filter(|alg| ISSUED.contains(alg) && suits(profile, *alg))
                .ok_or(MetadataError::Value(name)),
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

    /// An address of the client's that we go to ourselves, or send people to.
    fn address(&self, name: &'static str, plain_http: bool) -> Result<Option<Url>, MetadataError> {
        self.text(name)?
            .map(|text| {
                Url::parse(text)
                    .ok()
                    .filter(|url| is_safe(url, plain_http) && url.fragment().is_none())
                    .ok_or(MetadataError::Value(name))
            })
            .transpose()
    }

    fn algorithm(&self, name: &'static str) -> Result<Option<Algorithm>, MetadataError> {
        self.text(name)?
            .map(|text| text.parse().map_err(|_| MetadataError::Value(name)))
            .transpose()
    }

    fn encryption(
        &self,
        names: [&'static str; 2],
        served: &[KeyManagement],
    ) -> Result<Option<Encryption>, MetadataError> {
        let [alg, enc] = names;
        Encryption::registered(names, self.text(alg)?, self.text(enc)?, served).map_err(|e| match e
        {
            EncryptionError::Value(name) => MetadataError::Value(name),
            EncryptionError::Missing(name) => MetadataError::Missing(name),
        })
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
