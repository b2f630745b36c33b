//! The doors of a provider, over the real router, real keys and a real store, with a federation in memory.

mod answers;
mod asked;
mod authorize;
mod begun;
mod browser;
mod budget;
mod chains;
mod changed;
mod check_session;
mod claims;
mod departed;
mod details;
mod device;
mod dpop;
mod encryption;
mod end_session;
mod exchange;
mod explicit_portal;
mod explicit_registration;
mod fapi;
mod floor;
mod frontchannel;
mod interaction;
mod introspect;
mod island;
mod jarm;
mod logout;
mod marks;
mod metadata;
mod mtls;
mod nested;
mod offers;
mod par;
mod pointed;
mod register;
mod resources;
mod response_types;
mod revoke;
mod secret_jwt;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hefu::authn::{Factor, password};
use hefu::clock::{Clock, MockClock, UnixTime};
use hefu::config;
use hefu::consent;
use hefu::crypto::{Authorities, Purpose, thumb};
use hefu::federation::registration::Registrar;
use hefu::id::{ClientId, PersonId};
use hefu::identity::binding::{self, Proof, Takeover};
use hefu::identity::{Evidence, IdNumber, Keys, Method, Name, Phone, person};
use hefu::keys::{Kek, KeyRing, Policy, Setup};
use hefu::oauth::Scope;
use hefu::outbound::{Guard, Outbound};
use hefu::provider::clients::Clients;
use hefu::random::RngSource;
use hefu::session::{self, Login, Session};
use hefu::store::{Options, Store};
use hefu::web::house::House;
use hefu::web::oidc::{alias_routes, routes};
use hefu::web::provider_house::ProviderHouse;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::federation::{LEAF, START, TestKey, World, entity_id};

pub use browser::{Answer, Browser};

const ISSUER: &str = "https://id.example";
const LEAF_CB: &str = "https://leaf.example/cb";
const SHOP_CB: &str = "https://shop.example/cb?keep=1";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub struct TestHouse {
    pub world: Arc<World>,
    pub clock: MockClock,
    pub store: Store,
    pub ring: Arc<KeyRing>,
    pub clients: Arc<Clients>,
    pub provider: Arc<ProviderHouse>,
    router: Router,
    alias: Router,
    _folder: tempfile::TempDir,
}

impl TestHouse {
    pub async fn new() -> Self {
        Self::with_connections(4).await
    }

    pub async fn with_connections(connections: u32) -> Self {
        Self::with(connections, |_| {}).await
    }

    pub async fn with(connections: u32, set: impl FnOnce(&mut config::provider::Provider)) -> Self {
        Self::reaching(connections, None, set).await
    }

