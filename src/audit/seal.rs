//! The chain over the audit rows: each hash covers the row and the hash before it; checkpoints sign the newest hash.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, json};
use sqlx::Row;

use crate::clock::UnixTime;
use crate::crypto::{Purpose, SignError, Signer, hmac_sha256};
use crate::jose::{UnverifiedJws, json};
use crate::oauth::Algorithm;
use crate::store::{Conn, Error, Lease};

/// Not a secret: it keeps these hashes apart from all others.
const DOMAIN: &[u8] = b"hefu audit chain v1";
const COLUMNS: &str = "id, at, kind, outcome, actor, subject, client, session, detail";

struct Line {
    id: String,
    at: UnixTime,
    fields: [Option<String>; 7],
}

impl Line {
    fn read(row: &sqlx::any::AnyRow) -> Result<Self, Error> {
        let mut fields: [Option<String>; 7] = Default::default();
        for (i, name) in [
            "kind", "outcome", "actor", "subject", "client", "session", "detail",
        ]
        .iter()
        .enumerate()
        {
            fields[i] = row.try_get(*name)?;
        }
        Ok(Self {
            id: row.try_get("id")?,
            at: row.try_get("at")?,
            fields,
        })
    }

    fn chain(&self, seq: i64, before: &[u8]) -> [u8; 32] {
        let (seq, at) = (seq.to_be_bytes(), self.at.0.to_be_bytes());
        let mut parts: Vec<&[u8]> = vec![before, &seq, self.id.as_bytes(), &at];
        for field in &self.fields {
            // An absent field is not an empty one.
            parts.push(if field.is_some() { b"1" } else { b"0" });
            parts.push(field.as_deref().unwrap_or_default().as_bytes());
        }
        hmac_sha256(DOMAIN, &parts)
    }
}

/// Chains up to `most` waiting rows in order; returns how many. Nothing happens once the lease is lost.
pub async fn seal(
    conn: &mut Conn,
    lease: &Lease,
    now: UnixTime,
    most: i64,
) -> Result<usize, Error> {
    if !lease.holds(conn, now).await? {
        return Ok(0);
    }
    let (mut seq, mut before) = newest(conn).await?;
    let sql =
        format!("SELECT {COLUMNS} FROM audit_events WHERE seq IS NULL ORDER BY at, id LIMIT $1");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(most)
        .fetch_all(&mut *conn)
        .await?;
    for row in &rows {
        let row = Line::read(row)?;
        seq += 1;
        before = row.chain(seq, &before).to_vec();
        sqlx::query("UPDATE audit_events SET seq = $1, chain = $2 WHERE id = $3 AND seq IS NULL")
            .bind(seq)
            .bind(before.clone())
            .bind(&row.id)
            .execute(&mut *conn)
            .await?;
    }
    Ok(rows.len())
}

/// Whether rows wait to be sealed.
pub async fn is_waiting(conn: &mut Conn) -> Result<bool, Error> {
    let row: Option<i64> =
        sqlx::query_scalar("SELECT at FROM audit_events WHERE seq IS NULL LIMIT 1")
            .fetch_optional(conn)
            .await?;
    Ok(row.is_some())
}

async fn newest(conn: &mut Conn) -> Result<(i64, Vec<u8>), Error> {
    let row = sqlx::query(
        "SELECT seq, chain FROM audit_events WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1",
    )
    .fetch_optional(conn)
    .await?;
    row.map_or(Ok((0, Vec::new())), |row| {
        Ok((row.try_get("seq")?, row.try_get("chain")?))
    })
}

