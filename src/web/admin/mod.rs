//! The operators' console of one entity (`docs/console.md`): sign-in by passkey alone, rooms that show, and acts that are first shown and
//! then done. On the node's private listener, never among the entity's own doors. Who may what is decided by `operator::role`, what is
//! done by `operator::Act`; `desk` says who sits here, `act` leads every act through its two steps.

mod act;
mod audit;
mod chains;
mod clients;
mod desk;
mod home;
mod join;
mod logouts;
mod sign_in;
mod subordinates;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::{get, post};

use crate::brand::Brand;
use crate::config::Role;
use crate::federation::Authority;
use crate::federation::resolve::Resolver;
use crate::operator::passkey::Passkeys;
use crate::operator::role::{Roles, Room};
use crate::web::house::House;
use crate::web::preferences::Preferences;
use crate::web::view::{Frame, Place};

/// What the console of an entity is handed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Console {
    /// The entity's house under the console's own address, which forms and cookies belong to.
    pub house: House,
    /// Entity identifier.
    pub entity: Arc<str>,
    /// Its short name: part of the address and of the cookie's name.
    pub name: Arc<str>,
    pub role: Role,
    pub brand: Brand,
    pub passkeys: Arc<Passkeys>,
    /// Where it vouches for others.
    pub authority: Option<Arc<Authority>>,
    pub resolver: Option<Arc<Resolver>>,
    /// Seconds that its statements about others live.
    pub statement_lifetime: i64,
}

impl Console {
    /// The path of the console's address, without a slash at its end.
    pub fn root(&self) -> String {
        url::Url::parse(&self.house.id)
            .map(|id| id.path().trim_end_matches('/').to_owned())
            .unwrap_or_default()
    }

    /// A frame for a page that may be read again at `path`.
    pub fn frame(&self, headers: &HeaderMap, path: &str) -> Frame {
        let preferences = Preferences::of(headers);
        let mut frame = Frame::new(Place::Console, self.brand.clone());
        frame.language = preferences.language(None);
        frame.elder = preferences.elder();
        frame.root = self.root();
        frame.here = format!("{}{path}", frame.root);
        frame
    }

    /// Whether the entity has something to show there.
    fn has(&self, room: Room) -> bool {
        match room {
            Room::Subordinates => self.authority.is_some(),
            Room::Chains => self.resolver.is_some(),
            Room::Clients | Room::Logouts => self.role == Role::Provider,
            Room::Audit => true,
        }
    }

    /// The rooms that somebody with these roles has a door to.
    fn rooms(&self, roles: &Roles) -> Vec<Room> {
        Room::ALL
            .into_iter()
            .filter(|room| self.has(*room) && roles.see(*room))
            .collect()
    }

    /// The cookie of a sign-in: consoles of several entities share one host.
    fn cookie(&self) -> String {
        format!("hefu_console_{}", self.name)
    }
}

/// The doors of the console, below its address.
pub fn routes(console: Console) -> Router {
    Router::new()
        .route("/", get(home::show))
        .route("/sign-in", get(sign_in::show))
        .route("/sign-in/options", post(sign_in::options))
        .route("/sign-in/finish", post(sign_in::finish))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/join", get(join::show))
        .route("/join/options", post(join::options))
        .route("/join/finish", post(join::finish))
        .route("/acts", post(act::apply))
        .route("/subordinates", get(subordinates::list))
        .route(
            "/subordinates/new",
            get(subordinates::ask).post(subordinates::enrol),
        )
        .route("/subordinates/show", get(subordinates::show))
        .route("/subordinates/drop", post(subordinates::drop))
        .route("/subordinates/policy", post(subordinates::policy))
        .route("/chains", get(chains::show))
        .route("/clients", get(clients::list))
        .route("/clients/new", get(clients::ask).post(clients::add))
        .route("/clients/show", get(clients::show))
        .route("/clients/set", post(clients::set))
        .route("/clients/rotate", post(clients::rotate))
        .route("/clients/remove", post(clients::remove))
        .route("/logouts", get(logouts::show))
        .route("/audit", get(audit::show))
        .with_state(console)
}
