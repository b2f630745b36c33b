//! The account centre: what is known, how one signs in, where one is signed in, who may know what; and the confirmation before each
//! dangerous act. Everything personal arrives masked.

use askama::Template;

use super::frame::Frame;
use super::language::{Language, Message};
use super::login::PasskeyDoor;
use crate::clock::UnixTime;

/// `/account`
#[derive(Debug, Template)]
#[template(path = "account.html")]
pub struct Overview {
    pub frame: Frame,
    pub person: Person,
    /// Passkeys are configured; else the card does not speak of them.
    pub passkeys_offered: bool,
    pub passkeys: Vec<Passkey>,
    pub password_changed: Option<UnixTime>,
    pub sessions: Vec<Session>,
    pub platforms: Vec<Platform>,
}

#[derive(Clone, Debug)]
pub struct Person {
    /// Masked; `None` before real-name verification.
    pub name_masked: Option<String>,
    pub number_masked: Option<String>,
    /// `rn1` to `rn4`.
    pub level: String,
    pub verified_at: Option<UnixTime>,
    /// The real name is bound provisionally (name and number only).
    pub provisional: bool,
    pub phone_masked: String,
}

#[derive(Clone, Debug)]
pub struct Passkey {
    /// Opaque; goes into the addresses.
    pub handle: String,
    pub name: String,
    pub added: UnixTime,
    pub last_used: Option<UnixTime>,
}

#[derive(Clone, Debug)]
pub struct Session {
    pub handle: String,
    /// In words, from [`device`].
    pub device: String,
    pub since: UnixTime,
    pub last_seen: UnixTime,
    /// The one this page is seen through.
    pub current: bool,
}

#[derive(Clone, Debug)]
pub struct Platform {
    pub handle: String,
    pub name: String,
    pub region: Option<String>,
    /// Names of claims.
    pub claims: Vec<String>,
    /// May it keep its access while the person is away?
    pub offline: bool,
    pub given: UnixTime,
    pub until: UnixTime,
    /// When its superiors ceased to vouch for it: it is told nothing since.
    pub ended: Option<UnixTime>,
}

impl Overview {
    pub fn heading(&self) -> Message {
        Message::new("account-heading")
    }

    /// Each language under the name it has in itself: what a page in the other language calls it.
    fn languages() -> [(Language, String); 2] {
        Language::ALL.map(|language| {
            let name = Message::new("language-other");
            (language, language.other().plain(&name))
        })
    }

    fn others(&self) -> bool {
        self.sessions.iter().any(|session| !session.current)
    }
}

/// Browser and system as a person calls them, from a `User-Agent` header; at most 60 characters. Empty when neither is known.
pub fn device(user_agent: &str) -> String {
    let find = |table: &[(&str, &'static str)]| {
        table
            .iter()
            .find(|(mark, _)| user_agent.contains(mark))
            .map(|(_, name)| *name)
    };
    // Order matters: most browsers also claim to be Chrome and Safari, Android also claims Linux.
    let browser = find(&[
        ("MicroMessenger/", "WeChat"),
        ("AlipayClient/", "Alipay"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("HuaweiBrowser/", "Huawei Browser"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = find(&[
        ("HarmonyOS", "HarmonyOS"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} · {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => String::new(),
    }
}

/// `/account/details`
#[derive(Debug, Template)]
#[template(path = "account_details.html")]
pub struct Details {
    pub frame: Frame,
    pub nickname: String,
    pub email: String,
    pub address: String,
}

impl Details {
    pub fn heading(&self) -> Message {
        Message::new("details-heading")
    }
}

/// `/account/passkeys/add`
#[derive(Debug, Template)]
#[template(path = "passkey_add.html")]
pub struct AddPasskey {
    pub frame: Frame,
    pub name: String,
    pub door: PasskeyDoor,
}

impl AddPasskey {
    pub fn heading(&self) -> Message {
        Message::new("passkey-add-heading")
    }
}

/// `/account/passkeys/{handle}/rename`
#[derive(Debug, Template)]
#[template(path = "passkey_rename.html")]
pub struct RenamePasskey {
    pub frame: Frame,
    pub name: String,
}

impl RenamePasskey {
    pub fn heading(&self) -> Message {
        Message::new("passkey-rename-heading")
    }
}

/// One question before an act that cannot simply be undone
#[derive(Debug, Template)]
#[template(path = "confirm_act.html")]
pub struct ConfirmAct {
    pub frame: Frame,
    pub act: Act,
}

#[derive(Clone, Debug)]
pub enum Act {
    RemovePasskey { name: String },
    EndSession { device: String, current: bool },
    EndOtherSessions,
    WithdrawConsent { platform: String },
}

impl ConfirmAct {
    pub fn heading(&self) -> Message {
        match &self.act {
            Act::RemovePasskey { .. } => Message::new("confirm-passkey-heading"),
            Act::EndSession { .. } => Message::new("confirm-session-heading"),
            Act::EndOtherSessions => Message::new("confirm-sessions-heading"),
            Act::WithdrawConsent { platform } => {
                Message::new("confirm-withdraw-heading").with("platform", platform)
            }
        }
    }

    /// What will happen, to whom, and whether it can be undone.
    fn what(&self) -> Message {
        match &self.act {
            Act::RemovePasskey { name } => Message::new("confirm-passkey-what").with("name", name),
            Act::EndSession { current: true, .. } => Message::new("confirm-session-this"),
            Act::EndSession { device, .. } if device.is_empty() => {
                Message::new("confirm-session-unknown")
            }
            Act::EndSession { device, .. } => {
                Message::new("confirm-session-what").with("device", device)
            }
            Act::EndOtherSessions => Message::new("confirm-sessions-what"),
            Act::WithdrawConsent { platform } => {
                Message::new("confirm-withdraw-what").with("platform", platform)
            }
        }
    }

    fn yes(&self) -> &'static str {
        match self.act {
            Act::RemovePasskey { .. } => "confirm-passkey-yes",
            Act::EndSession { .. } => "confirm-session-yes",
            Act::EndOtherSessions => "confirm-sessions-yes",
            Act::WithdrawConsent { .. } => "confirm-withdraw-yes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices() {
        for (agent, words) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
                "Chrome · Linux",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile/15E148 Safari/604.1",
                "Safari · iPhone",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0",
                "Edge · Windows",
            ),
            ("curl/8.0", "curl"),
            ("<script>", ""),
        ] {
            assert_eq!(device(agent), words);
        }
    }
}
