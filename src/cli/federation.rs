//! `hefu federation`: why an entity is trusted or not, and whom an authority vouches for.

mod policy;
mod trust_mark;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::target::Target;
use super::{Failure, Outcome, apply, print_json, say};
use crate::config::Role;
use crate::federation::EntityId;
use crate::federation::authority::{ListFilter, NewSubordinate, Subordinate, list};
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
    Policy(policy::Policy),
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
    /// The name that citizens are shown.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The same in English.
    #[arg(long, value_name = "NAME")]
    name_en: Option<String>,
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
            Self::List { target, json } => {
                let (opened, _) = authority(&target).await?;
                let mut conn = opened.house.store.read().await?;
                let mut rows = Vec::new();
                for id in list(&mut conn, &ListFilter::default(), opened.house.now()).await? {
                    rows.extend(Subordinate::find(&mut conn, &id).await?);
                }
                if json {
                    let shown = rows.iter().map(|s| {
                        json!({"entity_id": s.entity_id, "entity_types": s.entity_types, "metadata": s.metadata,
                            "metadata_policy": s.metadata_policy, "constraints": s.constraints,
                            "intermediate": s.intermediate_since.is_some(), "added_at": s.added_at, "updated_at": s.updated_at})
                    });
                    print_json(&shown.collect());
                } else {
                    for s in &rows {
                        say(format_args!(
                            "{:<22}{:<24}{}",
                            s.added_at.to_rfc3339(),
                            s.entity_types.join(" "),
                            s.entity_id
                        ));
                    }
                    eprintln!("{} subordinates", rows.len());
                }
                Ok(())
            }
            Self::Policy(policy::Policy {}) => policy::run(),
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

impl Enrol {
    async fn run(self) -> Outcome {
        let (opened, shared) = authority(&self.target).await?;
        let act = Act::Enrol(Box::new(NewSubordinate {
            entity_id: entity_id(&self.subject, &shared)?,
            jwks: read_json(&self.jwks)?,
            metadata: self.metadata(),
            metadata_policy: self.policy.as_deref().map(read_json).transpose()?,
            constraints: self.constraints.as_deref().map(read_json).transpose()?,
            is_intermediate: self.intermediate,
            entity_types: self.entity_types,
        }));
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

    /// Names go into the metadata of the first type, under the parameter that its readers look for.
    fn metadata(&self) -> Option<Map<String, Value>> {
        let entity_type = self.entity_types.first()?;
        let parameter = if entity_type == "openid_relying_party" {
            "client_name"
        } else {
            "organization_name"
        };
        let mut names = Map::new();
        if let Some(name) = &self.name {
            names.insert(parameter.to_owned(), name.as_str().into());
        }
        if let Some(name) = &self.name_en {
            names.insert(format!("{parameter}#en"), name.as_str().into());
        }
        (!names.is_empty()).then(|| Map::from_iter([(entity_type.clone(), Value::Object(names))]))
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
