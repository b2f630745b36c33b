//! From a good request to its answer: who is here, what must happen next, and the code at the end. Asked by the
//! authorization endpoint for a request that just arrived, and by the dispatcher of interactions for one that waited.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::Row;

use super::acr::Level;
use super::answer::{Reply, Says, Tokens};
use super::begun::Counter;
use super::claims;
use super::device;
use super::grants::{self, Lives, Terms};
use super::interaction::{self, Asked, Interaction, Known, Now, Purpose, Step};
use super::marks::Allowed;
use super::one_use::OneUse;
use super::person;
use super::request::{AuthorizationRequest, Return};
use super::target::Offered;
use crate::audit::{self, Event};
use crate::authn;
use crate::authn::throttle::Pass;
use crate::client::Client;
use crate::clock::UnixTime;
use crate::config;
use crate::consent::{self, Consent};
use crate::crypto::{Sealer, Secret, sha256, thumb};
use crate::identity::Person;
use crate::oauth::{Error, ErrorCode, ResponseType};
use crate::random::Rng;
use crate::session::{self, Session};
use crate::store::{self, Conn};

/// What is the same for every request of a provider.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    pub issuer: &'a str,
    pub settings: &'a config::provider::Provider,
    pub sealer: &'a dyn Sealer,
    pub now: UnixTime,
}

/// What the browser sent along.
#[derive(Clone, Copy, Debug)]
pub struct Browser<'a> {
    pub session: Option<&'a str>,
    pub secret: Option<&'a str>,
}

/// A good request at the moment it arrives.
#[derive(Clone, Debug)]
pub struct Arrival<'a> {
    pub request: AuthorizationRequest,
    /// What may be used once and is not marked yet.
    pub one_use: Option<OneUse>,
    pub client: &'a Client,
    pub browser: Browser<'a>,
    /// Who pays for an interaction, should one be needed.
    pub counter: Counter<'a>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Outcome {
    Reply(Reply),
    /// A page is needed; the browser goes to the interaction. `new_secret`: the browser had none yet.
    Interact {
        interaction: Box<Interaction>,
        new_secret: Option<String>,
    },
    /// Too many were begun from there; again in so many seconds.
    Wait(i64),
}

/// Everyone concerned, as of now.
#[derive(Clone, Debug)]
pub struct Present {
    pub session: Session,
    pub person: Person,
    pub consent: Option<Consent>,
    pub known: Known,
}

