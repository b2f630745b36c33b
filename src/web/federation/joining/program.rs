//! `POST /federation/join`: an entity configuration from a program (`application/entity-statement+jwt`), answered in JSON; anything else
//! is the page's form.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::asking::Answer;
use super::{JoiningHouse, page};
use crate::federation::EntityId;
use crate::federation::joining::Finding;
use crate::jose::jwt;
use crate::oauth::{Error, ErrorCode};
use crate::store;
use crate::web::error::{Fault, error_json, json_answer, reference, retry_after};
use crate::web::source::Source;

const STATEMENT: &str = "application/entity-statement+jwt";

pub(super) async fn ask(
    State(joining): State<JoiningHouse>,
    source: Source,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is(&headers, STATEMENT) {
        return page::submitted(&joining, source, &headers, &body).await;
    }
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let subject = jwt::peek(text.trim_ascii(), super::LIMIT)
        .and_then(|(_, claims)| jwt::text(&claims, "sub").map(str::to_owned))
        .map_err(|e| e.to_string())
        .and_then(|sub| {
            EntityId::parse(&sub, joining.resolver.rules().schemes).map_err(|e| e.to_string())
        });
    let subject = match subject {
        Ok(subject) => subject,
        Err(reason) => {
            return error_json(&Error::invalid_request(format!(
                "this is no entity configuration: {reason}"
            )));
        }
    };
    let answer = joining.ask(source, &subject, Some(text)).await;
    told(&joining, &headers, &subject, answer)
}

/// Whether the body is of this media type, parameters aside.
pub(super) fn is(headers: &HeaderMap, media_type: &str) -> bool {
    let said = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let said = said.and_then(|value| value.split(';').next());
    said.is_some_and(|said| said.trim().eq_ignore_ascii_case(media_type))
}

/// The answer as JSON, the same at every door for programs.
pub(super) fn told(
    joining: &JoiningHouse,
    headers: &HeaderMap,
    subject: &EntityId,
    answer: Result<Answer, store::Error>,
) -> Response {
    let conflict = |description: &str| {
        let body =
            json!({"error": ErrorCode::InvalidRequest.as_str(), "error_description": description});
        json_answer(StatusCode::CONFLICT, &body)
    };
    match answer {
        Err(fault) => {
            Fault::from(fault).log(&reference(&joining.front.house, headers));
            error_json(&Fault::told())
        }
        Ok(Answer::TooOften(seconds)) => {
            let body = json!({"error": ErrorCode::TemporarilyUnavailable.as_str(),
                "error_description": "too many requests; try again later"});
            retry_after(json_answer(StatusCode::TOO_MANY_REQUESTS, &body), seconds)
        }
        Ok(Answer::Refused(findings)) => {
            let body = json!({"error": ErrorCode::InvalidMetadata.as_str(),
                "error_description": "the entity configuration is not acceptable; see findings", "findings": all(&findings)});
            json_answer(StatusCode::BAD_REQUEST, &body)
        }
        Ok(Answer::Known(standing)) => conflict(&format!(
            "{subject} is known here and {standing}; change keys at /federation/change-keys, anything else with the operator"
        )),
        Ok(Answer::Waits) => {
            conflict("a request of this entity waits already, or this one was used before")
        }
        Ok(Answer::Full) => error_json(&Error::new(
            ErrorCode::TemporarilyUnavailable,
            "too many requests wait; come back in some days",
        )),
        Ok(Answer::Filed { reference, notes }) => {
            let address = joining
                .front
                .house
                .url(&format!("/federation/join/{reference}"));
            let body = json!({"entity_id": subject, "state": "filed", "reference": reference, "state_uri": address, "notes": all(&notes)});
            json_answer(StatusCode::CREATED, &body)
        }
    }
}

pub(super) fn all(findings: &[Finding]) -> Value {
    findings.iter().map(Finding::to_json).collect()
}
