//! Chains beyond this process: a bounded table of what is remembered. After a restart during an outage logins go on with it; a
//! node that cannot reach a superior takes what another one got; the command line reads from it what ends when.
//!
//! Nothing is believed because it stands in the table: a chain that is read is verified like any other. No login reads or writes
//! here, only the start of a node and a job.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::cache::{ChainEntry, ChainKey};
use super::held::{Held, Renewal};
use super::{LAPSED, ResolveError, ResolveFault, Resolver};
use crate::clock::UnixTime;
use crate::federation::chain::Thoroughness::FirstFailure;
use crate::federation::chain::TrustChain;
use crate::federation::entity::EntityId;
use crate::federation::explain::Explanation;
use crate::federation::statement::Reading;
use crate::store::{Conn, Error, Store};

/// How many rows are kept, those used last; how many one round of the job writes.
pub const MOST: usize = 10_000;
const MOST_IN_ROUND: usize = 500;
/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 500;

/// A row: the chain of one subject, and how its renewal stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RememberedChain {
    pub subject: EntityId,
    /// The anchor that was asked for; none: any that is accepted.
    pub asked_anchor: Option<EntityId>,
    /// Where it ends.
    pub anchor: EntityId,
    /// Subject first, anchor last.
    pub statements: Vec<String>,
    pub expires_at: UnixTime,
    /// When all superiors gave what was asked.
    pub renewed_at: UnixTime,
    pub used_at: UnixTime,
    /// Attempts since then that failed.
    pub failures: u32,
    pub last_failure: Option<(UnixTime, String)>,
    pub next_attempt_at: UnixTime,
}

const COLUMNS: &str = "subject, asked_anchor, anchor, statements, expires_at, renewed_at, used_at, failures, failed_at, failure, \
                       next_attempt_at";

impl RememberedChain {
    fn of((subject, asked_anchor): &ChainKey, held: &Held) -> Self {
        let renewal = held.renewal();
        let shortened = |reason: &str| reason.chars().take(LONGEST_REASON).collect();
        Self {
            subject: subject.clone(),
            asked_anchor: asked_anchor.clone(),
            anchor: held.chain.anchor().clone(),
            statements: held.chain.tokens().into_iter().map(str::to_owned).collect(),
            expires_at: held.chain.expires_at(),
            renewed_at: renewal.renewed_at,
            used_at: held.used_at(),
            failures: renewal.failures,
            last_failure: renewal
                .last_failure
                .map(|(at, reason)| (at, shortened(&reason))),
            next_attempt_at: held.refresh_at(),
        }
    }

    fn key(&self) -> ChainKey {
        (self.subject.clone(), self.asked_anchor.clone())
    }

    /// Stores the chain, unless another node renewed it later.
    pub async fn save(&self, conn: &mut Conn) -> Result<(), Error> {
        let (failed_at, failure) = self.last_failure.clone().unzip();
        sqlx::query(
            "INSERT INTO remembered_chains (subject, asked_anchor, anchor, statements, expires_at, renewed_at, used_at, failures,
               failed_at, failure, next_attempt_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             ON CONFLICT (subject, asked_anchor) DO UPDATE SET anchor = $3, statements = $4, expires_at = $5, renewed_at = $6,
               used_at = CASE WHEN remembered_chains.used_at > $7 THEN remembered_chains.used_at ELSE $7 END,
               failures = $8, failed_at = $9, failure = $10, next_attempt_at = $11
             WHERE remembered_chains.renewed_at <= $6",
        )
        .bind(self.subject.as_str())
        .bind(self.asked_anchor.as_ref().map_or("", EntityId::as_str))
        .bind(self.anchor.as_str())
        .bind(serde_json::json!(self.statements).to_string())
        .bind(self.expires_at)
        .bind(self.renewed_at)
        .bind(self.used_at)
        .bind(i64::from(self.failures))
        .bind(failed_at)
        .bind(failure)
        .bind(self.next_attempt_at)
        .execute(conn)
        .await?;
        Ok(())
    }

