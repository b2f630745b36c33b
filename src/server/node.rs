//! One running process: its entities, its listeners, its tasks, from start to the last answered request.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::dispatch::Table;
use super::entity::{OpenError, Opened, Shared};
use super::listen::{self, ListenError};
use super::private::Readiness;
use super::tls::Ask;
use super::{console, rooms, tls};
use crate::clock::Clock;
use crate::config::Config;
use crate::jobs;
use crate::random::RngSource;

/// Why a node does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    #[error("a listener stopped: {0}")]
    Serve(#[from] io::Error),
}

/// A node whose entities are open; it answers once it is served.
#[derive(Debug)]
pub struct Node {
    config: Config,
    shared: Shared,
    entities: Vec<Opened>,
    others: Option<Others>,
}

/// Hosts that no entity of the configuration has: the demonstration's sample portals.
#[derive(Debug, Clone)]
pub struct Others {
    /// What their hosts end with, port included.
    pub below: String,
    pub router: axum::Router,
}

impl Node {
    /// Opens every entity of the configuration.
    pub async fn open(
        config: Config,
        clock: Arc<dyn Clock>,
        rng: RngSource,
        migrate: bool,
    ) -> Result<Self, NodeError> {
        let shared = Shared::of(&config.node, clock, rng)?;
        let mut entities = Vec::new();
        for entity in &config.entities {
            let opened = shared.open(entity.clone(), migrate).await?;
            rooms::settle_synthetic(&opened, &shared).await?;
            entities.push(opened);
        }
        Ok(Self {
            config,
            shared,
            entities,
            others: None,
        })
    }

    /// Puts together what was opened elsewhere: the demonstration needs the anchor's keys before the others open.
    pub const fn assemble(config: Config, shared: Shared, entities: Vec<Opened>) -> Self {
        Self {
            config,
            shared,
            entities,
            others: None,
        }
    }

    /// Serves these hosts besides.
    #[must_use]
    pub fn also_at(mut self, others: Others) -> Self {
        self.others = Some(others);
        self
    }

    pub fn entities(&self) -> &[Opened] {
        &self.entities
    }

    /// Listens where the configuration says and serves until the process is told to stop.
    pub async fn serve(self) -> Result<(), NodeError> {
        let mut listeners = Vec::new();
        for address in &self.config.node.listen {
            listeners.push(listen::bind(*address)?);
        }
        self.serve_on(listeners, |_| Ok(())).await
    }

    /// Serves on sockets that are bound already; calls `ready` once everything answers.
    pub async fn serve_on(
        self,
        listeners: Vec<TcpListener>,
        ready: impl FnOnce(&[Opened]) -> io::Result<()>,
    ) -> Result<(), NodeError> {
        let mut with_certificates = Vec::new();
        for address in &self.config.node.mtls_listen {
            with_certificates.push(listen::bind(*address)?);
        }
        let hsts = self.config.node.hsts();
        let mut table = Table::new(self.config.node.proxies.clone()).with_hsts(hsts);
        // No proxy stands before certificates: its word for an address would not count either.
        let mut aliases = Table::new(Vec::new()).with_hsts(hsts);
        let mut consoles = Table::new(self.config.node.proxies.clone());
        let (stop, stopped) = watch::channel(false);
        let mut tasks = Vec::new();
        for opened in &self.entities {
            let built = rooms::build(opened, &self.shared).await?;
            if let Some((address, router)) = console::of(opened, &self.shared, &built)? {
                tasks.extend(console::forgetting(opened));
                // The demonstration has one port; elsewhere the console is never where citizens are.
                let table = match self.config.node.demo {
                    Some(_) => &mut table,
                    None => &mut consoles,
                };
                table.add(address, router);
            }
            table.add(opened.entity.address.clone(), built.router);
            tasks.extend(jobs::of_every_entity(
                &opened.entity.name,
                &self.shared.node,
                &opened.house,
                &opened.ring,
            ));
            if let Some((address, router)) = built.alias {
                aliases.add(address, router);
            }
            tasks.extend(built.tasks);
        }
        let live = match &self.config.node.tls {
            Some(files) => Some((tls::load(files, Ask::Nothing)?, files.clone())),
            None => None,
        };
        let asking = match &self.config.node.tls {
            Some(files) if !with_certificates.is_empty() => {
                Some((tls::load(files, Ask::Certificate)?, files.clone()))
            }
            _ => None,
        };
        if let Some(others) = self.others {
            table.add_below(others.below, others.router);
        }
        let handle = Handle::<SocketAddr>::new();
        let mut servers = JoinSet::new();
        let router = table.into_router();
        for listener in listeners {
            let tls: Option<RustlsConfig> = live.as_ref().map(|(config, _)| config.clone());
            servers.spawn(listen::serve(listener, tls, router.clone(), handle.clone()));
        }
        let aliases = aliases.into_router();
        if let Some((config, _)) = &asking {
            for listener in with_certificates {
                let tls = Some(config.clone());
                servers.spawn(listen::serve(
                    listener,
                    tls,
                    aliases.clone(),
                    handle.clone(),
                ));
            }
        }
        if let Some(address) = self.config.node.private_listen {
            let stores = self
                .entities
                .iter()
                .map(|o| (o.entity.name.clone(), o.house.store.clone()))
                .collect();
            let metrics = metrics_exporter_prometheus::PrometheusBuilder::new()
                .install_recorder()
                .map_err(|e| tracing::warn!(error = %e, "metrics are off"))
                .ok();
            metrics::describe_counter!(
                "hefu_requests_total",
                "Requests answered, by entity and kind of answer"
            );
            let readiness = Readiness {
                stores: Arc::new(stores),
                metrics,
            };
            let mut router = readiness.router();
            if self.shared.console.is_some() {
                router = router.fallback_service(consoles.into_router());
            }
            servers.spawn(listen::serve(
                listen::bind(address)?,
                None,
                router,
                handle.clone(),
            ));
        }
        let follow: Vec<_> = [(live, Ask::Nothing), (asking, Ask::Certificate)]
            .into_iter()
            .filter_map(|(live, ask)| live.map(|(config, files)| (files, ask, config)))
            .map(|(files, ask, config)| tokio::spawn(tls::follow(files, ask, config)))
            .collect();
        let running: Vec<_> = tasks
            .into_iter()
            .map(|task| task.spawn(stopped.clone()))
            .collect();
        if let Some(address) = handle.listening().await {
            tracing::info!(%address, entities = self.entities.len(), "serving");
        }
        ready(&self.entities)?;

        let ended = tokio::select! {
            () = told_to_stop() => None,
            ended = servers.join_next() => ended,
        };
        tracing::info!("stopping: requests under way may finish");
        listen::stop(&handle);
        while servers.join_next().await.is_some() {}
        let _nobody_left_to_tell = stop.send(true);
        for task in running {
            let _panicked = task.await;
        }
        for follow in follow {
            follow.abort();
        }
        for opened in &self.entities {
            opened.house.store.close().await;
        }
        match ended {
            Some(Ok(Err(e))) => Err(NodeError::Serve(e)),
            Some(Err(e)) => Err(NodeError::Serve(io::Error::other(e))),
            _ => Ok(()),
        }
    }
}

/// Waits for Ctrl-C or a termination signal.
async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    _ = terminate.recv() => {}
                }
                return;
            }
            Err(e) => tracing::warn!(error = %e, "termination signals are not heard; use Ctrl-C"),
        }
    }
    let _interrupted = tokio::signal::ctrl_c().await;
}
