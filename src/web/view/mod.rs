//! What a person sees: one struct per page, rendered by a template in the language asked for.
//!
//! A page knows no HTTP and no database: a handler fills its plain fields and calls [`Page::html`]. Every word a person reads stands in
//! `lang/*.ftl`; the templates are in `templates/`; ids and field names are promised in `docs/pages.md`. The stylesheet and the two scripts
//! are served by `web::assets`, the choice of language and of elder mode by `web::preferences`.

pub mod account;
pub mod admin;
pub mod authority;
pub mod demo;
pub mod device;
mod drawing;
pub mod entry;
pub mod error;
pub mod frame;
pub mod joining;
pub mod language;
pub mod lapsed;
pub mod leave;
pub mod login;
pub mod map;
pub mod message;
pub mod portal;
pub mod problem;
pub mod register;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use frame::{Asking, Claimed, Frame, Hop, Notice, Place, Vouched, Way};
pub use language::{Language, Message};
pub use problem::Problem;

/// A page that can be shown. Every struct of this room that has a template is one.
pub trait Page {
    /// The whole document.
    fn html(&self) -> String;
}

impl<T: askama::Template> Page for T {
    fn html(&self) -> String {
        #[expect(
            clippy::expect_used,
            reason = "writing to a String cannot fail, and no filter of ours returns an error"
        )]
        self.render().expect("a template renders to a string")
    }
}
