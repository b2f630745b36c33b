//! Rooms that show: trust chains, logout notices, clients, the audit log.

use askama::Template;

use super::super::frame::Frame;
use super::super::language::Message;
use super::federation::encoded;
use super::{Desk, Pages};
use crate::audit::Written;
use crate::clock::UnixTime;
use crate::federation::resolve::Remembered;
use crate::provider::told::{Channel, State, Told};

/// `/chains`
#[derive(Debug, Template)]
#[template(path = "admin/chains.html")]
pub struct Chains {
    pub frame: Frame,
    pub desk: Desk,
    /// All that are remembered, also those that the page leaves out.
    pub total: usize,
    pub chains: Vec<Chain>,
}

/// What is remembered of one subject.
#[derive(Clone, Debug)]
pub struct Chain {
    pub subject: String,
    pub anchor: Option<String>,
    pub state: ChainState,
    /// When it ends, or when a failure is forgotten.
    pub until: UnixTime,
    /// When it is looked up again.
    pub refresh_at: Option<UnixTime>,
    /// Why it could not be found, or not be renewed.
    pub trouble: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainState {
    /// It holds, and is renewed in time.
    Good,
    /// It is due, and renewed when somebody needs it.
    Due,
    /// It holds, but could not be renewed the last time.
    Ending,
    /// It has ended.
    Over,
    /// There is none.
    Missing,
}

impl Chain {
    pub fn of(remembered: Remembered, now: UnixTime) -> Self {
        let state = match (&remembered.trouble, remembered.refresh_at) {
            (_, None) => ChainState::Missing,
            _ if remembered.until <= now => ChainState::Over,
            (Some(_), _) => ChainState::Ending,
            (None, Some(refresh_at)) if refresh_at <= now => ChainState::Due,
            (None, Some(_)) => ChainState::Good,
        };
        Self {
            subject: remembered.subject.to_string(),
            anchor: remembered.anchor.map(|anchor| anchor.to_string()),
            state,
            until: remembered.until,
            refresh_at: remembered.refresh_at,
            trouble: remembered.trouble,
        }
    }

    /// Whether somebody should look.
    pub fn needs_attention(&self) -> bool {
        matches!(self.state, ChainState::Ending | ChainState::Missing)
    }

    fn code(&self) -> &'static str {
        match self.state {
            ChainState::Good => "good",
            ChainState::Due => "due",
            ChainState::Ending => "ending",
            ChainState::Over => "over",
            ChainState::Missing => "missing",
        }
    }

    fn words(&self) -> &'static str {
        match self.state {
            ChainState::Good => "console-chain-good",
            ChainState::Due => "console-chain-due",
            ChainState::Ending => "console-chain-ending",
            ChainState::Over => "console-chain-over",
            ChainState::Missing => "console-chain-missing",
        }
    }
}

impl Chains {
    pub fn heading(&self) -> Message {
        Message::new("console-chains")
    }
}

/// `/logouts`
#[derive(Debug, Template)]
#[template(path = "admin/logouts.html")]
pub struct Logouts {
    pub frame: Frame,
    pub desk: Desk,
    pub latest: Vec<Told>,
}

impl Logouts {
    pub fn heading(&self) -> Message {
        Message::new("console-logouts")
    }

    fn code(told: &Told) -> &'static str {
        match told.state {
            State::Delivered => "ended",
            State::Asked => "asked",
            State::Waiting => "notifying",
            State::Failed => "failed",
        }
    }

    fn words(told: &Told) -> &'static str {
        match told.state {
            State::Delivered => "console-logout-delivered",
            State::Asked => "console-logout-asked",
            State::Waiting => "console-logout-waiting",
            State::Failed => "console-logout-failed",
        }
    }

    fn channel(told: &Told) -> &'static str {
        match told.channel {
            Channel::Back => "back",
            Channel::Front => "front",
            Channel::Both => "both",
            Channel::None => "none",
        }
    }
}

/// `/clients`
#[derive(Debug, Template)]
#[template(path = "admin/clients.html")]
pub struct Clients {
    pub frame: Frame,
    pub desk: Desk,
    pub may_change: bool,
    pub searched: String,
    pub total: usize,
    pub lines: Vec<ClientLine>,
    pub pages: Pages,
}

#[derive(Clone, Debug)]
pub struct ClientLine {
    pub name: Option<String>,
    pub client_id: String,
    pub by_itself: bool,
    pub added_at: UnixTime,
}

impl ClientLine {
    fn path(&self) -> String {
        format!("/clients/show?client={}", encoded(&self.client_id))
    }
}

impl Clients {
    pub fn heading(&self) -> Message {
        Message::new("console-clients")
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "templates hand references"
    )]
    fn at(&self, page: &usize) -> String {
        format!("/clients?q={}&page={page}", encoded(&self.searched))
    }
}

/// `/clients/show`
#[derive(Debug, Template)]
#[template(path = "admin/client.html")]
pub struct ShowClient {
    pub frame: Frame,
    pub desk: Desk,
    pub may_change: bool,
    pub client_id: String,
    pub name: Option<String>,
    pub has_secret: bool,
    pub secret_expires_at: Option<UnixTime>,
    pub by_itself: bool,
    pub added_at: UnixTime,
    pub changed_at: UnixTime,
    /// JSON.
    pub metadata: String,
}

impl ShowClient {
    pub fn heading(&self) -> Message {
        Message::new("console-client-heading")
    }
}

/// `/clients/new`
#[derive(Debug, Template)]
#[template(path = "admin/new_client.html")]
pub struct NewClient {
    pub frame: Frame,
    pub desk: Desk,
    pub client_id: String,
    pub metadata: String,
}

impl NewClient {
    pub fn heading(&self) -> Message {
        Message::new("console-new-client-heading")
    }
}

/// `/audit`
#[derive(Debug, Template)]
#[template(path = "admin/audit.html")]
pub struct AuditLog {
    pub frame: Frame,
    pub desk: Desk,
    pub rows: Vec<Written>,
    /// Where older rows are.
    pub older: Option<String>,
    /// The newest are on this page.
    pub first: bool,
}

impl AuditLog {
    pub fn heading(&self) -> Message {
        Message::new("console-audit")
    }

    fn older_path(older: &str) -> String {
        format!("/audit?before={}", encoded(older))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::entity::{EntityId, Schemes};

    #[test]
    fn what_a_remembered_chain_needs() {
        let at = |until, refresh_at: Option<i64>, trouble: Option<&str>| Remembered {
            subject: EntityId::parse("https://rp.example", Schemes::HttpsOnly).unwrap(),
            anchor: None,
            until: UnixTime(until),
            refresh_at: refresh_at.map(UnixTime),
            trouble: trouble.map(str::to_owned),
        };
        for (remembered, state, needs) in [
            (at(200, Some(150), None), ChainState::Good, false),
            (at(200, Some(100), None), ChainState::Due, false),
            (at(200, Some(150), Some("away")), ChainState::Ending, true),
            (at(100, Some(50), Some("away")), ChainState::Over, false),
            (at(130, None, Some("no path")), ChainState::Missing, true),
        ] {
            let chain = Chain::of(remembered, UnixTime(100));
            assert_eq!(chain.state, state);
            assert_eq!(chain.needs_attention(), needs, "{state:?}");
        }
    }
}
