//! What a superior's words would do to its subordinates: `policy-effect`, `set-policy`, and the dry runs of `enrol` and `approve`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::super::target::Target;
use super::super::{Failure, Outcome, apply, print_json, say};
use super::{authority, entity_id, read_json};
use crate::config::Role;
use crate::federation::EntityId;
use crate::federation::authority::{Subordinate, everyone};
use crate::federation::joining::{Above, Effect, Said};
use crate::federation::resolve::{Document, Resolver};
use crate::federation::statement::EntityStatement;
use crate::jose::JwkSet;
use crate::operator::{Act, Joining, Mode};
use crate::server::entity::{Opened, Shared};

/// Hosts that are asked at once.
const AT_ONCE: usize = 16;

/// Which policy: one of the two must be said.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Wanted {
    /// JSON file with `metadata_policy` (OpenID Federation 1.0 §6.1).
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// No policy at all.
    #[arg(long)]
    no_policy: bool,
}

impl Wanted {
    fn read(&self) -> Result<Option<Value>, Failure> {
        self.policy.as_deref().map(read_json).transpose()
    }
}

#[derive(Debug, Args)]
pub struct PolicyEffect {
    /// Entity identifiers of subordinates; all, when none is named.
    subjects: Vec<String>,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    target: Target,
    /// A JSON array on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct SetPolicy {
    /// Entity identifiers of subordinates.
    #[arg(required_unless_present = "all")]
    subjects: Vec<String>,
    /// Every subordinate.
    #[arg(long, conflicts_with = "subjects")]
    all: bool,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    target: Target,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
}

impl PolicyEffect {
    pub async fn run(self) -> Outcome {
        let (opened, shared) = authority(&self.target).await?;
        let policy = self.wanted.read()?;
        let known = subordinates(&opened, &shared, &self.subjects).await?;
        let judge = Judge::of(&opened, &shared).await?;
        let effects = judge.of_policy(&known, policy.as_ref()).await;
        if self.json {
            print_json(
                &effects
                    .iter()
                    .map(|(id, effect)| shown(id, effect))
                    .collect(),
            );
        } else {
            tell(&effects);
        }
        Ok(())
    }
}

impl SetPolicy {
    pub async fn run(self) -> Outcome {
        let (opened, shared) = authority(&self.target).await?;
        let policy = self.wanted.read()?;
        let known = subordinates(&opened, &shared, &self.subjects).await?;
        let judge = Judge::of(&opened, &shared).await?;
        tell(&judge.of_policy(&known, policy.as_ref()).await);
        for subordinate in known {
            let act = Act::Joining(Joining::SetPolicy {
                entity_id: subordinate.entity_id,
                metadata_policy: policy.clone(),
            });
            apply(&opened, &act, Mode::of(self.dry_run)).await?;
        }
        if !self.dry_run {
            say(format_args!(
                "the policy is set; peers see it within the lifetime of a statement"
            ));
        }
        Ok(())
    }
}

async fn subordinates(
    opened: &Opened,
    shared: &Shared,
    named: &[String],
) -> Result<Vec<Subordinate>, Failure> {
    let mut conn = opened.house.store.read().await?;
    let ids = if named.is_empty() {
        everyone(&mut conn).await?
    } else {
        named
            .iter()
            .map(|id| entity_id(id, shared))
            .collect::<Result<_, _>>()?
    };
    let mut found = Vec::new();
    for id in ids {
        let known = Subordinate::find(&mut conn, &id).await?;
        found.push(known.ok_or_else(|| Failure::new(format!("{id} is not a subordinate here")))?);
    }
    Ok(found)
}

/// An effect, or why it cannot be told.
type Told = Result<Effect, String>;

/// Judges words before they are said: knows what stands above, and asks subordinates for what they say of themselves.
pub struct Judge {
    above: Above,
    resolver: Arc<Resolver>,
    shared: Shared,
}

