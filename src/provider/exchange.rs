//! Token exchange (RFC 8693): a client that was allowed to brings a token of ours and gets one for another place. Never
//! wider in scope, audience or lifetime than what it brings, never past the key that it is bound to, and never for
//! UserInfo: what people agreed to tell one platform is not told another.

use serde_json::{Map, Value, json};

use super::confirmation::Confirmation;
use super::details::Detail;
use super::grants::{self, Grant};
use super::issued::{as_aud, audience};
use super::request::Parameters;
use super::target::{Aim, Offered};
use super::tokens::{Issuer, LIMIT};
use crate::client::Client;
use crate::clock::UnixTime;
use crate::config::offers::{self, TokenKind};
use crate::config::provider::Provider;
use crate::id::{ClientId, PersonId};
use crate::identity::subject;
use crate::jose::{Audience, Expected, Typ, jwt};
use crate::oauth::{Error, ErrorCode, Scope};
use crate::random::Rng;
use crate::session;
use crate::store::{self, Conn};

/// RFC 8693 §3.
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
/// The longest chain of actors.
const MOST_ACTORS: usize = 5;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    subject: Brought,
    actor: Option<Brought>,
    scope: Option<Scope>,
    /// `resource` and `audience`: both name our resources by their URI.
    targets: Vec<String>,
}

/// A token as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Brought {
    token: String,
    kind: TokenKind,
}

/// A token that holds.
#[derive(Clone, Debug)]
struct Proven {
    sub: String,
    client: ClientId,
    grant: Grant,
    scope: Scope,
    details: Vec<Detail>,
    audience: Vec<String>,
    expires_at: UnixTime,
    claims: Map<String, Value>,
}

/// What was exchanged: ready to be signed.
#[derive(Clone, Debug)]
pub struct Exchanged {
    pub payload: Map<String, Value>,
    pub grant: Grant,
    pub actor: Option<PersonId>,
    pub aim: Aim,
    pub expires_in: i64,
    /// `Bearer`, or what the kept key demands.
    pub token_type: &'static str,
}

/// Against what a request is judged.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub issuer: Issuer<'a>,
    pub settings: &'a Provider,
    pub client: &'a Client,
    /// What the client proves to hold with this request.
    pub confirmation: &'a Confirmation,
    pub now: UnixTime,
}

impl Request {
    /// RFC 8693 §2.1.
    pub fn read(sent: &Parameters) -> Result<Self, Error> {
        let subject = Brought::read(sent, "subject_token", "subject_token_type")?
            .ok_or_else(|| Error::invalid_request("subject_token is missing"))?;
        if sent
            .get("requested_token_type")
            .is_some_and(|kind| kind != ACCESS_TOKEN)
        {
            return Err(Error::invalid_request(
                "only access tokens are issued in exchange",
            ));
        }
        let scope = sent
            .get("scope")
            .map(|text| {
                Scope::parse(text)
                    .ok_or_else(|| Error::new(ErrorCode::InvalidScope, "scope is not valid"))
            })
            .transpose()?;
        let mut targets: Vec<String> = Vec::new();
        for uri in sent.all("resource").iter().chain(sent.all("audience")) {
            if !targets.contains(uri) {
                targets.push(uri.clone());
            }
        }
        Ok(Self {
            subject,
            actor: Brought::read(sent, "actor_token", "actor_token_type")?,
            scope,
            targets,
        })
    }

    /// The checks, in order. What is refused has changed nothing.
    pub async fn judge(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        context: &Context<'_>,
    ) -> Result<Result<Exchanged, Error>, store::Error> {
        let rules: Vec<&offers::Exchange> = context.rules().collect();
        // A client without proof of its own could be anybody.
        if rules.is_empty() || context.client.is_public() {
            return Ok(Err(Error::new(
                ErrorCode::UnauthorizedClient,
                "this client may exchange no tokens",
            )));
        }
        let Some(subject) = self.subject.prove(conn, context).await? else {
            return Ok(Err(Error::invalid_request(
                "the subject_token is not valid, or has expired or been revoked",
            )));
        };
        let rule = rules.into_iter().find(|rule| {
            rule.subjects.contains(&subject.client.0)
                && rule.subject_types.contains(&self.subject.kind)
        });
        let Some(rule) = rule else {
            // RFC 8693 §2.2.2: a token that is not acceptable.
            return Ok(Err(Error::invalid_request(
                "this client may not exchange this subject_token",
            )));
        };
        let actor = match &self.actor {
            None => None,
            Some(brought) => match brought.prove(conn, context).await? {
                // Who acts has logged in at the client that exchanges.
                Some(actor) if actor.client == context.client.id => Some(actor),
                _ => {
                    return Ok(Err(Error::invalid_request(
                        "the actor_token is not valid, or was not issued to this client",
                    )));
                }
            },
        };
        Ok(exchange(self, rng, context, rule, subject, actor.as_ref()))
    }
}

