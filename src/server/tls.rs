//! TLS as rustls does it: 1.2 with ECDHE and AEAD only, 1.3 preferred (RFC 9325); certificates read again when their
//! files change.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::node::Tls;

/// What is wrong with the certificate files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    #[error("certificate and key do not fit together: {0}")]
    Config(#[from] rustls::Error),
}

/// Makes aws-lc the crypto library of every TLS connection of this process. The first thing that `main` does.
pub fn install_provider() {
    // A second call finds one installed: the same.
    let _installed_before = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Reads certificate and key.
pub fn load(tls: &Tls) -> Result<RustlsConfig, TlsError> {
    Ok(RustlsConfig::from_config(Arc::new(server_config(tls)?)))
}

fn server_config(tls: &Tls) -> Result<ServerConfig, TlsError> {
    let wrong = |path: &Path, reason: String| TlsError::File {
        path: path.display().to_string(),
        reason,
    };
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| wrong(&tls.certificate, e.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(&tls.certificate, "holds no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|e| wrong(&tls.key, e.to_string()))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Looks every few seconds whether the files changed and takes the new certificate for new connections. A broken pair
/// of files is logged, and the old one stays.
pub async fn follow(tls: Tls, live: RustlsConfig) {
    let stamp = |tls: &Tls| -> Option<(SystemTime, SystemTime)> {
        let modified = |p: &Path| std::fs::metadata(p).and_then(|m| m.modified()).ok();
        Some((modified(&tls.certificate)?, modified(&tls.key)?))
    };
    let mut seen = stamp(&tls);
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let now = stamp(&tls);
        if now.is_none() || now == seen {
            continue;
        }
        match server_config(&tls) {
            Ok(config) => {
                live.reload_from_config(Arc::new(config));
                tracing::info!(certificate = %tls.certificate.display(), "certificate reloaded");
                seen = now;
            }
            Err(e) => {
                tracing::error!(error = %e, "the new certificate is not usable; the old one stays");
            }
        }
    }
}
