//! Many portals, for whoever wants to see a large federation: each has a host name, an entity configuration and a superior that
//! vouches for it, and nothing else; nobody logs in there. They share the keys of one portal of the plan.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use moka::future::Cache;
use serde_json::{Map, Value, json};

use super::folder::Mark;
use super::plan::{self, Planned, SAMPLE};
use super::{DemoError, enrolment};
use crate::config::Role;
use crate::crypto::{Purpose, Signer};
use crate::federation::authority::NewSubordinate;
use crate::federation::entity::{EntityId, OPENID_RELYING_PARTY, Schemes};
use crate::federation::publish::{Publisher, PublisherSettings};
use crate::oauth::Algorithm;
use crate::server::entity::Opened;
use crate::server::node::Others;
use crate::store::{bump_generation, generation};
use crate::web::federation::{self, FederationState};
use crate::web::house::House;

/// What their host names end with.
pub(super) const HOST: &str = "menhu.localhost";
/// Generation in an authority's database: its part of the crowd is enrolled.
const DONE: &str = "demo.crowd";
const LIFETIME: i64 = 86_400;

/// The identifier of portal `number`, counted from 1.
pub(super) fn id(number: u32, mark: &Mark) -> String {
    plan::of_host(&host(number), mark.port, mark.tls)
}

fn host(number: u32) -> String {
    format!("p{number:05}.{}", HOST.trim_end_matches(".localhost"))
}

/// Who vouches for portal `number`: the provinces and the districts of 重庆 in turn.
fn superior(number: u32) -> &'static Planned {
    let vouching: Vec<_> = plan::all(true)
        .filter(|p| p.role == Role::Intermediate && matches!(p.superior, Some("anchor" | "cq")))
        .collect();
    vouching[number as usize % vouching.len()]
}

/// Enrols the portals that `mark` asks for, where that is not done yet, and says how they are served.
pub(super) async fn settle(entities: &[Opened], mark: &Mark) -> Result<Option<Others>, DemoError> {
    let Some(sample) = entities.iter().find(|e| e.entity.name == SAMPLE.name) else {
        return Ok(None);
    };
    for authority in entities {
        enrol(authority, sample, mark).await?;
    }
    let crowd = Crowd {
        house: sample.house.clone(),
        mark: mark.clone(),
        publishers: Cache::new(1_000),
    };
    Ok(Some(Others {
        below: format!("{HOST}:{}", mark.port),
        router: Router::new()
            .route("/", get(show))
            .fallback(pass_on)
            .with_state(crowd),
    }))
}

async fn enrol(authority: &Opened, sample: &Opened, mark: &Mark) -> Result<(), DemoError> {
    let theirs = (1..=mark.portals).filter(|n| superior(*n).name == authority.entity.name);
    let mut tx = authority.house.store.write().await?;
    if generation(&mut tx, DONE).await? > 0 {
        return Ok(());
    }
    let (jwks, policy) = (
        sample.ring.published(Purpose::Federation),
        enrolment::policy(&SAMPLE),
    );
    for number in theirs {
        let failed = |e: &dyn std::fmt::Display| DemoError::Seed(format!("portal {number}: {e}"));
        let names = json!({
            "client_name": format!("{} {number:05}", SAMPLE.zh),
            "client_name#en": format!("{} {number:05}", SAMPLE.en),
        });
        NewSubordinate {
            entity_id: EntityId::parse(&id(number, mark), Schemes::HttpsOrLoopbackHttp)
                .map_err(|e| failed(&e))?,
            jwks: Value::clone(&jwks),
            entity_types: vec![OPENID_RELYING_PARTY.to_owned()],
            metadata: Some(Map::from_iter([(OPENID_RELYING_PARTY.to_owned(), names)])),
            metadata_policy: policy.clone(),
            constraints: None,
            is_intermediate: false,
        }
        .put(&mut tx, authority.house.now())
        .await?
        .map_err(|e| failed(&e))?;
    }
    bump_generation(&mut tx, DONE).await?;
    Ok(tx.commit().await?)
}

#[derive(Clone)]
struct Crowd {
    house: House,
    mark: Mark,
    publishers: Cache<u32, Arc<Publisher>>,
}

impl Crowd {
    /// Which portal the request is for.
    fn number(&self, request: &Request) -> Option<u32> {
        let host = request.headers().get(header::HOST);
        let host = match request.uri().authority() {
            Some(authority) => authority.as_str(),
            None => host?.to_str().ok()?,
        };
        let number = host.strip_prefix('p')?.split('.').next()?.parse().ok()?;
        let exact = format!("{}.localhost:{}", self::host(number), self.mark.port);
        ((1..=self.mark.portals).contains(&number) && host.eq_ignore_ascii_case(&exact))
            .then_some(number)
    }

    async fn publisher(&self, number: u32) -> Option<Arc<Publisher>> {
        if let Some(known) = self.publishers.get(&number).await {
            return Some(known);
        }
        let parse = |id: &str| EntityId::parse(id, Schemes::HttpsOrLoopbackHttp).ok();
        let id = parse(&id(number, &self.mark))?;
        let superior = parse(&superior(number).id(self.mark.port, self.mark.tls))?;
        let (url, signer) = (id.as_str().to_owned(), Arc::clone(&self.house.signer));
        let metadata = move || {
            let metadata = json!({
                "client_registration_types": ["automatic"],
                "client_name": format!("{} {number:05}", SAMPLE.zh),
                "redirect_uris": [format!("{url}/callback")],
                "response_types": ["code"],
                "grant_types": ["authorization_code"],
                "scope": "openid profile real_name",
                "subject_type": "pairwise",
                "token_endpoint_auth_method": "private_key_jwt",
                "id_token_signed_response_alg": "ES256",
                "jwks": Value::clone(&signer.published(Purpose::Client)),
            });
            Map::from_iter([(OPENID_RELYING_PARTY.to_owned(), metadata)])
        };
        let publisher = Arc::new(Publisher::new(
            PublisherSettings {
                id,
                alg: Algorithm::ES256,
                lifetime: LIFETIME,
                authority_hints: vec![superior],
                metadata: Arc::new(metadata),
                claims: Map::new(),
            },
            Arc::clone(&self.house.signer),
        ));
        self.publishers.insert(number, Arc::clone(&publisher)).await;
        Some(publisher)
    }
}

async fn show(State(crowd): State<Crowd>, request: Request) -> Response {
    match crowd.number(&request) {
        Some(number) => format!(
            "{} {number:05}：只发布实体配置，不能登录。\nIt publishes an entity configuration (/.well-known/openid-federation); nobody logs in here.\n",
            SAMPLE.zh
        )
        .into_response(),
        None => StatusCode::MISDIRECTED_REQUEST.into_response(),
    }
}

/// To the doors of whichever portal is meant.
async fn pass_on(State(crowd): State<Crowd>, request: Request) -> Response {
    let publisher = match crowd.number(&request) {
        Some(number) => crowd.publisher(number).await,
        None => None,
    };
    let Some(publisher) = publisher else {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    };
    let doors = federation::routes(FederationState {
        clock: Arc::clone(&crowd.house.clock),
        publisher,
        history: None,
        authority: None,
    });
    let Ok(response) = tower::ServiceExt::oneshot(doors, request).await;
    response
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn every_province_and_district_has_its_part() {
        let mut parts = HashMap::new();
        for number in 1..=10_000 {
            *parts.entry(superior(number).name).or_insert(0) += 1;
        }
        assert_eq!(parts.len(), 31 + 42);
        assert!(parts.values().all(|part| (136..=137).contains(part)));
    }
}
