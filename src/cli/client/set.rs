//! `hefu client add` and `hefu client set`: what an operator says of a client, by options and by a file of metadata.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Common, Failure, Outcome, apply, print_json, provider, say, unknown};
use crate::client::registered;
use crate::clock::UnixTime;
use crate::crypto::Secret;
use crate::id::ClientId;
use crate::operator::{Act, Effect, Mode};

/// Members of the metadata, each as OIDC Registration §2 names it.
#[derive(Debug, Args)]
pub(in crate::cli) struct Said {
    /// Name that the login page shows.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// May be given more than once; compared character for character.
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// `client_secret_basic`, `client_secret_post`, `client_secret_jwt`, `private_key_jwt` or `none`.
    #[arg(long, value_name = "METHOD")]
    auth_method: Option<String>,
    /// Where the client publishes its keys.
    #[arg(long, value_name = "URI")]
    jwks_uri: Option<String>,
    /// JSON file with registration metadata (OIDC Registration §2); the options above win over it.
    #[arg(long, value_name = "FILE")]
    metadata: Option<PathBuf>,
}

impl Said {
    /// Puts what was said into `metadata`; `null` in the file takes a member out.
    fn put_into(&self, metadata: &mut Map<String, Value>) -> Result<(), Failure> {
        if let Some(path) = &self.metadata {
            let said = |e: &dyn std::fmt::Display| Failure::new(format!("{}: {e}", path.display()));
            let text = std::fs::read(path).map_err(|e| said(&e))?;
            for (name, value) in crate::jose::json::parse_object(&text).map_err(|e| said(&e))? {
                if value.is_null() {
                    metadata.remove(&name);
                } else {
                    metadata.insert(name, value);
                }
            }
        }
        let texts = [
            ("client_name", &self.name),
            ("token_endpoint_auth_method", &self.auth_method),
            ("jwks_uri", &self.jwks_uri),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                metadata.insert(name.to_owned(), value.as_str().into());
            }
        }
        if !self.redirect_uris.is_empty() {
            let uris = self.redirect_uris.clone().into();
            metadata.insert("redirect_uris".to_owned(), uris);
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// `client_id`; made anew when left out.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    #[command(flatten)]
    said: Said,
    /// Days that the secret works; without: until it is rotated.
    #[arg(long, value_name = "N")]
    secret_days: Option<i64>,
    #[command(flatten)]
    common: Common,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
}

impl Add {
    pub(super) async fn run(self) -> Outcome {
        let opened = provider(&self.common.target).await?;
        let house = &opened.house;
        let mut metadata = Map::new();
        self.said.put_into(&mut metadata)?;
        let id = ClientId(self.client_id.unwrap_or_else(|| house.rng().id("cl_")));
        let act = Act::AddClient {
            client_id: id.clone(),
            metadata,
            secret_expires_at: in_days(house.now(), self.secret_days),
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
        tell(&id, secret.as_ref(), self.common.json);
        Ok(())
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Set {
    client_id: String,
    #[command(flatten)]
    said: Said,
    /// Forget the metadata that the client has, instead of changing some of them.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    common: Common,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
}

impl Set {
    pub(super) async fn run(self) -> Outcome {
        let opened = provider(&self.common.target).await?;
        let id = ClientId(self.client_id.clone());
        let before = registered::find(&mut *opened.house.store.read().await?, &id)
            .await?
            .ok_or_else(|| unknown(&self.client_id))?;
        let mut metadata = if self.replace {
            Map::new()
        } else {
            before.metadata
        };
        self.said.put_into(&mut metadata)?;
        let act = Act::SetClient {
            client_id: id.clone(),
            metadata: metadata.clone(),
        };
        let effect = apply(&opened, &act, Mode::of(self.dry_run)).await?;
        if self.dry_run {
            if self.common.json {
                print_json(&json!({"client_id": id, "metadata": metadata, "dry_run": true}));
            } else {
                say(format_args!("{id} would have these metadata:"));
                say(format_args!("{}", serde_json::to_string_pretty(&metadata)?));
            }
            return Ok(());
        }
        let Effect::ClientSet { secret } = effect else {
            return Ok(());
        };
        tell(&id, secret.as_ref(), self.common.json);
        if !self.common.json {
            eprintln!("The nodes follow within seconds.");
        }
        Ok(())
    }
}

pub(super) fn in_days(now: UnixTime, days: Option<i64>) -> Option<UnixTime> {
    days.map(|days| now.plus(days.saturating_mul(86_400)))
}

fn tell(id: &ClientId, secret: Option<&Secret<String>>, json: bool) {
    if json {
        print_json(&json!({"client_id": id, "client_secret": secret.map(Secret::reveal)}));
    } else {
        say(format_args!("client_id: {id}"));
        if let Some(secret) = secret {
            say(format_args!("client_secret: {}", secret.reveal()));
            eprintln!("The secret is shown this once.");
        }
    }
}
