//! What is sent to a phone: a code, or that something happened to the account.

use super::language::{Language, Message};

/// A code to be typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code<'a> {
    pub code: &'a str,
    pub minutes: u32,
}

impl Code<'_> {
    pub fn words(self, language: Language) -> String {
        let message = Message::new("sms-code")
            .with("code", self.code)
            .with("minutes", self.minutes);
        language.plain(&message)
    }
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Somebody with a stronger proof has the name now.
    IdentityLost,
    /// The name was taken from another account.
    IdentityMoved,
    PhoneChanged,
    PasswordChanged,
}

impl News {
    pub const ALL: [Self; 4] = [
        Self::IdentityLost,
        Self::IdentityMoved,
        Self::PhoneChanged,
        Self::PasswordChanged,
    ];

    /// By which it waits to be sent.
    pub fn name(self) -> &'static str {
        match self {
            Self::IdentityLost => "identity_lost",
            Self::IdentityMoved => "identity_moved",
            Self::PhoneChanged => "phone_changed",
            Self::PasswordChanged => "password_changed",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|news| news.name() == name)
    }

    pub fn words(self, language: Language) -> String {
        language.plain(&Message::new(match self {
            Self::IdentityLost => "sms-identity-lost",
            Self::IdentityMoved => "sms-identity-moved",
            Self::PhoneChanged => "sms-phone-changed",
            Self::PasswordChanged => "sms-password-changed",
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_alone_in_both_languages() {
        for language in Language::ALL {
            let code = Code {
                code: "012345",
                minutes: 5,
            };
            let words = code.words(language);
            let runs: Vec<&str> = words
                .split(|c: char| !c.is_ascii_digit())
                .filter(|run| !run.is_empty())
                .collect();
            assert_eq!(runs, ["012345", "5"], "{words}");
        }
    }

    #[test]
    fn news_are_found_by_name_and_have_words() {
        for news in News::ALL {
            assert_eq!(News::named(news.name()), Some(news));
            for language in Language::ALL {
                assert_eq!(Language::of(language.tag()), Some(language));
                assert!(!news.words(language).contains('⟦'));
            }
        }
        assert_eq!(News::named("code"), None);
    }
}
