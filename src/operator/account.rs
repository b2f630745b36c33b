//! Operators as rows: somebody who came by an invitation, until they are disabled. Never deleted: the audit log names them.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::role::Roles;
use super::session;
use crate::clock::UnixTime;
use crate::id::OperatorId;
use crate::store::{Conn, Error};

/// Somebody who operates this entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    pub id: OperatorId,
    pub name: String,
    pub roles: Roles,
    pub added_at: UnixTime,
    pub disabled_at: Option<UnixTime>,
}

impl Operator {
    /// Columns of a table called `operators` that `read` wants.
    pub(super) const COLUMNS: &'static str =
        "operators.id, operators.name, operators.roles, operators.added_at, operators.disabled_at";

    pub(super) fn read(row: &AnyRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            roles: read_roles(&row.try_get::<String, _>("roles")?)?,
            added_at: row.try_get("added_at")?,
            disabled_at: row.try_get("disabled_at")?,
        })
    }

    /// Stores a new operator; `false` when there is one of this id.
    pub async fn add(&self, conn: &mut Conn) -> Result<bool, Error> {
        let row = sqlx::query(
            "INSERT INTO operators (id, name, roles, added_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (id) DO NOTHING RETURNING id",
        )
        .bind(&self.id)
        .bind(&self.name)
        .bind(self.roles.to_string())
        .bind(self.added_at)
        .fetch_optional(conn)
        .await?;
        Ok(row.is_some())
    }
}

/// All operators, the newest first.
pub async fn list(conn: &mut Conn) -> Result<Vec<Operator>, Error> {
    let sql = format!(
        "SELECT {} FROM operators ORDER BY added_at DESC, id",
        Operator::COLUMNS
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .fetch_all(conn)
        .await?
        .iter()
        .map(Operator::read)
        .collect()
}

/// Disables an operator and ends their sessions; `false` when there is none to disable.
pub async fn disable(conn: &mut Conn, id: &OperatorId, now: UnixTime) -> Result<bool, Error> {
    let row = sqlx::query(
        "UPDATE operators SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL RETURNING id",
    )
    .bind(id)
    .bind(now)
    .fetch_optional(&mut *conn)
    .await?;
    session::end_all(conn, id, now).await?;
    Ok(row.is_some())
}

/// What stands in the database was written by us.
pub(super) fn read_roles(text: &str) -> Result<Roles, Error> {
    text.parse().map_err(|e| Error::Decode(Box::new(e)))
}
