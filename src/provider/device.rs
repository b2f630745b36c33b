//! Device authorization (RFC 8628): a device without a browser asks, shows a short code, and polls; a person types the code
//! elsewhere. A short code is no secret, so it is stored under a keyed hash; what the device holds is, and is hashed.
//! Whether the person may go on is decided like any login, in `interaction`; here a code is found, answered once, used once.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sqlx::Row;

use super::claims::ClaimsRequest;
use super::grants::{self, Grant};
use super::interaction::Asked;
use super::marks::Allowed;
use super::request::{
    self, AuthorizationRequest, Context, Parameters, Prompt, ResponseMode, Return,
};
use super::target::Offered;
use crate::authn::throttle::Limit;
use crate::client::Client;
use crate::clock::UnixTime;
use crate::crypto::{Indexer, Sealer, Secret, sha256};
use crate::id::ClientId;
use crate::oauth::{self, ErrorCode, ResponseType};
use crate::random::Rng;
use crate::store::{Conn, Error};

/// RFC 8628 §3.4.
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Where the person's browser ends up: the answer goes to the device.
pub const DONE: &str = "/device/done";

/// Wrong codes of one login, and of one source: a province may sit behind one address.
pub const SESSION_LIMIT: Limit = Limit {
    kind: "device code, session",
    tries: 5,
    seconds: 900,
};
pub const SOURCE_LIMIT: Limit = Limit {
    kind: "device code, source",
    tries: 100,
    seconds: 900,
};

/// RFC 8628 §6.1: no vowels, so no words; nothing that looks like something else. 20^8, some 34 bits.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;
const DOMAIN: &str = "device user code";
const COLUMN: &str = "device_codes.asked";
/// Seconds that a poll which comes too soon adds (RFC 8628 §3.5).
const SLOWER: i64 = 5;

/// What a device asks for, with what a person needs to know whether it was they who asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    pub asked: Asked,
    /// The address that the request came from.
    pub from: String,
    /// The program that sent it, in words; may be empty.
    pub device: String,
}

/// A device that waits for somebody's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Names it inside this house: neither of its codes.
    pub reference: String,
    pub wanted: Wanted,
    pub asked_at: UnixTime,
    pub expires_at: UnixTime,
}

/// What a device is given.
#[derive(Debug)]
pub struct Codes {
    pub device_code: Secret<String>,
    /// As it is shown, `BCDF-GHJK`.
    pub user_code: String,
}

/// How a poll ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Poll {
    Pending,
    TooSoon,
    Refused,
    Expired,
    /// Unknown, of another client, or used: then everything it gave is revoked.
    Nothing,
    Granted(Box<Grant>),
}

/// Reads what a device asks for. The client has proven itself; there is no browser to send back to but our own page.
pub fn read(
    sent: &Parameters,
    client: &Client,
    context: &Context<'_>,
    done: String,
) -> Result<AuthorizationRequest, oauth::Error> {
    if !client.grant_types.contains(GRANT_TYPE) {
        return Err(oauth::Error::new(
            ErrorCode::UnauthorizedClient,
            "this client is not registered for the device grant",
        ));
    }
    let offered = Offered::of(context.issuer, context.settings);
    let resources = offered.resources(sent)?;
    let details = offered.details(sent, client)?;
    let scope = request::scope(sent, client, ResponseType::CODE, &offered, &resources)?;
    offered.check(&resources, &scope, &details)?;
    let claims = ClaimsRequest::default();
    let allowed = Allowed::of(client, &context.settings.marks, context.now);
    allowed.narrow(AuthorizationRequest {
        client: client.id.clone(),
        answer: Return {
            redirect_uri: done,
            mode: ResponseMode::Query,
            state: None,
            signed: None,
        },
        response_type: ResponseType::CODE,
        scope,
        nonce: None,
        prompt: Prompt::default(),
        max_age: request::max_age(sent, client)?,
        acr: request::acr(sent, client, &claims, context),
        claims,
        login_hint: None,
        ui_locales: None,
        code_challenge: None,
        dpop_jkt: None,
        hinted_sub: None,
        id_token_hint: None,
        pushed: None,
        resources,
        details,
        device: None,
    })
}

