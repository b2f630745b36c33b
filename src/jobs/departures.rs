//! Looks at the platforms of the federation where people are signed in: one that nobody vouches for any more ends there and then
//! (`provider::departed`).

use std::sync::Arc;
use std::time::Duration;

use super::Task;
use crate::provider::departed;
use crate::web::provider_house::ProviderHouse;

/// Often, since what ended should end now; a round in which nothing changed reads a row for each platform and asks nobody.
const EVERY: Duration = Duration::from_secs(5);

pub fn task(entity: &str, provider: &Arc<ProviderHouse>) -> Task {
    let provider = Arc::clone(provider);
    Task::new(format!("{entity}: departed platforms"), EVERY, move || {
        let provider = Arc::clone(&provider);
        async move {
            let house = &provider.house;
            let (mut rng, now) = (house.rng(), house.now());
            departed::look(&house.store, &provider.clients, &mut rng, now)
                .await
                .map(|_| ())
                .map_err(|e| e.to_string())
        }
    })
}
