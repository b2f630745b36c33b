//! Leaving: is it meant, and what was ended.

use askama::Template;
use url::Url;

use super::frame::{Frame, Way};
use super::language::Message;

/// `/logout`, when the request alone does not prove that the person wants it
#[derive(Debug, Template)]
#[template(path = "logout_confirm.html")]
pub struct LogoutConfirm {
    pub frame: Frame,
    /// The platform that asks, when it is known.
    pub asked_by: Option<String>,
    /// Where the person is signed in through this session.
    pub platforms: Vec<String>,
}

impl LogoutConfirm {
    pub fn heading(&self) -> Message {
        Message::new("logout-heading")
    }
}

/// `/logout/done`
#[derive(Debug, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOut {
    pub frame: Frame,
    pub platforms: Vec<Ended>,
    /// Back to the platform, when the logout came from one and its address is registered.
    pub back: Option<Way>,
    /// The browser goes there by itself, once the frames have loaded or have had their time.
    pub goes_on: bool,
    /// Pages of platforms that the browser loads to end their sessions (OIDC Front-Channel Logout 1.0 §3).
    pub frames: Vec<Url>,
}

#[derive(Clone, Debug)]
pub struct Ended {
    pub platform: String,
    pub state: Told,
    pub by: By,
}

/// Who tells the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Us,
    Browser,
    Both,
    Nobody,
}

/// How far a platform has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Ended,
    /// The browser was asked to tell it; nobody here knows more.
    Asked,
    Notifying,
    Failed,
}

impl SignedOut {
    pub fn heading(&self) -> Message {
        Message::new("signed-out-heading")
    }

    fn has(&self, state: Told) -> bool {
        self.platforms.iter().any(|ended| ended.state == state)
    }
}

impl Told {
    fn code(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Asked => "asked",
            Self::Notifying => "notifying",
            Self::Failed => "failed",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Ended => "told-ended",
            Self::Asked => "told-asked",
            Self::Notifying => "told-notifying",
            Self::Failed => "told-failed",
        }
    }
}

impl By {
    fn code(self) -> &'static str {
        match self {
            Self::Us => "back",
            Self::Browser => "front",
            Self::Both => "both",
            Self::Nobody => "none",
        }
    }

    fn words(self) -> Option<&'static str> {
        match self {
            Self::Us => Some("told-by-us"),
            Self::Browser => Some("told-by-browser"),
            Self::Both => Some("told-by-both"),
            Self::Nobody => None,
        }
    }
}
