//! Request objects by reference (OIDC Core 6.2, RFC 9101 §5.2): which addresses may be asked, and what stands behind them. What was
//! fetched is opened like any other request object. References of pushed requests are not fetched; they are `waiting`'s.

use std::sync::Arc;

use moka::future::Cache;
use tokio::sync::Mutex;
use url::Url;

use super::{Parameters, Refusal, unopened};
use crate::client::Client;
use crate::clock::UnixTime;
use crate::oauth::{Error, ErrorCode};
use crate::outbound::Outbound;
use crate::provider::fetch::{Fetched, Kind, fetch};
use crate::provider::waiting;

const KIND: Kind = Kind {
    media_types: &["application/oauth-authz-req+jwt", "application/jwt"],
    most_bytes: 64 * 1024,
    shortest: 0,
    usual: 60,
    longest: 300,
};
/// Objects that are remembered at most.
const MOST: u64 = 500;
/// OIDC Core 6.2.
const LONGEST: usize = 512;

/// Fetches request objects; remembers those whose address tells versions apart by a fragment.
#[derive(Debug)]
pub struct References {
    outbound: Arc<Outbound>,
    known: Cache<String, Arc<Mutex<Option<Fetched>>>>,
    /// Only addresses that the client registered are asked (`require_request_uri_registration`).
    registered_only: bool,
    plain_http: bool,
}

impl References {
    pub fn new(outbound: Arc<Outbound>, registered_only: bool, plain_http: bool) -> Self {
        Self {
            outbound,
            known: Cache::new(MOST),
            registered_only,
            plain_http,
        }
    }

    /// `sent` with the object in the place of its `request_uri`. Goes out: no connection of the store may be held by the caller.
    pub async fn followed(
        &self,
        sent: Parameters,
        client: &Client,
        now: UnixTime,
    ) -> Result<Parameters, Refusal> {
        let Some(uri) = sent
            .get("request_uri")
            .filter(|uri| !uri.starts_with(waiting::PREFIX))
        else {
            return Ok(sent);
        };
        let refuse = |error| unopened(&sent, client, error);
        if sent.get("request").is_some() {
            return Err(refuse(Error::invalid_request(
                "request and request_uri exclude each other",
            )));
        }
        let url = self.checked(uri, client).map_err(refuse)?;
        let object = self.behind(uri, &url, now).await.map_err(refuse)?;
        Ok(sent.with("request", object).without(&["request_uri"]))
    }

    fn checked(&self, uri: &str, client: &Client) -> Result<Url, Error> {
        let url = Url::parse(uri)
            .ok()
            .filter(|url| uri.len() <= LONGEST && uri.is_ascii() && self.may_be_asked(url))
            .ok_or_else(|| {
                invalid("request_uri is not an https address of at most 512 characters")
            })?;
        // OIDC Core 6.2, OIDC Registration 2: compared without the fragment.
        let bare = |uri: &str| uri.split('#').next().unwrap_or_default().to_owned();
        let wanted = bare(uri);
        if self.registered_only && !client.request_uris.iter().any(|r| bare(r) == wanted) {
            return Err(invalid(
                "request_uri is not one of those registered for this client",
            ));
        }
        Ok(url)
    }

    fn may_be_asked(&self, url: &Url) -> bool {
        url.scheme() == "https" || (self.plain_http && url.scheme() == "http")
    }

    async fn behind(&self, uri: &str, url: &Url, now: UnixTime) -> Result<String, Error> {
        let unreadable = |reason: String| {
            tracing::info!(
                host = url.host_str(),
                reason,
                "a request object could not be fetched"
            );
            invalid("no request object could be read from request_uri")
        };
        if url.fragment().is_none() {
            // Nothing tells whether it has changed.
            let fetched = fetch(&self.outbound, url, KIND, now).await;
            return fetched
                .map(|f| f.text.trim().to_owned())
                .map_err(|e| unreadable(e.0));
        }
        let place = self
            .known
            .get_with(uri.to_owned(), async { Arc::default() })
            .await;
        let mut place = place.lock().await;
        if let Some(known) = place.as_ref().filter(|known| now < known.until) {
            return Ok(known.text.trim().to_owned());
        }
        let fetched = fetch(&self.outbound, url, KIND, now)
            .await
            .map_err(|e| unreadable(e.0))?;
        let text = fetched.text.trim().to_owned();
        *place = Some(fetched);
        Ok(text)
    }
}

fn invalid(description: &'static str) -> Error {
    Error::new(ErrorCode::InvalidRequestUri, description)
}
