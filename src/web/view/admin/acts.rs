//! The two steps of an act, and its refusal.

use askama::Template;

use super::super::frame::Frame;
use super::super::language::Message;
use super::{Desk, role_name};
use crate::operator::Act;
use crate::operator::role::{OperatorRole, Room};

/// What would happen, after a dry run; asks once.
#[derive(Debug, Template)]
#[template(path = "admin/confirm.html")]
pub struct Confirm {
    pub frame: Frame,
    pub desk: Desk,
    pub act: Act,
    /// The act, sealed for whom it is shown to.
    pub sealed: String,
    /// What it would replace or end, as it stands.
    pub before: Option<String>,
    pub grants_ended: u64,
    pub statement_lifetime: i64,
    pub back: String,
}

impl Confirm {
    pub fn heading(&self) -> Message {
        Message::new("console-confirm-heading")
    }

    fn what(&self) -> Message {
        match &self.act {
            Act::Enrol(new) if self.before.is_some() => {
                Message::new("console-act-change").with("entity", &new.entity_id)
            }
            Act::Enrol(new) => Message::new("console-act-enrol").with("entity", &new.entity_id),
            Act::Drop { entity_id } => Message::new("console-act-drop")
                .with("entity", entity_id)
                .with(
                    "minutes",
                    self.statement_lifetime.max(0).unsigned_abs().div_ceil(60),
                ),
            Act::AddClient { client_id, .. } => {
                Message::new("console-act-client-add").with("client", client_id)
            }
            Act::SetClient { client_id, .. } => {
                Message::new("console-act-client-set").with("client", client_id)
            }
            Act::RemoveClient { client_id } => Message::new("console-act-client-remove")
                .with("client", client_id)
                .with("grants", self.grants_ended),
            Act::RotateSecret { client_id, .. } => {
                Message::new("console-act-client-rotate").with("client", client_id)
            }
            Act::IssueRegistrationToken { .. }
            | Act::RevokeRegistrationToken { .. }
            | Act::IssueTrustMark { .. }
            | Act::RevokeTrustMark { .. }
            | Act::DelegateTrustMark { .. }
            | Act::KeepDelegation { .. }
            | Act::Joining(_)
            | Act::InviteOperator { .. }
            | Act::DisableOperator { .. } => Message::new("console-act-other"),
        }
    }

    /// Whether it takes something away.
    fn is_dangerous(&self) -> bool {
        matches!(
            self.act,
            Act::Drop { .. } | Act::RemoveClient { .. } | Act::RotateSecret { .. }
        )
    }

    fn written(&self) -> String {
        serde_json::to_string_pretty(&self.act).unwrap_or_default()
    }
}

/// A secret, told once.
#[derive(Template)]
#[template(path = "admin/done.html")]
pub struct Done {
    pub frame: Frame,
    pub desk: Desk,
    pub secret: String,
    pub back: String,
}

impl Done {
    pub fn heading(&self) -> Message {
        Message::new("console-done-heading")
    }
}

impl std::fmt::Debug for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Done")
    }
}

/// Something an operator may not do or see, or that cannot be done.
#[derive(Debug, Template)]
#[template(path = "admin/refused.html")]
pub struct Refused {
    pub frame: Frame,
    pub desk: Desk,
    pub why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The act needs this role.
    Role(OperatorRole),
    /// The act is done at the node's terminal alone.
    Terminal,
    /// The room is for others.
    Room(Room),
    /// In the words of the act.
    Reason(String),
}

impl Refused {
    pub fn heading(&self) -> Message {
        Message::new(match self.why {
            Why::Reason(_) => "console-not-done-heading",
            _ => "console-refused-heading",
        })
    }

    fn code(&self) -> &'static str {
        match self.why {
            Why::Role(_) | Why::Room(_) => "role",
            Why::Terminal => "terminal",
            Why::Reason(_) => "reason",
        }
    }

    fn text(&self) -> &'static str {
        match self.why {
            Why::Role(_) | Why::Room(_) => "console-refused-role",
            Why::Terminal => "console-refused-terminal",
            Why::Reason(_) => "console-not-done-text",
        }
    }

    fn roles(&self) -> Vec<&'static str> {
        match &self.why {
            Why::Role(role) => vec![role_name(*role)],
            Why::Room(room) => room.readers().iter().map(|role| role_name(*role)).collect(),
            _ => Vec::new(),
        }
    }

    fn reason(&self) -> Option<&str> {
        match &self.why {
            Why::Reason(reason) => Some(reason),
            _ => None,
        }
    }
}
