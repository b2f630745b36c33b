//! The private listener: `/healthz` (the process answers), `/readyz` (its entities can serve), `/metrics`. What else comes there is for
//! the consoles (`console`).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::store::Store;

/// What must answer before the node takes traffic.
#[derive(Clone, Debug)]
pub struct Readiness {
    /// Name and store of each entity.
    pub stores: Arc<Vec<(String, Store)>>,
    pub metrics: Option<PrometheusHandle>,
}

impl Readiness {
    pub fn router(self) -> Router {
        Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self)
    }
}

async fn ready(State(readiness): State<Readiness>) -> impl IntoResponse {
    let mut said = String::new();
    let mut status = StatusCode::OK;
    for (name, store) in readiness.stores.iter() {
        let problem = match store.pending_migrations().await {
            Ok(0) => continue,
            Ok(n) => format!("{name}: {n} migrations are not applied; run `hefu migrate`\n"),
            Err(e) => {
                tracing::error!(entity = name, error = %e, "the database does not answer");
                format!("{name}: the database does not answer\n")
            }
        };
        status = StatusCode::SERVICE_UNAVAILABLE;
        said.push_str(&problem);
    }
    (
        status,
        if said.is_empty() {
            "ready\n".to_owned()
        } else {
            said
        },
    )
}

async fn metrics(State(readiness): State<Readiness>) -> impl IntoResponse {
    match readiness.metrics {
        Some(handle) => (StatusCode::OK, handle.render()),
        None => (StatusCode::NOT_FOUND, "metrics are off\n".to_owned()),
    }
}
