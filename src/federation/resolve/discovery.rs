//! The search itself (OpenID Federation 1.0 §10.1): a bounded walk along `authority_hints`, in their order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use futures_util::future::join_all;

use crate::clock::UnixTime;
use crate::federation::chain::{Anchors, ChainError, TrustChain};
use crate::federation::entity::EntityId;
use crate::federation::explain::Explanation;
use crate::federation::resolve::cache::StatementEntry;
use crate::federation::resolve::{Document, ResolveError, ResolveFault, Resolver};
use crate::federation::statement::{EntityStatement, Failure, Step};

/// Numbers the searches of this process, so that one can tell what it fetched itself.
static RUNS: AtomicU64 = AtomicU64::new(1);

/// One search: what it may still spend, and what it tells afterwards.
struct Run {
    id: u64,
    now: UnixTime,
    /// Whether only statements fetched by this search count.
    fresh: bool,
    fetches: AtomicUsize,
    used_memory: AtomicBool,
}

struct Frame {
    configuration: Arc<EntityStatement>,
    hints: VecDeque<EntityId>,
}

impl Frame {
    fn of(configuration: Arc<EntityStatement>, most: usize) -> Self {
        let hints = configuration.configuration().map(|c| &c.authority_hints);
        Self {
            hints: hints.into_iter().flatten().take(most).cloned().collect(),
            configuration,
        }
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
    ) -> Result<(TrustChain, Explanation), Arc<ResolveError>> {
        let mut run = Run {
            id: RUNS.fetch_add(1, Ordering::Relaxed),
            now,
            fresh,
            fetches: AtomicUsize::new(0),
            used_memory: AtomicBool::new(false),
        };
        let work = async {
            // Whoever was found before does not queue behind strangers.
            let _place = if self.proven.contains_key(subject) {
                None
            } else {
                self.places.acquire().await.ok()
            };
            match self.walk(&run, subject, anchors).await {
                Err(_) if run.used_memory.load(Ordering::Relaxed) => {
                    run.fresh = true;
                    self.walk(&run, subject, anchors).await
                }
                other => other,
            }
        };
        if let Ok(result) = tokio::time::timeout(self.settings.limits.time, work).await {
            return result.map_err(Arc::new);
        }
        let seconds = self.settings.limits.time.as_secs();
        let reason = format!("no chain was found within {seconds} s");
        Err(Arc::new(ResolveError {
            subject: subject.clone(),
            kind: ResolveFault::Exhausted,
            explanation: Arc::new(Explanation::failed(subject, &reason)),
            reason,
        }))
    }

