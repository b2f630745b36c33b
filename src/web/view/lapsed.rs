//! A platform that was vouched for until lately: its superiors are away, and their word for it has run out. Not to be mixed up with
//! one that nobody knows (`error.rs`).

use askama::Template;

use super::frame::Frame;
use super::language::Message;
use crate::clock::UnixTime;

#[derive(Debug, Template)]
#[template(path = "lapsed.html")]
pub struct Lapsed {
    pub frame: Frame,
    /// As its superior named it, or its host.
    pub platform: String,
    /// Until when it was vouched for.
    pub at: UnixTime,
    /// The protocol's error code.
    pub code: String,
    /// For the engineer of the platform, in ASCII English.
    pub description: String,
    pub reference: String,
}

impl Lapsed {
    pub fn heading(&self) -> Message {
        Message::new("error-lapsed-heading").with("platform", &self.platform)
    }

    fn text(&self) -> Message {
        Message::new("error-lapsed-text")
            .with("platform", &self.platform)
            .with("time", self.frame.moment(self.at))
    }
}
