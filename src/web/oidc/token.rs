//! `/token` (OIDC Core 3.1.3 and 12, RFC 6749 §3.2).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::caller::Caller;
use super::{exchange, read};
use crate::audit::{self, Event};
use crate::client::{Authentication, Client, Profile};
use crate::clock::UnixTime;
use crate::config;
use crate::crypto::Secret;
use crate::oauth::{Error, ErrorCode, Scope};
use crate::provider::authenticate::{At, Credentials};
use crate::provider::claims;
use crate::provider::clients::ClientError;
use crate::provider::confirmation::Confirmation;
use crate::provider::device;
use crate::provider::dpop::Proof;
use crate::provider::encrypted;
use crate::provider::grants::{self, Grant};
use crate::provider::one_use::OneUse;
use crate::provider::person;
use crate::provider::request::{self, Parameters};
use crate::provider::target::Aim;
use crate::web::error::{Fault, error_json, json_answer};
use crate::web::provider_house::{Provider, ProviderHouse};

/// What a client asks the token endpoint for; everything it needs is read once, here.
enum TokenRequest {
    Code {
        code: String,
        redirect_uri: Option<String>,
        verifier: Option<String>,
    },
    Refresh {
        token: String,
        scope: Option<Scope>,
    },
    /// RFC 8628 §3.4.
    Device {
        code: String,
    },
}

/// What a request is answered with.
struct Granted {
    grant: Grant,
    sub: String,
    aim: Aim,
    refresh_token: Option<Secret<String>>,
    claims: serde_json::Map<String, serde_json::Value>,
}

pub(super) async fn grant(
    State(provider): State<Provider>,
    caller: Caller,
    body: Bytes,
) -> Response {
    let answer = handle(&provider, &caller, &body)
        .await
        .unwrap_or_else(|fault| provider.fault_json(&caller.headers, &fault));
    with_cors(caller.with_nonce(&provider, answer))
}

pub(super) async fn preflight() -> Response {
    with_cors(StatusCode::NO_CONTENT.into_response())
}

async fn handle(provider: &ProviderHouse, caller: &Caller, body: &[u8]) -> Result<Response, Fault> {
    let house = &provider.house;
    let now = house.now();
    let sent = match read::form_once(&caller.headers, body) {
        Ok(sent) => sent,
        Err(error) => return Ok(error_json(&error)),
    };
    let Authenticated {
        client,
        assertion,
        by_header,
    } = match authenticate(provider, caller, &sent, None).await? {
        Ok(authenticated) => authenticated,
        Err(refusal) => return Ok(refusal),
    };
    if sent.get("grant_type") == Some(request::TOKEN_EXCHANGE) {
        let bound = match bound(provider, caller, &client) {
            Ok(bound) => bound,
            Err(error) => return Ok(read::refused(&error, by_header)),
        };
        return exchange::answer(provider, &sent, &client, assertion, bound, by_header).await;
    }
    let request = match TokenRequest::read(&sent, &provider.settings) {
        Ok(request) => request,
        Err(error) => return Ok(read::refused(&error, by_header)),
    };
    let encryption = client.id_token_encryption;
    // Asked before anything is used up: a client whose keys are put right comes again with the same code.
    let client = match provider.clients.with_key_for(client, encryption, now).await {
        Ok(client) => client,
        Err(error) => return Ok(read::refused(&error, by_header)),
    };
    let (proof, confirmation) = match bound(provider, caller, &client) {
        Ok(bound) => bound,
        Err(error) => return Ok(read::refused(&error, by_header)),
    };
    let beside = Beside {
        sent: &sent,
        confirmation,
    };
    let mut rng = house.rng();
    // One transaction; what it refuses stays used all the same.
    let mut tx = house.store.write().await?;
    let granted = if let Some(mark) = assertion
        && !mark.mark(&mut tx).await?
    {
        Err(Error::invalid_client(
            "the client assertion has been used before (jti)",
        ))
    } else if let Some(proof) = proof
        && !proof.one_use.mark(&mut tx).await?
    {
        Err(Error::new(
            ErrorCode::InvalidDpopProof,
            "the DPoP proof has been used before (jti)",
        ))
    } else {
        request
            .fulfil(provider, &mut tx, &mut rng, &client, beside, now)
            .await?
    };
    let kind = match request {
        TokenRequest::Code { .. } => "grant.redeem",
        TokenRequest::Refresh { .. } => "grant.refresh",
        TokenRequest::Device { .. } => "grant.device",
    };
    let event = match &granted {
        Ok(granted) => {
            let event = Event::done(kind)
                .with_person(&granted.grant.person)
                .with("scope", granted.aim.scope.to_string());
            match &granted.grant.session {
                Some(session) => event.with_session(session),
                None => event,
            }
        }
        Err(error) => Event::refused(kind).with("error", error.code.as_str()),
    };
    audit::record(&mut tx, &mut rng, now, &event.with_client(&client.id)).await?;
    tx.commit().await?;
    let granted = match granted {
        Ok(granted) => granted,
        Err(error) => return Ok(read::refused(&error, by_header)),
    };
    // Signed after the commit: no connection waits for a key that may live elsewhere.
    let issuer = provider.issuer();
    let settings = &provider.settings;
    let Granted {
        grant,
        sub,
        aim,
        refresh_token,
        claims,
    } = granted;
    let access_token = issuer
        .access_token(
            &mut rng,
            &grant,
            &sub,
            &aim,
            settings.access_token_lifetime,
            now,
        )
        .await?;
    let id_token = issuer
        .id_token(
            &grant,
            &sub,
            claims,
            &access_token,
            settings.id_token_lifetime,
            now,
        )
        .await?;
    let id_token = match encrypted::nested(id_token, &client, encryption, &mut rng) {
        Ok(id_token) => id_token,
        Err(error) => return Ok(read::refused(&error, by_header)),
    };
    let mut answer = json!({
        "access_token": access_token,
        "token_type": grant.confirmation.token_type(),
        "expires_in": settings.access_token_lifetime,
        "id_token": id_token,
    });
    if let Some(answer) = answer.as_object_mut() {
        aim.say_in(answer);
    }
    if let Some(token) = refresh_token {
        answer["refresh_token"] = token.reveal().as_str().into();
    }
    Ok(json_answer(StatusCode::OK, &answer))
}

