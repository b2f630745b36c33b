//! How these doors read strangers' bytes: form bodies, the Basic pair, the browser's cookies.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::oauth::{Error, ErrorCode};
use crate::provider::authorize::Browser;
use crate::provider::encrypted;
use crate::provider::request::Parameters;
use crate::web::cookies;
use crate::web::error::{Fault, error_json, json_answer, retry_after};
use crate::web::house::House;
use crate::web::provider_house::ProviderHouse;

/// A form body; any other type of body is not read.
pub fn form(headers: &HeaderMap, body: &[u8]) -> Result<Parameters, Error> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split(';').next())
        .unwrap_or_default()
        .trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Error::invalid_request(
            "the body must be application/x-www-form-urlencoded",
        ));
    }
    Ok(Parameters::parse(body))
}

/// The same where nothing may be sent twice (RFC 6749 §3.2).
pub(super) fn form_once(headers: &HeaderMap, body: &[u8]) -> Result<Parameters, Error> {
    let sent = form(headers, body)?;
    if sent.repeats_any() {
        return Err(Error::invalid_request("a parameter is repeated"));
    }
    Ok(sent)
}

/// Too much from one source: when to come again (RFC 9110 §10.2.3).
pub(super) fn too_many(seconds: i64) -> Response {
    let error = Error::new(
        ErrorCode::TemporarilyUnavailable,
        "too many requests came from this address; try again later",
    );
    let mut answer = error_json(&error);
    *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    retry_after(answer, seconds)
}

/// The same parameters, the request object without the encryption in which it came; or why that did not come off.
pub(super) async fn opened(
    provider: &ProviderHouse,
    sent: Parameters,
) -> Result<(Parameters, Option<Error>), Fault> {
    let house = &provider.house;
    Ok(encrypted::open_request(sent, &*house.decrypter, &mut house.rng()).await?)
}

/// The pair of an `Authorization: Basic` header, each part form-decoded (RFC 6749 §2.3.1).
pub fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Error> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let refused = || Error::invalid_client("the Authorization header is not a Basic pair");
    let (scheme, rest) = value
        .to_str()
        .ok()
        .and_then(|v| v.split_once(' '))
        .ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refused());
    }
    let pair = STANDARD.decode(rest.trim()).map_err(|_| refused())?;
    let pair = String::from_utf8(pair).map_err(|_| refused())?;
    let (id, secret) = pair.split_once(':').ok_or_else(refused)?;
    let decode = |part: &str| {
        // A lone value is the name of a pair without `=`; a literal `=` or `&` cannot stand in a form-encoded part.
        let escaped = part.replace('=', "%3D").replace('&', "%26");
        url::form_urlencoded::parse(escaped.as_bytes())
            .next()
            .map_or_else(String::new, |(name, _)| name.into_owned())
    };
    Ok(Some((decode(id), decode(secret))))
}

pub(super) fn browser<'h>(house: &House, headers: &'h HeaderMap) -> Browser<'h> {
    Browser {
        session: cookies::read(headers, house, cookies::SESSION),
        secret: cookies::read(headers, house, cookies::BROWSER),
    }
}

/// Endpoints that take POST alone (RFC 9126 §2.3, RFC 6749 §3.2).
pub(super) async fn wrong_method() -> Response {
    let error = Error::invalid_request("this endpoint takes POST");
    let mut answer = json_answer(
        StatusCode::METHOD_NOT_ALLOWED,
        &serde_json::json!({"error": error.code.as_str(), "error_description": error.description}),
    );
    answer
        .headers_mut()
        .insert(header::ALLOW, header::HeaderValue::from_static("POST"));
    answer
}

/// A refusal of client authentication or of what follows it.
pub(super) fn refused(error: &Error, by_header: bool) -> Response {
    let mut answer = error_json(error);
    if answer.status() == StatusCode::UNAUTHORIZED {
        // RFC 6749 §5.2: the scheme that was used; RFC 9110 wants one on every 401.
        let scheme = if by_header {
            "Basic realm=\"hefu\""
        } else {
            "Bearer error=\"invalid_client\""
        };
        answer.headers_mut().insert(
            header::WWW_AUTHENTICATE,
            header::HeaderValue::from_static(scheme),
        );
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_pairs_are_form_decoded() {
        let with = |text: &str| {
            let mut headers = HeaderMap::new();
            let value = format!("bAsIc {}", STANDARD.encode(text));
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            basic(&headers)
        };
        let pair = |a: &str, b: &str| Ok(Some((a.to_owned(), b.to_owned())));
        assert_eq!(with("id:secret"), pair("id", "secret"));
        assert_eq!(
            with("https%3A%2F%2Frp:a%2Bb+c%25"),
            pair("https://rp", "a+b c%")
        );
        assert_eq!(with("id:a=b&c"), pair("id", "a=b&c"));
        assert!(with("nothing").is_err());
        assert_eq!(basic(&HeaderMap::new()), Ok(None));
    }
}