    async fn walk(
        &self,
        run: &Run,
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
            }
        };

        let own = match self.configuration(run, subject).await {
            Ok(own) => own,
            Err(failure) => {
                let reason = format!("the entity configuration of {subject}: {failure}");
                told.refused(subject, &failure);
                return Err(error(ResolveFault::Subject, reason, told));
            }
        };

        let mut best: Option<(usize, TrustChain)> = None;
        let mut first_invalid: Option<ChainError> = None;
        let mut exhausted = false;
        // §4: the subject is an anchor itself; its chain is its own configuration.
        if let Some(rank) = anchors.rank(subject) {
            match self.judge(run, vec![Arc::clone(&own)], anchors) {
                Ok(chain) => best = Some((rank, chain)),
                Err(invalid) => {
                    told.chains.push(invalid.trace.clone());
                    first_invalid = Some(invalid);
                }
            }
        }

        let mut visits = 0;
        let mut path = vec![Frame::of(own, limits.hints)];
        while best.as_ref().is_none_or(|(rank, _)| *rank > 0) {
            let depth = path.len();
            let Some(frame) = path.last_mut() else { break };
            let below = frame.configuration.sub.clone();
            let Some(superior) = frame.hints.pop_front() else {
                path.pop();
                continue;
            };
            // §10.1, §17.1: a hint that leads back into the path is dropped.
            if path.iter().any(|frame| frame.configuration.sub == superior) {
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
            let configuration = match self.configuration(run, &superior).await {
                Ok(configuration) => configuration,
                Err(failure) => {
                    exhausted |= run.fetches.load(Ordering::Relaxed) >= limits.fetches;
                    told.note(format!(
                        "{below} names {superior}, whose configuration is of no use: {failure}"
                    ));
                    continue;
                }
            };
            let rank = anchors.rank(&superior);
            path.push(Frame::of(configuration, limits.hints));
            let Some(rank) = rank else { continue };
            if best.as_ref().is_none_or(|(held, _)| rank < *held) {
                match self.assemble(run, &path, anchors).await {
                    Ok(chain) => best = Some((rank, chain)),
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
        let (kind, reason) = match first_invalid {
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
        let asked = path.windows(2).map(|pair| {
            let (below, superior) = (&pair[0].configuration, &pair[1].configuration);
            self.subordinate(run, superior, &below.sub)
        });
        let mut statements = vec![Arc::clone(&path[0].configuration)];
        for (hop, answer) in join_all(asked).await.into_iter().enumerate() {
            match answer {
                Ok(statement) => statements.push(statement),
                Err(failure) => return Err(ChainError::missing(&statements, hop + 1, failure)),
            }
        }
        if let Some(last) = path.last() {
            statements.push(Arc::clone(&last.configuration));
        }
        self.judge(run, statements, anchors)
    }

    fn judge(
        &self,
        run: &Run,
        statements: Vec<Arc<EntityStatement>>,
        anchors: &Anchors,
    ) -> Result<TrustChain, ChainError> {
        TrustChain::from_statements(statements, anchors, &self.settings.rules, run.now)
    }

    async fn configuration(
        &self,
        run: &Run,
        id: &EntityId,
    ) -> Result<Arc<EntityStatement>, Failure> {
        let document = Document::Configuration(id.clone());
        self.statement(run, id, id, document).await
    }

    async fn subordinate(
        &self,
        run: &Run,
        superior: &EntityStatement,
        subject: &EntityId,
    ) -> Result<Arc<EntityStatement>, Failure> {
        // §8.1: from the superior's own configuration, never from metadata that others gave it.
        let endpoint = superior
            .federation_entity("federation_fetch_endpoint")
            .ok_or_else(|| {
                Failure::new(
                    Step::Fetched,
                    format_args!("{} has no fetch endpoint", superior.sub),
                )
            })?;
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
    ) -> Result<Arc<EntityStatement>, Failure> {
        let key = (iss.clone(), sub.clone());
        let remembered = self.statements.find(&key).await;
        let mut old = None;
        match remembered.as_deref() {
            Some(StatementEntry::Held {
                statement,
                refresh_at,
                run: by,
            }) if run.now < statement.exp => {
                if *by == run.id {
                    return Ok(Arc::clone(statement));
                }
                if run.now < *refresh_at && !run.fresh {
                    run.used_memory.store(true, Ordering::Relaxed);
                    return Ok(Arc::clone(statement));
                }
                old = Some(Arc::clone(statement));
            }
            Some(StatementEntry::Failed {
                failure,
                until,
                run: by,
            }) if *by == run.id || (run.now < *until && !run.fresh) => {
                return Err(failure.clone());
            }
            _ => {}
        }
        if run.fetches.fetch_add(1, Ordering::Relaxed) >= self.settings.limits.fetches {
            let most = self.settings.limits.fetches;
            return Err(Failure::new(
                Step::Fetched,
                format_args!("more than {most} documents would be needed"),
            ));
        }
        let load = async {
            let limits = &self.settings.limits;
            match self.fetch_statement(&document, iss, sub, run.now).await {
                Ok(statement) => {
                    let half = statement.exp.since(run.now) / 2;
                    StatementEntry::Held {
                        statement: Arc::new(statement),
                        refresh_at: run.now.plus(half.clamp(0, limits.max_age)),
                        run: run.id,
                    }
                }
                Err(failure) => match &old {
                    // §18.2: an error is unsigned and takes nothing away.
                    Some(statement) => StatementEntry::Held {
                        statement: Arc::clone(statement),
                        refresh_at: run.now.plus(limits.negative_age),
                        run: run.id,
                    },
                    None => StatementEntry::Failed {
                        failure,
                        until: run.now.plus(limits.negative_age),
                        run: run.id,
                    },
                },
            }
        };
        match &*self.statements.load(&key, remembered.is_some(), load).await {
            StatementEntry::Held { statement, .. } => Ok(Arc::clone(statement)),
            StatementEntry::Failed { failure, .. } => Err(failure.clone()),
        }
    }

    async fn fetch_statement(
        &self,
        document: &Document,
        iss: &EntityId,
        sub: &EntityId,
        now: UnixTime,
    ) -> Result<EntityStatement, Failure> {
        let token = self
            .fetch
            .fetch(document)
            .await
            .map_err(|e| Failure::new(Step::Fetched, e))?;
        let statement = EntityStatement::parse(token.trim_ascii(), &self.settings.rules, now)?;
        // §3.2: it is about whom we asked for, by whom we asked.
        if statement.sub != *sub {
            return Err(Failure::new(
                Step::Subject,
                format_args!("it is about {}", statement.sub),
            ));
        }
        if statement.iss != *iss {
            return Err(Failure::new(
                Step::Issuer,
                format_args!("it is issued by {}", statement.iss),
            ));
        }
        // A configuration must at least agree with itself before its hints are followed.
        if iss == sub {
            statement.verify(&statement.jwks)?;
        }
        Ok(statement)
    }
}
