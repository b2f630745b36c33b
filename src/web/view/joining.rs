//! An entity asks an authority to vouch for it: the form, what stands in the way, and what became of the request. Read by engineers of
//! platforms.

use askama::Template;

use super::frame::Frame;
use super::language::Message;
use crate::clock::UnixTime;
use crate::federation::joining::{Finding, Kind, State, Wish};

/// `/federation/join` of an authority
#[derive(Debug, Template)]
#[template(path = "join.html")]
pub struct Join {
    pub frame: Frame,
    /// The organisation that is asked.
    pub name: String,
    /// The authority's entity identifier.
    pub superior: String,
    /// As it was typed.
    pub entity_id: String,
    /// What was found at the address that was typed.
    pub findings: Vec<Finding>,
}

impl Join {
    pub fn heading(&self) -> Message {
        Message::new("join-heading").with("name", &self.name)
    }

    fn in_the_way(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| f.kind.refuses())
    }

    fn to_know(&self) -> Vec<&Finding> {
        self.findings.iter().filter(|f| !f.kind.refuses()).collect()
    }
}

/// `/federation/join/{reference}`
#[derive(Debug, Template)]
#[template(path = "join_state.html")]
pub struct JoinState {
    pub frame: Frame,
    pub name: String,
    pub entity_id: String,
    /// Where this page is found again.
    pub address: String,
    pub wish: Wish,
    pub state: State,
    pub filed_at: UnixTime,
    pub decided_at: Option<UnixTime>,
    pub reason: Option<String>,
    pub notes: Vec<Finding>,
}

impl JoinState {
    pub fn heading(&self) -> Message {
        Message::new(match self.state {
            State::Filed => "join-filed-heading",
            State::Approved => "join-approved-heading",
            State::Refused => "join-refused-heading",
            State::Withdrawn => "join-withdrawn-heading",
        })
    }

    fn lead(&self) -> &'static str {
        match (self.state, self.wish) {
            (State::Filed, _) => "join-filed-lead",
            (State::Approved, Wish::Join) => "join-approved-lead",
            (State::Approved, Wish::Keys) => "join-keys-approved-lead",
            (State::Refused, _) => "join-refused-lead",
            (State::Withdrawn, _) => "join-withdrawn-lead",
        }
    }

    fn is_open(&self) -> bool {
        self.state == State::Filed
    }
}

/// What a finding is called, in words for a page; what it is about stands beside.
pub fn words(finding: &Finding) -> &'static str {
    match finding.kind {
        Kind::NotFetched => "join-not-fetched",
        Kind::Invalid => "join-invalid",
        Kind::Differs => "join-differs",
        Kind::Signature => "join-signature",
        Kind::NotNamed => "join-not-named",
        Kind::Types => "join-types",
        Kind::Endpoint => "join-endpoint",
        Kind::ProtocolKeys => "join-protocol-keys",
        Kind::RedirectUri => "join-redirect-uri",
        Kind::Policy => "join-policy",
        Kind::Constraint => "join-constraint",
        Kind::RelyingParty => "join-relying-party",
        Kind::CompromisedKey => "join-compromised-key",
        Kind::Loses => "join-loses",
        Kind::ForeignHost => "join-foreign-host",
        Kind::NoContacts => "join-no-contacts",
        Kind::OwnName => "join-own-name",
    }
}
