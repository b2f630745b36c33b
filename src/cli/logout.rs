//! `hefu logout`: who was told of sessions that ended, and how.

use clap::Subcommand;

use super::target::Target;
use super::{Failure, Outcome, print_json, say};
use crate::config::Role;
use crate::provider::told::{self, Channel, State};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List the platforms that were told of the last logouts, newest first: through which channel, and how it went.
    List {
        #[command(flatten)]
        target: Target,
        /// How many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        /// One JSON array on standard output.
        #[arg(long)]
        json: bool,
    },
}

impl Verb {
    pub async fn run(self) -> Outcome {
        let Self::List {
            target,
            limit,
            json,
        } = self;
        let (opened, _) = target.open().await?;
        if opened.role() != Role::Provider {
            return Err(Failure::new(format!(
                "{} is not a provider; only providers end sessions at platforms",
                opened.entity.name
            )));
        }
        let latest = told::latest(&mut *opened.house.store.read().await?, limit).await?;
        if json {
            print_json(&serde_json::to_value(&latest)?);
            return Ok(());
        }
        for told in &latest {
            let state = match told.state {
                State::Delivered => "delivered",
                State::Asked => "asked",
                State::Waiting => "waiting",
                State::Failed => "failed",
            };
            let channel = match told.channel {
                Channel::Back => "back",
                Channel::Front => "front",
                Channel::Both => "both",
                Channel::None => "none",
            };
            say(format_args!(
                "{:<24}{state:<11}{channel:<7}{:<44}{}",
                told.ended_at.to_rfc3339(),
                told.client.as_str(),
                told.platform
            ));
        }
        let failed = latest.iter().filter(|t| t.state == State::Failed).count();
        eprintln!(
            "{} told, {failed} of them could not be reached",
            latest.len()
        );
        Ok(())
    }
}
