//! Resolved `openid_relying_party` metadata, read by the rules of OIDC Dynamic Registration 1.0 §2 and automatic
//! registration. What policy left is not believed to be well-formed: it was a stranger's.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use url::Url;

use super::SubjectType;
use crate::federation::chain::TrustChain;
use crate::federation::entity::{EntityId, OPENID_RELYING_PARTY, Schemes};
use crate::federation::resolve::{Document, Fetch};
use crate::jose::json;
use crate::oauth::{Algorithm, Encryption, KeyManagement, Scope};

const MOST_URIS: usize = 100;

pub(super) struct Parsed {
    entity_id: EntityId,
    pub(super) members: Map<String, Value>,
    pub(super) redirect_uris: Vec<String>,
    pub(super) post_logout_redirect_uris: Vec<String>,
    pub(super) backchannel_logout_uri: Option<String>,
    pub(super) backchannel_logout_session_required: bool,
    pub(super) frontchannel_logout_uri: Option<String>,
    pub(super) frontchannel_logout_session_required: bool,
    pub(super) initiate_login_uri: Option<String>,
    pub(super) response_types: BTreeSet<String>,
    pub(super) grant_types: BTreeSet<String>,
    pub(super) token_endpoint_auth_methods: BTreeSet<String>,
    pub(super) token_endpoint_auth_signing_alg: Option<Algorithm>,
    pub(super) request_object_signing_alg: Option<Algorithm>,
    pub(super) id_token_signed_response_alg: Algorithm,
    pub(super) id_token_encryption: Option<Encryption>,
    pub(super) authorization_encryption: Option<Encryption>,
    pub(super) introspection_encryption: Option<Encryption>,
    pub(super) userinfo_signed_response_alg: Option<Algorithm>,
    pub(super) userinfo_encryption: Option<Encryption>,
    pub(super) subject_type: SubjectType,
    sector_identifier_uri: Option<String>,
    pub(super) scope: Option<Scope>,
    pub(super) default_acr_values: Vec<String>,
    pub(super) default_max_age: Option<i64>,
    pub(super) require_auth_time: bool,
    pub(super) require_pushed_authorization_requests: bool,
}

pub(super) fn parse(chain: &TrustChain, schemes: Schemes) -> Result<Parsed, String> {
    // §12: a registration type may be unsaid; when it is said, it must be the one that is used.
    let used = if chain.is_request() {
        "explicit"
    } else {
        "automatic"
    };
    let parsed = of(chain.subject(), chain.metadata(), schemes)?;
    let types = parsed.members.get("client_registration_types");
    if types
        .and_then(Value::as_array)
        .is_some_and(|types| !types.iter().any(|t| t == used))
    {
        return Err(format!("client_registration_types does not hold {used}"));
    }
    Ok(parsed)
}

