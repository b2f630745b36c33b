//! A person's login at the provider, from the first proof to its end: who, proven how and when, until when.
//! The browser holds a secret handle; the store holds its hash. How proofs are checked is known to `authn` and `identity`;
//! what relying parties learn of a session and of its end is decided in `provider`.

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::authn::Factor;
use crate::clock::UnixTime;
use crate::crypto::{Secret, sha256, thumb};
use crate::id::{ClientId, PersonId, SessionId};
use crate::random::Rng;
use crate::store::{Conn, Error};

/// Seconds between two writes of `seen_at`.
const SEEN_STEP: i64 = 60;

/// A session that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub person: PersonId,
    /// Who acts; the person, until people act for others.
    pub actor: PersonId,
    pub proofs: Vec<Proof>,
    /// When the person last logged in; a further factor does not move it (OIDC Core 2, `auth_time`).
    pub auth_time: UnixTime,
    pub begun_at: UnixTime,
    pub seen_at: UnixTime,
    pub expires_at: UnixTime,
    /// In words for the person's own list, for example `Firefox, Linux`.
    pub device: String,
}

/// A factor and when it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub factor: Factor,
    pub at: UnixTime,
}

/// The secret in the browser's cookie.
pub type Handle = Secret<String>;

/// What a login begins with.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    pub person: &'a PersonId,
    pub factors: &'a [Factor],
    pub device: &'a str,
    /// Seconds until the session ends at the latest.
    pub lifetime: i64,
    /// The session this browser had. The same person's goes on under its name with a new handle; another's is ended.
    pub replacing: Option<&'a Session>,
}

/// Why a session ended; kept for the person's list and the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The person signed out, here or at a relying party.
    SignedOut,
    /// The person ended it from another device.
    EndedElsewhere,
    /// Another person logged in with the same browser.
    Replaced,
    /// A credential changed, an identity moved to its prover, an operator stepped in.
    Security,
}

impl End {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::EndedElsewhere => "ended_elsewhere",
            Self::Replaced => "replaced",
            Self::Security => "security",
        }
    }
}

/// The columns that `Session::read` wants, of a table called `sessions`.
pub const COLUMNS: &str = "sessions.id, sessions.subject, sessions.actor, sessions.proofs, sessions.auth_time, \
     sessions.begun_at, sessions.seen_at, sessions.expires_at, sessions.device";

impl Session {
    pub fn factors(&self) -> Vec<Factor> {
        self.proofs.iter().map(|p| p.factor).collect()
    }

    /// `sid` towards one client: the same for the session at that client, and of no use to compare notes with others.
    pub fn sid_for(&self, client: &ClientId) -> String {
        sid(&self.id, client)
    }

    /// Whether nothing happened for `idle` seconds: sensitive acts ask again then.
    pub fn is_idle(&self, idle: i64, now: UnixTime) -> bool {
        now.since(self.seen_at) > idle
    }

    /// Reads `COLUMNS`.
    pub fn read(row: &AnyRow) -> Result<Self, Error> {
        let proofs: String = row.try_get("proofs")?;
        Ok(Self {
            id: row.try_get("id")?,
            person: row.try_get("subject")?,
            actor: row.try_get("actor")?,
            proofs: serde_json::from_str(&proofs).map_err(|e| Error::Decode(Box::new(e)))?,
            auth_time: row.try_get("auth_time")?,
            begun_at: row.try_get("begun_at")?,
            seen_at: row.try_get("seen_at")?,
            expires_at: row.try_get("expires_at")?,
            device: row.try_get("device")?,
        })
    }
}

/// `sid` of the session `id` towards `client`. The session's name is random and told to nobody, so its hash tells nothing.
pub fn sid(id: &SessionId, client: &ClientId) -> String {
    thumb(format!("hefu sid\n{id}\n{client}").as_bytes())
}

