//! What went wrong.

use super::{BASE, NOON, Set, way};
use crate::web::view::{
    Page,
    error::{ErrorKind, ErrorPage, Halt, Halted},
    lapsed::Lapsed,
};

impl Set {
    pub(super) fn errors(&self, add: &mut impl FnMut(&str, String)) {
        for kind in ErrorKind::ALL {
            let page = ErrorPage {
                frame: self.provider(),
                kind,
                code: "invalid_request".to_owned(),
                description: Some("redirect_uri is not registered for this client".to_owned()),
                reference: "7K2M-90QF".to_owned(),
                back: Some(way()),
            };
            add(&format!("ErrorPage.{kind:?}"), page.html());
        }
        let lapsed = Lapsed {
            frame: self.provider(),
            platform: "粤省事".to_owned(),
            at: NOON,
            code: "temporarily_unavailable".to_owned(),
            description: "the trust chain of https://yss.example.cn ended".to_owned(),
            reference: "7K2M-90QF".to_owned(),
        };
        add("Lapsed", lapsed.html());
        for (name, why) in [
            ("Closed", Halt::Closed),
            ("Locked", Halt::Locked),
            ("TooMany", Halt::TooMany { minutes: 15 }),
        ] {
            let page = Halted {
                frame: self.provider(),
                why,
                reference: "7K2M-90QF".to_owned(),
                back: Some(format!("{BASE}/login")),
            };
            add(&format!("Halted.{name}"), page.html());
        }
    }
}
