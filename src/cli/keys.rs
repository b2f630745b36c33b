//! `hefu keys list`: which keys an entity has and where each is in its life.

use clap::Subcommand;
use serde_json::json;

use super::target::Target;
use super::{Outcome, print_json, say};
use crate::keys::{KeyRecord, Stage};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Which keys the entity has, and where each is in its life.
    List {
        #[command(flatten)]
        target: Target,
        /// One JSON array on standard output.
        #[arg(long)]
        json: bool,
    },
}

impl Verb {
    pub async fn run(self) -> Outcome {
        let Self::List { target, json } = self;
        let (opened, _) = target.open().await?;
        let records = KeyRecord::all(&mut *opened.house.store.read().await?).await?;
        let stage = |record: &KeyRecord| match record.stage() {
            Stage::Announced { since } => ("announced", since),
            Stage::Active { since } => ("active", since),
            Stage::Retired { since } => ("retired", since),
            Stage::Revoked { since } => ("revoked", since),
        };
        if json {
            let rows = records.iter().map(|r| {
                let (stage, since) = stage(r);
                json!({"kid": r.kid, "purpose": r.purpose, "alg": r.alg, "stage": stage, "since": since})
            });
            print_json(&rows.collect());
        } else {
            say(format_args!(
                "{:<12}{:<9}{:<11}{:<22}kid",
                "purpose", "alg", "stage", "since"
            ));
            for record in &records {
                let (stage, since) = stage(record);
                say(format_args!(
                    "{:<12}{:<9}{stage:<11}{:<22}{}",
                    record.purpose,
                    record.alg,
                    since.to_rfc3339(),
                    record.kid
                ));
            }
        }
        Ok(())
    }
}
