//! The way out: checks the provider, builds the signed request (OpenID Federation 1.0 §12.1.1), remembers what must come back.

use openidconnect::{PkceCodeChallenge, PkceCodeVerifier};
use serde_json::{Map, Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::clock::UnixTime;
use crate::config::portal::RequestMode;
use crate::outbound::Limits;
use crate::random::Rng;
use crate::relying::metadata::CALLBACK;
use crate::relying::pending::{Pending, Secrets};
use crate::relying::{JWT_BEARER, LoginError, Party, Provider};
use crate::store::Store;

/// What a login is begun with, beside what every login is.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The language that the citizen reads here.
    pub language: &'static str,
    /// For the provider, which may make of it what it likes.
    pub login_hint: Option<String>,
    /// The page of ours to come to afterwards.
    pub target: Option<String>,
}

/// A login that somebody else initiates (OIDC Core 4), as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initiation {
    pub iss: String,
    pub login_hint: Option<String>,
    pub target_link_uri: Option<String>,
}

impl Initiation {
    /// The longest that is read, in bytes.
    const LIMIT: usize = 8 * 1024;

    /// Reads a query or a form. Parameters that we do not know are ignored, repeated ones are not forgiven.
    pub fn parse(encoded: &[u8]) -> Result<Self, LoginError> {
        if encoded.len() > Self::LIMIT {
            return Err(LoginError::Malformed("it is too long"));
        }
        let (mut iss, mut login_hint, mut target_link_uri) = (None, None, None);
        for (name, value) in url::form_urlencoded::parse(encoded) {
            let place = match &*name {
                "iss" => &mut iss,
                "login_hint" => &mut login_hint,
                "target_link_uri" => &mut target_link_uri,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(LoginError::Malformed("a parameter is repeated"));
            }
        }
        Ok(Self {
            iss: iss.ok_or(LoginError::WrongIssuer)?,
            login_hint: login_hint.filter(|hint| !hint.is_empty() && hint.len() <= 512),
            target_link_uri,
        })
    }

    /// What of it counts at `party`: its own provider and no other, and a page of its own.
    pub fn accept(self, party: &Party) -> Result<Wish, LoginError> {
        if self.iss != party.settings.provider {
            return Err(LoginError::WrongIssuer);
        }
        Ok(Wish {
            login_hint: self.login_hint,
            // OIDC Core 4: a target that is not ours would make us an open redirector.
            target: self.target_link_uri.and_then(|uri| own(&party.id, &uri)),
            ..Wish::default()
        })
    }
}

/// The address `uri` as we write it, when it lies at the entity `id`: same origin, below its path.
fn own(id: &str, uri: &str) -> Option<String> {
    let (ours, mut target) = (Url::parse(id).ok()?, Url::parse(uri).ok()?);
    let root = ours.path().trim_end_matches('/');
    let below = target
        .path()
        .strip_prefix(root)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    target.set_fragment(None);
    let fits = ours.origin() == target.origin()
        && below
        && target.username().is_empty()
        && target.password().is_none();
    fits.then(|| target.into())
}

/// What a request object must carry back to us.
struct Sent<'a> {
    state: &'a str,
    nonce: &'a str,
    challenge: &'a PkceCodeChallenge,
    wish: &'a Wish,
}

/// Begins a login for the browser that holds the secret `browser`; the answer is where to send it.
pub async fn start(
    party: &Party,
    store: &Store,
    rng: &mut Rng,
    now: UnixTime,
    browser: &str,
    wish: &Wish,
) -> Result<Url, LoginError> {
    // OpenID Federation 1.0 §12.1.1: first the provider's chain, and no request at all when it does not hold.
    let (provider, _) = party.provider(now).await?;
    party.registered(&provider, now).await?;
    let state = rng.token();
    let secrets = Secrets {
        nonce: rng.token(),
        verifier: rng.token(),
        target: wish.target.clone(),
    };
    let verifier = PkceCodeVerifier::new(secrets.verifier.clone());
    let sent = Sent {
        state: &state,
        nonce: &secrets.nonce,
        challenge: &PkceCodeChallenge::from_code_verifier_sha256(&verifier),
        wish,
    };
    let request = request_object(party, &provider, &sent, rng, now).await?;
    let location = match party.settings.request {
        RequestMode::Value => by_value(party, &provider, &request),
        RequestMode::Pushed => pushed(party, &provider, &request, rng, now).await?,
    };
    let pending = Pending {
        issuer: provider.issuer,
        secrets,
    };
    let expires_at = now.plus(party.settings.login_lifetime);
    let mut conn = store.read().await?;
    pending
        .keep(&mut conn, &*party.sealer, &state, browser, now, expires_at)
        .await?;
    Ok(location)
}

