//! What operators are there for, and the rules of who may: which role an act needs, which roles see a room of the console. Pure; the
//! door (`web::admin`) asks here before it does anything.

use std::fmt;
use std::str::FromStr;

use super::Act;

/// What an operator is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperatorRole {
    /// Subordinates, policies, trust marks, requests to join.
    FederationOfficer,
    /// Clients and their secrets, logouts; keys.
    SecurityOfficer,
    /// Helps others: reads, changes nothing.
    HelpDesk,
    /// Reads everything, the audit log too, and changes nothing.
    Auditor,
}

impl OperatorRole {
    pub const ALL: [Self; 4] = [
        Self::FederationOfficer,
        Self::SecurityOfficer,
        Self::HelpDesk,
        Self::Auditor,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FederationOfficer => "federation_officer",
            Self::SecurityOfficer => "security_officer",
            Self::HelpDesk => "help_desk",
            Self::Auditor => "auditor",
        }
    }
}

/// The roles of one operator: at least one, and an auditor has no other, since nobody audits their own acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(Vec<OperatorRole>);

/// Roles that nobody can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRoles {
    #[error("an operator needs at least one role")]
    None,
    #[error(
        "there is no such role; there are federation_officer, security_officer, help_desk, auditor"
    )]
    Unknown,
    #[error("an auditor has no other role: nobody audits their own acts")]
    Auditor,
}

impl Roles {
    pub fn new(roles: &[OperatorRole]) -> Result<Self, InvalidRoles> {
        let mut roles = roles.to_vec();
        roles.sort_unstable();
        roles.dedup();
        match roles.as_slice() {
            [] => Err(InvalidRoles::None),
            [_, _, ..] if roles.contains(&OperatorRole::Auditor) => Err(InvalidRoles::Auditor),
            _ => Ok(Self(roles)),
        }
    }

    pub fn all(&self) -> &[OperatorRole] {
        &self.0
    }

    pub fn has(&self, role: OperatorRole) -> bool {
        self.0.contains(&role)
    }

    /// Whether one of them sees `room`.
    pub fn see(&self, room: Room) -> bool {
        room.readers().iter().any(|role| self.has(*role))
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|role| role.as_str()).collect();
        f.write_str(&names.join(" "))
    }
}

/// Names of roles, separated by blanks or commas.
impl FromStr for Roles {
    type Err = InvalidRoles;

    fn from_str(text: &str) -> Result<Self, InvalidRoles> {
        let roles: Option<Vec<OperatorRole>> = text
            .split([' ', ','])
            .filter(|name| !name.is_empty())
            .map(|name| {
                OperatorRole::ALL
                    .into_iter()
                    .find(|role| role.as_str() == name)
            })
            .collect();
        Self::new(&roles.ok_or(InvalidRoles::Unknown)?)
    }
}

impl TryFrom<String> for Roles {
    type Error = InvalidRoles;

    fn try_from(text: String) -> Result<Self, InvalidRoles> {
        text.parse()
    }
}

impl From<Roles> for String {
    fn from(roles: Roles) -> Self {
        roles.to_string()
    }
}

impl serde::Serialize for Roles {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Roles {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The role that may do `act` at the console; `None`: nobody there, only whoever has the node's terminal.
pub const fn needed(act: &Act) -> Option<OperatorRole> {
    match act {
        Act::Enrol(_)
        | Act::Drop { .. }
        | Act::IssueTrustMark { .. }
        | Act::RevokeTrustMark { .. }
        | Act::DelegateTrustMark { .. }
        | Act::KeepDelegation { .. }
        | Act::Joining(_) => Some(OperatorRole::FederationOfficer),
        Act::AddClient { .. }
        | Act::SetClient { .. }
        | Act::RemoveClient { .. }
        | Act::RotateSecret { .. }
        | Act::IssueRegistrationToken { .. }
        | Act::RevokeRegistrationToken { .. } => Some(OperatorRole::SecurityOfficer),
        // Whoever could make operators could make themselves anything.
        Act::InviteOperator { .. } | Act::DisableOperator { .. } => None,
    }
}

/// Whether somebody with these roles may do `act` at the console.
pub fn may(roles: &Roles, act: &Act) -> bool {
    needed(act).is_some_and(|role| roles.has(role))
}

/// A room of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Whom an authority vouches for, and their policies.
    Subordinates,
    /// Trust chains that are remembered.
    Chains,
    /// Clients registered at a provider.
    Clients,
    /// Whom a provider told of logouts.
    Logouts,
    Audit,
}

impl Room {
    pub const ALL: [Self; 5] = [
        Self::Subordinates,
        Self::Chains,
        Self::Clients,
        Self::Logouts,
        Self::Audit,
    ];

