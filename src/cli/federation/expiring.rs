//! `hefu federation expiring`: which trust chains the running nodes use, when each ends, and how its renewal stands.

use clap::Args;
use serde_json::{Value, json};

use super::super::target::Target;
use super::super::{Failure, Outcome, print_json, say};
use crate::clock::UnixTime;
use crate::federation::resolve::remembered::{MOST, RememberedChain};
use crate::server::entity::Opened;

/// Seconds for which a chain that ended is still shown.
const SHOWN: i64 = 86_400;

/// List the trust chains that are in use, the first to end first.
#[derive(Debug, Args)]
pub(in crate::cli) struct Expiring {
    #[command(flatten)]
    target: Target,
    /// Only chains that end within so many minutes, or have ended within the last day.
    #[arg(long, value_name = "MINUTES")]
    within: Option<u32>,
    /// A JSON array on standard output.
    #[arg(long)]
    json: bool,
}

impl Expiring {
    pub async fn run(self) -> Outcome {
        let (opened, shared) = self.target.open().await?;
        let now = shared.now();
        let rows = rows(&opened, self.within, now).await?;
        if self.json {
            print_json(&rows.iter().map(|row| told(row, now)).collect());
            return Ok(());
        }
        for row in &rows {
            say(format_args!(
                "{:<22}{:<9}{} -> {}",
                row.expires_at.to_rfc3339(),
                state(row, now),
                row.subject,
                row.anchor
            ));
            if row.failures > 0
                && let Some((at, reason)) = &row.last_failure
            {
                say(format_args!(
                    "{:<22}renewed {}, failed {} times, last {}: {}; next attempt {}",
                    "",
                    row.renewed_at.to_rfc3339(),
                    row.failures,
                    at.to_rfc3339(),
                    printable(reason),
                    row.next_attempt_at.to_rfc3339()
                ));
            }
        }
        let failing = rows.iter().filter(|row| row.failures > 0).count();
        eprintln!("{} chains, {failing} that cannot be renewed", rows.len());
        Ok(())
    }
}

/// The chains of an entity's running nodes that end within `minutes` (all, when none are given), and those that ended lately.
pub(in crate::cli) async fn rows(
    opened: &Opened,
    minutes: Option<u32>,
    now: UnixTime,
) -> Result<Vec<RememberedChain>, Failure> {
    let before = minutes.map_or(UnixTime(i64::MAX), |m| now.plus(i64::from(m) * 60));
    let mut conn = opened.house.store.read().await?;
    let mut rows = RememberedChain::ending(&mut conn, before, MOST).await?;
    rows.retain(|row| now.since(row.expires_at) < SHOWN);
    Ok(rows)
}

fn state(row: &RememberedChain, now: UnixTime) -> &'static str {
    match (now < row.expires_at, row.failures) {
        (false, _) => "ended",
        (true, 0) => "good",
        (true, _) => "failing",
    }
}

fn told(row: &RememberedChain, now: UnixTime) -> Value {
    let (failed_at, failure) = row.last_failure.clone().unzip();
    json!({
        "subject": row.subject, "trust_anchor": row.anchor, "state": state(row, now), "expires_at": row.expires_at,
        "seconds_left": row.expires_at.since(now).max(0), "renewed_at": row.renewed_at, "used_at": row.used_at,
        "failures": row.failures, "failed_at": failed_at, "failure": failure, "next_attempt_at": row.next_attempt_at,
    })
}

/// Reasons quote strangers, who may write what a terminal obeys.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
