//! How an entity comes to be vouched for, and how it stands afterwards: what is asked of applicants (`check`), what a superior's
//! words do to its metadata (`effect`), requests (`requests`), changes of keys (`keys`), suspension and its like (`standing`), and
//! what contacts are told (`notices`). Who may decide is the operator's room; doors are in `web::federation::joining`.

pub mod check;
pub mod effect;
pub mod finding;
pub mod keys;
pub mod notices;
pub mod requests;
pub mod standing;

pub use check::{Applicant, Examined, Terms, examine};
pub use effect::{Above, Difference, Effect, Said};
pub use finding::{Finding, Kind};
pub use requests::{Filed, NewRequest, Request, State, Wish};
