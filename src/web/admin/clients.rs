//! `/clients`: those registered here, by hand or by themselves. Those of the federation need no row and are not among them.

use axum::body::Bytes;
use axum::extract::Query;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::act::preview;
use super::desk::{Answer, Failure, OnDuty};
use crate::client::registered::{self, Registered};
use crate::id::ClientId;
use crate::jose::json;
use crate::operator::Act;
use crate::operator::role::{OperatorRole, Room};
use crate::web::view::Problem;
use crate::web::view::admin::{ClientLine, Clients, NewClient, Pages, ShowClient};
use crate::web::view::error::ErrorKind;

/// On one page.
const SHOWN: usize = 50;
/// What is typed into by default.
const EXAMPLE: &str = "{\n  \"client_name\": \"\",\n  \"redirect_uris\": [\"https://\"]\n}";

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
    client: String,
}

pub async fn list(on: OnDuty, Query(asked): Query<Asked>) -> Answer {
    on.enter(Room::Clients).await?;
    let all = registered::list(&mut *on.house().store.read().await?).await?;
    let wanted = asked.q.trim().to_lowercase();
    let lines: Vec<ClientLine> = all
        .into_iter()
        .map(|client| ClientLine {
            name: name(&client.metadata),
            client_id: client.id.0,
            by_itself: client.by_itself,
            added_at: client.created_at,
        })
        .filter(|line| {
            let name = line.name.as_deref().unwrap_or_default().to_lowercase();
            wanted.is_empty()
                || line.client_id.to_lowercase().contains(&wanted)
                || name.contains(&wanted)
        })
        .collect();
    let pages = Pages::of(asked.page, lines.len(), SHOWN);
    on.page(&Clients {
        frame: on.frame_after(asked.notice.as_deref()),
        desk: on.desk(Some(Room::Clients)),
        may_change: may_change(&on),
        total: lines.len(),
        lines: lines.into_iter().skip(pages.skip()).take(SHOWN).collect(),
        searched: asked.q,
        pages,
    })
}

pub async fn show(on: OnDuty, Query(which): Query<Which>) -> Answer {
    on.enter(Room::Clients).await?;
    let found = find(&on, &which.client).await?;
    let metadata = pretty(&found.metadata);
    on.page(&shown(&on, found, metadata, None))
}

pub async fn ask(on: OnDuty) -> Answer {
    on.enter(Room::Clients).await?;
    on.page(&NewClient {
        frame: on.frame(),
        desk: on.desk(Some(Room::Clients)),
        client_id: String::new(),
        metadata: EXAMPLE.to_owned(),
    })
}

pub async fn add(on: OnDuty, body: Bytes) -> Answer {
    on.enter(Room::Clients).await?;
    let form = on.form(&body)?;
    let typed = form.text("client-id").trim();
    let Some(metadata) = object(form.text("metadata")) else {
        let mut frame = on.frame().with_problem(Problem::ClientMetadataInvalid);
        frame.here = on.url("/clients/new");
        let again = NewClient {
            frame,
            desk: on.desk(Some(Room::Clients)),
            client_id: typed.to_owned(),
            metadata: form.text("metadata").to_owned(),
        };
        return Ok(on.show(StatusCode::UNPROCESSABLE_ENTITY, &again));
    };
    let client_id = if typed.is_empty() {
        on.house().rng().id("cl_")
    } else {
        typed.to_owned()
    };
    let act = Act::AddClient {
        client_id: ClientId(client_id),
        metadata,
        secret_expires_at: None,
    };
    preview(&on, act, None).await
}

pub async fn set(on: OnDuty, body: Bytes) -> Answer {
    on.enter(Room::Clients).await?;
    let form = on.form(&body)?;
    let found = find(&on, form.text("client")).await?;
    let Some(metadata) = object(form.text("metadata")) else {
        let typed = form.text("metadata").to_owned();
        let problem = Some(Problem::ClientMetadataInvalid);
        let again = shown(&on, found, typed, problem);
        return Ok(on.show(StatusCode::UNPROCESSABLE_ENTITY, &again));
    };
    let before = pretty(&found.metadata);
    let act = Act::SetClient {
        client_id: found.id,
        metadata,
    };
    preview(&on, act, Some(before)).await
}

pub async fn rotate(on: OnDuty, body: Bytes) -> Answer {
    on.enter(Room::Clients).await?;
    let form = on.form(&body)?;
    let found = find(&on, form.text("client")).await?;
    let act = Act::RotateSecret {
        client_id: found.id,
        secret_expires_at: None,
    };
    preview(&on, act, None).await
}

pub async fn remove(on: OnDuty, body: Bytes) -> Answer {
    on.enter(Room::Clients).await?;
    let form = on.form(&body)?;
    let found = find(&on, form.text("client")).await?;
    let before = pretty(&found.metadata);
    let act = Act::RemoveClient {
        client_id: found.id,
    };
    preview(&on, act, Some(before)).await
}

fn shown(on: &OnDuty, found: Registered, metadata: String, problem: Option<Problem>) -> ShowClient {
    let mut frame = on.frame();
    if let Some(problem) = problem {
        frame = frame.with_problem(problem);
        frame.here = on.url("/clients");
    }
    ShowClient {
        frame,
        desk: on.desk(Some(Room::Clients)),
        may_change: may_change(on),
        name: name(&found.metadata),
        has_secret: found.secret.is_some(),
        secret_expires_at: found.secret_expires_at,
        by_itself: found.by_itself,
        added_at: found.created_at,
        changed_at: found.changed_at,
        client_id: found.id.0,
        metadata,
    }
}

async fn find(on: &OnDuty, client: &str) -> Result<Registered, Failure> {
    let id = ClientId(client.to_owned());
    let plain = !client.is_empty() && client.len() <= 512 && !client.contains('\0');
    let found = if plain {
        registered::find(&mut *on.house().store.read().await?, &id).await?
    } else {
        None
    };
    found.ok_or_else(|| {
        on.error(ErrorKind::NotFound, "this client is not registered here")
            .into()
    })
}

/// Whether whoever sits here may do what this room does.
fn may_change(on: &OnDuty) -> bool {
    on.operator.roles.has(OperatorRole::SecurityOfficer)
}

fn name(metadata: &Map<String, Value>) -> Option<String> {
    metadata
        .get("client_name")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

fn object(text: &str) -> Option<Map<String, Value>> {
    match json::parse(text.as_bytes()) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

fn pretty(metadata: &Map<String, Value>) -> String {
    serde_json::to_string_pretty(metadata).unwrap_or_default()
}
