//! What can be wrong with what a person typed: one variant per sentence, each knowing its field and its words. What can be wrong with a
//! whole request is a page of its own (`error.rs`).

use super::language::Message;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Name or password wrong, or no such account: one sentence for all, so that nobody learns which.
    LoginRefused,
    /// Too many failures for this account, from here or from everywhere, or from here for any.
    TooManyTries {
        minutes: u32,
    },
    UsernameMissing,
    PasswordMissing,
    PhoneInvalid,
    /// A new code may be asked for in so many seconds.
    CodeTooSoon {
        seconds: u32,
    },
    CodeMissing,
    CodeWrong,
    CodeExpired,
    /// No device waits with this code, or no longer.
    DeviceCodeUnknown,
    /// The gateway could not send.
    SmsUnavailable,
    CurrentPasswordWrong,
    PasswordTooShort {
        least: u32,
    },
    PasswordTooLong {
        most: u32,
    },
    PasswordTooSimple,
    PasswordCommon,
    PasswordPersonal,
    PasswordsDiffer,
    NameMissing,
    NameInvalid,
    NumberMissing,
    /// The old number of fifteen digits.
    NumberOld,
    NumberInvalid,
    /// The register does not know this name, number and phone together. Never says which one.
    NotMatched,
    /// The register is down or slow; nothing was stored.
    SourceUnavailable,
    /// Too many failed verifications; the next is allowed in so many hours.
    TooManyMatches {
        hours: u32,
    },
    PasskeyFailed,
    PasskeyNameInvalid,
    NicknameInvalid,
    EmailInvalid,
    AddressInvalid,
    NothingChosen,
    EntityIdInvalid,
    /// The entity is enrolled here, or was.
    JoinKnown,
    /// It has asked, and waits.
    JoinWaits,
    JoinFull,
    /// At the console: what an operator typed is not what the field wants.
    EntityInvalid,
    KeysInvalid,
    PolicyInvalid,
    ConstraintsInvalid,
    ClientMetadataInvalid,
    /// The form lay too long, or came from elsewhere.
    FormStale,
}

impl Problem {
    /// The field it stands at, by the id of `docs/pages.md`.
    pub fn field(&self) -> Option<&'static str> {
        Some(match self {
            Self::UsernameMissing => "username",
            Self::PasswordMissing => "password",
            Self::PhoneInvalid => "phone",
            Self::CodeMissing | Self::CodeWrong | Self::CodeExpired => "code",
            Self::DeviceCodeUnknown => "user-code",
            Self::CurrentPasswordWrong => "current-password",
            Self::PasswordTooShort { .. }
            | Self::PasswordTooLong { .. }
            | Self::PasswordTooSimple
            | Self::PasswordCommon
            | Self::PasswordPersonal => "new-password",
            Self::PasswordsDiffer => "repeat-password",
            Self::NameMissing | Self::NameInvalid => "name",
            Self::NumberMissing | Self::NumberOld | Self::NumberInvalid => "number",
            Self::PasskeyNameInvalid => "passkey-name",
            Self::NicknameInvalid => "nickname",
            Self::EmailInvalid => "email",
            Self::AddressInvalid => "address",
            Self::EntityIdInvalid | Self::JoinKnown | Self::JoinWaits => "entity-id",
            Self::EntityInvalid => "entity",
            Self::KeysInvalid => "jwks",
            Self::PolicyInvalid => "policy",
            Self::ConstraintsInvalid => "constraints",
            Self::ClientMetadataInvalid => "metadata",
            Self::LoginRefused
            | Self::TooManyTries { .. }
            | Self::CodeTooSoon { .. }
            | Self::SmsUnavailable
            | Self::NotMatched
            | Self::SourceUnavailable
            | Self::TooManyMatches { .. }
            | Self::PasskeyFailed
            | Self::NothingChosen
            | Self::JoinFull
            | Self::FormStale => return None,
        })
    }

    pub fn message(&self) -> Message {
        match self {
            Self::LoginRefused => Message::new("problem-login-refused"),
            // Nobody counts in hundreds of minutes.
            Self::TooManyTries { minutes } if *minutes > 90 => {
                Message::new("problem-too-many-tries-today").with("hours", minutes.div_ceil(60))
            }
            Self::TooManyTries { minutes } => {
                Message::new("problem-too-many-tries").with("minutes", minutes)
            }
            Self::UsernameMissing => Message::new("problem-username-missing"),
            Self::PasswordMissing => Message::new("problem-password-missing"),
            Self::PhoneInvalid => Message::new("problem-phone-invalid"),
            Self::CodeTooSoon { seconds } => {
                Message::new("problem-code-too-soon").with("seconds", seconds)
            }
            Self::CodeMissing => Message::new("problem-code-missing"),
            Self::CodeWrong => Message::new("problem-code-wrong"),
            Self::CodeExpired => Message::new("problem-code-expired"),
            Self::DeviceCodeUnknown => Message::new("problem-device-code-unknown"),
            Self::SmsUnavailable => Message::new("problem-sms-unavailable"),
            Self::CurrentPasswordWrong => Message::new("problem-current-password-wrong"),
            Self::PasswordTooShort { least } => {
                Message::new("problem-password-too-short").with("least", least)
            }
            Self::PasswordTooLong { most } => {
                Message::new("problem-password-too-long").with("most", most)
            }
            Self::PasswordTooSimple => Message::new("problem-password-too-simple"),
            Self::PasswordCommon => Message::new("problem-password-common"),
            Self::PasswordPersonal => Message::new("problem-password-personal"),
            Self::PasswordsDiffer => Message::new("problem-passwords-differ"),
            Self::NameMissing => Message::new("problem-name-missing"),
            Self::NameInvalid => Message::new("problem-name-invalid"),
            Self::NumberMissing => Message::new("problem-number-missing"),
            Self::NumberOld => Message::new("problem-number-old"),
            Self::NumberInvalid => Message::new("problem-number-invalid"),
            Self::NotMatched => Message::new("problem-not-matched"),
            Self::SourceUnavailable => Message::new("problem-source-unavailable"),
            Self::TooManyMatches { hours } => {
                Message::new("problem-too-many-matches").with("hours", hours)
            }
            Self::PasskeyFailed => Message::new("problem-passkey-failed"),
            Self::PasskeyNameInvalid => Message::new("problem-passkey-name-invalid"),
            Self::NicknameInvalid => Message::new("problem-nickname-invalid"),
            Self::EmailInvalid => Message::new("problem-email-invalid"),
            Self::AddressInvalid => Message::new("problem-address-invalid"),
            Self::NothingChosen => Message::new("problem-nothing-chosen"),
            Self::EntityIdInvalid => Message::new("problem-entity-id-invalid"),
            Self::JoinKnown => Message::new("problem-join-known"),
            Self::JoinWaits => Message::new("problem-join-waits"),
            Self::JoinFull => Message::new("problem-join-full"),
            Self::EntityInvalid => Message::new("problem-entity-invalid"),
            Self::KeysInvalid => Message::new("problem-keys-invalid"),
            Self::PolicyInvalid => Message::new("problem-policy-invalid"),
            Self::ConstraintsInvalid => Message::new("problem-constraints-invalid"),
            Self::ClientMetadataInvalid => Message::new("problem-client-metadata-invalid"),
            Self::FormStale => Message::new("problem-form-stale"),
        }
    }
}
