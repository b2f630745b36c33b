//! The command line: parses arguments, calls one function, prints the answer. Answers go to standard output (JSON with
//! `--json`), everything else to standard error; the exit code is 0, 1 for a refusal or failure, 2 for wrong words.

mod audit;
mod client;
mod config;
mod demo;
mod doctor;
mod federation;
mod keys;
mod logout;
mod migrate;
mod operator;
mod serve;
mod target;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::operator::{Act, Desk, Effect, Mode};
use crate::server::entity::Opened;
use crate::server::tls;

/// hefu 合符: a federated OpenID Provider for real-name identities, and the OpenID Federation around it.
#[derive(Debug, Parser)]
#[command(name = "hefu", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a whole federation on this machine: anchor, provider, five provinces, portals, synthetic people.
    Demo(demo::Demo),
    /// Serve the entities of a configuration file.
    Serve(serve::Serve),
    /// Bring the databases of a configuration up to date.
    Migrate(migrate::Migrate),
    /// Look at configuration files.
    #[command(subcommand)]
    Config(config::Verb),
    /// Check what an entity needs to work: keys, clock, superiors, its own trust chain.
    Doctor(doctor::Doctor),
    /// Look at an entity's keys.
    #[command(subcommand)]
    Keys(keys::Verb),
    /// Look at and manage trust.
    #[command(subcommand)]
    Federation(federation::Verb),
    /// Look at and manage clients registered by hand.
    #[command(subcommand)]
    Client(client::Verb),
    /// Look at who was told of sessions that ended.
    #[command(subcommand)]
    Logout(logout::Verb),
    /// Say who may sit at the operators' console.
    #[command(subcommand)]
    Operator(operator::Verb),
    /// Check the audit log.
    #[command(subcommand)]
    Audit(audit::Verb),
}

/// What a verb ends with.
type Outcome = Result<(), Failure>;

/// Why a verb failed: sentences for the person at the terminal.
#[derive(Debug)]
struct Failure(Vec<String>);

impl Failure {
    fn new(sentence: impl Into<String>) -> Self {
        Self(vec![sentence.into()])
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(e: E) -> Self {
        Self::new(e.to_string())
    }
}

/// Bytes of a worker's stack. Only what is used costs memory; unoptimised, a login that resolves a chain needs more than the usual
/// 2 MiB.
const STACK: usize = 8 * 1024 * 1024;

/// Parses the arguments and runs the verb.
pub fn main() -> ExitCode {
    tls::install_provider();
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("hefu: the runtime does not start: {e}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli.verb)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(sentences)) => {
            for sentence in sentences {
                eprintln!("hefu: {sentence}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(verb: Verb) -> Outcome {
    match verb {
        Verb::Demo(demo) => demo.run().await,
        Verb::Serve(serve) => serve.run().await,
        Verb::Migrate(migrate) => migrate.run().await,
        Verb::Config(verb) => verb.run(),
        Verb::Doctor(doctor) => doctor.run().await,
        Verb::Keys(verb) => verb.run().await,
        Verb::Federation(verb) => verb.run().await,
        Verb::Client(verb) => verb.run().await,
        Verb::Logout(verb) => verb.run().await,
        Verb::Operator(verb) => verb.run().await,
        Verb::Audit(verb) => verb.run().await,
    }
}

/// Applies an operator's act to `opened`, as whoever has this terminal.
async fn apply(opened: &Opened, act: &Act, mode: Mode) -> Result<Effect, Failure> {
    let house = &opened.house;
    let desk = Desk {
        store: &house.store,
        role: opened.role(),
        sealer: &*house.sealer,
        plain_http: house.plain_http,
        now: house.now(),
    };
    Ok(act
        .apply(desk, &mut house.rng(), "operator", mode)
        .await??)
}

/// Reads a configuration file or says everything that is wrong with it.
fn load(path: &Path) -> Result<crate::config::Config, Failure> {
    crate::config::load(path).map_err(|problems| {
        Failure(
            problems
                .iter()
                .map(|p| format!("{}: {p}", path.display()))
                .collect(),
        )
    })
}

/// Prints one line. A reader that has seen enough (`| head`) is no failure of ours.
fn say(line: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if let Err(e) = writeln!(out, "{line}")
        && e.kind() != std::io::ErrorKind::BrokenPipe
    {
        eprintln!("hefu: standard output: {e}");
    }
}

/// Prints one JSON value on one line.
fn print_json(value: &serde_json::Value) {
    say(format_args!("{value}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
