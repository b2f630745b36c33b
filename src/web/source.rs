//! Where a request comes from: the peer's address, or what a listed proxy says of it. Put there by `server`.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::request::Parts;

/// The address that throttles count by and that session lists show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for Source {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // Absent only where no socket is: a router that is called in memory.
        Ok(parts
            .extensions
            .get()
            .copied()
            .unwrap_or(Self(IpAddr::from([0, 0, 0, 0]))))
    }
}
