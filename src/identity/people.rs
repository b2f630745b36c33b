//! What the doors need to deal with people, in one bundle: the register, the SMS gateway, password hashing, passkeys, the settings.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::authn::code::Rules;
use crate::authn::hashing::{BadParameters, Hasher, Places};
use crate::authn::passkey::Passkeys;
use crate::authn::throttle::Limit;
use crate::config;
use crate::outbound::Outbound;

use super::sms::{Gateway, HttpGateway};
use super::source::{HttpSource, Source};

/// One per provider.
#[derive(Clone, Debug)]
pub struct People {
    pub settings: config::people::People,
    pub source: Arc<dyn Source>,
    pub sms: Arc<dyn Gateway>,
    pub passwords: Hasher,
    /// `None` where the address cannot have passkeys (a bare IP address).
    pub passkeys: Option<Passkeys>,
}

/// The settings do not make a working bundle.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    #[error("{setting} is not a URL: {problem}")]
    Url {
        setting: &'static str,
        problem: url::ParseError,
    },
    #[error(transparent)]
    Argon2(#[from] BadParameters),
}

impl People {
    /// `entity`: the provider's address, `name`: what devices list its passkeys under, `places`: where this process hashes.
    pub fn new(
        settings: config::people::People,
        entity: &str,
        name: &str,
        outbound: &Arc<Outbound>,
        places: Places,
    ) -> Result<Self, PeopleError> {
        let url = |setting, text: &str| {
            Url::parse(text).map_err(|problem| PeopleError::Url { setting, problem })
        };
        let register = url("register_url", &settings.register_url)?;
        let gateway = url("sms_gateway_url", &settings.sms_gateway_url)?;
        let argon2 = &settings.argon2;
        Ok(Self {
            source: Arc::new(HttpSource::new(
                Arc::clone(outbound),
                &register,
                Duration::from_millis(settings.register_timeout_ms),
            )),
            sms: Arc::new(HttpGateway::new(
                Arc::clone(outbound),
                gateway,
                Duration::from_millis(settings.sms_timeout_ms),
            )),
            passwords: Hasher::new(argon2.memory_kib, argon2.passes, argon2.lanes, places)?,
            passkeys: Passkeys::new(entity, name).ok(),
            settings,
        })
    }

    pub fn code_rules(&self) -> Rules {
        Rules {
            lifetime: self.settings.sms_code_lifetime,
            tries: self.settings.sms_code_tries,
            resend: self.settings.sms_resend,
            daily: self.settings.sms_per_day,
        }
    }

    /// Failed passwords of one account from one source.
    pub fn login_limit(&self) -> Limit {
        Limit {
            kind: "password.account",
            tries: self.settings.login_failures,
            seconds: self.settings.failure_window,
        }
    }

    /// Failed passwords from one source.
    pub fn source_limit(&self) -> Limit {
        Limit {
            kind: "password.source",
            tries: self.settings.source_failures,
            seconds: self.settings.failure_window,
        }
    }

    /// Failed passwords of one account from everywhere.
    pub fn account_limit(&self) -> Limit {
        Limit {
            kind: "password.everywhere",
            tries: self.settings.account_failures_per_day,
            seconds: 86_400,
        }
    }

    /// Messages that one source causes.
    pub fn sms_limit(&self) -> Limit {
        Limit {
            kind: "sms.source",
            tries: self.settings.sms_per_source,
            seconds: 3_600,
        }
    }

    /// Real-name verifications of one account.
    pub fn match_limit(&self) -> Limit {
        Limit {
            kind: "match.account",
            tries: self.settings.matches_per_day,
            seconds: 86_400,
        }
    }

    /// Real-name verifications of one document: who guesses phones for a known number must not do it from many accounts.
    pub fn document_limit(&self) -> Limit {
        Limit {
            kind: "match.document",
            tries: self.settings.document_matches_per_day,
            seconds: 86_400,
        }
    }
}
