//! One test, two databases: SQLite in a temporary file, and the private PostgreSQL of this test run. Neither is ever skipped.
//!
//! ```ignore
//! #[tokio::test]
//! async fn a_code_is_used_once() {
//!     for_each_database(async |store| {
//!         let mut conn = store.read().await?;
//!         …
//!         Ok(())
//!     })
//!     .await;
//! }
//! ```

use hefu::store::{Options, Store};

use super::postgres;

/// Runs `test` on a fresh, migrated database of each kind. Faults of the database may be passed up with `?`.
pub async fn for_each_database(test: impl AsyncFn(Store) -> Result<(), Fault>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sqlite = format!(
        "sqlite:{}?mode=rwc",
        folder.path().join("test.db").display()
    );
    let postgres = postgres::server().new_database("test");
    for (url, connections) in [(sqlite, 4), (postgres, 8)] {
        // Waiting for the disk is not what is tested here.
        let options = Options {
            connections,
            durable: false,
        };
        let store = Store::open(&url, &options)
            .await
            .unwrap_or_else(|e| panic!("{url}: {e}"));
        store
            .migrate()
            .await
            .unwrap_or_else(|e| panic!("migrating {url}: {e}"));
        let during = Named(format!("{:?}", store.kind()));
        if let Err(fault) = test(store.clone()).await {
            panic!("on {during:?}: {fault:?}");
        }
        drop(during);
        store.close().await;
    }
}

/// Whatever a test passes up with `?`.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Says on which database an assertion failed: its own message cannot know.
#[derive(Debug)]
struct Named(String);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("(this happened on {})", self.0);
        }
    }
}

#[tokio::test]
async fn both_databases_are_real() {
    use std::sync::Mutex;
    let seen = Mutex::new(Vec::new());
    for_each_database(async |store| {
        let mut conn = store.read().await?;
        let version = match store.kind() {
            hefu::store::Kind::Sqlite => "SELECT sqlite_version()",
            hefu::store::Kind::Postgres => "SHOW server_version",
        };
        let said: String = sqlx::query_scalar(version).fetch_one(&mut *conn).await?;
        assert!(said.starts_with(|c: char| c.is_ascii_digit()), "{said}");
        assert_eq!(store.pending_migrations().await?, 0);
        seen.lock()
            .expect("no panic before")
            .push(format!("{:?}", store.kind()));
        Ok(())
    })
    .await;
    assert_eq!(
        *seen.lock().expect("no panic before"),
        ["Sqlite", "Postgres"]
    );
}
