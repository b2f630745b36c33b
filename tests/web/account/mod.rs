//! Login, creation, real name, step-up, recovery and the account centre, through the real routers, with a register and a gateway in memory.

mod begun;
mod centre;
mod create;
mod hostile;
mod leave;
mod login;
mod recover;
mod register;
mod told;
mod verify;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use hefu::authn::hashing::{Hasher, Places};
use hefu::authn::passkey::Passkeys;
use hefu::clock::{Clock, MockClock, UnixTime};
use hefu::config;
use hefu::crypto::{BoxFuture, Purpose};
use hefu::id::PersonId;
use hefu::identity::notice::Deliverer;
use hefu::identity::sms::{Gateway, NotSent};
use hefu::identity::source::{Match, Query, Source, SourceError};
use hefu::identity::{Keys, People, Person, Phone, person, synthetic};
use hefu::keys::{Kek, KeyRing, Policy, Setup};
use hefu::outbound::Outbound;
use hefu::provider::clients::Clients;
use hefu::random::RngSource;
use hefu::store::{Options, Store};
use hefu::web::account::{self, AccountHouse, notices};
use hefu::web::house::House;
use hefu::web::oidc;
use hefu::web::preferences;
use hefu::web::provider_house::ProviderHouse;
use hefu::web::source;
use tower::ServiceExt as _;

const ISSUER: &str = "http://id.localhost:8080";
const NOW: UnixTime = UnixTime(1_795_413_900);
const PASSWORD: &str = synthetic::PASSWORD;

/// The register: knows the synthetic people, and can be told to fail.
#[derive(Debug, Default)]
struct Register {
    fault: Mutex<Option<SourceError>>,
    asked: Mutex<usize>,
    /// Phones that changed hands since.
    phones: Mutex<BTreeMap<String, String>>,
    /// Whose phone is taken away while the next answer is on its way.
    meanwhile: Mutex<Option<(Store, PersonId)>>,
}

impl Source for Register {
    fn name(&self) -> &'static str {
        "register"
    }

    fn matches<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Result<Match, SourceError>> {
        Box::pin(async move {
            *self.asked.lock().unwrap() += 1;
            let meanwhile = self.meanwhile.lock().unwrap().take();
            if let Some((store, person)) = meanwhile {
                let mut conn = store.read().await.unwrap();
                person::detach_phone(&mut conn, &person).await.unwrap();
            }
            if let Some(fault) = self.fault.lock().unwrap().clone() {
                return Err(fault);
            }
            let number = query.number.plain();
            let Some(citizen) = synthetic::CITIZENS.iter().find(|c| c.number == number) else {
                return Ok(Match::NoSuchNumber);
            };
            let phones = self.phones.lock().unwrap();
            let phone = phones.get(number).map_or(citizen.phone, String::as_str);
            let same = citizen.name == query.name.as_str()
                && query.phone.is_none_or(|asked| asked.local() == phone);
            Ok(if same {
                Match::Yes {
                    check_id: "chk-1".to_owned(),
                }
            } else {
                Match::No
            })
        })
    }
}

/// The gateway: keeps what was sent.
#[derive(Debug, Default)]
struct Outbox {
    sent: Mutex<Vec<(String, String)>>,
    broken: Mutex<bool>,
}

impl Gateway for Outbox {
    fn send<'a>(&'a self, to: &'a Phone, text: &'a str) -> BoxFuture<'a, Result<(), NotSent>> {
        Box::pin(async move {
            if *self.broken.lock().unwrap() {
                return Err(NotSent::because("told to fail"));
            }
            let message = (to.local().to_owned(), text.to_owned());
            self.sent.lock().unwrap().push(message);
            Ok(())
        })
    }
}

struct TestHouse {
    clock: MockClock,
    store: Store,
    ring: Arc<KeyRing>,
    register: Arc<Register>,
    outbox: Arc<Outbox>,
    /// The job that sends notices.
    notices: Deliverer,
    router: Router,
    _folder: tempfile::TempDir,
}

impl TestHouse {
    async fn new() -> Self {
        let people = config::people::People::default();
        Self::with(people, config::provider::Provider::default()).await
    }

