//! `[entity.people]`: how the provider knows people: passwords, SMS codes, the population register.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Settings of identity and authentication.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct People {
    /// Base URL of the population register's JSON API.
    pub register_url: String,
    /// What people are told the register is called.
    pub register_name: String,
    /// Milliseconds that a match may take; a person waits for it on the page.
    pub register_timeout_ms: u64,
    /// URL to which SMS messages are posted.
    pub sms_gateway_url: String,
    /// Milliseconds until a message that was not accepted counts as not sent.
    pub sms_timeout_ms: u64,
    /// Development only: where people read the messages that the stand-in did not send.
    pub outbox_url: Option<String>,
    pub argon2: Argon2,
    /// For labs and test suites: people who do not exist, with accounts from the start. Numbers have the county code 9999, phones
    /// begin with 140.
    pub synthetic: Vec<Synthetic>,
    /// Failed passwords of one account from one source before it must wait.
    pub login_failures: i64,
    /// Failed passwords from one source, all accounts together: high, since a province may sit behind one address.
    pub source_failures: i64,
    /// Failed passwords of one account in a day, from all sources together. Beyond it the password opens nothing for the
    /// rest of that day; passkeys and codes do.
    pub account_failures_per_day: i64,
    /// Seconds in which the failures of a source are counted, and hence how long it waits at most.
    pub failure_window: i64,
    /// Real-name verifications that one account may try in a day.
    pub matches_per_day: i64,
    /// Matches of one document a day, whoever asks. Far higher than what one account may try: whoever knows a number must
    /// not be able to shut its owner out, and guessing the phone behind it takes more than this.
    pub document_matches_per_day: i64,
    pub sms_code_lifetime: i64,
    pub sms_code_tries: i64,
    /// Seconds between two messages to one phone.
    pub sms_resend: i64,
    pub sms_per_day: i64,
    /// Messages that one source may cause in an hour.
    pub sms_per_source: i64,
}

/// A person who does not exist, with an account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    /// Also the user name.
    pub phone: String,
    pub password: String,
    pub name: String,
    pub number: String,
    /// Claims that no register fills (OIDC Core 5.1): `email`, `address`, `nickname` …
    #[serde(default)]
    pub claims: Map<String, Value>,
}

/// argon2id (RFC 9106). The defaults are the second recommendation of OWASP: 19 MiB, two passes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Argon2 {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Default for People {
    fn default() -> Self {
        Self {
            register_url: String::new(),
            register_name: "人口信息库".to_owned(),
            register_timeout_ms: 8_000,
            sms_gateway_url: String::new(),
            sms_timeout_ms: 5_000,
            outbox_url: None,
            argon2: Argon2::default(),
            synthetic: Vec::new(),
            login_failures: 5,
            source_failures: 1_000,
            account_failures_per_day: 100,
            failure_window: 900,
            matches_per_day: 10,
            document_matches_per_day: 200,
            sms_code_lifetime: 300,
            sms_code_tries: 5,
            sms_resend: 60,
            sms_per_day: 20,
            sms_per_source: 1_000,
        }
    }
}

impl Default for Argon2 {
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
            lanes: 1,
        }
    }
}

impl People {
    /// What is wrong with the numbers, each in a sentence.
    pub fn problems(&self) -> Vec<String> {
        super::not_positive(&[
            ("login_failures", self.login_failures),
            ("source_failures", self.source_failures),
            ("account_failures_per_day", self.account_failures_per_day),
            ("failure_window", self.failure_window),
            ("matches_per_day", self.matches_per_day),
            ("document_matches_per_day", self.document_matches_per_day),
            ("sms_code_lifetime", self.sms_code_lifetime),
            ("sms_code_tries", self.sms_code_tries),
            ("sms_resend", self.sms_resend),
            ("sms_per_day", self.sms_per_day),
            ("sms_per_source", self.sms_per_source),
        ])
    }
}
