//! `/userinfo` (OIDC Core 5.3): what the platform may know, to the holder of an access token.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::caller::Caller;
use super::{protected_resource, read};
use crate::oauth::{Error, ErrorCode, Scope};
use crate::provider::clients::ClientError;
use crate::provider::floor::{self, Challenge};
use crate::provider::userinfo::UserInfo;
use crate::provider::{claims, dpop, grants, person};
use crate::web::error::{Fault, json_answer, jwt_answer};
use crate::web::provider_house::{Provider, ProviderHouse};

/// An access token, and how it came (RFC 9449 §7.1: the scheme says whether a proof comes along).
enum Presented {
    Bearer(String),
    DPoP(String),
}

pub(super) async fn by_get(State(provider): State<Provider>, caller: Caller) -> Response {
    let token = in_header(&caller.headers);
    answer(&provider, &caller, token).await
}

/// RFC 6750 §2.2: in a form body too, but not in both places.
pub(super) async fn by_post(
    State(provider): State<Provider>,
    caller: Caller,
    body: Bytes,
) -> Response {
    let in_body = read::form(&caller.headers, &body)
        .ok()
        .and_then(|sent| sent.get("access_token").map(str::to_owned));
    let token = match (in_header(&caller.headers), in_body) {
        (Ok(Some(_)), Some(_)) => Err(Error::invalid_request("the access token was sent twice")),
        (found, None) => found,
        (_, found) => Ok(found.map(Presented::Bearer)),
    };
    answer(&provider, &caller, token).await
}

pub(super) async fn preflight() -> Response {
    with_cors(StatusCode::NO_CONTENT.into_response())
}

async fn answer(
    provider: &ProviderHouse,
    caller: &Caller,
    token: Result<Option<Presented>, Error>,
) -> Response {
    let answer = match token {
        Err(error) => refused(provider, Some(&error), false, ""),
        Ok(None) => refused(provider, None, false, ""),
        Ok(Some(token)) => {
            let proven = matches!(token, Presented::DPoP(_));
            match tell(provider, caller, &token).await {
                Ok(Ok(UserInfo::Json(claims))) => json_answer(StatusCode::OK, &claims),
                Ok(Ok(UserInfo::Jwt(jwt))) => jwt_answer(jwt),
                Ok(Err(Refusal::Error(error))) => refused(provider, Some(&error), proven, ""),
                Ok(Err(Refusal::StepUp(challenge))) => step_up(provider, &challenge, proven),
                Err(fault) => provider.fault_json(&caller.headers, &fault),
            }
        }
    };
    with_cors(caller.with_nonce(provider, answer))
}

