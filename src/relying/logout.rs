//! Leaving: to the provider's end-session endpoint (RP-Initiated Logout 1.0), and being told by the provider
//! (Back-Channel Logout 1.0) or, for it, by the browser (Front-Channel Logout 1.0).

use serde_json::{Map, Value};
use url::Url;

use crate::audit::{self, Event};
use crate::clock::UnixTime;
use crate::crypto::sha256;
use crate::jose::{Audience, Expected, JwkSet, JwsError, JwtError, Typ, jwt};
use crate::random::Rng;
use crate::relying::metadata::SIGNED_OUT;
use crate::relying::trust::Attempt;
use crate::relying::{LoginError, Party, session};
use crate::store::{Conn, Error, Store};

/// The usage under which the `state` of a logout is sealed.
const STATE: &str = "portal.logout";
/// Seconds that the citizen has to come back from the provider's logout.
const STATE_LIFETIME: i64 = 1800;
/// The member of `events` that makes a JWT a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const LEEWAY: i64 = 60;
/// Seconds that a logout token may live: its `jti` is remembered as long (Back-Channel Logout 1.0 §2.4 advises two minutes).
const LONGEST: i64 = 3600;

/// What came of pressing the button.
#[derive(Debug)]
pub enum Leave {
    /// Ended here; the provider is told by sending the browser there.
    ToProvider(Url),
    /// Ended here; the provider could not be told, the national session may go on.
    OnlyHere,
    /// There was no session.
    Nothing,
}

/// Ends this portal's session, then leads to the provider's logout. The session here ends whether or not the provider can be reached.
pub async fn leave(
    party: &Party,
    store: &Store,
    rng: &mut Rng,
    handle: &str,
    browser: &str,
    now: UnixTime,
) -> Result<Leave, Error> {
    let mut tx = store.write().await?;
    let hint = session::end_with_hint(&mut tx, &*party.sealer, handle, now).await?;
    if hint.is_some() {
        audit::record(&mut tx, rng, now, &Event::done("portal.logout")).await?;
    }
    tx.commit().await?;
    let Some(hint) = hint else {
        return Ok(Leave::Nothing);
    };
    let endpoint = match party.provider(now).await {
        Ok((provider, _)) => provider.end_session_endpoint,
        Err(error) => {
            tracing::warn!(%error, "the provider cannot be told of a logout");
            None
        }
    };
    let Some(mut location) = endpoint else {
        return Ok(Leave::OnlyHere);
    };
    let state = party
        .sealer
        .seal(STATE, browser, now.plus(STATE_LIFETIME), b"");
    // RP-Initiated Logout 1.0 §2.
    location
        .query_pairs_mut()
        .append_pair("id_token_hint", hint.reveal())
        .append_pair("client_id", &party.id)
        .append_pair("post_logout_redirect_uri", &party.url(SIGNED_OUT))
        .append_pair("state", &state);
    Ok(Leave::ToProvider(location))
}

/// Whether the browser comes back from a logout that began here, as the `state` we gave it shows (RP-Initiated Logout 1.0 §3).
pub fn returned(party: &Party, state: &str, browser: &str, now: UnixTime) -> bool {
    party.sealer.open(STATE, browser, now, state).is_some()
}

/// Why a logout token was not obeyed.
#[derive(Debug, thiserror::Error)]
pub enum LogoutError {
    /// 400: the sentence goes to the provider's engineer.
    #[error("{0}")]
    Refused(String),
    /// 503: not the token's fault; the provider may try again.
    #[error("{0}")]
    Unavailable(String),
    #[error(transparent)]
    Store(#[from] Error),
}

/// Obeys a logout token and says how many sessions it ended; none is a success too (Back-Channel Logout 1.0 §2.8).
pub async fn obey(
    party: &Party,
    store: &Store,
    rng: &mut Rng,
    token: &str,
    now: UnixTime,
) -> Result<u64, LogoutError> {
    // Before anything is asked of anybody: a stranger's text costs no request.
    let refused = |e: JwtError| LogoutError::Refused(e.to_string());
    let (_, unverified) = jwt::peek(token, 16 * 1024).map_err(refused)?;
    if unverified.get("iss").and_then(Value::as_str) != Some(&party.settings.provider) {
        return Err(LogoutError::Refused(JwtError::Issuer.to_string()));
    }
    let claims = verify(party, token, now).await?;
    let order = Order::read(&claims, now).map_err(|e| LogoutError::Refused(e.to_owned()))?;

    let mut tx = store.write().await?;
    let first = remember(
        &mut tx,
        &party.settings.provider,
        order.jti,
        order.expires_at,
    )
    .await?;
    let ended = if first {
        let iss = &party.settings.provider;
        session::end_by_provider(&mut tx, iss, order.sub, order.sid, now).await?
    } else {
        0
    };
    let event = if first {
        Event::done("portal.backchannel_logout").with("sessions", ended)
    } else {
        Event::refused("portal.backchannel_logout").with("reason", "jti seen before")
    };
    audit::record(&mut tx, rng, now, &event).await?;
    tx.commit().await?;
    if first {
        Ok(ended)
    } else {
        Err(LogoutError::Refused(
            "the jti was seen before: this logout token has already been obeyed".to_owned(),
        ))
    }
}

/// Ends the session that the provider names in the browser's frame and says how many there were (Front-Channel Logout 1.0 §2).
pub async fn obey_browser(
    store: &Store,
    rng: &mut Rng,
    iss: &str,
    sid: &str,
    now: UnixTime,
) -> Result<u64, Error> {
    let mut tx = store.write().await?;
    let ended = session::end_by_provider(&mut tx, iss, None, Some(sid), now).await?;
    // Anybody may load the page; what ends nothing is not worth a row.
    if ended > 0 {
        let event = Event::done("portal.frontchannel_logout").with("sessions", ended);
        audit::record(&mut tx, rng, now, &event).await?;
    }
    tx.commit().await?;
    Ok(ended)
}

/// Back-Channel Logout 1.0 §2.6 (1)-(3): like an ID Token, with the algorithm of our metadata; the type is demanded, so that no other JWT
/// of the provider passes as an order to log out.
async fn verify(
    party: &Party,
    token: &str,
    now: UnixTime,
) -> Result<Map<String, Value>, LogoutError> {
    let (provider, _) = party.provider(now).await.map_err(later)?;
    let algorithms = [party.settings.id_token_signed_response_alg];
    let expected = Expected {
        issuer: &provider.issuer,
        audience: Audience::Only(&[&party.id]),
        typ: Typ::Is("logout+jwt"),
        algorithms: &algorithms,
        now,
        leeway: LEEWAY,
        accept_expired: false,
        limit: 16 * 1024,
    };
    party
        .with_keys(&provider, now, |jwks| {
            let keys = JwkSet::parse_lenient(jwks)
                .map_err(|e| LoginError::Unreachable(format!("the provider's key set: {e}")))?;
            match jwt::verify(token, &keys, &expected) {
                Ok(claims) => Ok(Attempt::Done(claims)),
                Err(JwtError::Jws(JwsError::NoKey)) => Ok(Attempt::NoSuchKey),
                Err(e) => Err(LoginError::Invalid(e.to_string())),
            }
        })
        .await
        .map_err(|e| match e {
            LoginError::Invalid(reason) => LogoutError::Refused(reason),
            other => later(other),
        })
}

fn later(error: LoginError) -> LogoutError {
    match error {
        LoginError::Store(e) => LogoutError::Store(e),
        other => LogoutError::Unavailable(other.to_string()),
    }
}

/// The content of a logout token.
#[derive(Debug, PartialEq, Eq)]
struct Order<'c> {
    jti: &'c str,
    sub: Option<&'c str>,
    sid: Option<&'c str>,
    expires_at: UnixTime,
}

