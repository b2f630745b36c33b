//! `/account/details`: what a person tells of themself beyond the document, for platforms that ask for it and are agreed to. Nothing of it is
//! proven; whoever leaves a field empty tells nothing.

use axum::body::Bytes;
use serde_json::{Map, Value, json};

use super::verify::bounded;
use super::visit::{Answer, Member};
use crate::audit::Event;
use crate::identity::details::{self, Detail};
use crate::web::view::Problem;
use crate::web::view::account::Details;
use crate::web::view::frame::Notice;

/// The fields of the form, the claim that each fills, and what is wrong when it cannot.
const FIELDS: [(&str, Problem); 3] = [
    ("nickname", Problem::NicknameInvalid),
    ("email", Problem::EmailInvalid),
    ("address", Problem::AddressInvalid),
];

pub async fn show(member: Member) -> Answer {
    let mut conn = member.house().store.read().await?;
    let (told, _) = details::all(&mut conn, member.keys().sealer, &member.person.id).await?;
    let text = |claim: &str| shown(told.get(claim));
    member.page(&Details {
        frame: member.frame(),
        nickname: text("nickname"),
        email: text("email"),
        address: text("address"),
    })
}

pub async fn submit(member: Member, body: Bytes) -> Answer {
    let form = member.form(&body)?;
    let (mut frame, mut read) = (member.frame(), Vec::new());
    for (field, problem) in &FIELDS {
        let typed = form.text(field);
        match parse(field, typed) {
            Ok(detail) => read.push((*field, detail)),
            Err(_) => frame = frame.with_problem(problem.clone()),
        }
    }
    if !frame.problems.is_empty() {
        let typed = |field: &str| bounded(form.text(field));
        return member.again(&Details {
            frame,
            nickname: typed("nickname"),
            email: typed("email"),
            address: typed("address"),
        });
    }
    let mut rng = member.house().rng();
    let (id, sealer) = (&member.person.id, member.keys().sealer);
    let mut tx = member.house().store.write().await?;
    let (before, _) = details::all(&mut tx, sealer, id).await?;
    for (claim, detail) in read {
        match detail {
            // What stays the same was not changed today.
            Some(detail) if before.get(claim) == Some(detail.value()) => {}
            Some(detail) => {
                details::keep(&mut tx, sealer, id, &detail, member.now).await?;
                if claim == "email" {
                    // Another address has proven nothing.
                    details::forget(&mut tx, id, "email_verified").await?;
                }
            }
            None => details::forget(&mut tx, id, claim).await?,
        }
    }
    let event = Event::done("person.details_changed").with_person(id);
    member.note(&mut tx, &mut rng, event).await?;
    tx.commit().await?;
    member.go_home(Notice::DetailsSaved)
}

/// `None`: the field was left empty.
fn parse(field: &str, typed: &str) -> Result<Option<Detail>, details::BadDetail> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Ok(None);
    }
    let value = match field {
        "address" => Value::Object(Map::from_iter([("formatted".to_owned(), json!(typed))])),
        _ => json!(typed),
    };
    Detail::parse(field, &value).map(Some)
}

/// A kept value as it stands in its field.
fn shown(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(address @ Value::Object(_)) => details::in_one_line(address),
        _ => String::new(),
    }
}
