//! The portal's doors: home, login, the way back, logout, and the provider's word that a session ended. What happens behind them is in
//! `relying`; how the pages look is in `view::portal`. The entity configuration is served by `web::federation`.

mod backchannel_logout;
mod browser;
mod callback;
mod frontchannel_logout;
mod home;
mod initiate;
mod login;
mod logout;
mod page;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use crate::brand::Brand;
use crate::relying::{Party, metadata};
use crate::web::house::House;

/// What the doors of a portal are handed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PortalHouse {
    pub house: House,
    pub party: Arc<Party>,
    pub brand: Brand,
    /// The place the portal serves, as its page says it, e.g. 广东省.
    pub region: String,
}

/// The doors, below the entity's own path. Stylesheet and preferences are added by whoever builds the entity.
pub fn routes(house: PortalHouse) -> Router {
    Router::new()
        .route("/", get(home::show))
        .route("/login", post(login::start))
        .route(
            metadata::INITIATE_LOGIN,
            get(initiate::by_get).post(initiate::by_post),
        )
        .route(metadata::CALLBACK, get(callback::finish))
        .route("/logout", post(logout::leave))
        .route(metadata::SIGNED_OUT, get(logout::returned))
        .route(metadata::BACKCHANNEL_LOGOUT, post(backchannel_logout::obey))
        .route(
            metadata::FRONTCHANNEL_LOGOUT,
            get(frontchannel_logout::obey),
        )
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(house)
}
