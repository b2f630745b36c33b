//! The account centre.

use super::{HOSTILE, NOON, Set, door};
use crate::clock::UnixTime;
use crate::web::view::{
    Frame, Page, Problem,
    account::{
        Act, AddPasskey, ConfirmAct, Details, Overview, Passkey, Person, Platform, RenamePasskey,
        Session,
    },
    frame::Notice,
};

impl Set {
    pub fn overview(frame: Frame, verified: bool) -> Overview {
        let session = |handle: &str, device: &str, current| Session {
            handle: handle.to_owned(),
            device: device.to_owned(),
            since: UnixTime(NOON.0 - 9000),
            last_seen: NOON,
            current,
        };
        let platform = |handle: &str, name: &str, region: &str, claims: &[&str]| Platform {
            handle: handle.to_owned(),
            name: name.to_owned(),
            region: Some(region.to_owned()),
            claims: claims.iter().map(|claim| (*claim).to_owned()).collect(),
            offline: claims.is_empty(),
            given: NOON,
            until: UnixTime(NOON.0 + 31_536_000),
            // The one that is told least is one that nobody vouches for any more.
            ended: (claims.len() == 1).then_some(NOON),
        };
        Overview {
            frame,
            person: Person {
                name_masked: verified.then(|| "测*甲".to_owned()),
                number_masked: verified.then(|| "4499**********0014".to_owned()),
                level: if verified { "rn2" } else { "rn1" }.to_owned(),
                verified_at: verified.then_some(NOON),
                provisional: false,
                phone_masked: "140****0001".to_owned(),
            },
            passkeys_offered: true,
            passkeys: vec![
                Passkey {
                    handle: "p1".to_owned(),
                    name: "我的手机".to_owned(),
                    added: NOON,
                    last_used: Some(NOON),
                },
                Passkey {
                    handle: "p2".to_owned(),
                    name: HOSTILE.to_owned(),
                    added: NOON,
                    last_used: None,
                },
            ],
            password_changed: Some(NOON),
            sessions: vec![
                session("s1", "Chrome · Linux", true),
                session("s2", "WeChat · Android", false),
                session("s3", "", false),
            ],
            platforms: if verified {
                vec![
                    platform(
                        "c1",
                        "粤省事",
                        "广东省",
                        &["name", "cn_id_number_masked", "assurance_level"],
                    ),
                    platform("c2", "示范村便民", "重庆市示范区示范县示范镇", &["name"]),
                ]
            } else {
                Vec::new()
            },
        }
    }

    pub(super) fn centre(&self, add: &mut impl FnMut(&str, String)) {
        let mut noticed = self.provider();
        noticed.notice = Some(Notice::PasskeyAdded);
        add("Overview", Self::overview(noticed, true).html());
        add(
            "Overview.new",
            Self::overview(self.provider(), false).html(),
        );
        add(
            "AddPasskey",
            AddPasskey {
                frame: self.provider(),
                name: "Chrome · Linux".to_owned(),
                door: door(),
            }
            .html(),
        );
        add(
            "Details",
            Details {
                frame: self.provider().with_problem(Problem::EmailInvalid),
                nickname: "小甲".to_owned(),
                email: "jia@".to_owned(),
                address: String::new(),
            }
            .html(),
        );
        add(
            "RenamePasskey",
            RenamePasskey {
                frame: self.provider().with_problem(Problem::PasskeyNameInvalid),
                name: "我的手机".to_owned(),
            }
            .html(),
        );
        for (name, act) in [
            (
                "passkey",
                Act::RemovePasskey {
                    name: "我的手机".to_owned(),
                },
            ),
            (
                "session",
                Act::EndSession {
                    device: "WeChat · Android".to_owned(),
                    current: false,
                },
            ),
            (
                "session-this",
                Act::EndSession {
                    device: String::new(),
                    current: true,
                },
            ),
            (
                "session-unknown",
                Act::EndSession {
                    device: String::new(),
                    current: false,
                },
            ),
            ("sessions", Act::EndOtherSessions),
            (
                "withdraw",
                Act::WithdrawConsent {
                    platform: "粤省事".to_owned(),
                },
            ),
        ] {
            let frame = self.provider();
            add(
                &format!("ConfirmAct.{name}"),
                ConfirmAct { frame, act }.html(),
            );
        }
    }
}
