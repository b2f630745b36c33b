//! Trust marks (OpenID Federation 1.0 §7): statements of conformance that an entity shows, and whether they count.
//! `status` asks their issuers, `held` keeps those that we show ourselves, `delegation` lets others issue. Marks are issued
//! in `authority::mark`.
//!
//! One mark that does not count changes nothing else about its bearer.

mod delegation;
mod held;
pub mod status;

use std::sync::Arc;

use serde_json::Value;

use crate::clock::UnixTime;
use crate::federation::chain::TrustChain;
use crate::federation::entity::EntityId;
use crate::federation::resolve::Resolver;
use crate::federation::statement::{Configuration, Rules, TrustMarkEntry};
use crate::jose::{JwkSet, UnverifiedJws, json, jwt};
use crate::oauth::Algorithm;

pub use delegation::{Delegation, InvalidDelegation};
pub use held::{HeldMark, Holder};
pub use status::{Status, Statuses};

pub const TYP: &str = "trust-mark+jwt";
pub const DELEGATION_TYP: &str = "trust-mark-delegation+jwt";

/// The longest mark or delegation that is read, in bytes.
pub const LONGEST: usize = 32 * 1024;

/// How many marks of one entity are looked at.
const MOST_MARKS: usize = 16;

/// A mark that counts for its subject in the federation of one anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustMark {
    pub trust_mark_type: String,
    pub iss: EntityId,
    pub sub: EntityId,
    pub iat: UnixTime,
    pub exp: Option<UnixTime>,
    /// As it was issued, for resolve responses.
    pub jwt: Arc<str>,
}

/// Why a mark does not count. For logs and explanations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the trust mark does not count: {0}")]
pub struct NotCounted(String);

impl TrustMark {
    /// Validates one mark by §7.3 and the federation's terms (§17.5). `issuer_keys` are those of the issuer that a trust
    /// chain to the same anchor vouches for; `anchor` is that anchor's configuration.
    pub fn verify(
        entry: &TrustMarkEntry,
        subject: &EntityId,
        issuer_keys: &JwkSet,
        anchor: &Configuration,
        rules: &Rules,
        now: UnixTime,
    ) -> Result<Self, NotCounted> {
        let (claims, jws) = read(&entry.trust_mark, TYP, rules)?;
        let text = |name| jwt::text(&claims, name).map_err(not_counted);
        let identifier = |name| EntityId::parse(text(name)?, rules.schemes).map_err(not_counted);
        let trust_mark_type = text("trust_mark_type")?;
        if trust_mark_type != entry.trust_mark_type {
            return Err(NotCounted(
                "its type differs from the one it is listed under".into(),
            ));
        }
        let (iss, sub) = (identifier("iss")?, identifier("sub")?);
        if sub != *subject {
            return Err(NotCounted(format!("it was given to {sub}")));
        }
        let (iat, exp) = times(&claims, rules, now)?;
        recognised(trust_mark_type, &iss, anchor)?;
        check_signature(&jws, issuer_keys)?;
        match (
            claims.get("delegation"),
            anchor.trust_mark_owners.get(trust_mark_type),
        ) {
            (None, None) => {}
            (None, Some(_)) => {
                return Err(NotCounted(
                    "its type has an owner, but it shows no delegation".into(),
                ));
            }
            (Some(_), None) => {
                return Err(NotCounted(
                    "it shows a delegation, but the anchor knows no owner of its type".into(),
                ));
            }
            (Some(delegation), Some(owner)) => {
                let delegation = delegation
                    .as_str()
                    .ok_or_else(|| NotCounted("its delegation is not a JWT".into()))?;
                check_delegation(delegation, owner, trust_mark_type, &iss, rules, now)?;
            }
        }
        Ok(Self {
            trust_mark_type: trust_mark_type.to_owned(),
            iss,
            sub,
            iat,
            exp,
            jwt: entry.trust_mark.as_str().into(),
        })
    }
}

/// Whether issuers are asked about their marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Issuers,
    /// What is remembered must do.
    Nobody,
}

/// The marks of the chain's subject that count with the chain's anchor. Issuers are resolved to the same anchor, and asked for
/// the status of their marks, each once in `status::FRESH` seconds.
pub async fn counted(
    resolver: &Arc<Resolver>,
    chain: &TrustChain,
    now: UnixTime,
) -> Vec<TrustMark> {
    those_that_count(resolver, chain, Ask::Issuers, now).await
}

/// Those of `counted` that are known to count without asking anybody.
pub async fn remembered(
    resolver: &Arc<Resolver>,
    chain: &TrustChain,
    now: UnixTime,
) -> Vec<TrustMark> {
    those_that_count(resolver, chain, Ask::Nobody, now).await
}

