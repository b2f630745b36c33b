//! `hefu config check`: says everything that is wrong, by line, and what the file means.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::{Outcome, load, print_json};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Say what is wrong with a configuration file, by line.
    Check {
        file: PathBuf,
        /// One JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
}

impl Verb {
    pub fn run(self) -> Outcome {
        let Self::Check { file, json } = self;
        if json {
            let (problems, entities) = match crate::config::load(&file) {
                Ok(config) => (Vec::new(), config.entities),
                Err(problems) => (problems, Vec::new()),
            };
            let good = problems.is_empty();
            print_json(&json!({
                "ok": good,
                "problems": problems.iter().map(|p| json!({"line": p.line, "what": p.what})).collect::<Vec<_>>(),
                "entities": entities.iter().map(|e| json!({"name": e.name, "id": e.address.id})).collect::<Vec<_>>(),
            }));
            return if good {
                Ok(())
            } else {
                Err(super::Failure(Vec::new()))
            };
        }
        let config = load(&file)?;
        for entity in &config.entities {
            println!(
                "{:<14}{:<14}{}",
                entity.name,
                entity.section.role().as_str(),
                entity.address.id
            );
        }
        println!(
            "{} is good: {} entities",
            file.display(),
            config.entities.len()
        );
        Ok(())
    }
}
