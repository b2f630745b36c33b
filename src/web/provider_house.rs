//! What the doors of a provider share: the entity's house, its settings, and the ways to its clients.

use std::sync::Arc;

use super::house::House;
use crate::config;
use crate::provider::clients::Clients;

/// The state of every router of a provider; handed out as `Arc<ProviderHouse>`.
#[derive(Debug)]
pub struct ProviderHouse {
    pub house: House,
    pub settings: config::provider::Provider,
    pub clients: Clients,
}

/// What handlers take.
pub type Provider = Arc<ProviderHouse>;
