//! The map of an authority: who stands below whom, how each is trusted and until when, for people. Read from the database and
//! from the chains in memory; nobody is asked for anything. Bounded however large the federation is: one page of rows, a path no
//! longer than walks go, and a fixed number of statements.

use std::sync::Arc;

use sqlx::Row as _;

use super::Authority;
use super::hops::{Link, links, vouched_name};
use super::subordinate::{asserted_name, read_id, read_json};
use super::subtree::MOST_LEVELS;
use crate::clock::UnixTime;
use crate::federation::chain::TrustChain;
use crate::federation::entity::{EntityId, OPENID_PROVIDER, OPENID_RELYING_PARTY, Schemes};
use crate::federation::registration::Localized;
use crate::store::{Conn, Error};

/// Rows on one page.
pub const PAGE: i64 = 50;
/// More leaves than these stand on pages of their own, behind one counted row.
pub const FOLDED_FROM: i64 = 30;
/// Characters of a search.
const LONGEST_SEARCH: usize = 100;

/// A part of the federation: one entity, the way to it, and one page of those below it or of those that were searched for.
#[derive(Debug, Clone)]
pub struct Map {
    /// From the authority down to the immediate superior of `focus`.
    pub path: Vec<Place>,
    pub focus: Place,
    pub below: Vec<Place>,
    pub window: Window,
    /// Immediately below `focus`: authorities, and others.
    pub authorities: i64,
    pub leaves: i64,
    /// Everybody below the authority, at any depth.
    pub total: i64,
    pub found: Option<Found>,
    /// The chain of `focus` that is in memory, from itself to the anchor.
    pub chain: Option<Vec<Link>>,
}

/// An entity on the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub entity_id: EntityId,
    /// As its superior vouches for it, in Chinese and in English.
    pub name: Option<String>,
    pub name_en: Option<String>,
    pub kind: Kind,
    pub condition: Condition,
    /// Types of the trust marks that counted.
    pub marks: Vec<String>,
    /// How many entities it lists itself.
    pub members: i64,
    /// When it was last looked up by the job that does so.
    pub seen_at: Option<UnixTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Anchor,
    Intermediate,
    Provider,
    Portal,
    Other,
}

/// How an entity is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It is the anchor.
    Root,
    Good {
        expires_at: UnixTime,
    },
    /// Its last known chain has ended, and it was not looked up since.
    Stale {
        expired_at: UnixTime,
    },
    /// There is no chain; why, as a code.
    Bad {
        fault: String,
    },
    /// It was not looked up yet.
    Unseen,
}

/// What a search found: one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub query: String,
    pub more: bool,
}

/// Which rows of those below an entity stand on a page. Authorities come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub page: i64,
    pub pages: i64,
    pub offset: i64,
    pub limit: i64,
    /// The page at which the leaves begin that are not shown on this one.
    pub leaves_at: Option<i64>,
}

impl Window {
    /// The page `page` as far as there is one; otherwise the nearest.
    pub fn of(authorities: i64, leaves: i64, page: i64) -> Self {
        let pages_of = |rows: i64| (rows + PAGE - 1) / PAGE;
        let apart = authorities > 0 && leaves > FOLDED_FROM;
        let first = if apart { pages_of(authorities) } else { 0 };
        let rest = if apart { leaves } else { authorities + leaves };
        let pages = (first + pages_of(rest)).max(1);
        let page = page.clamp(1, pages);
        if page <= first {
            let offset = (page - 1) * PAGE;
            return Self {
                page,
                pages,
                offset,
                limit: PAGE.min(authorities - offset),
                leaves_at: Some(first + 1),
            };
        }
        let skipped = if apart { authorities } else { 0 };
        Self {
            page,
            pages,
            offset: skipped + (page - first - 1) * PAGE,
            limit: PAGE,
            leaves_at: None,
        }
    }
}