    pub async fn find(
        conn: &mut Conn,
        subject: &EntityId,
        asked_anchor: Option<&EntityId>,
    ) -> Result<Option<Self>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM remembered_chains WHERE subject = $1 AND asked_anchor = $2"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(subject.as_str())
            .bind(asked_anchor.map_or("", EntityId::as_str))
            .fetch_optional(conn)
            .await?;
        row.as_ref().map(Self::read).transpose()
    }

    /// Those that end before `before`, the first to end first.
    pub async fn ending(
        conn: &mut Conn,
        before: UnixTime,
        most: usize,
    ) -> Result<Vec<Self>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM remembered_chains WHERE expires_at < $1 ORDER BY expires_at, subject, asked_anchor LIMIT $2"
        );
        Self::rows(conn, sql, before, most).await
    }

    /// Those that end after `after`, the last used first.
    async fn last_used(conn: &mut Conn, after: UnixTime, most: usize) -> Result<Vec<Self>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM remembered_chains WHERE expires_at > $1 ORDER BY used_at DESC, subject, asked_anchor LIMIT $2"
        );
        Self::rows(conn, sql, after, most).await
    }

    async fn rows(
        conn: &mut Conn,
        sql: String,
        time: UnixTime,
        most: usize,
    ) -> Result<Vec<Self>, Error> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(time)
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(conn)
            .await?;
        rows.iter().map(Self::read).collect()
    }

    pub async fn forget(
        conn: &mut Conn,
        subject: &EntityId,
        asked_anchor: Option<&EntityId>,
    ) -> Result<(), Error> {
        sqlx::query("DELETE FROM remembered_chains WHERE subject = $1 AND asked_anchor = $2")
            .bind(subject.as_str())
            .bind(asked_anchor.map_or("", EntityId::as_str))
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Removes what ended a week ago, and what was used longest ago beyond `most` rows.
    pub async fn prune(conn: &mut Conn, most: usize, now: UnixTime) -> Result<(), Error> {
        sqlx::query(
            "DELETE FROM remembered_chains WHERE expires_at <= $1
               OR used_at < (SELECT used_at FROM remembered_chains ORDER BY used_at DESC LIMIT 1 OFFSET $2)",
        )
        .bind(now.plus(-LAPSED))
        .bind(i64::try_from(most.saturating_sub(1)).unwrap_or(i64::MAX))
        .execute(conn)
        .await?;
        Ok(())
    }

    fn read(row: &AnyRow) -> Result<Self, Error> {
        let asked: EntityId = row.try_get("asked_anchor")?;
        let failed_at: Option<UnixTime> = row.try_get("failed_at")?;
        let failure: Option<String> = row.try_get("failure")?;
        let statements: String = row.try_get("statements")?;
        let decoded = |e: serde_json::Error| Error::ColumnDecode {
            index: "statements".to_owned(),
            source: Box::new(e),
        };
        Ok(Self {
            subject: row.try_get("subject")?,
            asked_anchor: (!asked.as_str().is_empty()).then_some(asked),
            anchor: row.try_get("anchor")?,
            statements: serde_json::from_str(&statements).map_err(decoded)?,
            expires_at: row.try_get("expires_at")?,
            renewed_at: row.try_get("renewed_at")?,
            used_at: row.try_get("used_at")?,
            failures: u32::try_from(row.try_get::<i64, _>("failures")?).unwrap_or(u32::MAX),
            last_failure: failed_at.zip(failure),
            next_attempt_at: row.try_get("next_attempt_at")?,
        })
    }
}

impl Resolver {
    /// Remembers what the table holds, as far as it still holds when it is verified: for the start of a node, before it answers.
    /// Nothing is fetched. How many chains serve again.
    pub async fn restore(&self, store: &Store, now: UnixTime) -> Result<usize, Error> {
        let after = now.plus(-LAPSED);
        let rows = RememberedChain::last_used(&mut *store.read().await?, after, MOST).await?;
        let (serving, ended): (Vec<_>, Vec<_>) = rows.iter().partition(|row| now < row.expires_at);
        let mut readings = Readings::default();
        let mut restored = 0;
        for row in serving {
            if let Some(chain) = self.verified(row, &mut readings, now) {
                self.keep_statements(&chain, now).await;
                self.take_over(row, chain, now, now).await;
                restored += 1;
            }
        }
        // What has ended was good until then; it is known as that, and serves nobody.
        let mut readings = Readings::default();
        for row in ended {
            if let Some(chain) = self.verified(row, &mut readings, row.expires_at.plus(-1)) {
                self.chains.put(&row.key(), lapsed(row, chain, now)).await;
            }
        }
        Ok(restored)
    }

