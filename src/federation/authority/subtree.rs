//! Who stands below an authority, at any depth: found out from the lists of its own intermediates, never from what a
//! stranger says about itself. A resolve request for anybody else starts no search (OpenID Federation 1.0 §18.1).
//!
//! A job walks the lists and keeps what it finds in the database, so that a member is known at the first request, also after a
//! restart and on a node that never walked; another keeps the members' chains in memory, and notes what it found out about each
//! (`state`). A request for somebody unknown may walk too, but seldom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use serde_json::Value;
use sqlx::Row as _;
use tokio::sync::Mutex;

use super::Authority;
use super::state::{self, State};
use super::subordinate::{ListFilter, Subordinate, asserted_name, list, read_id};
use crate::clock::UnixTime;
use crate::federation::entity::EntityId;
use crate::federation::resolve::{Document, ResolveError, Resolver};
use crate::federation::statement::EntityStatement;
use crate::federation::trust_mark;
use crate::jose::json;
use crate::store::{Conn, Error, Store};

/// Seconds between two walks through the lists, whoever asks about whom.
const MOST_OFTEN: i64 = 15;
/// How many intermediates are asked in one walk, how deep, how many at once, and how many entities are remembered.
const MOST_ASKED: usize = 500;
pub(super) const MOST_LEVELS: usize = 8;
const AT_ONCE: usize = 8;
const MOST_KNOWN: usize = 100_000;
/// How many members' chains are kept warm, and how many are looked up at once: the rest is looked up when somebody asks.
const MOST_WARM: usize = 4_000;
const WARMED_AT_ONCE: usize = 4;
/// Of the rest, how many are looked up in one round without being kept, so that it is known in turn how they are.
const VISITED: usize = 200;
/// How many states are written in one transaction.
const WRITTEN_AT_ONCE: usize = 100;

/// When this process last walked on demand.
#[derive(Debug, Default)]
pub(super) struct Subtree(Mutex<Option<UnixTime>>);

/// Entity identifiers that one intermediate lists, and whether each is an intermediate in turn.
pub type Listed = BTreeMap<EntityId, bool>;

impl Subtree {
    /// Whether `subject` stands below the authority whose store this is.
    pub(super) async fn contains(
        &self,
        subject: &EntityId,
        store: &Store,
        resolver: &Arc<Resolver>,
        now: UnixTime,
    ) -> Result<bool, Error> {
        if is_known(&mut *store.read().await?, subject).await? {
            return Ok(true);
        }
        // Held while walking: whoever else asks meanwhile waits for the same walk.
        let mut walked_at = self.0.lock().await;
        if walked_at.is_some_and(|at| now.since(at) < MOST_OFTEN) {
            return is_known(&mut *store.read().await?, subject).await;
        }
        walk(store, resolver, now).await?;
        *walked_at = Some(now);
        is_known(&mut *store.read().await?, subject).await
    }
}

impl Authority {
    /// Asks everybody below for their lists, and remembers who was there. For one node at a time.
    pub async fn walk_subtree(&self, now: UnixTime) -> Result<(), Error> {
        walk(&self.store, &self.resolver, now).await
    }

    /// Looks up the chains of members that are not in memory or due, and whether their trust marks hold; how many chains are
    /// good. Then goes on through those that are too many for memory. What is found out is noted. For every node.
    pub async fn warm_subtree(&self, now: UnixTime) -> Result<usize, Error> {
        self.follow_own_keys();
        let mut conn = self.store.read().await?;
        let mut subjects = list(&mut conn, &ListFilter::default(), now).await?;
        subjects.extend(members(&mut conn, MOST_WARM).await?);
        drop(conn);
        subjects.truncate(MOST_WARM);
        if !self.settings.is_anchor {
            // Who vouches for this authority is asked for on its own map.
            self.kept(&self.settings.id, now).await;
        }
        let good = self.note_each(subjects, Keep::Chains, now).await?;
        let rest = state::due(&mut *self.store.read().await?, VISITED, now).await?;
        self.note_each(rest, Keep::Nothing, now).await?;
        Ok(good)
    }

    /// Looks each subject up and notes what is new; how many chains are good.
    async fn note_each(
        &self,
        subjects: Vec<EntityId>,
        keep: Keep,
        now: UnixTime,
    ) -> Result<usize, Error> {
        let mut found = stream::iter(subjects)
            .map(async |subject| match keep {
                Keep::Chains => self.kept(&subject, now).await,
                Keep::Nothing => (0, self.visited(&subject, now).await),
            })
            .buffer_unordered(WARMED_AT_ONCE);
        let mut good = 0;
        let mut news = Vec::new();
        while let Some((chains, state)) = found.next().await {
            good += chains;
            // What goes on being the same is written when it would be looked up again.
            let known = self.noted.get(&state.entity_id).await;
            let same =
                known.is_some_and(|(known, due_at)| now < due_at && known.says_the_same(&state));
            if keep == Keep::Nothing || !same {
                news.push(state);
            }
            if news.len() == WRITTEN_AT_ONCE {
                self.note(&mut news, now).await?;
            }
        }
        self.note(&mut news, now).await?;
        Ok(good)
    }

