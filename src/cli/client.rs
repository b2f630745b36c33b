//! `hefu client`: relying parties that an operator registers by hand. Those of a federation need none of this.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

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
    Add(Add),
    /// Show one client.
    Show {
        client_id: String,
        #[command(flatten)]
        common: Common,
    },
    /// List the clients registered by hand.
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
        #[command(flatten)]
        common: Common,
        /// Only say what would happen.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Common {
    #[command(flatten)]
    target: Target,
    /// JSON on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// `client_id`; made anew when left out.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Name that the login page shows.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// May be given more than once; compared character for character.
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// `client_secret_basic`, `client_secret_post`, `private_key_jwt` or `none`.
    #[arg(long, value_name = "METHOD")]
    auth_method: Option<String>,
    /// JSON file with registration metadata (OIDC Registration §2); the options above win over it.
    #[arg(long, value_name = "FILE")]
    metadata: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
}

impl Verb {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Add(add) => add.run().await,
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
                common,
                dry_run,
            } => {
                let opened = provider(&common.target).await?;
                let act = Act::RotateSecret {
                    client_id: ClientId(client_id.clone()),
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

impl Add {
    async fn run(self) -> Outcome {
        let opened = provider(&self.common.target).await?;
        let house = &opened.house;
        let mut metadata = match &self.metadata {
            Some(path) => {
                let text = std::fs::read(path)
                    .map_err(|e| Failure::new(format!("{}: {e}", path.display())))?;
                crate::jose::json::parse_object(&text)
                    .map_err(|e| Failure::new(format!("{}: {e}", path.display())))?
            }
            None => Map::new(),
        };
        if let Some(name) = &self.name {
            metadata.insert("client_name".to_owned(), name.as_str().into());
        }
        if !self.redirect_uris.is_empty() {
            metadata.insert(
                "redirect_uris".to_owned(),
                self.redirect_uris.clone().into(),
            );
        }
        if let Some(method) = &self.auth_method {
            metadata.insert(
                "token_endpoint_auth_method".to_owned(),
                method.as_str().into(),
            );
        }
        let id = ClientId(self.client_id.unwrap_or_else(|| house.rng().id("cl_")));
        let act = Act::AddClient {
            client_id: id.clone(),
            metadata,
        };
        let effect = apply(&opened, &act, Mode::of(self.dry_run)).await?;
        if self.dry_run {
            if self.common.json {
                print_json(&json!({"client_id": id, "dry_run": true}));
            } else {
                say(format_args!("{id} would be registered"));
            }
            return Ok(());
        }
        let Effect::ClientAdded { secret } = effect else {
            return Ok(());
        };
        if self.common.json {
            print_json(
                &json!({"client_id": id, "client_secret": secret.as_ref().map(crate::crypto::Secret::reveal)}),
            );
        } else {
            say(format_args!("client_id: {id}"));
            if let Some(secret) = &secret {
                say(format_args!("client_secret: {}", secret.reveal()));
                eprintln!("The secret is shown this once.");
            }
        }
        Ok(())
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
        "has_secret": client.secret.is_some(), "metadata": client.metadata})
}
