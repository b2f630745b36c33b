//! A relying party of the stranger's own, registered by hand at the demo: its pages are what a browser meets when a session is
//! watched or ends.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Html;
use axum::routing::get;
use conformance_tests::browser::Browser;
use conformance_tests::demo::{self, Demo};
use conformance_tests::visitor::Visitor;
use serde_json::{Value, json};
use url::Url;

/// What the party's pages were asked, newest last.
type Asked = Arc<Mutex<Vec<(&'static str, BTreeMap<String, String>)>>>;

pub struct Party {
    pub id: String,
    pub origin: String,
    pub issuer: String,
    secret: String,
    asked: Asked,
}

/// When the party's logout page answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    AtOnce,
    Late,
    Never,
}

impl Party {
    /// Serves `http://NAME.localhost:PORT` and registers it.
    pub async fn register(demo: &Demo, name: &'static str, leaving: Leaving) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let origin = format!("http://{name}.localhost:{port}");
        let issuer = demo.provider().id.clone();
        let asked: Asked = Arc::default();
        serve(listener, asked.clone(), leaving, issuer.clone());
        let metadata = json!({
            "client_name": name,
            "redirect_uris": [format!("{origin}/cb")],
            "post_logout_redirect_uris": [format!("{origin}/bye")],
            "frontchannel_logout_uri": format!("{origin}/out"),
            "frontchannel_logout_session_required": true,
        });
        let file = demo.said.data_dir.join(format!("{name}.metadata.json"));
        std::fs::write(&file, metadata.to_string()).expect("a written file");
        let file = file.display().to_string();
        let said = hefu(demo, &["client", "add", "--metadata", &file, "--json"]).await;
        Self {
            id: said["client_id"].as_str().expect("an id").to_owned(),
            secret: said["client_secret"].as_str().expect("a secret").to_owned(),
            origin,
            issuer,
            asked,
        }
    }

    /// Where a login at this party begins.
    pub fn login(&self) -> String {
        let mut url =
            Url::parse(&format!("{}/authorize", self.issuer.trim_end_matches('/'))).expect("a URL");
        url.query_pairs_mut()
            .append_pair("client_id", &self.id)
            .append_pair("redirect_uri", &format!("{}/cb", self.origin))
            .append_pair("response_type", "code")
            .append_pair("scope", "openid")
            .append_pair("state", "s");
        url.into()
    }

    /// Says yes if asked, and waits for the party's own page.
    pub async fn arrive(&self, browser: &Browser) -> BTreeMap<String, String> {
        if browser.wait_any(&["consent-form", "party-cb"]).await == "consent-form" {
            browser.press("consent-allow").await;
        }
        browser.wait("party-cb").await;
        self.last("cb").expect("the browser came by")
    }

    /// The ID Token for the code of a login.
    pub async fn id_token(&self, code: &str) -> String {
        let endpoint = format!("{}/token", self.issuer.trim_end_matches('/'));
        let redirect_uri = format!("{}/cb", self.origin);
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri.as_str()),
        ];
        let answer = Visitor::new()
            .request(reqwest::Method::POST, &endpoint)
            .basic_auth(&self.id, Some(&self.secret))
            .form(&form)
            .send()
            .await
            .expect("an answer");
        let answer: Value = answer.json().await.expect("JSON");
        answer["id_token"]
            .as_str()
            .unwrap_or_else(|| panic!("no ID Token: {answer}"))
            .to_owned()
    }

    /// Where this party sends a browser that leaves.
    pub fn logout(&self, id_token: &str) -> String {
        let mut url =
            Url::parse(&format!("{}/logout", self.issuer.trim_end_matches('/'))).expect("a URL");
        url.query_pairs_mut()
            .append_pair("id_token_hint", id_token)
            .append_pair("post_logout_redirect_uri", &format!("{}/bye", self.origin))
            .append_pair("state", "left");
        url.into()
    }

    /// What the page was asked for the last time.
    pub fn last(&self, page: &str) -> Option<BTreeMap<String, String>> {
        let asked = self.asked.lock().expect("no panic before");
        let found = asked.iter().rfind(|(name, _)| *name == page);
        found.map(|(_, query)| query.clone())
    }

    /// The same, as soon as it was asked.
    pub async fn asked(&self, page: &str) -> BTreeMap<String, String> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(query) = self.last(page) {
                return query;
            }
            assert!(Instant::now() < deadline, "{page} was never asked for");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn serve(listener: tokio::net::TcpListener, asked: Asked, leaving: Leaving, issuer: String) {
    let page = |name: &'static str| {
        get(
            async move |State(asked): State<Asked>, RawQuery(query): RawQuery| {
                note(&asked, name, query);
                Html(format!(
                    "<!DOCTYPE html><title>{name}</title><p id='party-{name}'>{name}</p>"
                ))
            },
        )
    };
    let out = get(
        async move |State(asked): State<Asked>, RawQuery(query): RawQuery| {
            note(&asked, "out", query);
            match leaving {
                Leaving::AtOnce => {}
                Leaving::Late => tokio::time::sleep(Duration::from_secs(2)).await,
                Leaving::Never => std::future::pending().await,
            }
            Html("<!DOCTYPE html><title>out</title>")
        },
    );
    // As OIDC Session Management 1.0 §3.1 has it: one hidden frame of the provider, and a page that asks it.
    let watch = Html(format!(
        "<!DOCTYPE html><title>watch</title><p id='watch' data-answers='0'>?</p>\
         <iframe id='op' src='{issuer}/session/check'></iframe>\
         <script>\
         var said = document.getElementById('watch'), op = document.getElementById('op');\
         window.addEventListener('message', function (e) {{\
           if (e.source !== op.contentWindow) {{ return; }}\
           said.textContent = e.data + ' from ' + e.origin;\
           said.setAttribute('data-answers', String(1 + Number(said.getAttribute('data-answers'))));\
         }}, false);\
         op.addEventListener('load', function () {{\
           op.contentWindow.postMessage(decodeURIComponent(location.hash.substring(1)), '{issuer}');\
         }}, false);\
         </script>"
    ));
    let router = Router::new()
        .route("/cb", page("cb"))
        .route("/bye", page("bye"))
        .route("/out", out)
        .route("/watch", get(async move || watch.clone()))
        .with_state(asked);
    tokio::spawn(async move { axum::serve(listener, router).await });
}

fn note(asked: &Asked, name: &'static str, query: Option<String>) {
    let query = query.unwrap_or_default();
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    asked
        .lock()
        .expect("no panic before")
        .push((name, pairs.into_owned().collect()));
}

/// What an operator's verb says beside the running demo.
pub async fn hefu(demo: &Demo, words: &[&str]) -> Value {
    let mut command = Command::new(demo::binary());
    command
        .args(words)
        .args(["--entity", "id", "--data"])
        .arg(&demo.said.data_dir)
        .stdin(Stdio::null());
    let done = tokio::task::spawn_blocking(move || command.output().expect("hefu runs"))
        .await
        .expect("it ends");
    assert!(
        done.status.success(),
        "hefu {words:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    serde_json::from_slice(&done.stdout).expect("JSON")
}
