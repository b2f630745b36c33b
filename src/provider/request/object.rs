//! Request objects by value (RFC 9101, OIDC Core 6.1, OpenID Federation 1.0 §12.1.1): opened with the client's own keys.

use serde_json::Value;

use super::{Context, Parameters};
use crate::client::{Client, Profile};
use crate::federation::registration::HintedChains;
use crate::jose::{Audience, Expected, JwsError, JwtError, Typ, jwt};
use crate::oauth::{Algorithm, Error, ErrorCode};
use crate::provider::one_use::OneUse;

/// A signed request that carries trust chains is long.
const LIMIT: usize = 64 * 1024;
/// Seconds by which clocks may differ: 10 ahead must be accepted, more than 60 must not (FAPI 2.0 §5.3.2.1).
const LEEWAY: i64 = 30;
/// Seconds that a request object of FAPI 2.0 Message Signing is good for, before and after `nbf` (§5.3.1).
const SHORT: i64 = 3600;
/// Nothing that must be remembered until it expires may live longer.
const LONGEST: i64 = 24 * 3600;

/// The chains of a request object that nobody has verified: a help for finding out who sends it
/// (OpenID Federation 1.0 §4.3, §4.4; the payload claim is the legacy place of `trust_chain`, §12.1.1.1).
pub fn hinted_chains(sent: &Parameters) -> Option<HintedChains> {
    let (header, claims) = jwt::peek(sent.get("request")?, LIMIT).ok()?;
    let tokens = |chain: &Value| -> Option<Vec<String>> {
        let tokens = chain.as_array()?.iter();
        tokens.map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let own = header
        .members
        .get("trust_chain")
        .or_else(|| claims.get("trust_chain"))?;
    Some(HintedChains {
        trust_chain: tokens(own)?,
        peer_trust_chain: header.members.get("peer_trust_chain").and_then(tokens),
    })
}

/// Federation 1.0 §4.4: `peer_trust_chain` is our own chain as the client sees it. It comes only beside `trust_chain`, and
/// begins with us; whether both end at one anchor was asked when the client was found.
fn check_peer_chain(token: &str, issuer: &str) -> Result<(), &'static str> {
    let Ok((header, _)) = jwt::peek(token, LIMIT) else {
        return Ok(());
    };
    let Some(peer) = header.members.get("peer_trust_chain") else {
        return Ok(());
    };
    if !header.members.contains_key("trust_chain") {
        return Err("peer_trust_chain comes only together with trust_chain");
    }
    let chains = [Some(peer), header.members.get("trust_chain")];
    let is_chain = |chain: &Value| {
        let tokens = chain.as_array().filter(|tokens| !tokens.is_empty());
        tokens.is_some_and(|tokens| tokens.iter().all(Value::is_string))
    };
    if !chains.into_iter().flatten().all(is_chain) {
        return Err("trust_chain and peer_trust_chain are arrays of statements");
    }
    let first = peer.get(0).and_then(Value::as_str).unwrap_or_default();
    let begins_with_us = jwt::peek(first, LIMIT)
        .is_ok_and(|(_, claims)| claims.get("sub").and_then(Value::as_str) == Some(issuer));
    if begins_with_us {
        Ok(())
    } else {
        Err("peer_trust_chain is not about this provider")
    }
}

/// The `kid` that the sender says it signed with: worth a look at its newest keys when we do not know it.
pub fn named_key(token: &str) -> Option<String> {
    jwt::peek(token, LIMIT).ok()?.0.kid
}

