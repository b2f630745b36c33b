//! One request at a door of this room: whose browser, which interaction or session, in which language. Handlers take [`Door`] (inside an
//! interaction) or [`Member`] (the account centre, logged in); both are a [`Visit`] and answer through it.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OriginalUri, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::form::Form;
use crate::audit::{self, Event};
use crate::authn::throttle::Pass;
use crate::authn::{self, Factor};
use crate::brand::NATIONAL;
use crate::clock::UnixTime;
use crate::id::PersonId;
use crate::identity::{Keys, People, Person, person};
use crate::provider::interaction::{self, Interaction, Purpose};
use crate::random::Rng;
use crate::session::{self, Session};
use crate::store::{Conn, Error};
use crate::web::account::AccountHouse;
use crate::web::house::House;
use crate::web::page::{page_leading_to, see_other, with_cookie};
use crate::web::preferences::Preferences;
use crate::web::provider_house::{Provider, asking};
use crate::web::source::Source;
use crate::web::view::error::{ErrorKind, ErrorPage, Halt, Halted};
use crate::web::view::frame::Notice;
use crate::web::view::{Asking, Frame, Language, Page, Place, Problem};
use crate::web::{cookies, csrf};

/// What every handler of this room returns.
pub type Answer = Result<Response, Failure>;

/// Why a handler could not go on.
#[derive(Debug)]
pub enum Failure {
    /// A fault of ours.
    Store(Error),
    /// Said already.
    Said(Box<Response>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
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
                tracing::error!(%error, "the account centre's database failed");
                let frame = Frame::new(Place::Provider, NATIONAL.brand.clone());
                let page = ErrorPage {
                    frame,
                    kind: ErrorKind::Internal,
                    code: "server_error".to_owned(),
                    description: None,
                    reference: String::new(),
                    back: None,
                };
                page_leading_to(StatusCode::INTERNAL_SERVER_ERROR, &page, &[])
            }
        }
    }
}

/// One request.
#[derive(Debug)]
pub struct Visit {
    pub provider: Provider,
    people: Arc<People>,
    pub now: UnixTime,
    /// The secret of the browser's cookie.
    browser: String,
    /// The cookie, where the browser had none.
    new_cookie: Option<HeaderValue>,
    headers: HeaderMap,
    preferences: Preferences,
    /// Path below the entity's root.
    path: String,
    /// Where the request comes from, for throttling.
    pub source: String,
    pub interaction: Option<Interaction>,
    pub session: Option<Session>,
    /// Whom the pages of this visit are for: forms shown to somebody else are refused.
    holder: Option<PersonId>,
}

/// The path below the entity's prefix: inside a nested router `parts.uri` has lost its beginning, and the dispatcher
/// has taken the prefix off what it handed on.
fn whole_path(parts: &Parts, root: &str) -> String {
    let whole = parts
        .extensions
        .get::<OriginalUri>()
        .map_or(&parts.uri, |original| &original.0)
        .path();
    whole.strip_prefix(root).unwrap_or(whole).to_owned()
}

impl Visit {
    async fn new(parts: &mut Parts, state: &AccountHouse) -> Self {
        let house = &state.provider.house;
        let (browser, new_cookie) = csrf::browser(house, &parts.headers);
        let Ok(source) = Source::from_request_parts(parts, state).await;
        Self {
            provider: state.provider.clone(),
            people: state.people.clone(),
            now: house.now(),
            browser,
            new_cookie,
            preferences: Preferences::of(&parts.headers),
            path: whole_path(parts, &state.provider.root()),
            source: source.counted(),
            headers: parts.headers.clone(),
            interaction: None,
            session: None,
            holder: None,
        }
    }

    pub fn house(&self) -> &House {
        &self.provider.house
    }

    pub fn people(&self) -> &People {
        &self.people
    }

