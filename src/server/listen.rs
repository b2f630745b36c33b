//! Sockets: bound first, so that a busy port is said before anything else happens; then served until told to stop.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};

/// How long requests under way may take once the node is told to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// A client that has not sent its headers by then is cut off.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Signed requests that carry trust chains come in the query.
const HEADER_BYTES: u32 = 96 * 1024;

/// Why a socket could not be had, in a sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("port {} is in use on {}; stop the other program or choose another port", .0.port(), .0.ip())]
    InUse(SocketAddr),
    #[error("no permission to listen on {0}; ports below 1024 need a privilege")]
    Permission(SocketAddr),
    #[error("cannot listen on {address}: {source}")]
    Other {
        address: SocketAddr,
        source: io::Error,
    },
}

/// Takes the address; nothing is answered yet.
pub fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let listener = TcpListener::bind(address).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse(address),
        io::ErrorKind::PermissionDenied => ListenError::Permission(address),
        _ => ListenError::Other { address, source },
    })?;
    listener
        .set_nonblocking(true)
        .map_err(|source| ListenError::Other { address, source })?;
    Ok(listener)
}

/// Both loopback addresses on one port. With port 0 the system chooses one that is free on both; a machine without
/// IPv6 serves IPv4 alone.
pub fn bind_loopback(port: u16) -> Result<(u16, Vec<TcpListener>), ListenError> {
    let mut tries = 0;
    loop {
        let v4 = bind(SocketAddr::from(([127, 0, 0, 1], port)))?;
        let chosen = v4.local_addr().map_or(port, |a| a.port());
        match bind(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], chosen))) {
            Ok(v6) => return Ok((chosen, vec![v4, v6])),
            Err(ListenError::InUse(_)) if port == 0 && tries < 20 => tries += 1,
            Err(e @ ListenError::InUse(_)) => return Err(e),
            Err(_) => return Ok((chosen, vec![v4])),
        }
    }
}

/// Serves `router` on `listener` until `handle` is told to stop; then lets requests under way finish.
pub async fn serve(
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    router: Router,
    handle: Handle<SocketAddr>,
) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let mut server = axum_server::from_tcp(listener)?.handle(handle);
    let http = server.http_builder();
    http.http1()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_BYTES as usize);
    http.http2()
        .timer(hyper_util::rt::TokioTimer::new())
        .max_header_list_size(HEADER_BYTES);
    match tls {
        Some(config) => {
            server
                .acceptor(RustlsAcceptor::new(config))
                .serve(service)
                .await
        }
        None => server.serve(service).await,
    }
}

/// Tells the servers behind `handle` to finish.
pub fn stop(handle: &Handle<SocketAddr>) {
    handle.graceful_shutdown(Some(DRAIN));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_is_said_in_a_sentence() {
        let (port, held) = bind_loopback(0).unwrap();
        assert!(!held.is_empty() && port != 0);
        let said = bind_loopback(port).err().unwrap().to_string();
        assert_eq!(
            said,
            format!(
                "port {port} is in use on 127.0.0.1; stop the other program or choose another port"
            )
        );
    }
}
