//! The console's pages with invented people.

use super::super::samples::Set;
use super::super::{Frame, Page, Place, Problem};
use super::{
    Attention, AuditLog, Chain, ChainState, Chains, ClientLine, Clients, Confirm, Desk, Done,
    Enrol, Home, Invited, Join, Line, Logouts, NewClient, Pages, Refused, ShowClient,
    ShowSubordinate, SignIn, Subordinates, Typed, Why,
};
use crate::audit::Written;
use crate::clock::UnixTime;
use crate::config;
use crate::id::ClientId;
use crate::operator::role::{OperatorRole, Room};
use crate::provider::told::{Channel, State, Told};
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
    provider(&frame, add);
    chains(&frame, add);
    audit(&frame, add);
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
            may_change: true,
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

fn provider(frame: &impl Fn() -> Frame, add: &mut impl FnMut(&str, String)) {
    let told = |state, channel| Told {
        client: ClientId("cl_1".to_owned()),
        platform: "粤省事".to_owned(),
        state,
        channel,
        ended_at: NOON,
        attempts: 1,
    };
    let latest = vec![
        told(State::Delivered, Channel::Back),
        told(State::Asked, Channel::Front),
        told(State::Waiting, Channel::Both),
        told(State::Failed, Channel::None),
    ];
    for (name, latest) in [
        ("ConsoleLogouts", latest),
        ("ConsoleLogouts.none", Vec::new()),
    ] {
        let logouts = Logouts {
            frame: frame(),
            desk: desk(Some(Room::Logouts)),
            latest,
        };
        add(name, logouts.html());
    }
    let line = |name: Option<&str>, by_itself| ClientLine {
        name: name.map(str::to_owned),
        client_id: "cl_1".to_owned(),
        by_itself,
        added_at: NOON,
    };
    add(
        "ConsoleClients",
        Clients {
            frame: frame(),
            desk: desk(Some(Room::Clients)),
            may_change: true,
            searched: String::new(),
            total: 2,
            lines: vec![line(Some("市民之家"), false), line(None, true)],
            pages: Pages::of(1, 2, 50),
        }
        .html(),
    );
    for (name, may_change, has_secret, secret_expires_at) in [
        ("ConsoleClient", true, true, None),
        ("ConsoleClient.read", false, true, Some(NOON)),
        ("ConsoleClient.public", true, false, None),
    ] {
        let client = ShowClient {
            frame: frame(),
            desk: desk(Some(Room::Clients)),
            may_change,
            client_id: "cl_1".to_owned(),
            name: Some("市民之家".to_owned()),
            has_secret,
            secret_expires_at,
            by_itself: !has_secret,
            added_at: NOON,
            changed_at: NOON,
            metadata: "{}".to_owned(),
        };
        add(name, client.html());
    }
    for (name, frame) in [
        ("ConsoleNewClient", frame()),
        (
            "ConsoleNewClient.wrong",
            frame().with_problem(Problem::ClientMetadataInvalid),
        ),
    ] {
        let new = NewClient {
            frame,
            desk: desk(Some(Room::Clients)),
            client_id: String::new(),
            metadata: "{}".to_owned(),
        };
        add(name, new.html());
    }
}

fn chains(frame: &impl Fn() -> Frame, add: &mut impl FnMut(&str, String)) {
    let states = [
        ChainState::Good,
        ChainState::Due,
        ChainState::Ending,
        ChainState::Over,
        ChainState::Missing,
    ];
    let chains = states.map(|state| Chain {
        subject: PORTAL.to_owned(),
        anchor: (state != ChainState::Missing).then(|| "https://anchor.example.cn".to_owned()),
        state,
        until: NOON,
        refresh_at: (state != ChainState::Missing).then_some(NOON),
        trouble: matches!(state, ChainState::Ending | ChainState::Missing)
            .then(|| "no answer".to_owned()),
    });
    add(
        "ConsoleChains",
        Chains {
            frame: frame(),
            desk: desk(Some(Room::Chains)),
            total: 5,
            chains: chains.to_vec(),
        }
        .html(),
    );
}

fn audit(frame: &impl Fn() -> Frame, add: &mut impl FnMut(&str, String)) {
    let row = |kind: &str, outcome: &str, sealed: bool| Written {
        id: "ev_1".to_owned(),
        at: NOON,
        kind: kind.to_owned(),
        outcome: outcome.to_owned(),
        actor: Some("op_1".to_owned()),
        subject: sealed.then(|| "p_1".to_owned()),
        client: sealed.then(|| "cl_1".to_owned()),
        detail: if sealed { "{}" } else { "{\"entity\":\"x\"}" }.to_owned(),
        sealed,
    };
    add(
        "ConsoleAudit",
        AuditLog {
            frame: frame(),
            desk: desk(Some(Room::Audit)),
            rows: vec![
                row("federation.drop", "done", false),
                row("session.begin", "refused", true),
            ],
            older: Some("1.ev_1".to_owned()),
            first: false,
        }
        .html(),
    );
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