    pub fn keys(&self) -> Keys<'_> {
        Keys {
            sealer: &*self.house().sealer,
            indexer: &*self.house().indexer,
        }
    }

    /// What entries, codes and ceremonies of this visit are bound to.
    pub fn place(&self) -> String {
        match (&self.interaction, &self.session) {
            (Some(interaction), _) => format!("interaction/{}", interaction.id),
            (None, Some(session)) => format!("session/{}", session.id),
            (None, None) => "nowhere".to_owned(),
        }
    }

    /// Where the doors of this visit hang, with the entity's prefix.
    pub fn base(&self) -> String {
        match &self.interaction {
            Some(interaction) => self.url(&interaction.path()),
            None => self.url("/account"),
        }
    }

    /// `path` with the entity's prefix.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.root())
    }

    fn root(&self) -> String {
        url::Url::parse(&self.house().id)
            .map(|id| id.path().trim_end_matches('/').to_owned())
            .unwrap_or_default()
    }

    pub fn language(&self) -> Language {
        let wished = self.interaction.as_ref().and_then(Interaction::ui_locales);
        self.preferences.language(wished)
    }

    /// A frame for the page of this address.
    pub fn frame(&self) -> Frame {
        let mut frame = Frame::new(Place::Provider, NATIONAL.brand.clone());
        frame.language = self.language();
        frame.elder = self.preferences.elder();
        frame.root = self.root();
        frame.here = self.url(&self.path);
        frame.csrf = csrf::token(self.house(), &self.browser, self.holder.as_ref(), self.now);
        frame
    }

    /// The frame with what is wrong with what was typed.
    pub fn frame_with(&self, problem: Problem) -> Frame {
        self.frame().with_problem(problem)
    }

    pub fn asking(&self) -> Option<Asking> {
        self.interaction
            .as_ref()
            .and_then(Interaction::platform)
            .map(|platform| asking(platform, self.language()))
    }

    pub fn show(&self, status: StatusCode, page: &dyn Page) -> Response {
        let target = self
            .interaction
            .as_ref()
            .and_then(Interaction::redirect_uri);
        self.finished(page_leading_to(status, page, target.as_slice()))
    }

    /// A page as it was asked for.
    pub fn page(&self, page: &dyn Page) -> Answer {
        Ok(self.show(StatusCode::OK, page))
    }

    /// The same page again, with what is wrong.
    pub fn again(&self, page: &dyn Page) -> Answer {
        Ok(self.show(StatusCode::UNPROCESSABLE_ENTITY, page))
    }

    /// 303 to a path that has the prefix already.
    pub fn go(&self, location: &str) -> Answer {
        Ok(self.finished(see_other(location)))
    }

    /// 303 to a door of this visit; `""` is the dispatcher, or the account centre's first page.
    pub fn go_door(&self, door: &str) -> Answer {
        self.go(&format!("{}{door}", self.base()))
    }

    pub fn error(&self, status: StatusCode, kind: ErrorKind, code: &str) -> Response {
        let page = ErrorPage {
            frame: self.frame(),
            kind,
            code: code.to_owned(),
            description: None,
            reference: self.house().rng().digits(10),
            back: None,
        };
        self.show(status, &page)
    }

    /// A person who proved who they are and cannot go on.
    pub fn halt(&self, why: Halt) -> Answer {
        let page = Halted {
            frame: self.frame(),
            why,
            reference: self.house().rng().digits(10),
            back: None,
        };
        Ok(self.show(StatusCode::FORBIDDEN, &page))
    }

    fn finished(&self, answer: Response) -> Response {
        match &self.new_cookie {
            Some(cookie) => with_cookie(answer, cookie.clone()),
            None => answer,
        }
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
                    StatusCode::FORBIDDEN,
                    ErrorKind::FormNotOurs,
                    "invalid_request",
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

    fn is_ours(&self, token: &str) -> bool {
        csrf::open(self.house(), &self.headers, token, self.now).is_some_and(|ours| {
            self.holder
                .as_ref()
                .is_none_or(|person| ours.is_for(person))
        })
    }

    /// The browser in words, for the list of sessions.
    pub fn device(&self) -> String {
        self.headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .map(crate::web::view::account::device)
            .unwrap_or_default()
    }

    /// Logs `person` in with `factors`: a new session handle, whatever the browser had before. Returns the cookie to set after the commit.
    pub async fn enter(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        person: &PersonId,
        factors: &[Factor],
    ) -> Result<HeaderValue, Error> {
        let device = self.device();
        let login = session::Login {
            person,
            factors,
            device: &device,
            lifetime: self.provider.settings.session_lifetime,
            replacing: self.session.as_ref(),
        };
        let (session, handle) = session::begin(conn, rng, login, self.now).await?;
        if let Some(interaction) = &self.interaction {
            interaction::attach_session(conn, interaction, &session.id, self.now).await?;
        }
        let event = Event::done("session.begin")
            .with_person(person)
            .with_session(&session.id)
            .with("amr", json!(authn::amr(factors)));
        audit::record(conn, rng, self.now, &event).await?;
        Ok(cookies::set(
            self.house(),
            cookies::SESSION,
            handle.reveal(),
            None,
        ))
    }

    /// Adds `factor` to the session of this browser, under a new handle. `None`: the session has ended.
    pub async fn strengthen(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        session: &Session,
        factor: Factor,
    ) -> Result<Option<HeaderValue>, Error> {
        let Some((session, handle)) =
            session::add_factor(conn, rng, session, factor, self.now).await?
        else {
            return Ok(None);
        };
        if let Some(interaction) = &self.interaction {
            interaction::attach_session(conn, interaction, &session.id, self.now).await?;
        }
        let event = Event::done("session.step_up")
            .with_person(&session.person)
            .with_session(&session.id)
            .with("amr", factor.amr());
        audit::record(conn, rng, self.now, &event).await?;
        Ok(Some(cookies::set(
            self.house(),
            cookies::SESSION,
            handle.reveal(),
            None,
        )))
    }

    /// Writes what happened into the audit log.
    pub async fn note(&self, conn: &mut Conn, rng: &mut Rng, event: Event) -> Result<(), Error> {
        let event = match &self.session {
            Some(session) => event.with_session(&session.id),
            None => event,
        };
        audit::record(conn, rng, self.now, &event).await
    }

    async fn load_session(&mut self, conn: &mut Conn) -> Result<(), Error> {
        if let Some(handle) = cookies::read(&self.headers, &self.provider.house, cookies::SESSION) {
            self.session = session::find(conn, handle, self.now).await?;
        }
        Ok(())
    }
}

