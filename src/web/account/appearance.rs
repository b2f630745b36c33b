//! `/account/appearance`: how pages shall be for this person, on whatever device; chosen in the account centre. The switches on top of every
//! page are links and change this browser only (`web::preferences`).

use axum::body::Bytes;
use axum::http::StatusCode;

use super::visit::{Answer, Member};
use crate::audit::Event;
use crate::identity::person::{self, Appearance};
use crate::web::preferences;
use crate::web::view::Language;
use crate::web::view::error::ErrorKind;
use crate::web::view::frame::Notice;

pub async fn submit(member: Member, body: Bytes) -> Answer {
    let form = member.form(&body)?;
    let elder = preferences::mode(form.text("mode"));
    let language = Language::ALL
        .into_iter()
        .find(|language| language.tag() == form.text("lang"));
    let (Some(elder), Some(language)) = (elder, language) else {
        let kind = ErrorKind::BadRequest;
        return Err(member
            .error(StatusCode::BAD_REQUEST, kind, "invalid_request")
            .into());
    };
    let chosen = Appearance {
        elder,
        language: Some(language.tag().to_owned()),
    };
    let mut rng = member.house().rng();
    let mut tx = member.house().store.write().await?;
    person::set_appearance(&mut tx, &member.person.id, &chosen, member.now).await?;
    let event = Event::done("person.appearance_changed").with_person(&member.person.id);
    member.note(&mut tx, &mut rng, event).await?;
    tx.commit().await?;
    // What this browser chose before would stand in front of it.
    let mut answer = member.go_home(Notice::AppearanceChanged)?;
    preferences::keep(answer.headers_mut(), Some(language), Some(elder));
    Ok(answer)
}
