//! Coming in for the first time, or again after losing something: a password, a phone, one's own name taken by another account.

use askama::Template;

use super::frame::{Asking, Frame};
use super::language::Message;

/// `{i}/create/taken`: the phone just verified belongs to an account. Only its holder sees this.
#[derive(Debug, Template)]
#[template(path = "phone_taken.html")]
pub struct PhoneTaken {
    pub frame: Frame,
    pub asking: Option<Asking>,
    pub base: String,
    pub phone_masked: String,
}

impl PhoneTaken {
    pub fn heading(&self) -> Message {
        Message::new("phone-taken-heading")
    }
}

/// `{i}/create/password`, `{i}/recover/password`, `/account/password`
#[derive(Debug, Template)]
#[template(path = "new_password.html")]
pub struct NewPassword {
    pub frame: Frame,
    pub asking: Option<Asking>,
    pub base: String,
    pub purpose: PasswordPurpose,
    pub least: u32,
    /// For password managers: whose password this will be.
    pub username: String,
    pub back: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordPurpose {
    Create,
    Recover,
    Change,
}

impl NewPassword {
    pub fn heading(&self) -> Message {
        Message::new(match self.purpose {
            PasswordPurpose::Create => "password-heading-create",
            PasswordPurpose::Recover => "password-heading-recover",
            PasswordPurpose::Change => "password-heading-change",
        })
    }
}

/// `{i}/verify`, `{i}/recover/proof`, `/account/verify`
#[derive(Debug, Template)]
#[template(path = "real_name.html")]
pub struct RealName {
    pub frame: Frame,
    pub asking: Option<Asking>,
    pub base: String,
    pub purpose: ProofPurpose,
    /// What was typed; the number is a document's number and goes back only to the one who typed it.
    pub name: String,
    pub number: String,
    /// Whom we ask, e.g. 人口库（演示替身）.
    pub source: String,
    /// The verified phone that takes part in the match; `None`: name and number only, which stays provisional.
    pub phone_masked: Option<String>,
    /// Name and number are bound provisionally already.
    pub provisional: bool,
    /// Where the person may go without doing it now.
    pub later: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofPurpose {
    /// Bind a real name to this account.
    Verify,
    /// Prove again who one is, to set a new password.
    Recover,
}

impl RealName {
    pub fn heading(&self) -> Message {
        Message::new(match self.purpose {
            ProofPurpose::Verify => "verify-heading",
            ProofPurpose::Recover => "proof-heading",
        })
    }

    /// A phone in somebody else's name never matches; without it the result is provisional, which is worth having once.
    fn may_leave_phone_out(&self) -> bool {
        self.purpose == ProofPurpose::Verify && self.phone_masked.is_some() && !self.provisional
    }
}

/// `{i}/verify/existing`: after a successful match only, since it tells that another account exists
#[derive(Debug, Template)]
#[template(path = "takeover.html")]
pub struct Takeover {
    pub frame: Frame,
    pub asking: Option<Asking>,
    pub base: String,
    /// The proof just given is stronger than the other account's.
    pub can_take_over: bool,
}

impl Takeover {
    pub fn heading(&self) -> Message {
        Message::new("takeover-heading")
    }
}

/// `{i}/verify`, for a child
#[derive(Debug, Template)]
#[template(path = "too_young.html")]
pub struct TooYoung {
    pub frame: Frame,
    pub asking: Option<Asking>,
    pub base: String,
    pub age: u32,
}

impl TooYoung {
    pub fn heading(&self) -> Message {
        Message::new("too-young-heading")
    }
}
