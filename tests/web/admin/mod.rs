//! The operators' console, through its real router: invitation, passkey, sign-in, rooms, acts.

mod acts;
mod join;
mod rooms;
mod session;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use hefu::brand::Brand;
use hefu::clock::{Clock, MockClock, UnixTime};
use hefu::config::Role;
use hefu::crypto::Purpose;
use hefu::federation::Authority;
use hefu::federation::authority::AuthoritySettings;
use hefu::federation::resolve::Resolver;
use hefu::keys::{Kek, KeyRing, Policy, Setup};
use hefu::oauth::Algorithm;
use hefu::operator::passkey::Passkeys;
use hefu::operator::{Act, Desk, Effect, Mode};
use hefu::outbound::Outbound;
use hefu::random::RngSource;
use hefu::store::{Options, Store};
use hefu::web::admin::{self, Console};
use hefu::web::house::House;
use hefu::web::source::Source;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use webauthn_authenticator_rs::WebauthnAuthenticator as _;
use webauthn_authenticator_rs::softpasskey::SoftPasskey;

use crate::support::federation::{LEAF, MIDDLE, TOP, TestKey, World, entity_id};

const ORIGIN: &str = "https://console.example";
const ROOT: &str = "/console/anchor";
const NOW: UnixTime = UnixTime(1_795_413_900);

/// An entity with its console.
struct Counter {
    clock: MockClock,
    store: Store,
    house: House,
    role: Role,
    router: Router,
    world: Arc<World>,
    resolver: Arc<Resolver>,
    _folder: tempfile::TempDir,
}

impl Counter {
    /// Of an anchor that vouches for nobody yet.
    async fn anchor() -> Self {
        Self::of(Role::Anchor).await
    }

