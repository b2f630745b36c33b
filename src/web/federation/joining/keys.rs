//! `POST /federation/change-keys`: a subordinate asks for other federation keys, with a JWT that one of its old keys signed. Filed, not
//! done: the operator approves it.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::JoiningHouse;
use super::asking::Answer;
use super::program::{is, told};
use crate::federation::EntityId;
use crate::federation::authority::Subordinate;
use crate::federation::joining::keys::{self, Refused};
use crate::federation::joining::standing::Standing;
use crate::jose::JwkSet;
use crate::oauth::{Error, ErrorCode};
use crate::store;
use crate::web::error::{error_json, json_answer};
use crate::web::source::Source;

pub(super) async fn ask(
    State(joining): State<JoiningHouse>,
    source: Source,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is(&headers, "application/jwt") {
        return error_json(&Error::invalid_request(
            "send a signed request as application/jwt",
        ));
    }
    let token = std::str::from_utf8(&body).unwrap_or_default().trim_ascii();
    let subject = match keys::subject(token, joining.resolver.rules()) {
        Ok(subject) => subject,
        Err(refused) => return no(&refused),
    };
    match joining.asked_for_keys(source, &subject, token).await {
        Ok(Err(refused)) => no(&refused),
        Ok(Ok(answer)) => told(&joining, &headers, &subject, Ok(answer)),
        Err(fault) => told(&joining, &headers, &subject, Err(fault)),
    }
}

impl JoiningHouse {
    async fn asked_for_keys(
        &self,
        source: Source,
        subject: &EntityId,
        token: &str,
    ) -> Result<Result<Answer, Refused>, store::Error> {
        if let Some(seconds) = self.count(source, subject).await? {
            return Ok(Ok(Answer::TooOften(seconds)));
        }
        let now = self.front.house.now();
        let (jwks, contacts) = {
            let mut conn = self.front.house.store.read().await?;
            let known = Subordinate::find(&mut conn, subject).await?;
            let standing = Standing::find(&mut conn, subject).await?;
            let (Some(known), Some(standing)) = (known, standing) else {
                return Ok(Err(Refused::NotSubordinate(subject.clone())));
            };
            match keys::verify(token, subject, &self.id, &known.jwks, &standing, now) {
                Ok(jwks) => (jwks, standing.contacts),
                Err(refused) => return Ok(Err(refused)),
            }
        };
        if let Err(refused) = self.serves(subject, &jwks).await {
            return Ok(Err(refused));
        }
        Ok(Ok(self.file_keys(subject, &jwks, &contacts, token).await?))
    }

    async fn serves(&self, subject: &EntityId, jwks: &JwkSet) -> Result<(), Refused> {
        let (rules, now) = (self.resolver.rules(), self.front.house.now());
        let token = self.fetch(subject).await.map_err(Refused::NotServed)?;
        keys::served(token.trim_ascii(), subject, jwks, rules, now).map(|_| ())
    }
}

/// Which kind of no, as §8.9 names it.
fn no(refused: &Refused) -> Response {
    let (status, code) = match refused {
        Refused::Form(_) | Refused::Keys(_) | Refused::Same => {
            (StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest)
        }
        Refused::NotServed(_) => (StatusCode::BAD_REQUEST, ErrorCode::InvalidMetadata),
        Refused::NotSubordinate(_) => (StatusCode::NOT_FOUND, ErrorCode::NotFound),
        Refused::Compromised(_) | Refused::Proof(_) => {
            (StatusCode::UNAUTHORIZED, ErrorCode::InvalidClient)
        }
    };
    json_answer(
        status,
        &json!({"error": code.as_str(), "error_description": refused.to_string()}),
    )
}
