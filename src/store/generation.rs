//! Generations: a counter per subject of caching. A cache remembers the number it was filled under and refills when it moved.

use super::{Conn, Error};

/// The current generation of `name`; 0 before the first change.
pub async fn generation(conn: &mut Conn, name: &str) -> Result<i64, Error> {
    Ok(
        sqlx::query_scalar("SELECT value FROM generations WHERE name = $1")
            .bind(name)
            .fetch_optional(conn)
            .await?
            .unwrap_or(0),
    )
}

/// Tells every node that what it cached of `name` is old. Belongs into the transaction of the change.
pub async fn bump_generation(conn: &mut Conn, name: &str) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO generations (name, value) VALUES ($1, 1)
         ON CONFLICT (name) DO UPDATE SET value = generations.value + 1",
    )
    .bind(name)
    .execute(conn)
    .await?;
    Ok(())
}
