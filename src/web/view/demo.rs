//! The index of the demo: who runs here and who lives here.

use askama::Template;

use super::frame::Frame;
use super::language::Message;

#[derive(Debug, Template)]
#[template(path = "demo_index.html")]
pub struct DemoIndex {
    pub frame: Frame,
    pub entities: Vec<DemoEntity>,
    pub people: Vec<DemoPerson>,
    pub outbox_url: String,
}

#[derive(Clone, Debug)]
pub struct DemoEntity {
    pub name: String,
    /// `anchor`, `intermediate`, `provider`, `portal`, `register`.
    pub role: String,
    pub url: String,
    /// Names of those who vouch for it.
    pub superiors: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct DemoPerson {
    pub username: String,
    pub name: String,
    pub id_number: String,
    pub password: String,
    /// Has an account already; else only the register knows the person.
    pub account: bool,
}

impl DemoIndex {
    pub fn heading(&self) -> Message {
        Message::new("demo-heading")
    }

    fn role(code: &str) -> &'static str {
        match code {
            "anchor" => "role-anchor",
            "intermediate" => "role-intermediate",
            "provider" => "role-provider",
            "portal" => "role-portal",
            _ => "role-register",
        }
    }
}
