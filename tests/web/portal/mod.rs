//! A portal and a provider that may misbehave, with a browser between them.

mod backchannel_logout;
mod callback;
mod federation;
mod frontchannel_logout;
mod initiate;
mod keys;
mod login;
mod logout;
mod provider;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use hefu::brand::Brand;
use hefu::clock::{Clock, MockClock, UnixTime};
use hefu::config::portal::Portal;
use hefu::crypto::{BoxFuture, Purpose};
use hefu::keys::{Kek, KeyRing, Policy, Setup};
use hefu::outbound::{Guard, Options, Outbound};
use hefu::random::RngSource;
use hefu::relying::{Hop, OwnChain, Party, Trust, Untrusted, Vouched};
use hefu::store::{self, Store};
use hefu::web::house::House;
use hefu::web::portal::{PortalHouse, routes};
use tower::ServiceExt;
use url::Url;

use provider::{Claims, Provider};

const PORTAL: &str = "http://yueshengshi.localhost:9";
const NOW: UnixTime = UnixTime(1_795_413_900);

/// A portal in memory, its provider on loopback.
struct Portals {
    provider: Arc<Provider>,
    trust: Arc<FixedTrust>,
    party: Arc<Party>,
    router: Router,
    clock: MockClock,
    _folder: tempfile::TempDir,
}

impl Portals {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut Portal)) -> Self {
        let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let options = store::Options {
            connections: 2,
            durable: false,
        };
        let store = Store::open_file(&folder.path().join("portal.db"), &options)
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let rng = RngSource::System;
        let setup = Setup {
            entity: PORTAL,
            vault: folder.path(),
            kek: Arc::new(Kek::create_file(&folder.path().join("kek"), &mut rng.rng()).unwrap()),
            policy: Policy::shipped().unwrap(),
            // One ring for both sides: the provider signs with the keys for ID Tokens, the portal with its own.
            purposes: &[Purpose::Client, Purpose::IdToken],
        };
        let ring = KeyRing::open(&store, setup, NOW, &mut rng.rng()).await;
        let ring = Arc::new(ring.unwrap());
        let clock = MockClock::at(NOW);
        let (provider, port) = Provider::start(Arc::clone(&ring), clock.clone(), PORTAL).await;
        let outbound = Outbound::new(Options {
            guard: Guard {
                allow: Vec::new(),
                demo_port: Some(port),
            },
            ..Options::default()
        });
        let outbound = Arc::new(outbound.unwrap());
        let mut settings = Portal {
            provider: provider.issuer.clone(),
            ..Portal::default()
        };
        change(&mut settings);
        let trust = Arc::new(FixedTrust(Mutex::new(Some(provider.metadata()))));
        let party = Arc::new(Party::new(
            PORTAL.into(),
            settings,
            Arc::<KeyRing>::clone(&ring),
            Arc::<KeyRing>::clone(&ring),
            Arc::clone(&outbound),
            Arc::<FixedTrust>::clone(&trust),
        ));
        let house = House {
            id: PORTAL.into(),
            store,
            signer: Arc::<KeyRing>::clone(&ring),
            decrypter: Arc::<KeyRing>::clone(&ring),
            sealer: Arc::<KeyRing>::clone(&ring),
            indexer: ring,
            outbound,
            clock: Arc::new(clock.clone()),
            rng,
            plain_http: true,
        };
        let router = routes(PortalHouse {
            house,
            party: Arc::clone(&party),
            brand: Brand::by_slug("yueshengshi").unwrap(),
            region: "广东省".to_owned(),
        });
        Self {
            provider,
            trust,
            party,
            router,
            clock,
            _folder: folder,
        }
    }

    fn browser(&self) -> Browser {
        Browser {
            router: self.router.clone(),
            cookies: BTreeMap::new(),
        }
    }

    /// A browser that has logged in.
    async fn signed_in(&self) -> Browser {
        let mut browser = self.browser();
        let answer = browser.log_in(&self.provider, |_| ()).await;
        assert_eq!(
            (answer.status, answer.location.as_deref()),
            (StatusCode::SEE_OTHER, Some("/")),
            "{}",
            answer.body
        );
        browser
    }
}

/// Says what a test tells it to say; chains are the `federation` room's matter.
#[derive(Debug)]
struct FixedTrust(Mutex<Option<Claims>>);

impl FixedTrust {
    /// From now on, nobody vouches for the provider.
    fn withdraw(&self) {
        *self.0.lock().unwrap() = None;
    }

