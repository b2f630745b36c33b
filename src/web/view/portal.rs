//! A portal of the demo: which service do I want, and what did this portal learn of me? All of it comes from validated tokens.

use askama::Template;

use super::frame::{Frame, Hop};
use super::language::Message;

/// `/` of a portal
#[derive(Debug, Template)]
#[template(path = "portal_home.html")]
pub struct PortalHome {
    pub frame: Frame,
    /// The place the portal serves, e.g. 广东省.
    pub region: String,
    pub visitor: Option<Visitor>,
}

#[derive(Clone, Debug)]
pub struct Visitor {
    pub name: Option<String>,
    /// `rn1` to `rn4`.
    pub level: Option<String>,
    pub number_masked: Option<String>,
    pub acr: Option<String>,
    pub sub: String,
    /// Every claim received, by name.
    pub claims: Vec<(String, String)>,
    /// From this portal up to the anchor: why the provider told it anything.
    pub chain: Vec<Hop>,
    /// From the provider up to the anchor: why this portal believes it.
    pub provider_chain: Vec<Hop>,
}

impl PortalHome {
    pub fn heading(&self) -> Message {
        match &self.visitor {
            Some(Visitor {
                name: Some(name), ..
            }) => Message::new("portal-hello").with("name", name),
            Some(_) => Message::new("portal-hello-nameless"),
            None => Message::new("portal-heading").with("region", &self.region),
        }
    }
}

/// After a logout that began here or at the national provider
#[derive(Debug, Template)]
#[template(path = "portal_signed_out.html")]
pub struct PortalSignedOut {
    pub frame: Frame,
    pub by: SignedOutBy,
}

/// Where the session was ended, and how far the word went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedOutBy {
    /// A press here, and the national account ended too.
    Here,
    /// A press here; the national account could not be told.
    OnlyHere,
    /// The national account (back-channel), not a press here.
    National,
}

impl SignedOutBy {
    fn code(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::OnlyHere => "only-here",
            Self::National => "national",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Here => "portal-signed-out-here",
            Self::OnlyHere => "portal-signed-out-only-here",
            Self::National => "portal-signed-out-national",
        }
    }
}

impl PortalSignedOut {
    pub fn heading(&self) -> Message {
        Message::new("portal-signed-out-heading").with("portal", self.frame.brand_name())
    }
}