/// Begins to wait for a person.
pub async fn begin(
    conn: &mut Conn,
    rng: &mut Rng,
    keys: Keys<'_>,
    wanted: &Wanted,
    lives: Lives,
    now: UnixTime,
) -> Result<Codes, Error> {
    let device_code = rng.token();
    let hash = sha256(device_code.as_bytes());
    let plain = serde_json::to_vec(wanted).map_err(|e| Error::Encode(Box::new(e)))?;
    // Two devices with one short code would be each other's; the database says when that happens.
    loop {
        let user_code = new_user_code(rng);
        let first: Option<i64> = sqlx::query_scalar(
            "INSERT INTO device_codes (code, user_code, client, asked, asked_at, expires_at, pause)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (user_code) DO NOTHING RETURNING asked_at",
        )
        .bind(hash.to_vec())
        .bind(keys.indexer.index(DOMAIN, user_code.as_bytes()))
        .bind(&wanted.asked.request.client)
        .bind(keys.sealer.protect(COLUMN, &reference(&hash), &plain))
        .bind(now)
        .bind(now.plus(lives.code))
        .bind(lives.pause)
        .fetch_optional(&mut *conn)
        .await?;
        if first.is_some() {
            return Ok(Codes {
                device_code: Secret::new(device_code),
                user_code: shown(&user_code),
            });
        }
    }
}

/// With what codes are found and requests are read.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    pub sealer: &'a dyn Sealer,
    pub indexer: &'a dyn Indexer,
}

/// In seconds.
#[derive(Clone, Copy, Debug)]
pub struct Lives {
    pub code: i64,
    /// Between two polls.
    pub pause: i64,
}

/// The device whose code somebody typed, while nobody has answered it.
pub async fn find(
    conn: &mut Conn,
    keys: Keys<'_>,
    typed: &str,
    now: UnixTime,
) -> Result<Option<Waiting>, Error> {
    let Some(user_code) = normal(typed) else {
        return Ok(None);
    };
    for index in keys.indexer.indices(DOMAIN, user_code.as_bytes()) {
        let code: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT code FROM device_codes WHERE user_code = $1")
                .bind(index)
                .fetch_optional(&mut *conn)
                .await?;
        if let Some(code) = code {
            return load(conn, keys.sealer, &reference(&code), now).await;
        }
    }
    Ok(None)
}

/// The same by its name in this house.
pub async fn load(
    conn: &mut Conn,
    sealer: &dyn Sealer,
    reference: &str,
    now: UnixTime,
) -> Result<Option<Waiting>, Error> {
    let Ok(code) = URL_SAFE_NO_PAD.decode(reference) else {
        return Ok(None);
    };
    let row = sqlx::query(
        "SELECT asked, asked_at, expires_at FROM device_codes WHERE code = $1 AND expires_at > $2
           AND grant_id IS NULL AND refused_at IS NULL",
    )
    .bind(code)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let asked: Vec<u8> = row.try_get("asked")?;
    let wanted = sealer
        .reveal(COLUMN, reference, &asked)
        .and_then(|plain| serde_json::from_slice(&plain).ok());
    let (asked_at, expires_at) = (row.try_get("asked_at")?, row.try_get("expires_at")?);
    Ok(wanted.map(|wanted| Waiting {
        reference: reference.to_owned(),
        wanted,
        asked_at,
        expires_at,
    }))
}

/// Somebody's yes: the device may fetch this grant. `false`: answered before, or too late.
pub async fn approve(
    conn: &mut Conn,
    reference: &str,
    grant: &str,
    now: UnixTime,
) -> Result<bool, Error> {
    let Ok(code) = URL_SAFE_NO_PAD.decode(reference) else {
        return Ok(false);
    };
    let done: Option<i64> = sqlx::query_scalar(
        "UPDATE device_codes SET grant_id = $1 WHERE code = $2 AND expires_at > $3
           AND grant_id IS NULL AND refused_at IS NULL RETURNING asked_at",
    )
    .bind(grant)
    .bind(code)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(done.is_some())
}

/// Somebody's no, or an answer that cannot be given. `false`: answered before.
pub async fn refuse(conn: &mut Conn, reference: &str, now: UnixTime) -> Result<bool, Error> {
    let Ok(code) = URL_SAFE_NO_PAD.decode(reference) else {
        return Ok(false);
    };
    let done: Option<i64> = sqlx::query_scalar(
        "UPDATE device_codes SET refused_at = $1 WHERE code = $2 AND grant_id IS NULL AND refused_at IS NULL
         RETURNING asked_at",
    )
    .bind(now)
    .bind(code)
    .fetch_optional(conn)
    .await?;
    Ok(done.is_some())
}

