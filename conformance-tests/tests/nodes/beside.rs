//! What stands beside the nodes: an SMS gateway and a population register, on TLS.

use std::{
    net::{SocketAddr, TcpListener as StdListener},
    sync::{Arc, Mutex},
};

use axum::{Json, Router, body::Bytes, routing::post};
use serde_json::{Value, json};

use super::cluster::CITIZENS;

/// Both on a thread and a runtime of their own: those of a test end with it.
pub fn stand_beside(
    messages: Arc<Mutex<Vec<Value>>>,
    certificate: String,
    key: String,
) -> SocketAddr {
    let (tell, hear) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let listener = StdListener::bind("127.0.0.1:0").expect("a port");
            listener.set_nonblocking(true).expect("a socket for tokio");
            let address = listener.local_addr().expect("its address");
            tell.send(address).expect("somebody waits for it");
            let tls =
                axum_server::tls_rustls::RustlsConfig::from_pem(certificate.into(), key.into())
                    .await
                    .expect("TLS");
            let sms = post(move |body: Bytes| async move {
                let message = serde_json::from_slice(&body).expect("a message in JSON");
                messages.lock().expect("no panic before").push(message);
                Json(json!({}))
            });
            let register = post(async |body: Bytes| {
                let asked: Value = serde_json::from_slice(&body).expect("a question in JSON");
                let known = CITIZENS
                    .iter()
                    .any(|(name, number)| asked["name"] == *name && asked["number"] == *number);
                Json(if known {
                    json!({"result": "match", "check_id": "chk-1"})
                } else {
                    json!({"result": "mismatch"})
                })
            });
            let router = Router::new()
                .route("/sms", sms)
                .route("/register/match", register);
            let server = axum_server::from_tcp_rustls(listener, tls).expect("a listener");
            server
                .serve(router.into_make_service())
                .await
                .expect("both serve");
        });
    });
    hear.recv().expect("the thread says where it is")
}
