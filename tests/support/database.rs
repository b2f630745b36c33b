//! One test, two databases: SQLite in a temporary file, and the private PostgreSQL of this test run.

use super::postgres;

/// The addresses of two fresh databases, with what keeps them alive.
pub struct Databases {
    pub sqlite: String,
    pub postgres: String,
    _folder: tempfile::TempDir,
}

impl Databases {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            sqlite: format!(
                "sqlite:{}?mode=rwc",
                folder.path().join("test.db").display()
            ),
            postgres: postgres::server().new_database("test"),
            _folder: folder,
        }
    }
}

#[tokio::test]
async fn both_databases_are_real() {
    sqlx::any::install_default_drivers();
    let databases = Databases::new();
    for (url, version) in [
        (&databases.sqlite, "SELECT sqlite_version()"),
        (&databases.postgres, "SHOW server_version"),
    ] {
        let pool = sqlx::AnyPool::connect(url).await.expect("a connection");
        let said: String = sqlx::query_scalar(version)
            .fetch_one(&pool)
            .await
            .expect("a version");
        assert!(
            said.starts_with(|c: char| c.is_ascii_digit()),
            "{url}: {said}"
        );
        pool.close().await;
    }
}
