//! Sources that know who holds a document: the population register. One interface, and its adapter over HTTP.
//!
//! The adapter posts `{"name","number","phone"?}` to `<base>/match`, phone in the form `+86…`, and reads `{"result","check_id"}` with
//! `result` one of `match`, `mismatch`, `no_such_number`. Nothing personal stands in an address or in an error.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::crypto::BoxFuture;
use crate::outbound::{Limits, Outbound, OutboundError};

use super::name::Name;
use super::number::IdNumber;
use super::phone::Phone;

/// What is asked: do these belong together?
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub name: &'a Name,
    pub number: &'a IdNumber,
    /// The phone whose holder is present; without it two things are matched, with it three.
    pub phone: Option<&'a Phone>,
}

/// The source's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Match {
    /// They belong together; `check_id` is the source's number of this check.
    Yes { check_id: String },
    /// Something differs. Which is nobody's business.
    No,
    /// There is no such number.
    NoSuchNumber,
}

/// Why there is no answer. Another try later may succeed; nothing was stored.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SourceError {
    #[error("the register did not answer in time")]
    Slow,
    #[error("the register cannot be reached or refuses: {0}")]
    Down(String),
    #[error("the register's answer cannot be understood")]
    Garbled,
}

/// Somebody who can be asked.
pub trait Source: Send + Sync + fmt::Debug {
    /// What evidence calls it.
    fn name(&self) -> &str;

    fn matches<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Result<Match, SourceError>>;
}

/// A register that speaks JSON over HTTP.
#[derive(Debug)]
pub struct HttpSource {
    outbound: Arc<Outbound>,
    url: Url,
    name: String,
    limits: Limits,
}

impl HttpSource {
    pub fn new(outbound: Arc<Outbound>, base: &Url, time: Duration) -> Self {
        let mut url = base.clone();
        url.set_path(&format!("{}/match", base.path().trim_end_matches('/')));
        Self {
            outbound,
            name: base.host_str().unwrap_or_default().to_owned(),
            url,
            limits: Limits {
                time,
                body: 16 * 1024,
            },
        }
    }
}

#[derive(Serialize)]
struct Request<'a> {
    name: &'a str,
    number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
}

#[derive(Deserialize)]
struct Answer {
    result: String,
    check_id: Option<String>,
}

impl Source for HttpSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn matches<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Result<Match, SourceError>> {
        Box::pin(async move {
            let body = serde_json::to_vec(&Request {
                name: query.name.as_str(),
                number: query.number.plain(),
                phone: query.phone.map(Phone::e164),
            })
            .map_err(|_| SourceError::Garbled)?;
            let answer = self
                .outbound
                .post(&self.url, "application/json", body, &self.limits)
                .await
                .map_err(|e| match e {
                    OutboundError::Timeout { .. } => SourceError::Slow,
                    other => SourceError::Down(other.to_string()),
                })?;
            if !answer.status().is_success() {
                return Err(SourceError::Down(format!("status {}", answer.status())));
            }
            read(answer.body())
        })
    }
}

fn read(body: &[u8]) -> Result<Match, SourceError> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| SourceError::Garbled)?;
    match (answer.result.as_str(), answer.check_id) {
        ("match", Some(check_id)) if (1..=128).contains(&check_id.len()) => {
            Ok(Match::Yes { check_id })
        }
        ("mismatch", _) => Ok(Match::No),
        ("no_such_number", _) => Ok(Match::NoSuchNumber),
        _ => Err(SourceError::Garbled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        for (body, result) in [
            (
                r#"{"result":"match","check_id":"chk-1"}"#,
                Ok(Match::Yes {
                    check_id: "chk-1".to_owned(),
                }),
            ),
            (r#"{"result":"mismatch","check_id":"chk-1"}"#, Ok(Match::No)),
            (r#"{"result":"no_such_number"}"#, Ok(Match::NoSuchNumber)),
            (r#"{"result":"match"}"#, Err(SourceError::Garbled)),
            (
                r#"{"result":"match","check_id":""}"#,
                Err(SourceError::Garbled),
            ),
            (r#"{"result":"maybe"}"#, Err(SourceError::Garbled)),
            (r#"{"match":true}"#, Err(SourceError::Garbled)),
            ("<html>", Err(SourceError::Garbled)),
            ("", Err(SourceError::Garbled)),
        ] {
            assert_eq!(read(body.as_bytes()), result, "{body}");
        }
    }
}
