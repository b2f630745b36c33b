//! An interaction: the time between a good request and its answer, in which a person logs in, proves more, agrees.
//! It is stored, bound to one browser, lives by its own clock, survives reload and going back, and is consumed when it is
//! answered. The doors that the person walks through know nothing of each other; each returns to the dispatcher, which
//! asks `next`. Doors themselves are in `web::account` and `web::oidc`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::acr::{Level, Missing, Reach};
use super::claims;
use super::request::AuthorizationRequest;
use crate::authn::Factor;
use crate::client::Platform;
use crate::clock::UnixTime;
use crate::consent::Consent;
use crate::crypto::sha256;
use crate::id::{PersonId, SessionId};
use crate::oauth::{self, ErrorCode};
use crate::random::Rng;
use crate::session::Session;
use crate::store::{Conn, Error};

/// Seconds that a person has; longer than any SMS or a call to the help desk takes.
pub const LIFETIME: i64 = 3600;

/// A stored interaction that is not answered yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Interaction {
    pub id: String,
    pub purpose: Purpose,
    /// The session attached in this interaction.
    pub session: Option<SessionId>,
    /// When the person authenticated in this interaction, not before it.
    pub authenticated_at: Option<UnixTime>,
    pub consented_at: Option<UnixTime>,
    /// When the person said 「以后再说」 to the real-name verification.
    pub put_off_at: Option<UnixTime>,
    pub begun_at: UnixTime,
    pub expires_at: UnixTime,
}

/// What it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A relying party asks.
    Authorization(Box<Asked>),
    /// The person goes to the account centre; `return_to` is a path of ours.
    Account { return_to: String },
}

/// A relying party's request together with what the pages show of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    pub request: AuthorizationRequest,
    pub platform: Platform,
}

impl Interaction {
    /// Loads an interaction for the browser that began it; `None` for another browser, and when it is over.
    pub async fn load(
        conn: &mut Conn,
        id: &str,
        browser_secret: &str,
        now: UnixTime,
    ) -> Result<Option<Self>, Error> {
        let row = sqlx::query(
            "SELECT id, purpose, session, authenticated_at, consented_at, put_off_at, begun_at, expires_at
             FROM interactions WHERE id = $1 AND browser = $2 AND completed_at IS NULL AND expires_at > $3",
        )
        .bind(id)
        .bind(sha256(browser_secret.as_bytes()).to_vec())
        .bind(now)
        .fetch_optional(conn)
        .await?;
        row.as_ref().map(Self::read).transpose()
    }

    /// The relying party's request, if one asks.
    pub fn asked(&self) -> Option<&Asked> {
        match &self.purpose {
            Purpose::Authorization(asked) => Some(asked),
            Purpose::Account { .. } => None,
        }
    }

    /// The path of the dispatcher; the doors hang below it.
    pub fn path(&self) -> String {
        format!("/interaction/{}", self.id)
    }

    /// Who asks; `None` for the account centre.
    pub fn platform(&self) -> Option<&Platform> {
        self.asked().map(|asked| &asked.platform)
    }

    pub fn login_hint(&self) -> Option<&str> {
        self.asked()?.request.login_hint.as_deref()
    }

    pub fn ui_locales(&self) -> Option<&str> {
        self.asked()?.request.ui_locales.as_deref()
    }

    /// Where the answer will go: the pages' `form-action` must allow it, since browsers check redirects after a form too.
    pub fn redirect_uri(&self) -> Option<&str> {
        Some(&self.asked()?.request.answer.redirect_uri)
    }

    fn read(row: &AnyRow) -> Result<Self, Error> {
        let purpose: String = row.try_get("purpose")?;
        Ok(Self {
            id: row.try_get("id")?,
            purpose: serde_json::from_str(&purpose).map_err(|e| Error::Decode(Box::new(e)))?,
            session: row.try_get("session")?,
            authenticated_at: row.try_get("authenticated_at")?,
            consented_at: row.try_get("consented_at")?,
            put_off_at: row.try_get("put_off_at")?,
            begun_at: row.try_get("begun_at")?,
            expires_at: row.try_get("expires_at")?,
        })
    }
}

/// Begins an interaction of the browser that holds `browser_secret`.
pub async fn begin(
    conn: &mut Conn,
    rng: &mut Rng,
    browser_secret: &str,
    purpose: Purpose,
    now: UnixTime,
) -> Result<Interaction, Error> {
    let interaction = Interaction {
        id: rng.id(""),
        purpose,
        session: None,
        authenticated_at: None,
        consented_at: None,
        put_off_at: None,
        begun_at: now,
        expires_at: now.plus(LIFETIME),
    };
    let purpose =
        serde_json::to_string(&interaction.purpose).map_err(|e| Error::Encode(Box::new(e)))?;
    sqlx::query(
        "INSERT INTO interactions (id, browser, purpose, begun_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&interaction.id)
    .bind(sha256(browser_secret.as_bytes()).to_vec())
    .bind(purpose)
    .bind(interaction.begun_at)
    .bind(interaction.expires_at)
    .execute(conn)
    .await?;
    Ok(interaction)
}

/// Notes that the person authenticated in this interaction, as `session`. To be called by every door of login and
/// step-up, in the transaction that begins or strengthens the session.
pub async fn attach_session(
    conn: &mut Conn,
    interaction: &Interaction,
    session: &SessionId,
    now: UnixTime,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE interactions SET session = $1, authenticated_at = $2 WHERE id = $3 AND completed_at IS NULL RETURNING id",
    )
    .bind(session)
    .bind(now)
    .bind(&interaction.id)
    .fetch_optional(conn)
    .await?;
    Ok(done.is_some())
}

