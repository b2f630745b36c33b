//! The console's pages with invented people.

use super::super::samples::Set;
use super::super::{Frame, Page, Place, Problem};
use super::{
    Attention, Confirm, Desk, Done, Enrol, Home, Invited, Join, Line, Pages, Refused,
    ShowSubordinate, SignIn, Subordinates, Typed, Why,
};
use crate::clock::UnixTime;
use crate::config;
use crate::operator::role::{OperatorRole, Room};
use crate::web::view::login::PasskeyDoor;

const NOON: UnixTime = UnixTime(1_795_413_900);
const PORTAL: &str = "https://portal.example.cn";
const POLICY: &str =
    "{\n  \"openid_relying_party\": {\n    \"scope\": {\"subset_of\": [\"openid\"]}\n  }\n}";

/// Adds every page of the console.
pub fn add(set: &Set, add: &mut impl FnMut(&str, String)) {
    let frame = || set.frame(Place::Console, "national");
    let entity = || "https://anchor.example.cn".to_owned();
    add(
        "ConsoleSignIn",
        SignIn {
            frame: frame(),
            entity: entity(),
            door: door(),
        }
        .html(),
    );
    let invited = Invited {
        name: "测试庚".to_owned(),
        roles: "federation_officer security_officer".parse().unwrap(),
        by: "operator".to_owned(),
        until: NOON,
        door: door(),
    };
    for (name, invited) in [("ConsoleJoin", Some(invited)), ("ConsoleJoin.over", None)] {
        let join = Join {
            frame: frame(),
            entity: entity(),
            invited,
        };
        add(name, join.html());
    }
    for (name, attention) in [
        ("ConsoleHome", vec![Attention::Subordinates(12)]),
        ("ConsoleHome.quiet", Vec::new()),
    ] {
        let home = Home {
            frame: frame(),
            desk: desk(None),
            entity: entity(),
            role: config::Role::Anchor,
            since: NOON,
            attention,
        };
        add(name, home.html());
    }
    federation(&frame, add);
    acts(&frame, add);
}

fn federation(frame: &impl Fn() -> Frame, add: &mut impl FnMut(&str, String)) {
    let line = |name: Option<&str>, intermediate| Line {
        name: name.map(str::to_owned),
        entity_id: PORTAL.to_owned(),
        is_intermediate: intermediate,
    };
    add(
        "ConsoleSubordinates",
        Subordinates {
            frame: frame(),
            desk: desk(Some(Room::Subordinates)),
            searched: "粤".to_owned(),
            total: 120,
            lines: vec![line(Some("粤省事"), false), line(None, true)],
            pages: Pages::of(2, 120, 50),
        }
        .html(),
    );
    let subordinate = |frame, may_change, policy: &str| ShowSubordinate {
        frame,
        desk: desk(Some(Room::Subordinates)),
        may_change,
        entity_id: PORTAL.to_owned(),
        types: vec!["openid_relying_party".to_owned()],
        intermediate: false,
        added_at: NOON,
        updated_at: NOON,
        policy: policy.to_owned(),
        statement: "{\n  \"iss\": \"https://anchor.example.cn\"\n}".to_owned(),
    };
    add(
        "ConsoleSubordinate",
        subordinate(frame(), true, POLICY).html(),
    );
    let wrong = frame().with_problem(Problem::PolicyInvalid);
    add(
        "ConsoleSubordinate.wrong",
        subordinate(wrong, true, "{").html(),
    );
    add(
        "ConsoleSubordinate.read",
        subordinate(frame(), false, POLICY).html(),
    );
    add(
        "ConsoleSubordinate.none",
        subordinate(frame(), false, "").html(),
    );
    for (name, frame) in [
        ("ConsoleEnrol", frame()),
        (
            "ConsoleEnrol.wrong",
            frame().with_problem(Problem::KeysInvalid),
        ),
    ] {
        let enrol = Enrol {
            frame,
            desk: desk(Some(Room::Subordinates)),
            typed: Typed::default(),
        };
        add(name, enrol.html());
    }
}

fn acts(frame: &impl Fn() -> Frame, add: &mut impl FnMut(&str, String)) {
    let drop = serde_json::json!({"act": "drop", "entity_id": PORTAL});
    let set = serde_json::json!({"act": "set_client", "client_id": "cl_1", "metadata": {}});
    for (name, act, before) in [
        ("ConsoleConfirm", drop, Some(POLICY.to_owned())),
        ("ConsoleConfirm.plain", set, None),
    ] {
        let confirm = Confirm {
            frame: frame(),
            desk: desk(Some(Room::Subordinates)),
            act: serde_json::from_value(act).unwrap(),
            sealed: "c2VhbGVk".to_owned(),
            before,
            grants_ended: 0,
            statement_lifetime: 600,
            back: "/subordinates".to_owned(),
        };
        add(name, confirm.html());
    }
    add(
        "ConsoleDone",
        Done {
            frame: frame(),
            desk: desk(Some(Room::Clients)),
            secret: "c2VjcmV0".to_owned(),
            back: "/clients".to_owned(),
        }
        .html(),
    );
    for (name, why) in [
        ("ConsoleRefused", Why::Role(OperatorRole::FederationOfficer)),
        ("ConsoleRefused.room", Why::Room(Room::Clients)),
        ("ConsoleRefused.terminal", Why::Terminal),
        (
            "ConsoleRefused.reason",
            Why::Reason("metadata_policy: odd".to_owned()),
        ),
    ] {
        let refused = Refused {
            frame: frame(),
            desk: desk(None),
            why,
        };
        add(name, refused.html());
    }
}

fn desk(here: Option<Room>) -> Desk {
    Desk {
        name: "测试庚".to_owned(),
        roles: "auditor".parse().unwrap(),
        rooms: Room::ALL.to_vec(),
        here,
    }
}

fn door() -> PasskeyDoor {
    PasskeyDoor {
        options_url: "/options".to_owned(),
        finish_url: "/finish".to_owned(),
        conditional: false,
    }
}
