//! Whom an authority vouches for.

use askama::Template;

use super::super::frame::Frame;
use super::super::language::Message;
use super::{Desk, Pages};
use crate::clock::UnixTime;

/// `/subordinates`
#[derive(Debug, Template)]
#[template(path = "admin/subordinates.html")]
pub struct Subordinates {
    pub frame: Frame,
    pub desk: Desk,
    /// Whether whoever reads this may also change it.
    pub may_change: bool,
    /// What was searched for.
    pub searched: String,
    /// How many were found.
    pub total: usize,
    pub lines: Vec<Line>,
    pub pages: Pages,
}

/// An entity that is vouched for.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: Option<String>,
    pub entity_id: String,
    pub is_intermediate: bool,
}

impl Line {
    fn path(&self) -> String {
        format!("/subordinates/show?entity={}", encoded(&self.entity_id))
    }
}

impl Subordinates {
    pub fn heading(&self) -> Message {
        Message::new("console-subordinates")
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "templates hand references"
    )]
    fn at(&self, page: &usize) -> String {
        format!("/subordinates?q={}&page={page}", encoded(&self.searched))
    }
}

/// `/subordinates/show`
#[derive(Debug, Template)]
#[template(path = "admin/subordinate.html")]
pub struct ShowSubordinate {
    pub frame: Frame,
    pub desk: Desk,
    /// Whether whoever reads this may also change it.
    pub may_change: bool,
    pub entity_id: String,
    pub types: Vec<String>,
    pub intermediate: bool,
    pub added_at: UnixTime,
    pub updated_at: UnixTime,
    /// JSON; empty when there is none.
    pub policy: String,
    /// The claims of the statement about it.
    pub statement: String,
}

impl ShowSubordinate {
    pub fn heading(&self) -> Message {
        Message::new("console-subordinate-heading")
    }
}

/// `/subordinates/new`
#[derive(Debug, Template)]
#[template(path = "admin/enrol.html")]
pub struct Enrol {
    pub frame: Frame,
    pub desk: Desk,
    pub typed: Typed,
}

/// What was typed before.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    pub entity: String,
    pub kind: String,
    pub name: String,
    pub name_en: String,
    pub jwks: String,
    pub policy: String,
    pub constraints: String,
}

impl Typed {
    /// From the form's fields.
    pub fn of(field: impl Fn(&str) -> String) -> Self {
        Self {
            entity: field("entity"),
            kind: field("type"),
            name: field("name"),
            name_en: field("name-en"),
            jwks: field("jwks"),
            policy: field("policy"),
            constraints: field("constraints"),
        }
    }
}

impl Enrol {
    pub fn heading(&self) -> Message {
        Message::new("console-enrol-heading")
    }

    /// Value and message of each kind of entity.
    const KINDS: [(&'static str, &'static str); 3] = [
        ("openid_relying_party", "console-kind-portal"),
        ("openid_provider", "console-kind-provider"),
        ("federation_entity", "console-kind-intermediate"),
    ];

    fn kinds() -> [(&'static str, &'static str); 3] {
        Self::KINDS
    }

    fn is_chosen(&self, kind: &str) -> bool {
        self.typed.kind == kind || (self.typed.kind.is_empty() && kind == "openid_relying_party")
    }
}

pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
