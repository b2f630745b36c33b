//! One request, from a name to a filed row: counted, then the host is asked, then everything is checked, then it is filed in one
//! transaction with its audit row. No connection is held while the host is asked.

use super::JoiningHouse;
use crate::audit::{self, Event};
use crate::authn::throttle::{self, Limit, Pass};
use crate::federation::EntityId;
use crate::federation::joining::notices::{self, News};
use crate::federation::joining::requests::{Filed, NewRequest, Wish};
use crate::federation::joining::standing::{self, Standing};
use crate::federation::joining::{Above, Applicant, Examined, Finding, Kind, Terms, check, keys};
use crate::federation::resolve::Document;
use crate::jose::JwkSet;
use crate::store;
use crate::web::source::Source;

/// Whoever asks makes us ask others: each source and each subject has its measure.
const PER_SOURCE: Limit = Limit {
    kind: "joining.source",
    tries: 30,
    seconds: 3600,
};
const PER_SUBJECT: Limit = Limit {
    kind: "joining.subject",
    tries: 10,
    seconds: 3600,
};

/// What came of asking.
#[derive(Debug)]
pub(super) enum Answer {
    /// Come back in so many seconds.
    TooOften(i64),
    /// Everything that was found, something in the way.
    Refused(Vec<Finding>),
    /// It is a subordinate already, in this word of `Standing`.
    Known(&'static str),
    /// It has asked and waits.
    Waits,
    /// Too many wait.
    Full,
    Filed {
        reference: String,
        notes: Vec<Finding>,
    },
}

impl JoiningHouse {
    /// Counts one knock of `source` about `subject`; how long to wait, when it is too many.
    pub(super) async fn count(
        &self,
        source: Source,
        subject: &EntityId,
    ) -> Result<Option<i64>, store::Error> {
        let (house, now) = (&self.front.house, self.front.house.now());
        let mut conn = house.store.read().await?;
        let source = source.counted();
        for (limit, who) in [
            (PER_SOURCE, source.as_str()),
            (PER_SUBJECT, subject.as_str()),
        ] {
            if let Pass::Wait(seconds) =
                throttle::count(&mut conn, &*house.indexer, limit, &[who], now).await?
            {
                return Ok(Some(seconds));
            }
        }
        Ok(None)
    }

    /// Files the wish of `subject` to be vouched for. `handed_in`: its entity configuration, where a program sent it.
    pub(super) async fn ask(
        &self,
        source: Source,
        subject: &EntityId,
        handed_in: Option<&str>,
    ) -> Result<Answer, store::Error> {
        if let Some(seconds) = self.count(source, subject).await? {
            return Ok(Answer::TooOften(seconds));
        }
        let house = &self.front.house;
        let known = Standing::find(&mut *house.store.read().await?, subject).await?;
        if let Some(standing) = known {
            return Ok(Answer::Known(standing.as_str(house.now())));
        }
        let mut examined = self.examine(subject, handed_in).await;
        if let Some(applicant) = &examined.applicant {
            let mut conn = house.store.read().await?;
            if let Some(kid) = standing::compromised_key(&mut conn, &applicant.jwks).await? {
                examined
                    .findings
                    .push(Finding::new(Kind::CompromisedKey, kid));
            }
        }
        let Some(applicant) = examined.acceptable() else {
            return Ok(Answer::Refused(examined.findings));
        };
        self.file(applicant, &examined.findings).await
    }

    async fn examine(&self, subject: &EntityId, handed_in: Option<&str>) -> Examined {
        let now = self.front.house.now();
        let token = match self.fetch(subject).await {
            Ok(token) => token,
            Err(e) => return Examined::only(Finding::new(Kind::NotFetched, e)),
        };
        let above = self.above().await;
        let terms = Terms {
            superior: &self.id,
            rules: self.resolver.rules(),
            policy: self.policy.as_ref(),
            above: &above,
        };
        let mut examined = check::examine(token.trim_ascii(), subject, &terms, now);
        if let (Some(sent), Some(applicant)) = (handed_in, &examined.applicant) {
            // Signed anew in between is the same; other keys are not.
            let sent = check::examine(sent.trim_ascii(), subject, &terms, now).applicant;
            if !sent.is_some_and(|sent| keys::same(&sent.jwks, &applicant.jwks)) {
                examined.findings.push(Finding::new(Kind::Differs, "jwks"));
            }
        }
        examined
    }

    pub(super) async fn fetch(&self, subject: &EntityId) -> Result<String, String> {
        let document = Document::Configuration(subject.clone());
        self.resolver
            .fetcher()
            .fetch(&document)
            .await
            .map_err(|e| e.to_string())
    }

    /// What stands above us. When that cannot be had now, applicants are told less beforehand; a chain is judged by all of it anyway.
    async fn above(&self) -> Above {
        if self.front.is_anchor {
            return Above::default();
        }
        match self
            .resolver
            .resolve(&self.id, None, self.front.house.now())
            .await
        {
            Ok(chain) => Above::of(&chain),
            Err(error) => {
                tracing::warn!(%error, "what stands above this authority is not known now");
                Above::default()
            }
        }
    }

    async fn file(&self, applicant: &Applicant, notes: &[Finding]) -> Result<Answer, store::Error> {
        let new = NewRequest {
            wish: Wish::Join,
            entity_id: &applicant.entity_id,
            jwks: applicant.jwks.to_value(),
            entity_types: &applicant.entity_types,
            metadata: &applicant.metadata,
            contacts: &applicant.contacts,
            notes: notes.to_vec(),
            proof: None,
        };
        let (house, now) = (&self.front.house, self.front.house.now());
        let (mut rng, mut tx) = (house.rng(), house.store.write().await?);
        let filed = new.file(&mut tx, &mut rng, now).await?;
        let answer = match filed {
            Filed::Already => return Ok(Answer::Waits),
            Filed::Full => return Ok(Answer::Full),
            Filed::Open { id, reference } => {
                let event = Event::done("federation.join_request")
                    .with("request", id)
                    .with("entity", applicant.entity_id.as_str());
                audit::record(&mut tx, &mut rng, now, &event).await?;
                Answer::Filed {
                    reference,
                    notes: new.notes,
                }
            }
        };
        tx.commit().await?;
        Ok(answer)
    }

    /// Files the wish of a subordinate for other keys, proven by `token`; its contacts hear of it, in case it was somebody else.
    pub(super) async fn file_keys(
        &self,
        subject: &EntityId,
        jwks: &JwkSet,
        contacts: &[String],
        token: &str,
    ) -> Result<Answer, store::Error> {
        let metadata = serde_json::Map::new();
        let new = NewRequest {
            wish: Wish::Keys,
            entity_id: subject,
            jwks: jwks.to_value(),
            entity_types: &[],
            metadata: &metadata,
            contacts,
            notes: Vec::new(),
            proof: Some(token),
        };
        let (house, now) = (&self.front.house, self.front.house.now());
        let (mut rng, mut tx) = (house.rng(), house.store.write().await?);
        let answer = match new.file(&mut tx, &mut rng, now).await? {
            Filed::Already => return Ok(Answer::Waits),
            Filed::Full => return Ok(Answer::Full),
            Filed::Open { id, reference } => {
                let event = Event::done("federation.keys_request")
                    .with("request", id)
                    .with("entity", subject.as_str());
                audit::record(&mut tx, &mut rng, now, &event).await?;
                notices::tell(&mut tx, &mut rng, subject, News::KeysAsked, "", now).await?;
                Answer::Filed {
                    reference,
                    notes: Vec::new(),
                }
            }
        };
        tx.commit().await?;
        Ok(answer)
    }
}
