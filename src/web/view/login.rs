//! Who are you? The pages of logging in: password, code, passkey, one more proof, and what the platform may know.

use askama::Template;

use super::frame::{Asking, Frame};
use super::language::Message;
use crate::clock::UnixTime;

/// `{i}/login`
#[derive(Debug, Template)]
#[template(path = "login.html")]
pub struct Login {
    pub frame: Frame,
    /// `None`: a login to the account centre itself.
    pub asking: Option<Asking>,
    /// Address of the interaction, `/interaction/{id}`, with the entity's prefix; the doors hang below it.
    pub base: String,
    /// What was typed, or the `login_hint`; never says whether such an account exists.
    pub username: String,
    pub doors: Doors,
}

/// Which doors work; only those are shown.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    pub sms: bool,
    pub passkey: Option<PasskeyDoor>,
    pub create: bool,
    pub recover: bool,
}

/// Where the passkey script talks to (`docs/pages.md`).
#[derive(Clone, Debug)]
pub struct PasskeyDoor {
    pub options_url: String,
    pub finish_url: String,
    /// Also offer passkeys in the autofill of the user name.
    pub conditional: bool,
}

impl Login {
    pub fn heading(&self) -> Message {
        match &self.asking {
            Some(asking) => Message::new("asking-login").with("platform", asking.platform()),
            None => Message::new("login-heading"),
        }
    }

    /// WebAuthn §5.1.4 (conditional mediation): the field where autofill offers passkeys says so.
    fn complete(&self) -> &'static str {
        match &self.doors.passkey {
            Some(door) if door.conditional => "username webauthn",
            _ => "username",
        }
    }
}

/// `{i}/login/sms`, `{i}/create`, `{i}/recover`, `/account/phone`
#[derive(Debug, Template)]
#[template(path = "ask_phone.html")]
pub struct AskPhone {
    pub frame: Frame,
    pub asking: Option<Asking>,
    pub base: String,
    pub purpose: Purpose,
    pub phone: String,
    pub back: String,
}

impl AskPhone {
    pub fn heading(&self) -> Message {
        Message::new(match self.purpose {
            Purpose::Login | Purpose::StepUp => "sms-heading",
            Purpose::Create => "create-heading",
            Purpose::Recover => "recover-heading",
            Purpose::ChangePhone => "change-phone-heading",
        })
    }

    fn lead(&self) -> &'static str {
        match self.purpose {
            Purpose::Login | Purpose::StepUp => "sms-lead",
            Purpose::Create => "create-phone-lead",
            Purpose::Recover => "recover-lead",
            Purpose::ChangePhone => "change-phone-lead",
        }
    }
}

/// What a phone and the code sent to it are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Login,
    Create,
    StepUp,
    Recover,
    ChangePhone,
}

impl Purpose {
    fn step(self) -> u8 {
        match self {
            Self::Create => 3,
            Self::Recover => 4,
            Self::ChangePhone => 2,
            Self::Login | Self::StepUp => 0,
        }
    }
}

/// `…/code`, beside the page that asked for it
#[derive(Debug, Template)]
#[template(path = "enter_code.html")]
pub struct EnterCode {
    pub frame: Frame,
    pub asking: Option<Asking>,
    pub base: String,
    pub purpose: Purpose,
    /// Masked: `138****0000`.
    pub phone_masked: String,
    /// The page is the same whether or not a message was sent, so that nobody learns who has an account.
    pub resend_url: String,
    /// How long the code works, from its sending.
    pub minutes: u32,
    pub back: String,
    /// Development only: where the code can be read.
    pub outbox_url: Option<String>,
}

impl EnterCode {
    pub fn heading(&self) -> Message {
        Message::new("code-heading")
    }
}