impl Authority {
    /// The map around the entity `at` (this authority itself, unless said), or what `search` finds; none when nobody of that
    /// identifier is known here.
    pub async fn map(
        &self,
        at: Option<&str>,
        search: Option<&str>,
        page: i64,
        now: UnixTime,
    ) -> Result<Option<Map>, Error> {
        self.follow_own_keys();
        let own = &self.settings.id;
        let mut conn = self.store.read().await?;
        let total = total(&mut conn).await?;
        let (mut path, mut focus) = match at.filter(|at| *at != own.as_str()) {
            None => (Vec::new(), self.own_place()),
            Some(at) => {
                let Ok(at) = EntityId::parse(at, Schemes::HttpsOrLoopbackHttp) else {
                    return Ok(None);
                };
                let Some((focus, via)) = place(&mut conn, own, &at, now).await? else {
                    return Ok(None);
                };
                let mut path = way_to(&mut conn, own, &at, via, now).await?;
                path.push(self.own_place());
                path.reverse();
                (path, focus)
            }
        };
        let (authorities, leaves) = counts(&mut conn, own, &focus.entity_id).await?;
        focus.members = authorities + leaves;
        let search = search.map(str::trim).filter(|text| !text.is_empty());
        let (mut below, window, found) = if let Some(text) = search {
            let query: String = text.chars().take(LONGEST_SEARCH).collect();
            let page = page.clamp(1, total / PAGE + 1);
            let window = Window {
                page,
                pages: page,
                offset: (page - 1) * PAGE,
                // One more, to know whether there are more.
                limit: PAGE + 1,
                leaves_at: None,
            };
            let mut below = named(&mut conn, own, &query, window, now).await?;
            let more = below.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
            below.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
            (below, window, Some(Found { query, more }))
        } else {
            let window = Window::of(authorities, leaves, page);
            let below = children(&mut conn, own, &focus.entity_id, window, now).await?;
            (below, window, None)
        };
        drop(conn);
        for place in path.iter_mut().chain(&mut below) {
            self.remember(place, now).await;
        }
        let chain = self.remember(&mut focus, now).await;
        Ok(Some(Map {
            path,
            chain: chain.map(|chain| links(&chain)),
            focus,
            below,
            window,
            authorities,
            leaves,
            total,
            found,
        }))
    }

    fn own_place(&self) -> Place {
        Place {
            entity_id: self.settings.id.clone(),
            name: None,
            name_en: None,
            kind: if self.settings.is_anchor {
                Kind::Anchor
            } else {
                Kind::Intermediate
            },
            condition: if self.settings.is_anchor {
                Condition::Root
            } else {
                Condition::Unseen
            },
            marks: Vec::new(),
            members: 0,
            seen_at: None,
        }
    }

    /// A chain in memory knows better than the row, which is written less often.
    async fn remember(&self, place: &mut Place, now: UnixTime) -> Option<Arc<TrustChain>> {
        if place.condition == Condition::Root {
            return None;
        }
        for anchor in self.resolver.anchors().ids() {
            let id = &place.entity_id;
            if let Some(chain) = self.resolver.remembered_to(id, anchor, now).await {
                let expires_at = chain.expires_at();
                place.condition = Condition::Good { expires_at };
                if place.name.is_none()
                    && let Some(name) = vouched_name(chain.superior_statement())
                {
                    place.name_with(&name);
                }
                return Some(chain);
            }
        }
        None
    }
}

impl Place {
    fn name_with(&mut self, name: &Localized) {
        self.name = Some(name.best(&["zh-CN", "zh"]).to_owned());
        self.name_en = Some(name.best(&["en"]).to_owned());
    }
}

/// The superiors above `at` that are below `own`, the nearest first.
async fn way_to(
    conn: &mut Conn,
    own: &EntityId,
    at: &EntityId,
    mut via: EntityId,
    now: UnixTime,
) -> Result<Vec<Place>, Error> {
    let mut way: Vec<Place> = Vec::new();
    while via != *own && way.len() < MOST_LEVELS {
        // Two that list each other are no way up.
        let known = |id: &EntityId| id == at || way.iter().any(|place| place.entity_id == *id);
        if known(&via) {
            break;
        }
        let Some((place, next)) = place(conn, own, &via, now).await? else {
            break;
        };
        way.push(place);
        via = next;
    }
    Ok(way)
}