impl<'c> Order<'c> {
    /// Back-Channel Logout 1.0 §2.4 and §2.6 (4)-(6).
    fn read(claims: &'c Map<String, Value>, now: UnixTime) -> Result<Self, &'static str> {
        let text = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(Value::String(s)) if !s.is_empty() => Ok(Some(s.as_str())),
            Some(_) => Err("jti, sub or sid is not a text"),
        };
        if claims.contains_key("nonce") {
            return Err("a nonce makes it an ID Token, not a logout token");
        }
        let is_logout = claims
            .get("events")
            .and_then(Value::as_object)
            .and_then(|events| events.get(EVENT))
            .is_some_and(Value::is_object);
        if !is_logout {
            return Err("events does not say that this is a back-channel logout");
        }
        let time = |name| jwt::time(claims, name).ok().flatten();
        time("iat").ok_or("iat is missing")?;
        let exp = time("exp").ok_or("exp is missing")?;
        if exp > now.plus(LONGEST) {
            return Err("it lives too long");
        }
        let (sub, sid) = (text("sub")?, text("sid")?);
        if sub.is_none() && sid.is_none() {
            return Err("neither sub nor sid says whose session is meant");
        }
        Ok(Self {
            jti: text("jti")?.ok_or("jti is missing")?,
            sub,
            sid,
            expires_at: exp.plus(LEEWAY),
        })
    }
}

/// Notes a `jti`; false when it was noted before.
pub async fn remember(
    conn: &mut Conn,
    iss: &str,
    jti: &str,
    expires_at: UnixTime,
) -> Result<bool, Error> {
    let both = format!("{iss} {jti}");
    let done = sqlx::query(
        "INSERT INTO portal_logout_tokens (jti_hash, expires_at) VALUES ($1, $2) ON CONFLICT (jti_hash) DO NOTHING",
    )
    .bind(sha256(both.as_bytes()).to_vec())
    .bind(expires_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_makes_a_logout_token() {
        let now = UnixTime(1000);
        let good = json!({"iat": 990, "exp": 1100, "jti": "j", "sid": "s", "sub": "u", "events": {EVENT: {}}});
        let good = good.as_object().unwrap();
        let order = Order::read(good, now).unwrap();
        assert_eq!(
            (order.jti, order.sub, order.sid),
            ("j", Some("u"), Some("s"))
        );
        for (name, value) in [
            ("nonce", json!("n")),
            ("nonce", json!(null)),
            ("events", json!({})),
            ("events", json!({EVENT: true})),
            ("events", json!([EVENT])),
            (
                "events",
                json!({"http://schemas.openid.net/event/other": {}}),
            ),
            ("jti", json!(7)),
            ("jti", json!("")),
            ("sid", json!(["s"])),
            ("exp", json!(999_999)),
            ("exp", json!("soon")),
            ("iat", json!("now")),
        ] {
            let mut claims = good.clone();
            claims.insert(name.to_owned(), value.clone());
            assert!(Order::read(&claims, now).is_err(), "{name} = {value}");
        }
        for name in ["events", "jti", "iat", "exp"] {
            let mut claims = good.clone();
            claims.remove(name);
            assert!(Order::read(&claims, now).is_err(), "without {name}");
        }
        let mut nobody = good.clone();
        nobody.remove("sid");
        assert!(Order::read(&nobody, now).is_ok());
        nobody.remove("sub");
        assert!(Order::read(&nobody, now).is_err());
    }
}
