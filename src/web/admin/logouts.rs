//! `/logouts`: whom this provider told of sessions that ended, and how it went.

use super::desk::{Answer, OnDuty};
use crate::operator::role::Room;
use crate::provider::told;
use crate::web::view::admin::Logouts;

/// On the page.
pub const SHOWN: i64 = 200;

pub async fn show(on: OnDuty) -> Answer {
    on.enter(Room::Logouts).await?;
    let latest = told::latest(&mut *on.house().store.read().await?, SHOWN).await?;
    on.page(&Logouts {
        frame: on.frame(),
        desk: on.desk(Some(Room::Logouts)),
        latest,
    })
}
