//! Where the answer goes and what it looks like on the way (OAuth 2.0 Multiple Response Type Encoding Practices §2.1 and §5,
//! Form Post Response Mode 2, JARM 2.3). What it says is put together in `provider::answer`.

use serde::{Deserialize, Serialize};

use super::{Context, Parameters};
use crate::client::Client;
use crate::oauth::{Algorithm, Error, ErrorCode, ResponseType};

/// The proven place where the answer goes, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    pub redirect_uri: String,
    pub mode: ResponseMode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The whole answer is one JWT, signed under this algorithm (JARM 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Algorithm>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    Query,
    Fragment,
    FormPost,
}

impl ResponseMode {
    /// As the discovery document lists them.
    pub const NAMES: [&str; 7] = [
        "query",
        "fragment",
        "form_post",
        "jwt",
        "query.jwt",
        "fragment.jwt",
        "form_post.jwt",
    ];

    /// The mode, `None` where the response type decides (JARM 2.3.4), and whether the answer is a JWT.
    fn parse(text: &str) -> Option<(Option<Self>, bool)> {
        let (place, signed) = match text.strip_suffix(".jwt") {
            Some(place) => (place, true),
            None if text == "jwt" => return Some((None, true)),
            None => (text, false),
        };
        let mode = match place {
            "query" => Self::Query,
            "fragment" => Self::Fragment,
            "form_post" => Self::FormPost,
            _ => return None,
        };
        Some((Some(mode), signed))
    }
}

/// The redirect URI must be the client's own (OIDC Core 3.1.2.1).
pub(super) fn of_answer(parameters: &Parameters, client: &Client) -> Result<Return, Error> {
    let redirect_uri = parameters
        .get("redirect_uri")
        .ok_or_else(|| Error::invalid_request("redirect_uri is missing"))?;
    registered(redirect_uri, client)?;
    // What is wrong with either is said below, in the place that is left: an unknown type or mode counts as absent.
    let front = parameters
        .get("response_type")
        .and_then(ResponseType::parse)
        .is_some_and(ResponseType::is_front);
    let (asked, signed) = parameters
        .get("response_mode")
        .and_then(ResponseMode::parse)
        .unwrap_or_default();
    let mode = match (asked, front) {
        // Multiple Response Types 5: never in the query, not even the error.
        (None | Some(ResponseMode::Query), true) => ResponseMode::Fragment,
        (None, false) => ResponseMode::Query,
        (Some(mode), _) => mode,
    };
    Ok(Return {
        redirect_uri: redirect_uri.to_owned(),
        mode,
        state: parameters.get("state").map(str::to_owned),
        signed: signed.then_some(client.authorization_alg),
    })
}

pub(super) fn registered(redirect_uri: &str, client: &Client) -> Result<(), Error> {
    if client.has_redirect_uri(redirect_uri) {
        Ok(())
    } else {
        Err(Error::invalid_request(
            "redirect_uri is not one of those registered for this client",
        ))
    }
}

/// What is asked for, of what is offered here and registered for the client.
pub(super) fn response_type(
    parameters: &Parameters,
    client: &Client,
    context: &Context<'_>,
) -> Result<ResponseType, Error> {
    let text = parameters
        .get("response_type")
        .ok_or_else(|| Error::invalid_request("response_type is missing"))?;
    let asked = ResponseType::parse(text)
        .filter(|asked| context.response_types.contains(asked))
        .ok_or_else(|| {
            Error::new(
                ErrorCode::UnsupportedResponseType,
                "this response_type is not offered here",
            )
        })?;
    allowed(asked, client)?;
    Ok(asked)
}

/// OIDC Registration 2: a client restricts itself to what it registered.
pub(super) fn allowed(asked: ResponseType, client: &Client) -> Result<(), Error> {
    let refuse = |text: &'static str| Err(Error::new(ErrorCode::UnauthorizedClient, text));
    if !client.response_types.contains(&asked) {
        return refuse("this client has not registered this response_type");
    }
    // RFC 9449 §5, RFC 8705 §3: what comes through the browser is bound to no key.
    if asked.token && (client.dpop_bound || client.certificate_bound) {
        return refuse(
            "access tokens of this client are bound to a key and come from the token endpoint",
        );
    }
    Ok(())
}

/// After the type, since it depends on it.
pub(super) fn response_mode(
    parameters: &Parameters,
    response_type: ResponseType,
) -> Result<(), Error> {
    let Some(text) = parameters.get("response_mode") else {
        return Ok(());
    };
    match ResponseMode::parse(text) {
        None => Err(Error::invalid_request("response_mode is not known here")),
        // Multiple Response Types 5; JARM 2.3.1 admits it for encrypted answers alone, which we do not make.
        Some((Some(ResponseMode::Query), _)) if response_type.is_front() => Err(
            Error::invalid_request("tokens do not travel in the query: use fragment or form_post"),
        ),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bound_tokens_do_not_come_through_the_browser() {
        let metadata = json!({"client_id": "rp", "client_secret": "s",
            "redirect_uris": ["https://rp.example/cb"], "response_types": ["code", "code token", "code id_token"]});
        let metadata = metadata.as_object().unwrap();
        let plain = crate::client::registered::from_config(metadata, false).unwrap();
        let by_key = Client {
            dpop_bound: true,
            ..plain.clone()
        };
        let by_certificate = Client {
            certificate_bound: true,
            ..plain.clone()
        };
        for (text, free, bound) in [
            ("code", true, true),
            ("code id_token", true, true),
            ("code token", true, false),
            ("id_token", false, false),
        ] {
            let asked = ResponseType::parse(text).unwrap();
            assert_eq!(allowed(asked, &plain).is_ok(), free, "{text}");
            for client in [&by_key, &by_certificate] {
                assert_eq!(allowed(asked, client).is_ok(), bound, "{text}");
            }
        }
    }
}
