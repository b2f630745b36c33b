//! The certificate that a TLS client showed (RFC 8705). The handshake proved that the client holds its key; everything
//! else that the certificate says is believed only as far as a configured authority vouches for it.

mod distinguished;
mod name;

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::thumb;
use crate::clock::UnixTime;

pub use name::CertificateName;

/// The chain as it was sent, in DER, the client's own certificate first. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    chain: Arc<[Vec<u8>]>,
}

impl ClientCertificate {
    /// `None`: no certificate was shown.
    pub fn new(chain: Vec<Vec<u8>>) -> Option<Self> {
        (!chain.is_empty()).then(|| Self {
            chain: chain.into(),
        })
    }

    /// The client's own certificate.
    pub fn der(&self) -> &[u8] {
        self.chain.first().map_or(&[], Vec::as_slice)
    }

    /// `x5t#S256` (RFC 8705 §3.1).
    pub fn thumbprint(&self) -> String {
        thumb(self.der())
    }
}

impl std::fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ClientCertificate")
            .field(&self.thumbprint())
            .finish()
    }
}

/// The authorities whose word about a client's names is believed.
#[derive(Clone, Debug)]
pub struct Authorities(Arc<dyn ClientCertVerifier>);

/// What is wrong with a file of authorities.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    #[error("is not a PEM file of certificates: {0}")]
    Pem(#[from] rustls_pki_types::pem::Error),
    #[error("holds a certificate that is none: {0}")]
    Certificate(#[from] rustls::Error),
    #[error("holds no certificate")]
    Empty(#[from] rustls::server::VerifierBuilderError),
}

impl Authorities {
    /// Reads the certificates of a PEM file.
    pub fn parse(pem: &[u8]) -> Result<Self, AuthoritiesError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        Ok(Self(verifier))
    }

    /// Whether the chain leads to one of them, and everything in it is valid `now` and made for clients.
    pub fn vouch_for(&self, certificate: &ClientCertificate, now: UnixTime) -> bool {
        let chain: Vec<CertificateDer<'_>> = certificate
            .chain
            .iter()
            .map(|der| CertificateDer::from(der.as_slice()))
            .collect();
        let Some((own, others)) = chain.split_first() else {
            return false;
        };
        let now = Duration::from_secs(u64::try_from(now.0).unwrap_or(0));
        let now = rustls_pki_types::UnixTime::since_unix_epoch(now);
        self.0.verify_client_cert(own, others, now).is_ok()
    }
}

#[cfg(test)]
mod tests;