/// Why no checkpoint was written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error(transparent)]
    Store(#[from] Error),
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Signs the newest hash, unless a checkpoint of it exists; returns whether one was written.
pub async fn checkpoint(
    conn: &mut Conn,
    signer: &dyn Signer,
    entity: &str,
    now: UnixTime,
) -> Result<bool, CheckpointError> {
    let (seq, chain) = newest(conn).await?;
    let known: Option<i64> =
        sqlx::query_scalar("SELECT seq FROM audit_checkpoints WHERE seq >= $1")
            .bind(seq)
            .fetch_optional(&mut *conn)
            .await?;
    if seq == 0 || known.is_some() {
        return Ok(false);
    }
    let payload =
        json!({"iss": entity, "iat": now, "seq": seq, "chain": URL_SAFE_NO_PAD.encode(chain)})
            .to_string();
    let mut header = Map::new();
    header.insert("typ".to_owned(), "hefu-audit-checkpoint+jwt".into());
    let jws = signer
        .sign(Purpose::Audit, Algorithm::ES256, header, payload.as_bytes())
        .await?;
    sqlx::query(
        "INSERT INTO audit_checkpoints (seq, at, jws) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(seq)
    .bind(now)
    .bind(jws)
    .execute(conn)
    .await?;
    Ok(true)
}

/// What a check of the whole log found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// Every sealed row is in its place; `waiting` rows are not sealed yet.
    Whole {
        sealed: i64,
        checkpoints: usize,
        waiting: i64,
    },
    /// The chain breaks at `seq`: a row was changed, removed or put in.
    Broken { seq: i64 },
    /// The checkpoint at `seq` does not agree with the chain, or is not signed by us.
    FalseCheckpoint { seq: i64 },
}

/// Recomputes the chain from the first row and compares every checkpoint.
pub async fn verify(conn: &mut Conn, signer: &dyn Signer) -> Result<Verdict, Error> {
    let checkpoints = sqlx::query("SELECT seq, jws FROM audit_checkpoints ORDER BY seq")
        .fetch_all(&mut *conn)
        .await?;
    let mut checkpoints_left = checkpoints.iter().peekable();
    let (mut seq, mut before) = (0_i64, Vec::new());
    let sql = format!(
        "SELECT {COLUMNS}, seq, chain FROM audit_events WHERE seq > $1 ORDER BY seq LIMIT 500"
    );
    loop {
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
            .bind(seq)
            .fetch_all(&mut *conn)
            .await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let (stored_seq, stored): (i64, Vec<u8>) = (row.try_get("seq")?, row.try_get("chain")?);
            before = Line::read(row)?.chain(seq + 1, &before).to_vec();
            seq += 1;
            if stored_seq != seq || stored != before {
                return Ok(Verdict::Broken { seq });
            }
            while let Some(found) = checkpoints_left.peek() {
                if found.try_get::<i64, _>("seq")? != seq {
                    break;
                }
                if !agrees(signer, found.try_get("jws")?, seq, &before) {
                    return Ok(Verdict::FalseCheckpoint { seq });
                }
                checkpoints_left.next();
            }
        }
    }
    if let Some(left) = checkpoints_left.next() {
        // A checkpoint beyond the last row: rows were cut off at the end.
        return Ok(Verdict::FalseCheckpoint {
            seq: left.try_get("seq")?,
        });
    }
    let waiting: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM audit_events WHERE seq IS NULL")
        .fetch_one(&mut *conn)
        .await?;
    Ok(Verdict::Whole {
        sealed: seq,
        checkpoints: checkpoints.len(),
        waiting,
    })
}

fn agrees(signer: &dyn Signer, jws: &str, seq: i64, chain: &[u8]) -> bool {
    let Ok(jws) = UnverifiedJws::parse(jws, 4096) else {
        return false;
    };
    let (Some(kid), Ok(alg)) = (
        jws.header.kid.as_deref(),
        jws.checked_algorithm(&[Algorithm::ES256]),
    ) else {
        return false;
    };
    let Ok(payload) = json::parse_object(&jws.payload) else {
        return false;
    };
    jws.header.is_typ("hefu-audit-checkpoint+jwt")
        && payload.get("seq").and_then(serde_json::Value::as_i64) == Some(seq)
        && payload.get("chain").and_then(serde_json::Value::as_str)
            == Some(&URL_SAFE_NO_PAD.encode(chain))
        && signer.verify(
            Purpose::Audit,
            kid,
            alg,
            jws.signing_input(),
            jws.signature(),
        )
}