    /// Which roles see it.
    pub const fn readers(self) -> &'static [OperatorRole] {
        use OperatorRole::{Auditor, FederationOfficer, HelpDesk, SecurityOfficer};
        match self {
            Self::Subordinates | Self::Chains => &[FederationOfficer, Auditor],
            Self::Clients | Self::Logouts => &[SecurityOfficer, HelpDesk, Auditor],
            Self::Audit => &[Auditor],
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn act(value: serde_json::Value) -> Act {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn who_may_do_what() {
        let subordinate = json!({"entity_id": "https://rp.example", "jwks": {"keys": []}, "entity_types": ["x"],
            "metadata": null, "metadata_policy": null, "constraints": null, "is_intermediate": false});
        let mut enrol = subordinate;
        enrol["act"] = "enrol".into();
        let table = [
            (enrol, "federation_officer"),
            (
                json!({"act": "drop", "entity_id": "https://rp.example"}),
                "federation_officer",
            ),
            (
                json!({"act": "issue_trust_mark", "trust_mark_type": "https://m.example", "subject": "https://rp.example"}),
                "federation_officer",
            ),
            (
                json!({"act": "revoke_trust_mark", "trust_mark_type": "https://m.example", "subject": "https://rp.example"}),
                "federation_officer",
            ),
            (
                json!({"act": "delegate_trust_mark", "trust_mark_type": "https://m.example", "issuer": "https://rp.example"}),
                "federation_officer",
            ),
            (
                json!({"act": "keep_delegation", "delegation": "d"}),
                "federation_officer",
            ),
            (
                json!({"act": "add_client", "client_id": "c", "metadata": {}}),
                "security_officer",
            ),
            (
                json!({"act": "set_client", "client_id": "c", "metadata": {}}),
                "security_officer",
            ),
            (
                json!({"act": "remove_client", "client_id": "c"}),
                "security_officer",
            ),
            (
                json!({"act": "rotate_secret", "client_id": "c"}),
                "security_officer",
            ),
            (
                json!({"act": "issue_registration_token", "uses": 1, "expires_at": 9}),
                "security_officer",
            ),
            (
                json!({"act": "revoke_registration_token", "id": "t"}),
                "security_officer",
            ),
            (
                json!({"act": "invite_operator", "name": "n", "roles": "auditor", "expires_at": 9}),
                "",
            ),
            (json!({"act": "disable_operator", "operator": "op_1"}), ""),
        ];
        for (value, allowed) in table {
            let act = act(value.clone());
            for role in OperatorRole::ALL {
                let roles = Roles::new(&[role]).unwrap();
                assert_eq!(
                    may(&roles, &act),
                    role.as_str() == allowed,
                    "{role:?}: {value}"
                );
            }
            assert_eq!(needed(&act).map_or("", OperatorRole::as_str), allowed);
        }
    }

    #[test]
    fn who_sees_what() {
        let table = [
            (Room::Subordinates, "federation_officer auditor"),
            (Room::Chains, "federation_officer auditor"),
            (Room::Clients, "security_officer help_desk auditor"),
            (Room::Logouts, "security_officer help_desk auditor"),
            (Room::Audit, "auditor"),
        ];
        for (room, readers) in table {
            for role in OperatorRole::ALL {
                let sees = readers.split(' ').any(|name| name == role.as_str());
                assert_eq!(
                    Roles::new(&[role]).unwrap().see(room),
                    sees,
                    "{role:?} {room:?}"
                );
            }
        }
        assert_eq!(table.len(), Room::ALL.len());
    }

    #[test]
    fn roles_are_read_and_written() {
        for (text, read) in [
            ("auditor", Ok("auditor")),
            (
                "help_desk,security_officer help_desk",
                Ok("security_officer help_desk"),
            ),
            ("", Err(InvalidRoles::None)),
            (" , ", Err(InvalidRoles::None)),
            ("root", Err(InvalidRoles::Unknown)),
            ("auditor help_desk", Err(InvalidRoles::Auditor)),
        ] {
            let roles: Result<Roles, _> = text.parse();
            assert_eq!(
                roles.map(|r| r.to_string()),
                read.map(str::to_owned),
                "{text}"
            );
        }
    }
}
