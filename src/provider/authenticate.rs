//! How a client proves itself at the token and PAR endpoints: exactly the one method it registered (OIDC Core 9).

use serde_json::{Map, Value};

use crate::client::{Authentication, Client, Profile};
use crate::clock::UnixTime;
use crate::crypto::{Authorities, ClientCertificate};
use crate::jose::{Audience, ClientSecret, Expected, JwsError, JwtError, Typ, jwt};
use crate::oauth::{Algorithm, Error, MacAlgorithm};

use super::one_use::OneUse;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const LIMIT: usize = 16 * 1024;
/// Seconds by which clocks may differ: 10 ahead must be accepted, more than 60 must not (FAPI 2.0 §5.3.2.1).
const LEEWAY: i64 = 30;
/// An assertion must be remembered until it expires; nobody needs a longer one.
const LONGEST: i64 = 24 * 3600;
const TYP: Typ<'_> = Typ::AbsentOr(&["JWT", "client-authentication+jwt"]);

/// What a request brought along to prove who sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The client that is claimed to be the sender; nothing is proven yet.
    pub client_id: String,
    proof: Proof,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Proof {
    Basic(String),
    Post(String),
    Assertion(String),
    None,
}

/// Which endpoint is asked: its URL counts as an audience for some profiles.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    pub issuer: &'a str,
    pub token_endpoint: &'a str,
    /// The PAR endpoint's URL, when it is the one asked.
    pub par_endpoint: Option<&'a str>,
    /// The same endpoints at the alias for clients with certificates: they count wherever those do.
    pub aliases: &'a [String],
    /// What was shown in TLS, and who vouches for names in it.
    pub certificate: Option<&'a ClientCertificate>,
    pub authorities: Option<&'a Authorities>,
    pub now: UnixTime,
}

impl Credentials {
    /// Collects them from the `Authorization` header's Basic pair (already form-decoded) and the body.
    pub fn read(
        basic: Option<(String, String)>,
        parameter: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let client_id = parameter("client_id");
        let assertion = match (
            parameter("client_assertion"),
            parameter("client_assertion_type"),
        ) {
            (None, None) => None,
            (Some(jwt), Some(kind)) if kind == ASSERTION_TYPE => Some(jwt),
            _ => {
                return Err(Error::invalid_client(
                    "client_assertion_type must be the jwt-bearer type, with an assertion",
                ));
            }
        };
        let secret = parameter("client_secret");
        // RFC 6749 §2.3: no more than one method at once.
        let methods = usize::from(basic.is_some())
            + usize::from(assertion.is_some())
            + usize::from(secret.is_some());
        if methods > 1 {
            return Err(Error::invalid_request(
                "only one way of client authentication may be used",
            ));
        }
        let (claimed, proof) = match (basic, assertion, secret) {
            (Some((id, secret)), _, _) => (Some(id), Proof::Basic(secret)),
            (_, Some(jwt), _) => (claimed_by(&jwt), Proof::Assertion(jwt)),
            (_, _, Some(secret)) => (None, Proof::Post(secret)),
            _ => (None, Proof::None),
        };
        match (claimed, client_id) {
            (Some(a), Some(b)) if a != b => Err(Error::invalid_client(
                "client_id is not the client that authenticates",
            )),
            (Some(id), _) | (None, Some(id)) => Ok(Self {
                client_id: id,
                proof,
            }),
            (None, None) => Err(Error::invalid_client("client authentication is missing")),
        }
    }

    /// Whether a header was used, so that a refusal names the scheme (RFC 6749 §5.2).
    pub fn by_header(&self) -> bool {
        matches!(self.proof, Proof::Basic(_))
    }

    /// The client assertion, if that is the proof.
    pub fn assertion(&self) -> Option<&str> {
        match &self.proof {
            Proof::Assertion(jwt) => Some(jwt),
            _ => None,
        }
    }

    /// Checks the proof. An assertion that fits must now be marked as used.
    pub fn verify(&self, client: &Client, at: &At<'_>) -> Result<Option<OneUse>, Error> {
        match (client.authentication, &self.proof) {
            (Authentication::SecretBasic, Proof::Basic(secret))
            | (Authentication::SecretPost, Proof::Post(secret)) => {
                if client.has_secret(secret) && client.secret_works(at.now) {
                    Ok(None)
                } else {
                    Err(Error::invalid_client("client authentication failed"))
                }
            }
            (Authentication::SecretJwt(alg), Proof::Assertion(jwt)) => {
                // `None`: the key that the secret was sealed with is lost; an operator gives a new one.
                let secret = client.clear_secret.as_ref();
                match secret.filter(|_| client.secret_works(at.now)) {
                    Some(secret) => verify_under_secret(client, secret, alg, jwt, at).map(Some),
                    None => Err(Error::invalid_client("client authentication failed")),
                }
            }
            (Authentication::PrivateKeyJwt(alg), Proof::Assertion(jwt)) => {
                verify_assertion(client, alg, jwt, at).map(Some)
            }
            (Authentication::None, Proof::None) => Ok(None),
            (Authentication::TlsClientAuth | Authentication::SelfSignedTls, Proof::None) => {
                verify_certificate(client, at).map(|()| None)
            }
            _ => Err(Error::invalid_client(
                "this is not the authentication method registered for the client",
            )),
        }
    }
}

