//! Drives full logins over HTTP against a provider that runs on this machine, and prints what they cost.
//!
//! Two ways in, by what plays the relying party:
//! - through a portal (`--portal http://yueshengshi.localhost:PORT`): the portal signs the request, redeems the code and asks
//!   UserInfo. Works against `hefu demo` as it is; the measured process is then provider and portal together.
//! - as a registered client (`--provider … --client-id … --client-secret … --redirect-uri …`): this program is the relying
//!   party, so the measured process is the provider alone, whatever its database.
//!
//! Two kinds of login: `session` (authorize, token, userinfo with session and consent at hand) and `password` (a fresh browser
//! each time: pages, forms, argon2). The load is bounded in number and in time, and stays on this machine.
#![expect(
    clippy::disallowed_methods,
    reason = "a load driver reads the clock and makes its own requests"
)]

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::{Parser, ValueEnum};
use hefu::{crypto::sha256, random::RngSource};
use reqwest::{
    StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{COOKIE, LOCATION, SET_COOKIE},
};
use tokio::sync::Mutex;
use url::Url;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser, Clone)]
#[command(about = "Full logins over HTTP against a provider on this machine, and what they cost")]
struct Options {
    /// The portal to log in at.
    #[arg(long, required_unless_present = "provider")]
    portal: Option<Url>,
    /// The provider, when this program is the relying party.
    #[arg(
        long,
        requires = "client_id",
        requires = "client_secret",
        requires = "redirect_uri"
    )]
    provider: Option<Url>,
    #[arg(long)]
    client_id: Option<String>,
    #[arg(long)]
    client_secret: Option<String>,
    #[arg(long)]
    redirect_uri: Option<Url>,
    /// Account to log in with; repeat for several.
    #[arg(long, default_values_t = ["14000000001".to_owned(), "14000000002".to_owned(), "14000000003".to_owned()])]
    user: Vec<String>,
    #[arg(long, default_value = "Hefu-demo-2026")]
    password: String,
    #[arg(long, value_enum, default_values_t = [Kind::Session, Kind::Password])]
    kind: Vec<Kind>,
    /// Logins of each kind.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    logins: u32,
    /// Logins under way at once.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    concurrency: u32,
    /// No new login is begun after so many seconds.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// The server's process, whose CPU time is read from /proc.
    #[arg(long)]
    pid: Option<u32>,
    /// What to call the database in the printed line.
    #[arg(long, default_value = "sqlite")]
    database: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Session,
    Password,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::parse();
    for url in [&options.portal, &options.provider].into_iter().flatten() {
        stays_here(url)?;
    }
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    println!(
        "database  kind      logins  failed  logins/s     p50     p90     p99     max  server CPU per login"
    );
    for &kind in &options.kind {
        run(&options, kind).await?;
    }
    Ok(())
}

