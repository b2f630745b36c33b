//! What happened, for whom and by whom: rows written in the transaction of the act (`record`), chained and signed
//! later by one job (`seal`), checked by anyone with the public keys (`verify`). Not a log: logs are for the operator
//! at night and may be lost.

mod read;
mod seal;

use serde_json::{Map, Value};

use crate::clock::UnixTime;
use crate::id::{ClientId, PersonId, SessionId};
use crate::random::Rng;
use crate::store::{Conn, Error};

pub use read::{Written, newest};
pub use seal::{CheckpointError, Verdict, checkpoint, is_waiting, seal, verify};

/// How an act ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Refused,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// One row of the audit log. Build with `Event::done` or `Event::refused` and the `with_*` methods.
#[derive(Clone, Debug)]
pub struct Event {
    /// `room.act`, for example `session.begin`, `grant.issue`, `key.activate`.
    kind: &'static str,
    outcome: Outcome,
    actor: Option<String>,
    subject: Option<String>,
    client: Option<String>,
    session: Option<String>,
    detail: Map<String, Value>,
}

impl Event {
    pub fn done(kind: &'static str) -> Self {
        Self::new(kind, Outcome::Done)
    }

    pub fn refused(kind: &'static str) -> Self {
        Self::new(kind, Outcome::Refused)
    }

    fn new(kind: &'static str, outcome: Outcome) -> Self {
        Self {
            kind,
            outcome,
            actor: None,
            subject: None,
            client: None,
            session: None,
            detail: Map::new(),
        }
    }

    /// The person concerned, who is also the doer unless `with_actor` says otherwise.
    #[must_use]
    pub fn with_person(mut self, person: &PersonId) -> Self {
        self.subject = Some(person.0.clone());
        self.actor.get_or_insert_with(|| person.0.clone());
        self
    }

    /// The doer, where it is not the person concerned: an operator, a job, a delegate.
    #[must_use]
    pub fn with_actor(mut self, actor: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self
    }

    #[must_use]
    pub fn with_client(mut self, client: &ClientId) -> Self {
        self.client = Some(client.0.clone());
        self
    }

    #[must_use]
    pub fn with_session(mut self, session: &SessionId) -> Self {
        self.session = Some(session.0.clone());
        self
    }

    /// A fact about the act. Never personal data, tokens or codes.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }
}

/// Writes the row; belongs into the transaction of the act.
pub async fn record(
    conn: &mut Conn,
    rng: &mut Rng,
    now: UnixTime,
    event: &Event,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO audit_events (id, at, kind, outcome, actor, subject, client, session, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(rng.id("ev_"))
    .bind(now)
    .bind(event.kind)
    .bind(event.outcome.as_str())
    .bind(event.actor.as_deref())
    .bind(event.subject.as_deref())
    .bind(event.client.as_deref())
    .bind(event.session.as_deref())
    .bind(Value::Object(event.detail.clone()).to_string())
    .execute(conn)
    .await?;
    Ok(())
}
