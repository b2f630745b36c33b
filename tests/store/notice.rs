//! Notices to phones: written with the act, sent once, put off and given up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hefu::clock::UnixTime;
use hefu::crypto::BoxFuture;
use hefu::id::PersonId;
use hefu::identity::Phone;
use hefu::identity::notice::{self, Deliverer, Notice, Round};
use hefu::identity::sms::{Gateway, NotSent};
use hefu::keys::KeyRing;
use hefu::store::{Conn, Store};
use tokio::sync::Notify;

use super::identity::{NOW, ring, rng};
use crate::support::database::{Fault, for_each_database};

/// What was sent, and how the next message fares.
#[derive(Debug, Default)]
struct Sent {
    messages: Mutex<BTreeMap<(String, String), usize>>,
    broken: Mutex<bool>,
    /// Never answers, and says that it was asked.
    silent: Mutex<Option<Arc<Notify>>>,
}

impl Gateway for Sent {
    fn send<'a>(&'a self, to: &'a Phone, text: &'a str) -> BoxFuture<'a, Result<(), NotSent>> {
        Box::pin(async move {
            let silent = self.silent.lock().expect("no panic before").clone();
            if let Some(asked) = silent {
                asked.notify_one();
                std::future::pending::<()>().await;
            }
            if *self.broken.lock().expect("no panic before") {
                return Err(NotSent::because("told to fail"));
            }
            let message = (to.local().to_owned(), text.to_owned());
            let mut messages = self.messages.lock().expect("no panic before");
            *messages.entry(message).or_default() += 1;
            Ok(())
        })
    }
}

impl Sent {
    fn set_broken(&self, broken: bool) {
        *self.broken.lock().expect("no panic before") = broken;
    }

    /// How often each message was sent.
    fn times(&self) -> Vec<usize> {
        let messages = self.messages.lock().expect("no panic before");
        messages.values().copied().collect()
    }
}

fn deliverer(store: &Store, ring: &Arc<KeyRing>, gateway: &Arc<Sent>) -> Deliverer {
    Deliverer {
        store: store.clone(),
        sealer: Arc::<KeyRing>::clone(ring),
        gateway: Arc::<Sent>::clone(gateway),
        words: |text, language| (text != "unknown").then(|| format!("{text} in {language}")),
    }
}

async fn put(conn: &mut Conn, ring: &KeyRing, number: &str, text: &str) -> Result<(), Fault> {
    let notice = Notice {
        person: &PersonId("p_ada".to_owned()),
        to: &Phone::parse(number)?,
        text,
        language: "zh-CN",
    };
    Ok(notice::put(conn, ring, &mut rng(), notice, NOW).await?)
}

async fn left(store: &Store) -> Result<i64, Fault> {
    let mut conn = store.read().await?;
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM notices")
        .fetch_one(&mut *conn)
        .await?)
}

const SENT: Round = Round {
    sent: 1,
    put_off: 0,
    given_up: 0,
};
const PUT_OFF: Round = Round {
    sent: 0,
    put_off: 1,
    given_up: 0,
};
const GIVEN_UP: Round = Round {
    sent: 0,
    put_off: 0,
    given_up: 1,
};