/// A door of an interaction.
#[derive(Debug)]
pub struct Door(Visit);

impl Deref for Door {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.0
    }
}

impl FromRequestParts<AccountHouse> for Door {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &AccountHouse) -> Result<Self, Failure> {
        let mut visit = Visit::new(parts, state).await;
        let id = Path::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .ok()
            .and_then(|Path(all)| all.into_iter().find(|(name, _)| name == "id"))
            .map(|(_, id)| id)
            .unwrap_or_default();
        let mut conn = visit.house().store.read().await?;
        visit.load_session(&mut conn).await?;
        // Bounded and plain before it reaches the database.
        let plain = id.len() <= 64
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if plain {
            visit.interaction =
                Interaction::load(&mut conn, &id, &visit.browser, visit.now).await?;
        }
        if visit.interaction.is_none() {
            return Err(visit
                .error(
                    StatusCode::BAD_REQUEST,
                    ErrorKind::LoginExpired,
                    "invalid_request",
                )
                .into());
        }
        Ok(Self(visit))
    }
}

/// Somebody who is logged in: at a door of an interaction, or in the account centre.
#[derive(Debug)]
pub struct Member {
    visit: Visit,
    pub session: Session,
    pub person: Person,
}

impl Deref for Member {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.visit
    }
}

impl Member {
    /// The member at a door of an interaction; without a session, back to the dispatcher.
    pub async fn at(door: Door) -> Result<Self, Failure> {
        let Some(session) = door.0.session.clone() else {
            return Err(Self::away(&door.0)?);
        };
        let mut conn = door.house().store.read().await?;
        let person = person::find(&mut conn, door.keys().sealer, &session.person).await?;
        match person {
            Some(person) if person.closed_at.is_none() => Ok(Self::new(door.0, session, person)),
            _ => Err(Self::away(&door.0)?),
        }
    }

    fn new(mut visit: Visit, session: Session, person: Person) -> Self {
        visit.holder = Some(person.id.clone());
        visit.preferences = visit.preferences.or_of_account(&person.appearance);
        Self {
            visit,
            session,
            person,
        }
    }

    fn away(visit: &Visit) -> Result<Failure, Failure> {
        Ok(visit.go_door("")?.into())
    }

    /// The first page of the account centre, with one sentence on top.
    pub fn go_home(&self, notice: Notice) -> Answer {
        self.go(&format!(
            "{}?notice={}",
            self.url("/account"),
            notice.code()
        ))
    }
}

impl FromRequestParts<AccountHouse> for Member {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &AccountHouse) -> Result<Self, Failure> {
        let mut visit = Visit::new(parts, state).await;
        let mut conn = visit.house().store.read().await?;
        visit.load_session(&mut conn).await?;
        let person = match &visit.session {
            Some(session) => person::find(&mut conn, visit.keys().sealer, &session.person).await?,
            None => None,
        };
        if let (Some(session), Some(person)) = (visit.session.clone(), person)
            && person.closed_at.is_none()
        {
            session::seen(&mut conn, &session, visit.now).await?;
            return Ok(Self::new(visit, session, person));
        }
        if visit.path.ends_with("/options") || visit.path.ends_with("/finish") {
            return Err(refusal(StatusCode::UNAUTHORIZED).into());
        }
        drop(conn);
        let return_to = if parts.method == Method::GET {
            visit.path.clone()
        } else {
            "/account".to_owned()
        };
        Err(begin_login(&visit, return_to, "").await?.into())
    }
}

/// Anybody, logged in or not, outside an interaction.
#[derive(Debug)]
pub struct Passerby(pub Visit);

impl FromRequestParts<AccountHouse> for Passerby {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &AccountHouse) -> Result<Self, Failure> {
        Ok(Self(Visit::new(parts, state).await))
    }
}

/// Begins a login to the account centre that ends at `return_to`, and goes to its `door`.
pub async fn begin_login(visit: &Visit, return_to: String, door: &str) -> Answer {
    let purpose = Purpose::Account { return_to };
    let mut rng = visit.house().rng();
    let mut tx = visit.house().store.write().await?;
    let counter = visit.provider.counter(&visit.source);
    if let Pass::Wait(seconds) = counter.count(&mut tx, visit.now).await? {
        tx.commit().await?;
        return Ok(visit.provider.wait(&visit.headers, seconds));
    }
    let interaction =
        interaction::begin(&mut tx, &mut rng, &visit.browser, purpose, visit.now).await?;
    tx.commit().await?;
    visit.go(&visit.url(&format!("{}{door}", interaction.path())))
}

/// A script is told no; the page says it in words.
pub fn refusal(status: StatusCode) -> Response {
    (status, axum::Json(json!({ "error": "refused" }))).into_response()
}
