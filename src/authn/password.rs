//! Passwords: what may be one, and the row that holds its hash. The hashing itself, which is slow on purpose, is in `hashing`.

use crate::clock::UnixTime;
use crate::id::PersonId;
use crate::store::{Conn, Error};

/// Characters at least.
pub const LEAST: usize = 8;
/// Characters at most; more than anybody types, few enough to hash.
pub const MOST: usize = 128;

/// Why a text may not be a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Weakness {
    #[error("shorter than {LEAST} characters")]
    TooShort,
    #[error("longer than {MOST} characters")]
    TooLong,
    #[error("holds fewer than three kinds of characters")]
    TooSimple,
    #[error("is among the passwords that are tried first")]
    Common,
    #[error("holds the name, the number or the phone")]
    Personal,
}

/// Passwords that satisfy the other rules and are guessed first all the same; compared after folding.
const BANNED: &str = include_str!("banned.txt");

/// Checks a new password; `personal` holds what it must not contain (name, document number, phone, as plain text).
pub fn check(password: &str, personal: &[&str]) -> Result<(), Weakness> {
    let length = password.chars().count();
    if length < LEAST {
        return Err(Weakness::TooShort);
    }
    if length > MOST {
        return Err(Weakness::TooLong);
    }
    let kinds = [
        password.chars().any(char::is_lowercase),
        password.chars().any(char::is_uppercase),
        password.chars().any(char::is_numeric),
        password
            .chars()
            .any(|c| !c.is_alphanumeric() && !c.is_control()),
        // Scripts without case, such as Han, are a kind of their own.
        password
            .chars()
            .any(|c| c.is_alphabetic() && !c.is_lowercase() && !c.is_uppercase()),
    ];
    if kinds.into_iter().filter(|kind| *kind).count() < 3 {
        return Err(Weakness::TooSimple);
    }
    let folded = fold(password);
    if BANNED
        .lines()
        .filter(|line| !line.starts_with('#'))
        .any(|banned| !banned.is_empty() && folded == banned)
    {
        return Err(Weakness::Common);
    }
    let lower = password.to_lowercase();
    if personal
        .iter()
        .flat_map(|text| pieces(text))
        .any(|piece| lower.contains(&piece))
    {
        return Err(Weakness::Personal);
    }
    Ok(())
}

/// The parts of personal data that people put into passwords: of numbers, the last six and eight digits and the date of birth as well.
fn pieces(text: &str) -> Vec<String> {
    let text = text.trim_start_matches("+86").to_lowercase();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if digits * 2 < text.len() {
        return vec![text]
            .into_iter()
            .filter(|name| name.chars().count() >= 2)
            .collect();
    }
    let mut out = vec![text.clone()];
    for length in [6, 8] {
        if text.is_ascii() && text.len() >= length {
            out.push(text[text.len() - length..].to_owned());
        }
    }
    if text.is_ascii() && text.len() == 18 {
        out.push(text[6..14].to_owned());
    }
    out.retain(|piece| piece.len() >= 4);
    out
}

/// Lower case, and the usual disguises undone: `P@ssw0rd` is `password`.
fn fold(password: &str) -> String {
    password
        .to_lowercase()
        .chars()
        .map(|c| match c {
            '@' | '4' => 'a',
            '0' => 'o',
            '1' | '!' | '|' => 'i',
            '3' => 'e',
            '$' | '5' => 's',
            '7' => 't',
            _ => c,
        })
        .collect()
}

/// The stored hash (a PHC string) of a person's password.
pub async fn find(conn: &mut Conn, person: &PersonId) -> Result<Option<String>, Error> {
    sqlx::query_scalar("SELECT phc FROM passwords WHERE person = $1")
        .bind(person)
        .fetch_optional(conn)
        .await
}

/// When the password was last changed; `None` when there is none.
pub async fn changed_at(conn: &mut Conn, person: &PersonId) -> Result<Option<UnixTime>, Error> {
    sqlx::query_scalar("SELECT changed_at FROM passwords WHERE person = $1")
        .bind(person)
        .fetch_optional(conn)
        .await
}

/// Sets or replaces the password.
pub async fn set(
    conn: &mut Conn,
    person: &PersonId,
    phc: &str,
    now: UnixTime,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO passwords (person, phc, changed_at) VALUES ($1, $2, $3)
         ON CONFLICT (person) DO UPDATE SET phc = $2, changed_at = $3",
    )
    .bind(person)
    .bind(phc)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether the stored hash is still `phc`. The row is held until the transaction ends: a change of the password that comes
/// now waits, and then finds the session that was begun here.
pub async fn hold(conn: &mut Conn, person: &PersonId, phc: &str) -> Result<bool, Error> {
    let held: Option<PersonId> = sqlx::query_scalar(
        "UPDATE passwords SET phc = $2 WHERE person = $1 AND phc = $2 RETURNING person",
    )
    .bind(person)
    .bind(phc)
    .fetch_optional(conn)
    .await?;
    Ok(held.is_some())
}

/// Replaces the hash of an unchanged password that was made under older parameters, unless it changed meanwhile.
pub async fn rehash(conn: &mut Conn, person: &PersonId, old: &str, new: &str) -> Result<(), Error> {
    sqlx::query("UPDATE passwords SET phc = $3 WHERE person = $1 AND phc = $2")
        .bind(person)
        .bind(old)
        .bind(new)
        .execute(conn)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_password() {
        let personal = [
            "测试甲",
            "449999195003010014",
            "+8614000000001",
            "张",
            "O'Brien",
        ];
        let long = format!("Aa1{}", "x".repeat(126));
        for (password, result) in [
            ("Hefu-demo-2026", Ok(())),
            ("正确的马和电池-9", Ok(())),
            ("correct horse Battery", Ok(())),
            ("Aa1-", Err(Weakness::TooShort)),
            ("", Err(Weakness::TooShort)),
            (long.as_str(), Err(Weakness::TooLong)),
            ("aaaaaaaaaaaa", Err(Weakness::TooSimple)),
            ("aaaaaa111111", Err(Weakness::TooSimple)),
            ("Aaaaaaaaaaaa", Err(Weakness::TooSimple)),
            ("P@ssw0rd", Err(Weakness::Common)),
            ("Password1", Err(Weakness::Common)),
            ("Aa123456", Err(Weakness::Common)),
            ("1qaz@WSX", Err(Weakness::Common)),
            ("My14000000001", Err(Weakness::Personal)),
            ("Ab-000000001", Err(Weakness::Personal)),
            ("Ab-19500301", Err(Weakness::Personal)),
            ("Ab-010014", Err(Weakness::Personal)),
            ("测试甲Abc-77", Err(Weakness::Personal)),
            ("xXo'brien99", Err(Weakness::Personal)),
            // One character of a name is in many good passwords.
            ("张飞Abc-9977", Ok(())),
        ] {
            assert_eq!(check(password, &personal), result, "{password}");
        }
    }

    #[test]
    fn banned_words_are_written_folded() {
        for line in BANNED.lines().filter(|line| !line.starts_with('#')) {
            assert_eq!(fold(line), line);
        }
    }
}
