//! `/`: who sits here, whose console this is, what needs attention.

use axum::extract::Query;
use serde::Deserialize;

use super::desk::{Answer, OnDuty};
use super::logouts;
use crate::client::registered;
use crate::federation::authority::{ListFilter, list};
use crate::operator::role::Room;
use crate::provider::told::{self, State};
use crate::web::view::admin::{Attention, Chain, Home};

/// What a redirect carried along.
#[derive(Deserialize)]
pub struct After {
    pub notice: Option<String>,
}

pub async fn show(on: OnDuty, Query(after): Query<After>) -> Answer {
    let rooms = on.console.rooms(&on.operator.roles);
    let mut attention = Vec::new();
    let mut conn = on.house().store.read().await?;
    if rooms.contains(&Room::Subordinates) {
        let all = list(&mut conn, &ListFilter::default(), on.now).await?;
        attention.push(Attention::Subordinates(all.len()));
    }
    if rooms.contains(&Room::Clients) {
        let all = registered::list(&mut conn).await?;
        attention.push(Attention::Clients(all.len()));
    }
    if rooms.contains(&Room::Logouts) {
        let latest = told::latest(&mut conn, logouts::SHOWN).await?;
        let failed = latest.iter().filter(|t| t.state == State::Failed).count();
        if failed > 0 {
            attention.push(Attention::Logouts(failed));
        }
    }
    drop(conn);
    if let Some(resolver) = on
        .console
        .resolver
        .as_ref()
        .filter(|_| rooms.contains(&Room::Chains))
    {
        let remembered = resolver.all_remembered().into_iter();
        let bad = remembered
            .filter(|chain| Chain::of(chain.clone(), on.now).needs_attention())
            .count();
        if bad > 0 {
            attention.push(Attention::Chains(bad));
        }
    }
    on.page(&Home {
        frame: on.frame_after(after.notice.as_deref()),
        desk: on.desk(None),
        entity: on.console.entity.to_string(),
        role: on.console.role,
        since: on.operator.added_at,
        attention,
    })
}