async fn run(options: &Options, kind: Kind) -> Result<(), Failure> {
    let relying = Arc::new(relying_party(options).await?);
    // Browsers that have their session and consent before the clock starts.
    let mut browsers = Vec::new();
    for worker in 0..options.concurrency {
        let user = options.user[worker as usize % options.user.len()].clone();
        let mut browser = Browser::new(&user, &options.password)?;
        browser
            .log_in(&relying)
            .await
            .map_err(|e| format!("the first login of {user}: {e}"))?;
        browsers.push(browser);
    }

    let cpu_before = options.pid.map(cpu_seconds).transpose()?;
    let left = Arc::new(AtomicUsize::new(options.logins as usize));
    let taken = Arc::new(Mutex::new(Vec::new()));
    let failures = Arc::new(Mutex::new(Vec::new()));
    let start = Instant::now();
    let end = start + Duration::from_secs(options.seconds);
    let mut workers = tokio::task::JoinSet::new();
    for mut browser in browsers {
        let (relying, left, taken, failures) = (
            relying.clone(),
            left.clone(),
            taken.clone(),
            failures.clone(),
        );
        workers.spawn(async move {
            while Instant::now() < end
                && left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                    .is_ok()
            {
                match kind {
                    Kind::Session => browser.forget(relying.host()),
                    Kind::Password => browser.jar.clear(),
                }
                let began = Instant::now();
                match browser.log_in(&relying).await {
                    Ok(typed) if typed == (kind == Kind::Password) => {
                        taken.lock().await.push(began.elapsed());
                    }
                    Ok(_) => failures
                        .lock()
                        .await
                        .push("it was another kind of login".to_owned()),
                    Err(e) => failures.lock().await.push(e.to_string()),
                }
            }
        });
    }
    while let Some(done) = workers.join_next().await {
        done?;
    }
    let elapsed = start.elapsed();

    let mut taken = std::mem::take(&mut *taken.lock().await);
    let failures = std::mem::take(&mut *failures.lock().await);
    taken.sort();
    let at = |per_mille: usize| {
        let index = (taken.len() * per_mille / 1000).min(taken.len().saturating_sub(1));
        taken.get(index).map_or_else(
            || "-".to_owned(),
            |d| format!("{:.1} ms", d.as_secs_f64() * 1000.0),
        )
    };
    let count = f64::from(u32::try_from(taken.len())?);
    let cpu = match (cpu_before, options.pid) {
        (Some(before), Some(pid)) if !taken.is_empty() => {
            format!("{:.2} ms", (cpu_seconds(pid)? - before) * 1000.0 / count)
        }
        _ => "-".to_owned(),
    };
    println!(
        "{:<9} {:<9} {:>6} {:>7} {:>9.1} {:>7} {:>7} {:>7} {:>7}  {cpu}",
        options.database,
        if kind == Kind::Session {
            "session"
        } else {
            "password"
        },
        taken.len(),
        failures.len(),
        count / elapsed.as_secs_f64(),
        at(500),
        at(900),
        at(990),
        at(1000),
    );
    if let Some(first) = failures.first() {
        return Err(format!("{} logins failed, the first: {first}", failures.len()).into());
    }
    Ok(())
}

/// What plays the relying party.
#[expect(clippy::large_enum_variant, reason = "there is only one")]
enum Relying {
    Portal {
        home: Url,
    },
    Client {
        id: String,
        secret: String,
        redirect_uri: Url,
        authorize: Url,
        token: Url,
        userinfo: Url,
    },
}

async fn relying_party(options: &Options) -> Result<Relying, Failure> {
    if let Some(home) = &options.portal {
        return Ok(Relying::Portal { home: home.clone() });
    }
    let missing = "--provider also needs --client-id, --client-secret and --redirect-uri";
    let provider = options.provider.as_ref().ok_or(missing)?;
    let discovery = format!(
        "{}/.well-known/openid-configuration",
        provider.as_str().trim_end_matches('/')
    );
    let metadata: serde_json::Value = http()?
        .get(discovery)
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let endpoint = |name: &str| -> Result<Url, Failure> {
        let url: Url = metadata[name]
            .as_str()
            .ok_or_else(|| format!("discovery has no {name}"))?
            .parse()?;
        stays_here(&url)?;
        Ok(url)
    };
    Ok(Relying::Client {
        id: options.client_id.clone().ok_or(missing)?,
        secret: options.client_secret.clone().ok_or(missing)?,
        redirect_uri: options.redirect_uri.clone().ok_or(missing)?,
        authorize: endpoint("authorization_endpoint")?,
        token: endpoint("token_endpoint")?,
        userinfo: endpoint("userinfo_endpoint")?,
    })
}

impl Relying {
    fn host(&self) -> &str {
        match self {
            Self::Portal { home } => home.host_str().unwrap_or_default(),
            Self::Client { redirect_uri, .. } => redirect_uri.host_str().unwrap_or_default(),
        }
    }