/// The parameters that count.
pub(super) fn open(
    sent: &Parameters,
    client: &Client,
    context: &Context<'_>,
) -> Result<(Parameters, Option<OneUse>), Error> {
    if sent.get("request_uri").is_some() {
        // Pushed requests were taken out before; everything else would be a fetch, which we do not offer.
        return Err(if sent.get("request").is_some() {
            Error::invalid_request("request and request_uri exclude each other")
        } else {
            Error::new(
                ErrorCode::RequestUriNotSupported,
                "request_uri is only supported for pushed requests",
            )
        });
    }
    let Some(token) = sent.get("request") else {
        return Ok((sent.clone(), None));
    };
    let federation = client.profile == Profile::Federation;
    let allowed: Vec<Algorithm> = match client.request_object_alg {
        Some(alg) => vec![alg],
        None => client.algorithms().to_vec(),
    };
    let expected = Expected {
        issuer: client.id.as_str(),
        audience: if federation {
            // Federation 1.0 §12.1.1.1: our entity identifier is the only value.
            Audience::Only(std::slice::from_ref(&context.issuer))
        } else {
            Audience::Contains(std::slice::from_ref(&context.issuer))
        },
        // RFC 9101 §10.8: any other type is another kind of token.
        typ: Typ::AbsentOr(&["oauth-authz-req+jwt", "JWT"]),
        algorithms: &allowed,
        now: context.now,
        leeway: LEEWAY,
        accept_expired: false,
        limit: LIMIT,
    };
    let claims = jwt::verify(token, &client.keys, &expected).map_err(|e| refused(&e))?;
    let invalid = |text: &'static str| Error::new(ErrorCode::InvalidRequestObject, text);
    if federation {
        check_peer_chain(token, context.issuer).map_err(invalid)?;
    }
    // Both name the client; RFC 9101 §5 and §6.3.
    if claims.get("client_id").and_then(Value::as_str) != Some(client.id.as_str()) {
        return Err(invalid(
            "client_id of the request object is not that of the request",
        ));
    }
    if claims.contains_key("request") || claims.contains_key("request_uri") {
        return Err(invalid(
            "a request object holds no request and no request_uri",
        ));
    }
    // RFC 9101 §10.8: it must not pass as a client assertion; Federation 1.0 §12.1.1.1 forbids `sub` altogether.
    if let Some(sub) = claims.get("sub")
        && (federation || sub.as_str() == Some(client.id.as_str()))
    {
        return Err(invalid("the request object must not hold sub"));
    }
    let expires_at = jwt::time(&claims, "exp")
        .ok()
        .flatten()
        .ok_or_else(|| invalid("exp is missing"))?;
    if client.profile == Profile::Fapi2 || client.require_signed_requests {
        let nbf = jwt::time(&claims, "nbf")
            .ok()
            .flatten()
            .ok_or_else(|| invalid("nbf is missing"))?;
        if context.now.since(nbf) > SHORT {
            return Err(invalid("nbf is more than 60 minutes ago"));
        }
        if expires_at.since(nbf) > SHORT {
            return Err(invalid("exp is more than 60 minutes after nbf"));
        }
    }
    let one_use = match claims.get("jti").and_then(Value::as_str) {
        Some(jti) if !jti.is_empty() => {
            if expires_at.since(context.now) > LONGEST {
                return Err(invalid("exp lies more than a day ahead"));
            }
            Some(OneUse::of(
                "request object",
                client.id.as_str(),
                jti,
                expires_at,
            ))
        }
        _ if federation => return Err(invalid("jti is missing")),
        _ => None,
    };
    let inner = Parameters::of_claims(&claims).without(&[
        "iss",
        "aud",
        "exp",
        "iat",
        "nbf",
        "jti",
        "sub",
        "trust_chain",
    ]);
    let counted = if client.profile != Profile::Oidc || client.require_signed_requests {
        // RFC 9101 §6.3: nothing outside counts.
        inner
    } else {
        // OIDC Core 6.1: what is inside wins.
        sent.overlaid(inner)
    };
    Ok((counted, one_use))
}

fn refused(error: &JwtError) -> Error {
    let text: &'static str = match error {
        JwtError::Jws(JwsError::Algorithm) => {
            "the request object is not signed with an allowed algorithm"
        }
        JwtError::Jws(JwsError::NoKey) => "no key of the client fits the request object",
        JwtError::Jws(JwsError::Signature) => "the signature of the request object does not verify",
        JwtError::Jws(JwsError::TooLong) => "the request object is too long",
        JwtError::Jws(_) => "the request object is not a signed JWT",
        JwtError::Typ => "the request object has the typ of another kind of token",
        JwtError::Payload => {
            "the payload of the request object is not a JSON object without repeated members"
        }
        JwtError::Issuer => "iss of the request object is not the client_id",
        JwtError::Audience => "aud of the request object is not this issuer",
        JwtError::Expired => "the request object has expired",
        JwtError::NotYet => "the request object is not valid yet",
        JwtError::Claim(_) => {
            "the request object lacks iss, aud or exp, or one of them has a wrong type"
        }
    };
    Error::new(ErrorCode::InvalidRequestObject, text)
}