/// Begins a session. The handle is always new, so that one planted before the login is worth nothing after it.
pub async fn begin(
    conn: &mut Conn,
    rng: &mut Rng,
    login: Login<'_>,
    now: UnixTime,
) -> Result<(Session, Handle), Error> {
    let handle = rng.token();
    let mut session = Session {
        id: SessionId(rng.id("se_")),
        person: login.person.clone(),
        actor: login.person.clone(),
        proofs: login
            .factors
            .iter()
            .map(|&factor| Proof { factor, at: now })
            .collect(),
        auth_time: now,
        begun_at: now,
        seen_at: now,
        expires_at: now.plus(login.lifetime),
        device: login.device.chars().take(120).collect(),
    };
    match login.replacing {
        Some(old) if old.person == *login.person => {
            session.id = old.id.clone();
            session.begun_at = old.begun_at;
            if renew(conn, &session, &handle).await? {
                return Ok((session, Secret::new(handle)));
            }
            // It ended in the meantime: this is a new one.
            session.id = SessionId(rng.id("se_"));
            session.begun_at = now;
        }
        Some(other) => {
            end(conn, &other.id, End::Replaced, now).await?;
        }
        None => {}
    }
    sqlx::query(
        "INSERT INTO sessions (handle, id, subject, actor, proofs, auth_time, begun_at, seen_at, expires_at, device)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(sha256(handle.as_bytes()).to_vec())
    .bind(&session.id)
    .bind(&session.person)
    .bind(&session.actor)
    .bind(to_json(&session.proofs))
    .bind(session.auth_time)
    .bind(session.begun_at)
    .bind(session.seen_at)
    .bind(session.expires_at)
    .bind(&session.device)
    .execute(conn)
    .await?;
    Ok((session, Secret::new(handle)))
}

async fn renew(conn: &mut Conn, session: &Session, handle: &str) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE sessions SET handle = $1, proofs = $2, auth_time = $3, seen_at = $3, expires_at = $4, device = $5
         WHERE id = $6 AND ended_at IS NULL AND expires_at > $3 RETURNING id",
    )
    .bind(sha256(handle.as_bytes()).to_vec())
    .bind(to_json(&session.proofs))
    .bind(session.auth_time)
    .bind(session.expires_at)
    .bind(&session.device)
    .bind(&session.id)
    .fetch_optional(conn)
    .await?;
    Ok(done.is_some())
}

/// The living session of a cookie.
pub async fn find(conn: &mut Conn, handle: &str, now: UnixTime) -> Result<Option<Session>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM sessions WHERE handle = $1 AND ended_at IS NULL AND expires_at > $2"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(sha256(handle.as_bytes()).to_vec())
        .bind(now)
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(Session::read)
        .transpose()
}

/// Notes that the person was here; writes at most once a minute.
pub async fn seen(conn: &mut Conn, session: &Session, now: UnixTime) -> Result<(), Error> {
    if now.since(session.seen_at) < SEEN_STEP {
        return Ok(());
    }
    sqlx::query(
        "UPDATE sessions SET seen_at = $1 WHERE id = $2 AND seen_at < $1 AND ended_at IS NULL",
    )
    .bind(now)
    .bind(&session.id)
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds one more proof to a session, under a new handle; the old one stops working. `None`: the session has ended.
pub async fn add_factor(
    conn: &mut Conn,
    rng: &mut Rng,
    session: &Session,
    factor: Factor,
    now: UnixTime,
) -> Result<Option<(Session, Handle)>, Error> {
    let mut stronger = session.clone();
    stronger.proofs.retain(|p| p.factor != factor);
    stronger.proofs.push(Proof { factor, at: now });
    stronger.seen_at = now;
    let handle = rng.token();
    let done = sqlx::query(
        "UPDATE sessions SET handle = $1, proofs = $2, seen_at = $3
         WHERE id = $4 AND ended_at IS NULL AND expires_at > $3 RETURNING id",
    )
    .bind(sha256(handle.as_bytes()).to_vec())
    .bind(to_json(&stronger.proofs))
    .bind(now)
    .bind(&session.id)
    .fetch_optional(conn)
    .await?;
    Ok(done.map(|_| (stronger, Secret::new(handle))))
}

/// Ends one session; whether it was still alive. Its relying parties are told by `provider::logout`, which finds what
/// ended here.
pub async fn end(conn: &mut Conn, id: &SessionId, why: End, now: UnixTime) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE sessions SET ended_at = $1, ended_why = $2 WHERE id = $3 AND ended_at IS NULL RETURNING id",
    )
    .bind(now)
    .bind(why.as_str())
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(done.is_some())
}

/// Ends all sessions of a person, except one; returns the names of those that were alive.
pub async fn end_all(
    conn: &mut Conn,
    person: &PersonId,
    except: Option<&SessionId>,
    why: End,
    now: UnixTime,
) -> Result<Vec<SessionId>, Error> {
    sqlx::query_scalar(
        "UPDATE sessions SET ended_at = $1, ended_why = $2
         WHERE subject = $3 AND ended_at IS NULL AND id <> $4 RETURNING id",
    )
    .bind(now)
    .bind(why.as_str())
    .bind(person)
    .bind(except.map_or("", SessionId::as_str))
    .fetch_all(conn)
    .await
}

/// The living sessions of a person, newest first.
pub async fn list_for(
    conn: &mut Conn,
    person: &PersonId,
    now: UnixTime,
) -> Result<Vec<Session>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM sessions WHERE subject = $1 AND ended_at IS NULL AND expires_at > $2
         ORDER BY auth_time DESC, id"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(person)
        .bind(now)
        .fetch_all(conn)
        .await?
        .iter()
        .map(Session::read)
        .collect()
}

#[expect(
    clippy::expect_used,
    reason = "a list of plain enums and numbers has a JSON form"
)]
fn to_json(proofs: &[Proof]) -> String {
    serde_json::to_string(proofs).expect("proofs have a JSON form")
}
