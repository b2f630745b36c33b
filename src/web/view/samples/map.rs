//! The federation map as `samples` shows it: a small federation, a large one, a search, an entity with its chain and one without.

use super::{HOSTILE, NOON, Set};
use crate::federation::EntityId;
use crate::federation::authority::hops::Said;
use crate::federation::authority::map::{Condition, Kind};
use crate::federation::entity::Schemes;
use crate::web::view::map::{FederationMap, Rest, Search, Spot, Word};
use crate::web::view::{Page, Place};

impl Set {
    pub fn maps(&self, add: &mut impl FnMut(&str, String)) {
        let provinces: Vec<Spot> = (0..31)
            .map(|n| Spot {
                members: n * 40,
                ..spot(
                    Some("广东省政务服务数据管理局"),
                    &format!("p{n}"),
                    Kind::Intermediate,
                    good(),
                )
            })
            .collect();
        let large = FederationMap {
            authorities: 31,
            leaves: 10_000,
            total: 10_072,
            pages: 201,
            next: Some("/federation/map?page=2".to_owned()),
            rest: vec![rest(3, false), rest(10_000, true)],
            ..self.map(vec![anchor()], provinces)
        };
        add("FederationMap", large.html());
        let marked = Spot {
            marks: vec![
                "https://federation.example.cn/trust-marks/real-name-full".to_owned(),
                "https://federation.example.cn/trust-marks/tested".to_owned(),
            ],
            ..spot(Some("粤省事"), "yueshengshi", Kind::Portal, good())
        };
        let bad = Condition::Bad {
            fault: "metadata_policy".to_owned(),
        };
        let stale = Condition::Stale { expired_at: NOON };
        let long = "重庆市渝北区人民政府行政服务管理办公室政务服务平台".repeat(2);
        let rows = vec![
            marked.clone(),
            spot(Some(&long), "yubei", Kind::Portal, bad.clone()),
            spot(Some(HOSTILE), "x", Kind::Other, stale),
            spot(None, "id", Kind::Provider, Condition::Unseen),
        ];
        let gd = spot(Some("广东省"), "gd", Kind::Intermediate, good());
        let small = FederationMap {
            at: Some(gd.entity_id.clone()),
            page: 2,
            pages: 2,
            previous: Some("/federation/map?at=x".to_owned()),
            ..self.map(vec![anchor(), gd.clone()], rows.clone())
        };
        add("FederationMap.small", small.html());
        let leaf = FederationMap {
            chain: Some(chain()),
            leaves: 0,
            ..self.map(vec![anchor(), gd, marked], Vec::new())
        };
        add("FederationMap.leaf", leaf.html());
        let broken = FederationMap {
            leaves: 0,
            ..self.map(
                vec![anchor(), spot(Some(&long), "yubei", Kind::Portal, bad)],
                Vec::new(),
            )
        };
        add("FederationMap.broken", broken.html());
        for (name, rows) in [("found", rows), ("found-none", Vec::new())] {
            let found = FederationMap {
                search: Some(Search {
                    query: HOSTILE.to_owned(),
                    more: false,
                }),
                ..self.map(vec![anchor()], rows)
            };
            add(&format!("FederationMap.{name}"), found.html());
        }
    }

    fn map(&self, trunk: Vec<Spot>, rows: Vec<Spot>) -> FederationMap {
        FederationMap {
            frame: self.frame(Place::Authority, "national"),
            at: None,
            trunk,
            authorities: 0,
            leaves: 4,
            total: 12,
            rows,
            page: 1,
            pages: 1,
            previous: None,
            next: None,
            rest: Vec::new(),
            search: None,
            chain: None,
        }
    }
}

fn good() -> Condition {
    Condition::Good { expires_at: NOON }
}

fn anchor() -> Spot {
    spot(Some("国家平台"), "anchor", Kind::Anchor, Condition::Root)
}

fn spot(name: Option<&str>, host: &str, kind: Kind, condition: Condition) -> Spot {
    let entity_id = format!("http://{host}.localhost:8000");
    Spot {
        name: name.map(str::to_owned),
        url: format!("/federation/map?at=http%3A%2F%2F{host}.localhost%3A8000"),
        entity_id,
        kind,
        condition,
        marks: Vec::new(),
        members: 0,
        seen_at: Some(NOON),
    }
}

fn rest(count: i64, leaves: bool) -> Rest {
    Rest {
        count,
        leaves,
        url: "/federation/map?page=2".to_owned(),
    }
}

fn chain() -> Vec<Word> {
    let word = |iss: &str, sub: &str, said| Word {
        iss: iss.to_owned(),
        sub: sub.to_owned(),
        sub_id: "http://yueshengshi.localhost:8000".to_owned(),
        until: NOON,
        alg: "ES256",
        checks: 17,
        said,
    };
    let superior = EntityId::parse("http://gd.localhost:8000", Schemes::HttpsOrLoopbackHttp);
    let vouches = Said::Vouches {
        max_path_length: Some(1),
        permitted: Some(vec![".gd.localhost".to_owned()]),
        excluded: vec!["old.gd.localhost".to_owned()],
        types: Some(vec!["openid_relying_party".to_owned()]),
        policies: vec![format!(
            "openid_relying_party scope subset_of [\"openid\", \"{HOSTILE}\"]"
        )],
    };
    let itself = Said::Itself {
        superiors: vec![superior.expect("an identifier")],
    };
    vec![
        word("粤省事", "粤省事", itself),
        word("广东省", "粤省事", vouches),
        word("国家平台", "国家平台", Said::Anchor),
    ]
}