/// The entity `id` and who lists it: this authority itself, if it does, otherwise whoever did so first.
pub async fn place(
    conn: &mut Conn,
    own: &EntityId,
    id: &EntityId,
    now: UnixTime,
) -> Result<Option<(Place, EntityId)>, Error> {
    let sql = format!(
        "{KNOWN} {PLACES} WHERE k.entity_id = $2 ORDER BY CASE WHEN k.via = $1 THEN 0 ELSE 1 END, k.since, k.via LIMIT 1"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(own.as_str())
        .bind(id.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok((
            read_place(&row, now)?,
            read_id(&row.try_get::<String, _>("via")?)?,
        ))
    })
    .transpose()
}

/// Those that `superior` lists, authorities first, the longest known first among each: the rows of `window`.
pub async fn children(
    conn: &mut Conn,
    own: &EntityId,
    superior: &EntityId,
    window: Window,
    now: UnixTime,
) -> Result<Vec<Place>, Error> {
    let sql = format!(
        "{KNOWN} {PLACES} WHERE k.via = $2 ORDER BY {AUTHORITIES_FIRST}, k.since, k.entity_id LIMIT $3 OFFSET $4"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(own.as_str())
        .bind(superior.as_str())
        .bind(window.limit)
        .bind(window.offset)
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| read_place(row, now)).collect()
}