    async fn note(&self, news: &mut Vec<State>, now: UnixTime) -> Result<(), Error> {
        if news.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.write().await?;
        for state in &*news {
            state.put(&mut tx, now).await?;
        }
        tx.commit().await?;
        for state in news.drain(..) {
            let (id, due_at) = (state.entity_id.clone(), state.due_at(now));
            self.noted.insert(id, (Arc::new(state), due_at)).await;
        }
        Ok(())
    }

    /// Keeps the subject's chains to every anchor in memory: how many are good, and what is to be said of it.
    async fn kept(&self, subject: &EntityId, now: UnixTime) -> (usize, State) {
        let mut good = 0;
        let (mut state, mut failed) = (None, None);
        for anchor in self.resolver.anchors().ids() {
            match self.resolver.keep_warm(subject, anchor, now).await {
                Ok(chain) => {
                    good += 1;
                    let marks = trust_mark::counted(&self.resolver, &chain, now).await;
                    state.get_or_insert_with(|| State::good(&chain, &marks));
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match state {
            Some(state) => (good, state),
            None => (good, self.without_chain(subject, failed.as_deref()).await),
        }
    }

    /// The same without keeping anything.
    async fn visited(&self, subject: &EntityId, now: UnixTime) -> State {
        let mut failed = None;
        for anchor in self.resolver.anchors().ids() {
            match self.resolver.look_up(subject, anchor, now).await {
                Ok(chain) => {
                    let marks = trust_mark::counted(&self.resolver, &chain, now).await;
                    return State::good(&chain, &marks);
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        self.without_chain(subject, failed.as_deref()).await
    }

    async fn without_chain(&self, subject: &EntityId, error: Option<&ResolveError>) -> State {
        // Its superior's word is out of reach, unless that is ours.
        let row = async { Subordinate::find(&mut *self.store.read().await?, subject).await };
        let row = row.await.unwrap_or_else(|error: Error| {
            tracing::warn!(%subject, %error, "a subordinate could not be read");
            None
        });
        let metadata = row.and_then(|row| row.metadata);
        let name = metadata
            .as_ref()
            .and_then(Value::as_object)
            .and_then(asserted_name);
        State::bad(subject, name.as_ref(), error)
    }
}

/// Whether chains that were looked up stay in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Chains,
    Nothing,
}

/// Whether `subject` is an immediate subordinate or was listed by an intermediate below.
async fn is_known(conn: &mut Conn, subject: &EntityId) -> Result<bool, Error> {
    if Subordinate::find(conn, subject).await?.is_some() {
        return Ok(true);
    }
    let found: Option<i64> =
        sqlx::query_scalar("SELECT found_at FROM subtree_members WHERE entity_id = $1 LIMIT 1")
            .bind(subject.as_str())
            .fetch_optional(conn)
            .await?;
    Ok(found.is_some())
}

/// At most `limit` entities that intermediates listed, the longest known first.
pub async fn members(conn: &mut Conn, limit: usize) -> Result<Vec<EntityId>, Error> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT entity_id FROM subtree_members GROUP BY entity_id ORDER BY MIN(found_at), entity_id LIMIT $1",
    )
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await?;
    rows.iter().map(|id| read_id(id)).collect()
}

/// What `via` listed when it last answered.
pub async fn listed_by(conn: &mut Conn, via: &EntityId) -> Result<Listed, Error> {
    let rows =
        sqlx::query("SELECT entity_id, intermediate_since FROM subtree_members WHERE via = $1")
            .bind(via.as_str())
            .fetch_all(conn)
            .await?;
    rows.iter()
        .map(|row| {
            let since: Option<i64> = row.try_get("intermediate_since")?;
            let id = read_id(&row.try_get::<String, _>("entity_id")?)?;
            Ok((id, since.is_some()))
        })
        .collect()
}

/// Puts what `via` lists now in the place of what it listed before; writes only what changed.
pub async fn note_listed(
    conn: &mut Conn,
    via: &EntityId,
    before: &Listed,
    listed: &Listed,
    now: UnixTime,
) -> Result<(), Error> {
    for id in before.keys().filter(|id| !listed.contains_key(*id)) {
        sqlx::query("DELETE FROM subtree_members WHERE via = $1 AND entity_id = $2")
            .bind(via.as_str())
            .bind(id.as_str())
            .execute(&mut *conn)
            .await?;
    }
    for (id, is_intermediate) in listed {
        if before.get(id) == Some(is_intermediate) {
            continue;
        }
        sqlx::query(
            "INSERT INTO subtree_members (entity_id, via, intermediate_since, found_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (entity_id, via) DO UPDATE SET intermediate_since = excluded.intermediate_since",
        )
        .bind(id.as_str())
        .bind(via.as_str())
        .bind(is_intermediate.then_some(now))
        .bind(now)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Forgets what was listed by intermediates that nobody lists any more.
pub async fn forget_others(conn: &mut Conn, asked: &BTreeSet<EntityId>) -> Result<(), Error> {
    let vias: Vec<String> = sqlx::query_scalar("SELECT DISTINCT via FROM subtree_members")
        .fetch_all(&mut *conn)
        .await?;
    for via in vias.iter().filter(|via| !asked.contains(via.as_str())) {
        sqlx::query("DELETE FROM subtree_members WHERE via = $1")
            .bind(via)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

async fn walk(store: &Store, resolver: &Arc<Resolver>, now: UnixTime) -> Result<(), Error> {
    let filter = ListFilter {
        intermediate: true,
        ..ListFilter::default()
    };
    let mut level = list(&mut *store.read().await?, &filter, now).await?;
    level.truncate(MOST_ASKED);
    let mut asked: BTreeSet<EntityId> = level.iter().cloned().collect();
    let mut known = 0;
    for _ in 0..MOST_LEVELS {
        let mut answers = stream::iter(std::mem::take(&mut level))
            .map(async |id| {
                let listed = subordinates(&id, resolver, now).await;
                (id, listed)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((via, listed)) = answers.next().await {
            let before = listed_by(&mut *store.read().await?, &via).await?;
            // Who is away, or answers with an unsigned error, keeps those it listed before (§18.2).
            let mut listed = listed.unwrap_or_else(|| before.clone());
            while known + listed.len() > MOST_KNOWN {
                listed.pop_last();
            }
            known += listed.len();
            if listed != before {
                let mut tx = store.write().await?;
                note_listed(&mut tx, &via, &before, &listed, now).await?;
                tx.commit().await?;
            }
            for (id, is_intermediate) in listed {
                if is_intermediate && asked.len() < MOST_ASKED && asked.insert(id.clone()) {
                    level.push(id);
                }
            }
        }
        drop(answers);
        if level.is_empty() {
            break;
        }
    }
    let mut tx = store.write().await?;
    forget_others(&mut tx, &asked).await?;
    state::forget_strangers(&mut tx).await?;
    tx.commit().await
}

/// What the intermediate `id` lists; none when it does not answer.
async fn subordinates(id: &EntityId, resolver: &Arc<Resolver>, now: UnixTime) -> Option<Listed> {
    let ask = async |document: Document| resolver.fetcher().fetch(&document).await.ok();
    let token = ask(Document::Configuration(id.clone())).await?;
    let endpoint = EntityStatement::parse(token.trim_ascii(), resolver.rules(), now)
        .ok()
        .filter(|statement| statement.sub == *id && statement.iss == *id)
        .filter(|statement| statement.verify(&statement.jwks).is_ok())
        .and_then(|statement| {
            statement
                .federation_entity("federation_list_endpoint")
                .map(str::to_owned)
        })?;
    let read = |text: String| -> Option<Vec<EntityId>> {
        let listed = json::parse(text.as_bytes()).ok()?;
        let ids = listed.as_array()?.iter().take(MOST_KNOWN);
        Some(
            ids.filter_map(|id| EntityId::parse(id.as_str()?, resolver.rules().schemes).ok())
                .collect(),
        )
    };
    let separator = if endpoint.contains('?') { '&' } else { '?' };
    let intermediates = format!("{endpoint}{separator}intermediate=true");
    let (everyone, intermediates) = futures_util::future::join(
        ask(Document::List { endpoint }),
        ask(Document::List {
            endpoint: intermediates,
        }),
    )
    .await;
    let everyone = read(everyone?)?;
    // §8.2: the filter need not be supported; then nobody below is known to be an intermediate.
    let intermediates: BTreeSet<EntityId> =
        intermediates.and_then(read).into_iter().flatten().collect();
    let listed = everyone.into_iter().map(|id| {
        let is_intermediate = intermediates.contains(&id);
        (id, is_intermediate)
    });
    Some(listed.collect())
}
