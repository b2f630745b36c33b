//! `GET /federation/map` of an authority: who stands below whom, how each is trusted, and why; for people. `at` is the entity that
//! is looked at, `q` part of a name or an identifier, `page` which of the rows. Reads what is known; asks nobody (§18.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use url::form_urlencoded;

use super::home::AuthorityHouse;
use super::query::Query;
use crate::federation::Authority;
use crate::federation::authority::hops::Link;
use crate::federation::authority::map::{Map, PAGE, Place};
use crate::oauth::{Error, ErrorCode};
use crate::web::error::{Fault, error_page, reference};
use crate::web::page::page;
use crate::web::view::error::ErrorKind;
use crate::web::view::map::{FederationMap, Rest, Search, Spot, Word};
use crate::web::view::{Frame, Language, Way};

#[derive(Debug, Clone)]
struct MapHouse {
    front: AuthorityHouse,
    authority: Arc<Authority>,
}

pub fn routes(front: AuthorityHouse, authority: Arc<Authority>) -> Router {
    Router::new()
        .route("/federation/map", get(show))
        .with_state(MapHouse { front, authority })
}

async fn show(
    State(house): State<MapHouse>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Response {
    let mut frame = house.front.frame(&headers);
    let base = format!("{}/federation/map", frame.root);
    let raw = raw.unwrap_or_default();
    frame.here = match raw.as_str() {
        "" => base.clone(),
        query => format!("{base}?{query}"),
    };
    let refused = |frame: Frame, kind: ErrorKind, error: &Error| {
        let reference = reference(&house.front.house, &headers);
        let back = Way {
            name: frame.brand_name(),
            url: base.clone(),
        };
        error_page(frame, kind, error, reference, Some(back))
    };
    let asked = match Asked::read(raw.as_bytes()) {
        Ok(asked) => asked,
        Err(error) => return refused(frame, ErrorKind::BadRequest, &error),
    };
    let now = house.front.house.now();
    let (at, search) = (asked.at.as_deref(), asked.search.as_deref());
    match house.authority.map(at, search, asked.page, now).await {
        Ok(Some(map)) => page(StatusCode::OK, &Drawn { base, map }.page(frame)),
        Ok(None) => {
            let error = Error::new(ErrorCode::NotFound, "this entity is not on the map");
            refused(frame, ErrorKind::NotFound, &error)
        }
        Err(error) => {
            let reference = reference(&house.front.house, &headers);
            Fault::from(error).log(&reference);
            error_page(frame, ErrorKind::Internal, &Fault::told(), reference, None)
        }
    }
}

struct Asked {
    at: Option<String>,
    search: Option<String>,
    page: i64,
}

impl Asked {
    fn read(query: &[u8]) -> Result<Self, Error> {
        let query = Query::parse(query)?;
        Ok(Self {
            at: query.single("at")?.map(str::to_owned),
            search: query.single("q")?.map(str::to_owned),
            page: query.number("page")?.unwrap_or(1),
        })
    }
}

/// A map that becomes a page.
struct Drawn {
    /// The address of the map.
    base: String,
    map: Map,
}

impl Drawn {
    fn page(self, frame: Frame) -> FederationMap {
        let map = &self.map;
        // The first of the path is the authority itself; nobody asserts its name here.
        let mut trunk: Vec<Spot> = map
            .path
            .iter()
            .chain([&map.focus])
            .map(|place| self.spot(place, frame.language))
            .collect();
        if let Some(own) = trunk.first_mut() {
            own.name = Some(frame.brand_name());
            own.url.clone_from(&self.base);
        }
        let at = (!map.path.is_empty()).then(|| map.focus.entity_id.to_string());
        let window = map.window;
        let more = map
            .found
            .as_ref()
            .map_or(window.page < window.pages, |found| found.more);
        let to = |page: i64| self.to_page(at.as_deref(), page);
        FederationMap {
            rows: map
                .below
                .iter()
                .map(|place| self.spot(place, frame.language))
                .collect(),
            authorities: map.authorities,
            leaves: map.leaves,
            total: map.total,
            page: window.page,
            pages: window.pages,
            previous: (window.page > 1).then(|| to(window.page - 1)),
            next: more.then(|| to(window.page + 1)),
            rest: self.rest(&to),
            search: map.found.as_ref().map(|found| Search {
                query: found.query.clone(),
                more: found.more,
            }),
            chain: map
                .chain
                .as_ref()
                .map(|chain| words(chain, &trunk, frame.language)),
            trunk,
            at,
            frame,
        }
    }

    fn spot(&self, place: &Place, language: Language) -> Spot {
        let english = place
            .name_en
            .as_ref()
            .filter(|_| language == Language::English);
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("at", place.entity_id.as_str())
            .finish();
        Spot {
            name: english.or(place.name.as_ref()).cloned(),
            entity_id: place.entity_id.to_string(),
            url: format!("{}?{query}", self.base),
            kind: place.kind,
            condition: place.condition.clone(),
            marks: place.marks.clone(),
            members: place.members,
            seen_at: place.seen_at,
        }
    }

    fn to_page(&self, at: Option<&str>, page: i64) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(at) = at {
            query.append_pair("at", at);
        }
        if let Some(found) = &self.map.found {
            query.append_pair("q", &found.query);
        }
        if page > 1 {
            query.append_pair("page", &page.to_string());
        }
        match query.finish().as_str() {
            "" => self.base.clone(),
            query => format!("{}?{query}", self.base),
        }
    }

    /// What does not stand on this page, as counted rows.
    fn rest(&self, to: &dyn Fn(i64) -> String) -> Vec<Rest> {
        let (map, window) = (&self.map, self.map.window);
        if map.found.is_some() {
            return Vec::new();
        }
        let shown = window.offset + i64::try_from(map.below.len()).unwrap_or(PAGE);
        let (listed, leaves) = match window.leaves_at {
            Some(page) => (map.authorities, Some((map.leaves, page))),
            None => (map.authorities + map.leaves, None),
        };
        let following = Rest {
            count: listed - shown,
            leaves: false,
            url: to(window.page + 1),
        };
        let leaves = leaves.map(|(count, page)| Rest {
            count,
            leaves: true,
            url: to(page),
        });
        [Some(following), leaves]
            .into_iter()
            .flatten()
            .filter(|rest| rest.count > 0)
            .collect()
    }
}

fn words(chain: &[Link], trunk: &[Spot], language: Language) -> Vec<Word> {
    let languages: &[&str] = match language {
        Language::Chinese => &["zh-CN", "zh"],
        Language::English => &["en"],
    };
    let mut names: BTreeMap<&str, String> = trunk
        .iter()
        .filter_map(|spot| Some((spot.entity_id.as_str(), spot.name.clone()?)))
        .collect();
    for link in chain {
        if let Some(name) = &link.name {
            names.insert(link.sub.as_str(), name.best(languages).to_owned());
        }
    }
    let called = |id: &str| names.get(id).cloned().unwrap_or_else(|| id.to_owned());
    chain
        .iter()
        .map(|link| Word {
            iss: called(link.iss.as_str()),
            sub: called(link.sub.as_str()),
            sub_id: link.sub.to_string(),
            until: link.until,
            alg: link.alg,
            checks: link.checks,
            said: link.said.clone(),
        })
        .collect()
}
