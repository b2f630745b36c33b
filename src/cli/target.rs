//! Which entities a verb is about: those of a configuration file, or of a demo folder. Works beside running nodes.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{Failure, load};
use crate::clock::SystemClock;
use crate::config::{Config, Entity};
use crate::crypto::{Purpose, Signer};
use crate::demo;
use crate::random::RngSource;
use crate::server::entity::{Opened, Shared};

#[derive(Debug, Args)]
pub(super) struct Target {
    /// Configuration file of the node.
    #[arg(
        long,
        env = "HEFU_CONFIG",
        value_name = "FILE",
        conflicts_with = "data"
    )]
    config: Option<PathBuf>,
    /// Folder of a demo, instead of a configuration file.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Name of the entity; not needed when the configuration has only one.
    #[arg(long, value_name = "NAME")]
    entity: Option<String>,
}

impl Target {
    /// The configuration and what its entities share.
    pub async fn configuration(&self) -> Result<(Config, Shared), Failure> {
        let shared =
            |config: &Config| Shared::of(&config.node, Arc::new(SystemClock), RngSource::System);
        match (&self.config, &self.data) {
            (Some(path), _) => {
                let config = load(path)?;
                let shared = shared(&config)?;
                Ok((config, shared))
            }
            (None, Some(folder)) => {
                let mut config = demo::existing(folder)?;
                let shared = shared(&config)?;
                // The anchor's keys are met out of band: here, in its own database.
                if let Some(anchor) = config.entities.iter().find(|e| e.name == "anchor").cloned() {
                    let id = anchor.address.id.clone();
                    let opened = shared.open(anchor, false).await?;
                    demo::configuration::trust(
                        &mut config,
                        &id,
                        &opened.ring.published(Purpose::Federation),
                    );
                }
                Ok((config, shared))
            }
            (None, None) => Err(Failure::new(
                "say which: --config FILE, or --data DIR for a demo",
            )),
        }
    }

    /// Whether any was said.
    pub const fn is_said(&self) -> bool {
        self.config.is_some() || self.data.is_some()
    }

    /// The entities that are meant: the one that was named, else all.
    pub async fn entities(&self) -> Result<(Vec<Entity>, Shared), Failure> {
        let (config, shared) = self.configuration().await?;
        let meant = match &self.entity {
            None => config.entities,
            Some(name) => vec![named(config, name)?],
        };
        Ok((meant, shared))
    }

    /// The entity that is meant, opened; an outdated schema is refused.
    pub async fn open(&self) -> Result<(Opened, Shared), Failure> {
        let (mut config, shared) = self.configuration().await?;
        let entity = match &self.entity {
            Some(name) => named(config, name)?,
            None if config.entities.len() == 1 => config.entities.swap_remove(0),
            None => {
                return Err(Failure::new(format!(
                    "say which entity with --entity NAME: {}",
                    names(&config)
                )));
            }
        };
        Ok((shared.open(entity, false).await?, shared))
    }
}

fn named(mut config: Config, name: &str) -> Result<Entity, Failure> {
    match config
        .entities
        .iter()
        .position(|e| e.name == name || e.address.id == name)
    {
        Some(position) => Ok(config.entities.swap_remove(position)),
        None => Err(Failure::new(format!(
            "there is no entity {name}; there are: {}",
            names(&config)
        ))),
    }
}

fn names(config: &Config) -> String {
    let names: Vec<&str> = config.entities.iter().map(|e| e.name.as_str()).collect();
    names.join(", ")
}
