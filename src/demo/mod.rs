//! The demonstration: a whole federation in one process, on loopback, with synthetic people. `plan` says who is there,
//! `folder` keeps what they own, `configuration` makes an ordinary configuration of it, `certificate` serves `--tls`.

mod certificate;
pub mod configuration;
mod crowd;
mod enrolment;
pub mod folder;
mod operators;
mod people;
pub mod plan;
mod report;

use std::path::Path;
use std::sync::Arc;

use crate::clock::SystemClock;
use crate::config::{Config, Role};
use crate::crypto::{Purpose, Signer};
use crate::random::RngSource;
use crate::server::entity::{OpenError, Opened, Shared};
use crate::server::listen::{self, ListenError};
use crate::server::node::{Node, NodeError};

use certificate::CertificateError;
use folder::{Folder, FolderError, Mark};

/// The port that is tried first when none is asked for.
const FIRST_PORT: u16 = 8420;

/// What the command line asks for.
#[derive(Debug, Clone)]
pub struct Wish {
    pub folder: std::path::PathBuf,
    /// None: the kept one, or any that is free; 0: any.
    pub port: Option<u16>,
    pub tls: bool,
    pub reset: bool,
    /// Every province, and so many sample portals under them. None: as at the first start, or the small federation.
    pub portals: Option<u32>,
    /// Switches on what only certification suites ask for.
    pub certification: bool,
    /// One JSON line on standard output instead of the text.
    pub json: bool,
}

/// Why the demonstration does not start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(
        "port {0} is in use, and this demo's identifiers contain it; stop the other program, or start anew with --reset"
    )]
    KeptPortInUse(u16),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error("the database: {0}")]
    Store(#[from] crate::store::Error),
    #[error("{0}")]
    Seed(String),
}

/// Runs the demonstration until it is told to stop.
pub async fn run(wish: Wish) -> Result<(), DemoError> {
    let mut folder = Folder::open(&wish.folder)?;
    let kept = if wish.reset {
        None
    } else {
        folder.kept(wish.port, wish.tls, wish.portals)?
    };
    let (port, listeners) = match (&kept, wish.port) {
        (Some(mark), _) => listen::bind_loopback(mark.port).map_err(|e| match e {
            ListenError::InUse(_) => DemoError::KeptPortInUse(mark.port),
            other => other.into(),
        })?,
        (None, Some(port)) => listen::bind_loopback(port)?,
        (None, None) => listen::bind_loopback(FIRST_PORT).or_else(|_| listen::bind_loopback(0))?,
    };
    if wish.reset {
        // Only once the port is ours: what cannot start must not forget either.
        let (blank, foreign) = folder.reset()?;
        folder = blank;
        for name in foreign {
            eprintln!(
                "{name} is not hefu's and stays in {}",
                folder.path().display()
            );
        }
    }
    let mut mark = Mark {
        version: 1,
        port,
        tls: wish.tls,
        portals: wish.portals.unwrap_or(0),
        complete: false,
    };
    if let Some(kept) = &kept {
        mark.portals = kept.portals;
    }
    let large = mark.portals > 0;
    match &kept {
        None => {
            eprintln!(
                "First start: making keys and databases for {} entities …",
                plan::all(large).count()
            );
            folder.remember(mark.clone())?;
        }
        Some(before) if !before.complete => {
            eprintln!(
                "The first start was interrupted; it goes on where it stopped. Nothing is lost."
            );
        }
        Some(_) => mark.complete = true,
    }
    let rng = RngSource::System;
    folder.kek(&mut rng.rng())?;
    let certificate = if wish.tls {
        Some(certificate::ensure(folder.path(), large)?)
    } else {
        None
    };
    let ca = certificate.as_ref().map(|(ca, _)| ca.clone());
    for planned in plan::all(large) {
        folder.entity(planned.name)?;
    }
    let mut config = configuration::of(folder.path(), &mark, certificate);
    if wish.certification {
        configuration::for_certification(&mut config);
    }
    let shared = Shared::of(&config.node, Arc::new(SystemClock), rng)?;
    let entities = open(&mut config, &shared).await?;
    enrolment::enrol(&entities).await?;
    enrolment::mark(&entities, mark.port, mark.tls).await?;
    let crowd = crowd::settle(&entities, &mark).await?;
    people::seed(&entities, &shared).await?;
    let consoles = operators::invite(&entities, &shared).await?;
    if !mark.complete {
        mark.complete = true;
        folder.remember(mark.clone())?;
    }
    let report = report::Report {
        folder: folder.path().to_owned(),
        mark,
        ca,
        consoles,
        json: wish.json,
    };
    let mut node = Node::assemble(config, shared, entities);
    if let Some(crowd) = crowd {
        node = node.also_at(crowd);
    }
    node.serve_on(listeners, |_| report.print()).await?;
    Ok(())
}

/// The configuration of a demonstration that was started before, for verbs that work beside it.
pub fn existing(path: &Path) -> Result<Config, FolderError> {
    if !path.exists() {
        return Err(FolderError::Missing {
            path: path.to_owned(),
        });
    }
    let mark = folder::read_mark(path)?.ok_or_else(|| FolderError::Foreign {
        path: path.to_owned(),
    })?;
    let tls = mark.tls.then(|| certificate::paths(path));
    Ok(configuration::of(path, &mark, tls))
}

/// Opens the anchor first: everyone else is told its keys, as an operator would be out of band.
async fn open(config: &mut Config, shared: &Shared) -> Result<Vec<Opened>, DemoError> {
    let mut entities = Vec::new();
    for position in 0..config.entities.len() {
        let opened = shared.open(config.entities[position].clone(), true).await?;
        if opened.role() == Role::Anchor {
            configuration::trust(
                config,
                &opened.entity.address.id,
                &opened.ring.published(Purpose::Federation),
            );
        }
        entities.push(opened);
    }
    Ok(entities)
}
