//! The SMS gateway's stand-in: `POST /sms` keeps a message instead of sending it, `/outbox` shows them to people, `/outbox.json` to scripts.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::store::{self, Message};
use super::{broken, frame};
use crate::identity::Phone;
use crate::store::Error;
use crate::web::house::House;
use crate::web::page::page;
use crate::web::view::register::{Outbox, Sms};

/// Characters of a message.
const MOST: usize = 1_000;

#[derive(Deserialize)]
struct Sent {
    to: String,
    text: String,
}

pub async fn accept(State(house): State<House>, body: Bytes) -> Response {
    let sent = serde_json::from_slice::<Sent>(&body).ok().and_then(|sent| {
        let to = Phone::parse(&sent.to).ok()?;
        let fits = sent.text.chars().count() <= MOST && !sent.text.contains('\0');
        fits.then_some((to, sent.text))
    });
    let Some((to, text)) = sent else {
        let help = json!({"error": "expected {\"to\": \"+86…\", \"text\": \"…\"}"});
        return (StatusCode::BAD_REQUEST, Json(help)).into_response();
    };
    match keep(&house, &to, &text).await {
        Ok(id) => (StatusCode::ACCEPTED, Json(json!({"id": id}))).into_response(),
        Err(error) => broken(&error),
    }
}

async fn keep(house: &House, to: &Phone, text: &str) -> Result<i64, Error> {
    let mut tx = house.store.write().await?;
    let id = store::keep(&mut tx, to.e164(), text, code_in(text), house.now()).await?;
    tx.commit().await?;
    Ok(id)
}

#[derive(Deserialize)]
pub struct Filter {
    to: Option<String>,
}

/// Whose messages are wanted.
enum Wanted {
    All,
    Of(Phone),
    /// What was typed is no phone.
    Nobodys,
}

impl Filter {
    fn wanted(&self) -> Wanted {
        let Some(to) = self
            .to
            .as_deref()
            .map(str::trim)
            .filter(|to| !to.is_empty())
        else {
            return Wanted::All;
        };
        // `+86…` in a query reads as a space and the digits.
        Phone::parse(to)
            .or_else(|_| Phone::parse(&format!("+{to}")))
            .map_or(Wanted::Nobodys, Wanted::Of)
    }
}

pub async fn show(
    State(house): State<House>,
    Query(filter): Query<Filter>,
    headers: HeaderMap,
) -> Response {
    match find(&house, &filter).await {
        Ok(messages) => {
            let shown = Outbox {
                frame: frame(&house, &headers, "/outbox"),
                to: filter.to.map(|to| to.chars().take(20).collect()),
                messages: messages
                    .into_iter()
                    .map(|message| Sms {
                        to: local(&message.to),
                        text: message.text,
                        code: message.code,
                        at: message.sent_at,
                    })
                    .collect(),
            };
            page(StatusCode::OK, &shown)
        }
        Err(error) => broken(&error),
    }
}

pub async fn list(State(house): State<House>, Query(filter): Query<Filter>) -> Response {
    match find(&house, &filter).await {
        Ok(messages) => {
            let messages: Vec<_> = messages
                .into_iter()
                .map(|message| {
                    json!({
                        "id": message.id,
                        "to": local(&message.to),
                        "text": message.text,
                        "code": message.code,
                        "sent_at": message.sent_at,
                    })
                })
                .collect();
            Json(json!({ "messages": messages })).into_response()
        }
        Err(error) => broken(&error),
    }
}

async fn find(house: &House, filter: &Filter) -> Result<Vec<Message>, Error> {
    let mut conn = house.store.read().await?;
    match filter.wanted() {
        Wanted::All => store::messages(&mut conn, None).await,
        Wanted::Of(phone) => store::messages(&mut conn, Some(phone.e164())).await,
        Wanted::Nobodys => Ok(Vec::new()),
    }
}

fn local(e164: &str) -> String {
    e164.strip_prefix("+86").unwrap_or(e164).to_owned()
}

/// The first six digits that stand alone.
fn code_in(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_digit())
        .find(|run| run.len() == 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found() {
        for (text, code) in [
            ("【国家账号】验证码 012345，5 分钟内有效。", Some("012345")),
            ("Your code is 999999.", Some("999999")),
            ("call 12345", None),
            ("14000000001", None),
        ] {
            assert_eq!(code_in(text), code, "{text}");
        }
    }
}
