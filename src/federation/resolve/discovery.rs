//! The search itself (OpenID Federation 1.0 §10.1): a bounded walk along `authority_hints`, in their order.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;

use crate::clock::UnixTime;
use crate::federation::chain::{Anchors, ChainError, Thoroughness, TrustChain};
use crate::federation::entity::EntityId;
use crate::federation::explain::Explanation;
use crate::federation::resolve::anchors::{alarm, is_impostor};
use crate::federation::resolve::cache::{Key, StatementEntry};
use crate::federation::resolve::{Document, ResolveError, ResolveFault, Resolver};
use crate::federation::statement::{EntityStatement, Failure, Reading, Step};

/// Numbers the searches of this process, so that one can tell what it fetched itself.
static RUNS: AtomicU64 = AtomicU64::new(1);

/// One search: what it may still spend, and what it tells afterwards.
struct Run {
    id: u64,
    now: UnixTime,
    /// Whether only statements fetched by this search count.
    fresh: bool,
    /// How far to go after a failure. An explanation also looks at statements that are of no use, to tell everything
    /// that is wrong with them, and at the ways that were not chosen.
    thoroughness: Thoroughness,
    fetches: AtomicUsize,
    used_memory: AtomicBool,
    /// An anchor's address at which somebody else answered.
    impostor: Mutex<Option<(EntityId, Arc<Failure>)>>,
    /// Statements that should have been newer, and why they are not.
    stale: Mutex<HashMap<Key, Arc<str>>>,
}

/// A chain that a search found.
pub(super) struct Found {
    pub(super) chain: TrustChain,
    pub(super) explanation: Explanation,
    /// Why it is not as new as it should be: somebody on the way up gave nothing, and what was remembered served instead.
    pub(super) stale: Option<Arc<str>>,
}

impl Run {
    fn note_stale(&self, key: &Key, failure: Option<&Arc<str>>) {
        let mut stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        match failure {
            Some(failure) => stale.insert(key.clone(), Arc::clone(failure)),
            None => stale.remove(key),
        };
    }

    /// Why a statement of `chain` is old, from the subject upwards.
    fn stale_in(&self, chain: &TrustChain) -> Option<Arc<str>> {
        let stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        chain
            .statements()
            .iter()
            .find_map(|s| stale.get(&(s.iss.clone(), s.sub.clone())).cloned())
    }

    fn impostor(&self) -> Option<(EntityId, Arc<Failure>)> {
        self.impostor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note_impostor(&self, found: Option<(EntityId, Arc<Failure>)>) {
        *self.impostor.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }

    fn is_thorough(&self) -> bool {
        self.thoroughness == Thoroughness::EveryFailure
    }
}

/// An entity on the way up, and the superiors that are still to be asked.
struct Frame {
    id: EntityId,
    reading: Arc<Reading>,
    configuration: Arc<EntityStatement>,
    hints: VecDeque<EntityId>,
}

impl Frame {
    /// None when there is nothing to go on from.
    fn of(id: &EntityId, reading: Arc<Reading>, run: &Run, most: usize) -> Option<Self> {
        let configuration = Arc::clone(reading.statement()?);
        if !reading.is_sound() && !run.is_thorough() {
            return None;
        }
        let hints = configuration.configuration().map(|c| &c.authority_hints);
        Some(Self {
            id: id.clone(),
            hints: hints.into_iter().flatten().take(most).cloned().collect(),
            configuration,
            reading,
        })
    }
}

impl Resolver {
    /// Finds a chain to one of `anchors`: the preferred anchor first, then the order of hints.
    ///
    /// When a search that leaned on remembered statements fails, it is made once more without them: keys and hints may
    /// have changed since.
    pub(super) async fn search(
        &self,
        subject: &EntityId,
        anchors: &Anchors,
        now: UnixTime,
        fresh: bool,
        thoroughness: Thoroughness,
    ) -> Result<Found, Arc<ResolveError>> {
        self.search_from(None, subject, anchors, now, fresh, thoroughness)
            .await
    }

