//! The way back: the authorization response, in the order of checks: its form, our own memory of it (once, this browser), who sent it
//! (RFC 9207), what it says; then the tokens, and a new session.

use crate::audit::{self, Event};
use crate::clock::UnixTime;
use crate::crypto::Secret;
use crate::random::Rng;
use crate::relying::pending::Pending;
use crate::relying::session::{self, Session};
use crate::relying::{LoginError, Party, Provider, tokens};
use crate::store::Store;

/// The longest authorization response that is read, in bytes.
const LIMIT: usize = 8 * 1024;

/// An authorization response (RFC 6749 §4.1.2, RFC 9207 §2), well-formed and not yet believed.
#[derive(Debug)]
pub struct Answer {
    pub state: String,
    pub iss: Option<String>,
    pub outcome: Outcome,
}

#[derive(Debug)]
pub enum Outcome {
    Code(Secret<String>),
    Error {
        code: String,
        description: Option<String>,
    },
}

impl Answer {
    /// Reads the query of the redirect. Parameters that we do not know are ignored, repeated ones are not forgiven (RFC 6749 §3.1).
    pub fn parse(query: &str) -> Result<Self, LoginError> {
        if query.len() > LIMIT {
            return Err(LoginError::Malformed("it is too long"));
        }
        let (mut state, mut iss, mut code, mut error, mut description) =
            (None, None, None, None, None);
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "state" => &mut state,
                "iss" => &mut iss,
                "code" => &mut code,
                "error" => &mut error,
                "error_description" => &mut description,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(LoginError::Malformed("a parameter is repeated"));
            }
        }
        let outcome = match (code, error) {
            (Some(code), None) if !code.is_empty() => Outcome::Code(code.into()),
            (None, Some(code)) if !code.is_empty() => Outcome::Error { code, description },
            _ => return Err(LoginError::Malformed("it has no code, or code and error")),
        };
        Ok(Self {
            state: state.ok_or(LoginError::Malformed("it has no state"))?,
            iss,
            outcome,
        })
    }
}

/// A login that succeeded.
#[derive(Debug)]
pub struct Finished {
    /// Of the new session.
    pub handle: Secret<String>,
    /// The page of ours that the citizen was to come to.
    pub target: Option<String>,
}

/// Ends a login: checks the answer, fetches and verifies the tokens, opens a session with a new handle. `browser` is the secret of the
/// browser's cookie, `before` the handle of the session it may have had: it is ended, so that nobody can have planted it.
pub async fn finish(
    party: &Party,
    store: &Store,
    rng: &mut Rng,
    now: UnixTime,
    answer: Answer,
    browser: &str,
    before: Option<&str>,
) -> Result<Finished, LoginError> {
    let mut conn = store.read().await?;
    let pending = Pending::take(&mut conn, &*party.sealer, &answer.state, browser, now)
        .await?
        .ok_or(LoginError::NotUnderWay)?;
    drop(conn); // No connection is held while we ask the provider.

    let (provider, vouched) = party.provider(now).await?;
    check_issuer(&provider, &pending, answer.iss.as_deref())?;
    let code = match answer.outcome {
        Outcome::Code(code) => code,
        Outcome::Error { code, description } => return Err(refusal(code, description)),
    };
    let verified = tokens::redeem(party, &provider, &code, &pending.secrets, rng, now).await?;
    let own = party.trust.own_chain(&party.id, now).await;
    let chains = (own.map_or_else(Vec::new, |own| own.chain), vouched.chain);

    let mut tx = store.write().await?;
    if let Some(before) = before {
        session::end(&mut tx, before, session::EndedBy::Here, now).await?;
    }
    let handle = Session::begin(
        &mut tx,
        &*party.sealer,
        rng,
        verified,
        chains,
        now,
        now.plus(party.settings.session_lifetime),
    )
    .await?;
    audit::record(&mut tx, rng, now, &Event::done("portal.login")).await?;
    tx.commit().await?;
    Ok(Finished {
        handle,
        target: pending.secrets.target.clone(),
    })
}

/// RFC 9207 §2.4: compared as strings, before anything is sent anywhere. A provider that says it names itself must do so.
fn check_issuer(
    provider: &Provider,
    pending: &Pending,
    iss: Option<&str>,
) -> Result<(), LoginError> {
    if pending.issuer != provider.issuer {
        return Err(LoginError::WrongIssuer); // the configuration changed while the citizen was away
    }
    match iss {
        Some(iss) if iss == provider.issuer => Ok(()),
        None if !provider.names_itself => Ok(()),
        _ => Err(LoginError::WrongIssuer),
    }
}

fn refusal(code: String, description: Option<String>) -> LoginError {
    match code.as_str() {
        "access_denied" => LoginError::Denied,
        // OIDC Unmet Authentication Requirements 1.0
        "unmet_authentication_requirements" => LoginError::LevelNotReached,
        _ => LoginError::Refused { code, description },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_way_to_say_it() {
        let good = Answer::parse("code=a%20b&state=s&iss=i&session_state=x").unwrap();
        assert!(matches!(good.outcome, Outcome::Code(code) if code.reveal() == "a b"));
        assert_eq!((good.state.as_str(), good.iss.as_deref()), ("s", Some("i")));
        let error = Answer::parse("error=access_denied&state=s").unwrap();
        assert!(matches!(error.outcome, Outcome::Error { code, .. } if code == "access_denied"));
        for bad in [
            "",
            "state=s",
            "code=a",
            "code=&state=s",
            "code=a&error=b&state=s",
            "code=a&code=a&state=s",
            "code=a&state=s&state=s",
            "code=a&state=s&iss=i&iss=i",
        ] {
            assert!(
                matches!(Answer::parse(bad), Err(LoginError::Malformed(_))),
                "{bad}"
            );
        }
        let long = format!("state=s&code={}", "x".repeat(LIMIT));
        assert!(Answer::parse(&long).is_err());
    }

    #[test]
    fn refusals_are_told_apart() {
        assert!(matches!(
            refusal("access_denied".into(), None),
            LoginError::Denied
        ));
        assert!(matches!(
            refusal("unmet_authentication_requirements".into(), None),
            LoginError::LevelNotReached
        ));
        assert!(matches!(
            refusal("login_required".into(), None),
            LoginError::Refused { .. }
        ));
    }
}
