//! `hefu federation trust-mark`: who is given a trust mark, and who may give them (OpenID Federation 1.0 §7).

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{authority, entity_id};
use crate::cli::target::Target;
use crate::cli::{Failure, Outcome, apply, print_json, say};
use crate::clock::UnixTime;
use crate::federation::authority::IssuedMark;
use crate::federation::trust_mark::Delegation;
use crate::oauth::Algorithm;
use crate::operator::{Act, Mode};

const DAY: i64 = 86_400;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Verb {
    /// Give a subordinate a trust mark, or change until when it has it.
    Issue {
        #[command(flatten)]
        mark: Mark,
        /// Days until it ends; without: when it is revoked.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(1..=36_500))]
        days: Option<i64>,
    },
    /// Take a trust mark back. Whoever asks for its status hears of it at once; a copy that nobody asks about works until it expires.
    Revoke {
        #[command(flatten)]
        mark: Mark,
    },
    /// List the trust marks that an entity has given.
    List {
        #[command(flatten)]
        target: Target,
        /// A JSON array on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Let somebody issue marks of a type that this entity owns: prints the signed delegation.
    Delegate {
        #[command(flatten)]
        mark: Mark,
        /// Days until it ends; without: never.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(1..=36_500))]
        days: Option<i64>,
    },
    /// Keep a delegation received from the owner of a type; it goes into every mark of that type from now on.
    KeepDelegation {
        /// File that holds the delegation as it was signed.
        file: PathBuf,
        #[command(flatten)]
        target: Target,
        /// Only check, and say what would happen.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Mark {
    /// The trust mark type: a URL.
    trust_mark_type: String,
    /// Entity identifier: of the bearer, or of who may issue.
    subject: String,
    #[command(flatten)]
    target: Target,
    /// Only check, and say what would happen.
    #[arg(long)]
    dry_run: bool,
}

impl Verb {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Issue { mark, days } => {
                let (opened, shared) = authority(&mark.target).await?;
                let act = Act::IssueTrustMark {
                    trust_mark_type: mark.trust_mark_type.clone(),
                    subject: entity_id(&mark.subject, &shared)?,
                    expires_at: end(days, shared.now()),
                };
                apply(&opened, &act, Mode::of(mark.dry_run)).await?;
                mark.tell(["would be given", "is given"]);
            }
            Self::Revoke { mark } => {
                let (opened, shared) = authority(&mark.target).await?;
                let act = Act::RevokeTrustMark {
                    trust_mark_type: mark.trust_mark_type.clone(),
                    subject: entity_id(&mark.subject, &shared)?,
                };
                apply(&opened, &act, Mode::of(mark.dry_run)).await?;
                mark.tell(["would lose", "loses"]);
            }
            Self::List { target, json } => {
                let (opened, shared) = authority(&target).await?;
                let marks = IssuedMark::all(&mut *opened.house.store.read().await?).await?;
                list(&marks, json, shared.now());
            }
            Self::Delegate { mark, days } => {
                let (opened, shared) = mark.target.open().await?;
                let (issuer, now) = (entity_id(&mark.subject, &shared)?, shared.now());
                let expires_at = end(days, now);
                let act = Act::DelegateTrustMark {
                    trust_mark_type: mark.trust_mark_type.clone(),
                    issuer: issuer.clone(),
                    expires_at,
                };
                apply(&opened, &act, Mode::of(mark.dry_run)).await?;
                if mark.dry_run {
                    mark.tell(["would be let issue", ""]);
                    return Ok(());
                }
                let owner = entity_id(&opened.entity.address.id, &shared)?;
                let kind = &mark.trust_mark_type;
                let (signer, alg) = (&*opened.house.signer, Algorithm::ES256);
                let parties = (&owner, &issuer);
                let jwt = Delegation::sign(signer, alg, parties, kind, expires_at, now).await?;
                say(format_args!("{jwt}"));
            }
            Self::KeepDelegation {
                file,
                target,
                dry_run,
            } => {
                let (opened, shared) = authority(&target).await?;
                let text = std::fs::read_to_string(&file)
                    .map_err(|e| Failure::new(format!("{}: {e}", file.display())))?;
                let read = Delegation::read(text.trim(), shared.now())?;
                if read.issuer.as_str() != opened.entity.address.id {
                    let sentence = format!("the delegation is for {}", read.issuer);
                    return Err(Failure::new(sentence));
                }
                let act = Act::KeepDelegation {
                    delegation: read.jwt,
                };
                apply(&opened, &act, Mode::of(dry_run)).await?;
                let done = if dry_run { "would be kept" } else { "is kept" };
                say(format_args!(
                    "the delegation of {} {done}",
                    read.trust_mark_type
                ));
            }
        }
        Ok(())
    }
}

impl Mark {
    fn tell(&self, [would, does]: [&str; 2]) {
        let done = if self.dry_run { would } else { does };
        say(format_args!(
            "{} {done} {}",
            self.subject, self.trust_mark_type
        ));
    }
}

fn end(days: Option<i64>, now: UnixTime) -> Option<UnixTime> {
    days.map(|days| now.plus(days * DAY))
}

fn list(marks: &[IssuedMark], json: bool, now: UnixTime) {
    let state = |mark: &IssuedMark| match (mark.revoked_at, mark.is_active(now)) {
        (Some(_), _) => "revoked",
        (None, true) => "active",
        (None, false) => "expired",
    };
    if json {
        let shown = marks.iter().map(|mark| {
            json!({"trust_mark_type": mark.trust_mark_type, "subject": mark.subject, "state": state(mark),
                "issued_at": mark.issued_at, "expires_at": mark.expires_at, "revoked_at": mark.revoked_at})
        });
        print_json(&shown.collect());
        return;
    }
    for mark in marks {
        let since = mark.issued_at.to_rfc3339();
        let (state, kind) = (state(mark), &mark.trust_mark_type);
        say(format_args!("{since:<22}{state:<9}{kind} {}", mark.subject));
    }
    eprintln!("{} trust marks", marks.len());
}
