//! `sub`: what a relying party knows a person by. Random, stored once per person and sector (OIDC Core 8.1), kept through merges.

use crate::clock::UnixTime;
use crate::id::PersonId;
use crate::random::Rng;
use crate::store::{Conn, Error};

/// The `sub` of `person` for `sector`, made at first need. One statement when it exists.
pub async fn for_sector(
    conn: &mut Conn,
    rng: &mut Rng,
    person: &PersonId,
    sector: &str,
    now: UnixTime,
) -> Result<String, Error> {
    if let Some(sub) = find(conn, person, sector).await? {
        return Ok(sub);
    }
    let made: Option<String> = sqlx::query_scalar(
        "INSERT INTO subjects (person, sector, sub, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (person, sector) DO NOTHING RETURNING sub",
    )
    .bind(person)
    .bind(sector)
    .bind(rng.id("pw_"))
    .bind(now)
    .fetch_optional(&mut *conn)
    .await?;
    match made {
        Some(sub) => Ok(sub),
        // Another request was first; its word stands.
        None => find(conn, person, sector).await?.ok_or(Error::RowNotFound),
    }
}

/// The `sub` of `person` for `sector`, if one was ever given.
pub async fn find(
    conn: &mut Conn,
    person: &PersonId,
    sector: &str,
) -> Result<Option<String>, Error> {
    sqlx::query_scalar("SELECT sub FROM subjects WHERE person = $1 AND sector = $2")
        .bind(person)
        .bind(sector)
        .fetch_optional(conn)
        .await
}

/// Whom `sector` means by `sub`; a `sub` of a merged account leads to the account it was merged into.
pub async fn person_of(
    conn: &mut Conn,
    sector: &str,
    sub: &str,
) -> Result<Option<PersonId>, Error> {
    sqlx::query_scalar(
        "SELECT person FROM subjects WHERE sub = $1 AND sector = $2
         UNION ALL SELECT person FROM subject_aliases WHERE sub = $1 AND sector = $2",
    )
    .bind(sub)
    .bind(sector)
    .fetch_optional(conn)
    .await
}

/// Whom `sub` means, at whatever sector: a `sub` is given once.
pub async fn known_as(conn: &mut Conn, sub: &str) -> Result<Option<PersonId>, Error> {
    sqlx::query_scalar(
        "SELECT person FROM subjects WHERE sub = $1
         UNION ALL SELECT person FROM subject_aliases WHERE sub = $1",
    )
    .bind(sub)
    .fetch_optional(conn)
    .await
}

/// Gives the subs of `from` to `into`, who is the same person: where `into` has none the sub simply moves, elsewhere it stays as an alias.
pub async fn merge(
    conn: &mut Conn,
    from: &PersonId,
    into: &PersonId,
    now: UnixTime,
) -> Result<(), Error> {
    for statement in [
        "UPDATE subjects SET person = $2 WHERE person = $1
           AND sector NOT IN (SELECT sector FROM subjects WHERE person = $2)",
        "UPDATE subject_aliases SET person = $2 WHERE person = $1",
    ] {
        sqlx::query(statement)
            .bind(from)
            .bind(into)
            .execute(&mut *conn)
            .await?;
    }
    sqlx::query(
        "INSERT INTO subject_aliases (sub, sector, person, merged_at)
         SELECT sub, sector, $2, $3 FROM subjects WHERE person = $1",
    )
    .bind(from)
    .bind(into)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    sqlx::query("DELETE FROM subjects WHERE person = $1")
        .bind(from)
        .execute(conn)
        .await?;
    Ok(())
}