/// Notes the person's yes, as this session.
pub async fn note_consent(
    conn: &mut Conn,
    interaction: &Interaction,
    session: &SessionId,
    now: UnixTime,
) -> Result<(), Error> {
    // Another session than the one that authenticated here: what was proven by that one counts no more.
    sqlx::query(
        "UPDATE interactions SET consented_at = $1, session = $2,
           authenticated_at = CASE WHEN session = $2 THEN authenticated_at ELSE NULL END
         WHERE id = $3 AND completed_at IS NULL",
    )
    .bind(now)
    .bind(session)
    .bind(&interaction.id)
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that the person puts the real-name verification off; `next` goes on without it where that is possible.
pub async fn put_off_verification(
    conn: &mut Conn,
    interaction: &Interaction,
    now: UnixTime,
) -> Result<(), Error> {
    sqlx::query("UPDATE interactions SET put_off_at = $1 WHERE id = $2 AND completed_at IS NULL")
        .bind(now)
        .bind(&interaction.id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Consumes the interaction: `false` when it was answered already. Belongs into the transaction of the answer.
pub async fn complete(
    conn: &mut Conn,
    interaction: &Interaction,
    now: UnixTime,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE interactions SET completed_at = $1 WHERE id = $2 AND completed_at IS NULL RETURNING id",
    )
    .bind(now)
    .bind(&interaction.id)
    .fetch_optional(conn)
    .await?;
    Ok(done.is_some())
}

/// What `next` knows of the person behind the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub person: PersonId,
    /// 1 to 4.
    pub real_name: u8,
    /// How far this person can get here and now.
    pub reach: Reach,
    /// `sub` at the asking client, where a hint must be compared with it.
    pub sub: Option<String>,
}

/// The moment of a decision.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// The living session of this browser.
    pub session: Option<&'a Session>,
    /// Present with every session.
    pub known: Option<&'a Known>,
    pub consent: Option<&'a Consent>,
    /// When the interaction began, and what happened in it; all empty before there is one.
    pub authenticated_at: Option<UnixTime>,
    pub consented_at: Option<UnixTime>,
    pub put_off: bool,
    pub time: UnixTime,
}

impl<'a> Now<'a> {
    pub fn of(
        interaction: &Interaction,
        session: Option<&'a Session>,
        known: Option<&'a Known>,
        consent: Option<&'a Consent>,
        time: UnixTime,
    ) -> Self {
        // What was proven in this interaction counts only for the session it was proven in.
        let same = session.is_some_and(|s| Some(&s.id) == interaction.session.as_ref());
        // A further factor makes an old login stronger, not newer: `auth_time` would deny it.
        let logged_in = session.is_some_and(|s| s.auth_time >= interaction.begun_at);
        Self {
            session,
            known,
            consent,
            authenticated_at: interaction.authenticated_at.filter(|_| same && logged_in),
            consented_at: interaction.consented_at.filter(|_| same),
            put_off: interaction.put_off_at.is_some(),
            time,
        }
    }
}

/// What must happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nobody is logged in. `create`: the platform asks for the creation of an account.
    Login { create: bool },
    /// Somebody is, but must show it again.
    Reauthenticate,
    /// The real name must be proven first. `optional`: it can be put off.
    VerifyRealName { optional: bool },
    /// One more factor, for this level.
    StepUp { target: Level },
    /// The person must agree to tell these claims.
    Consent { items: Vec<String> },
    /// Answer with a code, at this level.
    Answer { level: Level },
    /// Answer with an error.
    Error(oauth::Error),
}

/// The next step of a relying party's request.
pub fn next(request: &AuthorizationRequest, now: &Now<'_>) -> Step {
    let step = next_with_pages(request, now);
    if !request.prompt.none {
        return step;
    }
    // OIDC Core 3.1.2.6: prompt=none shows nothing; the code says what would have been shown.
    let error = |code, text: &'static str| Step::Error(oauth::Error::new(code, text));
    match step {
        Step::Login { .. } | Step::Reauthenticate => {
            error(ErrorCode::LoginRequired, "the person must log in")
        }
        Step::VerifyRealName { .. } | Step::StepUp { .. } => error(
            ErrorCode::InteractionRequired,
            "the person must give one more proof",
        ),
        Step::Consent { .. } => error(ErrorCode::ConsentRequired, "the person must agree first"),
        answered @ (Step::Answer { .. } | Step::Error(_)) => answered,
    }
}