/// What comes beside the grant: how far the tokens are narrowed, and what they are bound to.
struct Beside<'a> {
    sent: &'a Parameters,
    confirmation: Confirmation,
}

/// What the tokens will be bound to. Asking for a nonce uses nothing up: the client comes again with the same code.
fn bound(
    provider: &ProviderHouse,
    caller: &Caller,
    client: &Client,
) -> Result<(Option<Proof>, Confirmation), Error> {
    let proof = caller.proof(provider, "/token", None)?;
    let confirmation = Confirmation::of(client, proof.as_ref(), caller.certificate.as_ref())?;
    Ok((proof, confirmation))
}

impl TokenRequest {
    fn read(sent: &Parameters, settings: &config::provider::Provider) -> Result<Self, Error> {
        let text = |name: &str| sent.get(name).map(str::to_owned);
        match sent.get("grant_type") {
            Some("authorization_code") => Ok(Self::Code {
                code: text("code").ok_or_else(|| Error::invalid_request("code is missing"))?,
                redirect_uri: text("redirect_uri"),
                verifier: text("code_verifier"),
            }),
            Some("refresh_token") => Ok(Self::Refresh {
                token: text("refresh_token")
                    .ok_or_else(|| Error::invalid_request("refresh_token is missing"))?,
                scope: sent
                    .get("scope")
                    .map(|s| {
                        Scope::parse(s).ok_or_else(|| {
                            Error::new(ErrorCode::InvalidScope, "scope is not valid")
                        })
                    })
                    .transpose()?,
            }),
            Some(device::GRANT_TYPE) if settings.device_grant => Ok(Self::Device {
                code: text("device_code")
                    .ok_or_else(|| Error::invalid_request("device_code is missing"))?,
            }),
            Some(_) => Err(Error::new(
                ErrorCode::UnsupportedGrantType,
                "this grant_type is not offered here",
            )),
            None => Err(Error::invalid_request("grant_type is missing")),
        }
    }

