//! The marks that this entity was given (OpenID Federation 1.0 §8.6): fetched from their issuers, kept, and fetched again after
//! half of their life. What is kept is shown in the entity configuration; what a mark is worth is for its readers to judge.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::Row as _;

use super::{NotCounted, TYP, not_counted, read, times};
use crate::clock::UnixTime;
use crate::config::federation::Granted;
use crate::federation::entity::EntityId;
use crate::federation::resolve::{Document, Resolver};
use crate::jose::jwt;
use crate::store::{Conn, Error, Store};

/// Seconds after which a mark without `exp` is fetched anew, and between two tries for one that does not come.
const DAY: i64 = 86_400;

/// A mark that we hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldMark {
    pub trust_mark_type: String,
    pub issuer: String,
    pub trust_mark: String,
    pub issued_at: UnixTime,
    pub expires_at: Option<UnixTime>,
    pub renew_at: UnixTime,
}

impl HeldMark {
    /// Those that have not expired, by type and issuer.
    pub async fn all(conn: &mut Conn, now: UnixTime) -> Result<Vec<Self>, Error> {
        let rows = sqlx::query(
            "SELECT trust_mark_type, issuer, trust_mark, issued_at, expires_at, renew_at FROM held_trust_marks \
             WHERE expires_at IS NULL OR expires_at > $1",
        )
        .bind(now)
        .fetch_all(conn)
        .await?;
        let read = |row: &sqlx::any::AnyRow| {
            Ok(Self {
                trust_mark_type: row.try_get("trust_mark_type")?,
                issuer: row.try_get("issuer")?,
                trust_mark: row.try_get("trust_mark")?,
                issued_at: row.try_get("issued_at")?,
                expires_at: row.try_get("expires_at")?,
                renew_at: row.try_get("renew_at")?,
            })
        };
        let mut marks: Vec<Self> = rows.iter().map(read).collect::<Result<_, Error>>()?;
        marks.sort_by(|a, b| (&a.trust_mark_type, &a.issuer).cmp(&(&b.trust_mark_type, &b.issuer)));
        Ok(marks)
    }

    pub async fn store(&self, conn: &mut Conn) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO held_trust_marks (trust_mark_type, issuer, trust_mark, issued_at, expires_at, renew_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (trust_mark_type, issuer) DO UPDATE SET \
             trust_mark = excluded.trust_mark, issued_at = excluded.issued_at, expires_at = excluded.expires_at, \
             renew_at = excluded.renew_at",
        )
        .bind(&self.trust_mark_type)
        .bind(&self.issuer)
        .bind(&self.trust_mark)
        .bind(self.issued_at)
        .bind(self.expires_at)
        .bind(self.renew_at)
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// Which marks an entity has been granted, and where they are kept.
#[derive(Debug)]
pub struct Holder {
    pub id: EntityId,
    pub granted: Vec<Granted>,
    pub store: Store,
    pub resolver: Arc<Resolver>,
}

impl Holder {
    /// The marks to show now: granted, kept, not expired.
    pub async fn shown(&self, now: UnixTime) -> Result<Vec<HeldMark>, Error> {
        let mut marks = HeldMark::all(&mut *self.store.read().await?, now).await?;
        marks.retain(|mark| self.granted.iter().any(|granted| is_of(mark, granted)));
        Ok(marks)
    }

    /// The grants whose mark is missing or due.
    pub async fn due(&self, now: UnixTime) -> Result<Vec<Granted>, Error> {
        let held = self.shown(now).await?;
        let fresh = |granted: &&Granted| {
            !held
                .iter()
                .any(|mark| is_of(mark, granted) && now < mark.renew_at)
        };
        let mut seen = HashSet::new();
        let due = self.granted.iter().filter(fresh);
        Ok(due
            .filter(|granted| seen.insert((&granted.trust_mark_type, &granted.issuer)))
            .cloned()
            .collect())
    }

    /// Fetches one mark and checks that it is what was asked for. An error is unsigned: it takes no mark away (§18.2).
    pub async fn fetch(&self, granted: &Granted, now: UnixTime) -> Result<HeldMark, NotCounted> {
        let rules = self.resolver.rules();
        let issuer = EntityId::parse(&granted.issuer, rules.schemes).map_err(not_counted)?;
        let chain = self.resolver.resolve(&issuer, None, now);
        let chain = chain.await.map_err(not_counted)?;
        let endpoint = chain
            .subject_configuration()
            .federation_entity("federation_trust_mark_endpoint")
            .ok_or_else(|| NotCounted("its issuer has no trust mark endpoint".into()))?;
        let document = Document::TrustMark {
            endpoint: endpoint.to_owned(),
            trust_mark_type: granted.trust_mark_type.clone(),
            subject: self.id.clone(),
        };
        let token = self.resolver.fetcher().fetch(&document).await;
        let token = token.map_err(not_counted)?;
        let token = token.trim_ascii();
        let (claims, jws) = read(token, TYP, rules)?;
        for (name, expected) in [
            ("iss", issuer.as_str()),
            ("sub", self.id.as_str()),
            ("trust_mark_type", granted.trust_mark_type.as_str()),
        ] {
            if jwt::text(&claims, name).map_err(not_counted)? != expected {
                return Err(NotCounted(format!("its {name} is another")));
            }
        }
        let (issued_at, expires_at) = times(&claims, rules, now)?;
        super::check_signature(&jws, chain.keys())?;
        let life = expires_at.map_or(DAY, |exp| exp.since(now) / 2);
        Ok(HeldMark {
            trust_mark_type: granted.trust_mark_type.clone(),
            issuer: granted.issuer.clone(),
            trust_mark: token.to_owned(),
            issued_at,
            expires_at,
            renew_at: now.plus(life.clamp(1, DAY)),
        })
    }
}

fn is_of(mark: &HeldMark, granted: &Granted) -> bool {
    mark.trust_mark_type == granted.trust_mark_type && mark.issuer == granted.issuer
}
