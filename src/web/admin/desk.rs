//! One request at the console: whose browser, who sits at the desk, in which language. Doors take [`Visit`] (anybody) or [`OnDuty`]
//! (somebody who signed in) and answer through it.

use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Console;
use crate::audit::{self, Event};
use crate::clock::UnixTime;
use crate::crypto::thumb;
use crate::operator::account::Operator;
use crate::operator::role::Room;
use crate::operator::session;
use crate::store;
use crate::web::account::form::Form;
use crate::web::error::{Fault, error_page, reference};
use crate::web::house::House;
use crate::web::page::{page, see_other, with_cookie};
use crate::web::source::Source;
use crate::web::view::admin::{Desk, Refused, Why};
use crate::web::view::error::ErrorKind;
use crate::web::view::frame::Notice;
use crate::web::view::{Frame, Page};
use crate::web::{cookies, csrf};

/// What every door of this room returns.
pub type Answer = Result<Response, Failure>;

/// Why a door could not go on.
#[derive(Debug)]
pub enum Failure {
    /// A fault of ours.
    Store(store::Error),
    /// Said already.
    Said(Box<Response>),
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<Response> for Failure {
    fn from(answer: Response) -> Self {
        Self::Said(Box::new(answer))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Said(answer) => *answer,
            Self::Store(error) => {
                Fault::from(error).log("console");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "a fault of this server; its log says more\n",
                )
                    .into_response()
            }
        }
    }
}

/// One request.
#[derive(Debug)]
pub struct Visit {
    pub console: Console,
    pub now: UnixTime,
    /// Where the request comes from, for counting tries.
    pub source: String,
    headers: HeaderMap,
    /// The secret of the browser's cookie.
    browser: String,
    /// The cookie, where the browser had none.
    new_cookie: Option<HeaderValue>,
    /// Where this page may be read again: path and query of a GET, the first page otherwise.
    here: String,
    /// Whom the forms of this visit are shown to; empty before the sign-in.
    shown_to: String,
}

impl Visit {
    pub fn house(&self) -> &House {
        &self.console.house
    }

    /// `path` with the console's prefix.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.console.root())
    }

    /// What ceremonies of this browser are bound to.
    pub fn place(&self) -> String {
        format!("console/{}", thumb(self.browser.as_bytes()))
    }

    pub fn frame(&self) -> Frame {
        let mut frame = self.console.frame(&self.headers, &self.here);
        frame.csrf = csrf::token_for(self.house(), &self.browser, &self.shown_to, self.now);
        frame
    }

    pub fn show(&self, status: StatusCode, shown: &dyn Page) -> Response {
        self.finished(page(status, shown))
    }

    pub fn page(&self, shown: &dyn Page) -> Answer {
        Ok(self.show(StatusCode::OK, shown))
    }

    /// 303 to a path below the console's address.
    pub fn go(&self, path: &str) -> Answer {
        Ok(self.finished(see_other(&self.url(path))))
    }

    /// The handle of a sign-in that the browser sends.
    pub fn handle(&self) -> Option<&str> {
        cookies::read(&self.headers, self.house(), &self.console.cookie())
    }

    /// Sets it, for requests that begin at this very host alone.
    pub fn sign_in_cookie(&self, handle: &str) -> HeaderValue {
        cookies::set_strict(self.house(), &self.console.cookie(), handle, None)
    }

    pub fn no_sign_in_cookie(&self) -> HeaderValue {
        cookies::set_strict(self.house(), &self.console.cookie(), "", Some(0))
    }

    /// Reads a posted form; one that is not ours is refused.
    pub fn form(&self, body: &[u8]) -> Result<Form, Failure> {
        let form = Form::parse(&self.headers, body);
        let token = form.as_ref().and_then(|form| form.get(csrf::FIELD));
        let ours = token.is_some_and(|token| self.is_ours(token));
        match form {
            Some(form) if ours => Ok(form),
            _ => Err(self
                .error(
                    ErrorKind::FormNotOurs,
                    "the form was not shown to this browser by this console",
                )
                .into()),
        }
    }

    /// Reads a script's request.
    pub fn json(&self, body: &[u8]) -> Result<serde_json::Value, Failure> {
        let token = self
            .headers
            .get(csrf::HEADER)
            .and_then(|value| value.to_str().ok());
        if !token.is_some_and(|token| self.is_ours(token)) {
            return Err(refusal(StatusCode::FORBIDDEN).into());
        }
        serde_json::from_slice(body).map_err(|_| refusal(StatusCode::BAD_REQUEST).into())
    }

    pub fn error(&self, kind: ErrorKind, description: &'static str) -> Response {
        use crate::oauth::Error;
        let error = Error::invalid_request(description);
        let reference = reference(self.house(), &self.headers);
        self.finished(error_page(self.frame(), kind, &error, reference, None))
    }

    fn is_ours(&self, token: &str) -> bool {
        csrf::open(self.house(), &self.headers, token, self.now)
            .is_some_and(|ours| ours.was_shown_to(&self.shown_to))
    }

    fn finished(&self, answer: Response) -> Response {
        match &self.new_cookie {
            Some(cookie) => with_cookie(answer, cookie.clone()),
            None => answer,
        }
    }
}

