//! `/federation/join/{reference}`: what became of a request, for whoever holds its handle; it may be taken back there. A page for people,
//! JSON for programs.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::JoiningHouse;
use super::program::all;
use crate::audit::{self, Event};
use crate::federation::joining::{Request, requests};
use crate::oauth::{Error, ErrorCode};
use crate::store;
use crate::web::csrf;
use crate::web::error::{Fault, error_json, error_page, json_answer, reference};
use crate::web::lost::reads_pages;
use crate::web::page::{page, see_other, with_cookie};
use crate::web::view::error::ErrorKind;
use crate::web::view::joining::JoinState;

pub(super) async fn show(
    State(joining): State<JoiningHouse>,
    Path(handle): Path<String>,
    headers: HeaderMap,
) -> Response {
    match joining.request(&handle).await {
        Ok(Some(request)) => joining.state(&headers, &handle, request),
        Ok(None) => joining.unknown(&headers),
        Err(fault) => joining.fault(&headers, fault),
    }
}

/// `DELETE` by a program, or the page's form.
pub(super) async fn withdraw(
    State(joining): State<JoiningHouse>,
    Path(handle): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let house = &joining.front.house;
    if method == Method::POST {
        let token = url::form_urlencoded::parse(&body).find(|(name, _)| name == csrf::FIELD);
        let ours = token.is_some_and(|(_, token)| csrf::fits(house, &headers, &token, house.now()));
        if !ours {
            let error = Error::invalid_request("the form did not come from our page");
            let reference = reference(house, &headers);
            return error_page(
                joining.front.frame(&headers),
                ErrorKind::FormNotOurs,
                &error,
                reference,
                None,
            );
        }
    }
    match joining.take_back(&handle).await {
        Err(fault) => joining.fault(&headers, fault),
        Ok(false) if method == Method::DELETE => joining.unknown(&headers),
        Ok(_) if method == Method::DELETE => {
            json_answer(StatusCode::OK, &json!({"state": "withdrawn"}))
        }
        Ok(_) => {
            let root = joining.front.frame(&headers).root;
            see_other(&format!("{root}/federation/join/{handle}"))
        }
    }
}

impl JoiningHouse {
    async fn request(&self, handle: &str) -> Result<Option<Request>, store::Error> {
        Request::of_reference(&mut *self.front.house.store.read().await?, handle).await
    }

    async fn take_back(&self, handle: &str) -> Result<bool, store::Error> {
        let house = &self.front.house;
        let mut tx = house.store.write().await?;
        let done = requests::withdraw(&mut tx, handle, house.now()).await?;
        if done && let Some(request) = Request::of_reference(&mut tx, handle).await? {
            let event = Event::done("federation.withdraw")
                .with("request", request.id)
                .with("entity", request.entity_id.as_str());
            audit::record(&mut tx, &mut house.rng(), house.now(), &event).await?;
        }
        tx.commit().await?;
        Ok(done)
    }

    fn state(&self, headers: &HeaderMap, handle: &str, request: Request) -> Response {
        if !reads_pages(headers) {
            let body = json!({"entity_id": request.entity_id, "wish": request.wish.as_str(), "state": request.state.as_str(),
                "filed_at": request.filed_at, "decided_at": request.decided_at, "reason": request.reason, "notes": all(&request.notes)});
            return json_answer(StatusCode::OK, &body);
        }
        let path = format!("/federation/join/{handle}");
        let (frame, cookie) = self.frame(headers, &path);
        let shown = JoinState {
            name: frame.brand_name(),
            entity_id: request.entity_id.to_string(),
            address: self.front.house.url(&path),
            wish: request.wish,
            state: request.state,
            filed_at: request.filed_at,
            decided_at: request.decided_at,
            reason: request.reason,
            notes: request.notes,
            frame,
        };
        let answer = page(StatusCode::OK, &shown);
        match cookie {
            Some(cookie) => with_cookie(answer, cookie),
            None => answer,
        }
    }

    fn unknown(&self, headers: &HeaderMap) -> Response {
        let error = Error::new(
            ErrorCode::NotFound,
            "there is no such request, or it was long ago",
        );
        if !reads_pages(headers) {
            let body =
                json!({"error": error.code.as_str(), "error_description": error.description});
            return json_answer(StatusCode::NOT_FOUND, &body);
        }
        let reference = reference(&self.front.house, headers);
        error_page(
            self.front.frame(headers),
            ErrorKind::NotFound,
            &error,
            reference,
            None,
        )
    }

    fn fault(&self, headers: &HeaderMap, fault: store::Error) -> Response {
        if reads_pages(headers) {
            return self.fault_page(headers, &fault.into());
        }
        Fault::from(fault).log(&reference(&self.front.house, headers));
        error_json(&Fault::told())
    }
}
