//! The authorization answer on its way: in the query, in the fragment, or as a form that posts itself.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use url::form_urlencoded;

use super::check_session;
use crate::client::Client;
use crate::provider::answer::{Fields, Finish, Reply};
use crate::provider::request::{Refusal, ResponseMode};
use crate::web::error::Fault;
use crate::web::page::{page_leading_to, see_other};
use crate::web::provider_house::ProviderHouse;
use crate::web::view::error::ErrorKind;
use crate::web::view::login::FormPost;

/// What was refused: told on a page of ours, or to the platform.
pub(super) async fn refuse(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    refusal: Refusal,
    client: &Arc<Client>,
) -> Result<Response, Fault> {
    match refusal {
        Refusal::Page(error) => {
            let kind = if error.description.starts_with("redirect_uri") {
                ErrorKind::WrongReturnAddress
            } else {
                ErrorKind::BadRequest
            };
            Ok(provider.refuse(headers, kind, &error))
        }
        Refusal::Redirect(to, error) => {
            let refused = provider.rules().refuse(to, error);
            let name = client.platform.shown_name();
            send(provider, headers, &refused, client, name).await
        }
    }
}

/// Signs what is still to be signed, and sends it. No connection is held here.
pub(super) async fn send(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    reply: &Reply,
    client: &Arc<Client>,
    platform: &str,
) -> Result<Response, Fault> {
    let house = &provider.house;
    let ready = provider
        .clients
        .ready_to_tell(Arc::clone(client), &reply.to, house.now());
    let client = match ready.await {
        Ok(client) => client,
        Err(Refusal::Page(error) | Refusal::Redirect(_, error)) => {
            return Ok(provider.refuse(headers, ErrorKind::BadRequest, &error));
        }
    };
    let finish = Finish {
        client: &client,
        session_state: check_session::session_state(provider, headers, reply, &client.id),
        access_token: provider.settings.access_token_lifetime,
        id_token: provider.settings.id_token_lifetime,
        now: house.now(),
    };
    let fields = match provider
        .issuer()
        .finish(&mut house.rng(), reply, finish)
        .await?
    {
        Ok(fields) => fields,
        Err(error) => return Ok(provider.refuse(headers, ErrorKind::BadRequest, &error)),
    };
    let answer = put(provider, headers, reply, fields, platform);
    Ok(if reply.nobody {
        check_session::forget(provider, headers, answer)
    } else {
        answer
    })
}

fn put(
    provider: &ProviderHouse,
    headers: &HeaderMap,
    reply: &Reply,
    fields: Fields,
    platform: &str,
) -> Response {
    let encoded = || {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields.iter().map(|(n, v)| (*n, v.as_str())))
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
            let page = FormPost {
                frame: provider.frame(headers, "/account", None),
                action: uri.clone(),
                fields: fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
                platform: platform.to_owned(),
            };
            page_leading_to(StatusCode::OK, &page, &[uri])
        }
    }
}
