//! The authorization request: what strangers send becomes an `AuthorizationRequest` in which wrong states cannot be
//! written. `read` is the order of the checks, on one page; each step takes what the one before returned.
//! What happens with a good request is decided in `interaction`.

mod object;
mod parameters;
mod place;
pub mod reference;

use serde::{Deserialize, Serialize};

use super::acr::Level;
use super::claims::{ClaimsRequest, SCOPES};
use super::details::Detail;
use super::marks::Allowed;
use super::one_use::OneUse;
use super::target::Offered;
use crate::client::{Client, Profile};
use crate::clock::UnixTime;
use crate::config;
use crate::id::ClientId;
use crate::oauth::{Error, ErrorCode, ResponseType, Scope};

pub use object::{hinted_chains, named_key};
pub use parameters::{Parameters, TOKEN_EXCHANGE};
pub use place::{ResponseMode, Return};

/// A request that may be acted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    pub client: ClientId,
    pub answer: Return,
    #[serde(default)]
    pub response_type: ResponseType,
    pub scope: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    #[serde(default)]
    pub prompt: Prompt,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i64>,
    #[serde(default)]
    pub acr: AcrWish,
    #[serde(default)]
    pub claims: ClaimsRequest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui_locales: Option<String>,
    /// S256 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<String>,
    /// Thumbprint of the key that alone may redeem the code (RFC 9449 §10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
    /// The `sub` that an `id_token_hint` or the `claims` parameter names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hinted_sub: Option<String>,
    /// As it was sent; the door asks the issuer's keys whom it names (`hinted_sub`).
    #[serde(skip)]
    pub id_token_hint: Option<String>,
    /// Hash of the pushed request's reference, in base64url: a pushed request is answered once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<String>,
    /// RFC 8707; empty: the provider itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// RFC 9396.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
    /// The device that waits for the answer (RFC 8628), by `device::Waiting::reference`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// `prompt` (OIDC Core 3.1.2.1); `none` stands alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    pub none: bool,
    pub login: bool,
    pub consent: bool,
    pub select_account: bool,
    pub create: bool,
}

/// Which levels are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcrWish {
    /// In order of preference; never a reason to fail (OIDC Core 3.1.2.1).
    pub voluntary: Vec<Level>,
    /// One of these must be reached (OIDC Core 5.5.1.1); an empty list asks for what nobody has.
    pub binding: Option<Vec<Level>>,
}

/// Why a request is not acted on, and who hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The redirect URI is not proven: a page of ours, never a redirect.
    Page(Error),
    /// The relying party hears of it.
    Redirect(Return, Error),
}

/// What a request is read against.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub issuer: &'a str,
    pub acr_base: &'a str,
    /// Those that the deployment offers.
    pub response_types: &'a [ResponseType],
    pub now: UnixTime,
    /// The client proved itself when it pushed this request (RFC 9126).
    pub authenticated: bool,
    pub settings: &'a config::provider::Provider,
}

/// A request that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub request: AuthorizationRequest,
    /// What may be used once and must now be marked.
    pub one_use: Option<OneUse>,
}

