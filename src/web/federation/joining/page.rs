//! `GET /federation/join`, and the form that it shows: for people, without script.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;

use super::JoiningHouse;
use super::asking::Answer;
use crate::federation::EntityId;
use crate::federation::joining::Finding;
use crate::oauth::{Error, ErrorCode};
use crate::web::csrf;
use crate::web::error::{Fault, error_page, reference, retry_after};
use crate::web::page::{page, see_other, with_cookie};
use crate::web::source::Source;
use crate::web::view::error::ErrorKind;
use crate::web::view::joining::Join;
use crate::web::view::{Frame, Problem};

pub(super) async fn show(State(joining): State<JoiningHouse>, headers: HeaderMap) -> Response {
    joining.form(&headers, StatusCode::OK, "", Vec::new(), None)
}

/// The form was sent.
pub(super) async fn submitted(
    joining: &JoiningHouse,
    source: Source,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let mut fields = url::form_urlencoded::parse(body);
    let (mut typed, mut token) = (String::new(), String::new());
    for (name, value) in &mut fields {
        match &*name {
            "entity-id" => typed = value.trim().to_owned(),
            csrf::FIELD => token = value.into_owned(),
            _ => {}
        }
    }
    let house = &joining.front.house;
    if !csrf::fits(house, headers, &token, house.now()) {
        return joining.form(
            headers,
            StatusCode::FORBIDDEN,
            &typed,
            Vec::new(),
            Some(Problem::FormStale),
        );
    }
    let Ok(subject) = EntityId::parse(&typed, joining.resolver.rules().schemes) else {
        return joining.form(
            headers,
            StatusCode::BAD_REQUEST,
            &typed,
            Vec::new(),
            Some(Problem::EntityIdInvalid),
        );
    };
    let refused = |problem| {
        joining.form(
            headers,
            StatusCode::CONFLICT,
            &typed,
            Vec::new(),
            Some(problem),
        )
    };
    match joining.ask(source, &subject, None).await {
        Err(fault) => joining.fault_page(headers, &fault.into()),
        Ok(Answer::TooOften(seconds)) => retry_after(joining.too_often(headers), seconds),
        Ok(Answer::Refused(findings)) => {
            joining.form(headers, StatusCode::BAD_REQUEST, &typed, findings, None)
        }
        Ok(Answer::Known(_)) => refused(Problem::JoinKnown),
        Ok(Answer::Waits) => refused(Problem::JoinWaits),
        Ok(Answer::Full) => refused(Problem::JoinFull),
        Ok(Answer::Filed { reference, .. }) => {
            let root = joining.front.frame(headers).root;
            see_other(&format!("{root}/federation/join/{reference}"))
        }
    }
}

impl JoiningHouse {
    fn form(
        &self,
        headers: &HeaderMap,
        status: StatusCode,
        typed: &str,
        findings: Vec<Finding>,
        problem: Option<Problem>,
    ) -> Response {
        let (mut frame, cookie) = self.frame(headers, "/federation/join");
        frame.problems.extend(problem);
        let shown = Join {
            name: frame.brand_name(),
            superior: self.id.to_string(),
            entity_id: typed.to_owned(),
            findings,
            frame,
        };
        let answer = page(status, &shown);
        match cookie {
            Some(cookie) => with_cookie(answer, cookie),
            None => answer,
        }
    }

    /// A frame whose forms post back here.
    pub(super) fn frame(&self, headers: &HeaderMap, path: &str) -> (Frame, Option<HeaderValue>) {
        let house = &self.front.house;
        let mut frame = self.front.at(headers, path);
        let (secret, cookie) = csrf::browser(house, headers);
        frame.csrf = csrf::token(house, &secret, None, house.now());
        (frame, cookie)
    }

    fn too_often(&self, headers: &HeaderMap) -> Response {
        let error = Error::new(
            ErrorCode::TemporarilyUnavailable,
            "too many requests; try again later",
        );
        let reference = reference(&self.front.house, headers);
        error_page(
            self.front.frame(headers),
            ErrorKind::TooManyRequests,
            &error,
            reference,
            None,
        )
    }

    pub(super) fn fault_page(&self, headers: &HeaderMap, fault: &Fault) -> Response {
        let reference = reference(&self.front.house, headers);
        fault.log(&reference);
        error_page(
            self.front.frame(headers),
            ErrorKind::Internal,
            &Fault::told(),
            reference,
            None,
        )
    }
}