/// The same for metadata whose chain is yet to be: what an applicant would have.
pub(super) fn of(
    subject: &EntityId,
    metadata: &Map<String, Value>,
    schemes: Schemes,
) -> Result<Parsed, String> {
    let members = metadata
        .get(OPENID_RELYING_PARTY)
        .and_then(Value::as_object)
        .ok_or("the entity is not a relying party, or may not be one")?;
    let reader = Reader { members, schemes };

    let ours = |t: &String| matches!(t.as_str(), "automatic" | "explicit");
    if let Some(types) = reader.texts("client_registration_types")?
        && !types.iter().any(ours)
    {
        return Err("client_registration_types holds neither automatic nor explicit".to_owned());
    }
    if reader
        .text("client_id")?
        .is_some_and(|id| id != subject.as_str())
    {
        return Err("client_id is not the entity identifier".to_owned());
    }
    let redirect_uris = reader.uris("redirect_uris")?;
    if redirect_uris.is_empty() {
        return Err("redirect_uris is missing or empty".to_owned());
    }
    reader.encryption(Encryption::REQUEST_OBJECT)?;
    Ok(Parsed {
        entity_id: subject.clone(),
        redirect_uris,
        post_logout_redirect_uris: reader.uris("post_logout_redirect_uris")?,
        backchannel_logout_uri: reader.uri("backchannel_logout_uri")?,
        backchannel_logout_session_required: reader.flag("backchannel_logout_session_required")?,
        frontchannel_logout_uri: reader.uri("frontchannel_logout_uri")?,
        frontchannel_logout_session_required: reader
            .flag("frontchannel_logout_session_required")?,
        initiate_login_uri: reader.uri("initiate_login_uri")?,
        response_types: reader.set("response_types", "code")?,
        grant_types: reader.set("grant_types", "authorization_code")?,
        token_endpoint_auth_methods: auth_methods(&reader)?,
        token_endpoint_auth_signing_alg: reader.algorithm("token_endpoint_auth_signing_alg")?,
        request_object_signing_alg: reader.algorithm("request_object_signing_alg")?,
        // OIDC Registration 2: RS256 when unsaid.
        id_token_signed_response_alg: reader
            .algorithm("id_token_signed_response_alg")?
            .unwrap_or(Algorithm::RS256),
        id_token_encryption: reader.encryption(Encryption::ID_TOKEN)?,
        authorization_encryption: reader.encryption(Encryption::AUTHORIZATION)?,
        introspection_encryption: reader.encryption(Encryption::INTROSPECTION)?,
        userinfo_signed_response_alg: reader.algorithm("userinfo_signed_response_alg")?,
        userinfo_encryption: reader.encryption(Encryption::USERINFO)?,
        subject_type: match reader.text("subject_type")? {
            None | Some("pairwise") => SubjectType::Pairwise,
            Some("public") => SubjectType::Public,
            Some(_) => return Err("subject_type is neither public nor pairwise".to_owned()),
        },
        sector_identifier_uri: reader.uri("sector_identifier_uri")?,
        scope: reader
            .text("scope")?
            .map(|scope| Scope::parse(scope).ok_or("scope is malformed"))
            .transpose()?,
        default_acr_values: reader.texts("default_acr_values")?.unwrap_or_default(),
        default_max_age: members
            .get("default_max_age")
            .map(|age| {
                age.as_i64()
                    .filter(|age| *age >= 0)
                    .ok_or("default_max_age is malformed")
            })
            .transpose()?,
        require_auth_time: reader.flag("require_auth_time")?,
        require_pushed_authorization_requests: reader
            .flag("require_pushed_authorization_requests")?,
        members: members.clone(),
    })
}

/// OIDC Core 8.1, Registration 5: the host of `sector_identifier_uri`, when the document there lists every redirect
/// URI; otherwise the one host of the redirect URIs.
pub(super) async fn sector(parsed: &Parsed, fetch: &dyn Fetch) -> Result<String, String> {
    let host = |uri: &str| {
        Url::parse(uri)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
    };
    if let Some(uri) = &parsed.sector_identifier_uri {
        let text = fetch
            .fetch(&Document::Sector { url: uri.clone() })
            .await
            .map_err(|e| format!("sector_identifier_uri: {e}"))?;
        let listed =
            json::parse(text.as_bytes()).map_err(|e| format!("sector_identifier_uri: {e}"))?;
        let listed: BTreeSet<&str> = listed
            .as_array()
            .ok_or("sector_identifier_uri does not hold an array")?
            .iter()
            .filter_map(Value::as_str)
            .collect();
        if let Some(missing) = parsed
            .redirect_uris
            .iter()
            .find(|uri| !listed.contains(uri.as_str()))
        {
            return Err(format!("sector_identifier_uri does not list {missing}"));
        }
        return host(uri).ok_or_else(|| "sector_identifier_uri has no host".to_owned());
    }
    let hosts: BTreeSet<String> = parsed
        .redirect_uris
        .iter()
        .filter_map(|uri| host(uri))
        .collect();
    match (hosts.len(), hosts.into_iter().next()) {
        (1, Some(host)) => Ok(host),
        // Only pairwise subjects need a sector; a public one is never derived from it.
        _ if parsed.subject_type == SubjectType::Public => Ok(parsed.entity_id.host()),
        _ => Err("redirect_uris on several hosts need a sector_identifier_uri".to_owned()),
    }
}

