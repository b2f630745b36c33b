//! What the demonstration's operators have done: every superior has met its subordinates, taken their keys, and said
//! what they are called and what they may ask for. Done once; what an operator changes afterwards stays.

use serde_json::{Map, Value, json};

use super::DemoError;
use super::plan::{MARKS, Planned, mark_type};
use crate::config::Role;
use crate::crypto::{Purpose, Signer};
use crate::federation::EntityId;
use crate::federation::authority::{NewSubordinate, give_trust_mark};
use crate::federation::entity::Schemes;
use crate::server::entity::Opened;
use crate::store::{bump_generation, generation};

const DONE: &str = "demo.enrolment";
const MARKED: &str = "demo.trust_marks";

/// Enrols every entity at its superior, unless that superior's operator has done so at an earlier start.
pub async fn enrol(entities: &[Opened]) -> Result<(), DemoError> {
    for superior in entities
        .iter()
        .filter(|e| matches!(e.role(), Role::Anchor | Role::Intermediate))
    {
        let mut tx = superior.house.store.write().await?;
        if generation(&mut tx, DONE).await? > 0 {
            continue;
        }
        for opened in entities {
            let Some(planned) = Planned::by_name(&opened.entity.name) else {
                continue;
            };
            if planned.superior != Some(superior.entity.name.as_str()) {
                continue;
            }
            let subordinate = subordinate(planned, opened)?;
            subordinate
                .put(&mut tx, superior.house.now())
                .await?
                .map_err(|e| DemoError::Seed(format!("{}: {e}", planned.name)))?;
        }
        bump_generation(&mut tx, DONE).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Gives the marks of the plan, unless the issuer's operator has done so at an earlier start.
pub async fn mark(entities: &[Opened], port: u16, tls: bool) -> Result<(), DemoError> {
    for issuer in entities {
        let issued = || MARKS.iter().filter(|(_, by, _)| *by == issuer.entity.name);
        if issued().next().is_none() {
            continue;
        }
        let mut tx = issuer.house.store.write().await?;
        if generation(&mut tx, MARKED).await? > 0 {
            continue;
        }
        for (name, _, bearer) in issued() {
            let Some(bearer) = entities.iter().find(|e| e.entity.name == *bearer) else {
                continue;
            };
            let id = EntityId::parse(&bearer.entity.address.id, Schemes::HttpsOrLoopbackHttp)
                .map_err(|e| DemoError::Seed(format!("{}: {e}", bearer.entity.name)))?;
            let kind = mark_type(name, port, tls);
            give_trust_mark(&mut tx, &kind, &id, None, issuer.house.now()).await?;
        }
        bump_generation(&mut tx, MARKED).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn subordinate(planned: &Planned, opened: &Opened) -> Result<NewSubordinate, DemoError> {
    let entity_id = EntityId::parse(&opened.entity.address.id, Schemes::HttpsOrLoopbackHttp)
        .map_err(|e| DemoError::Seed(format!("{}: {e}", planned.name)))?;
    let (entity_type, name) = match planned.role {
        Role::Portal => ("openid_relying_party", "client_name"),
        Role::Provider => ("openid_provider", "organization_name"),
        _ => ("federation_entity", "organization_name"),
    };
    let mut names = Map::new();
    names.insert(name.to_owned(), planned.zh.into());
    names.insert(format!("{name}#en"), planned.en.into());
    let mut metadata = Map::new();
    metadata.insert(entity_type.to_owned(), Value::Object(names));
    Ok(NewSubordinate {
        entity_id,
        jwks: Value::clone(&opened.ring.published(Purpose::Federation)),
        entity_types: vec![entity_type.to_owned()],
        metadata: Some(metadata),
        metadata_policy: policy(planned),
        constraints: (planned.superior == Some("anchor") && planned.role == Role::Intermediate)
            // 省市县乡村: a province may have three levels between itself and a portal's superior, and no more.
            .then(|| json!({"max_path_length": 4})),
        is_intermediate: planned.role == Role::Intermediate,
    })
}

/// The nation says what any portal may be; a province narrows what its own portals may ask for.
pub(super) fn policy(planned: &Planned) -> Option<Value> {
    match (planned.role, planned.superior) {
        (Role::Intermediate, Some("anchor")) => Some(json!({"openid_relying_party": {
            "client_registration_types": {"subset_of": ["automatic", "explicit"]},
            "grant_types": {"subset_of": ["authorization_code", "refresh_token"]},
            "response_types": {"subset_of": ["code"], "essential": true},
            "subject_type": {"value": "pairwise"},
            "token_endpoint_auth_method": {"one_of": ["private_key_jwt"], "essential": true},
            "id_token_signed_response_alg": {"one_of": ["RS256", "ES256", "EdDSA"]},
            "scope": {"subset_of": ["openid", "profile", "phone", "real_name", "offline_access"]},
        }})),
        (Role::Portal, _) => Some(of_portals()),
        _ => None,
    }
}

/// What a province lets its portals have, those that join later too.
pub(super) fn of_portals() -> Value {
    json!({"openid_relying_party": {
        "scope": {"subset_of": ["openid", "profile", "real_name"], "superset_of": ["openid"]},
        "grant_types": {"subset_of": ["authorization_code"]},
    }})
}
