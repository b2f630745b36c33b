//! The checks that statements and chains go through, and the trace they leave: what an operator reads in `explain`.
//! Who performs them: `statement` those of one statement, `chain` the rest.

use std::fmt;

use crate::clock::UnixTime;

/// The checks that a statement, and then a chain, passes, in this order. What an operator reads in an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The statement could be fetched (or came with the request).
    Fetched,
    /// It is a compact JWS of a bearable size (§3.2 step 1).
    Form,
    /// `typ` is `entity-statement+jwt`.
    Typ,
    /// The header demands nothing that is not understood and carries no trust chain (§4.3, §4.4).
    Header,
    /// `alg` is an asymmetric algorithm of our list.
    Algorithm,
    /// There is a `kid`.
    Kid,
    /// The payload is one JSON object without repeated members.
    Payload,
    /// `sub` is an identifier, and the entity that was asked for.
    Subject,
    /// `iss` is an identifier, and the entity that was asked.
    Issuer,
    /// `iat` has passed.
    IssuedAt,
    /// `exp` has not.
    Expiry,
    /// `jwks` is a key set of public keys, each with its own `kid`.
    Keys,
    /// Every claim named by `crit` is understood.
    Crit,
    /// Every claim stands where it may and has its form.
    Claims,
    /// The statement's issuer is the subject of the next one (§4).
    Link,
    /// The superior is among the subject's `authority_hints`.
    AuthorityHints,
    /// The chain ends at an anchor of our configuration.
    Anchor,
    /// The issuer has the key named by `kid`.
    Key,
    /// The signature is that key's.
    Signature,
    /// The subject's own key is one that its superior vouches for.
    Pinned,
    /// §6.2.1.
    PathLength,
    /// §6.2.2.
    Naming,
    /// The statement's policy agrees with itself and with the superiors' (§6.1.4.1).
    Policy,
    /// The resolved metadata is what the policies, and the protocol, ask for (§6.1.4.2).
    Metadata,
}

impl Step {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::Form => "form",
            Self::Typ => "typ",
            Self::Header => "header",
            Self::Algorithm => "alg",
            Self::Kid => "kid",
            Self::Payload => "payload",
            Self::Subject => "sub",
            Self::Issuer => "iss",
            Self::IssuedAt => "iat",
            Self::Expiry => "exp",
            Self::Keys => "jwks",
            Self::Crit => "crit",
            Self::Claims => "claims",
            Self::Link => "link",
            Self::AuthorityHints => "authority_hints",
            Self::Anchor => "anchor",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Pinned => "pinned",
            Self::PathLength => "max_path_length",
            Self::Naming => "naming_constraints",
            Self::Policy => "metadata_policy",
            Self::Metadata => "metadata",
        }
    }

    /// The checks that one statement passes by itself.
    pub const STATEMENT: [Self; 13] = [
        Self::Form,
        Self::Typ,
        Self::Header,
        Self::Algorithm,
        Self::Kid,
        Self::Payload,
        Self::Subject,
        Self::Issuer,
        Self::IssuedAt,
        Self::Expiry,
        Self::Keys,
        Self::Crit,
        Self::Claims,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The step that failed and why. The text is for operators and logs, never for pages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {reason}")]
pub struct Failure {
    pub step: Step,
    pub reason: String,
}

impl Failure {
    pub fn new(step: Step, reason: impl fmt::Display) -> Self {
        Self {
            step,
            reason: reason.to_string(),
        }
    }
}

/// What was checked, hop by hop.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    pub hops: Vec<Hop>,
}

/// One statement of a chain and the checks it went through.
#[derive(Debug, Clone, Default)]
pub struct Hop {
    pub iss: String,
    pub sub: String,
    pub expires_at: Option<UnixTime>,
    pub kid: String,
    pub alg: String,
    pub checks: Vec<Check>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub step: Step,
    /// Why it failed; none when it held.
    pub failure: Option<String>,
}

impl Trace {
    /// Notes a check that held, unless it failed already in another respect.
    pub(super) fn held(&mut self, hop: usize, step: Step) {
        if let Some(hop) = self.hops.get_mut(hop) {
            hop.held(step);
        }
    }

    pub(super) fn failed(&mut self, hop: usize, failure: &Failure) {
        while self.hops.len() <= hop {
            self.hops.push(Hop::default());
        }
        self.hops[hop].failed(failure);
    }

    /// Whether the check `step` of the statement `hop` failed.
    pub(super) fn has_failed(&self, hop: usize, step: Step) -> bool {
        self.hops.get(hop).is_some_and(|hop| hop.has_failed(step))
    }
}

impl Hop {
    pub(super) fn held(&mut self, step: Step) {
        if !self.checks.iter().any(|check| check.step == step) {
            self.checks.push(Check {
                step,
                failure: None,
            });
        }
    }

    pub(super) fn failed(&mut self, failure: &Failure) {
        let check = Check {
            step: failure.step,
            failure: Some(failure.reason.clone()),
        };
        self.checks
            .retain(|known| known.step != check.step || known.failure.is_some());
        if !self.checks.contains(&check) {
            self.checks.push(check);
        }
    }

    pub(super) fn has_failed(&self, step: Step) -> bool {
        let failed = |check: &Check| check.step == step && check.failure.is_some();
        self.checks.iter().any(failed)
    }
}

/// The chain is not valid: which statement, which check, and what held and failed besides.
#[derive(Debug, Clone, thiserror::Error)]
#[error("statement {hop}: {failure}")]
pub struct ChainError {
    /// Counted from the subject's configuration, 0.
    pub hop: usize,
    /// The first one, in the order of the checks; the trace holds the others.
    pub failure: Failure,
    pub trace: Trace,
}
