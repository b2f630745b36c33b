//! `/`: who sits here, whose console this is, what needs attention.

use axum::extract::Query;
use serde::Deserialize;

use super::desk::{Answer, OnDuty};
use crate::federation::authority::{ListFilter, list};
use crate::operator::role::Room;
use crate::web::view::admin::{Attention, Home};

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
    drop(conn);
    on.page(&Home {
        frame: on.frame_after(after.notice.as_deref()),
        desk: on.desk(None),
        entity: on.console.entity.to_string(),
        role: on.console.role,
        since: on.operator.added_at,
        attention,
    })
}
