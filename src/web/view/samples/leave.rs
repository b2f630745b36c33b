//! Leaving.

use super::{Set, way};
use crate::web::view::{
    Page,
    leave::{By, Ended, LogoutConfirm, SignedOut, Told},
};

impl Set {
    pub(super) fn leaving(&self, add: &mut impl FnMut(&str, String)) {
        for asked_by in [None, Some("粤省事".to_owned())] {
            let name = if asked_by.is_some() {
                "LogoutConfirm.asked"
            } else {
                "LogoutConfirm"
            };
            let page = LogoutConfirm {
                frame: self.provider(),
                asked_by,
                platforms: vec!["粤省事".to_owned(), "苏服办".to_owned()],
            };
            add(name, page.html());
        }
        let ended = |(platform, state, by): (&str, Told, By)| Ended {
            platform: platform.to_owned(),
            state,
            by,
        };
        let platforms = [
            ("粤省事", Told::Ended, By::Us),
            ("苏服办", Told::Notifying, By::Both),
            ("渝快办", Told::Asked, By::Browser),
            ("示范村便民", Told::Failed, By::Nobody),
        ];
        let page = url::Url::parse("https://yukuaiban.example/out?iss=x&sid=y");
        add(
            "SignedOut",
            SignedOut {
                frame: self.provider(),
                platforms: platforms.map(ended).to_vec(),
                back: Some(way()),
                goes_on: false,
                frames: Vec::new(),
            }
            .html(),
        );
        add(
            "SignedOut.frames",
            SignedOut {
                frame: self.provider(),
                platforms: platforms.map(ended).to_vec(),
                back: Some(way()),
                goes_on: true,
                frames: page.into_iter().collect(),
            }
            .html(),
        );
        add(
            "SignedOut.alone",
            SignedOut {
                frame: self.provider(),
                platforms: Vec::new(),
                back: None,
                goes_on: false,
                frames: Vec::new(),
            }
            .html(),
        );
    }
}
