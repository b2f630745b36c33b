//! `/userinfo` (OIDC Core 5.3): what the platform may know, to the holder of an access token.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::read;
use crate::oauth::{Error, ErrorCode, Scope};
use crate::provider::{claims, grants, person};
use crate::web::error::{Fault, json_answer};
use crate::web::provider_house::{Provider, ProviderHouse};

pub(super) async fn by_get(State(provider): State<Provider>, headers: HeaderMap) -> Response {
    answer(&provider, &headers, in_header(&headers)).await
}

/// RFC 6750 §2.2: in a form body too, but not in both places.
pub(super) async fn by_post(
    State(provider): State<Provider>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let in_body = read::form(&headers, &body)
        .ok()
        .and_then(|sent| sent.get("access_token").map(str::to_owned));
    let token = match (in_header(&headers), in_body) {
        (Ok(Some(_)), Some(_)) => Err(Error::invalid_request("the access token was sent twice")),
        (found, None) => found,
        (_, found) => Ok(found),
    };
    answer(&provider, &headers, token).await
}

pub(super) async fn preflight() -> Response {
    with_cors(StatusCode::NO_CONTENT.into_response())
}

async fn answer(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    token: Result<Option<String>, Error>,
) -> Response {
    let answer = match token {
        Err(error) => refused(Some(&error)),
        Ok(None) => refused(None),
        Ok(Some(token)) => match tell(provider, &token).await {
            Ok(Ok(claims)) => json_answer(StatusCode::OK, &claims),
            Ok(Err(error)) => refused(Some(&error)),
            Err(fault) => provider.fault_json(headers, &fault),
        },
    };
    with_cors(answer)
}

async fn tell(provider: &ProviderHouse, token: &str) -> Result<Result<Value, Error>, Fault> {
    let house = &provider.house;
    let now = house.now();
    let invalid = |text: &'static str| Ok(Err(Error::new(ErrorCode::InvalidToken, text)));
    let Ok(token) = provider.issuer().read_access_token(token, now) else {
        return invalid("the access token is not valid or has expired");
    };
    let mut conn = house.store.read().await?;
    let Some(grant) = grants::find(&mut conn, &token.grant, now).await? else {
        return invalid("the access token has been revoked");
    };
    if !token.scope.contains(Scope::OPENID) {
        return Ok(Err(Error::new(
            ErrorCode::InsufficientScope,
            "scope openid is needed",
        )));
    }
    let Some(person) = person::find(&mut conn, &*house.sealer, &grant.person).await? else {
        return invalid("the account is closed");
    };
    let terms = &grant.terms;
    let held = person::claims_under(&mut conn, &*house.sealer, &person, terms).await?;
    let mut told = claims::for_userinfo(&token.scope, &terms.claims, &held);
    told.insert("sub".to_owned(), token.sub.into());
    Ok(Ok(Value::Object(told)))
}

/// The token of `Authorization: Bearer`, the scheme in any case (RFC 9110 §11.1).
fn in_header(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    match value.to_str().ok().and_then(|v| v.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Some(token.trim().to_owned()))
        }
        _ => Err(Error::invalid_request(
            "the Authorization header is not a Bearer token",
        )),
    }
}

/// RFC 6750 §3: the challenge says what was wrong; without a token it says nothing more than the scheme.
fn refused(error: Option<&Error>) -> Response {
    let Some(error) = error else {
        let mut answer = StatusCode::UNAUTHORIZED.into_response();
        answer
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        answer
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return answer;
    };
    let status = match error.code {
        ErrorCode::InvalidRequest => StatusCode::BAD_REQUEST,
        ErrorCode::InsufficientScope => StatusCode::FORBIDDEN,
        _ => StatusCode::UNAUTHORIZED,
    };
    let mut answer = json_answer(
        status,
        &json!({"error": error.code.as_str(), "error_description": error.description}),
    );
    let challenge = format!(
        "Bearer error=\"{}\", error_description=\"{}\"",
        error.code, error.description
    );
    if let Ok(value) = HeaderValue::try_from(challenge) {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, value);
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
        HeaderValue::from_static("authorization, content-type"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("www-authenticate"),
    );
    answer
}
