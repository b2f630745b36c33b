//! The authorization answer on its way: in the query, in the fragment, or as a form that posts itself.

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use url::{Url, form_urlencoded};

use crate::provider::authorize::Reply;
use crate::provider::request::ResponseMode;
use crate::web::page::{page_leading_to, see_other};
use crate::web::provider_house::ProviderHouse;
use crate::web::view::login::FormPost;

pub(super) fn send(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    reply: &Reply,
    platform: Option<&str>,
) -> Response {
    let encoded = || {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(reply.fields.iter().map(|(n, v)| (*n, v.as_str())))
            .finish()
    };
    let uri = &reply.to.redirect_uri;
    match reply.to.mode {
        // RFC 6749 §3.1.2: a query that was registered stays.
        ResponseMode::Query => {
            let glue = if uri.contains('?') { '&' } else { '?' };
            see_other(&format!("{uri}{glue}{}", encoded()))
        }
        ResponseMode::Fragment => see_other(&format!("{uri}#{}", encoded())),
        ResponseMode::FormPost => {
            let host = Url::parse(uri)
                .ok()
                .and_then(|u| u.host_str().map(str::to_owned));
            let page = FormPost {
                frame: provider.frame(headers, "/account", None),
                action: uri.clone(),
                fields: reply
                    .fields
                    .iter()
                    .map(|(n, v)| ((*n).to_owned(), v.clone()))
                    .collect(),
                platform: platform.map(str::to_owned).or(host).unwrap_or_default(),
            };
            page_leading_to(StatusCode::OK, &page, &[uri])
        }
    }
}
