//! Whether a mark that others show still holds, asked of its issuer (OpenID Federation 1.0 §8.4) and remembered for a while.
//!
//! An answer is used for `FRESH` seconds: a revoked mark stops counting within that. No answer takes nothing away at once
//! (§18.2): the last signed `active` counts for `GRACE` seconds. A mark that was never seen active does not count until its
//! issuer answers. Marks of an issuer without a status endpoint count until they expire.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use super::{NotCounted, TrustMark, not_counted, read};
use crate::clock::UnixTime;
use crate::crypto::sha256;
use crate::federation::chain::TrustChain;
use crate::federation::resolve::{Document, Fetch};
use crate::federation::statement::Rules;
use crate::jose::jwt;

pub const TYP: &str = "trust-mark-status-response+jwt";

/// Seconds for which an answer is used.
pub const FRESH: i64 = 60;
/// Seconds for which the last `active` counts while the issuer does not answer; also the oldest answer that is taken.
pub const GRACE: i64 = 600;
/// Seconds between two questions to an issuer that does not answer.
const AGAIN: i64 = 10;
/// How long an answer is waited for: somebody is waiting for us.
const PATIENCE: Duration = Duration::from_secs(5);
/// Marks whose status is remembered.
const MOST: u64 = 10_000;

/// What an issuer says about a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Active,
    Expired,
    Revoked,
    Invalid,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Invalid => "invalid",
        }
    }
}

/// What is remembered of one mark.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// When the issuer last said `active`; none after it said anything else.
    active_at: Option<UnixTime>,
    ask_at: UnixTime,
}

/// The statuses that were asked for. Shared by everybody who uses one resolver.
#[derive(Debug)]
pub struct Statuses(Cache<[u8; 32], Arc<Known>>);

impl Default for Statuses {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl Statuses {
    /// Whether `mark`, which was verified, still holds. `issuer` is its issuer's chain; without `fetch` nobody is asked.
    pub async fn holds(
        &self,
        mark: &TrustMark,
        issuer: &TrustChain,
        fetch: Option<&dyn Fetch>,
        rules: &Rules,
        now: UnixTime,
    ) -> Result<(), NotCounted> {
        // §8.4: from the issuer's own configuration, never from metadata that others gave it.
        let endpoint = issuer
            .subject_configuration()
            .federation_entity("federation_trust_mark_status_endpoint");
        let Some(endpoint) = endpoint else {
            return match mark.exp {
                Some(_) => Ok(()),
                None => Err(NotCounted(
                    "it does not expire, and its issuer tells no status".into(),
                )),
            };
        };
        let key = sha256(mark.jwt.as_bytes());
        let before = self.0.get(&key).await;
        let known = match (&before, fetch) {
            (Some(known), None) => Arc::clone(known),
            (None, None) => return Err(NotCounted("its issuer was not asked yet".into())),
            (Some(known), Some(_)) if now < known.ask_at => Arc::clone(known),
            (before, Some(fetch)) => {
                if before.is_some() {
                    self.0.invalidate(&key).await;
                }
                let seen = before.as_ref().and_then(|known| known.active_at);
                // Many who ask at once share one question.
                let question =
                    async { Arc::new(ask(mark, endpoint, issuer, fetch, rules, now, seen).await) };
                self.0.get_with(key, question).await
            }
        };
        match known.active_at {
            Some(at) if now.since(at) < GRACE => Ok(()),
            _ => Err(NotCounted("its issuer does not say that it holds".into())),
        }
    }
}

async fn ask(
    mark: &TrustMark,
    endpoint: &str,
    issuer: &TrustChain,
    fetch: &dyn Fetch,
    rules: &Rules,
    now: UnixTime,
    seen: Option<UnixTime>,
) -> Known {
    let document = Document::TrustMarkStatus {
        endpoint: endpoint.to_owned(),
        trust_mark: mark.jwt.to_string(),
    };
    let answer = tokio::time::timeout(PATIENCE, fetch.fetch(&document)).await;
    let said = match answer {
        Ok(Ok(token)) => {
            read_answer(token.trim_ascii(), mark, issuer, rules, now).map_err(|e| e.to_string())
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    };
    match said {
        Ok(active) => Known {
            active_at: active.then_some(now),
            ask_at: now.plus(FRESH),
        },
        Err(reason) => {
            tracing::info!(issuer = %mark.iss, subject = %mark.sub, reason, "the status of a trust mark is not known");
            Known {
                active_at: seen,
                ask_at: now.plus(AGAIN),
            }
        }
    }
}

/// §8.4.2: whether the signed answer says `active`. Words that we do not know do not.
fn read_answer(
    token: &str,
    mark: &TrustMark,
    issuer: &TrustChain,
    rules: &Rules,
    now: UnixTime,
) -> Result<bool, NotCounted> {
    let (claims, jws) = read(token, TYP, rules)?;
    super::check_signature(&jws, issuer.keys())?;
    let text = |name| jwt::text(&claims, name).map_err(not_counted);
    if text("iss")? != mark.iss.as_str() || text("trust_mark")? != &*mark.jwt {
        return Err(NotCounted("the answer is about another mark".into()));
    }
    let iat = jwt::time(&claims, "iat")
        .map_err(not_counted)?
        .ok_or_else(|| NotCounted("the answer has no iat".into()))?;
    if iat > now.plus(rules.leeway) || now.since(iat) > GRACE {
        return Err(NotCounted("the answer is not of today".into()));
    }
    Ok(text("status")? == Status::Active.as_str())
}