    /// A house of the demonstration, whose way out leads to `*.localhost:port`.
    pub async fn reaching(
        connections: u32,
        port: Option<u16>,
        set: impl FnOnce(&mut config::provider::Provider),
    ) -> Self {
        // The first test to come installs it; the others find it there.
        let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            connections,
            durable: false,
        };
        let store = Store::open_file(&folder.path().join("id.db"), &options)
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let rng = RngSource::System;
        let clock = MockClock::at(START);
        let setup = Setup {
            entity: ISSUER,
            vault: folder.path(),
            kek: Arc::new(Kek::create_file(&folder.path().join("kek"), &mut rng.rng()).unwrap()),
            policy: Policy::shipped().unwrap(),
            purposes: &[Purpose::Federation, Purpose::IdToken, Purpose::Encryption],
        };
        let ring = Arc::new(
            KeyRing::open(&store, setup, START, &mut rng.rng())
                .await
                .unwrap(),
        );
        let world = World::small();
        let registrar = Arc::new(Registrar::new(world.resolver()));
        let client = |table: Value| table.as_object().unwrap().clone();
        let mut settings = config::provider::Provider {
            clients: vec![
                client(
                    json!({"client_id": "shop", "client_secret": "shop secret", "client_name": "商店",
                    "redirect_uris": [SHOP_CB], "id_token_signed_response_alg": "ES256",
                    "grant_types": ["authorization_code", "refresh_token"],
                    "post_logout_redirect_uris": ["https://shop.example/bye"],
                    "backchannel_logout_uri": "https://shop.example/backchannel"}),
                ),
                client(
                    json!({"client_id": "spa", "redirect_uris": ["https://spa.example/cb"],
                    "token_endpoint_auth_method": "none", "id_token_signed_response_alg": "EdDSA"}),
                ),
                client(
                    json!({"client_id": "post", "client_secret": "s", "redirect_uris": ["https://post.example/cb"],
                    "token_endpoint_auth_method": "client_secret_post"}),
                ),
            ],
            ..config::provider::Provider::default()
        };
        set(&mut settings);
        let guard = Guard {
            demo_port: port,
            ..Guard::default()
        };
        let outbound = Outbound::new(hefu::outbound::Options {
            guard,
            ..hefu::outbound::Options::default()
        });
        let outbound = Arc::new(outbound.unwrap());
        let clients = Clients::new(&settings, Some(registrar), port.is_some()).unwrap();
        let clients = clients.served_by(&settings, &outbound, Arc::<KeyRing>::clone(&ring));
        let clients = Arc::new(clients.registering_at(entity_id(ISSUER), &settings));
        let provider = Arc::new(ProviderHouse {
            authorities: settings
                .mtls
                .as_ref()
                .and_then(|mtls| mtls.ca.as_ref())
                .map(|path| Authorities::parse(&std::fs::read(path).unwrap()).unwrap()),
            clients: Arc::clone(&clients),
            house: House {
                id: ISSUER.into(),
                store: store.clone(),
                signer: Arc::<KeyRing>::clone(&ring),
                decrypter: Arc::<KeyRing>::clone(&ring),
                sealer: Arc::<KeyRing>::clone(&ring),
                indexer: Arc::<KeyRing>::clone(&ring),
                outbound,
                clock: Arc::new(clock.clone()),
                rng,
                plain_http: port.is_some(),
            },
            settings,
        });
        Self {
            alias: alias_routes(Arc::clone(&provider)),
            router: routes(Arc::clone(&provider)),
            provider,
            world,
            clock,
            store,
            ring,
            clients,
            _folder: folder,
        }
    }

    /// The ways to the clients of another process at the same store, which remembers nobody.
    pub fn beside(&self) -> Clients {
        let settings = &self.provider.settings;
        let registrar = Arc::new(Registrar::new(self.world.resolver()));
        Clients::new(settings, Some(registrar), false)
            .unwrap()
            .registering_at(entity_id(ISSUER), settings)
    }

    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// A citizen with phone, password and, if `verified`, a real name.
    pub async fn citizen(&self, verified: bool) -> PersonId {
        let mut rng = RngSource::System.rng();
        let keys = Keys {
            sealer: &*self.ring,
            indexer: &*self.ring,
        };
        let mut tx = self.store.write().await.unwrap();
        let id = person::create(&mut tx, &mut rng, self.now()).await.unwrap();
        let phone = Phone::parse("14000000001").unwrap();
        person::attach_phone(&mut tx, keys, &id, &phone, self.now())
            .await
            .unwrap();
        password::set(&mut tx, &id, "not a hash", self.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        if verified {
            self.prove_name(&id).await;
        }
        id
    }

    /// The same citizen, however often asked.
    pub async fn citizen_once(&self) -> PersonId {
        let found: Option<String> = sqlx::query_scalar("SELECT id FROM persons")
            .fetch_optional(&mut *self.store.read().await.unwrap())
            .await
            .unwrap();
        match found {
            Some(id) => PersonId(id),
            None => self.citizen(true).await,
        }
    }

    /// The register agrees to name, number and phone.
    pub async fn prove_name(&self, id: &PersonId) {
        let keys = Keys {
            sealer: &*self.ring,
            indexer: &*self.ring,
        };
        let proof = Proof {
            name: Name::parse("测试甲").unwrap(),
            number: IdNumber::parse("449999195003010014", self.now()).unwrap(),
            evidence: Evidence {
                source: "register".to_owned(),
                method: Method::Match3,
                check_id: "chk".to_owned(),
                at: self.now(),
            },
        };
        let mut tx = self.store.write().await.unwrap();
        binding::bind(
            &mut tx,
            keys,
            &mut RngSource::System.rng(),
            id,
            &proof,
            Takeover::NotAsked,
            self.now(),
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn session(&self, person: &PersonId, factors: &[Factor]) -> (Session, Browser<'_>) {
        let login = Login {
            person,
            factors,
            device: "test",
            lifetime: 43_200,
            replacing: None,
        };
        let mut conn = self.store.read().await.unwrap();
        let (session, handle) =
            session::begin(&mut conn, &mut RngSource::System.rng(), login, self.now())
                .await
                .unwrap();
        let mut browser = self.browser();
        // The second is its name in the demonstration.
        for name in ["__Host-hefu_session", "hefu_session"] {
            browser
                .cookies
                .insert(name.to_owned(), handle.reveal().clone());
        }
        (session, browser)
    }

    pub async fn consent(&self, person: &PersonId, client: &str, scope: &str) {
        let yes = consent::Yes {
            person,
            client: &ClientId(client.to_owned()),
            scope: &Scope::parse(scope).unwrap(),
            claims: &std::collections::BTreeSet::new(),
            platform: "x",
            lifetime: 1000,
        };
        let mut conn = self.store.read().await.unwrap();
        consent::give(&mut conn, &mut RngSource::System.rng(), &yes, self.now())
            .await
            .unwrap();
    }

    pub fn browser(&self) -> Browser<'_> {
        Browser {
            house: self,
            cookies: BTreeMap::new(),
            source: "192.0.2.1".parse().unwrap(),
        }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        Self::ask(&self.router, request).await
    }

    /// To the alias for clients with certificates.
    pub async fn send_to_alias(&self, request: Request<Body>) -> Answer {
        Self::ask(&self.alias, request).await
    }

    async fn ask(router: &Router, request: Request<Body>) -> Answer {
        let answer = router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub async fn post(
        &self,
        path: &str,
        form: &[(&str, &str)],
        authorization: Option<&str>,
    ) -> Answer {
        let headers: Vec<_> = authorization
            .map(|value| ("authorization", value))
            .into_iter()
            .collect();
        self.post_with(path, form, &headers).await
    }

    pub async fn post_with(
        &self,
        path: &str,
        form: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request =
            Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(encode(form))).unwrap())
            .await
    }

    /// A request object of the leaf with these changes; `null` removes a member.
    pub fn request_object(&self, jti: &str, changes: Value) -> String {
        let mut claims = json!({"iss": LEAF, "client_id": LEAF, "aud": ISSUER, "jti": jti, "exp": self.now().0 + 60,
            "response_type": "code", "redirect_uri": LEAF_CB, "scope": "openid real_name", "state": "st", "nonce": "n",
            "code_challenge": CHALLENGE, "code_challenge_method": "S256"});
        let members = claims.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                members.remove(name);
            } else {
                members.insert(name.clone(), value.clone());
            }
        }
        TestKey::of("protocol key").jwt("oauth-authz-req+jwt", &claims)
    }

    pub fn assertion(&self, jti: &str, aud: &str) -> String {
        let claims =
            json!({"iss": LEAF, "sub": LEAF, "aud": aud, "jti": jti, "exp": self.now().0 + 60});
        TestKey::of("protocol key").jwt("JWT", &claims)
    }

    /// Redeems a code of the leaf.
    pub async fn redeem(&self, code: &str, jti: &str, changes: &[(&str, &str)]) -> Answer {
        let assertion = self.assertion(jti, ISSUER);
        let mut form: BTreeMap<&str, &str> = BTreeMap::from([
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", LEAF_CB),
            ("code_verifier", VERIFIER),
            ("client_id", LEAF),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &assertion),
        ]);
        for (name, value) in changes {
            if value.is_empty() {
                form.remove(name);
            } else {
                form.insert(name, value);
            }
        }
        let form: Vec<(&str, &str)> = form.into_iter().collect();
        self.post("/token", &form, None).await
    }

    pub async fn userinfo(&self, token: &str) -> Answer {
        let request =
            Request::get("/userinfo").header(header::AUTHORIZATION, format!("bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub async fn count(&self, table: &'static str) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}")))
            .fetch_one(&mut *self.store.read().await.unwrap())
            .await
            .unwrap()
    }
}

pub fn encode(form: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish()
}

pub fn basic(id: &str, secret: &str) -> String {
    let part =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", part(id), part(secret)))
    )
}

/// The payload of a JWT of ours, signature not looked at.
pub fn payload(token: &str) -> Value {
    let (_, claims) = hefu::jose::jwt::peek(token, 100_000).unwrap();
    Value::Object(claims)
}

#[test]
fn the_challenge_is_that_of_the_verifier() {
    assert_eq!(thumb(VERIFIER.as_bytes()), CHALLENGE);
}
