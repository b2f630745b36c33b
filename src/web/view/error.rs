//! What now? Pages for a request that cannot go on, and for a person who cannot. The log holds the cause under the same reference number.

use askama::Template;

use super::frame::{Frame, Way};
use super::language::Message;

#[derive(Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    pub frame: Frame,
    pub kind: ErrorKind,
    /// The protocol's error code, e.g. `invalid_request`.
    pub code: String,
    /// For the engineer of the platform, in the protocol's ASCII English; never personal data.
    pub description: Option<String>,
    /// By which the help desk finds the log entry.
    pub reference: String,
    pub back: Option<Way>,
}

/// The sentence a person reads; several protocol errors share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Nobody vouches for the platform, or it is unknown.
    PlatformNotTrusted,
    /// The address to return to is not the platform's.
    WrongReturnAddress,
    /// The platform sent something we cannot accept.
    BadRequest,
    /// The interaction is over, or began in another browser.
    LoginExpired,
    /// The form did not come from our page.
    FormNotOurs,
    NotFound,
    /// An address that belongs to no entity of this node.
    WrongHost,
    TooManyRequests,
    /// Something we depend on does not answer.
    Unavailable,
    /// A fault of ours.
    Internal,
    /// At a portal: the person refused.
    Refused,
    /// At a portal: the login did not succeed at the provider, or its answer was not valid.
    LoginFailed,
    /// At a portal: the required level could not be reached.
    LevelNotReached,
}

impl ErrorKind {
    pub const ALL: [Self; 13] = [
        Self::PlatformNotTrusted,
        Self::WrongReturnAddress,
        Self::BadRequest,
        Self::LoginExpired,
        Self::FormNotOurs,
        Self::NotFound,
        Self::WrongHost,
        Self::TooManyRequests,
        Self::Unavailable,
        Self::Internal,
        Self::Refused,
        Self::LoginFailed,
        Self::LevelNotReached,
    ];
}

impl ErrorPage {
    pub fn heading(&self) -> Message {
        Message::new(match self.kind {
            ErrorKind::PlatformNotTrusted => "error-platform-heading",
            ErrorKind::WrongReturnAddress => "error-return-heading",
            ErrorKind::BadRequest => "error-request-heading",
            ErrorKind::LoginExpired => "error-expired-heading",
            ErrorKind::FormNotOurs => "error-form-heading",
            ErrorKind::NotFound => "error-not-found-heading",
            ErrorKind::WrongHost => "error-host-heading",
            ErrorKind::TooManyRequests => "error-busy-heading",
            ErrorKind::Unavailable => "error-unavailable-heading",
            ErrorKind::Internal => "error-internal-heading",
            ErrorKind::Refused => "error-refused-heading",
            ErrorKind::LoginFailed => "error-login-heading",
            ErrorKind::LevelNotReached => "error-level-heading",
        })
    }

    fn text(&self) -> &'static str {
        match self.kind {
            ErrorKind::PlatformNotTrusted => "error-platform-text",
            ErrorKind::WrongReturnAddress => "error-return-text",
            ErrorKind::BadRequest => "error-request-text",
            ErrorKind::LoginExpired => "error-expired-text",
            ErrorKind::FormNotOurs => "error-form-text",
            ErrorKind::NotFound => "error-not-found-text",
            ErrorKind::WrongHost => "error-host-text",
            ErrorKind::TooManyRequests => "error-busy-text",
            ErrorKind::Unavailable => "error-unavailable-text",
            ErrorKind::Internal => "error-internal-text",
            ErrorKind::Refused => "error-refused-text",
            ErrorKind::LoginFailed => "error-login-text",
            ErrorKind::LevelNotReached => "error-level-text",
        }
    }
}

/// A person who proved who they are, and still cannot go on.
#[derive(Debug, Template)]
#[template(path = "halted.html")]
pub struct Halted {
    pub frame: Frame,
    pub why: Halt,
    pub reference: String,
    pub back: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    Closed,
    Locked,
    TooMany { minutes: u32 },
}

impl Halted {
    pub fn heading(&self) -> Message {
        Message::new(match self.why {
            Halt::Closed => "halted-closed-heading",
            Halt::Locked => "halted-locked-heading",
            Halt::TooMany { .. } => "halted-too-many-heading",
        })
    }

    fn text(&self) -> Message {
        match self.why {
            Halt::Closed => Message::new("halted-closed-text"),
            Halt::Locked => Message::new("halted-locked-text"),
            Halt::TooMany { minutes } => {
                Message::new("halted-too-many-text").with("minutes", minutes)
            }
        }
    }

    fn code(&self) -> &'static str {
        match self.why {
            Halt::Closed => "closed",
            Halt::Locked => "locked",
            Halt::TooMany { .. } => "too-many",
        }
    }
}