impl Rules<'_> {
    pub fn lives(&self) -> Lives {
        Lives {
            code: self.settings.code_lifetime,
            grant: self.settings.session_lifetime,
            offline: self.settings.consent_lifetime,
            refresh_token: self.settings.refresh_token_lifetime,
        }
    }

    /// The error as an answer.
    pub fn refuse(&self, to: Return, error: Error) -> Reply {
        Reply {
            to,
            says: Says::Error(error),
            nobody: false,
        }
    }

    /// A request that just arrived. A request object seen before is refused; without need of a page nothing is stored but
    /// the grant.
    pub async fn arrive(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        arrival: Arrival<'_>,
    ) -> Result<Outcome, store::Error> {
        let now = self.now;
        let Arrival {
            request,
            one_use,
            client,
            browser,
            counter,
        } = arrival;
        if let Some(one_use) = &one_use
            && !one_use.mark(conn).await?
        {
            let error = Error::new(
                ErrorCode::InvalidRequestObject,
                "the request object has been used before (jti)",
            );
            return Ok(Outcome::Reply(self.refuse(request.answer, error)));
        }
        let present = self
            .present(conn, &request, client, browser.session)
            .await?;
        let moment = Now {
            session: present.as_ref().map(|p| &p.session),
            known: present.as_ref().map(|p| &p.known),
            consent: present.as_ref().and_then(|p| p.consent.as_ref()),
            authenticated_at: None,
            consented_at: None,
            put_off: false,
            time: now,
        };
        match (interaction::next(&request, &moment), &present) {
            (Step::Answer { level }, Some(present)) => {
                let reply = self
                    .issue(conn, rng, &request, client, present, level)
                    .await?;
                Ok(Outcome::Reply(reply))
            }
            (Step::Error(error), present) => Ok(Outcome::Reply(Reply {
                nobody: present.is_none(),
                ..self.refuse(request.answer, error)
            })),
            _ => {
                if let Pass::Wait(seconds) = counter.count(conn, now).await? {
                    return Ok(Outcome::Wait(seconds));
                }
                let new_secret = browser.secret.is_none().then(|| rng.token());
                let secret = browser.secret.or(new_secret.as_deref()).unwrap_or_default();
                let asked = Asked {
                    request,
                    platform: client.platform.clone(),
                };
                let purpose = Purpose::Authorization(Box::new(asked));
                let interaction = interaction::begin(conn, rng, secret, purpose, now).await?;
                Ok(Outcome::Interact {
                    interaction: Box::new(interaction),
                    new_secret,
                })
            }
        }
    }

    /// An interaction whose browser is back at the dispatcher: the next step, or the answer that consumes it.
    pub async fn proceed(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        interaction: &Interaction,
        asked: &Asked,
        client: &Client,
        session: Option<&str>,
    ) -> Result<Result<Reply, Step>, store::Error> {
        let now = self.now;
        let request = &asked.request;
        let present = self.present(conn, request, client, session).await?;
        let moment = Now::of(
            interaction,
            present.as_ref().map(|p| &p.session),
            present.as_ref().map(|p| &p.known),
            present.as_ref().and_then(|p| p.consent.as_ref()),
            now,
        );
        let step = interaction::next(request, &moment);
        let answers = matches!(step, Step::Answer { .. } | Step::Error(_));
        // Consumed when it is answered, once (FAPI 2.0 §5.3.2.2 note 3).
        if answers && !interaction::complete(conn, interaction, now).await? {
            let error = Error::new(
                ErrorCode::AccessDenied,
                "this login has been answered already",
            );
            return Ok(Ok(self.refuse(request.answer.clone(), error)));
        }
        Ok(match (step, &present) {
            (Step::Answer { level }, Some(present)) => Ok(self
                .issue(conn, rng, request, client, present, level)
                .await?),
            (Step::Error(error), present) => {
                self.told_no(conn, request).await?;
                Ok(Reply {
                    nobody: present.is_none(),
                    ..self.refuse(request.answer.clone(), error)
                })
            }
            (step, _) => Err(step),
        })
    }

    /// Who is here: session and consent in one read, then the person.
    pub async fn present(
        &self,
        conn: &mut Conn,
        request: &AuthorizationRequest,
        client: &Client,
        handle: Option<&str>,
    ) -> Result<Option<Present>, store::Error> {
        let now = self.now;
        let Some(handle) = handle else {
            return Ok(None);
        };
        let sql = format!(
            "SELECT {}, {} FROM sessions LEFT JOIN consents ON consents.subject = sessions.subject AND consents.client = $2
               AND consents.withdrawn_at IS NULL AND consents.expires_at > $3
             WHERE sessions.handle = $1 AND sessions.ended_at IS NULL AND sessions.expires_at > $3",
            session::COLUMNS,
            consent::COLUMNS
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(sha256(handle.as_bytes()).to_vec())
            .bind(&client.id)
            .bind(now)
            .fetch_optional(&mut *conn)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let _checked: String = row.try_get("id")?;
        let (session, consent) = (Session::read(&row)?, Consent::read(&row)?);
        let Some(person) = person::find(conn, self.sealer, &session.person).await? else {
            return Ok(None);
        };
        session::seen(conn, &session, now).await?;
        let detailed = interaction::wants_reach(request, &session);
        let reach = person::reach(conn, &person, &session, detailed).await?;
        let sub = match &request.hinted_sub {
            Some(_) => person::sub_of(conn, &person.id, client.sector()).await?,
            None => None,
        };
        let known = Known {
            person: person.id.clone(),
            real_name: person::real_name(&person),
            reach,
            sub,
        };
        Ok(Some(Present {
            session,
            person,
            consent,
            known,
        }))
    }

    async fn issue(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        request: &AuthorizationRequest,
        client: &Client,
        present: &Present,
        level: Level,
    ) -> Result<Reply, store::Error> {
        let now = self.now;
        let allowed = Allowed::of(client, &self.settings.marks, now);
        let terms = Terms {
            redirect_uri: request.answer.redirect_uri.clone(),
            code_challenge: request.code_challenge.clone(),
            dpop_jkt: request.dpop_jkt.clone(),
            scope: request.scope.clone(),
            claims: request.claims.clone(),
            nonce: request.nonce.clone(),
            auth_time: present.session.auth_time,
            acr: level.min(allowed.highest()).acr(&self.settings.acr_base),
            amr: authn::amr(&present.session.factors())
                .into_iter()
                .map(str::to_owned)
                .collect(),
            sector: client.sector().to_owned(),
            alg: client.id_token_alg,
            platform: client.platform.shown_name().to_owned(),
            back_channel: client.back_channel.as_ref().map(|b| b.uri.to_string()),
            resources: request.resources.clone(),
            details: request.details.clone(),
            front_channel: client.front_channel.as_ref().map(|f| f.uri.to_string()),
        };
        let pushed = request
            .pushed
            .as_deref()
            .and_then(|p| URL_SAFE_NO_PAD.decode(p).ok());
        let new = grants::New {
            person: &present.person.id,
            actor: &present.session.actor,
            client: &client.id,
            session: &present.session.id,
            terms: &terms,
            pushed: pushed.as_deref(),
            lives: self.lives(),
        };
        if let Some(waiting) = &request.device {
            return self.tell_device(conn, rng, request, waiting, new).await;
        }
        let Some(code) = grants::issue(conn, rng, &new, now).await? else {
            let error = Error::new(
                ErrorCode::InvalidRequestUri,
                "the pushed request has been answered already",
            );
            return Ok(self.refuse(request.answer.clone(), error));
        };
        let response_type = request.response_type;
        let says = if response_type.is_front() {
            self.front(conn, rng, response_type, &code, present, allowed)
                .await?
        } else {
            Some(Says::Code(code.reveal().clone()))
        };
        let to = request.answer.clone();
        Ok(match says {
            Some(says) => Reply {
                to,
                says,
                nobody: false,
            },
            None => self.refuse(
                to,
                Error::new(
                    ErrorCode::ServerError,
                    "the grant was lost; please try again",
                ),
            ),
        })
    }

    /// The answer to a device (RFC 8628): the grant waits for its next poll, the browser is told no code.
    async fn tell_device(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        request: &AuthorizationRequest,
        waiting: &str,
        mut new: grants::New<'_>,
    ) -> Result<Reply, store::Error> {
        // As long as the device can still ask.
        new.lives.code = self.settings.device_code_lifetime;
        let to = request.answer.clone();
        if let Some(code) = grants::issue(conn, rng, &new, self.now).await? {
            let grant = thumb(code.reveal().as_bytes());
            if device::approve(conn, waiting, &grant, self.now).await? {
                return Ok(Reply {
                    to,
                    says: Says::Elsewhere,
                    nobody: false,
                });
            }
            grants::revoke(conn, &grant, "device_gone", self.now).await?;
        }
        let error = Error::new(ErrorCode::ExpiredToken, "the device waits no longer");
        Ok(self.refuse(to, error))
    }

    /// Whoever waits elsewhere for the answer hears that it is no. To be called with every refusal of a stored request.
    pub async fn told_no(
        &self,
        conn: &mut Conn,
        request: &AuthorizationRequest,
    ) -> Result<(), store::Error> {
        if let Some(waiting) = &request.device {
            device::refuse(conn, waiting, self.now).await?;
        }
        Ok(())
    }

    /// Tokens that go out from here rest on the grant that the code would be redeemed for.
    async fn front(
        &self,
        conn: &mut Conn,
        rng: &mut Rng,
        response_type: ResponseType,
        code: &Secret<String>,
        present: &Present,
        allowed: Allowed,
    ) -> Result<Option<Says>, store::Error> {
        let now = self.now;
        let Some(grant) = grants::hand_out(conn, code, response_type.code, now).await? else {
            return Ok(None);
        };
        let terms = &grant.terms;
        let offered = Offered::of(self.issuer, self.settings);
        let aim = response_type
            .token
            .then(|| offered.aim(terms, &terms.scope, &[], None))
            .transpose();
        let aim = match aim {
            Ok(aim) => aim,
            Err(error) => {
                grants::revoke(conn, &grant.id, "no_target", now).await?;
                return Ok(Some(Says::Error(error)));
            }
        };
        let sub = person::sub(conn, rng, &grant.person, &terms.sector, now).await?;
        let held = person::claims_under(conn, self.sealer, &present.person, terms, allowed).await?;
        let claims = if response_type == ResponseType::ID_TOKEN {
            // OIDC Core 5.4: no access token comes with it, so there is no UserInfo to ask.
            claims::for_lone_id_token(&terms.scope, &terms.claims, &held)
        } else {
            claims::for_id_token(&terms.claims, &held)
        };
        let event = Event::done("grant.front")
            .with_person(&grant.person)
            .with_client(&grant.client)
            .with_session(&present.session.id)
            .with("response_type", response_type.to_string())
            .with("scope", terms.scope.to_string());
        audit::record(conn, rng, now, &event).await?;
        Ok(Some(Says::Tokens(Box::new(Tokens {
            response_type,
            code: response_type.code.then(|| code.reveal().clone()),
            aim,
            sub,
            claims,
            grant,
        }))))
    }
}
