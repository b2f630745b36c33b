//! What the process itself offers: a certificate that is renewed under way, and the private listener.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use conformance_tests::visitor::Visitor;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use super::cluster::{A, B, Cluster, shared};

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_taken_without_a_restart() {
    let cluster = shared().await;
    let before = shown(cluster, A);
    assert_eq!(before, shown(cluster, B));
    let new = cluster.replace_certificate();
    let new = CertificateDer::from_pem_slice(new.as_bytes()).expect("a certificate");
    let deadline = Instant::now() + Duration::from_mins(1);
    for node in [A, B] {
        loop {
            let now = shown(cluster, node);
            if now == new.as_ref() {
                break;
            }
            assert!(now == before, "neither the old nor the new certificate");
            assert!(
                Instant::now() < deadline,
                "the old certificate is still shown:\n{}",
                cluster.log(node)
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let jwks = cluster.person().at[node].get(&cluster.url("/jwks")).await;
        assert_eq!(jwks.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_private_listener_tells_how_the_node_is() {
    let cluster = shared().await;
    let stranger = Visitor::new();
    for node in [A, B] {
        for (path, text) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
            let answer = stranger.get(&cluster.private_url(node, path)).await;
            assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, text));
        }
        let inside = cluster.person();
        for path in ["/healthz", "/readyz", "/metrics"] {
            let answer = inside.at[node].get(&cluster.url(path)).await;
            assert_eq!(answer.status, 404, "{path} is public: {}", answer.body);
        }
        let metrics = stranger.get(&cluster.private_url(node, "/metrics")).await;
        assert_eq!(metrics.status, 200, "{}", metrics.body);
        let counted = format!(
            "hefu_requests_total{{entity=\"{}\",status=\"4xx\"}}",
            cluster.issuer
        );
        assert!(
            metrics.body.contains(&counted),
            "no count of requests: {}",
            metrics.body
        );
        for personal in ["14000000", "测", "state="] {
            assert!(
                !metrics.body.contains(personal),
                "{personal} in the metrics"
            );
        }
        // A host that is not hosted here, asked on the public side.
        let answer = inside.at[node]
            .get(&cluster.url("/jwks").replace("id.hefu.test", "127.0.0.1"))
            .await;
        assert_eq!(answer.status, 421);
    }
}

/// The certificate that a new connection to the node is shown.
fn shown(cluster: &Cluster, node: usize) -> Vec<u8> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(cluster.ca_pem.as_bytes()).expect("a certificate");
    roots.add(ca).expect("a certificate authority");
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("id.hefu.test").expect("a name");
    let mut connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    let mut socket = std::net::TcpStream::connect(cluster.address(node)).expect("it listens");
    connection.complete_io(&mut socket).expect("a handshake");
    let stream = StreamOwned::new(connection, socket);
    let chain = stream.conn.peer_certificates().expect("a certificate");
    chain[0].to_vec()
}
