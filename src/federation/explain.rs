//! Why an entity is trusted or not, in words for an operator: `hefu federation explain`, logs, the provider's admin.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::federation::chain::{Hop, Trace, TrustChain};
use crate::federation::entity::EntityId;
use crate::federation::statement::{Reading, Step};

/// What was tried for one subject, and what came of it.
#[derive(Debug, Clone)]
pub struct Explanation {
    pub subject: String,
    /// `Err` says why there is no chain.
    pub outcome: Result<(), String>,
    /// Hints that led nowhere, bounds that were reached.
    pub notes: Vec<String>,
    /// Every chain that was judged; the valid one is the last.
    pub chains: Vec<Trace>,
    /// Of the valid chain.
    pub anchor: Option<String>,
    pub expires_at: Option<crate::clock::UnixTime>,
    pub metadata: Option<Value>,
    pub policy: Option<Value>,
}

impl Explanation {
    pub fn new(subject: &EntityId) -> Self {
        Self {
            subject: subject.to_string(),
            outcome: Err("not resolved".to_owned()),
            notes: Vec::new(),
            chains: Vec::new(),
            anchor: None,
            expires_at: None,
            metadata: None,
            policy: None,
        }
    }

    pub fn failed(subject: &EntityId, reason: &str) -> Self {
        Self {
            outcome: Err(reason.to_owned()),
            ..Self::new(subject)
        }
    }

    /// The explanation of a chain that holds.
    pub fn of(chain: &TrustChain) -> Self {
        let mut told = Self::new(chain.subject());
        told.outcome = Ok(());
        told.chain(chain);
        told
    }

    pub(super) fn chain(&mut self, chain: &TrustChain) {
        self.chains.push(chain.trace().clone());
        self.anchor = Some(chain.anchor().to_string());
        self.expires_at = Some(chain.expires_at());
        self.metadata = Some(Value::Object(chain.metadata().clone()));
        self.policy = Some(chain.policy().to_json());
    }

    pub(super) fn note(&mut self, note: String) {
        // A hostile federation may have much to tell.
        if self.notes.len() < 100 {
            self.notes.push(note);
        }
    }

    /// The subject's own configuration was of no use.
    pub(super) fn refused(&mut self, reading: &Reading) {
        self.chains.push(Trace {
            hops: vec![reading.hop().clone()],
        });
    }

    /// Plain text, one line per check. Names of strangers are printed escaped: they may hold control characters.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{}", clean(&self.subject));
        for (number, trace) in self.chains.iter().enumerate() {
            let _ = writeln!(out, "chain {}", number + 1);
            for (index, hop) in trace.hops.iter().enumerate() {
                let _ = writeln!(out, "  {index}. {}", hop_title(hop));
                for check in &hop.checks {
                    match &check.failure {
                        None => {
                            let _ = writeln!(
                                out,
                                "     ok      {:<20}{}",
                                check.step,
                                meaning(check.step)
                            );
                        }
                        Some(reason) => {
                            let _ =
                                writeln!(out, "     FAILED  {:<20}{}", check.step, clean(reason));
                        }
                    }
                }
            }
        }
        for note in &self.notes {
            let _ = writeln!(out, "note: {}", clean(note));
        }
        match (&self.outcome, &self.anchor, self.expires_at) {
            (Ok(()), Some(anchor), Some(expires_at)) => {
                let _ = writeln!(
                    out,
                    "trusted through {} until {}",
                    clean(anchor),
                    expires_at.to_rfc3339()
                );
            }
            (Ok(()), ..) => out.push_str("trusted\n"),
            (Err(reason), ..) => {
                let _ = writeln!(out, "NOT trusted: {}", clean(reason));
            }
        }
        out
    }

    pub fn to_json(&self) -> Value {
        let chains: Vec<Value> = self
            .chains
            .iter()
            .map(|trace| Value::Array(trace.hops.iter().map(hop_json).collect()))
            .collect();
        json!({
            "subject": self.subject,
            "trusted": self.outcome.is_ok(),
            "reason": self.outcome.as_ref().err(),
            "trust_anchor": self.anchor,
            "expires_at": self.expires_at,
            "notes": self.notes,
            "chains": chains,
            "metadata": self.metadata,
            "metadata_policy": self.policy,
        })
    }
}

fn hop_title(hop: &Hop) -> String {
    let what = if hop.iss.is_empty() {
        return "a statement that could not be read".to_owned();
    } else if hop.iss == hop.sub {
        format!("{} about itself", clean(&hop.iss))
    } else {
        format!("{} about {}", clean(&hop.iss), clean(&hop.sub))
    };
    match hop.expires_at {
        Some(exp) => format!(
            "{what} (until {}, {} key {})",
            exp.to_rfc3339(),
            hop.alg,
            clean(&hop.kid)
        ),
        None => what,
    }
}

fn hop_json(hop: &Hop) -> Value {
    let checks: Vec<Value> = hop
        .checks
        .iter()
        .map(|check| {
            json!({
                "check": check.step.as_str(),
                "ok": check.failure.is_none(),
                "reason": check.failure,
            })
        })
        .collect();
    json!({
        "iss": hop.iss,
        "sub": hop.sub,
        "exp": hop.expires_at,
        "alg": hop.alg,
        "kid": hop.kid,
        "checks": checks,
    })
}

fn meaning(step: Step) -> &'static str {
    match step {
        Step::Fetched => "the statement could be fetched",
        Step::Form => "a compact JWS",
        Step::Typ => "typed as an entity statement",
        Step::Header => "nothing unknown is critical",
        Step::Algorithm => "an algorithm that is accepted",
        Step::Kid => "names its key",
        Step::Payload => "one JSON object, no member twice",
        Step::Subject => "about an entity identifier",
        Step::Issuer => "by an entity identifier",
        Step::IssuedAt => "issued in the past",
        Step::Expiry => "not expired",
        Step::Keys => "a set of public keys",
        Step::Crit => "no unknown critical claim",
        Step::Claims => "every claim where it belongs",
        Step::Link => "its issuer is the subject of the next",
        Step::AuthorityHints => "the subject names this superior",
        Step::Anchor => "a configured trust anchor",
        Step::Key => "the issuer has this key",
        Step::Signature => "the signature is that key's",
        Step::Pinned => "the superior vouches for this key",
        Step::PathLength => "not too many intermediates",
        Step::Naming => "every name below is permitted",
        Step::Policy => "agrees with the superiors' policies",
        Step::Metadata => "complies with the merged policy",
    }
}

/// Control and bidirectional characters could rewrite a terminal line.
fn clean(text: &str) -> String {
    let hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .take(500)
        .map(|c| if hostile(c) { '\u{fffd}' } else { c })
        .collect()
}
