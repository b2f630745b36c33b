//! `hefu demo`: a whole federation on this machine.

use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use crate::demo::{self, Wish};
use crate::telemetry::{self, LogFormat};

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Port on loopback; 0: any. Chosen at the first start and kept, since identifiers contain it.
    #[arg(long)]
    port: Option<u16>,
    /// Folder for databases and keys; made when missing.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// Serve over TLS with a certificate authority of the demo's own.
    #[arg(long)]
    tls: bool,
    /// Forget everything in the folder and start anew.
    #[arg(long)]
    reset: bool,
    /// Every province, the districts of 重庆, and so many sample portals under them, which publish entity configurations and
    /// nothing else. Chosen at the first start and kept.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    portals: Option<u32>,
    /// Also answer what certification suites ask for and nobody else should: tokens through the browser (implicit and hybrid
    /// response types), session management.
    #[arg(long)]
    certification: bool,
    /// One line of JSON on standard output once everything answers.
    #[arg(long)]
    json: bool,
}

impl Demo {
    pub async fn run(self) -> Outcome {
        telemetry::start(LogFormat::Text, "warn");
        let wish = Wish {
            folder: self.data,
            port: self.port,
            tls: self.tls,
            reset: self.reset,
            portals: self.portals,
            certification: self.certification,
            json: self.json,
        };
        Ok(demo::run(wish).await?)
    }
}
