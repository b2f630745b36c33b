//! The web server of strangers: shows over TLS what their programs have signed, and answers at their fetch endpoints.

use std::{
    collections::HashMap,
    net::TcpListener,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Query, State},
    http::{StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};

/// Statements by path and, at a fetch endpoint, by `sub`.
type Shown = Arc<Mutex<HashMap<(String, Option<String>), String>>>;

pub struct Board {
    origin: String,
    shown: Shown,
}

impl Board {
    /// On a thread and a runtime of its own: those of a test end with it.
    pub fn start(certificate: &str, key: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket for tokio");
        let address = listener.local_addr().expect("its address");
        let shown = Shown::default();
        let router = Router::new().fallback(answer).with_state(shown.clone());
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let tls =
                    axum_server::tls_rustls::RustlsConfig::from_pem(certificate.into(), key.into())
                        .await
                        .expect("TLS");
                axum_server::from_tcp_rustls(listener, tls)
                    .expect("a listener")
                    .serve(router.into_make_service())
                    .await
                    .expect("the board serves");
            });
        });
        Self {
            origin: format!("https://{address}"),
            shown,
        }
    }

    /// The entity identifier with this path.
    pub fn id(&self, path: &str) -> String {
        format!("{}/{path}", self.origin)
    }

    /// Where the authority `id` is asked for statements about others.
    pub fn fetch_endpoint(id: &str) -> String {
        format!("{id}/fetch")
    }

    /// OpenID Federation 1.0 §9: the configuration of `id`.
    pub fn publish(&self, id: &str, configuration: &str) {
        self.show((self.well_known(id), None), configuration);
    }

    pub fn withdraw(&self, id: &str) {
        let mut shown = self.shown.lock().expect("no panic before");
        shown.remove(&(self.well_known(id), None));
    }

    /// §8.1: what the authority `id` says about `sub`.
    pub fn vouch(&self, id: &str, sub: &str, statement: &str) {
        let path = self.path(&Self::fetch_endpoint(id));
        self.show((path, Some(sub.to_owned())), statement);
    }

    fn show(&self, place: (String, Option<String>), statement: &str) {
        let mut shown = self.shown.lock().expect("no panic before");
        shown.insert(place, statement.to_owned());
    }

    fn well_known(&self, id: &str) -> String {
        format!("{}/.well-known/openid-federation", self.path(id))
    }

    fn path(&self, url: &str) -> String {
        url.strip_prefix(&self.origin)
            .expect("an entity of this board")
            .to_owned()
    }
}

async fn answer(
    State(shown): State<Shown>,
    uri: Uri,
    Query(mut query): Query<HashMap<String, String>>,
) -> Response {
    let place = (uri.path().to_owned(), query.remove("sub"));
    match shown.lock().expect("no panic before").get(&place) {
        Some(statement) => (
            [(CONTENT_TYPE, "application/entity-statement+jwt")],
            statement.clone(),
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