    /// Writes down what changed in memory, and takes over from the table what other nodes got and this one could not.
    pub async fn write_down(&self, store: &Store, now: UnixTime) -> Result<(), Error> {
        let notes = self.journal.take();
        if !notes.missed.is_empty() {
            let mut conn = store.read().await?;
            let mut rows = Vec::new();
            for (subject, anchor) in &notes.missed {
                rows.extend(RememberedChain::find(&mut conn, subject, anchor.as_ref()).await?);
            }
            drop(conn);
            let mut readings = Readings::default();
            for row in rows.iter().filter(|row| now < row.expires_at) {
                self.adopt(row, &mut readings, now).await;
            }
        }
        let unsaved: Vec<_> = self
            .chains
            .each()
            .filter(|(_, held)| held.serves(now) && !held.is_saved())
            .take(MOST_IN_ROUND)
            .collect();
        if unsaved.is_empty() && notes.ended.is_empty() {
            return Ok(());
        }
        let done = write(store, &notes.ended, &unsaved, now).await;
        if done.is_err() {
            for (_, held) in &unsaved {
                held.unsave();
            }
            for key in &notes.ended {
                self.journal.note_ended(key);
            }
        }
        done
    }

    /// Takes a row over when it is better than what is in memory.
    async fn adopt(&self, row: &RememberedChain, readings: &mut Readings, now: UnixTime) {
        let better = match self.chains.find(&row.key()).await.as_deref() {
            None => true,
            Some(ChainEntry::Failed { error, .. }) => !error.is_signed_evidence(),
            Some(ChainEntry::Held(held)) => {
                held.renewal().renewed_at < row.renewed_at
                    && held.chain.expires_at() < row.expires_at
            }
        };
        if !better {
            return;
        }
        if let Some(chain) = self.verified(row, readings, now) {
            tracing::info!(subject = %row.subject, "a trust chain is taken over from another node");
            self.keep_statements(&chain, now).await;
            let refresh_at = self.refresh_at(&chain, now);
            self.take_over(row, chain, refresh_at, now).await;
        }
    }

    async fn take_over(
        &self,
        row: &RememberedChain,
        chain: TrustChain,
        refresh_at: UnixTime,
        now: UnixTime,
    ) {
        let renewal = Renewal {
            renewed_at: row.renewed_at,
            failures: row.failures,
            last_failure: row
                .last_failure
                .as_ref()
                .map(|(at, reason)| (*at, reason.as_str().into())),
        };
        let held = Held::new(Arc::new(chain), refresh_at, renewal, row.used_at.min(now));
        held.note_saved(held.used_at());
        self.chains.put(&row.key(), ChainEntry::Held(held)).await;
    }

    fn verified(
        &self,
        row: &RememberedChain,
        readings: &mut Readings,
        as_of: UnixTime,
    ) -> Option<TrustChain> {
        let rules = self.rules();
        let readings: Vec<_> = row
            .statements
            .iter()
            .map(|token| {
                let known = readings.entry(token.clone());
                Arc::clone(known.or_insert_with(|| Arc::new(Reading::of(token, rules, as_of))))
            })
            .collect();
        let anchors = self.accepted(row.asked_anchor.as_ref());
        match TrustChain::judge(&readings, &anchors, rules, as_of, FirstFailure) {
            Ok(chain) if *chain.subject() == row.subject && as_of < chain.expires_at() => {
                Some(chain)
            }
            Ok(_) => None,
            Err(error) => {
                tracing::info!(subject = %row.subject, %error, "a trust chain that was written down does not hold");
                None
            }
        }
    }

    /// So that a chain whose superiors are away in part is renewed as far as the others answer.
    async fn keep_statements(&self, chain: &TrustChain, now: UnixTime) {
        for statement in chain.statements() {
            self.statements.keep(statement, now).await;
        }
    }
}

async fn write(
    store: &Store,
    ended: &BTreeSet<ChainKey>,
    unsaved: &[(Arc<ChainKey>, Arc<Held>)],
    now: UnixTime,
) -> Result<(), Error> {
    let mut tx = store.write().await?;
    for (subject, anchor) in ended {
        RememberedChain::forget(&mut tx, subject, anchor.as_ref()).await?;
    }
    for (key, held) in unsaved {
        // Noted first: what changes while it is written is written in the next round.
        held.note_saved(held.used_at());
        RememberedChain::of(key, held).save(&mut tx).await?;
    }
    RememberedChain::prune(&mut tx, MOST, now).await?;
    tx.commit().await
}

/// There is no chain, and this one was.
fn lapsed(row: &RememberedChain, chain: TrustChain, now: UnixTime) -> ChainEntry {
    let reason = format!("its trust chain ended at {}", row.expires_at.to_rfc3339());
    ChainEntry::Failed {
        error: Arc::new(ResolveError {
            subject: row.subject.clone(),
            kind: ResolveFault::Subject,
            explanation: Arc::new(Explanation::failed(&row.subject, &reason)),
            reason,
            lapsed: Some(Arc::new(chain)),
        }),
        // Somebody who asks now has it looked up.
        until: now,
    }
}

/// Statements that were read already, by their text: those of an authority stand in many chains.
type Readings = HashMap<String, Arc<Reading>>;
