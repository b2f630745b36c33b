//! Forgets clients that registered themselves and were never used (`provider::unused`).

use std::sync::Arc;
use std::time::Duration;

use super::Task;
use crate::provider::unused;
use crate::web::provider_house::ProviderHouse;

/// Days are counted, so an hour more does no harm.
const EVERY: Duration = Duration::from_hours(1);

pub fn task(entity: &str, provider: &Arc<ProviderHouse>) -> Task {
    let provider = Arc::clone(provider);
    let name = format!("{entity}: registrations that nobody used");
    Task::new(name, EVERY, move || {
        let provider = Arc::clone(&provider);
        async move {
            let house = &provider.house;
            let (mut rng, now) = (house.rng(), house.now());
            unused::sweep(&house.store, &mut rng, &provider.settings, now)
                .await
                .map(|_| ())
                .map_err(|e| e.to_string())
        }
    })
}