    fn change(&self, change: impl FnOnce(&mut Claims)) {
        change(self.0.lock().unwrap().as_mut().unwrap());
    }
}

impl Trust for FixedTrust {
    fn provider<'a>(
        &'a self,
        _: &'a str,
        _: UnixTime,
    ) -> BoxFuture<'a, Result<Vouched, Untrusted>> {
        let metadata = self.0.lock().unwrap().clone();
        Box::pin(async move {
            match metadata {
                Some(metadata) => Ok(Vouched {
                    metadata: Arc::new(metadata),
                    chain: hops(&["国家账号", "国家平台"]),
                }),
                None => Err(Untrusted("nobody vouches for it".to_owned())),
            }
        })
    }

    fn own_chain<'a>(&'a self, _: &'a str, _: UnixTime) -> BoxFuture<'a, Option<OwnChain>> {
        Box::pin(async {
            Some(OwnChain {
                statements: vec!["a".to_owned(), "b".to_owned()],
                chain: hops(&["粤省事", "广东省", "国家平台"]),
            })
        })
    }
}

fn hops(names: &[&str]) -> Vec<Hop> {
    let hop = |name: &&str| Hop {
        entity: "http://x.localhost:9".to_owned(),
        name: Some((*name).to_owned()),
        name_en: (*name == "广东省").then(|| "Guangdong".to_owned()),
        vouched_until: Some(NOW.plus(600)),
    };
    names.iter().map(hop).collect()
}

/// A browser that knows only this portal.
#[derive(Clone)]
struct Browser {
    router: Router,
    cookies: BTreeMap<String, String>,
}

struct Answer {
    status: StatusCode,
    location: Option<String>,
    headers: axum::http::HeaderMap,
    body: String,
}

impl Answer {
    /// The text of the element with this id.
    fn text(&self, id: &str) -> &str {
        let start = self.body.find(&format!("id=\"{id}\""));
        let Some(start) = start else {
            panic!("no {id} in {}", self.body)
        };
        let rest = &self.body[start..];
        let rest = &rest[rest.find('>').unwrap() + 1..];
        let rest = rest.strip_prefix("<bdi>").unwrap_or(rest);
        &rest[..rest.find('<').unwrap()]
    }

    fn has(&self, id: &str) -> bool {
        self.body.contains(&format!("id=\"{id}\""))
    }

    fn csrf(&self) -> String {
        let rest = self.body.split("name=\"csrf_token\"").nth(1).unwrap();
        let rest = rest.split("value=\"").nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Browser {
    async fn get(&mut self, path: &str) -> Answer {
        self.ask(Method::GET, path, String::new()).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.ask(Method::POST, path, form).await
    }

    async fn ask(&mut self, method: Method, path: &str, body: String) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, cookies.join("; "))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap();
            assert!(attributes.contains("HttpOnly") && attributes.contains("SameSite=Lax"));
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status,
            location: parts
                .headers
                .get(header::LOCATION)
                .map(|v| v.to_str().unwrap().to_owned()),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// Presses 「国家账号登录」 and returns where that leads.
    async fn press_login(&mut self) -> Url {
        let home = self.get("/").await;
        let answer = self.post("/login", &[("csrf_token", &home.csrf())]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        answer.location.unwrap().parse().unwrap()
    }

    /// A whole login; `change` may spoil the parameters of the way back.
    async fn log_in(
        &mut self,
        provider: &Provider,
        change: impl FnOnce(&mut Vec<(String, String)>),
    ) -> Answer {
        let location = self.press_login().await;
        let (claims, code) = provider.authorize(&location);
        let mut back = vec![
            ("code".to_owned(), code),
            (
                "state".to_owned(),
                claims["state"].as_str().unwrap().to_owned(),
            ),
            ("iss".to_owned(), provider.issuer.clone()),
        ];
        change(&mut back);
        self.come_back(&back).await
    }

    async fn come_back(&mut self, parameters: &[(String, String)]) -> Answer {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        self.get(&format!("/callback?{query}")).await
    }

    fn session(&self) -> Option<&String> {
        self.cookies.get("portal_session")
    }

    /// Whether the portal still knows somebody in this browser.
    async fn is_signed_in(&self) -> bool {
        self.clone().get("/").await.has("portal-name")
    }
}

fn now(portals: &Portals) -> i64 {
    portals.clock.now().0
}