    /// With the accounts of the demo.
    async fn with(people: config::people::People, settings: config::provider::Provider) -> Self {
        let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            connections: 4,
            durable: false,
        };
        let store = Store::open_file(&folder.path().join("id.db"), &options)
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let rng = RngSource::System;
        let clock = MockClock::at(NOW);
        let setup = Setup {
            entity: ISSUER,
            vault: folder.path(),
            kek: Arc::new(Kek::create_file(&folder.path().join("kek"), &mut rng.rng()).unwrap()),
            policy: Policy::shipped().unwrap(),
            purposes: &[Purpose::Audit],
        };
        let ring = Arc::new(
            KeyRing::open(&store, setup, NOW, &mut rng.rng())
                .await
                .unwrap(),
        );
        let (register, outbox) = (Arc::<Register>::default(), Arc::<Outbox>::default());
        let people = People {
            settings: people,
            source: Arc::<Register>::clone(&register),
            sms: Arc::<Outbox>::clone(&outbox),
            passwords: Hasher::new(64, 1, 1, Places::new(2, 64)).unwrap(),
            passkeys: Passkeys::new(ISSUER, "国家账号").ok(),
        };
        let keys = Keys {
            sealer: &*ring,
            indexer: &*ring,
        };
        // Twice: the second time changes nothing.
        for _ in 0..2 {
            synthetic::seed(&store, keys, &people, &mut rng.rng(), NOW)
                .await
                .unwrap();
        }
        let provider = Arc::new(ProviderHouse {
            authorities: None,
            clients: Arc::new(Clients::new(&settings, None, true).unwrap()),
            house: House {
                id: ISSUER.into(),
                store: store.clone(),
                signer: Arc::<KeyRing>::clone(&ring),
                decrypter: Arc::<KeyRing>::clone(&ring),
                sealer: Arc::<KeyRing>::clone(&ring),
                indexer: Arc::<KeyRing>::clone(&ring),
                outbound: Arc::new(Outbound::new(hefu::outbound::Options::default()).unwrap()),
                clock: Arc::new(clock.clone()),
                rng,
                plain_http: true,
            },
            settings,
        });
        let notices = notices::deliverer(&provider.house, &people);
        let router = oidc::routes(Arc::clone(&provider))
            .merge(account::routes(AccountHouse {
                provider,
                people: Arc::new(people),
            }))
            .merge(preferences::router());
        Self {
            clock,
            store,
            ring,
            register,
            outbox,
            notices,
            router,
            _folder: folder,
        }
    }

    fn browser(&self) -> Browser<'_> {
        Browser {
            house: self,
            cookies: BTreeMap::new(),
            at: String::new(),
            source: "192.0.2.1".parse().unwrap(),
        }
    }

    fn browser_at(&self, source: &str) -> Browser<'_> {
        Browser {
            source: source.parse().unwrap(),
            ..self.browser()
        }
    }

    async fn holder_of(&self, phone: &str) -> Option<PersonId> {
        let mut conn = self.store.read().await.unwrap();
        person::by_phone(&mut conn, &*self.ring, &Phone::parse(phone).unwrap())
            .await
            .unwrap()
    }

    async fn person(&self, id: &PersonId) -> Person {
        let mut conn = self.store.read().await.unwrap();
        person::find(&mut conn, &*self.ring, id)
            .await
            .unwrap()
            .unwrap()
    }

    async fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&mut *self.store.read().await.unwrap())
            .await
            .unwrap()
    }

    /// Waits until the tries that follow an act at once are over and so many notices are left for the job.
    async fn notices_settled(&self, left: i64) {
        // Put off, not under way: due again before the lease of a claimed one would end.
        let sql = "SELECT COUNT(*) FROM notices WHERE next_at <> $1";
        let waiting = async || -> i64 {
            sqlx::query_scalar(sql)
                .bind(self.now().plus(10))
                .fetch_one(&mut *self.store.read().await.unwrap())
                .await
                .unwrap()
        };
        let settled = async {
            while waiting().await > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), settled)
            .await
            .expect("notices are tried at once");
        assert_eq!(self.count("notices").await, left);
    }

    fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// The newest code sent to `phone`.
    fn code(&self, phone: &str) -> String {
        let sent = self.outbox.sent.lock().unwrap();
        let (_, text) = sent
            .iter()
            .rev()
            .find(|(to, text)| to == phone && text.contains("验证码"))
            .unwrap_or_else(|| panic!("no code was sent to {phone}"));
        text.split(|c: char| !c.is_ascii_digit())
            .find(|run| run.len() == 6)
            .unwrap()
            .to_owned()
    }

    fn messages(&self, phone: &str) -> Vec<String> {
        let sent = self.outbox.sent.lock().unwrap();
        sent.iter()
            .filter(|(to, _)| to == phone)
            .map(|(_, text)| text.clone())
            .collect()
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

    fn csrf(&self) -> String {
        let (_, rest) = self
            .body
            .split_once("name=\"csrf_token\" value=\"")
            .unwrap_or_else(|| panic!("no token in {}", self.body));
        rest.split('"').next().unwrap().to_owned()
    }
}

