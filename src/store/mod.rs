//! The database of one entity: opening, migrating, reading, writing. SQL itself lives beside the types it stores;
//! what it may say so that SQLite and PostgreSQL both understand it stands in `docs/architecture.md`.

mod generation;
mod lease;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool, Connection, Transaction};

pub use generation::{bump_generation, generation};
pub use lease::Lease;
pub use sqlx::Error;

/// What every function that speaks SQL takes: a connection inside or outside a transaction.
pub type Conn = sqlx::AnyConnection;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();
static DRIVERS: Once = Once::new();

/// Which of the two databases answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// At most so many connections at once.
    pub connections: u32,
    /// SQLite only: wait for the disk at every commit (`synchronous=FULL`). Without it a power cut may lose the last commits.
    pub durable: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 4,
            durable: true,
        }
    }
}

/// The pool of connections to one entity's database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: AnyPool,
    kind: Kind,
}

impl Store {
    /// Opens the database at `url` (`sqlite:…` or `postgres://…`). Creates an SQLite file that is missing; never migrates.
    pub async fn open(url: &str, options: &Options) -> Result<Self, Error> {
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let kind = if url.starts_with("sqlite:") {
            Kind::Sqlite
        } else {
            Kind::Postgres
        };
        let connect: AnyConnectOptions = url.parse()?;
        let synchronous = if options.durable {
            "PRAGMA synchronous=FULL"
        } else {
            "PRAGMA synchronous=NORMAL"
        };
        // One attempt before the pool, which would keep trying: what is wrong is said at once, and once.
        let mut first = sqlx::AnyConnection::connect_with(&connect).await?;
        sqlx::query("SELECT 1").execute(&mut first).await?;
        if kind == Kind::Sqlite {
            // Reads the file's header: something that is no database shows here.
            sqlx::query("PRAGMA journal_mode=WAL")
                .execute(&mut first)
                .await?;
        }
        first.close().await?;
        let pool = AnyPoolOptions::new()
            .max_connections(options.connections)
            .acquire_timeout(Duration::from_secs(10))
            // Liveness is found out by the first statement; a ping before each would double the round trips.
            .test_before_acquire(kind == Kind::Postgres)
            .after_connect(move |conn, _| {
                Box::pin(async move {
                    if kind == Kind::Sqlite {
                        sqlx::query("PRAGMA journal_mode=WAL")
                            .execute(&mut *conn)
                            .await?;
                        sqlx::query(synchronous).execute(&mut *conn).await?;
                    }
                    Ok(())
                })
            })
            .connect_with(connect)
            .await?;
        Ok(Self { pool, kind })
    }

    /// Opens the SQLite file at `path`, made when missing.
    pub async fn open_file(path: &Path, options: &Options) -> Result<Self, Error> {
        let url = format!("sqlite:{}?mode=rwc", path.display());
        Self::open(&url, options).await
    }

    /// Brings the schema up to date. Safe beside other nodes: the migrator takes the database's own lock.
    pub async fn migrate(&self) -> Result<(), Error> {
        // An own connection: SQLite panics in statements cached before a column was added.
        let mut conn = self.pool.acquire().await?.detach();
        MIGRATOR.run(&mut conn).await?;
        Ok(())
    }

    /// How many migrations are not yet applied; nodes refuse to serve when it is not zero.
    pub async fn pending_migrations(&self) -> Result<usize, Error> {
        let known = MIGRATOR
            .iter()
            .filter(|m| !m.migration_type.is_down_migration())
            .count();
        let mut conn = self.pool.acquire().await?;
        let applied = match sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM _sqlx_migrations")
            .fetch_one(&mut *conn)
            .await
        {
            Ok(count) => usize::try_from(count).unwrap_or(0),
            Err(Error::Database(_)) => 0, // the table itself is missing
            Err(e) => return Err(e),
        };
        Ok(known.saturating_sub(applied))
    }

    /// A connection for reading, or for a single statement that changes something.
    pub async fn read(&self) -> Result<PoolConnection<Any>, Error> {
        self.pool.acquire().await
    }

    /// A write transaction. Dropped without `commit`, it leaves nothing behind.
    pub async fn write(&self) -> Result<Tx, Error> {
        let tx = match self.kind {
            // A deferred transaction that turns into a writer fails at once when another one writes; an immediate one waits.
            Kind::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await?,
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place that begins transactions"
            )]
            Kind::Postgres => self.pool.begin().await?,
        };
        Ok(Tx(tx))
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Waits until all connections are back and closed.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// An open write transaction; derefs to the connection.
pub struct Tx(Transaction<'static, Any>);

impl Tx {
    pub async fn commit(self) -> Result<(), Error> {
        self.0.commit().await
    }
}

impl Deref for Tx {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.0
    }
}