/// Reads a request of `client`.
pub fn read(sent: &Parameters, client: &Client, context: &Context<'_>) -> Result<Reading, Refusal> {
    // RFC 6749 §3.1: a repeated parameter makes the request invalid; those that say where answers go are not believed.
    if sent.repeats(&["client_id", "redirect_uri", "request", "request_uri"]) {
        return Err(Refusal::Page(Error::invalid_request(
            "a parameter is repeated",
        )));
    }
    // RFC 9101 §6 and OpenID Federation 1.0 §12.1.1: what is signed, and what counts.
    let (parameters, one_use) =
        // The object cannot be believed, so neither can the address in it: the outer one, if it is registered.
        object::open(sent, client, context).map_err(|error| unopened(sent, client, error))?;
    let parameters = &parameters;
    // OIDC Core 3.1.2.1: comparison with the registered ones.
    let answer = place::of_answer(parameters, client).map_err(Refusal::Page)?;
    // From here on the relying party hears of what is wrong.
    let refuse = |error| Refusal::Redirect(answer.clone(), error);
    if sent.repeats_any() || parameters.repeats_any() {
        return Err(refuse(Error::invalid_request("a parameter is repeated")));
    }
    must_be_signed(sent, client, context).map_err(refuse)?;
    let response_type = place::response_type(parameters, client, context).map_err(refuse)?;
    place::response_mode(parameters, response_type).map_err(refuse)?;
    let offered = Offered::of(context.issuer, context.settings);
    let resources = offered.resources(parameters).map_err(refuse)?;
    let details = offered.details(parameters, client).map_err(refuse)?;
    let scope = scope(parameters, client, response_type, &offered, &resources).map_err(refuse)?;
    offered
        .check(&resources, &scope, &details)
        .map_err(refuse)?;
    let code_challenge = pkce(parameters, client, response_type).map_err(refuse)?;
    let dpop_jkt = dpop_jkt(parameters).map_err(refuse)?;
    let prompt = prompt(parameters).map_err(refuse)?;
    let nonce = nonce(parameters, response_type).map_err(refuse)?;
    let max_age = max_age(parameters, client).map_err(refuse)?;
    let claims = match parameters.get("claims") {
        None => ClaimsRequest::default(),
        Some(text) => ClaimsRequest::parse(text)
            .map_err(refuse)?
            .within(client.scope_limit.as_ref()),
    };
    let request = AuthorizationRequest {
        client: client.id.clone(),
        response_type,
        scope,
        nonce,
        prompt,
        max_age,
        acr: acr(parameters, client, &claims, context),
        login_hint: parameters
            .get("login_hint")
            .map(|s| s.chars().take(128).collect()),
        ui_locales: parameters
            .get("ui_locales")
            .map(|s| s.chars().take(200).collect()),
        code_challenge,
        dpop_jkt,
        hinted_sub: claims
            .id_token
            .get("sub")
            .and_then(|wish| wish.values.first()?.as_str().map(str::to_owned)),
        claims,
        id_token_hint: parameters.get("id_token_hint").map(str::to_owned),
        pushed: None,
        resources,
        details,
        device: None,
        answer: answer.clone(),
    };
    let allowed = Allowed::of(client, &context.settings.marks, context.now);
    let request = allowed.narrow(request).map_err(refuse)?;
    Ok(Reading { request, one_use })
}

impl AuthorizationRequest {
    /// The request as far as `client` may make it now, some time after it was read: what was taken from the client since is
    /// taken from it. The error: the address is no longer the client's, and nobody may be sent there.
    pub fn as_of_now(mut self, client: &Client, allowed: Allowed) -> Result<Self, Refusal> {
        // The answer to a device goes nowhere: its browser ends at a page of ours.
        if self.device.is_none() {
            place::registered(&self.answer.redirect_uri, client)
                .and_then(|()| place::allowed(self.response_type, client))
                .map_err(Refusal::Page)?;
        }
        self.scope = within(&self.scope, client, self.response_type);
        self.claims = self.claims.within(client.scope_limit.as_ref());
        self.details
            .retain(|detail| client.may_detail(detail.kind()));
        let answer = self.answer.clone();
        allowed
            .narrow(self)
            .map_err(|error| Refusal::Redirect(answer, error))
    }
}

/// An object that does not open: told to the outer redirect URI if that is the client's own, else on a page.
pub fn unopened(sent: &Parameters, client: &Client, error: Error) -> Refusal {
    match place::of_answer(sent, client) {
        Ok(answer) => Refusal::Redirect(answer, error),
        Err(_) => Refusal::Page(error),
    }
}

/// Federation 1.0 §12.1.1: an automatically registered client signs its request, or authenticates when pushing it.
fn must_be_signed(sent: &Parameters, client: &Client, context: &Context<'_>) -> Result<(), Error> {
    let signed = sent.get("request").is_some();
    if client.profile == Profile::Federation && !signed && !context.authenticated {
        return Err(Error::invalid_request(
            "a client of the federation sends its request as a signed request object or pushes it",
        ));
    }
    if client.require_pushed_requests && !context.authenticated {
        return Err(Error::invalid_request(
            "this client must push its authorization requests",
        ));
    }
    // RFC 9101 §10.5, FAPI 2.0 Message Signing §5.3.1.
    if client.require_signed_requests && !signed {
        return Err(Error::invalid_request(
            "this client must send its request as a signed request object",
        ));
    }
    Ok(())
}

pub(super) fn scope(
    parameters: &Parameters,
    client: &Client,
    response_type: ResponseType,
    offered: &Offered<'_>,
    resources: &[String],
) -> Result<Scope, Error> {
    let invalid = |text: &'static str| Error::new(ErrorCode::InvalidScope, text);
    let asked = Scope::parse(parameters.get("scope").unwrap_or_default())
        .ok_or_else(|| invalid("scope holds a character that is not allowed"))?;
    if !asked.contains(Scope::OPENID) {
        return Err(invalid("scope must contain openid"));
    }
    // OIDC Core 3.1.2.1: unknown ones are ignored.
    let known =
        |name: &str| SCOPES.iter().any(|(own, _)| *own == name) || offered.means(name, resources);
    Ok(within(&asked.filtered(known), client, response_type))
}