/// RFC 8705 §2: that the client holds the key was proven in the handshake; here, whose it is.
fn verify_certificate(client: &Client, at: &At<'_>) -> Result<(), Error> {
    let Some(certificate) = at.certificate else {
        return Err(Error::invalid_client(
            "no certificate was shown: ask at the mTLS endpoint alias",
        ));
    };
    let known = match (&client.certificate_name, at.authorities) {
        (Some(name), Some(authorities)) => {
            name.is_of(certificate) && authorities.vouch_for(certificate, at.now)
        }
        (Some(_), None) => false,
        (None, _) => client.has_certificate(certificate),
    };
    if known {
        Ok(())
    } else {
        Err(Error::invalid_client(
            "the certificate is not that of the client",
        ))
    }
}

/// RFC 7523 §3 as OIDC Core 9 and OpenID Federation 1.0 §12.1 narrow it.
fn verify_assertion(
    client: &Client,
    alg: Option<Algorithm>,
    token: &str,
    at: &At<'_>,
) -> Result<OneUse, Error> {
    let id = client.id.as_str();
    let pushed = at.par_endpoint.is_some();
    // The audience by profile: at PAR a federation client says our entity identifier and nothing else (Fed 12.1.1.2).
    let mut ours = vec![at.issuer];
    if !(client.profile == Profile::Federation && pushed) {
        ours.push(at.token_endpoint);
        ours.extend(at.aliases.iter().map(String::as_str));
    }
    if client.profile == Profile::Oidc {
        ours.extend(at.par_endpoint);
    }
    let registered;
    let algorithms: &[Algorithm] = match alg {
        Some(alg) => {
            registered = [alg];
            &registered
        }
        None => client.algorithms(),
    };
    let expected = Expected {
        issuer: id,
        audience: match client.profile {
            Profile::Federation => Audience::Only(&ours),
            Profile::Oidc => Audience::Contains(&ours),
            // FAPI 2.0 §5.3.2.1: the issuer, as one string, at every endpoint.
            Profile::Fapi2 => Audience::String(at.issuer),
        },
        typ: TYP,
        algorithms,
        now: at.now,
        leeway: LEEWAY,
        accept_expired: false,
        limit: LIMIT,
    };
    let claims = jwt::verify(token, &client.keys, &expected).map_err(|e| refused(&e))?;
    once(client, &claims, at)
}

/// The same with the client's secret as the key (OIDC Core 9, `client_secret_jwt`); plain OpenID Connect clients only.
fn verify_under_secret(
    client: &Client,
    secret: &ClientSecret,
    alg: Option<MacAlgorithm>,
    token: &str,
    at: &At<'_>,
) -> Result<OneUse, Error> {
    let mut ours = vec![at.issuer, at.token_endpoint];
    ours.extend(at.aliases.iter().map(String::as_str));
    ours.extend(at.par_endpoint);
    let registered;
    let expected = Expected {
        issuer: client.id.as_str(),
        audience: Audience::Contains(&ours),
        typ: TYP,
        algorithms: match alg {
            Some(alg) => {
                registered = [alg];
                &registered[..]
            }
            None => &MacAlgorithm::ALL,
        },
        now: at.now,
        leeway: LEEWAY,
        accept_expired: false,
        limit: LIMIT,
    };
    let claims = jwt::verify_with_secret(token, secret, &expected).map_err(|e| refused(&e))?;
    once(client, &claims, at)
}

fn refused(error: &JwtError) -> Error {
    Error::invalid_client(match error {
        JwtError::Expired => "the client assertion has expired",
        JwtError::Audience => "aud of the client assertion is not this server",
        JwtError::Jws(JwsError::Signature) => {
            "the signature of the client assertion does not verify"
        }
        JwtError::Jws(JwsError::NoKey) => "no key of the client fits the client assertion",
        JwtError::Jws(JwsError::Algorithm) => {
            "the client assertion is not signed with an allowed algorithm"
        }
        _ => "the client assertion is not valid",
    })
}

/// What a verified assertion must say besides, and the mark by which it is used once.
fn once(client: &Client, claims: &Map<String, Value>, at: &At<'_>) -> Result<OneUse, Error> {
    let id = client.id.as_str();
    if jwt::text(claims, "sub").ok() != Some(id) {
        return Err(Error::invalid_client(
            "sub of the client assertion is not the client",
        ));
    }
    let expires_at = jwt::time(claims, "exp").ok().flatten();
    match (jwt::text(claims, "jti"), expires_at) {
        (Ok(jti), Some(exp)) if !jti.is_empty() && exp.since(at.now) <= LONGEST => {
            Ok(OneUse::of("client assertion", id, jti, exp))
        }
        _ => Err(Error::invalid_client(
            "the client assertion needs a jti and an exp within a day",
        )),
    }
}

fn claimed_by(assertion: &str) -> Option<String> {
    let (_, claims) = jwt::peek(assertion, LIMIT).ok()?;
    jwt::text(&claims, "sub").ok().map(str::to_owned)
}
