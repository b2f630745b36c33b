//! What the doors of a provider share: the entity's house, its settings, the ways to its clients, and the frame that
//! every page of it stands in.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use url::Url;

use super::csrf;
use super::error::{Fault, error_json, error_page, reference, retry_after};
use super::house::House;
use super::preferences::Preferences;
use super::view::error::ErrorKind;
use super::view::{Asking, Claimed, Frame, Hop, Language, Place, Vouched};
use crate::brand::Brand;
use crate::client::{self, Client, Platform};
use crate::clock::UnixTime;
use crate::config;
use crate::crypto::Authorities;
use crate::id::PersonId;
use crate::oauth::{Error, ErrorCode};
use crate::provider::authorize::Rules;
use crate::provider::begun::Counter;
use crate::provider::clients::Clients;
use crate::provider::device;
use crate::provider::encrypted;
use crate::provider::logout::Deliverer;
use crate::provider::marks::Allowed;
use crate::provider::target::Offered;
use crate::provider::tokens::{Hint, Issuer};

/// The state of every router of a provider; handed out as `Arc<ProviderHouse>`.
#[derive(Debug)]
pub struct ProviderHouse {
    pub house: House,
    pub settings: config::provider::Provider,
    pub clients: Arc<Clients>,
    /// Who vouches for the names in clients' certificates.
    pub authorities: Option<Authorities>,
}

/// What handlers take.
pub type Provider = Arc<ProviderHouse>;

impl ProviderHouse {
    pub fn rules(&self) -> Rules<'_> {
        Rules {
            issuer: &self.house.id,
            settings: &self.settings,
            sealer: &*self.house.sealer,
            now: self.house.now(),
        }
    }

    /// What its trust marks allow `client` now.
    pub fn allowed(&self, client: &Client) -> Allowed {
        Allowed::of(client, &self.settings.marks, self.house.now())
    }

    pub fn offered(&self) -> Offered<'_> {
        Offered::of(&self.house.id, &self.settings)
    }

    pub fn device_keys(&self) -> device::Keys<'_> {
        device::Keys {
            sealer: &*self.house.sealer,
            indexer: &*self.house.indexer,
        }
    }

    pub fn issuer(&self) -> Issuer<'_> {
        Issuer {
            id: &self.house.id,
            signer: &*self.house.signer,
        }
    }

    /// An ID Token of ours that comes back as a hint, as it was or encrypted to us.
    pub async fn hint(&self, token: &str, now: UnixTime) -> Option<Hint> {
        let keys = &*self.house.decrypter;
        let token = encrypted::open_hint(token, keys, &mut self.house.rng()).await?;
        self.issuer().read_hint(&token, now)
    }

    /// Tells relying parties of ended sessions; run by a job, and at once after a logout.
    pub fn deliverer(&self) -> Deliverer {
        Deliverer {
            store: self.house.store.clone(),
            clients: Arc::clone(&self.clients),
            issuer: Arc::clone(&self.house.id),
            signer: Arc::clone(&self.house.signer),
            outbound: Arc::clone(&self.house.outbound),
        }
    }

    /// Every URL of the endpoint at `path`: at the issuer, and at the alias for clients with certificates (RFC 8705 §5).
    pub fn urls(&self, path: &str) -> Vec<String> {
        let alias = self.settings.mtls.as_ref().map(|mtls| mtls.alias(path));
        std::iter::once(self.house.url(path)).chain(alias).collect()
    }

    /// The entity's path prefix; mostly empty.
    pub fn root(&self) -> String {
        Url::parse(&self.house.id).map_or_else(
            |_| String::new(),
            |url| url.path().trim_end_matches('/').to_owned(),
        )
    }

    /// The frame of a page at `here` (path and query below the entity's prefix), without forms.
    pub fn frame(&self, headers: &HeaderMap, here: &str, ui_locales: Option<&str>) -> Frame {
        self.frame_as(Preferences::of(headers), here, ui_locales)
    }

    /// The same for a page with forms, shown to `person` at the browser that holds `secret`.
    pub fn frame_with_form(
        &self,
        preferences: Preferences,
        here: &str,
        ui_locales: Option<&str>,
        secret: &str,
        person: &PersonId,
        now: UnixTime,
    ) -> Frame {
        Frame {
            csrf: csrf::token(&self.house, secret, Some(person), now),
            ..self.frame_as(preferences, here, ui_locales)
        }
    }

    fn frame_as(&self, preferences: Preferences, here: &str, ui_locales: Option<&str>) -> Frame {
        let brand = Brand::by_slug("national").unwrap_or_else(|| Brand::other("hefu"));
        let root = self.root();
        Frame {
            language: preferences.language(ui_locales),
            elder: preferences.elder(),
            here: format!("{root}{here}"),
            root,
            ..Frame::new(Place::Provider, brand)
        }
    }

    /// An error page outside any interaction.
    pub fn refuse(&self, headers: &HeaderMap, kind: ErrorKind, error: &Error) -> Response {
        let frame = self.frame(headers, "/account", None);
        error_page(frame, kind, error, reference(&self.house, headers), None)
    }

    /// What `source` makes us keep is counted by this.
    pub fn counter<'a>(&'a self, source: &'a str) -> Counter<'a> {
        Counter {
            indexer: &*self.house.indexer,
            settings: &self.settings,
            source,
        }
    }

    /// Too many logins were begun from there.
    pub fn wait(&self, headers: &HeaderMap, seconds: i64) -> Response {
        let error = Error::new(
            ErrorCode::TemporarilyUnavailable,
            "too many logins were begun from this address; try again later",
        );
        retry_after(
            self.refuse(headers, ErrorKind::TooManyRequests, &error),
            seconds,
        )
    }

    /// A fault of ours, as a page.
    pub fn fault_page(&self, headers: &HeaderMap, fault: &Fault) -> Response {
        let reference = reference(&self.house, headers);
        fault.log(&reference);
        let frame = self.frame(headers, "/account", None);
        error_page(frame, ErrorKind::Internal, &Fault::told(), reference, None)
    }

    /// A fault of ours, for a program.
    pub fn fault_json(&self, headers: &HeaderMap, fault: &Fault) -> Response {
        fault.log(&reference(&self.house, headers));
        error_json(&Fault::told())
    }
}