    /// The same from a configuration that is at hand, and need not be published.
    pub(super) async fn search_from(
        &self,
        own: Option<&Arc<Reading>>,
        subject: &EntityId,
        anchors: &Anchors,
        now: UnixTime,
        fresh: bool,
        thoroughness: Thoroughness,
    ) -> Result<Found, Arc<ResolveError>> {
        let mut run = Run {
            thoroughness,
            id: RUNS.fetch_add(1, Ordering::Relaxed),
            now,
            fresh,
            fetches: AtomicUsize::new(0),
            used_memory: AtomicBool::new(false),
            impostor: Mutex::default(),
            stale: Mutex::default(),
        };
        let work = async {
            // Whoever was found before does not queue behind strangers.
            let _place = if self.proven.contains_key(subject) {
                None
            } else {
                self.places.acquire().await.ok()
            };
            let first = self.walk(&run, own, subject, anchors).await;
            let impostor = run.impostor().is_some();
            let found = match first {
                Err(_) if impostor || run.used_memory.load(Ordering::Relaxed) => {
                    run.fresh = true;
                    if impostor {
                        // §11.3: everything is fetched again before anybody is alarmed.
                        run.id = RUNS.fetch_add(1, Ordering::Relaxed);
                        run.note_impostor(None);
                    }
                    self.walk(&run, own, subject, anchors).await
                }
                other => other,
            };
            if let (Err(_), Some((anchor, failure))) = (&found, run.impostor()) {
                alarm(&anchor, &failure);
            }
            found.map(|(chain, explanation)| Found {
                stale: run.stale_in(&chain),
                chain,
                explanation,
            })
        };
        if let Ok(result) = tokio::time::timeout(self.settings.limits.time, work).await {
            if let Ok(found) = &result {
                self.follow_keys(&found.chain);
            }
            return result.map_err(Arc::new);
        }
        let seconds = self.settings.limits.time.as_secs();
        let reason = format!("no chain was found within {seconds} s");
        Err(Arc::new(ResolveError {
            subject: subject.clone(),
            kind: ResolveFault::Exhausted,
            explanation: Arc::new(Explanation::failed(subject, &reason)),
            reason,
            lapsed: None,
        }))
    }

