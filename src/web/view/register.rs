//! Pages of the development stand-ins: the population register's description and the outbox of the SMS gateway.

use askama::Template;

use super::frame::Frame;
use super::language::Message;
use crate::clock::UnixTime;

/// `/` of the register
#[derive(Debug, Template)]
#[template(path = "register_home.html")]
pub struct RegisterHome {
    pub frame: Frame,
    /// The register's address, without a slash at its end.
    pub base_url: String,
    /// Its JSON API: method, path, example of a request, example of an answer.
    pub calls: Vec<Call>,
    pub people: usize,
    pub delay_ms: u64,
    pub failing: bool,
}

#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    pub path: String,
    pub request: String,
    pub answer: String,
    /// Switches the stand-in's behaviour, rather than asking it something.
    pub control: bool,
}

impl RegisterHome {
    pub fn heading(&self) -> Message {
        Message::new("register-heading")
    }
}

/// `/outbox`
#[derive(Debug, Template)]
#[template(path = "outbox.html")]
pub struct Outbox {
    pub frame: Frame,
    /// Only messages to this phone.
    pub to: Option<String>,
    /// Newest first.
    pub messages: Vec<Sms>,
}

#[derive(Clone, Debug)]
pub struct Sms {
    pub to: String,
    pub text: String,
    pub code: Option<String>,
    pub at: UnixTime,
}

impl Outbox {
    pub fn heading(&self) -> Message {
        Message::new("outbox-heading")
    }
}