/// Why nothing is told.
enum Refusal {
    Error(Error),
    /// The login behind the token does not do (RFC 9470).
    StepUp(Challenge),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

async fn tell(
    provider: &ProviderHouse,
    caller: &Caller,
    token: &Presented,
) -> Result<Result<UserInfo, Refusal>, Fault> {
    let house = &provider.house;
    let now = house.now();
    let invalid = |text: &'static str| Ok(Err(Error::new(ErrorCode::InvalidToken, text).into()));
    let proof = match token {
        Presented::Bearer(_) => Ok(None),
        Presented::DPoP(token) => caller.proof(provider, "/userinfo", Some(token)),
    };
    let proof = match (token, proof) {
        (_, Err(error)) => return Ok(Err(error.into())),
        (Presented::DPoP(_), Ok(None)) => {
            return Ok(Err(Error::new(
                ErrorCode::InvalidDpopProof,
                "the DPoP header is missing",
            )
            .into()));
        }
        (_, Ok(proof)) => proof,
    };
    let (Presented::Bearer(token) | Presented::DPoP(token)) = token;
    let Ok(token) = provider.issuer().read_access_token(token, now) else {
        return invalid("the access token is not valid or has expired");
    };
    if let Err(error) = token
        .confirmation
        .check(proof.as_ref(), caller.certificate.as_ref())
    {
        return Ok(Err(error.into()));
    }
    // Before a connection is taken: a client of the federation may have to be resolved. In what form it is told is what it
    // has registered now.
    let found = provider
        .clients
        .find(&house.store, token.client.as_str(), None, now);
    let client = match found.await {
        Ok(client) => client,
        Err(ClientError::Store(error)) => return Err(error.into()),
        Err(ClientError::Registration(e)) if e.code == ErrorCode::TemporarilyUnavailable => {
            let text = "the client's federation cannot be reached; try again later";
            return Ok(Err(Error::new(e.code, text).into()));
        }
        Err(error) => {
            tracing::info!(%error, "a client is no longer told anything");
            return invalid("the client is no longer known here");
        }
    };
    let encryption = client.userinfo_encryption;
    let client = match provider.clients.with_key_for(client, encryption, now).await {
        Ok(client) => client,
        Err(error) => return Ok(Err(error.into())),
    };
    let mut conn = house.store.read().await?;
    if let Some(proof) = proof
        && !proof.one_use.mark(&mut conn).await?
    {
        return Ok(Err(Error::new(
            ErrorCode::InvalidDpopProof,
            "the DPoP proof has been used before (jti)",
        )
        .into()));
    }
    let Some(grant) = grants::of_token(&mut conn, &token.grant, &token.jti, now).await? else {
        return invalid("the access token has been revoked");
    };
    if !token.scope.contains(Scope::OPENID) {
        return Ok(Err(Error::new(
            ErrorCode::InsufficientScope,
            "scope openid is needed",
        )
        .into()));
    }
    let settings = &provider.settings;
    if let Some(floor) = &settings.userinfo_floor
        && let Some(challenge) =
            floor::challenge(floor, &settings.acr_base, &grant.terms, &token.scope, now)
    {
        return Ok(Err(Refusal::StepUp(challenge)));
    }
    // What its trust marks let it have now.
    let allowed = provider.allowed(&client);
    let Some(person) = person::find(&mut conn, &*house.sealer, &grant.person).await? else {
        return invalid("the account is closed");
    };
    let terms = &grant.terms;
    let held = person::claims_under(&mut conn, &*house.sealer, &person, terms, allowed).await?;
    let mut told = claims::for_userinfo(&token.scope, &terms.claims, &held);
    told.insert("sub".to_owned(), token.sub.into());
    // No connection waits for a key that may live elsewhere.
    drop(conn);
    let mut rng = house.rng();
    let told = provider.issuer().userinfo(&mut rng, &client, told).await?;
    Ok(told.map_err(Refusal::from))
}

/// The token of the `Authorization` header, the scheme in any case (RFC 9110 §11.1).
fn in_header(headers: &HeaderMap) -> Result<Option<Presented>, Error> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|v| v.split_once(' '))
        .unwrap_or_default();
    let token = token.trim().to_owned();
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(Presented::Bearer(token)))
    } else if scheme.eq_ignore_ascii_case("dpop") {
        Ok(Some(Presented::DPoP(token)))
    } else {
        Err(Error::invalid_request(
            "the Authorization header holds neither a Bearer nor a DPoP token",
        ))
    }
}

/// RFC 9470 §3: with which login the client may come again.
fn step_up(provider: &ProviderHouse, challenge: &Challenge, proven: bool) -> Response {
    let acr = challenge.acr_values.iter();
    let age = challenge.max_age.iter();
    let more: String = acr
        .map(|acr| format!(", acr_values=\"{acr}\""))
        .chain(age.map(|age| format!(", max_age=\"{age}\"")))
        .collect();
    let error = Error::new(
        ErrorCode::InsufficientUserAuthentication,
        "a stronger or more recent login is needed",
    );
    refused(provider, Some(&error), proven, &more)
}

/// The challenges say what was wrong, under the scheme that was used, and what other way there is (RFC 6750 §3, RFC 9449
/// §7.1); without a token they say no more than the schemes, and where this resource describes itself (RFC 9728 §5.1).
fn refused(provider: &ProviderHouse, error: Option<&Error>, proven: bool, more: &str) -> Response {
    let url = provider.house.url(protected_resource::PATH);
    let described = format!("resource_metadata=\"{url}\"");
    let algs: Vec<&str> = dpop::ALGORITHMS.iter().map(|a| a.as_str()).collect();
    let algs = format!("algs=\"{}\"", algs.join(" "));
    let (mut answer, challenges) = match error {
        None => {
            let mut answer = StatusCode::UNAUTHORIZED.into_response();
            answer
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            (
                answer,
                [
                    format!("Bearer {described}"),
                    format!("DPoP {algs}, {described}"),
                ],
            )
        }
        Some(error) => {
            let status = match error.code {
                ErrorCode::InvalidRequest => StatusCode::BAD_REQUEST,
                ErrorCode::InsufficientScope => StatusCode::FORBIDDEN,
                ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::UNAUTHORIZED,
            };
            let answer = json_answer(
                status,
                &json!({"error": error.code.as_str(), "error_description": error.description}),
            );
            let said = format!(
                "error=\"{}\", error_description=\"{}\"{more}, {described}",
                error.code, error.description
            );
            let challenges = if proven {
                [format!("DPoP {said}, {algs}"), "Bearer".to_owned()]
            } else {
                [format!("Bearer {said}"), format!("DPoP {algs}")]
            };
            (answer, challenges)
        }
    };
    for challenge in challenges {
        if let Ok(value) = HeaderValue::try_from(challenge) {
            answer.headers_mut().append(header::WWW_AUTHENTICATE, value);
        }
    }
    answer
}

fn with_cors(mut answer: Response) -> Response {
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
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("dpop-nonce, www-authenticate"),
    );
    answer
}