/// A browser: keeps cookies, follows redirects.
struct Browser<'h> {
    house: &'h TestHouse,
    cookies: BTreeMap<String, String>,
    /// The path of the page shown.
    at: String,
    source: IpAddr,
}

impl Browser<'_> {
    async fn send(&mut self, request: axum::http::request::Builder, body: String) -> Page {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        let request = request
            .header(header::COOKIE, cookies.join("; "))
            .header(header::USER_AGENT, "Firefox/140.0 Linux")
            .extension(source::Source(self.source))
            .body(Body::from(body))
            .unwrap();
        let answer = self.house.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let (pair, rest) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            assert!(rest.contains("HttpOnly") && rest.contains("SameSite=Lax"));
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

    async fn get(&mut self, path: &str) -> Page {
        let mut page = self.send(Request::get(path), String::new()).await;
        self.at = path.to_owned();
        for _ in 0..8 {
            if page.status != StatusCode::SEE_OTHER {
                return page;
            }
            let to = page.headers[header::LOCATION].to_str().unwrap();
            self.at = to.strip_prefix(ISSUER).unwrap_or(to).to_owned();
            let at = self.at.clone();
            page = self.send(Request::get(&at), String::new()).await;
        }
        panic!("redirects without end at {}", self.at)
    }

    /// Posts a form and does not follow.
    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request =
            Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, body).await
    }

    /// Reads the page at `path`, posts its form there, follows.
    async fn submit(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let token = self.get(path).await.csrf();
        self.post_with(&token, path, form).await
    }

    /// Posts a form whose token is known, follows.
    async fn post_with(&mut self, token: &str, path: &str, form: &[(&str, &str)]) -> Page {
        let mut fields = vec![("csrf_token", token)];
        fields.extend_from_slice(form);
        let answer = self.post(path, &fields).await;
        if answer.status != StatusCode::SEE_OTHER {
            return answer;
        }
        let to = answer.headers[header::LOCATION].to_str().unwrap();
        let to = to.strip_prefix(ISSUER).unwrap_or(to).to_owned();
        self.get(&to).await
    }

    /// Goes to the account centre, which leads to the login page; the interaction's path.
    async fn arrive(&mut self) -> String {
        let page = self.get("/account").await;
        assert!(page.has("login-form"), "{}", page.body);
        self.at.strip_suffix("/login").unwrap().to_owned()
    }

    async fn log_in(&mut self, phone: &str) -> Page {
        let base = self.arrive().await;
        self.submit(
            &format!("{base}/login"),
            &[("username", phone), ("password", PASSWORD)],
        )
        .await
    }

    /// Phone and code of a new account.
    async fn prove_phone(&mut self, base: &str, way: &str, phone: &str) -> Page {
        let page = self
            .submit(&format!("{base}{way}"), &[("phone", phone)])
            .await;
        assert!(page.has("code-form"), "{}", page.body);
        assert!(!page.body.contains(phone), "the whole number is shown");
        let code = self.house.code(phone);
        self.submit(&format!("{base}{way}/code"), &[("code", &code)])
            .await
    }

    async fn create(&mut self, phone: &str) -> Page {
        let base = self.arrive().await;
        let page = self.prove_phone(&base, "/create", phone).await;
        assert!(page.has("password-form"), "{}", page.body);
        self.submit(
            &format!("{base}/create/password"),
            &[("new-password", PASSWORD), ("repeat-password", PASSWORD)],
        )
        .await
    }

    fn session(&self) -> Option<&String> {
        self.cookies.get("hefu_session")
    }
}