    async fn walk(
        &self,
        run: &Run,
        own: Option<&Arc<Reading>>,
        subject: &EntityId,
        anchors: &Anchors,
    ) -> Result<(TrustChain, Explanation), ResolveError> {
        let limits = &self.settings.limits;
        let mut told = Explanation::new(subject);
        let error = |kind, reason: String, mut told: Explanation| {
            told.outcome = Err(reason.clone());
            ResolveError {
                subject: subject.clone(),
                kind,
                reason,
                explanation: Arc::new(told),
                lapsed: None,
            }
        };

        let own = match own {
            Some(own) => Arc::clone(own),
            None => self.configuration(run, subject).await,
        };
        let refused = own
            .failure()
            .map(|failure| format!("the entity configuration of {subject}: {failure}"));
        let Some(start) = Frame::of(subject, Arc::clone(&own), run, limits.hints) else {
            told.refused(&own);
            let reason = refused.unwrap_or_else(|| "it could not be read".to_owned());
            return Err(error(ResolveFault::Subject, reason, told));
        };
        let anchors = &anchors.preferring(
            start
                .configuration
                .configuration()
                .map_or(&[], |c| &c.trust_anchor_hints),
        );

        let mut best: Option<(usize, TrustChain)> = None;
        let mut first_invalid: Option<ChainError> = None;
        let mut exhausted = false;
        // §4: the subject is an anchor itself; its chain is its own configuration.
        if let Some(rank) = anchors.rank(subject) {
            match self.judge(run, std::slice::from_ref(&own), anchors) {
                Ok(chain) => best = Some((rank, chain)),
                Err(invalid) => {
                    told.chains.push(invalid.trace.clone());
                    first_invalid = Some(invalid);
                }
            }
        }

        let mut visits = 0;
        let mut path = vec![start];
        // An explanation also tells which other chains hold, while there is time to ask.
        // The timer's own clock, as `timeout` above: no time that anything is judged by.
        let begun = tokio::time::Instant::now();
        let curious = |found: bool| {
            run.is_thorough() && (!found || begun.elapsed() < self.settings.limits.time / 4)
        };
        while curious(best.is_some()) || best.as_ref().is_none_or(|(rank, _)| *rank > 0) {
            let depth = path.len();
            let Some(frame) = path.last_mut() else { break };
            let below = frame.id.clone();
            let Some(superior) = frame.hints.pop_front() else {
                path.pop();
                continue;
            };
            // §10.1, §17.1: a hint that leads back into the path is dropped.
            if path.iter().any(|frame| frame.id == superior) {
                told.note(format!(
                    "{below} names {superior}, which leads back: ignored"
                ));
                continue;
            }
            if depth >= limits.depth {
                told.note(format!(
                    "{below} names {superior}, but the path is too long already: ignored"
                ));
                continue;
            }
            visits += 1;
            if visits > limits.visits {
                told.note(format!("gave up after {} steps", limits.visits));
                exhausted = true;
                break;
            }
            let reading = self.configuration(run, &superior).await;
            if let Some(failure) = reading.failure() {
                exhausted |= run.fetches.load(Ordering::Relaxed) >= limits.fetches;
                told.note(format!(
                    "{below} names {superior}, whose configuration is of no use: {failure}"
                ));
            }
            let Some(frame) = Frame::of(&superior, reading, run, limits.hints) else {
                continue;
            };
            if let Some(failure) = is_impostor(&frame.configuration, anchors) {
                told.note(format!(
                    "the configuration of the trust anchor {superior} is not signed with a key that is configured for it: {failure}"
                ));
                run.note_impostor(Some((superior.clone(), Arc::new(failure))));
            }
            let rank = anchors.rank(&superior);
            path.push(frame);
            let Some(rank) = rank else { continue };
            let better = best.as_ref().is_none_or(|(held, _)| rank < *held);
            if better || run.is_thorough() {
                match self.assemble(run, &path, anchors).await {
                    Ok(chain) if better => {
                        if let Some((_, passed_over)) = best.replace((rank, chain)) {
                            told.note(also_valid(&passed_over, "another anchor is preferred"));
                        }
                    }
                    Ok(chain) => {
                        let other = best.as_ref().is_some_and(|(held, _)| *held != rank);
                        let why = if other {
                            "another anchor is preferred"
                        } else {
                            "its superiors stand later among the authority_hints"
                        };
                        told.note(also_valid(&chain, why));
                    }
                    Err(invalid) => {
                        told.chains.push(invalid.trace.clone());
                        first_invalid.get_or_insert(invalid);
                    }
                }
            }
            // Only with several anchors can a better one stand above this one.
            if anchors.len() == 1 {
                path.pop();
            }
        }

        if let Some((_, chain)) = best {
            self.proven.insert(subject.clone(), ()).await;
            told.outcome = Ok(());
            told.chain(&chain);
            return Ok((chain, told));
        }
        if told.chains.is_empty() && !own.is_sound() {
            told.refused(&own);
        }
        let (kind, reason) = match first_invalid {
            _ if refused.is_some() => (ResolveFault::Subject, refused.unwrap_or_default()),
            Some(invalid) => (
                ResolveFault::Invalid(invalid.failure.step),
                format!("no chain is valid: {invalid}"),
            ),
            None if exhausted => (
                ResolveFault::Exhausted,
                "the search was too long".to_owned(),
            ),
            None => (
                ResolveFault::NoAnchor,
                "no path of authority_hints ends at an accepted trust anchor".to_owned(),
            ),
        };
        Err(error(kind, reason, told))
    }

