//! What a person tells of themself beyond the document: the standard claims of OIDC Core 5.1 that no register fills. Nothing here is
//! proven, except where a flag beside the value says so. Not here: name, number and phone (`person`), which are.

use serde_json::{Map, Value};

use crate::clock::UnixTime;
use crate::crypto::Sealer;
use crate::id::PersonId;
use crate::store::{Conn, Error};

use super::person::unreadable;

/// The claims that may be kept, and what each must be.
const CLAIMS: [(&str, Form); 13] = [
    ("given_name", Form::Text),
    ("family_name", Form::Text),
    ("middle_name", Form::Text),
    ("nickname", Form::Text),
    ("preferred_username", Form::Text),
    ("profile", Form::Url),
    ("picture", Form::Url),
    ("website", Form::Url),
    ("zoneinfo", Form::Text),
    ("locale", Form::Text),
    ("email", Form::Email),
    ("email_verified", Form::Flag),
    ("address", Form::Address),
];

/// Members of `address` (OIDC Core 5.1.1).
const ADDRESS: [&str; 6] = [
    "formatted",
    "street_address",
    "locality",
    "region",
    "postal_code",
    "country",
];

/// The longest text that is kept, in characters.
const LONGEST: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Url,
    Email,
    Flag,
    Address,
}

/// A value that cannot be this claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a claim that can be kept, or has a value that it cannot have")]
pub struct BadDetail(pub String);

/// One claim with a value that it may have.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    claim: &'static str,
    value: Value,
}

impl Detail {
    pub fn parse(claim: &str, value: &Value) -> Result<Self, BadDetail> {
        let bad = || BadDetail(claim.chars().take(40).collect());
        let (claim, form) = CLAIMS
            .iter()
            .find(|(known, _)| *known == claim)
            .ok_or_else(bad)?;
        if form.fits(value) {
            Ok(Self {
                claim,
                value: value.clone(),
            })
        } else {
            Err(bad())
        }
    }

    pub const fn value(&self) -> &Value {
        &self.value
    }
}

impl Form {
    fn fits(self, value: &Value) -> bool {
        let plain = |text: &str| {
            !text.trim().is_empty()
                && text.chars().count() <= LONGEST
                && !text.chars().any(|c| c.is_control() || is_direction(c))
        };
        match (self, value) {
            (Self::Text, Value::String(text)) => plain(text),
            (Self::Url, Value::String(text)) => {
                plain(text)
                    && url::Url::parse(text)
                        .is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
            }
            // RFC 5322 has more; what stands here can be written to.
            (Self::Email, Value::String(text)) => {
                plain(text)
                    && !text.contains(char::is_whitespace)
                    && text.split_once('@').is_some_and(|(who, host)| {
                        !who.is_empty() && host.contains('.') && !host.contains('@')
                    })
            }
            (Self::Flag, Value::Bool(_)) => true,
            (Self::Address, Value::Object(members)) => {
                !members.is_empty()
                    && members.iter().all(|(name, value)| {
                        ADDRESS.contains(&name.as_str())
                            && value
                                .as_str()
                                .is_some_and(|text| plain(&text.replace('\n', " ")))
                    })
            }
            _ => false,
        }
    }
}

/// Marks that turn the direction of writing: in a name they only serve to deceive.
const fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The column, as it is named to the `Sealer`.
const COLUMN: &str = "person_details.value";

/// Keeps a detail of `person`, in place of an earlier one.
pub async fn keep(
    conn: &mut Conn,
    sealer: &dyn Sealer,
    person: &PersonId,
    detail: &Detail,
    now: UnixTime,
) -> Result<(), Error> {
    let row = row(person, detail.claim);
    let ciphertext = sealer.protect(COLUMN, &row, detail.value.to_string().as_bytes());
    sqlx::query(
        "INSERT INTO person_details (person, claim, value, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (person, claim) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
    )
    .bind(person)
    .bind(detail.claim)
    .bind(ciphertext)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets what `person` told as `claim`.
pub async fn forget(conn: &mut Conn, person: &PersonId, claim: &str) -> Result<(), Error> {
    sqlx::query("DELETE FROM person_details WHERE person = $1 AND claim = $2")
        .bind(person)
        .bind(claim)
        .execute(conn)
        .await?;
    Ok(())
}

/// Everything that `person` told, by claim, and when something of it last changed.
pub async fn all(
    conn: &mut Conn,
    sealer: &dyn Sealer,
    person: &PersonId,
) -> Result<(Map<String, Value>, Option<UnixTime>), Error> {
    let rows: Vec<(String, Vec<u8>, i64)> = sqlx::query_as(
        "SELECT claim, value, updated_at FROM person_details WHERE person = $1 ORDER BY claim",
    )
    .bind(person)
    .fetch_all(conn)
    .await?;
    let mut told = Map::new();
    let mut changed = None;
    for (claim, ciphertext, updated_at) in rows {
        let value = sealer
            .reveal(COLUMN, &row(person, &claim), &ciphertext)
            .and_then(|plain| serde_json::from_slice(&plain).ok())
            .ok_or_else(|| unreadable(COLUMN))?;
        told.insert(claim, value);
        changed = changed.max(Some(UnixTime(updated_at)));
    }
    Ok((told, changed))
}

/// An address as a person reads it (OIDC Core 5.1.1): as it was formatted, else its parts.
pub fn in_one_line(address: &Value) -> String {
    let part = |name: &str| address.get(name).and_then(Value::as_str);
    part("formatted").map_or_else(
        || {
            let parts = [
                "country",
                "region",
                "locality",
                "street_address",
                "postal_code",
            ];
            let parts: Vec<&str> = parts.into_iter().filter_map(part).collect();
            parts.join(" ")
        },
        |whole| whole.replace('\n', " "),
    )
}

/// Whether any of these claims is kept here.
pub fn has(claim: &str) -> bool {
    CLAIMS.iter().any(|(known, _)| *known == claim)
}

/// A ciphertext belongs to one claim of one person.
fn row(person: &PersonId, claim: &str) -> String {
    format!("{}/{claim}", person.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_have_the_form_of_their_claim() {
        for (claim, value, good) in [
            ("nickname", json!("小甲"), true),
            ("nickname", json!(""), false),
            ("nickname", json!("a\u{0}b"), false),
            ("nickname", json!("a\u{202e}b"), false),
            ("nickname", json!("长".repeat(201)), false),
            ("nickname", json!(1), false),
            ("email", json!("jia@example.cn"), true),
            ("email", json!("jia@example"), false),
            ("email", json!("@example.cn"), false),
            ("email", json!("a b@example.cn"), false),
            ("email", json!("a@b@example.cn"), false),
            ("email_verified", json!(true), true),
            ("email_verified", json!("true"), false),
            ("website", json!("https://example.cn/"), true),
            ("website", json!("javascript:alert(1)"), false),
            ("address", json!({"formatted": "某路 1 号\n某市"}), true),
            ("address", json!({}), false),
            ("address", json!({"planet": "Earth"}), false),
            ("address", json!("某路 1 号"), false),
            ("locale", json!("zh-CN"), true),
            // Proven elsewhere, or not known.
            ("name", json!("测试甲"), false),
            ("phone_number", json!("+8614000000001"), false),
            ("sub", json!("x"), false),
        ] {
            let parsed = Detail::parse(claim, &value);
            assert_eq!(parsed.is_ok(), good, "{claim} {value}");
        }
    }
}
