//! Every page with invented people, for the tests and for looking at: `cargo test --lib view` writes them to `target/pages/`.

mod account;
mod consent;
mod demo;
mod device;
mod entry;
mod error;
mod joining;
mod leave;
mod login;
mod map;
mod portal;

use super::{
    Asking, Claimed, Frame, Hop, Language, Page, Place, Problem, Vouched, Way,
    login::{PasskeyDoor, Purpose},
};
use crate::{brand::Brand, clock::UnixTime};

const NOON: UnixTime = UnixTime(1_795_413_900); // 2026-11-23 14:05 in Beijing
const BASE: &str = "/interaction/4fJx";

/// Name (of the struct, then a dot and a variant) and document.
pub fn all(language: Language, elder: bool) -> Vec<(String, String)> {
    let f = Set { language, elder };
    let mut out: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, html: String| out.push((name.to_owned(), html));
    add("Login", Set::login(f.provider(), Some(guangdong())).html());
    add("Login.account", Set::login(f.provider(), None).html());
    add(
        "Login.village",
        Set::login(f.provider(), Some(village())).html(),
    );
    add(
        "Login.stranger",
        Set::login(f.provider(), Some(stranger())).html(),
    );
    let refused = f.provider().with_problem(Problem::LoginRefused);
    add(
        "Login.refused",
        Set::login(refused, Some(guangdong())).html(),
    );
    for (name, purpose) in [
        ("Login", Purpose::Login),
        ("Create", Purpose::Create),
        ("Recover", Purpose::Recover),
        ("ChangePhone", Purpose::ChangePhone),
    ] {
        add(
            &format!("AskPhone.{name}"),
            Set::ask_phone(f.provider(), purpose).html(),
        );
    }
    add(
        "AskPhone.problem",
        Set::ask_phone(
            f.provider().with_problem(Problem::PhoneInvalid),
            Purpose::Create,
        )
        .html(),
    );
    add("EnterCode", Set::enter_code(f.provider()).html());
    add(
        "EnterCode.wrong",
        Set::enter_code(f.provider().with_problem(Problem::CodeWrong)).html(),
    );
    f.entries(&mut add);
    f.consents(&mut add);
    f.devices(&mut add);
    f.leaving(&mut add);
    f.errors(&mut add);
    f.centre(&mut add);
    f.portals(&mut add);
    f.stand_ins(&mut add);
    f.maps(&mut add);
    super::admin::samples::add(&f, &mut add);
    out
}

/// A name that tries everything: markup, direction, characters beyond the first plane.
pub const HOSTILE: &str = "<script>alert(1)</script>\u{202E}𠮷\"'&\u{2069}</title>";

pub struct Set {
    pub language: Language,
    pub elder: bool,
}

impl Set {
    pub fn frame(&self, place: Place, brand: &str) -> Frame {
        let mut frame = Frame::new(place, Brand::by_slug(brand).expect("a brand of the table"));
        frame.language = self.language;
        frame.elder = self.elder;
        "c5rf".clone_into(&mut frame.csrf);
        "/interaction/4fJx/login?a=1&b=2".clone_into(&mut frame.here);
        frame
    }

    pub fn provider(&self) -> Frame {
        self.frame(Place::Provider, "national")
    }
}

fn door() -> PasskeyDoor {
    PasskeyDoor {
        options_url: format!("{BASE}/passkey/options"),
        finish_url: format!("{BASE}/passkey/finish"),
        conditional: true,
    }
}

fn way() -> Way {
    Way {
        name: "粤省事".to_owned(),
        url: "http://yueshengshi.localhost:8000/".to_owned(),
    }
}

fn hop(name: &str, entity_id: &str, vouched: bool) -> Hop {
    Hop {
        name: name.to_owned(),
        entity_id: entity_id.to_owned(),
        vouched_until: vouched.then_some(NOON),
    }
}

pub fn guangdong() -> Asking {
    Asking {
        name: Some("粤省事".to_owned()),
        host: "yueshengshi.localhost:8000".to_owned(),
        vouched: Vouched::Chain {
            region: "广东省".to_owned(),
        },
        chain: vec![
            hop("粤省事", "http://yueshengshi.localhost:8000", true),
            hop("广东省", "http://gd.localhost:8000", true),
            hop("国家平台", "http://anchor.localhost:8000", false),
        ],
        policy_uri: Some("http://yueshengshi.localhost:8000/privacy".to_owned()),
        tos_uri: None,
        claimed: None,
    }
}

fn village() -> Asking {
    Asking {
        name: Some("示范村便民".to_owned()),
        host: "shifancun.localhost:8000".to_owned(),
        vouched: Vouched::Chain {
            region: "重庆市 · 示范区 · 示范县 · 示范镇".to_owned(),
        },
        chain: vec![
            hop("示范村便民", "http://shifancun.localhost:8000", true),
            hop("示范镇", "http://shifanzhen.localhost:8000", true),
            hop("示范县", "http://shifanxian.localhost:8000", true),
            hop("示范区", "http://shifanqu.localhost:8000", true),
            hop("重庆市", "http://cq.localhost:8000", true),
            hop("国家平台", "http://anchor.localhost:8000", false),
        ],
        policy_uri: None,
        tos_uri: None,
        claimed: None,
    }
}

/// Nobody vouches: what it calls itself is its own word, told apart.
pub fn stranger() -> Asking {
    Asking {
        name: Some("粤省事".to_owned()),
        host: "login.example.net".to_owned(),
        vouched: Vouched::No,
        chain: Vec::new(),
        policy_uri: None,
        tos_uri: None,
        claimed: Some(Claimed {
            name: Some("粤省事".to_owned()),
            policy_uri: Some("https://login.example.net/privacy".to_owned()),
            tos_uri: None,
        }),
    }
}
