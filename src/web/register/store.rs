//! What the stand-in keeps: synthetic people, the messages that were not sent, and how it should behave.

use crate::clock::UnixTime;
use crate::identity::synthetic::CITIZENS;
use crate::store::{Conn, Error};

/// Puts the synthetic people in, once.
pub async fn seed(conn: &mut Conn) -> Result<(), Error> {
    for citizen in CITIZENS {
        sqlx::query(
            "INSERT INTO register_people (number, name, phone) VALUES ($1, $2, $3)
             ON CONFLICT (number) DO UPDATE SET name = $2, phone = $3",
        )
        .bind(citizen.number)
        .bind(citizen.name)
        .bind(format!("+86{}", citizen.phone))
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

pub async fn people(conn: &mut Conn) -> Result<i64, Error> {
    sqlx::query_scalar("SELECT COUNT(*) FROM register_people")
        .fetch_one(conn)
        .await
}

/// Name and phone of the holder of `number`.
pub async fn holder(conn: &mut Conn, number: &str) -> Result<Option<(String, String)>, Error> {
    sqlx::query_as("SELECT name, phone FROM register_people WHERE number = $1")
        .bind(number)
        .fetch_optional(conn)
        .await
}

/// A message that was not sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    pub id: i64,
    pub to: String,
    pub text: String,
    pub code: Option<String>,
    pub sent_at: UnixTime,
}

/// Keeps a message. Numbers grow by one; of two at once, the later tries again.
pub async fn keep(
    conn: &mut Conn,
    to: &str,
    text: &str,
    code: Option<&str>,
    now: UnixTime,
) -> Result<i64, Error> {
    loop {
        let id: Option<i64> = sqlx::query_scalar(
            "INSERT INTO register_messages (seq, recipient, text, code, sent_at)
             SELECT COALESCE(MAX(seq), 0) + 1, $1, $2, $3, $4 FROM register_messages
             WHERE 1 = 1
             ON CONFLICT (seq) DO NOTHING RETURNING seq",
        )
        .bind(to)
        .bind(text)
        .bind(code)
        .bind(now)
        .fetch_optional(&mut *conn)
        .await?;
        if let Some(id) = id {
            return Ok(id);
        }
    }
}

/// The newest messages, to one phone or to all, newest first.
pub async fn messages(conn: &mut Conn, to: Option<&str>) -> Result<Vec<Message>, Error> {
    let rows: Vec<(i64, String, String, Option<String>, i64)> = sqlx::query_as(
        "SELECT seq, recipient, text, code, sent_at FROM register_messages
         WHERE $1 = '' OR recipient = $1 ORDER BY seq DESC LIMIT 200",
    )
    .bind(to.unwrap_or_default())
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, to, text, code, sent_at)| Message {
            id,
            to,
            text,
            code,
            sent_at: UnixTime(sent_at),
        })
        .collect())
}

/// How the stand-in behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Behaviour {
    pub delay_ms: u64,
    pub fail: bool,
}

pub async fn behaviour(conn: &mut Conn) -> Result<Behaviour, Error> {
    let rows: Vec<(String, String)> = sqlx::query_as("SELECT name, value FROM register_control")
        .fetch_all(conn)
        .await?;
    let mut found = Behaviour::default();
    for (name, value) in rows {
        match name.as_str() {
            "delay_ms" => found.delay_ms = value.parse().unwrap_or(0),
            "fail" => found.fail = value == "true",
            _ => {}
        }
    }
    Ok(found)
}

pub async fn behave(conn: &mut Conn, wanted: Behaviour) -> Result<(), Error> {
    for (name, value) in [
        ("delay_ms", wanted.delay_ms.to_string()),
        ("fail", wanted.fail.to_string()),
    ] {
        sqlx::query(
            "INSERT INTO register_control (name, value) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET value = $2",
        )
        .bind(name)
        .bind(value)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
