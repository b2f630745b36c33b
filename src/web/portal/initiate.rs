//! `/initiate-login` (OIDC Core 4): somebody else, mostly the provider, sends a citizen here to log in. Nothing of theirs counts but the
//! name of our own provider, a hint for it, and a page of ours to come to afterwards.

use axum::extract::{RawForm, RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use url::form_urlencoded::Serializer;

use crate::relying::LoginError;
use crate::relying::login::{self, Initiation};
use crate::relying::metadata::INITIATE_LOGIN;
use crate::web::csrf;
use crate::web::page::{see_other, with_cookie};
use crate::web::portal::PortalHouse;

pub async fn by_get(
    State(portal): State<PortalHouse>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    match begun(&portal, &headers, query.unwrap_or_default().as_bytes()).await {
        Ok(answer) => answer,
        Err(error) => portal.failed(&headers, &error),
    }
}

/// A POST from another site comes without our Lax cookies: the browser comes back by GET, with them.
pub async fn by_post(
    State(portal): State<PortalHouse>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Response {
    match Initiation::parse(&form) {
        Ok(initiation) => {
            let mut query = Serializer::new(String::new());
            query.append_pair("iss", &initiation.iss);
            let optional = [
                ("login_hint", &initiation.login_hint),
                ("target_link_uri", &initiation.target_link_uri),
            ];
            for (name, value) in optional {
                if let Some(value) = value {
                    query.append_pair(name, value);
                }
            }
            see_other(&format!(
                "{}?{}",
                portal.path(INITIATE_LOGIN),
                query.finish()
            ))
        }
        Err(error) => portal.failed(&headers, &error),
    }
}

async fn begun(
    portal: &PortalHouse,
    headers: &HeaderMap,
    query: &[u8],
) -> Result<Response, LoginError> {
    let wish = Initiation::parse(query)?.accept(&portal.party)?;
    let house = &portal.house;
    let (secret, cookie) = csrf::browser(house, headers);
    let language = portal.frame(headers, "/").language.tag();
    let location = login::start(
        &portal.party,
        &house.store,
        &mut house.rng(),
        house.now(),
        &secret,
        &login::Wish { language, ..wish },
    )
    .await?;
    let answer = see_other(location.as_str());
    Ok(match cookie {
        Some(cookie) => with_cookie(answer, cookie),
        None => answer,
    })
}