    /// Fetches what each superior on the path says about the one below it, and judges the whole.
    async fn assemble(
        &self,
        run: &Run,
        path: &[Frame],
        anchors: &Anchors,
    ) -> Result<TrustChain, ChainError> {
        let asked = path
            .windows(2)
            .map(|pair| self.subordinate(run, &pair[1].configuration, &pair[0].id));
        let mut readings = vec![Arc::clone(&path[0].reading)];
        readings.extend(join_all(asked).await);
        readings.extend(path.last().map(|last| Arc::clone(&last.reading)));
        self.judge(run, &readings, anchors)
    }

    fn judge(
        &self,
        run: &Run,
        readings: &[Arc<Reading>],
        anchors: &Anchors,
    ) -> Result<TrustChain, ChainError> {
        let rules = &self.settings.rules;
        TrustChain::judge(readings, anchors, rules, run.now, run.thoroughness)
    }

    async fn configuration(&self, run: &Run, id: &EntityId) -> Arc<Reading> {
        let document = Document::Configuration(id.clone());
        self.statement(run, id, id, document).await
    }

    async fn subordinate(
        &self,
        run: &Run,
        superior: &EntityStatement,
        subject: &EntityId,
    ) -> Arc<Reading> {
        // §8.1: from the superior's own configuration, never from metadata that others gave it.
        let Some(endpoint) = superior.federation_entity("federation_fetch_endpoint") else {
            let reason = format_args!("{} has no fetch endpoint", superior.sub);
            let failure = Failure::new(Step::Fetched, reason);
            return Arc::new(Reading::missing(&superior.sub, subject, failure));
        };
        let document = Document::Subordinate {
            endpoint: endpoint.to_owned(),
            subject: subject.clone(),
        };
        self.statement(run, &superior.sub, subject, document).await
    }

    /// A statement from memory while it is young enough, from its issuer otherwise; from memory again when the issuer
    /// cannot be reached and the statement has not expired.
    async fn statement(
        &self,
        run: &Run,
        iss: &EntityId,
        sub: &EntityId,
        document: Document,
    ) -> Arc<Reading> {
        let key = (iss.clone(), sub.clone());
        let remembered = self.statements.find(&key).await;
        let mut old = None;
        match remembered.as_deref() {
            Some(StatementEntry::Held {
                statement,
                refresh_at,
                run: by,
                failure,
            }) if run.now < statement.exp => {
                if *by == run.id {
                    return Arc::new(Reading::sound(Arc::clone(statement)));
                }
                if run.now < *refresh_at && !run.fresh {
                    run.used_memory.store(true, Ordering::Relaxed);
                    run.note_stale(&key, failure.as_ref());
                    return Arc::new(Reading::sound(Arc::clone(statement)));
                }
                old = Some(Arc::clone(statement));
            }
            Some(StatementEntry::Failed {
                reading,
                until,
                run: by,
            }) if *by == run.id || (run.now < *until && !run.fresh) => {
                return Arc::clone(reading);
            }
            _ => {}
        }
        if !self.may_fetch(run) {
            let most = self.settings.limits.fetches;
            let reason = format_args!("more than {most} documents would be needed");
            let failure = Failure::new(Step::Fetched, reason);
            return Arc::new(Reading::missing(iss, sub, failure));
        }
        let load = async {
            let limits = &self.settings.limits;
            let reading = self
                .fetch_or_refresh(run, document, iss, sub, old.as_deref())
                .await;
            match (reading.is_sound(), reading.statement(), &old) {
                (true, Some(statement), _) => {
                    let half = statement.exp.since(run.now) / 2;
                    StatementEntry::Held {
                        statement: Arc::clone(statement),
                        refresh_at: run.now.plus(half.clamp(0, limits.max_age)),
                        run: run.id,
                        failure: None,
                    }
                }
                // §18.2: an error is unsigned and takes nothing away.
                (_, _, Some(statement)) => StatementEntry::Held {
                    statement: Arc::clone(statement),
                    refresh_at: run.now.plus(limits.negative_age),
                    run: run.id,
                    failure: Some(told(iss, sub, &reading)),
                },
                (_, _, None) => StatementEntry::Failed {
                    reading: Arc::new(reading),
                    until: run.now.plus(limits.negative_age),
                    run: run.id,
                },
            }
        };
        match &*self.statements.load(&key, remembered.as_ref(), load).await {
            StatementEntry::Held {
                statement, failure, ..
            } => {
                run.note_stale(&key, failure.as_ref());
                Arc::new(Reading::sound(Arc::clone(statement)))
            }
            StatementEntry::Failed { reading, .. } => Arc::clone(reading),
        }
    }

