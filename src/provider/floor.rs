//! Step-up challenge (RFC 9470): what a login must have been for our own UserInfo to answer.

use super::acr::Level;
use super::grants::Terms;
use crate::clock::UnixTime;
use crate::config::offers::Floor;
use crate::oauth::Scope;

/// What the client must ask for to get in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub acr_values: Option<String>,
    pub max_age: Option<i64>,
}

/// `None`: the login of this grant was strong and fresh enough for a token with this scope.
pub fn challenge(
    floor: &Floor,
    acr_base: &str,
    terms: &Terms,
    scope: &Scope,
    now: UnixTime,
) -> Option<Challenge> {
    if !floor.scopes.is_empty() && !floor.scopes.iter().any(|name| scope.contains(name)) {
        return None;
    }
    let level = |acr: &str| Level::parse(acr, acr_base);
    // A floor that is no level of ours is met by nobody; the configuration check refuses it.
    let strong = floor
        .acr
        .as_deref()
        .is_none_or(|least| level(least).is_some_and(|least| level(&terms.acr) >= Some(least)));
    let fresh = floor
        .max_age
        .is_none_or(|most| now.since(terms.auth_time) <= most);
    if strong && fresh {
        return None;
    }
    // RFC 9470 §3: both are said, so that one further login is enough.
    Some(Challenge {
        acr_values: floor.acr.clone(),
        max_age: floor.max_age,
    })
}
