//! TLS as rustls does it: 1.2 with ECDHE and AEAD only, 1.3 preferred (RFC 9325); certificates read again when their
//! files change.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum_server::tls_rustls::RustlsConfig;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

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

/// Whether clients are asked to show certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Nothing,
    /// Any certificate may be shown, or none; who believes it is decided where clients are known (RFC 8705 §2).
    Certificate,
}

/// Reads certificate and key.
pub fn load(tls: &Tls, ask: Ask) -> Result<RustlsConfig, TlsError> {
    Ok(RustlsConfig::from_config(Arc::new(server_config(
        tls, ask,
    )?)))
}

fn server_config(tls: &Tls, ask: Ask) -> Result<ServerConfig, TlsError> {
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
    let builder = ServerConfig::builder();
    let builder = match ask {
        Ask::Nothing => builder.with_no_client_auth(),
        Ask::Certificate => builder.with_client_cert_verifier(Arc::new(AnyCertificate::new())),
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Looks every few seconds whether the files changed and takes the new certificate for new connections. A broken pair
/// of files is logged, and the old one stays.
pub async fn follow(tls: Tls, ask: Ask, live: RustlsConfig) {
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
        match server_config(&tls, ask) {
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

/// Takes whatever certificate a client shows, and lets the handshake prove that it holds the key: self-signed ones have no
/// chain, and which authorities count depends on the provider that is asked.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl AnyCertificate {
    fn new() -> Self {
        Self(rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms)
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