impl FromRequestParts<Console> for Visit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        console: &Console,
    ) -> Result<Self, Self::Rejection> {
        let house = &console.house;
        let (browser, new_cookie) = csrf::browser(house, &parts.headers);
        let Ok(source) = Source::from_request_parts(parts, console).await;
        let here = match (&parts.method, parts.uri.path_and_query()) {
            (&Method::GET, Some(here)) => here.as_str().to_owned(),
            _ => "/".to_owned(),
        };
        Ok(Self {
            now: house.now(),
            console: console.clone(),
            source: source.counted(),
            headers: parts.headers.clone(),
            browser,
            new_cookie,
            here,
            shown_to: String::new(),
        })
    }
}

/// Somebody who signed in.
#[derive(Debug)]
pub struct OnDuty {
    visit: Visit,
    pub operator: Operator,
}

impl Deref for OnDuty {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.visit
    }
}

impl OnDuty {
    /// Who sits here and which doors they have; they stand in `here`.
    pub fn desk(&self, here: Option<Room>) -> Desk {
        Desk {
            name: self.operator.name.clone(),
            roles: self.operator.roles.clone(),
            rooms: self.console.rooms(&self.operator.roles),
            here,
        }
    }

    /// Lets those in who see `room`; others hear which roles do, and it is written down.
    pub async fn enter(&self, room: Room) -> Result<(), Failure> {
        if !self.console.has(room) {
            return Err(self
                .error(ErrorKind::NotFound, "this entity has no such room")
                .into());
        }
        if self.operator.roles.see(room) {
            return Ok(());
        }
        let event =
            Event::refused("console.enter").with("room", format!("{room:?}").to_lowercase());
        self.note(event).await?;
        Err(self.refuse(Why::Room(room)))
    }

    /// Writes down what this operator did, or was refused, alone in its transaction.
    pub async fn note(&self, event: Event) -> Result<(), store::Error> {
        let event = event.with_actor(self.operator.id.as_str());
        let mut tx = self.house().store.write().await?;
        audit::record(&mut tx, &mut self.house().rng(), self.now, &event).await?;
        tx.commit().await
    }

    pub fn refuse(&self, why: Why) -> Failure {
        let status = match why {
            Why::Room(_) | Why::Role(_) | Why::Terminal => StatusCode::FORBIDDEN,
            Why::Reason(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let shown = Refused {
            frame: self.frame(),
            desk: self.desk(None),
            why,
        };
        self.show(status, &shown).into()
    }

    /// A frame with the notice that a redirect carried along.
    pub fn frame_after(&self, notice: Option<&str>) -> Frame {
        let mut frame = self.frame();
        frame.notice = notice.and_then(Notice::of);
        frame
    }
}

impl FromRequestParts<Console> for OnDuty {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Failure> {
        let Ok(mut visit) = Visit::from_request_parts(parts, console).await;
        let found = match visit.handle() {
            Some(handle) => {
                session::seen(&mut *console.house.store.read().await?, handle, visit.now).await?
            }
            None => None,
        };
        let Some(operator) = found else {
            let away = visit.go("/sign-in")?;
            return Err(with_cookie(away, visit.no_sign_in_cookie()).into());
        };
        operator.id.as_str().clone_into(&mut visit.shown_to);
        Ok(Self { visit, operator })
    }
}

/// A script is told no; the page says it in words.
pub fn refusal(status: StatusCode) -> Response {
    (status, axum::Json(json!({ "error": "refused" }))).into_response()
}
