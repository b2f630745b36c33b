//! `/subordinates`: whom this entity vouches for, what it says about each, and the acts that change it.

use axum::body::Bytes;
use axum::extract::Query;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::act::preview;
use super::desk::{Answer, Failure, OnDuty};
use crate::federation::EntityId;
use crate::federation::authority::{AuthorityError, NewSubordinate, Subordinate, faces};
use crate::federation::entity::Schemes;
use crate::jose::json;
use crate::operator::Act;
use crate::operator::role::{OperatorRole, Room};
use crate::web::account::form::Form;
use crate::web::view::admin::{Enrol, Line, Pages, ShowSubordinate, Subordinates, Typed};
use crate::web::view::error::ErrorKind;
use crate::web::view::{Language, Problem};

/// On one page.
const SHOWN: usize = 50;

#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    page: usize,
    notice: Option<String>,
}

#[derive(Deserialize)]
pub struct Which {
    #[serde(default)]
    entity: String,
}

pub async fn list(on: OnDuty, Query(asked): Query<Asked>) -> Answer {
    on.enter(Room::Subordinates).await?;
    let all = faces(&mut *on.house().store.read().await?, i64::MAX).await?;
    let frame = on.frame_after(asked.notice.as_deref());
    let languages: &[&str] = match frame.language {
        Language::Chinese => &["zh-CN", "zh"],
        Language::English => &["en"],
    };
    let wanted = asked.q.trim().to_lowercase();
    let lines: Vec<Line> = all
        .into_iter()
        .map(|face| Line {
            name: face.name.map(|name| name.best(languages).to_owned()),
            entity_id: face.entity_id.to_string(),
            is_intermediate: face.is_intermediate,
        })
        .filter(|line| {
            let name = line.name.as_deref().unwrap_or_default().to_lowercase();
            wanted.is_empty() || line.entity_id.contains(&wanted) || name.contains(&wanted)
        })
        .collect();
    let pages = Pages::of(asked.page, lines.len(), SHOWN);
    on.page(&Subordinates {
        frame,
        desk: on.desk(Some(Room::Subordinates)),
        may_change: may_change(&on),
        total: lines.len(),
        lines: lines.into_iter().skip(pages.skip()).take(SHOWN).collect(),
        searched: asked.q,
        pages,
    })
}

pub async fn show(on: OnDuty, Query(which): Query<Which>) -> Answer {
    on.enter(Room::Subordinates).await?;
    let found = find(&on, &which.entity).await?;
    let statement = statement(&on, &found.entity_id).await?;
    let policy = found
        .metadata_policy
        .as_ref()
        .map(pretty)
        .unwrap_or_default();
    on.page(&shown(&on, found, policy, statement))
}

pub async fn ask(on: OnDuty) -> Answer {
    on.enter(Room::Subordinates).await?;
    on.page(&Enrol {
        frame: on.frame(),
        desk: on.desk(Some(Room::Subordinates)),
        typed: Typed::default(),
    })
}

pub async fn enrol(on: OnDuty, body: Bytes) -> Answer {
    on.enter(Room::Subordinates).await?;
    let form = on.form(&body)?;
    match read_new(&on, &form) {
        Ok(new) => {
            let before =
                Subordinate::find(&mut *on.house().store.read().await?, &new.entity_id).await?;
            let before = before.map(|before| pretty(&told(&again(&before))));
            preview(&on, Act::Enrol(Box::new(new)), before).await
        }
        Err(problem) => {
            let mut frame = on.frame().with_problem(problem);
            frame.here = on.url("/subordinates/new");
            let shown = Enrol {
                frame,
                desk: on.desk(Some(Room::Subordinates)),
                typed: Typed::of(|name| form.text(name).to_owned()),
            };
            Ok(on.show(StatusCode::UNPROCESSABLE_ENTITY, &shown))
        }
    }
}

pub async fn drop(on: OnDuty, body: Bytes) -> Answer {
    on.enter(Room::Subordinates).await?;
    let form = on.form(&body)?;
    let found = find(&on, form.text("entity")).await?;
    let before = pretty(&told(&again(&found)));
    let act = Act::Drop {
        entity_id: found.entity_id,
    };
    preview(&on, act, Some(before)).await
}

/// Another policy for a subordinate whose other particulars stay.
pub async fn policy(on: OnDuty, body: Bytes) -> Answer {
    on.enter(Room::Subordinates).await?;
    let form = on.form(&body)?;
    let found = find(&on, form.text("entity")).await?;
    let statement = statement(&on, &found.entity_id).await?;
    let before = pretty(&told(&again(&found)));
    let mut new = again(&found);
    let Ok(policy) = optional(&form, "policy") else {
        let typed = form.text("policy").to_owned();
        let mut again = shown(&on, found, typed, statement);
        again.frame = again.frame.with_problem(Problem::PolicyInvalid);
        again.frame.here = on.url("/subordinates");
        return Ok(on.show(StatusCode::UNPROCESSABLE_ENTITY, &again));
    };
    new.metadata_policy = policy;
    preview(&on, Act::Enrol(Box::new(new)), Some(before)).await
}

