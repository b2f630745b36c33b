//! The operators' console of each entity: its address, its doors, its job. Served on the private listener; the demonstration, which has one
//! port, serves it there under a host of its own.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;

use super::entity::{OpenError, Opened, Shared};
use super::rooms::{self, Built};
use crate::authn::{ceremony, throttle};
use crate::brand::Brand;
use crate::config::{Address, Role};
use crate::jobs::Task;
use crate::operator::passkey::Passkeys;
use crate::operator::{invitation, session};
use crate::store;
use crate::web::admin::{self, Console};
use crate::web::house::House;

/// The console of `opened`, where the node has consoles; a stand-in has nothing to operate.
pub fn of(
    opened: &Opened,
    shared: &Shared,
    built: &Built,
) -> Result<Option<(Address, Router)>, OpenError> {
    let Some(at) = shared.console(&opened.entity) else {
        return Ok(None);
    };
    let wrong = |reason: String| OpenError::Settings {
        entity: opened.entity.name.clone(),
        reason,
    };
    let address =
        Address::parse(&at, shared.plain_http).map_err(|e| wrong(format!("console.origin {e}")))?;
    let federation = &opened.entity.federation;
    let brand = federation
        .organization_name
        .as_deref()
        .unwrap_or(&opened.entity.name);
    let passkeys = Passkeys::new(&at, brand).map_err(|e| wrong(e.to_string()))?;
    let console = Console {
        house: House {
            id: at.as_str().into(),
            ..opened.house.clone()
        },
        entity: opened.entity.address.id.as_str().into(),
        name: opened.entity.name.as_str().into(),
        role: opened.role(),
        brand: Brand::of_place(brand),
        passkeys: Arc::new(passkeys),
        authority: built.authority.clone(),
        resolver: built.resolver.clone(),
        statement_lifetime: opened
            .authority()
            .map_or(0, |a| a.subordinate_statement_lifetime),
    };
    let router = admin::routes(console.clone()).merge(rooms::pages());
    let frame = move |headers: &HeaderMap| console.frame(headers, "/");
    Ok(Some((address, rooms::found(router, &opened.house, frame))))
}

/// Invitations, sign-ins and ceremonies that are over. Harmless on several nodes at once.
pub fn forgetting(opened: &Opened) -> Option<Task> {
    if opened.role() == Role::Register {
        return None;
    }
    let name = format!(
        "{}: sign-ins at the console that are over",
        opened.entity.name
    );
    let house = opened.house.clone();
    Some(Task::new(name, Duration::from_mins(5), move || {
        let house = house.clone();
        async move { forget(&house).await.map_err(|e| e.to_string()) }
    }))
}

async fn forget(house: &House) -> Result<(), store::Error> {
    let now = house.now();
    let mut conn = house.store.read().await?;
    session::sweep(&mut conn, now).await?;
    invitation::sweep(&mut conn, now).await?;
    ceremony::sweep(&mut conn, now).await?;
    throttle::sweep(&mut conn, now).await?;
    Ok(())
}
