//! The acts about trust marks: who is given one, who may give them.

use super::{Act, Effect, Refusal};
use crate::clock::UnixTime;
use crate::federation::EntityId;
use crate::federation::authority::{Subordinate, give_trust_mark};
use crate::federation::trust_mark::Delegation;
use crate::store::{self, Conn};

/// The longest type that is accepted, in bytes.
const LONGEST_TYPE: usize = 512;

impl Act {
    pub(super) fn trust_mark_type(&self) -> Option<&str> {
        match self {
            Self::IssueTrustMark {
                trust_mark_type, ..
            }
            | Self::RevokeTrustMark {
                trust_mark_type, ..
            }
            | Self::DelegateTrustMark {
                trust_mark_type, ..
            } => Some(trust_mark_type),
            _ => None,
        }
    }
}

pub(super) async fn issue(
    conn: &mut Conn,
    trust_mark_type: &str,
    subject: &EntityId,
    expires_at: Option<UnixTime>,
    now: UnixTime,
) -> Result<Result<Effect, Refusal>, store::Error> {
    if let Err(refusal) = check(trust_mark_type, expires_at, now) {
        return Ok(Err(refusal));
    }
    if Subordinate::find(conn, subject).await?.is_none() {
        return Ok(Err(Refusal::NotSubordinate(subject.clone())));
    }
    give_trust_mark(conn, trust_mark_type, subject, expires_at, now).await?;
    Ok(Ok(Effect::TrustMarkIssued))
}

pub(super) async fn keep(
    conn: &mut Conn,
    delegation: &str,
    now: UnixTime,
) -> Result<Result<Effect, Refusal>, store::Error> {
    let read = match Delegation::read(delegation, now) {
        Ok(read) => read,
        Err(invalid) => return Ok(Err(invalid.into())),
    };
    read.store(conn, now).await?;
    Ok(Ok(Effect::DelegationKept {
        trust_mark_type: read.trust_mark_type,
    }))
}

/// §7: collision resistant; a URL that the federation owns.
pub(super) fn check(
    trust_mark_type: &str,
    expires_at: Option<UnixTime>,
    now: UnixTime,
) -> Result<(), Refusal> {
    let blank = |c: char| c.is_whitespace() || c.is_control();
    if trust_mark_type.len() > LONGEST_TYPE
        || trust_mark_type.contains(blank)
        || url::Url::parse(trust_mark_type).is_err()
    {
        return Err(Refusal::TrustMarkType(trust_mark_type.to_owned()));
    }
    if expires_at.is_some_and(|end| end <= now) {
        return Err(Refusal::UselessMark);
    }
    Ok(())
}