async fn those_that_count(
    resolver: &Arc<Resolver>,
    chain: &TrustChain,
    ask: Ask,
    now: UnixTime,
) -> Vec<TrustMark> {
    let (Some(own), Some(anchor)) = (
        chain.subject_configuration().configuration(),
        chain
            .anchor_configuration()
            .and_then(|statement| statement.configuration()),
    ) else {
        return Vec::new();
    };
    let mut counted = Vec::new();
    for entry in own.trust_marks.iter().take(MOST_MARKS) {
        let verified = async {
            let issuer = issuer(entry, resolver.rules())?;
            // Before anybody is asked for anything: is this issuer one that the federation knows?
            recognised(&entry.trust_mark_type, &issuer, anchor)?;
            let resolved;
            let issuer = if issuer == *chain.subject() {
                chain
            } else {
                let anchor = chain.anchor();
                resolved = match ask {
                    Ask::Issuers => resolver
                        .resolve_to(&issuer, anchor, now)
                        .await
                        .map_err(not_counted)?,
                    Ask::Nobody => resolver
                        .remembered_to(&issuer, anchor, now)
                        .await
                        .ok_or_else(|| NotCounted("its issuer was not resolved yet".into()))?,
                };
                &*resolved
            };
            let (subject, rules) = (chain.subject(), resolver.rules());
            let mark = TrustMark::verify(entry, subject, issuer.keys(), anchor, rules, now)?;
            let fetch = (ask == Ask::Issuers).then_some(&**resolver.fetcher());
            let statuses = resolver.statuses();
            statuses.holds(&mark, issuer, fetch, rules, now).await?;
            Ok::<_, NotCounted>(mark)
        };
        match verified.await {
            Ok(mark) => counted.push(mark),
            Err(error) => {
                tracing::debug!(subject = %chain.subject(), %error, "a trust mark was left out");
            }
        }
    }
    counted
}

fn issuer(entry: &TrustMarkEntry, rules: &Rules) -> Result<EntityId, NotCounted> {
    let (claims, _) = read(&entry.trust_mark, TYP, rules)?;
    let iss = jwt::text(&claims, "iss").map_err(not_counted)?;
    EntityId::parse(iss, rules.schemes).map_err(not_counted)
}

/// §17.5: types that the anchor does not list are not recognised; an empty list lets anyone issue.
fn recognised(
    trust_mark_type: &str,
    issuer: &EntityId,
    anchor: &Configuration,
) -> Result<(), NotCounted> {
    let issuers = anchor
        .trust_mark_issuers
        .get(trust_mark_type)
        .and_then(Value::as_array)
        .ok_or_else(|| NotCounted("the anchor does not know its type".into()))?;
    if issuers.is_empty()
        || issuers
            .iter()
            .any(|known| known.as_str() == Some(issuer.as_str()))
    {
        Ok(())
    } else {
        Err(NotCounted(format!(
            "{issuer} may not issue marks of its type"
        )))
    }
}

/// §7.2.2.
fn check_delegation(
    token: &str,
    owner: &Value,
    trust_mark_type: &str,
    issuer: &EntityId,
    rules: &Rules,
    now: UnixTime,
) -> Result<(), NotCounted> {
    let (claims, jws) = read(token, DELEGATION_TYP, rules)?;
    let is = |name: &'static str, expected: Option<&str>| {
        jwt::text(&claims, name).is_ok_and(|value| Some(value) == expected)
    };
    if !is("sub", Some(issuer.as_str())) {
        return Err(NotCounted("its delegation is for another issuer".into()));
    }
    if !is("iss", owner.get("sub").and_then(Value::as_str)) {
        return Err(NotCounted(
            "its delegation is not by the owner of its type".into(),
        ));
    }
    if !is("trust_mark_type", Some(trust_mark_type)) {
        return Err(NotCounted("its delegation is for another type".into()));
    }
    times(&claims, rules, now)?;
    let keys = owner
        .get("jwks")
        .ok_or_else(|| NotCounted("the owner of its type has no keys".into()))?;
    check_signature(&jws, &JwkSet::parse_strict(keys).map_err(not_counted)?)
}

type Claims = serde_json::Map<String, Value>;

fn read<'a>(
    token: &'a str,
    typ: &str,
    rules: &Rules,
) -> Result<(Claims, UnverifiedJws<'a>), NotCounted> {
    let jws = UnverifiedJws::parse(token, rules.max_bytes).map_err(not_counted)?;
    if !jws.header.is_typ(typ) {
        return Err(NotCounted(format!("its typ is not {typ}")));
    }
    let claims = json::parse_object(&jws.payload).map_err(not_counted)?;
    Ok((claims, jws))
}

fn times(
    claims: &Claims,
    rules: &Rules,
    now: UnixTime,
) -> Result<(UnixTime, Option<UnixTime>), NotCounted> {
    let iat = jwt::time(claims, "iat")
        .map_err(not_counted)?
        .ok_or_else(|| NotCounted("iat is missing".into()))?;
    let exp = jwt::time(claims, "exp").map_err(not_counted)?;
    if iat > now.plus(rules.leeway) {
        return Err(NotCounted("it was issued in the future".into()));
    }
    if exp.is_some_and(|exp| exp.plus(rules.leeway) <= now) {
        return Err(NotCounted("it has expired".into()));
    }
    Ok((iat, exp))
}

fn check_signature(jws: &UnverifiedJws<'_>, keys: &JwkSet) -> Result<(), NotCounted> {
    let key = jws
        .header
        .kid
        .as_deref()
        .and_then(|kid| keys.find(kid))
        .ok_or_else(|| NotCounted("no key of its issuer has its kid".into()))?;
    jws.verify(key, &Algorithm::FEDERATION).map_err(not_counted)
}

fn not_counted(error: impl std::fmt::Display) -> NotCounted {
    NotCounted(error.to_string())
}
