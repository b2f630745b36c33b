//! Joining an authority, as its guests see it.

use super::{HOSTILE, NOON, Set};
use crate::federation::joining::{Finding, Kind, State, Wish};
use crate::web::view::{
    Page, Place,
    joining::{Join, JoinState},
};

impl Set {
    pub(super) fn joining(&self) -> Vec<(String, String)> {
        let all = |refuses: bool| {
            Kind::ALL
                .into_iter()
                .filter(move |kind| kind.refuses() == refuses)
        };
        let finding = |kind| Finding::new(kind, HOSTILE);
        let mut pages = Vec::new();
        for findings in [Vec::new(), Kind::ALL.into_iter().map(finding).collect()] {
            let page = Join {
                frame: self.frame(Place::Authority, "national"),
                name: "广东省".to_owned(),
                superior: "http://gd.localhost:8000".to_owned(),
                entity_id: HOSTILE.to_owned(),
                findings,
            };
            pages.push((format!("Join.{}", page.findings.len()), page.html()));
        }
        for state in State::ALL {
            for wish in [Wish::Join, Wish::Keys] {
                let decided = state != State::Filed;
                let page = JoinState {
                    frame: self.frame(Place::Authority, "national"),
                    name: "广东省".to_owned(),
                    entity_id: "http://x.localhost:8000".to_owned(),
                    address: "http://gd.localhost:8000/federation/join/4fJx".to_owned(),
                    wish,
                    state,
                    filed_at: NOON,
                    decided_at: decided.then_some(NOON),
                    reason: decided.then(|| HOSTILE.to_owned()),
                    notes: all(false).map(finding).collect(),
                };
                let name = format!("JoinState.{}.{}", state.as_str(), wish.as_str());
                pages.push((name, page.html()));
            }
        }
        pages
    }
}