fn exchange(
    request: &Request,
    rng: &mut Rng,
    context: &Context<'_>,
    rule: &offers::Exchange,
    subject: Proven,
    actor: Option<&Proven>,
) -> Result<Exchanged, Error> {
    if rule.actor_required && actor.is_none() {
        return Err(Error::invalid_request("an actor_token is needed"));
    }
    may_act(&subject, actor, context)?;
    let cnf = sender(&subject, context)?;
    let aim = aim(request, context, rule, &subject)?;
    let act = act(&subject, actor)?;
    let Context {
        issuer,
        settings,
        client,
        now,
        ..
    } = context;
    let expires_at = now
        .plus(settings.access_token_lifetime)
        .min(subject.expires_at)
        .min(subject.grant.expires_at);
    let terms = &subject.grant.terms;
    let payload = json!({
        "iss": issuer.id,
        "aud": as_aud(&aim.audience),
        "sub": subject.sub,
        "client_id": client.id,
        "iat": now,
        "exp": expires_at,
        // The grant that it rests on ends it, too.
        "jti": format!("{}.{}", subject.grant.id, rng.id("")),
        "auth_time": terms.auth_time,
        "acr": terms.acr,
        "amr": terms.amr,
    });
    let mut payload = match payload {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    aim.say_in(&mut payload);
    let token_type = match &cnf {
        Some(cnf) if cnf.get("jkt").is_some() => "DPoP",
        _ => "Bearer",
    };
    for (name, value) in [
        ("act", act),
        ("cnf", cnf),
        // Who may act goes with the token, or the next exchange would be free of it.
        ("may_act", subject.claims.get("may_act").cloned()),
    ] {
        payload.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(Exchanged {
        payload,
        actor: actor.map(|actor| actor.grant.person.clone()),
        grant: subject.grant,
        aim,
        expires_in: expires_at.since(*now),
        token_type,
    })
}

impl<'a> Context<'a> {
    fn rules(&self) -> impl Iterator<Item = &'a offers::Exchange> {
        let id = self.client.id.as_str();
        self.settings
            .exchanges
            .iter()
            .filter(move |rule| rule.client == id)
    }
}

impl Brought {
    /// RFC 8693 §2.1: token and type, both or neither.
    fn read(
        sent: &Parameters,
        token: &'static str,
        kind: &'static str,
    ) -> Result<Option<Self>, Error> {
        let (token, kind) = match (sent.get(token), sent.get(kind)) {
            (None, None) => return Ok(None),
            (Some(token), Some(kind)) => (token, kind),
            _ => {
                return Err(Error::invalid_request(
                    "a token and its type come together or not at all",
                ));
            }
        };
        let kind = match kind {
            ACCESS_TOKEN => TokenKind::AccessToken,
            ID_TOKEN => TokenKind::IdToken,
            _ => {
                return Err(Error::invalid_request(
                    "a token is brought as access_token or id_token",
                ));
            }
        };
        Ok(Some(Self {
            token: token.to_owned(),
            kind,
        }))
    }

    /// The token, if it is ours and everything that it rests on is in force.
    async fn prove(
        &self,
        conn: &mut Conn,
        context: &Context<'_>,
    ) -> Result<Option<Proven>, store::Error> {
        match self.kind {
            TokenKind::AccessToken => access_token(conn, context, &self.token).await,
            TokenKind::IdToken => id_token(conn, context, &self.token).await,
        }
    }
}

async fn access_token(
    conn: &mut Conn,
    context: &Context<'_>,
    token: &str,
) -> Result<Option<Proven>, store::Error> {
    let Ok(issued) = context.issuer.read_issued(token, context.now) else {
        return Ok(None);
    };
    let grant = issued.grant(conn, context.now).await?;
    Ok(grant.map(|grant| Proven {
        sub: issued.sub,
        client: issued.client,
        grant,
        scope: issued.scope,
        details: issued
            .claims
            .get("authorization_details")
            .and_then(|details| serde_json::from_value(details.clone()).ok())
            .unwrap_or_default(),
        audience: issued.audience,
        expires_at: issued.expires_at,
        claims: issued.claims,
    }))
}

/// An ID Token stands for its newest grant in the session that it names; it carries no rights of its own.
async fn id_token(
    conn: &mut Conn,
    context: &Context<'_>,
    token: &str,
) -> Result<Option<Proven>, store::Error> {
    let Some(claims) = read_id_token(&context.issuer, token, context.now) else {
        return Ok(None);
    };
    let text = |name| jwt::text(&claims, name).map(str::to_owned).ok();
    let (Some(sub), Some(sid), Some(client)) = (text("sub"), text("sid"), text("aud")) else {
        return Ok(None);
    };
    let client = ClientId(client);
    let Some(expires_at) = jwt::time(&claims, "exp").ok().flatten() else {
        return Ok(None);
    };
    let Some(person) = subject::known_as(conn, &sub).await? else {
        return Ok(None);
    };
    let grants = grants::given_to(conn, &person, &client, context.now).await?;
    let grant = grants.into_iter().find(|grant| {
        grant
            .session
            .as_ref()
            .is_some_and(|session| session::sid(session, &client) == sid)
    });
    Ok(grant.map(|grant| Proven {
        sub,
        client,
        scope: grant.terms.scope.clone(),
        details: grant.terms.details.clone(),
        audience: grant.terms.resources.clone(),
        expires_at,
        claims,
        grant,
    }))
}

fn read_id_token(issuer: &Issuer<'_>, token: &str, now: UnixTime) -> Option<Map<String, Value>> {
    let (_, unverified) = jwt::peek(token, LIMIT).ok()?;
    let [client] = audience(&unverified)?.try_into().ok()?;
    let client: String = client;
    jwt::verify(
        token,
        &issuer.own_keys(),
        &Expected {
            issuer: issuer.id,
            audience: Audience::String(&client),
            typ: Typ::AbsentOr(&["JWT"]),
            algorithms: &crate::client::ISSUED,
            now,
            leeway: 0,
            accept_expired: false,
            limit: LIMIT,
        },
    )
    .ok()
}

/// RFC 8693 §4.4: where the token says who may act, nobody else does.
fn may_act(subject: &Proven, actor: Option<&Proven>, context: &Context<'_>) -> Result<(), Error> {
    let Some(may_act) = subject.claims.get("may_act") else {
        return Ok(());
    };
    let fits = |name: &str, value: &Value| match name {
        "sub" => actor.is_some_and(|actor| value == actor.sub.as_str()),
        "iss" => value == context.issuer.id,
        "client_id" => value == context.client.id.as_str(),
        // What is not understood cannot be met.
        _ => false,
    };
    let met = may_act
        .as_object()
        .is_some_and(|who| !who.is_empty() && who.iter().all(|(name, value)| fits(name, value)));
    if met {
        Ok(())
    } else {
        Err(Error::invalid_request(
            "the subject_token says that another may act",
        ))
    }
}

/// The key that the token is bound to stays with it: its own client goes on with the same key, another client cannot have
/// it, and an unbound token is not made of a bound one. One that is not bound becomes bound to what the client proves.
fn sender(subject: &Proven, context: &Context<'_>) -> Result<Option<Value>, Error> {
    let shown = (!context.confirmation.is_none()).then(|| json!(context.confirmation));
    let other = |text: &'static str| Err(Error::invalid_request(text));
    match (subject.claims.get("cnf"), shown) {
        (None, shown) => Ok(shown),
        (Some(_), _) if subject.client != context.client.id => {
            other("the subject_token is bound to the key of another")
        }
        (Some(cnf), Some(shown)) if *cnf != shown => {
            other("the subject_token is bound to another key than the one proven")
        }
        (Some(cnf), _) => Ok(Some(cnf.clone())),
    }
}

/// For which resources, and what may be done there: within the rule, and within what was brought.
fn aim(
    request: &Request,
    context: &Context<'_>,
    rule: &offers::Exchange,
    subject: &Proven,
) -> Result<Aim, Error> {
    let invalid = |text: &'static str| Err(Error::new(ErrorCode::InvalidTarget, text));
    let offered = Offered::of(context.issuer.id, context.settings);
    let allowed = |uri: &&String| {
        uri.as_str() != offered.issuer
            && rule.resources.contains(uri)
            && subject.audience.contains(uri)
            && offered.resources.iter().any(|r| r.uri == **uri)
    };
    let audience: Vec<String> = if request.targets.is_empty() {
        rule.resources.iter().filter(allowed).cloned().collect()
    } else if request.targets.iter().all(|uri| allowed(&uri)) {
        request.targets.clone()
    } else {
        return invalid(
            "the subject_token is not for this resource, or the client may not ask for it",
        );
    };
    let limit = context.client.scope_limit.as_ref();
    let held = subject.scope.filtered(|name| {
        offered.means(name, &audience) && limit.is_none_or(|limit| limit.contains(name))
    });
    let scope = match &request.scope {
        None => held,
        Some(asked) if asked.is_subset_of(&held) => asked.clone(),
        Some(_) => {
            return Err(Error::new(
                ErrorCode::InvalidScope,
                "scope is wider than that of the subject_token at these resources",
            ));
        }
    };
    let mut details = subject.details.clone();
    details.retain(|detail| detail.concerns(&audience));
    let audience: Vec<String> = if request.targets.is_empty() {
        let left = |uri: &String| offered.allows(uri, &scope, &details);
        audience.into_iter().filter(left).collect()
    } else {
        offered.check(&audience, &scope, &details)?;
        audience
    };
    if audience.is_empty() {
        return invalid("the subject_token is for no resource that the client may ask for");
    }
    Ok(Aim {
        audience,
        scope,
        details,
    })
}

/// RFC 8693 §4.1: who acts now stands outermost, those before inside.
fn act(subject: &Proven, actor: Option<&Proven>) -> Result<Option<Value>, Error> {
    let before = subject.claims.get("act").cloned();
    let Some(actor) = actor else {
        return Ok(before);
    };
    let mut now = json!({"sub": actor.sub});
    if let Some(before) = before {
        now["act"] = before;
    }
    let depth = std::iter::successors(Some(&now), |act| act.get("act")).count();
    if depth > MOST_ACTORS {
        return Err(Error::invalid_request("too many have acted already"));
    }
    Ok(Some(now))
}
