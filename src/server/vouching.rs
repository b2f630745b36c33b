//! What an authority does by itself: ends enrolments whose day has come, tells contacts, forgets what is old.

use std::sync::Arc;
use std::time::Duration;

use super::entity::Opened;
use crate::audit::{self, Event};
use crate::authn::throttle;
use crate::federation::joining::notices::{self, Deliverer, News};
use crate::federation::joining::{requests, standing};
use crate::jobs::Task;
use crate::oauth::Algorithm;
use crate::store;
use crate::web::house::House;

pub(super) fn tasks(opened: &Opened) -> Vec<Task> {
    let house = opened.house.clone();
    let name = &opened.entity.name;
    let deliverer = Deliverer {
        id: Arc::clone(&house.id),
        alg: Algorithm::ES256,
        store: house.store.clone(),
        signer: Arc::clone(&house.signer),
        outbound: Arc::clone(&house.outbound),
    };
    let telling = {
        let house = house.clone();
        Task::new(
            format!("{name}: notices to contacts"),
            Duration::from_secs(10),
            move || {
                let (deliverer, now) = (deliverer.clone(), house.now());
                async move {
                    deliverer
                        .deliver(now)
                        .await
                        .map(|_| ())
                        .map_err(|e| e.to_string())
                }
            },
        )
    };
    let ending = Task::new(
        format!("{name}: enrolments and requests"),
        Duration::from_mins(1),
        move || {
            let house = house.clone();
            async move { end(&house).await.map_err(|e| e.to_string()) }
        },
    );
    vec![telling, ending]
}

/// Harmless on several nodes at once: each row is ended by one.
async fn end(house: &House) -> Result<(), store::Error> {
    let (now, mut rng) = (house.now(), house.rng());
    let mut tx = house.store.write().await?;
    for entity in standing::end(&mut tx, now).await? {
        let event = Event::done("federation.end")
            .with_actor("hefu")
            .with("entity", entity.as_str());
        audit::record(&mut tx, &mut rng, now, &event).await?;
        notices::tell(&mut tx, &mut rng, &entity, News::Ended, "", now).await?;
    }
    requests::sweep(&mut tx, now).await?;
    notices::sweep(&mut tx, now).await?;
    throttle::sweep(&mut tx, now).await?;
    tx.commit().await
}
