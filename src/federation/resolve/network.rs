//! Documents over HTTP, through `outbound`: which address, which media type, which answer counts.

use url::Url;

use crate::crypto::BoxFuture;
use crate::federation::entity::Schemes;
use crate::federation::resolve::{Document, Fetch, FetchError};
use crate::outbound::{Limits, Outbound};

/// Fetches documents from other parties.
#[derive(Debug, Clone)]
pub struct Network {
    outbound: Outbound,
    limits: Limits,
    schemes: Schemes,
}

impl Network {
    pub fn new(outbound: Outbound, limits: Limits, schemes: Schemes) -> Self {
        Self {
            outbound,
            limits,
            schemes,
        }
    }

    async fn get(&self, document: &Document) -> Result<String, FetchError> {
        let (url, media_type) = self.address(document)?;
        let answer = if let Document::TrustMarkStatus { trust_mark, .. } = document {
            // §8.4.1: always by POST.
            let form = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("trust_mark", trust_mark)
                .finish();
            self.outbound
                .post(&url, FORM, form.into_bytes(), &self.limits)
                .await
        } else {
            self.outbound.get(&url, media_type, &self.limits).await
        };
        let answer = answer.map_err(|e| FetchError::Unreachable(e.to_string()))?;
        let status = answer.status();
        if status != http::StatusCode::OK {
            return Err(FetchError::Answer(format!(
                "{}: answered {status}",
                shown(&url)
            )));
        }
        // §15: compared without parameters and case.
        let content_type = answer
            .headers()
            .get(http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .unwrap_or_default()
            .trim();
        let plain_json = media_type == JWKS && content_type.eq_ignore_ascii_case(JSON);
        if !content_type.eq_ignore_ascii_case(media_type) && !plain_json {
            return Err(FetchError::Answer(format!(
                "{}: answered with {content_type:?} instead of {media_type}",
                shown(&url)
            )));
        }
        String::from_utf8(answer.into_body())
            .map_err(|_| FetchError::Answer(format!("{}: the answer is not text", shown(&url))))
    }

    fn address(&self, document: &Document) -> Result<(Url, &'static str), FetchError> {
        let (text, media_type) = match document {
            Document::Configuration(id) => (id.configuration_url(), STATEMENT),
            Document::Subordinate { endpoint, .. } => (endpoint.clone(), STATEMENT),
            Document::List { endpoint } => (endpoint.clone(), JSON),
            Document::Jwks { url } => (url.clone(), JWKS),
            Document::SignedJwks { url } => (url.clone(), SIGNED_JWKS),
            Document::Sector { url } => (url.clone(), JSON),
            Document::TrustMarkStatus { endpoint, .. } => (endpoint.clone(), TRUST_MARK_STATUS),
            Document::TrustMark { endpoint, .. } => (endpoint.clone(), TRUST_MARK),
        };
        let refused = |reason: &str| FetchError::Unreachable(format!("{text:?} {reason}"));
        let mut url = Url::parse(&text).map_err(|_| refused("is not a URL"))?;
        if !self.schemes.allow(&url) || url.fragment().is_some() {
            return Err(refused("is not an address that may be fetched"));
        }
        if let Document::Subordinate { subject, .. } = document {
            // §8: an endpoint may have a query already; it is kept.
            url.query_pairs_mut().append_pair("sub", subject.as_str());
        }
        if let Document::TrustMark {
            trust_mark_type,
            subject,
            ..
        } = document
        {
            url.query_pairs_mut()
                .append_pair("trust_mark_type", trust_mark_type)
                .append_pair("sub", subject.as_str());
        }
        Ok((url, media_type))
    }
}

impl Fetch for Network {
    fn fetch<'a>(&'a self, document: &'a Document) -> BoxFuture<'a, Result<String, FetchError>> {
        Box::pin(self.get(document))
    }
}

const STATEMENT: &str = "application/entity-statement+jwt";
const SIGNED_JWKS: &str = "application/jwk-set+jwt";
const TRUST_MARK: &str = "application/trust-mark+jwt";
const TRUST_MARK_STATUS: &str = "application/trust-mark-status-response+jwt";
const FORM: &str = "application/x-www-form-urlencoded";
const JWKS: &str = "application/jwk-set+json";
const JSON: &str = "application/json";

fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}
