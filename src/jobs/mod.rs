//! What runs by the clock: key refresh, sealing the audit log, deliveries, statements renewed ahead of time. A task
//! that must run on one node only takes a lease itself; here it is only called, again and again, until the node stops.

pub mod chains;
pub mod departures;
pub mod federation;
pub mod registrations;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::audit;
use crate::crypto::{BoxFuture, Signer};
use crate::keys::KeyRing;
use crate::store::Lease;
use crate::web::house::House;

/// Something to do every so often.
#[derive(Clone)]
pub struct Task {
    pub name: String,
    pub every: Duration,
    run: Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

impl Task {
    pub fn new<F, Fut>(name: impl Into<String>, every: Duration, run: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self {
            name: name.into(),
            every,
            run: Arc::new(move || Box::pin(run())),
        }
    }

    /// Calls the task until `stop` turns true, and once more then, so that nothing waits for the next start. A failure
    /// is logged when it begins and when it ends, not every time.
    pub fn spawn(self, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut timer = tokio::time::interval(self.every);
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut failing = false;
            loop {
                let stopping = tokio::select! {
                    _ = timer.tick() => false,
                    changed = stop.changed() => changed.is_err() || *stop.borrow(),
                };
                match (self.run)().await {
                    Ok(()) if failing => {
                        failing = false;
                        tracing::info!(task = %self.name, "works again");
                    }
                    Err(e) if !failing => {
                        failing = true;
                        tracing::error!(task = %self.name, error = %e, "fails; it is tried again");
                    }
                    _ => {}
                }
                if stopping {
                    return;
                }
            }
        })
    }
}

/// What every entity needs done, whatever its role.
pub fn of_every_entity(name: &str, node: &str, house: &House, ring: &Arc<KeyRing>) -> Vec<Task> {
    let keys = {
        let (house, ring) = (house.clone(), Arc::clone(ring));
        Task::new(format!("{name}: keys"), Duration::from_secs(3), move || {
            let (house, ring) = (house.clone(), Arc::clone(&ring));
            async move {
                if ring.refresh(house.now()).await.map_err(|e| e.to_string())? {
                    tracing::info!(entity = %house.id, "keys read again after a change");
                }
                Ok(())
            }
        })
    };
    let seal = {
        let (house, node) = (house.clone(), node.to_owned());
        Task::new(
            format!("{name}: audit seal"),
            Duration::from_secs(5),
            move || {
                let (house, node) = (house.clone(), node.clone());
                async move { seal(&house, &node).await.map_err(|e| e.to_string()) }
            },
        )
    };
    let checkpoint = {
        let (house, ring) = (house.clone(), Arc::clone(ring));
        Task::new(
            format!("{name}: audit checkpoint"),
            Duration::from_hours(1),
            move || {
                let (house, ring) = (house.clone(), Arc::clone(&ring));
                async move {
                    let mut conn = house.store.read().await.map_err(|e| e.to_string())?;
                    let signer: &dyn Signer = ring.as_ref();
                    audit::checkpoint(&mut conn, signer, &house.id, house.now())
                        .await
                        .map_err(|e| e.to_string())?;
                    Ok(())
                }
            },
        )
    };
    vec![keys, seal, checkpoint]
}

async fn seal(house: &House, node: &str) -> Result<(), crate::store::Error> {
    // An idle entity writes nothing: the lease is taken only when there is something to seal.
    while audit::is_waiting(&mut *house.store.read().await?).await? {
        let now = house.now();
        let mut tx = house.store.write().await?;
        let Some(lease) = Lease::take(&mut tx, "audit", node, now, 30).await? else {
            return Ok(());
        };
        let sealed = audit::seal(&mut tx, &lease, now, 500).await?;
        tx.commit().await?;
        if sealed == 0 {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_is_called_in_time_survives_failures_and_runs_once_more_at_the_end() {
        let count = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&count);
        let task = Task::new("t", Duration::from_secs(10), move || {
            let n = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                if n == 1 {
                    Err("once".to_owned())
                } else {
                    Ok(())
                }
            }
        });
        let (stop, stopped) = watch::channel(false);
        let running = task.spawn(stopped);
        tokio::time::sleep(Duration::from_secs(25)).await;
        assert_eq!(count.load(Ordering::SeqCst), 3);
        stop.send(true).unwrap();
        running.await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 4);
    }
}