fn next_with_pages(request: &AuthorizationRequest, now: &Now<'_>) -> Step {
    let (Some(session), Some(known)) = (now.session, now.known) else {
        return Step::Login {
            create: request.prompt.create,
        };
    };
    // OIDC Core 3.1.2.1: login always asks; select_account lets another person in.
    let fresh_wanted =
        request.prompt.login || request.prompt.select_account || request.prompt.create;
    if fresh_wanted && now.authenticated_at.is_none() {
        return Step::Reauthenticate;
    }
    let too_old = |age: i64| now.time.since(session.auth_time) > age;
    if request.max_age.is_some_and(|age| too_old(age) || (age == 0 && now.authenticated_at.is_none()))
        // A slow person does not log in in circles.
        && now.authenticated_at.is_none()
    {
        return Step::Reauthenticate;
    }
    if request.hinted_sub.is_some() && request.hinted_sub != known.sub {
        if now.authenticated_at.is_some() || request.prompt.none {
            return Step::Error(oauth::Error::new(
                ErrorCode::LoginRequired,
                "another person is logged in than the request names",
            ));
        }
        return Step::Reauthenticate;
    }
    let claims = request.claims.known_names();
    if known.real_name < 2
        && !now.put_off
        && known.reach.real_name >= 2
        && !request.prompt.none
        && claims::wants_real_name(&request.scope, &claims)
    {
        let optional = request
            .acr
            .binding
            .as_ref()
            .is_none_or(|levels| levels.contains(&Level::L1));
        return Step::VerifyRealName { optional };
    }
    if let Some(step) = level(request, session, known, now) {
        return step;
    }
    // A phone is a factor, not a person: with another factor at hand, SMS alone opens no document.
    if session.factors() == [Factor::Sms]
        && known.real_name >= 2
        && known.reach.authenticator >= 2
        && claims::wants_verified(&request.scope, &claims)
    {
        return Step::StepUp { target: Level::L2 };
    }
    let agreed = now
        .consent
        .is_some_and(|c| c.covers(&request.scope, &claims));
    // RFC 9396 details are of one occasion: no earlier yes covers them.
    let anew = request.prompt.consent || !request.details.is_empty();
    if !agreed || (anew && now.consented_at.is_none()) {
        return Step::Consent {
            items: items(request),
        };
    }
    Step::Answer {
        level: Level::achieved(known.real_name, session, now.time),
    }
}

/// The step towards the level that is asked for; `None` when it is reached or nothing is asked.
fn level(
    request: &AuthorizationRequest,
    session: &Session,
    known: &Known,
    now: &Now<'_>,
) -> Option<Step> {
    let reach = if now.put_off {
        Reach {
            real_name: known.real_name,
            ..known.reach
        }
    } else {
        known.reach
    };
    let reached = |level: &Level| level.missing(known.real_name, session, now.time).is_none();
    let (target, binding) = match &request.acr.binding {
        Some(levels) => {
            // OIDC Core 5.5.1.1: reach one of them or fail. The wished-for order stands first where both name levels.
            if levels.iter().any(reached) {
                return None;
            }
            match levels.iter().find(|l| l.is_reachable(reach)) {
                Some(target) => (*target, true),
                None => {
                    return Some(Step::Error(oauth::Error::new(
                        ErrorCode::UnmetAuthenticationRequirements,
                        "the level asked for cannot be reached by this person here",
                    )));
                }
            }
        }
        // OIDC Core 3.1.2.1: in order of preference, and never a reason to turn somebody away.
        None => (
            *request
                .acr
                .voluntary
                .iter()
                .find(|l| l.is_reachable(reach))?,
            false,
        ),
    };
    Some(match target.missing(known.real_name, session, now.time)? {
        Missing::RealName(_) => Step::VerifyRealName { optional: !binding },
        Missing::Factor(_) => Step::StepUp { target },
        Missing::Fresh => Step::Reauthenticate,
    })
}

/// Whether `next` will look at how far the person can get, so that it is worth finding out.
pub fn wants_reach(request: &AuthorizationRequest, session: &Session) -> bool {
    request.acr.binding.is_some()
        || !request.acr.voluntary.is_empty()
        || session.factors() == [Factor::Sms]
}

/// The claims that the consent page lists.
pub fn items(request: &AuthorizationRequest) -> Vec<String> {
    let mut items: BTreeSet<String> = claims::of_scope(&request.scope)
        .into_iter()
        .map(str::to_owned)
        .collect();
    items.extend(request.claims.known_names());
    claims::in_order(items)
}

/// The next step of a login to the account centre.
pub fn next_for_account(session: Option<&Session>) -> Step {
    match session {
        Some(_) => Step::Answer { level: Level::L1 },
        None => Step::Login { create: false },
    }
}

#[cfg(test)]
#[path = "interaction/tests.rs"]
mod tests;