impl Judge {
    pub async fn of(opened: &Opened, shared: &Shared) -> Result<Self, Failure> {
        let resolver = shared.resolver(&opened.entity)?;
        let mut above = Above::default();
        if opened.role() != Role::Anchor {
            let own = entity_id(&opened.entity.address.id, shared)?;
            match resolver.resolve(&own, None, shared.now()).await {
                Ok(chain) => above = Above::of(&chain),
                Err(e) => eprintln!(
                    "hefu: what stands above is not known now, and left out: {}",
                    e.reason
                ),
            }
        }
        Ok(Self {
            above,
            resolver,
            shared: shared.clone(),
        })
    }

    /// What `after` does to an entity that says `own` of itself and was said `before` of.
    pub fn between(
        &self,
        id: &EntityId,
        own: &Map<String, Value>,
        before: &Said,
        after: &Said,
    ) -> Effect {
        let resolve = |said: &Said| said.resolve(id, own, &self.above, self.shared.schemes);
        Effect::between(resolve(before), resolve(after))
    }

    /// What our words would leave of an applicant that nobody vouches for yet.
    pub fn of_applicant(&self, id: &EntityId, own: &Map<String, Value>, after: &Said) -> Effect {
        Effect::between(
            Ok(own.clone()),
            after.resolve(id, own, &self.above, self.shared.schemes),
        )
    }

    /// What the subordinate says of itself now, signed with a key that is vouched for.
    pub async fn own(&self, id: &EntityId, jwks: &Value) -> Result<Map<String, Value>, String> {
        let document = Document::Configuration(id.clone());
        let token = self
            .resolver
            .fetcher()
            .fetch(&document)
            .await
            .map_err(|e| e.to_string())?;
        let statement =
            EntityStatement::parse(token.trim_ascii(), self.resolver.rules(), self.shared.now());
        let statement = statement.map_err(|e| e.to_string())?;
        let jwks = JwkSet::parse_strict(jwks).map_err(|e| e.to_string())?;
        statement.verify(&jwks).map_err(|e| e.to_string())?;
        if statement.sub == *id && statement.iss == *id {
            Ok(statement.metadata)
        } else {
            Err("its entity configuration is another entity's".to_owned())
        }
    }

    async fn of_policy(
        &self,
        known: &[Subordinate],
        policy: Option<&Value>,
    ) -> Vec<(EntityId, Told)> {
        let mut effects = Vec::new();
        for some in known.chunks(AT_ONCE) {
            let judged = some.iter().map(async |subordinate| {
                let before = said(subordinate);
                let after = Said {
                    metadata_policy: policy.cloned(),
                    ..before.clone()
                };
                let id = &subordinate.entity_id;
                let own = self.own(id, &subordinate.jwks).await;
                (
                    id.clone(),
                    own.map(|own| self.between(id, &own, &before, &after)),
                )
            });
            effects.extend(join_all(judged).await);
        }
        effects
    }
}

/// What is said of a subordinate now.
pub(super) fn said(subordinate: &Subordinate) -> Said {
    Said {
        metadata: subordinate.metadata.clone(),
        metadata_policy: subordinate.metadata_policy.clone(),
        constraints: subordinate.constraints.clone(),
    }
}

fn shown(id: &EntityId, effect: &Told) -> Value {
    let mut shown = match effect {
        Ok(effect) => effect.to_json(),
        Err(reason) => json!({"effect": "unknown", "reason": reason}),
    };
    shown["entity_id"] = id.as_str().into();
    shown
}

fn tell(effects: &[(EntityId, Told)]) {
    for (id, effect) in effects {
        match effect {
            Ok(effect) => lines(id, effect),
            Err(reason) => say(format_args!("{id}\n  cannot be judged now: {reason}")),
        }
    }
    let harmed = effects
        .iter()
        .filter(|(_, e)| e.as_ref().is_ok_and(Effect::harms))
        .count();
    let unknown = effects.iter().filter(|(_, e)| e.is_err()).count();
    eprintln!(
        "{harmed} of {} lose something; {unknown} could not be asked",
        effects.len()
    );
}

pub(super) fn lines(id: &EntityId, effect: &Effect) {
    say(format_args!("{id}"));
    for line in effect.lines() {
        say(format_args!("  {line}"));
    }
}
