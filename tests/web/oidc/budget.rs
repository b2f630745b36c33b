//! What a login with existing session and consent costs, in statements and signatures.

use std::fmt::Write as _;
use std::sync::{Mutex, OnceLock};
use std::thread::ThreadId;

use hefu::authn::Factor;
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span;

use super::TestHouse;
use crate::support::federation::LEAF;

/// Every statement that any thread of this test binary sends, with its thread: SQLite's are logged by the thread that owns
/// the connection, so one connection means one thread.
static SENT: OnceLock<Mutex<Vec<(ThreadId, String)>>> = OnceLock::new();

struct Statements;

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if matches!(field.name(), "summary" | "db.statement") {
            let _ = write!(self.0, "{value:?} ");
        }
    }
}

impl tracing::Subscriber for Statements {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let sent = SENT.get_or_init(Mutex::default);
        sent.lock()
            .unwrap()
            .push((std::thread::current().id(), text.0));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// What was sent since the marker `from`, without BEGIN and COMMIT.
async fn since(house: &TestHouse, from: &str, to: &str) -> Vec<String> {
    mark(house, to).await;
    let sent = SENT.get().unwrap().lock().unwrap().clone();
    let is = |text: &str, marker: &str| text.contains(&format!("AS {marker}"));
    let thread = sent
        .iter()
        .find(|(_, text)| is(text, from))
        .expect("the marker")
        .0;
    sent.iter()
        .filter(|(of, _)| *of == thread)
        .map(|(_, text)| text)
        .skip_while(|text| !is(text, from))
        .skip(1)
        .take_while(|text| !is(text, to))
        .filter(|text| {
            !["BEGIN", "COMMIT", "ROLLBACK"]
                .iter()
                .any(|word| text.contains(word))
        })
        .cloned()
        .collect()
}

async fn mark(house: &TestHouse, name: &str) {
    let sql = format!("SELECT 1 AS {name}");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .fetch_one(&mut *house.store.read().await.unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_warm_login_keeps_to_its_budget() {
    let _another_test_may_have_set_one = tracing::subscriber::set_global_default(Statements);
    // With what asks about clients of the federation.
    let house = TestHouse::with(1, |settings| {
        settings.explicit_registration = true;
        settings.marks.real_name_full = Some("https://top.example/marks/full".to_owned());
        settings.marks.level_4 = Some("https://top.example/marks/l4".to_owned());
    })
    .await;
    let person = house.citizen(true).await;
    house.consent(&person, LEAF, "openid real_name").await;
    let (_, mut browser) = house.session(&person, &[Factor::Password]).await;
    // Warm: the client is known, the sub was given.
    let code = browser.ask("warm", json!({})).await.told()["code"].clone();
    assert_eq!(house.redeem(&code, "warm", &[]).await.status, 200);
    let fetches = house.world.fetches();
    let signatures = house.ring.signatures();

    mark(&house, "budget_a").await;
    let code = browser.ask("one", json!({})).await.told()["code"].clone();
    let authorize = since(&house, "budget_a", "budget_b").await;
    let tokens = house.redeem(&code, "one", &[]).await.json();
    let token = since(&house, "budget_b", "budget_c").await;
    let claims = house
        .userinfo(tokens["access_token"].as_str().unwrap())
        .await;
    let userinfo = since(&house, "budget_c", "budget_d").await;
    assert_eq!(claims.status, 200);

    assert!(
        (1..=4).contains(&authorize.len()),
        "authorize: {authorize:#?}"
    );
    assert!((1..=5).contains(&token.len()), "token: {token:#?}");
    assert!((1..=3).contains(&userinfo.len()), "userinfo: {userinfo:#?}");
    // One for each token, none for anything else; nothing fetched.
    assert_eq!(house.ring.signatures() - signatures, 2);
    assert_eq!(house.world.fetches(), fetches);
}
