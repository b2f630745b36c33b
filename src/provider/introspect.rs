//! Introspection (RFC 7662): what a token is worth, told to those who may know: the client that holds it, and the resource
//! that it is made out to. To everybody else every token is inactive.

use serde_json::{Map, Value, json};

use super::grants;
use super::issued::{Issued, as_aud};
use super::person;
use super::target::Offered;
use super::tokens::Issuer;
use crate::client::Client;
use crate::clock::UnixTime;
use crate::config::provider::Provider;
use crate::store::{Conn, Error};

/// What `client` is told of `token`; `None`: nothing but that it is not active.
pub async fn introspect(
    conn: &mut Conn,
    issuer: &Issuer<'_>,
    settings: &Provider,
    client: &Client,
    token: &str,
    now: UnixTime,
) -> Result<Option<Map<String, Value>>, Error> {
    match issuer.read_issued(token, now) {
        Ok(issued) => {
            let Some(view) = View::of(&issued, settings, client) else {
                return Ok(None);
            };
            Ok(issued
                .grant(conn, now)
                .await?
                .map(|_| view.tell(&issued, issuer.id, settings)))
        }
        Err(_) => refresh_token(conn, issuer, client, token, now).await,
    }
}

/// What somebody may see of an access token.
enum View {
    /// It is the client's own.
    Whole,
    /// It is made out to these, which the client is.
    Resources(Vec<String>),
}

impl View {
    fn of(issued: &Issued, settings: &Provider, client: &Client) -> Option<Self> {
        if issued.client == client.id {
            return Some(Self::Whole);
        }
        let here: Vec<String> = settings
            .resources
            .iter()
            .filter(|resource| resource.servers.contains(&client.id.0))
            .map(|resource| resource.uri.clone())
            .filter(|uri| issued.is_for(uri))
            .collect();
        (!here.is_empty()).then_some(Self::Resources(here))
    }

    /// RFC 7662 §2.2. A resource learns what concerns it (RFC 9701 §9: no more than that), not what the token opens elsewhere.
    fn tell(&self, issued: &Issued, issuer: &str, settings: &Provider) -> Map<String, Value> {
        let mut told = Map::new();
        for name in [
            "iss",
            "sub",
            "client_id",
            "iat",
            "exp",
            "jti",
            "auth_time",
            "acr",
            "amr",
            "cnf",
            "act",
        ] {
            if let Some(value) = issued.claims.get(name) {
                told.insert(name.to_owned(), value.clone());
            }
        }
        let details = issued.claims.get("authorization_details");
        let (audience, scope, details) = match self {
            Self::Whole => (
                issued.audience.clone(),
                issued.scope.clone(),
                details.cloned(),
            ),
            Self::Resources(here) => {
                let offered = Offered::of(issuer, settings);
                let concerning = details.and_then(Value::as_array).map(|all| {
                    all.iter()
                        .filter(|detail| is_at(detail, here))
                        .cloned()
                        .collect()
                });
                let scope = issued.scope.filtered(|name| offered.means(name, here));
                (here.clone(), scope, concerning)
            }
        };
        told.insert("aud".to_owned(), as_aud(&audience));
        if !scope.is_empty() {
            told.insert("scope".to_owned(), scope.to_string().into());
        }
        // RFC 9396 §9.2.
        if let Some(details) = details.filter(|d| d.as_array().is_some_and(|a| !a.is_empty())) {
            told.insert("authorization_details".to_owned(), details);
        }
        // RFC 9449 §6.2: a key is what makes the difference.
        let bound = issued
            .claims
            .get("cnf")
            .is_some_and(|cnf| cnf.get("jkt").is_some());
        told.insert(
            "token_type".to_owned(),
            if bound { "DPoP" } else { "Bearer" }.into(),
        );
        told.insert("active".to_owned(), true.into());
        told
    }
}

/// Whether a detail of a token names one of these places, or none at all.
fn is_at(detail: &Value, here: &[String]) -> bool {
    match detail.get("locations").and_then(Value::as_array) {
        None => true,
        Some(places) => places
            .iter()
            .any(|place| here.iter().any(|uri| place == uri.as_str())),
    }
}

/// A refresh token concerns nobody but its client.
async fn refresh_token(
    conn: &mut Conn,
    issuer: &Issuer<'_>,
    client: &Client,
    token: &str,
    now: UnixTime,
) -> Result<Option<Map<String, Value>>, Error> {
    let found = grants::find_refresh_token(conn, token, now).await?;
    let Some(stored) = found.filter(|s| s.client == client.id && s.used_at.is_none()) else {
        return Ok(None);
    };
    let Some(grant) = grants::find(conn, &stored.grant, now).await? else {
        return Ok(None);
    };
    let sub = person::sub_of(conn, &grant.person, &grant.terms.sector).await?;
    let told = json!({
        "active": true,
        "iss": issuer.id,
        "sub": sub,
        "client_id": grant.client,
        "scope": grant.terms.scope,
        "iat": stored.issued_at,
        "exp": stored.expires_at,
        "auth_time": grant.terms.auth_time,
        "acr": grant.terms.acr,
    });
    Ok(match told {
        Value::Object(map) => Some(map),
        _ => None,
    })
}
