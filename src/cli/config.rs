//! `hefu config check`: says everything that is wrong, by line, and what the file means.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::{Failure, Outcome, print_json, say};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Address, Config, Problem, Section};
use crate::identity::synthetic;
use crate::provider::clients::Clients;

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
        let checked = config::load(&file).and_then(|config| {
            let problems = beyond_the_form(&config);
            if problems.is_empty() {
                Ok(config)
            } else {
                Err(problems)
            }
        });
        if json {
            let (problems, entities) = match &checked {
                Ok(config) => (&[][..], &config.entities[..]),
                Err(problems) => (&problems[..], &[][..]),
            };
            print_json(&json!({
                "ok": problems.is_empty(),
                "problems": problems.iter().map(|p| json!({"line": p.line, "what": p.what})).collect::<Vec<_>>(),
                "entities": entities.iter().map(|e| json!({"name": e.name, "id": e.address.id})).collect::<Vec<_>>(),
            }));
            return checked.map(|_| ()).map_err(|_| Failure(Vec::new()));
        }
        let config = checked.map_err(|problems| {
            Failure(
                problems
                    .iter()
                    .map(|p| format!("{}: {p}", file.display()))
                    .collect(),
            )
        })?;
        for entity in &config.entities {
            say(format_args!(
                "{:<14}{:<14}{}",
                entity.name,
                entity.section.role().as_str(),
                entity.address.id
            ));
        }
        say(format_args!(
            "{} is good: {} entities",
            file.display(),
            config.entities.len()
        ));
        Ok(())
    }
}

/// What `hefu serve` would refuse although the file is well-formed: clients that are none, addresses that are none.
fn beyond_the_form(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    for entity in &config.entities {
        let mut say = |what: String| {
            problems.push(Problem {
                line: entity.line,
                what: format!("entity {}: {what}", entity.name),
            });
        };
        let identifier = |name: &str, id: &str| {
            let why = Address::parse(id, false).err()?;
            Some(format!("{name} {id:?} {why}"))
        };
        let federation = &entity.federation;
        let hints = federation.authority_hints.iter();
        hints
            .filter_map(|id| identifier("federation.authority_hints", id))
            .for_each(&mut say);
        let anchors = federation.trust_anchors.iter();
        anchors
            .filter_map(|anchor| identifier("federation.trust_anchors", &anchor.id))
            .for_each(&mut say);
        match &entity.section {
            Section::Portal(portal) => {
                identifier("portal.provider", &portal.provider)
                    .into_iter()
                    .for_each(&mut say);
            }
            Section::Provider { provider, people } => {
                if let Err(e) = Clients::new(provider, None, false) {
                    say(format!("provider.clients: {e}"));
                }
                let now = SystemClock.now();
                for wrong in people
                    .synthetic
                    .iter()
                    .filter_map(|citizen| synthetic::configured(citizen, now).err())
                {
                    say(format!("people.synthetic: {wrong}"));
                }
                for (name, url) in [
                    ("people.register_url", &people.register_url),
                    ("people.sms_gateway_url", &people.sms_gateway_url),
                ] {
                    if !url::Url::parse(url).is_ok_and(|url| url.scheme() == "https") {
                        say(format!("{name} must be an https URL"));
                    }
                }
            }
            Section::Anchor(_) | Section::Intermediate(_) | Section::Register => {}
        }
    }
    problems
}