    async fn fulfil(
        &self,
        provider: &ProviderHouse,
        conn: &mut crate::store::Conn,
        rng: &mut crate::random::Rng,
        client: &Client,
        Beside { sent, confirmation }: Beside<'_>,
        now: UnixTime,
    ) -> Result<Result<Granted, Error>, Fault> {
        let lives = provider.rules().lives();
        let bond = confirmation.bond(client);
        // FAPI 2.0 §5.3.2.1: no rotation; the refresh token stays the same.
        let rotates = client.profile != Profile::Fapi2;
        let (grant, scope) = match self {
            Self::Code {
                code,
                redirect_uri,
                verifier,
            } => {
                let Some(grant) = grants::redeem(conn, code, &client.id, now).await? else {
                    return Ok(Err(Error::invalid_grant(
                        "the code is unknown, expired, used before or of another client",
                    )));
                };
                if let Err(error) = grant.check_binding(
                    redirect_uri.as_deref(),
                    verifier.as_deref(),
                    confirmation.jkt.as_deref(),
                ) {
                    // A code that met the wrong verifier or the wrong key is burnt.
                    grants::revoke(conn, &grant.id, "binding", now).await?;
                    return Ok(Err(error));
                }
                let scope = grant.terms.scope.clone();
                (grant, scope)
            }
            Self::Refresh { token, scope } => {
                let used = if rotates {
                    grants::refresh(conn, token, &client.id, bond.as_deref(), now).await?
                } else {
                    grants::refresh_again(conn, token, &client.id, lives, now).await?
                };
                let Some(grant) = used else {
                    return Ok(Err(Error::invalid_grant(
                        "the refresh token is unknown, expired, revoked, used before or bound to another key",
                    )));
                };
                // What its federation or an operator took from the client since is not renewed.
                let limit = client.scope_limit.as_ref();
                let claims = &grant.terms.claims;
                if !limit.is_none_or(|l| within(&grant.terms.scope, l))
                    || claims.clone().within(limit) != *claims
                {
                    grants::revoke(conn, &grant.id, "client_narrowed", now).await?;
                    return Ok(Err(Error::invalid_grant(
                        "the client may no longer have all that was granted",
                    )));
                }
                // RFC 6749 §6: the same or narrower.
                let scope = match scope {
                    None => grant.terms.scope.clone(),
                    Some(narrower) if narrower.is_subset_of(&grant.terms.scope) => narrower.clone(),
                    Some(_) => {
                        return Ok(Err(Error::new(
                            ErrorCode::InvalidScope,
                            "scope is wider than what was granted",
                        )));
                    }
                };
                (grant, scope)
            }
            Self::Device { code } => {
                match device::poll(conn, code, &client.id, now)
                    .await?
                    .into_grant()
                {
                    Ok(grant) => {
                        let scope = grant.terms.scope.clone();
                        (grant, scope)
                    }
                    Err(error) => return Ok(Err(error)),
                }
            }
        };
        let aim = match provider.offered().aim(
            &grant.terms,
            &scope,
            sent.all("resource"),
            sent.get("authorization_details"),
        ) {
            Ok(aim) => aim,
            Err(error) => return Ok(Err(error)),
        };
        let sub = person::sub(conn, rng, &grant.person, &grant.terms.sector, now).await?;
        let renewed = matches!(self, Self::Refresh { .. });
        let refresh_token = if grant.terms.scope.contains(Scope::OFFLINE_ACCESS)
            && client.refresh_tokens()
            && (rotates || !renewed)
        {
            Some(grants::issue_refresh_token(conn, rng, &grant, bond.as_deref(), lives, now).await?)
        } else {
            None
        };
        let allowed = provider.allowed(client);
        let claims = if grant
            .terms
            .claims
            .id_token
            .keys()
            .any(|name| !matches!(name.as_str(), "acr" | "sub" | "auth_time"))
        {
            let person = person::find(conn, &*provider.house.sealer, &grant.person).await?;
            match person {
                None => serde_json::Map::new(),
                Some(person) => {
                    let (sealer, terms) = (&*provider.house.sealer, &grant.terms);
                    let held = person::claims_under(conn, sealer, &person, terms, allowed).await?;
                    claims::for_id_token(&terms.claims, &held)
                }
            }
        } else {
            serde_json::Map::new()
        };
        let mut grant = grant;
        grant.confirmation = confirmation;
        allowed.lower(&mut grant.terms, &provider.settings.acr_base);
        if renewed {
            // OIDC Core 12.2: no new nonce.
            grant.terms.nonce = None;
        }
        Ok(Ok(Granted {
            grant,
            sub,
            aim,
            refresh_token,
            claims,
        }))
    }
}

