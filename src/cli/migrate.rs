//! `hefu migrate`: run once before a new version serves; safe beside nodes of the version before.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, Outcome, load, say};
use crate::store::{Options, Store};

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Configuration file of the node.
    #[arg(long, env = "HEFU_CONFIG", value_name = "FILE")]
    config: PathBuf,
    /// Only say what is not applied yet.
    #[arg(long)]
    dry_run: bool,
}

impl Migrate {
    pub async fn run(self) -> Outcome {
        for entity in load(&self.config)?.entities {
            let options = Options {
                connections: 1,
                durable: true,
            };
            let store = Store::open(&entity.database, &options).await.map_err(|e| {
                let shown = entity.database.rsplit('@').next().unwrap_or_default();
                Failure::new(format!("{}: the database {shown}: {e}", entity.name))
            })?;
            let pending = store.pending_migrations().await?;
            if self.dry_run {
                say(format_args!("{}: {pending} to apply", entity.name));
            } else {
                store.migrate().await?;
                say(format_args!("{}: {pending} applied", entity.name));
            }
            store.close().await;
        }
        Ok(())
    }
}