/// Scopes that the client may not have are left out.
fn within(asked: &Scope, client: &Client, response_type: ResponseType) -> Scope {
    asked.filtered(|name| {
        (name == Scope::OPENID
            || client
                .scope_limit
                .as_ref()
                .is_none_or(|limit| limit.contains(name)))
            // OIDC Core 11: ignored where no code comes out.
            && (name != Scope::OFFLINE_ACCESS || (response_type.code && client.refresh_tokens()))
    })
}

/// RFC 7636 §4.2: S256 only, and required where nothing else binds the code. Where there is no code there is nothing to bind.
fn pkce(
    parameters: &Parameters,
    client: &Client,
    response_type: ResponseType,
) -> Result<Option<String>, Error> {
    if !response_type.code {
        return Ok(None);
    }
    let challenge = parameters.get("code_challenge");
    match (challenge, parameters.get("code_challenge_method")) {
        (None, None) if client.requires_pkce() => Err(Error::invalid_request(
            "code_challenge is missing: PKCE with S256 is required",
        )),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Error::invalid_request("code_challenge is missing")),
        // An absent method means `plain`.
        (Some(challenge), Some("S256")) => {
            if is_thumb(challenge) {
                Ok(Some(challenge.to_owned()))
            } else {
                Err(Error::invalid_request(
                    "code_challenge is not a base64url SHA-256",
                ))
            }
        }
        (Some(_), _) => Err(Error::invalid_request("code_challenge_method must be S256")),
    }
}

/// RFC 9449 §10: a JWK thumbprint.
fn dpop_jkt(parameters: &Parameters) -> Result<Option<String>, Error> {
    match parameters.get("dpop_jkt") {
        Some(jkt) if !is_thumb(jkt) => Err(Error::invalid_request(
            "dpop_jkt is not a base64url SHA-256",
        )),
        jkt => Ok(jkt.map(str::to_owned)),
    }
}

/// Whether the text has the form of a SHA-256 in base64url.
fn is_thumb(text: &str) -> bool {
    text.len() == 43
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn prompt(parameters: &Parameters) -> Result<Prompt, Error> {
    let mut prompt = Prompt::default();
    let values: Vec<&str> = parameters
        .get("prompt")
        .unwrap_or_default()
        .split(' ')
        .filter(|v| !v.is_empty())
        .collect();
    for value in &values {
        match *value {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            "create" => prompt.create = true,
            _ => {}
        }
    }
    if prompt.none && values.len() > 1 {
        return Err(Error::invalid_request("prompt=none stands alone"));
    }
    Ok(prompt)
}

fn nonce(parameters: &Parameters, response_type: ResponseType) -> Result<Option<String>, Error> {
    match parameters.get("nonce") {
        // OIDC Core 3.2.2.1, 3.3.2.11: what binds an ID Token from here to the login that asked for it.
        None if response_type.id_token => Err(Error::invalid_request(
            "nonce is missing: an ID Token from this endpoint must carry one",
        )),
        Some(nonce) if nonce.len() > 512 => {
            Err(Error::invalid_request("nonce is longer than 512 bytes"))
        }
        nonce => Ok(nonce.map(str::to_owned)),
    }
}

pub(super) fn max_age(parameters: &Parameters, client: &Client) -> Result<Option<i64>, Error> {
    match parameters.get("max_age") {
        None => Ok(client.default_max_age),
        Some(text) => text
            .parse::<i64>()
            .ok()
            .filter(|n| *n >= 0)
            .map(Some)
            .ok_or_else(|| Error::invalid_request("max_age is not a number of seconds")),
    }
}

pub(super) fn acr(
    parameters: &Parameters,
    client: &Client,
    claims: &ClaimsRequest,
    context: &Context<'_>,
) -> AcrWish {
    let level = |text: &str| Level::parse(text, context.acr_base);
    let asked: Vec<Level> = parameters
        .get("acr_values")
        .unwrap_or_default()
        .split(' ')
        .filter_map(level)
        .collect();
    let wish = claims.id_token.get("acr");
    let wished: Vec<Level> = wish
        .into_iter()
        .flat_map(|w| &w.values)
        .filter_map(|v| level(v.as_str()?))
        .collect();
    let essential = wish.is_some_and(|w| w.essential && !w.values.is_empty());
    let required: Vec<Level> = client
        .required_acr
        .iter()
        .filter_map(|v| level(v))
        .collect();
    let binding = if essential {
        Some(wished.clone())
    } else if client.required_acr.is_empty() {
        None
    } else {
        Some(required)
    };
    let voluntary = if !asked.is_empty() {
        asked
    } else if !essential && !wished.is_empty() {
        wished
    } else {
        client.default_acr.iter().filter_map(|v| level(v)).collect()
    };
    AcrWish { voluntary, binding }
}
