//! `/audit`: the log, newest first. Only read: nothing here writes it, and whether it is whole is told by `hefu audit verify`.

use axum::extract::Query;
use serde::Deserialize;

use super::desk::{Answer, OnDuty};
use crate::audit;
use crate::clock::UnixTime;
use crate::operator::role::Room;
use crate::web::view::admin::AuditLog;

/// On one page.
const SHOWN: usize = 100;

#[derive(Deserialize)]
pub struct Asked {
    /// Time and id of the last row of the page before.
    before: Option<String>,
}

pub async fn show(on: OnDuty, Query(asked): Query<Asked>) -> Answer {
    on.enter(Room::Audit).await?;
    let before = asked.before.as_deref().and_then(|before| {
        let (at, id) = before.split_once('.')?;
        Some((UnixTime(at.parse().ok()?), id))
    });
    let mut conn = on.house().store.read().await?;
    // One more than is shown, to know whether there are more.
    let most = i64::try_from(SHOWN + 1).unwrap_or(i64::MAX);
    let mut rows = audit::newest(&mut conn, before, most).await?;
    drop(conn);
    let more = rows.len() > SHOWN;
    rows.truncate(SHOWN);
    let older = rows
        .last()
        .filter(|_| more)
        .map(|last| format!("{}.{}", last.at.0, last.id));
    on.page(&AuditLog {
        frame: on.frame(),
        desk: on.desk(Some(Room::Audit)),
        rows,
        older,
        first: before.is_none(),
    })
}
