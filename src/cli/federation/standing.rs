//! `hefu federation suspend`, `resume`, `compromised`, `terms`, `notices`: how subordinates stand, and who was told.

use clap::Args;
use serde_json::{Value, json};

use super::super::target::Target;
use super::super::{Outcome, apply, print_json, say};
use super::{authority, entity_id};
use crate::clock::UnixTime;
use crate::federation::joining::notices;
use crate::operator::{Act, Joining, Mode};

#[derive(Debug, Args)]
pub struct Subject {
    /// Entity identifier of the subordinate.
    subject: String,
    #[command(flatten)]
    target: Target,
    /// Only check, and say what would happen.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub struct Suspend {
    #[command(flatten)]
    subject: Subject,
    /// Why, in words that its contacts read.
    #[arg(long, default_value = "")]
    reason: String,
}

#[derive(Debug, Args)]
pub struct Terms {
    #[command(flatten)]
    subject: Subject,
    /// Vouch until then: a moment like 2027-12-31T00:00:00Z.
    #[arg(long, value_name = "TIME", conflicts_with = "without_end")]
    until: Option<jiff::Timestamp>,
    /// Vouch without end.
    #[arg(long)]
    without_end: bool,
    /// A mail address or an https address that is told of decisions, in place of those before. Repeatable.
    #[arg(long = "contact", value_name = "ADDRESS")]
    contacts: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Notices {
    #[command(flatten)]
    target: Target,
    /// A JSON array on standard output.
    #[arg(long)]
    json: bool,
}

impl Suspend {
    pub async fn run(self) -> Outcome {
        let reason = self.reason;
        let step = |entity_id| Joining::Suspend { entity_id, reason };
        self.subject
            .step(
                step,
                "suspended; it stops when the last statement about it expires",
            )
            .await
    }
}

impl Terms {
    pub async fn run(self) -> Outcome {
        let until = if self.without_end {
            Some(UnixTime(0))
        } else {
            self.until.map(|until| UnixTime(until.as_second()))
        };
        let contacts = (!self.contacts.is_empty()).then_some(self.contacts);
        let step = |entity_id| Joining::SetTerms {
            entity_id,
            enrolled_until: until,
            contacts,
        };
        self.subject.step(step, "on these terms now").await
    }
}

impl Subject {
    pub async fn resume(self) -> Outcome {
        self.step(
            |entity_id| Joining::Resume { entity_id },
            "vouched for again",
        )
        .await
    }

    pub async fn compromised(self) -> Outcome {
        let done = "marked: nobody vouches for these keys again; enrol it anew with keys received out of band";
        self.step(|entity_id| Joining::MarkCompromised { entity_id }, done)
            .await
    }

    async fn step(
        self,
        step: impl FnOnce(crate::federation::EntityId) -> Joining,
        done: &str,
    ) -> Outcome {
        let (opened, shared) = authority(&self.target).await?;
        let act = Act::Joining(step(entity_id(&self.subject, &shared)?));
        apply(&opened, &act, Mode::of(self.dry_run)).await?;
        let word = if self.dry_run { "would be" } else { "is" };
        say(format_args!("{} {word} {done}", self.subject));
        Ok(())
    }
}

impl Notices {
    pub async fn run(self) -> Outcome {
        let (opened, _) = authority(&self.target).await?;
        let kept = notices::list(&mut *opened.house.store.read().await?, 1000).await?;
        if self.json {
            let shown = kept.iter().map(|n| {
                json!({"id": n.id, "entity_id": n.entity_id, "contact": n.contact, "event": n.event, "detail": n.detail,
                    "noted_at": n.noted_at, "attempts": n.attempts, "next_at": n.next_at, "told_at": n.told_at})
            });
            print_json(&shown.collect::<Value>());
            return Ok(());
        }
        for n in &kept {
            let state = match (n.told_at, n.next_at) {
                (Some(at), _) => format!("told {}", at.to_rfc3339()),
                (None, Some(at)) => format!("next {}", at.to_rfc3339()),
                (None, None) if n.attempts > 0 => "given up".to_owned(),
                (None, None) => "to be mailed by hand".to_owned(),
            };
            say(format_args!(
                "{:<22}{state:<28}{:<15}{} {} {}",
                n.noted_at.to_rfc3339(),
                n.event,
                n.entity_id,
                n.contact,
                n.detail
            ));
        }
        eprintln!("{} notices", kept.len());
        Ok(())
    }
}