/// The device asks whether it may. Two polls at once are one poll and one that came too soon.
pub async fn poll(
    conn: &mut Conn,
    device_code: &str,
    client: &ClientId,
    now: UnixTime,
) -> Result<Poll, Error> {
    let hash = sha256(device_code.as_bytes()).to_vec();
    let row = sqlx::query(
        "UPDATE device_codes SET polled_at = $1 WHERE code = $2 AND client = $3
           AND (polled_at IS NULL OR polled_at + pause <= $1)
         RETURNING expires_at, grant_id, refused_at, used_at",
    )
    .bind(now)
    .bind(hash.clone())
    .bind(client)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else {
        // RFC 8628 §3.5: this and all later pauses are longer.
        let slower: Option<i64> = sqlx::query_scalar(
            "UPDATE device_codes SET pause = pause + $1 WHERE code = $2 AND client = $3 RETURNING pause",
        )
        .bind(SLOWER)
        .bind(hash)
        .bind(client)
        .fetch_optional(conn)
        .await?;
        return Ok(slower.map_or(Poll::Nothing, |_| Poll::TooSoon));
    };
    let (expires_at, grant): (UnixTime, Option<String>) =
        (row.try_get("expires_at")?, row.try_get("grant_id")?);
    let (refused, used): (Option<UnixTime>, Option<UnixTime>) =
        (row.try_get("refused_at")?, row.try_get("used_at")?);
    match (grant, used) {
        (Some(grant), Some(_)) => {
            // As with a code (RFC 6749 §4.1.2): one of the two who came is not the device.
            grants::revoke(conn, &grant, "device_code_repeated", now).await?;
            Ok(Poll::Nothing)
        }
        _ if refused.is_some() => Ok(Poll::Refused),
        _ if expires_at <= now => Ok(Poll::Expired),
        (None, _) => Ok(Poll::Pending),
        (Some(grant), None) => {
            sqlx::query("UPDATE device_codes SET used_at = $1 WHERE code = $2")
                .bind(now)
                .bind(hash)
                .execute(&mut *conn)
                .await?;
            let grant = grants::redeem_by_id(conn, &grant, client, now).await?;
            // The person took it back meanwhile.
            Ok(grant.map_or(Poll::Refused, |grant| Poll::Granted(Box::new(grant))))
        }
    }
}

impl Poll {
    /// RFC 8628 §3.5.
    pub fn into_grant(self) -> Result<Grant, oauth::Error> {
        let error = |code, text: &'static str| Err(oauth::Error::new(code, text));
        match self {
            Self::Granted(grant) => Ok(*grant),
            Self::Pending => error(
                ErrorCode::AuthorizationPending,
                "nobody has answered yet; ask again later",
            ),
            Self::TooSoon => error(ErrorCode::SlowDown, "ask five seconds less often"),
            Self::Refused => error(ErrorCode::AccessDenied, "the person refused"),
            Self::Expired => error(ErrorCode::ExpiredToken, "the device code has expired"),
            Self::Nothing => error(
                ErrorCode::InvalidGrant,
                "the device code is unknown, used before or of another client",
            ),
        }
    }
}

fn reference(hash: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(hash)
}

fn new_user_code(rng: &mut Rng) -> String {
    let mut out = String::with_capacity(LENGTH);
    while out.len() < LENGTH {
        let [byte] = rng.bytes::<1>();
        // 240 is the largest multiple of 20 in a byte; the rest would favour the first letters.
        if byte < 240 {
            out.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
        }
    }
    out
}

/// `BCDFGHJK` as `BCDF-GHJK`.
fn shown(user_code: &str) -> String {
    let (first, second) = user_code.split_at(LENGTH / 2);
    format!("{first}-{second}")
}

/// What was typed, as it is stored: any case, with or without separators (RFC 8628 §6.1), also from a keyboard that writes
/// full-width letters. `None`: it can be no code.
pub fn normal(typed: &str) -> Option<String> {
    let code: String = typed
        .chars()
        .filter_map(|c| match c {
            // U+FF01 … U+FF5E are the wide forms of ASCII.
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0),
            other => Some(other),
        })
        .filter(|c| !c.is_whitespace() && !"-‐‑‒–—―－_.".contains(*c))
        .map(|c| c.to_ascii_uppercase())
        .take(LENGTH + 1)
        .collect();
    let fits = code.len() == LENGTH && code.bytes().all(|b| ALPHABET.contains(&b));
    fits.then_some(code)
}

/// The same as it is shown; `None` when it can be no code.
pub fn in_form(typed: &str) -> Option<String> {
    normal(typed).map(|code| shown(&code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::RngSource;

    #[test]
    fn codes_are_read_as_people_type_them() {
        for (typed, code) in [
            ("BCDF-GHJK", Some("BCDFGHJK")),
            ("bcdf ghjk", Some("BCDFGHJK")),
            (" bcdfghjk\n", Some("BCDFGHJK")),
            ("ＢＣＤＦ－ｇｈｊｋ", Some("BCDFGHJK")),
            ("BCDF—GHJK", Some("BCDFGHJK")),
            ("BCDF-GHJ", None),
            ("BCDF-GHJKL", None),
            ("ACDF-GHJK", None),
            ("BCDF-GHJ0", None),
            ("合合合合合合合合", None),
            ("", None),
        ] {
            assert_eq!(normal(typed).as_deref(), code, "{typed}");
        }
        let mut rng = RngSource::seeded(1).rng();
        for _ in 0..100 {
            let code = new_user_code(&mut rng);
            assert_eq!(normal(&shown(&code)), Some(code));
        }
    }
}
