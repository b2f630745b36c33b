//! Who asks at an endpoint for programs, beyond its form: the headers, the certificate shown in TLS, and the keys that it
//! proves to hold (RFC 9449).

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;

use crate::crypto::ClientCertificate;
use crate::oauth::{Error, ErrorCode};
use crate::provider::dpop::{self, Expected, Nonces, Proof};
use crate::web::provider_house::ProviderHouse;

const DPOP: &str = "dpop";
const DPOP_NONCE: &str = "dpop-nonce";

/// What came along with a request.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) headers: HeaderMap,
    /// Put there by `server` alone: of the handshake of this connection.
    pub(super) certificate: Option<ClientCertificate>,
    method: Method,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self {
            headers: parts.headers.clone(),
            certificate: parts.extensions.get().cloned(),
            method: parts.method.clone(),
        })
    }
}

impl Caller {
    /// The proof in the `DPoP` header, made for the endpoint at `path`; `None` without the header.
    pub(super) fn proof(
        &self,
        provider: &ProviderHouse,
        path: &str,
        access_token: Option<&str>,
    ) -> Result<Option<Proof>, Error> {
        let mut sent = self.headers.get_all(DPOP).iter();
        let Some(proof) = sent.next() else {
            return Ok(None);
        };
        let invalid = |text: &'static str| Error::new(ErrorCode::InvalidDpopProof, text);
        // RFC 9449 §4.3 step 1.
        if sent.next().is_some() {
            return Err(invalid("the DPoP header is repeated"));
        }
        let proof = proof
            .to_str()
            .map_err(|_| invalid("the DPoP proof is not a signed JWT"))?;
        let expected = Expected {
            method: self.method.as_str(),
            urls: &provider.urls(path),
            access_token,
            nonces: nonces(provider),
            now: provider.house.now(),
        };
        dpop::verify(proof, &expected).map(Some)
    }

    /// With a new nonce for the next request, where nonces are demanded and the caller uses proofs (RFC 9449 §8.2).
    pub(super) fn with_nonce(&self, provider: &ProviderHouse, mut answer: Response) -> Response {
        if provider.settings.dpop_nonces && self.headers.contains_key(DPOP) {
            let nonce = nonces(provider).issue(provider.house.now());
            if let Ok(value) = HeaderValue::try_from(nonce) {
                answer.headers_mut().insert(DPOP_NONCE, value);
            }
        }
        answer
    }
}

fn nonces(provider: &ProviderHouse) -> Nonces<'_> {
    Nonces {
        sealer: &*provider.house.sealer,
        demanded: provider.settings.dpop_nonces,
    }
}