#[tokio::test]
async fn a_notice_is_kept_encrypted_with_its_act_and_goes_when_it_is_sent() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let gateway = Arc::<Sent>::default();
        let deliverer = deliverer(&store, &ring, &gateway);
        // An act that did not happen tells nobody.
        let mut tx = store.write().await?;
        put(&mut tx, &ring, "14000000001", "phone_changed").await?;
        drop(tx);
        assert_eq!(deliverer.deliver(&mut rng(), NOW).await?, Round::default());
        let mut tx = store.write().await?;
        put(&mut tx, &ring, "14000000001", "phone_changed").await?;
        tx.commit().await?;
        let kept: Vec<u8> = sqlx::query_scalar("SELECT phone FROM notices")
            .fetch_one(&mut *store.read().await?)
            .await?;
        assert!(!String::from_utf8_lossy(&kept).contains("14000000001"));
        // Whoever wrote it has died since: any node sends it.
        assert_eq!(deliverer.deliver(&mut rng(), NOW).await?, SENT);
        assert_eq!(deliverer.deliver(&mut rng(), NOW).await?, Round::default());
        let message = (
            "14000000001".to_owned(),
            "phone_changed in zh-CN".to_owned(),
        );
        assert_eq!(
            *gateway.messages.lock().expect("no panic before"),
            BTreeMap::from([(message, 1)])
        );
        assert_eq!(left(&store).await?, 0);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn of_two_deliverers_at_once_one_sends_each_notice() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let gateway = Arc::<Sent>::default();
        let mut conn = store.read().await?;
        for n in 0..40 {
            put(&mut conn, &ring, "14000000001", &format!("text {n}")).await?;
        }
        drop(conn);
        let nodes: Vec<_> = (0..2)
            .map(|_| {
                let (deliverer, store) = (deliverer(&store, &ring, &gateway), store.clone());
                tokio::spawn(async move {
                    while left(&store).await? > 0 {
                        deliverer.deliver(&mut rng(), NOW).await?;
                    }
                    Ok::<_, Fault>(())
                })
            })
            .collect();
        for node in nodes {
            node.await??;
        }
        assert_eq!(gateway.times(), [1; 40]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_the_gateway_refuses_is_put_off_longer_each_time_and_given_up_in_the_end() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let gateway = Arc::<Sent>::default();
        let deliverer = deliverer(&store, &ring, &gateway);
        gateway.set_broken(true);
        for text in ["told", "unknown"] {
            put(&mut *store.read().await?, &ring, "14000000001", text).await?;
            let mut at = NOW;
            for wait in [10, 60, 300, 1_800, 7_200, 21_600, 21_600] {
                assert_eq!(deliverer.deliver(&mut rng(), at).await?, PUT_OFF, "{wait}");
                let early = deliverer.deliver(&mut rng(), at.plus(wait - 1)).await?;
                assert_eq!(early, Round::default(), "{wait}");
                at = at.plus(wait);
            }
            let end = NOW.plus(3 * 86_400);
            if text == "told" {
                // The gateway is back: not too late.
                gateway.set_broken(false);
                assert_eq!(deliverer.deliver(&mut rng(), at).await?, SENT);
            } else {
                // A text that nobody knows is no better on a gateway that works.
                assert_eq!(deliverer.deliver(&mut rng(), end).await?, GIVEN_UP);
            }
            assert_eq!(left(&store).await?, 0);
        }
        assert_eq!(gateway.times(), [1]);
        let noted: Vec<(String, String, String)> =
            sqlx::query_as("SELECT outcome, subject, detail FROM audit_events")
                .fetch_all(&mut *store.read().await?)
                .await?;
        let lost = ("refused", "p_ada", r#"{"text":"unknown"}"#);
        assert_eq!(
            noted,
            [(lost.0.to_owned(), lost.1.to_owned(), lost.2.to_owned())]
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_notice_whose_deliverer_dies_is_sent_after_its_lease() {
    for_each_database(async |store| {
        let (ring, _folder) = ring(&store).await?;
        let gateway = Arc::<Sent>::default();
        put(&mut *store.read().await?, &ring, "14000000001", "told").await?;
        let asked = Arc::<Notify>::default();
        *gateway.silent.lock().expect("no panic before") = Some(Arc::clone(&asked));
        let dying = deliverer(&store, &ring, &gateway);
        let task = tokio::spawn(async move { dying.deliver(&mut rng(), NOW).await });
        asked.notified().await;
        task.abort();
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        *gateway.silent.lock().expect("no panic before") = None;
        let other = deliverer(&store, &ring, &gateway);
        let lease: UnixTime = NOW.plus(120);
        let early = other.deliver(&mut rng(), lease.plus(-1)).await?;
        assert_eq!(early, Round::default());
        assert_eq!(other.deliver(&mut rng(), lease).await?, SENT);
        assert_eq!(gateway.times(), [1]);
        Ok(())
    })
    .await;
}
