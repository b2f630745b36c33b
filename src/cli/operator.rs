//! `hefu operator`: who may sit at an entity's console. Operators are made here alone, by whoever has this terminal; what they may do there
//! is decided by their roles (`docs/console.md`).

use clap::{Args, Subcommand};
use serde_json::json;

use super::target::Target;
use super::{Failure, Outcome, apply, print_json, say};
use crate::clock::UnixTime;
use crate::id::OperatorId;
use crate::operator::role::Roles;
use crate::operator::{Act, Effect, Mode, account, invitation};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Invite somebody: prints a link that works once, with which they register their passkey.
    Invite(Invite),
    /// List operators, and invitations that nobody used yet.
    List {
        #[command(flatten)]
        target: Target,
        /// One JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Let an operator in no more and end their sign-ins, or take an invitation back.
    Disable {
        /// As `list` tells it: `op_…`.
        operator: String,
        #[command(flatten)]
        target: Target,
        /// Only say what would happen.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Invite {
    /// By which colleagues know them.
    #[arg(long)]
    name: String,
    /// `federation_officer`, `security_officer`, `help_desk` or `auditor`; several with commas.
    #[arg(long = "role", value_name = "ROLES", value_parser = |text: &str| text.parse::<Roles>())]
    roles: Roles,
    /// Hours that the link works.
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(i64).range(1..=720))]
    expires: i64,
    #[command(flatten)]
    target: Target,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

impl Verb {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Invite(invite) => invite.run().await,
            Self::List { target, json } => {
                let (opened, _) = target.open().await?;
                let mut conn = opened.house.store.read().await?;
                let operators = account::list(&mut conn).await?;
                let invited = invitation::list(&mut conn, opened.house.now()).await?;
                if json {
                    let operators: Vec<_> = operators
                        .iter()
                        .map(|o| {
                            json!({"id": o.id, "name": o.name, "roles": o.roles, "added_at": o.added_at,
                                "disabled_at": o.disabled_at})
                        })
                        .collect();
                    let invited: Vec<_> = invited
                        .iter()
                        .map(|i| {
                            json!({"id": i.id, "name": i.name, "roles": i.roles, "invited_by": i.invited_by,
                                "expires_at": i.expires_at})
                        })
                        .collect();
                    print_json(&json!({"operators": operators, "invitations": invited}));
                    return Ok(());
                }
                for o in &operators {
                    let state = match o.disabled_at {
                        None => "active".to_owned(),
                        Some(at) => format!("disabled {}", at.to_rfc3339()),
                    };
                    say(format_args!(
                        "{:<28}{:<32}{:<40}{}",
                        o.id.as_str(),
                        state,
                        o.roles.to_string(),
                        o.name
                    ));
                }
                for i in &invited {
                    let state = format!("invited until {}", i.expires_at.to_rfc3339());
                    say(format_args!(
                        "{:<28}{:<40}{:<32}{}",
                        i.id.as_str(),
                        state,
                        i.roles.to_string(),
                        i.name
                    ));
                }
                eprintln!(
                    "{} operators, {} invitations",
                    operators.len(),
                    invited.len()
                );
                Ok(())
            }
            Self::Disable {
                operator,
                target,
                dry_run,
            } => {
                let (opened, _) = target.open().await?;
                let act = Act::DisableOperator {
                    operator: OperatorId(operator.clone()),
                };
                apply(&opened, &act, Mode::of(dry_run)).await?;
                let word = if dry_run {
                    "would be disabled"
                } else {
                    "is disabled"
                };
                say(format_args!("{operator} {word}"));
                Ok(())
            }
        }
    }
}

impl Invite {
    async fn run(self) -> Outcome {
        let (opened, shared) = self.target.open().await?;
        let Some(console) = shared.console(&opened.entity) else {
            return Err(Failure::new(
                "this node has no console: set [node] console.origin and private_listen",
            ));
        };
        let expires_at: UnixTime = opened.house.now().plus(self.expires * 3600);
        let act = Act::InviteOperator {
            name: self.name.clone(),
            roles: self.roles.clone(),
            expires_at,
        };
        let effect = apply(&opened, &act, Mode::of(self.dry_run)).await?;
        let Effect::OperatorInvited {
            id,
            token: Some(token),
        } = effect
        else {
            say(format_args!(
                "{} would be invited as {}",
                self.name, self.roles
            ));
            return Ok(());
        };
        let link = format!("{console}/join?invitation={}", token.reveal());
        if self.json {
            print_json(&json!({"operator": id, "link": link, "expires_at": expires_at}));
        } else {
            say(format_args!("{link}"));
            eprintln!(
                "{id} is invited as {}; the link works once, until {}",
                self.roles,
                expires_at.to_rfc3339()
            );
        }
        Ok(())
    }
}