    async fn of(role: Role) -> Self {
        let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            connections: 4,
            durable: false,
        };
        let store = Store::open_file(&folder.path().join("a.db"), &options)
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let (rng, clock) = (RngSource::System, MockClock::at(NOW));
        let setup = Setup {
            entity: TOP,
            vault: folder.path(),
            kek: Arc::new(Kek::create_file(&folder.path().join("kek"), &mut rng.rng()).unwrap()),
            policy: Policy::shipped().unwrap(),
            purposes: &[Purpose::Federation, Purpose::Audit],
        };
        let ring = KeyRing::open(&store, setup, NOW, &mut rng.rng())
            .await
            .unwrap();
        let ring = Arc::new(ring);
        let world = World::small();
        let resolver = world.resolver();
        let authority = Authority::new(
            AuthoritySettings {
                id: entity_id(TOP),
                alg: Algorithm::ES256,
                section: hefu::config::authority::Authority {
                    subordinate_statement_lifetime: 600,
                    ..hefu::config::authority::Authority::default()
                },
                is_anchor: true,
            },
            Arc::<KeyRing>::clone(&ring),
            store.clone(),
            // Its own: an anchor resolves to itself.
            world.resolver(),
        );
        let house = House {
            id: format!("{ORIGIN}{ROOT}").into(),
            store: store.clone(),
            signer: Arc::<KeyRing>::clone(&ring),
            decrypter: Arc::<KeyRing>::clone(&ring),
            sealer: Arc::<KeyRing>::clone(&ring),
            indexer: ring,
            outbound: Arc::new(Outbound::new(hefu::outbound::Options::default()).unwrap()),
            clock: Arc::new(clock.clone()),
            rng,
            plain_http: false,
        };
        let console = Console {
            house: house.clone(),
            entity: TOP.into(),
            name: "anchor".into(),
            role,
            brand: Brand::other("测试锚"),
            passkeys: Arc::new(Passkeys::new(ORIGIN, "测试锚").unwrap()),
            authority: (role == Role::Anchor).then(|| Arc::new(authority)),
            resolver: Some(Arc::clone(&resolver)),
            statement_lifetime: 600,
        };
        Self {
            clock,
            store,
            house,
            role,
            router: admin::routes(console),
            world,
            resolver,
            _folder: folder,
        }
    }

    /// Does `act` as whoever has the terminal.
    async fn apply(&self, act: Value) -> Effect {
        let act: Act = serde_json::from_value(act).unwrap();
        let desk = Desk {
            store: &self.store,
            role: self.role,
            sealer: &*self.house.sealer,
            plain_http: false,
            now: self.clock.now(),
        };
        act.apply(desk, &mut self.house.rng(), "operator", Mode::Apply)
            .await
            .unwrap()
            .unwrap()
    }

    /// The operator-to-be and the token of an invitation.
    async fn invite(&self, roles: &str) -> (String, String) {
        let act = json!({"act": "invite_operator", "name": "测试庚", "roles": roles,
            "expires_at": self.clock.now().plus(3600)});
        let Effect::OperatorInvited {
            id,
            token: Some(token),
        } = self.apply(act).await
        else {
            panic!("an invitation has a token")
        };
        (id.0, token.reveal().clone())
    }

    async fn enrol(&self, entity: &str) {
        let jwks = TestKey::of(entity).jwks();
        self.apply(json!({"act": "enrol", "entity_id": entity, "jwks": jwks,
            "entity_types": ["openid_relying_party"], "is_intermediate": false,
            "metadata": {"openid_relying_party": {"client_name": "粤省事"}},
            "metadata_policy": null, "constraints": null}))
            .await;
    }

    /// Kind, outcome and actor of what was written down.
    async fn audit(&self) -> Vec<(String, String, Option<String>)> {
        sqlx::query_as("SELECT kind, outcome, actor FROM audit_events ORDER BY at, kind")
            .fetch_all(&mut *self.store.read().await.unwrap())
            .await
            .unwrap()
    }

    fn browser(&self) -> Browser<'_> {
        Browser {
            counter: self,
            cookies: BTreeMap::new(),
            device: SoftPasskey::new(true),
            key: None,
            source: "192.0.2.1".to_owned(),
        }
    }

    /// A browser in which somebody with `roles` has just joined.
    async fn joined(&self, roles: &str) -> Browser<'_> {
        let (_, token) = self.invite(roles).await;
        let mut browser = self.browser();
        let answer = browser.join(&token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        browser
    }
}

#[derive(Debug)]
struct Page {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Page {
    fn has(&self, id: &str) -> bool {
        self.body.contains(&format!("id=\"{id}\""))
    }

    /// The value of the first field of this name.
    fn field(&self, name: &str) -> String {
        let (_, rest) = self
            .body
            .split_once(&format!("name=\"{name}\" value=\""))
            .unwrap_or_else(|| panic!("no {name} in {}", self.body));
        rest.split('"').next().unwrap().to_owned()
    }