    /// Takes one document from what the search may still spend.
    fn may_fetch(&self, run: &Run) -> bool {
        run.fetches.fetch_add(1, Ordering::Relaxed) < self.settings.limits.fetches
    }

    /// Asks the issuer; where its endpoint gives nothing of use any more, the `source_endpoint` of the statement that is
    /// remembered (§3.1.3). Only a hint where to ask: through the same way out, and what comes is judged like anything else.
    async fn fetch_or_refresh(
        &self,
        run: &Run,
        document: Document,
        iss: &EntityId,
        sub: &EntityId,
        old: Option<&EntityStatement>,
    ) -> Reading {
        let reading = self.fetch_statement(&document, iss, sub, run.now).await;
        let source = old
            .and_then(EntityStatement::subordinate)
            .and_then(|old| old.source_endpoint.clone());
        let (Some(source), Document::Subordinate { endpoint, subject }) = (source, document) else {
            return reading;
        };
        if reading.is_sound() || source == endpoint || !self.may_fetch(run) {
            return reading;
        }
        let again = Document::Subordinate {
            endpoint: source,
            subject,
        };
        let refreshed = self.fetch_statement(&again, iss, sub, run.now).await;
        if refreshed.is_sound() {
            refreshed
        } else {
            reading
        }
    }

    async fn fetch_statement(
        &self,
        document: &Document,
        iss: &EntityId,
        sub: &EntityId,
        now: UnixTime,
    ) -> Reading {
        let token = match self.fetch.fetch(document).await {
            Ok(token) => token,
            Err(e) => return Reading::missing(iss, sub, Failure::new(Step::Fetched, e)),
        };
        let mut reading = Reading::of(token.trim_ascii(), &self.settings.rules, now);
        let Some(statement) = reading.statement().cloned() else {
            return reading;
        };
        // §3.2: it is about whom we asked for, by whom we asked.
        if statement.sub != *sub {
            let reason = format_args!("it is about {}", statement.sub);
            reading.fail(Failure::new(Step::Subject, reason));
        }
        if statement.iss != *iss {
            let reason = format_args!("it is issued by {}", statement.iss);
            reading.fail(Failure::new(Step::Issuer, reason));
        }
        // A configuration must at least agree with itself before its hints are followed.
        if iss == sub
            && let Err(failure) = statement.verify(&statement.jwks)
        {
            reading.fail(failure);
        }
        reading
    }
}

/// What an operator is told about a statement that could not be had.
fn told(iss: &EntityId, sub: &EntityId, reading: &Reading) -> Arc<str> {
    let failure = reading
        .failure()
        .map_or_else(String::new, ToString::to_string);
    let what = if iss == sub {
        format!("the entity configuration of {sub}: {failure}")
    } else {
        format!("{iss} about {sub}: {failure}")
    };
    what.into()
}

/// A chain that holds too, in words.
fn also_valid(chain: &TrustChain, why_not: &str) -> String {
    let path: Vec<&str> = chain.path().into_iter().map(EntityId::as_str).collect();
    format!("{} holds too, but {why_not}", path.join(" -> "))
}
