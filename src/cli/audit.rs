//! `hefu audit verify`: recomputes the chain over the audit log and checks its signed checkpoints.

use clap::Subcommand;

use super::target::Target;
use super::{Failure, Outcome, print_json, say};
use crate::audit::{self, Verdict};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Recompute the chain over the audit log and check its signed checkpoints.
    Verify {
        #[command(flatten)]
        target: Target,
        /// One JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
}

impl Verb {
    pub async fn run(self) -> Outcome {
        let Self::Verify { target, json } = self;
        let (opened, _) = target.open().await?;
        let mut conn = opened.house.store.read().await?;
        let verdict = audit::verify(&mut conn, opened.ring.as_ref()).await?;
        if json {
            print_json(&serde_json::to_value(&verdict)?);
        }
        match verdict {
            Verdict::Whole {
                sealed,
                checkpoints,
                waiting,
            } => {
                if !json {
                    say(format_args!(
                        "whole: {sealed} rows sealed, {checkpoints} checkpoints, {waiting} rows waiting to be sealed"
                    ));
                }
                Ok(())
            }
            Verdict::Broken { seq } => Err(Failure::new(format!(
                "the chain breaks at row {seq}: it was changed, removed or put in after it was sealed"
            ))),
            Verdict::FalseCheckpoint { seq } => Err(Failure::new(format!(
                "the checkpoint at row {seq} does not agree with the log: rows were changed or cut off, or the checkpoint is forged"
            ))),
        }
    }
}
