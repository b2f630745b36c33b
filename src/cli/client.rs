//! `hefu client`: relying parties that an operator registers by hand, and those that registered themselves. Those of a federation need
//! none of this.

mod registration_token;
mod set;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::target::Target;
use super::{Failure, Outcome, apply, print_json, say};
use crate::client::registered::{self, Registered};
use crate::config::Role;
use crate::id::ClientId;
use crate::operator::{Act, Effect, Mode};
use crate::server::entity::Opened;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Register a client; prints its secret once, if its method needs one.
    Add(Box<set::Add>),
    /// Change what a client registered; prints a secret if the change makes a new one necessary.
    Set(Box<set::Set>),
    /// Show one client.
    Show {
        client_id: String,
        #[command(flatten)]
        common: Common,
    },
    /// List the clients that are registered here.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Remove a client; its tokens die, its id is never given again.
    Remove {
        client_id: String,
        #[command(flatten)]
        common: Common,
        /// Only say what would happen.
        #[arg(long)]
        dry_run: bool,
    },
    /// Give a client a new secret; the old one stops within seconds, when the nodes have read it.
    RotateSecret {
        client_id: String,
        /// Days that the new secret works; without: until it is rotated.
        #[arg(long, value_name = "N")]
        secret_days: Option<i64>,
        #[command(flatten)]
        common: Common,
        /// Only say what would happen.
        #[arg(long)]
        dry_run: bool,
    },
    /// Make a token with which clients register themselves, where `registration` is `"token"`.
    RegistrationToken(registration_token::RegistrationToken),
}

#[derive(Debug, Args)]
pub(super) struct Common {
    #[command(flatten)]
    target: Target,
    /// JSON on standard output.
    #[arg(long)]
    json: bool,
}

impl Verb {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Add(add) => add.run().await,
            Self::Set(set) => set.run().await,
            Self::RegistrationToken(token) => token.run().await,
            Self::Show { client_id, common } => {
                let opened = provider(&common.target).await?;
                let found = registered::find(
                    &mut *opened.house.store.read().await?,
                    &ClientId(client_id.clone()),
                )
                .await?;
                let client = found.ok_or_else(|| unknown(&client_id))?;
                let shown = described(&client);
                if common.json {
                    print_json(&shown);
                } else {
                    say(format_args!("{}", serde_json::to_string_pretty(&shown)?));
                }
                Ok(())
            }
            Self::List { common } => {
                let opened = provider(&common.target).await?;
                let clients = registered::list(&mut *opened.house.store.read().await?).await?;
                if common.json {
                    print_json(&clients.iter().map(described).collect());
                } else {
                    for client in &clients {
                        let name = client
                            .metadata
                            .get("client_name")
                            .and_then(Value::as_str)
                            .unwrap_or("-");
                        say(format_args!(
                            "{:<34}{:<24}{name}",
                            client.id.as_str(),
                            client.created_at.to_rfc3339()
                        ));
                    }
                    eprintln!("{} clients", clients.len());
                }
                Ok(())
            }
            Self::Remove {
                client_id,
                common,
                dry_run,
            } => {
                let opened = provider(&common.target).await?;
                let act = Act::RemoveClient {
                    client_id: ClientId(client_id.clone()),
                };
                let effect = apply(&opened, &act, Mode::of(dry_run)).await?;
                let Effect::ClientRemoved {
                    grants_ended: ended,
                } = effect
                else {
                    return Ok(());
                };
                let word = if dry_run {
                    "would be removed"
                } else {
                    "removed"
                };
                if common.json {
                    print_json(
                        &json!({"client_id": client_id, "removed": !dry_run, "grants_ended": ended}),
                    );
                } else {
                    say(format_args!("{client_id} {word}; {ended} grants end"));
                }
                Ok(())
            }
            Self::RotateSecret {
                client_id,
                secret_days,
                common,
                dry_run,
            } => {
                let opened = provider(&common.target).await?;
                let act = Act::RotateSecret {
                    client_id: ClientId(client_id.clone()),
                    secret_expires_at: set::in_days(opened.house.now(), secret_days),
                };
                let effect = apply(&opened, &act, Mode::of(dry_run)).await?;
                let Effect::SecretRotated {
                    secret: Some(secret),
                } = effect
                else {
                    if common.json {
                        print_json(&json!({"client_id": client_id, "dry_run": true}));
                    } else {
                        say(format_args!(
                            "{client_id} would get a new secret; the old one would stop"
                        ));
                    }
                    return Ok(());
                };
                if common.json {
                    print_json(&json!({"client_id": client_id, "client_secret": secret.reveal()}));
                } else {
                    say(format_args!("client_secret: {}", secret.reveal()));
                    eprintln!(
                        "It is shown this once. The old secret stops working within seconds."
                    );
                }
                Ok(())
            }
        }
    }
}

async fn provider(target: &Target) -> Result<Opened, Failure> {
    let (opened, _) = target.open().await?;
    if opened.role() == Role::Provider {
        Ok(opened)
    } else {
        Err(Failure::new(format!(
            "{} is not a provider; only providers have clients",
            opened.entity.name
        )))
    }
}

fn unknown(client_id: &str) -> Failure {
    Failure::new(format!("{client_id} is not registered here"))
}

fn described(client: &Registered) -> Value {
    json!({"client_id": client.id, "created_at": client.created_at, "changed_at": client.changed_at,
        "has_secret": client.secret.is_some(), "secret_expires_at": client.secret_expires_at,
        "registered_itself": client.by_itself, "metadata": client.metadata})
}