fn shown(on: &OnDuty, found: Subordinate, policy: String, statement: String) -> ShowSubordinate {
    ShowSubordinate {
        frame: on.frame(),
        desk: on.desk(Some(Room::Subordinates)),
        may_change: may_change(on),
        entity_id: found.entity_id.to_string(),
        types: found.entity_types,
        intermediate: found.intermediate_since.is_some(),
        added_at: found.added_at,
        updated_at: found.updated_at,
        policy,
        statement,
    }
}

/// Whether whoever sits here may do what this room does.
fn may_change(on: &OnDuty) -> bool {
    on.operator.roles.has(OperatorRole::FederationOfficer)
}

/// What was typed, as far as its form can be judged; what it means is judged by the dry run.
fn read_new(on: &OnDuty, form: &Form) -> Result<NewSubordinate, Problem> {
    let entity_id = EntityId::parse(form.text("entity").trim(), schemes(on))
        .map_err(|_| Problem::EntityInvalid)?;
    let jwks = json::parse(form.text("jwks").as_bytes()).map_err(|_| Problem::KeysInvalid)?;
    let kind = form.text("type");
    let (entity_type, name) = match kind {
        "openid_relying_party" => (kind, "client_name"),
        "openid_provider" => (kind, "organization_name"),
        _ => ("federation_entity", "organization_name"),
    };
    let mut names = Map::new();
    for (field, parameter) in [("name", name.to_owned()), ("name-en", format!("{name}#en"))] {
        let value = form.text(field).trim();
        if !value.is_empty() {
            names.insert(parameter, value.into());
        }
    }
    Ok(NewSubordinate {
        entity_id,
        jwks,
        metadata: (!names.is_empty())
            .then(|| Map::from_iter([(entity_type.to_owned(), Value::Object(names))])),
        metadata_policy: optional(form, "policy").map_err(|()| Problem::PolicyInvalid)?,
        constraints: optional(form, "constraints").map_err(|()| Problem::ConstraintsInvalid)?,
        is_intermediate: kind == "federation_entity",
        entity_types: vec![entity_type.to_owned()],
    })
}

fn optional(form: &Form, field: &str) -> Result<Option<Value>, ()> {
    match form.text(field).trim() {
        "" => Ok(None),
        text => json::parse(text.as_bytes()).map(Some).map_err(|_| ()),
    }
}

async fn find(on: &OnDuty, entity: &str) -> Result<Subordinate, Failure> {
    let id = EntityId::parse(entity, schemes(on)).ok();
    let found = match &id {
        Some(id) => Subordinate::find(&mut *on.house().store.read().await?, id).await?,
        None => None,
    };
    found.ok_or_else(|| {
        on.error(
            ErrorKind::NotFound,
            "this entity is not an immediate subordinate",
        )
        .into()
    })
}

/// The claims of the statement, as whoever asks is given them now.
async fn statement(on: &OnDuty, entity: &EntityId) -> Result<String, Failure> {
    let Some(authority) = &on.console.authority else {
        return Ok(String::new());
    };
    match authority.fetch(entity.as_str(), on.now).await {
        Ok(jwt) => {
            let payload = jwt.split('.').nth(1).unwrap_or_default();
            let claims = URL_SAFE_NO_PAD
                .decode(payload)
                .ok()
                .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            Ok(claims.as_ref().map(pretty).unwrap_or_default())
        }
        Err(AuthorityError::Store(e)) => Err(e.into()),
        Err(e) => {
            tracing::error!(error = %e, "the console could not show a statement");
            Ok(String::new())
        }
    }
}

/// What is stored, as it would be enrolled again.
fn again(found: &Subordinate) -> NewSubordinate {
    NewSubordinate {
        entity_id: found.entity_id.clone(),
        jwks: found.jwks.clone(),
        entity_types: found.entity_types.clone(),
        metadata: found.metadata.as_ref().and_then(Value::as_object).cloned(),
        metadata_policy: found.metadata_policy.clone(),
        constraints: found.constraints.clone(),
        is_intermediate: found.intermediate_since.is_some(),
    }
}

fn told(new: &NewSubordinate) -> Value {
    serde_json::to_value(new).unwrap_or_default()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn schemes(on: &OnDuty) -> Schemes {
    if on.house().plain_http {
        Schemes::HttpsOrLoopbackHttp
    } else {
        Schemes::HttpsOnly
    }
}