/// Those whose name or identifier holds `text`, in whatever case: the rows of `window`.
pub async fn named(
    conn: &mut Conn,
    own: &EntityId,
    text: &str,
    window: Window,
    now: UnixTime,
) -> Result<Vec<Place>, Error> {
    // An entity that several list is found once.
    let sql = format!(
        "{KNOWN} {PLACES} WHERE (s.folded LIKE $2 ESCAPE '!' OR LOWER(k.entity_id) LIKE $2 ESCAPE '!') AND NOT EXISTS \
         (SELECT 1 FROM subtree_members o WHERE o.entity_id = k.entity_id AND o.via < k.via) \
         ORDER BY {AUTHORITIES_FIRST}, k.entity_id LIMIT $3 OFFSET $4"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(own.as_str())
        .bind(pattern(text))
        .bind(window.limit)
        .bind(window.offset)
        .fetch_all(conn)
        .await?;
    let mut places: Vec<Place> = Vec::new();
    for row in &rows {
        let place = read_place(row, now)?;
        if !places
            .iter()
            .any(|known| known.entity_id == place.entity_id)
        {
            places.push(place);
        }
    }
    Ok(places)
}

/// How many authorities and how many others `superior` lists.
pub async fn counts(
    conn: &mut Conn,
    own: &EntityId,
    superior: &EntityId,
) -> Result<(i64, i64), Error> {
    let sql = format!(
        "{KNOWN} SELECT COUNT(*) AS everybody, COUNT(k.intermediate_since) AS authorities FROM known k WHERE k.via = $2"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(own.as_str())
        .bind(superior.as_str())
        .fetch_one(conn)
        .await?;
    let (everybody, authorities): (i64, i64) =
        (row.try_get("everybody")?, row.try_get("authorities")?);
    Ok((authorities, everybody - authorities))
}

/// Everybody below, each once.
pub async fn total(conn: &mut Conn) -> Result<i64, Error> {
    sqlx::query_scalar(
        "SELECT COUNT(*) FROM (SELECT entity_id FROM subordinates WHERE removed_at IS NULL \
         UNION SELECT entity_id FROM subtree_members) everybody",
    )
    .fetch_one(conn)
    .await
}

/// Everybody that is listed, by whom ($1 is this authority), and what we assert of our own subordinates.
const KNOWN: &str = "WITH known (entity_id, via, metadata, entity_types, intermediate_since, since) AS \
    (SELECT entity_id, $1, metadata, entity_types, intermediate_since, added_at FROM subordinates \
    WHERE removed_at IS NULL UNION ALL \
    SELECT entity_id, via, NULL, NULL, intermediate_since, found_at FROM subtree_members)";

const PLACES: &str = "SELECT k.entity_id, k.via, k.metadata, k.entity_types, k.intermediate_since, \
    s.name, s.name_en, s.types, s.expires_at, s.marks, s.fault, s.seen_at, \
    CASE WHEN k.intermediate_since IS NULL THEN 0 ELSE \
    (SELECT COUNT(*) FROM subtree_members m WHERE m.via = k.entity_id) END AS members \
    FROM known k LEFT JOIN subtree_states s ON s.entity_id = k.entity_id";

const AUTHORITIES_FIRST: &str = "CASE WHEN k.intermediate_since IS NULL THEN 1 ELSE 0 END";

fn read_place(row: &sqlx::any::AnyRow, now: UnixTime) -> Result<Place, Error> {
    let text = |name: &str| row.try_get::<Option<String>, _>(name);
    let time = |name: &str| {
        row.try_get::<Option<i64>, _>(name)
            .map(|time| time.map(UnixTime))
    };
    let own = text("entity_types")?.unwrap_or_default();
    let types = text("types")?.unwrap_or_default();
    let is_a = |wanted: &str| own.split(' ').chain(types.split(' ')).any(|t| t == wanted);
    let kind = if time("intermediate_since")?.is_some() {
        Kind::Intermediate
    } else if is_a(OPENID_PROVIDER) {
        Kind::Provider
    } else if is_a(OPENID_RELYING_PARTY) {
        Kind::Portal
    } else {
        Kind::Other
    };
    let (expires_at, fault, seen_at) = (time("expires_at")?, text("fault")?, time("seen_at")?);
    let condition = match (expires_at, fault) {
        (Some(expires_at), _) if now < expires_at => Condition::Good { expires_at },
        (Some(expired_at), _) => Condition::Stale { expired_at },
        (None, Some(fault)) => Condition::Bad { fault },
        (None, None) => Condition::Unseen,
    };
    let marks = text("marks")?.unwrap_or_default();
    let mut place = Place {
        entity_id: read_id(&row.try_get::<String, _>("entity_id")?)?,
        name: text("name")?,
        name_en: text("name_en")?,
        kind,
        condition,
        marks: marks.split_whitespace().map(str::to_owned).collect(),
        members: row.try_get("members")?,
        seen_at,
    };
    if place.name.is_none()
        && let Some(metadata) = text("metadata")?
        && let Some(name) = read_json(&metadata)?.as_object().and_then(asserted_name)
    {
        place.name_with(&name);
    }
    Ok(place)
}

/// What `LIKE … ESCAPE '!'` takes for text that holds `text`.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_come_first_and_many_leaves_stand_apart() {
        // authorities, leaves, page → page, pages, offset, limit, where the leaves begin
        for (asked, expected) in [
            ((0, 0, 1), (1, 1, 0, 50, None)),
            ((31, 30, 1), (1, 2, 0, 50, None)),
            ((31, 30, 2), (2, 2, 50, 50, None)),
            ((31, 31, 1), (1, 2, 0, 31, Some(2))),
            ((31, 31, 2), (2, 2, 31, 50, None)),
            ((60, 100, 1), (1, 4, 0, 50, Some(3))),
            ((60, 100, 2), (2, 4, 50, 10, Some(3))),
            ((60, 100, 3), (3, 4, 60, 50, None)),
            ((60, 100, 9), (4, 4, 110, 50, None)),
            ((60, 100, -9), (1, 4, 0, 50, Some(3))),
            ((0, 100, 1), (1, 2, 0, 50, None)),
        ] {
            let (authorities, leaves, page) = asked;
            let found = Window::of(authorities, leaves, page);
            let found = (
                found.page,
                found.pages,
                found.offset,
                found.limit,
                found.leaves_at,
            );
            assert_eq!(found, expected, "{asked:?}");
        }
    }

    #[test]
    fn a_search_means_what_it_says() {
        for (text, expected) in [("粤省事", "%粤省事%"), ("100%_A!", "%100!%!_a!!%")] {
            assert_eq!(pattern(text), expected);
        }
    }
}
