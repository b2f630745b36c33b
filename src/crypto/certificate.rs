//! The certificate that a TLS client showed. The handshake proved that the client holds its key; everything else that
//! the certificate says is believed only as far as somebody vouches for it.

use std::sync::Arc;

use super::thumb;

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
