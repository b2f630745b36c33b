//! `hefu serve`: the entities of a configuration file, until told to stop.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{Outcome, load};
use crate::clock::SystemClock;
use crate::config::node::Log;
use crate::random::RngSource;
use crate::server::node::Node;
use crate::telemetry::{self, LogFormat};

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Configuration file of the node.
    #[arg(long, env = "HEFU_CONFIG", value_name = "FILE")]
    config: PathBuf,
}

impl Serve {
    pub async fn run(self) -> Outcome {
        let config = load(&self.config)?;
        telemetry::start(
            if config.node.log == Log::Json {
                LogFormat::Json
            } else {
                LogFormat::Text
            },
            "info",
        );
        let node = Node::open(config, Arc::new(SystemClock), RngSource::System, false).await?;
        node.serve().await?;
        Ok(())
    }
}
