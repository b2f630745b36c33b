//! `hefu federation`: why an entity is trusted or not, hop by hop.

use clap::Subcommand;

use super::target::Target;
use super::{Failure, Outcome, print_json};
use crate::federation::entity::EntityId;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Explain the trust chain of an entity: every hop, every check, its result.
    Explain {
        /// Entity identifier: the URL of the entity.
        subject: String,
        #[command(flatten)]
        target: Target,
        /// One JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
}

impl Verb {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Explain {
                subject,
                target,
                json,
            } => {
                let (opened, shared) = target.open().await?;
                let id = EntityId::parse(&subject, shared.schemes).map_err(|e| {
                    Failure::new(format!("{subject} is not an entity identifier: {e}"))
                })?;
                let resolver = shared.resolver(&opened.entity)?;
                let explanation = resolver.explain(&id, shared.now()).await;
                if json {
                    print_json(&explanation.to_json());
                } else {
                    print!("{}", explanation.to_text());
                }
                if explanation.outcome.is_ok() {
                    Ok(())
                } else {
                    Err(Failure(Vec::new()))
                }
            }
        }
    }
}
