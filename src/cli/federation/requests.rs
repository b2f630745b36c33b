//! `hefu federation requests`: what entities ask of an authority, and its operator's answer.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::super::target::Target;
use super::super::{Failure, Outcome, apply, print_json, say};
use super::effect::{Judge, lines};
use super::names::Names;
use super::{authority, read_json};
use crate::clock::UnixTime;
use crate::federation::authority::NewSubordinate;
use crate::federation::entity::FEDERATION_ENTITY;
use crate::federation::joining::{Effect, Request, Said, State, Wish};
use crate::jose::JwkSet;
use crate::operator::{Act, Joining, Mode};
use crate::server::entity::Opened;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// What waits for a decision.
    List {
        #[command(flatten)]
        target: Target,
        /// What was decided too.
        #[arg(long)]
        all: bool,
        /// A JSON array on standard output.
        #[arg(long)]
        json: bool,
    },
    /// One request: what the entity says of itself, its keys, what was found.
    Show {
        /// `jr_…`, as `list` shows it.
        request: String,
        #[command(flatten)]
        target: Target,
        /// One JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Do what was asked: vouch for the entity, or for its new keys.
    Approve(Box<Approve>),
    /// Say no.
    Refuse {
        /// `jr_…`, as `list` shows it.
        request: String,
        #[command(flatten)]
        target: Target,
        /// Why, in words that the applicant reads.
        #[arg(long)]
        reason: String,
        /// Only check, and say what would happen.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub struct Approve {
    /// `jr_…`, as `list` shows it.
    request: String,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    names: Names,
    /// It vouches for others in turn; must be said of an entity that wants to.
    #[arg(long)]
    intermediate: bool,
    /// JSON file with `metadata_policy`, in place of the one in `[entity.authority.joining]`.
    #[arg(long, value_name = "FILE", conflicts_with = "no_policy")]
    policy: Option<PathBuf>,
    /// No policy at all.
    #[arg(long)]
    no_policy: bool,
    /// JSON file with `constraints` (OpenID Federation 1.0 §6.2).
    #[arg(long, value_name = "FILE")]
    constraints: Option<PathBuf>,
    /// Vouch until then: a moment like 2027-12-31T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    until: Option<jiff::Timestamp>,
    /// Only check, and say what would happen.
    #[arg(long)]
    dry_run: bool,
}

impl Verb {
    pub async fn run(self) -> Outcome {
        match self {
            Self::List { target, all, json } => {
                let (opened, _) = authority(&target).await?;
                let requests = Request::list(&mut *opened.house.store.read().await?, all).await?;
                if json {
                    print_json(&requests.iter().map(shown).collect());
                    return Ok(());
                }
                for r in &requests {
                    let (at, state) = (r.filed_at.to_rfc3339(), r.state.as_str());
                    say(format_args!(
                        "{:<26}{at:<22}{state:<10}{:<5}{}",
                        r.id,
                        r.wish.as_str(),
                        r.entity_id
                    ));
                }
                eprintln!("{} requests", requests.len());
                Ok(())
            }
            Self::Show {
                request,
                target,
                json,
            } => {
                let (opened, _) = authority(&target).await?;
                let request = find(&opened, &request).await?;
                if json {
                    print_json(&shown(&request));
                } else {
                    tell(&request);
                }
                Ok(())
            }
            Self::Approve(approve) => approve.run().await,
            Self::Refuse {
                request,
                target,
                reason,
                dry_run,
            } => {
                let (opened, _) = authority(&target).await?;
                let found = find(&opened, &request).await?;
                let act = Act::Joining(Joining::Refuse {
                    request,
                    entity_id: found.entity_id,
                    reason,
                });
                apply(&opened, &act, Mode::of(dry_run)).await?;
                say(format_args!(
                    "{}",
                    if dry_run {
                        "would be refused"
                    } else {
                        "refused"
                    }
                ));
                Ok(())
            }
        }
    }
}

impl Approve {
    async fn run(self) -> Outcome {
        let (opened, shared) = authority(&self.target).await?;
        let request = find(&opened, &self.request).await?;
        if request.wish == Wish::Keys {
            return self.keys(&opened, &request).await;
        }
        let wants_to_vouch = request.entity_types == [FEDERATION_ENTITY];
        if wants_to_vouch != self.intermediate {
            return Err(Failure::new(if wants_to_vouch {
                "it wants to vouch for others in turn: say --intermediate, or refuse"
            } else {
                "it has no endpoints of an authority: it cannot be an intermediate"
            }));
        }
        let default = opened
            .authority()
            .and_then(|section| section.joining.metadata_policy.clone());
        let policy = match &self.policy {
            Some(path) => Some(read_json(path)?),
            None if self.no_policy => None,
            None => default,
        };
        let subordinate = NewSubordinate {
            entity_id: request.entity_id.clone(),
            jwks: request.jwks.clone(),
            metadata: self.names.metadata(&request.entity_types),
            metadata_policy: policy,
            constraints: self.constraints.as_deref().map(read_json).transpose()?,
            is_intermediate: self.intermediate,
            entity_types: request.entity_types.clone(),
        };
        let after = Said {
            metadata: subordinate.metadata.clone().map(Value::Object),
            metadata_policy: subordinate.metadata_policy.clone(),
            constraints: subordinate.constraints.clone(),
        };
        let judge = Judge::of(&opened, &shared).await?;
        let effect = judge.of_applicant(&request.entity_id, &request.metadata, &after);
        lines(&request.entity_id, &effect);
        if matches!(effect, Effect::Breaks(_)) {
            return Err(Failure::new(
                "nobody could use it under these words; not approved",
            ));
        }
        let act = Act::Joining(Joining::Approve {
            request: self.request,
            subordinate: Box::new(subordinate),
            enrolled_until: self.until.map(|until| UnixTime(until.as_second())),
        });
        apply(&opened, &act, Mode::of(self.dry_run)).await?;
        let done = if self.dry_run {
            "would be enrolled"
        } else {
            "is enrolled"
        };
        say(format_args!(
            "{} {done} at {}",
            request.entity_id, opened.entity.address.id
        ));
        Ok(())
    }

    async fn keys(self, opened: &Opened, request: &Request) -> Outcome {
        let act = Act::Joining(Joining::ChangeKeys {
            request: self.request,
            entity_id: request.entity_id.clone(),
            jwks: request.jwks.clone(),
        });
        apply(opened, &act, Mode::of(self.dry_run)).await?;
        for line in prints(request) {
            say(format_args!("  {line}"));
        }
        let done = if self.dry_run {
            "would be vouched for"
        } else {
            "are vouched for"
        };
        say(format_args!("these keys of {} {done}", request.entity_id));
        Ok(())
    }
}

async fn find(opened: &Opened, id: &str) -> Result<Request, Failure> {
    let found = Request::find(&mut *opened.house.store.read().await?, id).await?;
    found.ok_or_else(|| Failure::new(format!("there is no request {id}")))
}

fn shown(r: &Request) -> Value {
    let notes: Vec<Value> = r
        .notes
        .iter()
        .map(crate::federation::joining::Finding::to_json)
        .collect();
    json!({"id": r.id, "wish": r.wish.as_str(), "state": r.state.as_str(), "entity_id": r.entity_id, "entity_types": r.entity_types,
        "jwks": r.jwks, "metadata": r.metadata, "contacts": r.contacts, "notes": notes, "filed_at": r.filed_at,
        "decided_at": r.decided_at, "reason": r.reason})
}

/// `kid` and thumbprint of each key: what is compared by telephone.
fn prints(request: &Request) -> Vec<String> {
    let keys = JwkSet::parse_strict(&request.jwks).unwrap_or_default();
    keys.iter()
        .map(|key| {
            format!(
                "key {} ({})",
                key.kid.as_deref().unwrap_or_default(),
                key.thumbprint()
            )
        })
        .collect()
}

fn tell(request: &Request) {
    let wish = match request.wish {
        Wish::Join => "asks to be vouched for",
        Wish::Keys => "asks for other keys",
    };
    say(format_args!(
        "{} {wish}: {}",
        request.entity_id,
        request.state.as_str()
    ));
    say(format_args!("  filed {}", request.filed_at.to_rfc3339()));
    if let (Some(at), true) = (request.decided_at, request.state != State::Filed) {
        say(format_args!(
            "  decided {} {}",
            at.to_rfc3339(),
            request.reason.as_deref().unwrap_or_default()
        ));
    }
    for line in prints(request) {
        say(format_args!("  {line}"));
    }
    for contact in &request.contacts {
        say(format_args!("  contact {contact}"));
    }
    for note in &request.notes {
        say(format_args!("  note: {note}"));
    }
    for (entity_type, members) in &request.metadata {
        for (name, value) in members.as_object().into_iter().flatten() {
            say(format_args!("  {entity_type}.{name} = {value}"));
        }
    }
}
