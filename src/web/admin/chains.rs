//! `/chains`: the trust chains that this node remembers for the entity, those that end first on top.

use super::desk::{Answer, OnDuty};
use crate::operator::role::Room;
use crate::web::view::admin::{Chain, Chains};

/// On the page.
const SHOWN: usize = 200;

pub async fn show(on: OnDuty) -> Answer {
    on.enter(Room::Chains).await?;
    let mut remembered = on
        .console
        .resolver
        .as_ref()
        .map(|resolver| resolver.all_remembered())
        .unwrap_or_default();
    let total = remembered.len();
    remembered.truncate(SHOWN);
    let chains = remembered
        .into_iter()
        .map(|chain| Chain::of(chain, on.now))
        .collect();
    on.page(&Chains {
        frame: on.frame(),
        desk: on.desk(Some(Room::Chains)),
        total,
        chains,
    })
}
