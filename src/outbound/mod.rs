//! The only way out: every request to another party passes here. Addresses are checked against the guard before and
//! after resolution, sizes and times are bounded, redirects are not followed, one slow destination cannot take all places.

mod guard;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use url::Url;

pub use guard::{Guard, Refusal};

/// Bounds of one request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For everything, from resolving the name to the last byte.
    pub time: Duration,
    /// Bytes of the answer's body.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
            body: 512 * 1024,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("{url}: {refusal}")]
    Refused { url: String, refusal: Refusal },
    #[error("{url}: no answer within {} s", limit.as_secs())]
    Timeout { url: String, limit: Duration },
    #[error("{url}: the answer is longer than {limit} bytes")]
    TooLarge { url: String, limit: usize },
    #[error("{url}: {reason}")]
    Transport { url: String, reason: String },
}

/// How the way out is built.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub guard: Guard,
    /// Extra trust roots, PEM.
    pub trust_roots: Vec<Vec<u8>>,
    /// Requests under way to one host and port at once; 0 means the default of 16.
    pub per_destination: usize,
}

/// The HTTP client of a node. Shared by its entities.
#[derive(Clone)]
pub struct Outbound {
    client: reqwest::Client,
    guard: Arc<Guard>,
    per_destination: usize,
    places: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
}

impl Outbound {
    pub fn new(options: Options) -> Result<Self, OutboundError> {
        let guard = Arc::new(options.guard);
        let broken = |e: reqwest::Error| OutboundError::Transport {
            url: String::new(),
            reason: chain_of(&e),
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that makes HTTP clients"
        )]
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Duration::from_mins(1))
            .user_agent("hefu")
            .dns_resolver(Arc::new(GuardedResolver(Arc::clone(&guard))));
        for pem in &options.trust_roots {
            for root in reqwest::Certificate::from_pem_bundle(pem).map_err(broken)? {
                builder = builder.add_root_certificate(root);
            }
        }
        Ok(Self {
            client: builder.build().map_err(broken)?,
            guard,
            per_destination: if options.per_destination == 0 {
                16
            } else {
                options.per_destination
            },
            places: Arc::default(),
        })
    }

    /// Fetches `url` with `Accept: accept`.
    pub async fn get(
        &self,
        url: &Url,
        accept: &str,
        limits: &Limits,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let request = http::Request::get(url.as_str())
            .header(http::header::ACCEPT, accept)
            .body(Vec::new());
        self.send(request.map_err(|e| transport(url.as_str(), &e))?, limits)
            .await
    }

    /// Posts `body` to `url`.
    pub async fn post(
        &self,
        url: &Url,
        content_type: &str,
        body: Vec<u8>,
        limits: &Limits,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let request = http::Request::post(url.as_str())
            .header(http::header::CONTENT_TYPE, content_type)
            .body(body);
        self.send(request.map_err(|e| transport(url.as_str(), &e))?, limits)
            .await
    }

    /// Sends any request. A status that is not a success is an answer, not an error.
    pub async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        limits: &Limits,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        // Errors name scheme, host and path only: queries may hold what no log should.
        let shown = shown(request.uri());
        let url = Url::parse(&request.uri().to_string()).map_err(|e| transport(&shown, &e))?;
        self.guard
            .check_url(&url)
            .map_err(|refusal| OutboundError::Refused {
                url: shown.clone(),
                refusal,
            })?;
        let place = self.place(&url);
        let work = async {
            let _place = place.acquire().await.map_err(|e| transport(&shown, &e))?;
            self.exchange(request, limits, &shown).await
        };
        match tokio::time::timeout(limits.time, work).await {
            Ok(result) => result,
            Err(_) => Err(OutboundError::Timeout {
                url: shown.clone(),
                limit: limits.time,
            }),
        }
    }

    async fn exchange(
        &self,
        request: http::Request<Vec<u8>>,
        limits: &Limits,
        shown: &str,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let failed = |e: reqwest::Error| match refusal_in(&e) {
            Some(refusal) => OutboundError::Refused {
                url: shown.to_owned(),
                refusal,
            },
            None => OutboundError::Transport {
                url: shown.to_owned(),
                reason: chain_of(&e),
            },
        };
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        let mut response = self.client.execute(request).await.map_err(failed)?;
        let too_large = || OutboundError::TooLarge {
            url: shown.to_owned(),
            limit: limits.body,
        };
        if response
            .content_length()
            .is_some_and(|n| n > limits.body as u64)
        {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > limits.body {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = http::Response::new(body);
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }

    fn place(&self, url: &Url) -> Arc<Semaphore> {
        let name = format!(
            "{}:{}",
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or_default()
        );
        let mut places = self
            .places
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if places.len() > 4096 {
            // Bounded memory: destinations with nothing under way are forgotten.
            places.retain(|_, place| Arc::strong_count(place) > 1);
        }
        Arc::clone(
            places
                .entry(name)
                .or_insert_with(|| Arc::new(Semaphore::new(self.per_destination))),
        )
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

/// Resolves names and lets only checked addresses through; the connection goes to exactly these (no DNS rebinding).
struct GuardedResolver(Arc<Guard>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let addresses: Vec<SocketAddr> = match guard.loopback_name(&host) {
                Some(address) => vec![SocketAddr::new(address, 0)],
                None => tokio::net::lookup_host((host.as_str(), 0)).await?.collect(),
            };
            let checked = guard.check_addresses(&host, addresses)?;
            Ok(Box::new(checked.into_iter()) as Addrs)
        })
    }
}

fn shown(uri: &http::Uri) -> String {
    let host = uri.host().unwrap_or("?");
    let port = uri
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!(
        "{}://{host}{port}{}",
        uri.scheme_str().unwrap_or("?"),
        uri.path()
    )
}

fn transport(url: &str, e: &dyn std::error::Error) -> OutboundError {
    OutboundError::Transport {
        url: url.to_owned(),
        reason: chain_of(e),
    }
}

/// The innermost causes say what went wrong; URLs are cut off because they may hold what no log should.
fn chain_of(e: &dyn std::error::Error) -> String {
    let mut causes = Vec::new();
    let mut next = e.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    if causes.is_empty() {
        "the request failed".to_owned()
    } else {
        causes.join(": ")
    }
}

fn refusal_in(e: &reqwest::Error) -> Option<Refusal> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(e);
    while let Some(cause) = next {
        if let Some(refusal) = cause.downcast_ref::<Refusal>() {
            return Some(refusal.clone());
        }
        next = cause.source();
    }
    None
}
