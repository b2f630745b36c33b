//! What trust marks allow (OpenID Federation 1.0 §7): the full number of an identity document, and logins at L4. Asked at the
//! authorization endpoint and again at every release, since a mark can end while a grant lives. Whether a mark counts is known to
//! `federation::trust_mark`; which types allow what, to the configuration.

use serde_json::{Map, Value};

use super::acr::Level;
use super::claims;
use super::grants::Terms;
use super::request::AuthorizationRequest;
use crate::client::Client;
use crate::clock::UnixTime;
use crate::config::provider::Marks;
use crate::oauth::{Error, ErrorCode};

/// What one client may have at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    pub full_number: bool,
    pub level_4: bool,
}

impl Allowed {
    /// For a client that is no longer to be found.
    pub const NOTHING: Self = Self {
        full_number: false,
        level_4: false,
    };

    /// The full number is told to nobody without its mark. L4 wants its mark, where one is configured, of those whom the
    /// federation sends; whom an operator registered by hand, an operator has looked at.
    pub fn of(client: &Client, marks: &Marks, now: UnixTime) -> Self {
        let shows = |mark: &Option<String>| {
            mark.as_deref()
                .is_some_and(|mark| client.shows_mark(mark, now))
        };
        Self {
            full_number: shows(&marks.real_name_full),
            level_4: marks.level_4.is_none() || client.marks.is_none() || shows(&marks.level_4),
        }
    }

    /// The highest level that the client is told of.
    pub fn highest(self) -> Level {
        if self.level_4 { Level::L4 } else { Level::L3 }
    }

    /// The request without what may not be had: left out where it is only wished for, refused where the client insists.
    pub fn narrow(self, mut request: AuthorizationRequest) -> Result<AuthorizationRequest, Error> {
        if !self.full_number && request.claims.take_out(claims::FULL_NUMBER) {
            return Err(Error::new(
                ErrorCode::AccessDenied,
                "this platform holds no trust mark for full ID numbers (cn_id_number)",
            ));
        }
        if !self.level_4 {
            let below = |level: &Level| *level <= Level::L3;
            request.acr.voluntary.retain(below);
            if let Some(levels) = &mut request.acr.binding {
                let asked = !levels.is_empty();
                levels.retain(below);
                if asked && levels.is_empty() {
                    return Err(Error::new(
                        ErrorCode::UnmetAuthenticationRequirements,
                        "this platform holds no trust mark for logins at L4",
                    ));
                }
            }
        }
        Ok(request)
    }

    /// What may be told of `held`.
    #[must_use]
    pub fn told(self, mut held: Map<String, Value>) -> Map<String, Value> {
        if !self.full_number {
            held.remove(claims::FULL_NUMBER);
        }
        held
    }

    /// The terms as they may be told: an L4 login is an L3 login too.
    pub fn lower(self, terms: &mut Terms, acr_base: &str) {
        if Level::parse(&terms.acr, acr_base).is_some_and(|level| level > self.highest()) {
            terms.acr = self.highest().acr(acr_base);
        }
    }
}