/// §12.1: asymmetric methods only. A client may name one method, several, or none (then `private_key_jwt`).
fn auth_methods(reader: &Reader<'_>) -> Result<BTreeSet<String>, String> {
    let mut methods: BTreeSet<String> = reader
        .texts("token_endpoint_auth_methods_supported")?
        .unwrap_or_default()
        .into_iter()
        .collect();
    if let Some(method) = reader.text("token_endpoint_auth_method")? {
        methods.insert(method.to_owned());
    }
    if methods.is_empty() {
        methods.insert("private_key_jwt".to_owned());
    }
    let asymmetric = [
        "private_key_jwt",
        "self_signed_tls_client_auth",
        "tls_client_auth",
    ];
    methods.retain(|method| asymmetric.contains(&method.as_str()));
    if methods.is_empty() {
        return Err("the client asks for a token endpoint authentication without keys".to_owned());
    }
    Ok(methods)
}

struct Reader<'a> {
    members: &'a Map<String, Value>,
    schemes: Schemes,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{name} is not a string")),
        }
    }

    fn texts(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        let Some(value) = self.members.get(name) else {
            return Ok(None);
        };
        value
            .as_array()
            .filter(|values| values.len() <= MOST_URIS)
            .and_then(|values| {
                values
                    .iter()
                    .map(|v| v.as_str().map(str::to_owned))
                    .collect()
            })
            .map(Some)
            .ok_or_else(|| format!("{name} is not a list of strings of bearable length"))
    }

    fn set(&self, name: &str, default: &str) -> Result<BTreeSet<String>, String> {
        let values = self
            .texts(name)?
            .unwrap_or_else(|| vec![default.to_owned()]);
        Ok(values.into_iter().collect())
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        match self.members.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(format!("{name} is not a boolean")),
        }
    }

    fn algorithm(&self, name: &str) -> Result<Option<Algorithm>, String> {
        self.text(name)?
            .map(|alg| {
                // RFC 9864 names the same algorithm more exactly.
                let alg = if alg == "Ed25519" { "EdDSA" } else { alg };
                alg.parse()
                    .map_err(|_| format!("{name} is not an algorithm that is supported"))
            })
            .transpose()
    }

    fn encryption(&self, names: [&'static str; 2]) -> Result<Option<Encryption>, String> {
        let [alg, enc] = names;
        // Federation 1.0 §12.1: its clients hold keys, never a secret.
        let served = &KeyManagement::PUBLIC;
        Encryption::registered(names, self.text(alg)?, self.text(enc)?, served)
            .map_err(|e| e.to_string())
    }

    fn uri(&self, name: &str) -> Result<Option<String>, String> {
        self.text(name)?
            .map(|text| self.check_uri(name, text).map(|()| text.to_owned()))
            .transpose()
    }

    fn uris(&self, name: &str) -> Result<Vec<String>, String> {
        let uris = self.texts(name)?.unwrap_or_default();
        for uri in &uris {
            self.check_uri(name, uri)?;
        }
        Ok(uris)
    }

    /// https (in the demonstration also http on loopback names), no fragment, nothing that a browser reads otherwise
    /// than we do.
    fn check_uri(&self, name: &str, text: &str) -> Result<(), String> {
        let odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\' || c == '#';
        let good = text.len() <= 2048
            && !text.contains(odd)
            && Url::parse(text).is_ok_and(|url| {
                self.schemes.allow(&url)
                    && url.has_host()
                    && url.username().is_empty()
                    && url.password().is_none()
            });
        if good {
            Ok(())
        } else {
            Err(format!("{name} holds an address that is not allowed"))
        }
    }
}