/// Whether a client with this limit could be granted `scope`; `openid` is not limited.
fn within(scope: &Scope, limit: &Scope) -> bool {
    scope
        .iter()
        .all(|name| name == Scope::OPENID || limit.contains(name))
}

/// A client that has proven itself; an assertion is still to be marked in the transaction that acts on it.
pub(super) struct Authenticated {
    pub(super) client: Arc<Client>,
    pub(super) assertion: Option<OneUse>,
    pub(super) by_header: bool,
}

/// Finds the client and checks its proof, without a connection held: keys may have to be fetched. The inner error is
/// the refusal.
pub(super) async fn authenticate(
    provider: &ProviderHouse,
    caller: &Caller,
    sent: &Parameters,
    par_endpoint: Option<&str>,
) -> Result<Result<Authenticated, Response>, Fault> {
    let house = &provider.house;
    let headers = &caller.headers;
    let now = house.now();
    let credentials = match read::basic(headers)
        .and_then(|basic| Credentials::read(basic, |name| sent.get(name).map(str::to_owned)))
    {
        Ok(credentials) => credentials,
        Err(error) => {
            return Ok(Err(read::refused(
                &error,
                headers.contains_key(header::AUTHORIZATION),
            )));
        }
    };
    let by_header = credentials.by_header();
    let hinted = par_endpoint.and_then(|_| request::hinted_chains(sent));
    let client = match provider
        .clients
        .find(&house.store, &credentials.client_id, hinted.as_ref(), now)
        .await
    {
        Ok(client) => client,
        Err(ClientError::Store(error)) => return Err(error.into()),
        // Federation 1.0 §12.1.3: these codes are for PAR answers alone.
        Err(ClientError::Registration(e)) if par_endpoint.is_some() => {
            tracing::info!(client = %e.client_id, reason = %e.reason, "a client could not be registered");
            return Ok(Err(read::refused(
                &Error::new(e.code, "no trust could be established for this client"),
                by_header,
            )));
        }
        Err(error) => {
            tracing::info!(%error, "a client was refused");
            return Ok(Err(read::refused(
                &Error::invalid_client("the client is not known here"),
                by_header,
            )));
        }
    };
    let signed = credentials
        .assertion()
        .or_else(|| par_endpoint.and(sent.get("request")));
    let client = match signed {
        Some(token) => provider.clients.for_token(client, token, now).await,
        // RFC 8705 §2.2: the certificates stand among the keys.
        None if client.authentication == Authentication::SelfSignedTls => {
            provider.clients.with_keys(client, None, now).await
        }
        None => client,
    };
    // Federation 1.0 §12.1.1.2: at PAR a signed request object proves the client by itself.
    let by_object = par_endpoint.is_some()
        && credentials.assertion().is_none()
        && sent.get("request").is_some()
        && client.profile == Profile::Federation
        && matches!(client.authentication, Authentication::PrivateKeyJwt(_));
    if by_object {
        return Ok(Ok(Authenticated {
            client,
            assertion: None,
            by_header,
        }));
    }
    let token_endpoint = house.url("/token");
    let aliases: Vec<String> = ["/token", "/par"]
        .into_iter()
        .take(if par_endpoint.is_some() { 2 } else { 1 })
        .filter_map(|path| Some(provider.settings.mtls.as_ref()?.alias(path)))
        .collect();
    let at = At {
        issuer: &house.id,
        token_endpoint: &token_endpoint,
        par_endpoint,
        aliases: &aliases,
        certificate: caller.certificate.as_ref(),
        authorities: provider.authorities.as_ref(),
        now,
    };
    Ok(match credentials.verify(&client, &at) {
        Ok(assertion) => Ok(Authenticated {
            client,
            assertion,
            by_header,
        }),
        Err(error) => Err(read::refused(&error, by_header)),
    })
}

/// Public clients live in browsers: any origin may ask, with what it holds; no cookie counts here.
pub(super) fn with_cors(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type, dpop"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("dpop-nonce, www-authenticate"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("POST"),
    );
    answer
}
