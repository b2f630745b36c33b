//! Puts the synthetic people where they belong: all into the register's stand-in, some into the provider with an account.

use super::DemoError;
use crate::config::Section;
use crate::identity::{Keys, synthetic};
use crate::server::entity::{Opened, Shared};
use crate::server::rooms::open_people;
use crate::web::register;

/// Idempotent: what people did since the first start stays.
pub async fn seed(entities: &[Opened], shared: &Shared) -> Result<(), DemoError> {
    for opened in entities {
        let house = &opened.house;
        match &opened.entity.section {
            Section::Register => {
                let mut tx = house.store.write().await?;
                register::store::seed(&mut tx).await?;
                tx.commit().await?;
            }
            Section::Provider { people, .. } => {
                let people = open_people(opened, shared, people)?;
                let keys = Keys {
                    sealer: &*house.sealer,
                    indexer: &*house.indexer,
                };
                synthetic::seed(&house.store, keys, &people, &mut house.rng(), house.now())
                    .await
                    .map_err(|e| DemoError::Seed(e.to_string()))?;
            }
            _ => {}
        }
    }
    Ok(())
}