    fn is_callback(&self, url: &Url) -> bool {
        match self {
            Self::Portal { home } => {
                url.host_str() == home.host_str() && url.path().ends_with("/callback")
            }
            Self::Client { redirect_uri, .. } => {
                url.host_str() == redirect_uri.host_str() && url.path() == redirect_uri.path()
            }
        }
    }
}

/// A browser without script: cookies by host, redirects one by one, forms as they come.
struct Browser {
    http: reqwest::Client,
    user: String,
    password: String,
    jar: HashMap<String, HashMap<String, String>>,
}

struct Page {
    url: Url,
    status: StatusCode,
    to: Option<Url>,
    body: String,
}

impl Browser {
    fn new(user: &str, password: &str) -> Result<Self, Failure> {
        Ok(Self {
            http: http()?,
            user: user.to_owned(),
            password: password.to_owned(),
            jar: HashMap::new(),
        })
    }

    fn forget(&mut self, host: &str) {
        self.jar.remove(host);
    }

    /// One login from the first request to the claims; answers whether the password had to be typed.
    async fn log_in(&mut self, relying: &Relying) -> Result<bool, Failure> {
        let mut typed = false;
        let verifier = RngSource::System.rng().token();
        let mut page = match relying {
            Relying::Portal { home } => {
                let home = self.get(home.clone()).await?;
                self.submit(&home, "portal-login-form", &[]).await?
            }
            Relying::Client {
                id,
                redirect_uri,
                authorize,
                ..
            } => {
                let mut url = authorize.clone();
                url.query_pairs_mut().extend_pairs([
                    ("client_id", id.as_str()),
                    ("redirect_uri", redirect_uri.as_str()),
                    ("response_type", "code"),
                    ("scope", "openid real_name"),
                    ("state", "s"),
                    ("nonce", "n"),
                    ("code_challenge_method", "S256"),
                    (
                        "code_challenge",
                        &URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes())),
                    ),
                ]);
                self.get(url).await?
            }
        };
        for _ in 0..20 {
            page = match &page.to {
                Some(to) if relying.is_callback(to) => {
                    self.finish(relying, to.clone(), &verifier).await?;
                    return Ok(typed);
                }
                Some(to) => self.get(to.clone()).await?,
                None if page.body.contains("id=\"login-form\"") => {
                    typed = true;
                    let (user, password) = (self.user.clone(), self.password.clone());
                    self.submit(
                        &page,
                        "login-form",
                        &[("username", &user), ("password", &password)],
                    )
                    .await?
                }
                None if page.body.contains("id=\"consent-form\"") => {
                    self.submit(&page, "consent-form", &[("decision", "allow")])
                        .await?
                }
                None => return Err(format!("{} at {}", page.status, page.url).into()),
            };
        }
        Err("redirected for ever".into())
    }

    async fn finish(
        &mut self,
        relying: &Relying,
        callback: Url,
        verifier: &str,
    ) -> Result<(), Failure> {
        match relying {
            Relying::Portal { .. } => {
                let page = self.get(callback).await?;
                if page.to.is_none() {
                    return Err(
                        format!("the portal answered {} at {}", page.status, page.url).into(),
                    );
                }
            }
            Relying::Client {
                id,
                secret,
                redirect_uri,
                token,
                userinfo,
                ..
            } => {
                let code = callback
                    .query_pairs()
                    .find(|(name, _)| name == "code")
                    .map(|(_, value)| value.into_owned());
                let code = code.ok_or_else(|| format!("no code: {callback}"))?;
                let form = [
                    ("grant_type", "authorization_code"),
                    ("code", &code),
                    ("redirect_uri", redirect_uri.as_str()),
                    ("code_verifier", verifier),
                ];
                let answer = self
                    .http
                    .post(token.clone())
                    .basic_auth(id, Some(secret))
                    .form(&form)
                    .send()
                    .await?;
                let tokens: serde_json::Value = answer.error_for_status()?.json().await?;
                let access = tokens["access_token"].as_str().ok_or("no access token")?;
                let claims = self
                    .http
                    .get(userinfo.clone())
                    .bearer_auth(access)
                    .send()
                    .await?
                    .error_for_status()?;
                claims.bytes().await?;
            }
        }
        Ok(())
    }

    async fn get(&mut self, url: Url) -> Result<Page, Failure> {
        self.send(self.http.get(url.clone()), url).await
    }

    async fn submit(
        &mut self,
        page: &Page,
        form: &str,
        fill: &[(&str, &str)],
    ) -> Result<Page, Failure> {
        let (action, hidden) =
            read_form(page, form).ok_or_else(|| format!("no form {form} at {}", page.url))?;
        let fields: Vec<(&str, &str)> = hidden
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .chain(fill.iter().copied())
            .collect();
        let request = self
            .http
            .post(action.clone())
            .header("origin", page.url.origin().ascii_serialization())
            .form(&fields);
        self.send(request, action).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder, url: Url) -> Result<Page, Failure> {
        stays_here(&url)?;
        let jar = self
            .jar
            .entry(url.host_str().unwrap_or_default().to_owned())
            .or_default();
        let cookies: Vec<String> = jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let answer = request.header(COOKIE, cookies.join("; ")).send().await?;
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let text = cookie.to_str()?;
            if let Some((name, value)) =
                text.split(';').next().and_then(|pair| pair.split_once('='))
            {
                if text.to_ascii_lowercase().contains("max-age=0") {
                    jar.remove(name);
                } else {
                    jar.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        let to = answer
            .headers()
            .get(LOCATION)
            .map(|to| url.join(to.to_str().unwrap_or_default()))
            .transpose()?;
        Ok(Page {
            status: answer.status(),
            to,
            body: answer.text().await?,
            url,
        })
    }
}

/// Action and hidden fields of one of hefu's own forms.
fn read_form(page: &Page, id: &str) -> Option<(Url, Vec<(String, String)>)> {
    let at = page.body.find(&format!("id=\"{id}\""))?;
    let start = page.body[..at].rfind('<')?;
    let form = &page.body[start..start + page.body[start..].find("</form")?];
    let attribute = |tag: &str, name: &str| {
        let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
        Some(
            tag[start..start + tag[start..].find('"')?]
                .replace("&amp;", "&")
                .replace("&#38;", "&"),
        )
    };
    let action = attribute(&form[..form.find('>')?], "action").unwrap_or_default();
    let hidden = form
        .split("<input")
        .skip(1)
        .filter_map(|input| {
            let tag = &input[..input.find('>')?];
            (attribute(tag, "type")? == "hidden").then_some(())?;
            Some((
                attribute(tag, "name")?,
                attribute(tag, "value").unwrap_or_default(),
            ))
        })
        .collect();
    Some((page.url.join(&action).ok()?, hidden))
}

fn http() -> Result<reqwest::Client, Failure> {
    Ok(reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(Localhost))
        .timeout(Duration::from_secs(30))
        .build()?)
}

/// A load test knows no other machine.
fn stays_here(url: &Url) -> Result<(), Failure> {
    let here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    if here {
        Ok(())
    } else {
        Err(format!("{url} is not on this machine").into())
    }
}

struct Localhost;

impl Resolve for Localhost {
    fn resolve(&self, _: Name) -> Resolving {
        let here: Addrs = Box::new(std::iter::once(SocketAddr::new(
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            0,
        )));
        Box::pin(async move { Ok(here) })
    }
}

/// User and system time of a process, from fields 14 and 15 of /proc/PID/stat (proc(5)).
fn cpu_seconds(pid: u32) -> Result<f64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').ok_or("an odd /proc/PID/stat")?.1;
    let ticks: Vec<u32> = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    // USER_HZ is 100 on every Linux that this runs on.
    Ok(f64::from(ticks.iter().sum::<u32>()) / 100.0)
}
