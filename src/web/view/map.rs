//! The federation map: who stands below whom, as a tree that is drawn here and as a table that says the same. How the tree is drawn
//! is `drawing`'s knowledge.

use askama::Template;

use super::drawing::{Drawing, More, Node};
use super::frame::Frame;
use super::language::{Message, quiet};
use crate::clock::UnixTime;
use crate::federation::authority::hops::Said;
use crate::federation::authority::map::{Condition, Kind};

/// `/federation/map` of an authority
#[derive(Debug, Template)]
#[template(path = "federation_map.html")]
pub struct FederationMap {
    pub frame: Frame,
    /// Identifier of the entity that the map is drawn around; none when it is the authority itself.
    pub at: Option<String>,
    /// From the authority to the entity that is looked at.
    pub trunk: Vec<Spot>,
    /// Those immediately below it, or those that were found.
    pub rows: Vec<Spot>,
    /// Immediately below it: authorities, others; and everybody below the authority.
    pub authorities: i64,
    pub leaves: i64,
    pub total: i64,
    pub page: i64,
    pub pages: i64,
    pub previous: Option<String>,
    pub next: Option<String>,
    /// Rows that are not drawn.
    pub rest: Vec<Rest>,
    pub search: Option<Search>,
    /// From the entity up to the anchor; none when no chain is remembered.
    pub chain: Option<Vec<Word>>,
}

/// An entity in the tree and in the table.
#[derive(Clone, Debug)]
pub struct Spot {
    /// As it is vouched for.
    pub name: Option<String>,
    pub entity_id: String,
    /// Its own place on this map.
    pub url: String,
    pub kind: Kind,
    pub condition: Condition,
    pub marks: Vec<String>,
    pub members: i64,
    pub seen_at: Option<UnixTime>,
}

/// Counted instead of drawn.
#[derive(Clone, Debug)]
pub struct Rest {
    pub count: i64,
    /// Leaves that stand on pages of their own; otherwise simply what comes next.
    pub leaves: bool,
    pub url: String,
}

#[derive(Clone, Debug)]
pub struct Search {
    pub query: String,
    pub more: bool,
}

/// One statement of the chain: who says what about whom.
#[derive(Clone, Debug)]
pub struct Word {
    /// Names as vouched for; identifiers without.
    pub iss: String,
    pub sub: String,
    pub sub_id: String,
    pub until: UnixTime,
    pub alg: &'static str,
    pub checks: usize,
    pub said: Said,
}

impl FederationMap {
    pub fn heading(&self) -> Message {
        Message::new("map-heading")
    }

    fn focus(&self) -> Option<&Spot> {
        self.trunk.last()
    }

    fn query(&self) -> &str {
        self.search.as_ref().map_or("", |search| &search.query)
    }

    fn drawing(&self) -> Drawing {
        let node = |spot: &Spot| {
            let far = self.told(spot);
            Node {
                name: spot.shown(),
                url: spot.url.clone(),
                condition: spot.condition_code(),
                kind: self.frame.plain(spot.kind()),
                state: self.frame.plain(spot.condition()),
                far,
            }
        };
        let trunk: Vec<Node> = if self.search.is_some() {
            Vec::new()
        } else {
            self.trunk.iter().map(node).collect()
        };
        let more = self.rest.iter().map(|rest| More {
            text: self.rest_text(rest),
            url: rest.url.clone(),
        });
        Drawing::of(trunk, self.rows.iter().map(node).collect(), more.collect())
    }

    /// What a wide screen also shows in the second line of a row.
    fn told(&self, spot: &Spot) -> String {
        let frame = &self.frame;
        let mut far = String::new();
        let mut add = |text: String| {
            far.push_str(" · ");
            far.push_str(&text);
        };
        if let Condition::Good { expires_at } = spot.condition {
            add(frame.plain1("map-until", "until", frame.moment(expires_at)));
        }
        if !spot.marks.is_empty() {
            add(frame.plain1("map-marks-count", "count", spot.marks.len()));
        }
        if spot.members > 0 {
            add(frame.plain1("map-members", "count", spot.members));
        }
        far
    }

    fn rest_text(&self, rest: &Rest) -> String {
        if rest.leaves {
            self.frame.plain1("map-rest-leaves", "count", rest.count)
        } else {
            self.frame.plain1("map-rest", "count", rest.count)
        }
    }

    /// Path and focus, then the rows: as the table lists them.
    fn everybody(&self) -> impl Iterator<Item = &Spot> {
        let trunk: &[Spot] = if self.search.is_some() {
            &[]
        } else {
            &self.trunk
        };
        trunk.iter().chain(&self.rows)
    }

    fn sentence(&self, word: &Word) -> Message {
        let until = self.frame.moment(word.until);
        match &word.said {
            Said::Itself { .. } => Message::new("map-chain-itself").with("sub", &word.sub),
            Said::Anchor => Message::new("map-chain-anchor").with("sub", &word.sub),
            Said::Vouches { .. } => Message::new("map-chain-vouches")
                .with("iss", &word.iss)
                .with("sub", &word.sub),
        }
        .with("until", until)
        .with("alg", word.alg)
        .with("count", word.checks)
    }
}

impl Spot {
    /// The vouched name; without one, the identifier as far as it tells entities apart.
    pub fn shown(&self) -> String {
        let id = || {
            let rest = self.entity_id.split_once("://").map(|(_, rest)| rest);
            rest.unwrap_or(&self.entity_id).to_owned()
        };
        quiet(&self.name.clone().unwrap_or_else(id))
    }

    fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Anchor => "role-anchor",
            Kind::Intermediate => "role-intermediate",
            Kind::Provider => "map-kind-provider",
            Kind::Portal => "role-portal",
            Kind::Other => "map-kind-other",
        }
    }

    fn condition(&self) -> &'static str {
        match self.condition {
            Condition::Root => "map-state-root",
            Condition::Good { .. } => "map-state-good",
            Condition::Stale { .. } => "map-state-stale",
            Condition::Bad { .. } => "map-state-bad",
            Condition::Unseen => "map-state-unseen",
        }
    }

    fn condition_code(&self) -> &'static str {
        match self.condition {
            Condition::Root => "root",
            Condition::Good { .. } => "good",
            Condition::Stale { .. } => "stale",
            Condition::Bad { .. } => "bad",
            Condition::Unseen => "unseen",
        }
    }

    /// Why there is no chain, or none that still holds.
    fn reason(&self) -> Option<Message> {
        match &self.condition {
            Condition::Bad { fault } => Some(match fault.as_str() {
                "subject" => Message::new("map-fault-subject"),
                "no_anchor" => Message::new("map-fault-no-anchor"),
                "exhausted" => Message::new("map-fault-exhausted"),
                check => Message::new("map-fault-check").with("check", check),
            }),
            Condition::Stale { .. } => Some(Message::new("map-fault-stale")),
            Condition::Unseen => Some(Message::new("map-fault-unseen")),
            Condition::Root | Condition::Good { .. } => None,
        }
    }

    fn until(&self) -> Option<&UnixTime> {
        match &self.condition {
            Condition::Good { expires_at } => Some(expires_at),
            Condition::Stale { expired_at } => Some(expired_at),
            _ => None,
        }
    }

    /// The last part of a mark's type is what people call it by.
    fn mark(kind: &str) -> &str {
        kind.trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or(kind)
    }
}
