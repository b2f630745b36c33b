//! Which doors and tasks an entity has, by its role.

use axum::Router;

use super::entity::{OpenError, Opened, Shared};
use crate::jobs::Task;

/// An entity ready to be served.
pub struct Built {
    pub router: Router,
    pub tasks: Vec<Task>,
}

/// Puts the rooms of `opened` together.
pub fn build(_opened: &Opened, _shared: &Shared) -> Result<Built, OpenError> {
    Ok(Built {
        router: Router::new(),
        tasks: Vec::new(),
    })
}