/// Says in our own form what the router refuses before any handler (a body too long or broken off, a wrong method): JSON at
/// the endpoints for programs, a page at the doors for people.
pub async fn say_refusals(
    State(provider): State<Provider>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let headers = request.headers().clone();
    let answer = next.run(request).await;
    let error = match answer.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::invalid_request("the body is too long"),
        StatusCode::METHOD_NOT_ALLOWED => {
            Error::invalid_request("this address does not take this method")
        }
        StatusCode::BAD_REQUEST => Error::invalid_request("the request could not be read"),
        _ => return answer,
    };
    let kind = answer.headers().get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain")) {
        // A handler has said it already.
        return answer;
    }
    let status = answer.status();
    let allow = answer.headers().get(header::ALLOW).cloned();
    let for_browsers = ["/token", "/userinfo", "/revoke"]
        .iter()
        .any(|end| path.ends_with(end));
    let for_programs = for_browsers
        || [
            "/par",
            "/register",
            "/jwks",
            "/options",
            "/finish",
            "/introspect",
            "/device_authorization",
        ]
        .iter()
        .any(|end| path.ends_with(end))
        || path.contains("/register/")
        || path.contains("/.well-known/");
    let mut said = if for_programs {
        error_json(&error)
    } else {
        provider.refuse(&headers, ErrorKind::BadRequest, &error)
    };
    *said.status_mut() = status;
    if let Some(allow) = allow {
        said.headers_mut().insert(header::ALLOW, allow);
    }
    if for_browsers {
        said.headers_mut().insert(
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        );
    }
    said
}

/// Who asks, as a page in `language` shows it.
pub fn asking(platform: &Platform, language: Language) -> Asking {
    let say = |name: &client::Name| name.in_language(language.tag()).to_owned();
    Asking {
        name: platform.name.as_ref().map(say),
        host: platform.host.clone(),
        vouched: match &platform.vouched {
            client::Vouched::Chain { region } => Vouched::Chain {
                region: say(region),
            },
            client::Vouched::Registered => Vouched::Registered,
            client::Vouched::No => Vouched::No,
        },
        chain: platform
            .chain
            .iter()
            .map(|hop| Hop {
                name: say(&hop.name),
                entity_id: hop.entity_id.clone(),
                vouched_until: hop.vouched_until,
            })
            .collect(),
        policy_uri: platform.policy_uri.clone(),
        tos_uri: platform.tos_uri.clone(),
        claimed: platform.claimed.as_ref().map(|claimed| Claimed {
            name: claimed.name.as_ref().map(say),
            policy_uri: claimed.policy_uri.clone(),
            tos_uri: claimed.tos_uri.clone(),
        }),
    }
}
