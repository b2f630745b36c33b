//! What is sent to a phone: a code, or that something happened to the account.

use super::language::{Language, Message};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    Code {
        code: &'a str,
        minutes: u32,
    },
    /// Somebody with a stronger proof has the name now.
    IdentityLost,
    /// The name was taken from another account.
    IdentityMoved,
    PhoneChanged,
    PasswordChanged,
}

impl Text<'_> {
    pub fn words(self, language: Language) -> String {
        language.plain(&match self {
            Self::Code { code, minutes } => Message::new("sms-code")
                .with("code", code)
                .with("minutes", minutes),
            Self::IdentityLost => Message::new("sms-identity-lost"),
            Self::IdentityMoved => Message::new("sms-identity-moved"),
            Self::PhoneChanged => Message::new("sms-phone-changed"),
            Self::PasswordChanged => Message::new("sms-password-changed"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_alone_in_both_languages() {
        for language in Language::ALL {
            let words = Text::Code {
                code: "012345",
                minutes: 5,
            }
            .words(language);
            let runs: Vec<&str> = words
                .split(|c: char| !c.is_ascii_digit())
                .filter(|run| !run.is_empty())
                .collect();
            assert_eq!(runs, ["012345", "5"], "{words}");
            for text in [
                Text::IdentityLost,
                Text::IdentityMoved,
                Text::PhoneChanged,
                Text::PasswordChanged,
            ] {
                assert!(!text.words(language).contains('⟦'));
            }
        }
    }
}
