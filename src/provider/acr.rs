//! The levels `L1` … `L4` of a login: who the person is proven to be, and how this login was proven, together.

use serde::{Deserialize, Serialize};

use crate::authn;
use crate::clock::UnixTime;
use crate::session::Session;

/// Seconds within which L4 wants the authentication.
const FRESH: i64 = 300;

/// A level of assurance that an `acr` value names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Level {
    L1,
    L2,
    L3,
    L4,
}

/// What is still missing to a level. The order is the order of the steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// The person's real name must be proven, to this `rn`.
    RealName(u8),
    /// One more factor, so that the login reaches this `al`.
    Factor(u8),
    /// A new login.
    Fresh,
}

impl Level {
    pub const ALL: [Self; 4] = [Self::L1, Self::L2, Self::L3, Self::L4];

    pub const fn name(self) -> &'static str {
        match self {
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::L3 => "L3",
            Self::L4 => "L4",
        }
    }

    /// The `acr` value under the deployment's base.
    pub fn acr(self, base: &str) -> String {
        format!("{base}{}", self.name())
    }

    pub fn parse(acr: &str, base: &str) -> Option<Self> {
        let name = acr.strip_prefix(base)?;
        Self::ALL.into_iter().find(|l| l.name() == name)
    }

    /// (`rn` of the person, `al` of the login) that the level wants.
    const fn wants(self) -> (u8, u8) {
        match self {
            Self::L1 => (1, 1),
            Self::L2 => (2, 2),
            Self::L3 => (3, 3),
            Self::L4 => (4, 3),
        }
    }

    /// What stands between this login and the level; `None` when it is reached.
    pub fn missing(self, real_name: u8, session: &Session, now: UnixTime) -> Option<Missing> {
        let (rn, al) = self.wants();
        if real_name < rn {
            return Some(Missing::RealName(rn));
        }
        if authn::level(&session.factors()) < al {
            return Some(Missing::Factor(al));
        }
        (self == Self::L4 && now.since(session.auth_time) > FRESH).then_some(Missing::Fresh)
    }

    /// The highest level this login has.
    pub fn achieved(real_name: u8, session: &Session, now: UnixTime) -> Self {
        Self::ALL
            .into_iter()
            .rev()
            .find(|level| level.missing(real_name, session, now).is_none())
            .unwrap_or(Self::L1)
    }

    /// Whether the person could reach the level at all, with the proofs this provider offers.
    pub fn is_reachable(self, reach: Reach) -> bool {
        let (rn, al) = self.wants();
        reach.real_name >= rn && reach.authenticator >= al
    }
}

/// How far a person can get without being turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The `rn` that the person has or can prove here and now.
    pub real_name: u8,
    /// The `al` that the person's means allow.
    pub authenticator: u8,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::Factor::{self, Passkey, Password, Sms};
    use crate::id::{PersonId, SessionId};
    use crate::session::Proof;

    fn session(factors: &[Factor]) -> Session {
        Session {
            id: SessionId("s".into()),
            person: PersonId("p".into()),
            actor: PersonId("p".into()),
            proofs: factors
                .iter()
                .map(|&factor| Proof {
                    factor,
                    at: UnixTime(1000),
                })
                .collect(),
            auth_time: UnixTime(1000),
            begun_at: UnixTime(1000),
            seen_at: UnixTime(1000),
            expires_at: UnixTime(9000),
            device: String::new(),
        }
    }

    #[test]
    fn levels_of_logins() {
        use Level::{L1, L2, L3, L4};
        let cases: [(u8, &[Factor], i64, Level); 9] = [
            (1, &[Password], 1000, L1),
            (1, &[Password, Sms], 1000, L1),
            (2, &[Password], 1000, L1),
            (2, &[Password, Sms], 1000, L2),
            (2, &[Passkey], 1000, L2),
            (3, &[Password, Sms], 1000, L2),
            (3, &[Passkey], 1000, L3),
            (4, &[Passkey], 1300, L4),
            (4, &[Passkey], 1301, L3),
        ];
        for (rn, factors, now, level) in cases {
            assert_eq!(
                Level::achieved(rn, &session(factors), UnixTime(now)),
                level,
                "rn{rn} {factors:?}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_said_in_order() {
        let now = UnixTime(2000);
        assert_eq!(
            Level::L2.missing(1, &session(&[Password]), now),
            Some(Missing::RealName(2))
        );
        assert_eq!(
            Level::L2.missing(2, &session(&[Password]), now),
            Some(Missing::Factor(2))
        );
        assert_eq!(Level::L2.missing(2, &session(&[Password, Sms]), now), None);
        assert_eq!(
            Level::L4.missing(4, &session(&[Passkey]), now),
            Some(Missing::Fresh)
        );
        assert_eq!(
            Level::parse("https://x/acr/L3", "https://x/acr/"),
            Some(Level::L3)
        );
        assert_eq!(Level::parse("https://x/acr/L9", "https://x/acr/"), None);
        assert_eq!(Level::parse("L3", "https://x/acr/"), None);
    }
}