/// `{i}/step-up`
#[derive(Debug, Template)]
#[template(path = "step_up.html")]
pub struct StepUp {
    pub frame: Frame,
    pub asking: Option<Asking>,
    pub base: String,
    pub reason: StepUpReason,
    /// The masked phone a code could go to.
    pub sms: Option<String>,
    pub password: bool,
    pub passkey: Option<PasskeyDoor>,
}

#[derive(Clone, Debug)]
pub enum StepUpReason {
    /// The platform asks for two kinds of proof; its level in words comes from the `acr` value.
    Level { acr: String },
    /// The last proof is too old for the platform.
    Fresh,
    /// Something that changes the account.
    SensitiveAct,
    /// A code was right, and the account has a real name: a phone alone does not open it.
    RealName,
}

impl StepUp {
    pub fn heading(&self) -> Message {
        Message::new("step-up-heading")
    }

    fn why(&self) -> Message {
        let platform = self.asking.as_ref().map_or_else(
            || self.frame.brand_name(),
            |asking| asking.platform().to_owned(),
        );
        match &self.reason {
            StepUpReason::Level { acr } => Message::new("step-up-level")
                .with("platform", platform)
                .with("level", acr.rsplit('/').next().unwrap_or_default()),
            StepUpReason::Fresh => Message::new("step-up-fresh").with("platform", platform),
            StepUpReason::SensitiveAct => Message::new("step-up-act"),
            StepUpReason::RealName => Message::new("step-up-real-name"),
        }
    }
}

/// `{i}/consent`
#[derive(Debug, Template)]
#[template(path = "consent.html")]
pub struct Consent {
    pub frame: Frame,
    pub asking: Asking,
    pub base: String,
    /// Empty when the platform asks for the login alone.
    pub items: Vec<Item>,
    /// What it may do in the person's name.
    pub access: Vec<Access>,
    /// May it keep its access while the person is away?
    pub offline: bool,
    /// What the platform says it needs them for, from vouched-for metadata.
    pub purpose: Option<String>,
    pub until: UnixTime,
    /// Sensitive items are asked on a page of their own afterwards.
    pub sensitive_follows: bool,
}

/// One thing a platform would learn.
#[derive(Clone, Debug)]
pub struct Item {
    /// The claim's name, e.g. `phone_number`.
    pub claim: String,
    /// Masked.
    pub value: String,
}

/// One thing a platform could do.
#[derive(Clone, Debug)]
pub struct Access {
    /// What people call the place where.
    pub place: Option<String>,
    pub text: String,
    /// Of what kind exactly: name and values, as the platform sent them.
    pub facts: Vec<(String, String)>,
}

impl Consent {
    pub fn heading(&self) -> Message {
        let key = match (self.items.is_empty(), self.access.is_empty()) {
            (true, true) => "consent-heading-login",
            (false, true) => "consent-heading",
            (_, false) => "consent-heading-access",
        };
        Message::new(key).with("platform", self.asking.platform())
    }
}

/// `{i}/consent/sensitive`: separate consent (PIPL art. 29), nothing ticked beforehand
#[derive(Debug, Template)]
#[template(path = "consent_sensitive.html")]
pub struct SensitiveConsent {
    pub frame: Frame,
    pub asking: Asking,
    pub base: String,
    pub items: Vec<Item>,
    pub purpose: Option<String>,
    pub until: UnixTime,
}

impl SensitiveConsent {
    pub fn heading(&self) -> Message {
        Message::new("sensitive-heading").with("platform", self.asking.platform())
    }
}

/// The authorization endpoint's answer with `response_mode=form_post` (OAuth 2.0 Form Post Response Mode 2)
#[derive(Debug, Template)]
#[template(path = "form_post.html")]
pub struct FormPost {
    pub frame: Frame,
    /// The proven redirect URI.
    pub action: String,
    pub fields: Vec<(String, String)>,
    pub platform: String,
}

impl FormPost {
    pub fn heading(&self) -> Message {
        Message::new("form-post-heading").with("platform", &self.platform)
    }
}
