//! The operators' console: one struct per page, and the desk that stands on each of them.

mod acts;
mod federation;
mod rooms;
#[cfg(test)]
pub mod samples;

use askama::Template;

use super::frame::Frame;
use super::language::Message;
use super::login::PasskeyDoor;
use crate::clock::UnixTime;
use crate::config;
use crate::operator::role::{OperatorRole, Roles, Room};

pub use acts::{Confirm, Done, Refused, Why};
pub use federation::{Enrol, Line, ShowSubordinate, Subordinates, Typed};
pub use rooms::{
    AuditLog, Chain, ChainState, Chains, ClientLine, Clients, Logouts, NewClient, ShowClient,
};

/// Who sits here, and the rooms they have a door to.
#[derive(Clone, Debug)]
pub struct Desk {
    pub name: String,
    pub roles: Roles,
    pub rooms: Vec<Room>,
    /// The room of this page; `None` for the first one.
    pub here: Option<Room>,
}

impl Desk {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "templates hand references"
    )]
    fn is_here(&self, room: &Room) -> bool {
        self.here == Some(*room)
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "templates hand references"
    )]
    fn path(room: &Room) -> &'static str {
        path(*room)
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "templates hand references"
    )]
    fn code(room: &Room) -> &'static str {
        path(*room).trim_start_matches('/')
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "templates hand references"
    )]
    fn room_name(room: &Room) -> &'static str {
        room_name(*room)
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "templates hand references"
    )]
    fn role_name(role: &OperatorRole) -> &'static str {
        role_name(*role)
    }
}

/// The path of a room's first page.
pub const fn path(room: Room) -> &'static str {
    match room {
        Room::Subordinates => "/subordinates",
        Room::Chains => "/chains",
        Room::Clients => "/clients",
        Room::Logouts => "/logouts",
        Room::Audit => "/audit",
    }
}

fn room_name(room: Room) -> &'static str {
    match room {
        Room::Subordinates => "console-subordinates",
        Room::Chains => "console-chains",
        Room::Clients => "console-clients",
        Room::Logouts => "console-logouts",
        Room::Audit => "console-audit",
    }
}

fn role_name(role: OperatorRole) -> &'static str {
    match role {
        OperatorRole::FederationOfficer => "console-role-federation",
        OperatorRole::SecurityOfficer => "console-role-security",
        OperatorRole::HelpDesk => "console-role-help",
        OperatorRole::Auditor => "console-role-auditor",
    }
}

/// `/sign-in`
#[derive(Debug, Template)]
#[template(path = "admin/sign_in.html")]
pub struct SignIn {
    pub frame: Frame,
    pub entity: String,
    pub door: PasskeyDoor,
}

impl SignIn {
    pub fn heading(&self) -> Message {
        Message::new("console-sign-in-heading")
    }
}

/// `/join`
#[derive(Debug, Template)]
#[template(path = "admin/join.html")]
pub struct Join {
    pub frame: Frame,
    pub entity: String,
    /// `None`: used, expired, or never made.
    pub invited: Option<Invited>,
}

/// What an invitation says.
#[derive(Clone, Debug)]
pub struct Invited {
    pub name: String,
    pub roles: Roles,
    pub by: String,
    pub until: UnixTime,
    pub door: PasskeyDoor,
}

impl Join {
    pub fn heading(&self) -> Message {
        match &self.invited {
            Some(invited) => Message::new("console-join-heading").with("name", &invited.name),
            None => Message::new("console-join-over-heading"),
        }
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "templates hand references"
    )]
    fn role_name(role: &OperatorRole) -> &'static str {
        role_name(*role)
    }
}

/// `/`
#[derive(Debug, Template)]
#[template(path = "admin/home.html")]
pub struct Home {
    pub frame: Frame,
    pub desk: Desk,
    pub entity: String,
    pub role: config::Role,
    pub since: UnixTime,
    pub attention: Vec<Attention>,
}

/// Something to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Entities that are vouched for.
    Subordinates(usize),
    /// Chains that end soon, or could not be found.
    Chains(usize),
    /// Logouts that platforms could not be told of.
    Logouts(usize),
    /// Clients that are registered.
    Clients(usize),
}

impl Attention {
    fn room(self) -> Room {
        match self {
            Self::Subordinates(_) => Room::Subordinates,
            Self::Chains(_) => Room::Chains,
            Self::Logouts(_) => Room::Logouts,
            Self::Clients(_) => Room::Clients,
        }
    }

    fn path(&self) -> &'static str {
        path(self.room())
    }

    fn code(&self) -> &'static str {
        self.path().trim_start_matches('/')
    }

    fn message(&self) -> Message {
        let (key, count) = match self {
            Self::Subordinates(count) => ("console-attention-subordinates", count),
            Self::Chains(count) => ("console-attention-chains", count),
            Self::Logouts(count) => ("console-attention-logouts", count),
            Self::Clients(count) => ("console-attention-clients", count),
        };
        Message::new(key).with("count", count)
    }
}

impl Home {
    pub fn heading(&self) -> Message {
        Message::new("console-heading")
    }

    fn role_name(&self) -> &'static str {
        match self.role {
            config::Role::Anchor => "role-anchor",
            config::Role::Intermediate => "role-intermediate",
            config::Role::Provider => "role-provider",
            config::Role::Portal => "role-portal",
            config::Role::Register => "role-register",
        }
    }
}

/// Which page of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    pub now: usize,
    pub all: usize,
    size: usize,
}

impl Pages {
    /// The page `asked` for, or the last there is.
    pub fn of(asked: usize, total: usize, size: usize) -> Self {
        let all = total.div_ceil(size.max(1)).max(1);
        Self {
            now: asked.clamp(1, all),
            all,
            size,
        }
    }

    pub fn skip(&self) -> usize {
        (self.now - 1) * self.size
    }

    fn before(&self) -> Option<usize> {
        (self.now > 1).then(|| self.now - 1)
    }

    fn after(&self) -> Option<usize> {
        (self.now < self.all).then(|| self.now + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_end_where_there_is_nothing_more() {
        for (asked, total, now, all, before, after) in [
            (0, 0, 1, 1, None, None),
            (1, 50, 1, 1, None, None),
            (1, 51, 1, 2, None, Some(2)),
            (2, 51, 2, 2, Some(1), None),
            (99, 101, 3, 3, Some(2), None),
        ] {
            let pages = Pages::of(asked, total, 50);
            assert_eq!((pages.now, pages.all), (now, all), "{asked} {total}");
            assert_eq!((pages.before(), pages.after()), (before, after));
            assert_eq!(pages.skip(), (now - 1) * 50);
        }
    }
}
