//! The federation endpoints of an anchor, over a real router. Whole answers are snapshots: keys and clock are fixed.

mod auth;
mod collection;
mod configuration;
mod extended_list;
mod fetch;
mod historical_keys;
mod home;
mod join;
mod list;
mod map;
mod resolve;
mod trust_mark;
mod trust_mark_list;
mod trust_mark_status;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hefu::clock::{Clock, MockClock, UnixTime};
use hefu::config::authority::Authority as Section;
use hefu::federation::authority::{
    AuthoritySettings, NewSubordinate, Subordinate, give_trust_mark, revoke_trust_mark,
};
use hefu::federation::publish::{PublisherSettings, authority_metadata};
use hefu::federation::{Authority, History, Publisher};
use hefu::oauth::Algorithm;
use hefu::store::{Options, Store};
use hefu::web::federation::{FederationState, routes};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;
use url::form_urlencoded;

use crate::support::federation::{
    LEAF, MIDDLE, START, TOP, TestKey, TestSigner, World, entity_id, relying_party,
};

/// The anchor as a running entity; everybody below it lives in a `World`.
pub struct Anchor {
    pub world: Arc<World>,
    pub clock: MockClock,
    pub signer: Arc<TestSigner>,
    pub store: Store,
    pub authority: Arc<Authority>,
    router: Router,
    _folder: tempfile::TempDir,
}

impl Anchor {
    pub async fn new() -> Self {
        Self::with(Section {
            subordinate_statement_lifetime: 600,
            trust_mark_lifetime: 7200,
            ..Section::default()
        })
        .await
    }

    pub async fn with(section: Section) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open_file(
            &folder.path().join("anchor.db"),
            &Options {
                connections: 2,
                durable: false,
            },
        )
        .await
        .expect("a store");
        store.migrate().await.expect("migrations");
        let world = World::small();
        world.vouch(
            MIDDLE,
            LEAF,
            json!({"metadata": {"openid_relying_party": {"client_name#zh-Hans": "粤省事"}}}),
        );
        let signer = TestSigner::of(TOP);
        let clock = MockClock::at(START);
        let published = section.clone();
        let publisher = Publisher::new(
            PublisherSettings {
                id: entity_id(TOP),
                alg: Algorithm::EdDSA,
                lifetime: 86_400,
                authority_hints: Vec::new(),
                metadata: Arc::new(move || {
                    let names = json!({"organization_name": "国家政务服务平台"});
                    let names = names.as_object().expect("names");
                    authority_metadata(&entity_id(TOP), names, &published)
                }),
                claims: Map::new(),
            },
            signer.clone(),
        );
        let authority = Authority::new(
            AuthoritySettings {
                id: entity_id(TOP),
                alg: Algorithm::EdDSA,
                section,
                is_anchor: true,
            },
            signer.clone(),
            store.clone(),
            world.resolver_to(&[]),
        );
        let authority = Arc::new(authority);
        let id = entity_id(TOP);
        let history = History::new(id, Algorithm::EdDSA, 1000, signer.clone(), store.clone());
        let router = routes(FederationState {
            clock: Arc::new(clock.clone()),
            publisher: Arc::new(publisher),
            history: Some(Arc::new(history)),
            authority: Some(Arc::clone(&authority)),
        });
        let anchor = Self {
            world,
            clock,
            signer,
            store,
            authority,
            router,
            _folder: folder,
        };
        anchor
            .put(
                MIDDLE,
                &["federation_entity"],
                true,
                json!({"federation_entity": {"display_name": "广东省"}}),
            )
            .await;
        anchor
    }

    pub async fn put(&self, id: &str, types: &[&str], is_intermediate: bool, metadata: Value) {
        let subordinate = NewSubordinate {
            entity_id: entity_id(id),
            jwks: TestKey::of(id).jwks(),
            entity_types: types.iter().map(|t| (*t).to_owned()).collect(),
            metadata: metadata.as_object().cloned(),
            metadata_policy: Some(
                json!({"openid_relying_party": {"scope": {"subset_of": ["openid", "real_name"]}}}),
            ),
            constraints: None,
            is_intermediate,
        };
        let mut conn = self.store.read().await.expect("a connection");
        subordinate
            .put(&mut conn, self.clock.now())
            .await
            .expect("stored")
            .expect("valid");
    }

    pub async fn drop_subordinate(&self, id: &str) {
        let mut conn = self.store.read().await.expect("a connection");
        assert!(
            Subordinate::remove(&mut conn, &entity_id(id), self.clock.now())
                .await
                .expect("removed")
        );
    }

    pub async fn give(&self, trust_mark_type: &str, subject: &str, expires_at: Option<UnixTime>) {
        let (mut conn, now) = (
            self.store.read().await.expect("a connection"),
            self.clock.now(),
        );
        give_trust_mark(
            &mut conn,
            trust_mark_type,
            &entity_id(subject),
            expires_at,
            now,
        )
        .await
        .expect("given");
    }

    pub async fn revoke(&self, trust_mark_type: &str, subject: &str) {
        let (mut conn, now) = (
            self.store.read().await.expect("a connection"),
            self.clock.now(),
        );
        assert!(
            revoke_trust_mark(&mut conn, trust_mark_type, &entity_id(subject), now)
                .await
                .expect("revoked")
        );
    }

    pub async fn post(&self, uri: &str, form: &[(&str, &str)]) -> Response<Body> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = Request::post(uri)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .expect("a request");
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("an answer")
    }

    pub async fn get(&self, uri: &str) -> Response<Body> {
        self.request(Request::get(uri)).await
    }

    pub async fn request(&self, builder: axum::http::request::Builder) -> Response<Body> {
        let request = builder.body(Body::empty()).expect("a request");
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("an answer")
    }

    pub fn signatures(&self) -> usize {
        self.signer.signatures.load(Ordering::SeqCst)
    }
}

/// The whole answer as text; a JWT is shown decoded.
pub async fn shown(response: Response<Body>) -> String {
    use std::fmt::Write as _;
    let mut out = format!("{}\n", response.status());
    for (name, value) in response.headers() {
        let _ = writeln!(out, "{name}: {}", value.to_str().expect("text"));
    }
    let body = body(response).await;
    if let Ok(value) = serde_json::from_str::<Value>(&body) {
        let _ = write!(out, "\n{value:#}");
    } else {
        let (header, claims) = decoded(&body);
        let _ = write!(out, "\n{header:#}\n{claims:#}");
    }
    out
}

pub async fn body(response: Response<Body>) -> String {
    let bytes = to_bytes(response.into_body(), 1 << 20)
        .await
        .expect("a body");
    String::from_utf8(bytes.to_vec()).expect("text")
}

pub fn decoded(jwt: &str) -> (Value, Value) {
    let mut parts = jwt.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    });
    (
        parts.next().expect("a header"),
        parts.next().expect("claims"),
    )
}

pub fn error_of(text: &str) -> String {
    let value: Value = serde_json::from_str(text).expect("JSON");
    assert!(
        value["error_description"]
            .as_str()
            .is_some_and(|d| !d.is_empty())
    );
    value["error"].as_str().expect("an error").to_owned()
}

/// Another portal below the middle, not registered anywhere near the anchor.
pub fn add_portal(world: &World, id: &str) {
    world.entity(id, &[MIDDLE], relying_party(&format!("{id}/cb")));
    world.vouch(MIDDLE, id, json!({}));
}
