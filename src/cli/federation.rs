//! `hefu federation`: why an entity is trusted or not, and whom an authority vouches for.

mod effect;
pub(super) mod expiring;
mod join;
mod names;
mod policy;
mod requests;
mod standing;
mod trust_mark;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::target::Target;
use super::{Failure, Outcome, apply, print_json, say};
use crate::config::Role;
use crate::federation::EntityId;
use crate::federation::authority::{NewSubordinate, Subordinate, everyone};
use crate::federation::joining::Said;
use crate::federation::joining::standing::Standing;
use crate::operator::{Act, Mode};
use crate::server::entity::{Opened, Shared};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Explain the trust chain of an entity: every hop, every check, its result.
    Explain {
        /// Entity identifier: the URL of the entity.
        subject: String,
        #[command(flatten)]
        target: Target,
        /// One JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// List the entities that an authority vouches for.
    List {
        #[command(flatten)]
        target: Target,
        /// A JSON array on standard output.
        #[arg(long)]
        json: bool,
    },
    Expiring(expiring::Expiring),
    Policy(policy::Policy),
    /// Ask a superior to vouch for an entity.
    Join(join::Join),
    /// Ask the superior to vouch for the federation keys that the entity has now, the announced one included.
    ChangeKeys(join::ChangeKeys),
    /// What entities ask of an authority.
    #[command(subcommand)]
    Requests(requests::Verb),
    /// Say what another policy would take from subordinates, before it is set.
    PolicyEffect(effect::PolicyEffect),
    /// Set another policy, after saying what it does.
    SetPolicy(effect::SetPolicy),
    /// Stop vouching for an entity for a while; everything about it is kept.
    Suspend(standing::Suspend),
    /// Vouch for a suspended entity again.
    Resume(standing::Subject),
    /// Note that an entity's federation keys are in other hands.
    Compromised(standing::Subject),
    /// Set until when an entity is vouched for, and who is told of decisions.
    Terms(standing::Terms),
    /// What contacts were told; what must be mailed by hand.
    Notices(standing::Notices),
    /// Vouch for an entity, or change what is said about it.
    Enrol(Box<Enrol>),
    /// Stop vouching for an entity; it stops when the last statement about it expires.
    Drop {
        /// Entity identifier of the subordinate.
        subject: String,
        #[command(flatten)]
        target: Target,
        /// Only say what would happen.
        #[arg(long)]
        dry_run: bool,
    },
    /// Look at, give and take back trust marks.
    #[command(subcommand)]
    TrustMark(trust_mark::Verb),
}

#[derive(Debug, Args)]
pub(super) struct Enrol {
    /// Entity identifier of the subordinate.
    subject: String,
    #[command(flatten)]
    target: Target,
    /// Its federation keys as a JWK Set, received out of band: never fetched.
    #[arg(long, value_name = "FILE")]
    jwks: PathBuf,
    /// What it is: `openid_relying_party`, `openid_provider`, or `federation_entity` for an intermediate. Repeatable.
    #[arg(long = "type", value_name = "TYPE", required = true)]
    entity_types: Vec<String>,
    /// It vouches for others in turn.
    #[arg(long)]
    intermediate: bool,
    #[command(flatten)]
    names: names::Names,
    /// JSON file with `metadata_policy` (OpenID Federation 1.0 §6.1).
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// JSON file with `constraints` (OpenID Federation 1.0 §6.2).
    #[arg(long, value_name = "FILE")]
    constraints: Option<PathBuf>,
    /// Only check, and say what would happen.
    #[arg(long)]
    dry_run: bool,
}

impl Verb {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Explain {
                subject,
                target,
                json,
            } => {
                let (opened, shared) = target.open().await?;
                let id = entity_id(&subject, &shared)?;
                let explanation = shared
                    .resolver(&opened.entity)?
                    .explain(&id, shared.now())
                    .await;
                if json {
                    print_json(&explanation.to_json());
                } else {
                    say(format_args!("{}", explanation.to_text().trim_end()));
                }
                if explanation.outcome.is_ok() {
                    Ok(())
                } else {
                    Err(Failure(Vec::new()))
                }
            }
            Self::List { target, json } => show(&target, json).await,
            Self::Expiring(expiring) => expiring.run().await,
            Self::Policy(policy::Policy {}) => policy::run(),
            Self::Join(join) => join.run().await,
            Self::ChangeKeys(change) => change.run().await,
            Self::Requests(verb) => verb.run().await,
            Self::PolicyEffect(effect) => effect.run().await,
            Self::SetPolicy(set) => set.run().await,
            Self::Suspend(suspend) => suspend.run().await,
            Self::Resume(subject) => subject.resume().await,
            Self::Compromised(subject) => subject.compromised().await,
            Self::Terms(terms) => terms.run().await,
            Self::Notices(notices) => notices.run().await,
            Self::Enrol(enrol) => enrol.run().await,
            Self::TrustMark(verb) => verb.run().await,
            Self::Drop {
                subject,
                target,
                dry_run,
            } => {
                let (opened, shared) = authority(&target).await?;
                let act = Act::Drop {
                    entity_id: entity_id(&subject, &shared)?,
                };
                apply(&opened, &act, Mode::of(dry_run)).await?;
                let life = opened
                    .authority()
                    .map_or(0, |a| a.subordinate_statement_lifetime);
                if dry_run {
                    say(format_args!(
                        "{subject} would be dropped; it would stop within {life} s"
                    ));
                } else {
                    say(format_args!(
                        "{subject} is dropped; it stops within {life} s, when the last statement about it expires"
                    ));
                }
                Ok(())
            }
        }
    }
}

