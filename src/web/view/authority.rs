//! The front page of an anchor or an intermediate: who this is, who vouches for it, for whom it vouches.

use askama::Template;

use super::frame::Frame;
use super::language::Message;

/// `/` of an authority
#[derive(Debug, Template)]
#[template(path = "authority_home.html")]
pub struct AuthorityHome {
    pub frame: Frame,
    /// The organisation; its identifier when it has no name.
    pub name: String,
    pub entity_id: String,
    /// Trust begins here; nobody vouches for it.
    pub is_anchor: bool,
    /// Entity identifiers of those who vouch for it.
    pub superiors: Vec<String>,
    pub subordinates: Vec<Vouchee>,
    /// There are more than are shown.
    pub more: bool,
    /// Whether one may ask to join by oneself.
    pub joining: bool,
}

/// An entity that is vouched for.
#[derive(Clone, Debug)]
pub struct Vouchee {
    /// The name it is vouched for with.
    pub name: Option<String>,
    pub entity_id: String,
    pub is_intermediate: bool,
}

impl AuthorityHome {
    pub fn heading(&self) -> Message {
        Message::new("authority-heading").with("name", &self.name)
    }

    fn role(&self) -> &'static str {
        if self.is_anchor {
            "anchor"
        } else {
            "intermediate"
        }
    }

    fn lead(&self) -> &'static str {
        if self.is_anchor {
            "authority-lead-anchor"
        } else {
            "authority-lead-intermediate"
        }
    }
}