/// RFC 9101 §4 under the stricter rules of OpenID Federation 1.0 §12.1.1.1: `aud` is the provider alone, `jti` and `exp` are there, `sub`
/// is not (the object could otherwise pass as a client assertion).
async fn request_object(
    party: &Party,
    provider: &Provider,
    sent: &Sent<'_>,
    rng: &mut Rng,
    now: UnixTime,
) -> Result<String, LoginError> {
    let settings = &party.settings;
    let mut claims = json!({
        "iss": &*party.id,
        "aud": provider.issuer,
        "jti": rng.token(),
        "iat": now,
        "exp": now.plus(settings.assertion_lifetime),
        "client_id": &*party.id,
        "response_type": "code",
        "redirect_uri": party.url(CALLBACK),
        "scope": settings.requested_scope(),
        "state": sent.state,
        "nonce": sent.nonce,
        "code_challenge": sent.challenge.as_str(),
        "code_challenge_method": "S256",
        "ui_locales": sent.wish.language,
    });
    if let Some(hint) = &sent.wish.login_hint {
        claims["login_hint"] = hint.as_str().into();
    }
    if !settings.acr_values.is_empty() {
        claims["acr_values"] = settings.acr_values.clone().into();
    }
    if settings.offline_access {
        // OIDC Core §11: offline access is granted with consent only.
        claims["prompt"] = "consent".into();
    }
    let mut header = Map::new();
    if settings.send_trust_chain
        && let Some(own) = party.trust.own_chain(&party.id, now).await
    {
        header.insert("trust_chain".to_owned(), Value::from(own.statements));
    }
    party.sign("oauth-authz-req+jwt", header, &claims).await
}

/// The outer parameters are those that OIDC Core §6.1 asks for; the provider uses only what is signed.
fn by_value(party: &Party, provider: &Provider, request: &str) -> Url {
    let mut location = provider.authorization_endpoint.clone();
    location
        .query_pairs_mut()
        .append_pair("client_id", &party.id)
        .append_pair("response_type", "code")
        .append_pair("scope", "openid")
        .append_pair("request", request);
    location
}

/// RFC 9126: the request object is posted, with client authentication, and only a reference travels through the browser.
async fn pushed(
    party: &Party,
    provider: &Provider,
    request: &str,
    rng: &mut Rng,
    now: UnixTime,
) -> Result<Url, LoginError> {
    let endpoint = provider
        .pushed_authorization_request_endpoint
        .as_ref()
        .ok_or_else(|| LoginError::Untrusted("it takes no pushed requests".to_owned()))?;
    let assertion = party.client_assertion(provider, rng, now).await?;
    let body = Serializer::new(String::new())
        .append_pair("client_id", &party.id)
        .append_pair("client_assertion_type", JWT_BEARER)
        .append_pair("client_assertion", &assertion)
        .append_pair("request", request)
        .finish();
    let answer = party
        .outbound
        .post(
            endpoint,
            "application/x-www-form-urlencoded",
            body.into_bytes(),
            &Limits::default(),
        )
        .await
        .map_err(|e| LoginError::Unreachable(e.to_string()))?;
    let members: Map<String, Value> = serde_json::from_slice(answer.body()).unwrap_or_default();
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    if !answer.status().is_success() {
        return Err(LoginError::Refused {
            code: text("error").unwrap_or("server_error").to_owned(),
            description: text("error_description").map(str::to_owned),
        });
    }
    let request_uri = text("request_uri").ok_or_else(|| {
        LoginError::Invalid("the push was answered without request_uri".to_owned())
    })?;
    let mut location = provider.authorization_endpoint.clone();
    location
        .query_pairs_mut()
        .append_pair("client_id", &party.id)
        .append_pair("request_uri", request_uri);
    Ok(location)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_our_own_are_targets() {
        for (id, uri, target) in [
            (
                "https://gd.example",
                "https://gd.example/services?x=1#y",
                Some("https://gd.example/services?x=1"),
            ),
            (
                "https://gd.example",
                "https://gd.example:443",
                Some("https://gd.example/"),
            ),
            // Ours, and written so that no browser takes it for another host.
            (
                "https://gd.example",
                "https://gd.example//evil.example/",
                Some("https://gd.example//evil.example/"),
            ),
            (
                "https://gd.example",
                "https://gd.example.evil.example/",
                None,
            ),
            (
                "https://gd.example",
                "https://gd.example@evil.example/",
                None,
            ),
            ("https://gd.example", "https://u@gd.example/", None),
            ("https://gd.example", "http://gd.example/", None),
            ("https://gd.example", "https://gd.example:8443/", None),
            ("https://gd.example", "/services", None),
            ("https://gd.example", "javascript:alert(1)", None),
            (
                "https://x.example/gd",
                "https://x.example/gd/services",
                Some("https://x.example/gd/services"),
            ),
            ("https://x.example/gd", "https://x.example/gdx", None),
            ("https://x.example/gd", "https://x.example/gd/../js/", None),
        ] {
            assert_eq!(own(id, uri).as_deref(), target, "{uri}");
        }
    }
}
