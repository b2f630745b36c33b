//! The demo, its register and its authorities.

use super::{HOSTILE, NOON, Set};
use crate::web::view::{
    Page, Place,
    authority::{AuthorityHome, Vouchee},
    demo::{DemoEntity, DemoIndex, DemoPerson},
    register::{Call, Outbox, RegisterHome, Sms},
};

impl Set {
    pub(super) fn stand_ins(&self, add: &mut impl FnMut(&str, String)) {
        let frame = || self.frame(Place::StandIn, "stand-in");
        let call = |path: &str, request: &str, control| Call {
            method: "POST".to_owned(),
            path: path.to_owned(),
            request: request.to_owned(),
            answer: "{\"result\":\"match\"}".to_owned(),
            control,
        };
        for failing in [false, true] {
            let page = RegisterHome {
                frame: frame(),
                base_url: "http://register.localhost:8000".to_owned(),
                calls: vec![
                    call(
                        "/api/match",
                        "{\"name\":\"测试甲\",\"number\":\"449999195003010014\",\"phone\":\"+8614000000001\"}",
                        false,
                    ),
                    call("/api/control", "{\"delay_ms\":2000,\"fail\":false}", true),
                ],
                people: 12,
                delay_ms: 0,
                failing,
            };
            add(&format!("RegisterHome.{failing}"), page.html());
        }
        let sms = |text: &str, code: Option<&str>| Sms {
            to: "+8614000000006".to_owned(),
            text: text.to_owned(),
            code: code.map(str::to_owned),
            at: NOON,
        };
        add(
            "Outbox",
            Outbox {
                frame: frame(),
                to: None,
                messages: vec![
                    sms(
                        "【国家账号】您的验证码是 482913，5 分钟内有效。",
                        Some("482913"),
                    ),
                    sms("【国家账号】您的密码已修改。", None),
                ],
            }
            .html(),
        );
        add(
            "Outbox.empty",
            Outbox {
                frame: frame(),
                to: Some("14000000006".to_owned()),
                messages: Vec::new(),
            }
            .html(),
        );
        let vouchee = |name: Option<&str>, id: &str, is_intermediate| Vouchee {
            name: name.map(str::to_owned),
            entity_id: id.to_owned(),
            is_intermediate,
        };
        for is_anchor in [true, false] {
            let page = AuthorityHome {
                frame: self.frame(Place::Authority, "national"),
                name: if is_anchor {
                    "国家平台"
                } else {
                    "广东省"
                }
                .to_owned(),
                entity_id: "http://anchor.localhost:8000".to_owned(),
                is_anchor,
                superiors: (!is_anchor)
                    .then(|| "http://anchor.localhost:8000".to_owned())
                    .into_iter()
                    .collect(),
                subordinates: vec![
                    vouchee(Some("广东省"), "http://gd.localhost:8000", true),
                    vouchee(Some(HOSTILE), "http://x.localhost:8000", false),
                    vouchee(None, "http://id.localhost:8000", false),
                ],
                more: !is_anchor,
                joining: !is_anchor,
            };
            add(&format!("AuthorityHome.{is_anchor}"), page.html());
        }
        for (name, html) in self.joining() {
            add(&name, html);
        }
        let entity = |name: &str, role: &str, url: &str, superior: &[&str]| DemoEntity {
            name: name.to_owned(),
            role: role.to_owned(),
            url: url.to_owned(),
            superiors: superior.iter().map(|name| (*name).to_owned()).collect(),
        };
        let person = |username: &str, name: &str, number: &str, account| DemoPerson {
            username: username.to_owned(),
            name: name.to_owned(),
            id_number: number.to_owned(),
            password: "Hefu-demo-2026".to_owned(),
            account,
        };
        add(
            "DemoIndex",
            DemoIndex {
                frame: frame(),
                entities: vec![
                    entity("国家平台", "anchor", "http://anchor.localhost:8000", &[]),
                    entity(
                        "国家账号",
                        "provider",
                        "http://id.localhost:8000",
                        &["国家平台"],
                    ),
                    entity(
                        "广东省",
                        "intermediate",
                        "http://gd.localhost:8000",
                        &["国家平台"],
                    ),
                    entity(
                        "粤省事",
                        "portal",
                        "http://yueshengshi.localhost:8000",
                        &["广东省"],
                    ),
                    entity("人口库", "register", "http://register.localhost:8000", &[]),
                ],
                people: vec![
                    person("14000000001", "测试甲", "449999195003010014", true),
                    person("14000000007", "𠮷测试", "44999919700101001X", false),
                ],
                outbox_url: "http://register.localhost:8000/outbox".to_owned(),
            }
            .html(),
        );
    }
}