/// Everyone that is not dropped, how they stand, and what ends soon.
async fn show(target: &Target, json: bool) -> Outcome {
    let (opened, _) = authority(target).await?;
    let now = opened.house.now();
    let mut conn = opened.house.store.read().await?;
    let mut rows = Vec::new();
    for id in everyone(&mut conn).await? {
        let standing = Standing::find(&mut conn, &id).await?.unwrap_or_default();
        rows.extend(
            Subordinate::find(&mut conn, &id)
                .await?
                .map(|row| (row, standing)),
        );
    }
    if json {
        let shown = rows.iter().map(|(s, standing)| {
            json!({"entity_id": s.entity_id, "entity_types": s.entity_types, "metadata": s.metadata,
                "metadata_policy": s.metadata_policy, "constraints": s.constraints,
                "intermediate": s.intermediate_since.is_some(), "added_at": s.added_at, "updated_at": s.updated_at,
                "standing": standing.as_str(now), "enrolled_until": standing.enrolled_until,
                "contacts": standing.contacts, "warnings": standing.warnings(&s.jwks, now)})
        });
        print_json(&shown.collect());
        return Ok(());
    }
    for (s, standing) in &rows {
        let (at, types) = (s.added_at.to_rfc3339(), s.entity_types.join(" "));
        say(format_args!(
            "{at:<22}{:<13}{types:<24}{}",
            standing.as_str(now),
            s.entity_id
        ));
        for warning in standing.warnings(&s.jwks, now) {
            say(format_args!("  {warning}"));
        }
    }
    eprintln!("{} subordinates", rows.len());
    Ok(())
}

impl Enrol {
    async fn run(self) -> Outcome {
        let (opened, shared) = authority(&self.target).await?;
        let new = NewSubordinate {
            entity_id: entity_id(&self.subject, &shared)?,
            jwks: read_json(&self.jwks)?,
            metadata: self.names.metadata(&self.entity_types),
            metadata_policy: self.policy.as_deref().map(read_json).transpose()?,
            constraints: self.constraints.as_deref().map(read_json).transpose()?,
            is_intermediate: self.intermediate,
            entity_types: self.entity_types.clone(),
        };
        if self.dry_run {
            self.effect(&opened, &shared, &new).await?;
        }
        let act = Act::Enrol(Box::new(new));
        apply(&opened, &act, Mode::of(self.dry_run)).await?;
        let done = if self.dry_run {
            "would be enrolled"
        } else {
            "is enrolled"
        };
        say(format_args!(
            "{} {done} at {}",
            self.subject, opened.entity.address.id
        ));
        Ok(())
    }

    /// What would become of it, when it can be asked now.
    async fn effect(
        &self,
        opened: &Opened,
        shared: &Shared,
        new: &NewSubordinate,
    ) -> Result<(), Failure> {
        let before =
            Subordinate::find(&mut *opened.house.store.read().await?, &new.entity_id).await?;
        let judge = effect::Judge::of(opened, shared).await?;
        let after = Said {
            metadata: new.metadata.clone().map(Value::Object),
            metadata_policy: new.metadata_policy.clone(),
            constraints: new.constraints.clone(),
        };
        match judge.own(&new.entity_id, &new.jwks).await {
            Err(reason) => eprintln!("hefu: the effect cannot be told now: {reason}"),
            Ok(own) => {
                let effect = match &before {
                    Some(before) => {
                        judge.between(&new.entity_id, &own, &effect::said(before), &after)
                    }
                    None => judge.of_applicant(&new.entity_id, &own, &after),
                };
                effect::lines(&new.entity_id, &effect);
            }
        }
        Ok(())
    }
}

async fn authority(target: &Target) -> Result<(Opened, Shared), Failure> {
    let (opened, shared) = target.open().await?;
    if matches!(opened.role(), Role::Anchor | Role::Intermediate) {
        Ok((opened, shared))
    } else {
        Err(Failure::new(format!(
            "{} vouches for nobody: it is a {}",
            opened.entity.name,
            opened.role().as_str()
        )))
    }
}

fn entity_id(text: &str, shared: &Shared) -> Result<EntityId, Failure> {
    EntityId::parse(text, shared.schemes).map_err(|e| Failure::new(format!("{text}: {e}")))
}

fn read_json(path: &std::path::Path) -> Result<Value, Failure> {
    let text = std::fs::read(path).map_err(|e| Failure::new(format!("{}: {e}", path.display())))?;
    crate::jose::json::parse(&text).map_err(|e| Failure::new(format!("{}: {e}", path.display())))
}