    /// What scripts send along.
    fn script_token(&self) -> String {
        let (_, rest) = self.body.split_once("data-csrf=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A browser with a passkey device: keeps cookies.
struct Browser<'c> {
    counter: &'c Counter,
    cookies: BTreeMap<String, String>,
    device: SoftPasskey,
    /// The credential's id and the user handle, which the soft device forgets.
    key: Option<(Value, Value)>,
    source: String,
}

impl Browser<'_> {
    async fn send(&mut self, request: axum::http::request::Builder, body: String) -> Page {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = request
            .header(header::COOKIE, cookies.join("; "))
            .extension(Source(self.source.parse().unwrap()))
            .body(Body::from(body))
            .unwrap();
        let answer = self.counter.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let (pair, rest) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            assert!(
                name.starts_with("__Host-")
                    && rest.contains("HttpOnly; SameSite=")
                    && rest.contains("Secure")
            );
            if name.contains("hefu_console") {
                assert!(rest.contains("SameSite=Strict"), "{rest}");
            }
            if rest.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Page {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// As the dispatcher hands it on: without the console's prefix.
    async fn get(&mut self, path: &str) -> Page {
        let path = path.strip_prefix(ROOT).unwrap_or(path);
        self.send(Request::get(path), String::new()).await
    }

    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request =
            Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, body).await
    }

    /// Posts a form of `page`.
    async fn submit(&mut self, page: &Page, path: &str, form: &[(&str, &str)]) -> Page {
        let token = page.field("csrf_token");
        let mut fields = vec![("csrf_token", token.as_str())];
        fields.extend_from_slice(form);
        self.post(path, &fields).await
    }

    /// Confirms what `page` shows.
    async fn confirm(&mut self, page: &Page) -> Page {
        assert!(page.has("confirm-form"), "{}", page.body);
        let act = page.field("act");
        self.submit(page, "/acts", &[("act", &act)]).await
    }

    async fn script(&mut self, token: &str, path: &str, body: &Value) -> Page {
        let request = Request::post(path).header("x-csrf-token", token);
        self.send(request, body.to_string()).await
    }

    /// Makes a passkey from an invitation.
    async fn join(&mut self, invitation: &str) -> Page {
        let page = self.get(&format!("/join?invitation={invitation}")).await;
        assert!(page.has("passkey-register"), "{}", page.body);
        let token = page.script_token();
        let finish = self.registration(&token, invitation).await;
        let path = format!("/join/finish?invitation={invitation}");
        self.script(&token, &path, &finish).await
    }

    /// What the browser sends to end a registration that it begins.
    async fn registration(&mut self, token: &str, invitation: &str) -> Value {
        let path = format!("/join/options?invitation={invitation}");
        let begun = self.script(token, &path, &json!({})).await;
        assert_eq!(begun.status, StatusCode::OK, "{}", begun.body);
        let begun = begun.json();
        let public_key = &begun["options"]["publicKey"];
        assert_eq!(
            public_key["authenticatorSelection"]["userVerification"],
            "required"
        );
        assert_eq!(
            public_key["authenticatorSelection"]["residentKey"],
            "required"
        );
        let handle = public_key["user"]["id"].clone();
        let mut options = begun["options"].clone();
        // The soft device has no resident keys and refuses to promise one.
        options["publicKey"]["authenticatorSelection"]["residentKey"] = json!("discouraged");
        options["publicKey"]["authenticatorSelection"]["requireResidentKey"] = json!(false);
        let options = serde_json::from_value(options).unwrap();
        let origin = ORIGIN.parse().unwrap();
        let credential = self.device.do_registration(origin, options).unwrap();
        let credential = serde_json::to_value(credential).unwrap();
        self.key = Some((credential["rawId"].clone(), handle));
        json!({"ceremony": begun["ceremony"], "credential": credential, "name": "我的工作设备"})
    }

    /// Signs in with the passkey of this browser.
    async fn sign_in(&mut self) -> Page {
        let page = self.get("/sign-in").await;
        assert!(page.has("passkey-login"), "{}", page.body);
        let token = page.script_token();
        let begun = self.script(&token, "/sign-in/options", &json!({})).await;
        if begun.status != StatusCode::OK {
            return begun;
        }
        let begun = begun.json();
        let (key, handle) = self.key.clone().unwrap();
        let mut options = begun["options"].clone();
        assert_eq!(options["publicKey"]["userVerification"], "required");
        // The soft device has no resident keys: it is told which credential, and what a resident key would add.
        options["publicKey"]["allowCredentials"] = json!([{"type": "public-key", "id": key}]);
        let options = serde_json::from_value(options).unwrap();
        let origin = ORIGIN.parse().unwrap();
        let assertion = self.device.do_authentication(origin, options).unwrap();
        let mut assertion = serde_json::to_value(assertion).unwrap();
        assertion["response"]["userHandle"] = handle;
        let finish = json!({"ceremony": begun["ceremony"], "credential": assertion});
        self.script(&token, "/sign-in/finish", &finish).await
    }

    fn is_signed_in(&self) -> bool {
        self.cookies.contains_key("__Host-hefu_console_anchor")
    }
}
