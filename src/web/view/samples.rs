//! Every page with invented people, for the tests and for looking at: `cargo test --lib view` writes them to `target/pages/`.

use super::{
    Asking, Claimed, Frame, Hop, Language, Page, Place, Problem, Vouched, Way,
    account::{
        Act, AddPasskey, ConfirmAct, Details, Overview, Passkey, Person, Platform, RenamePasskey,
        Session,
    },
    authority::{AuthorityHome, Vouchee},
    demo::{DemoEntity, DemoIndex, DemoPerson},
    device::{DeviceCode, DeviceConfirm, DeviceDone},
    entry::{NewPassword, PasswordPurpose, PhoneTaken, ProofPurpose, RealName, Takeover, TooYoung},
    error::{ErrorKind, ErrorPage, Halt, Halted},
    frame::Notice,
    joining::{Join, JoinState},
    leave::{By, Ended, LogoutConfirm, SignedOut, Told},
    login::{
        Access, AskPhone, Consent, Doors, EnterCode, FormPost, Item, Login, PasskeyDoor, Purpose,
        SensitiveConsent, StepUp, StepUpReason,
    },
    portal::{PortalHome, PortalSignedOut, SignedOutBy, Visitor},
    register::{Call, Outbox, RegisterHome, Sms},
};
use crate::federation::joining::{Finding, Kind, State, Wish};
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
    fn joining(&self) -> Vec<(String, String)> {
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

    pub fn login(frame: Frame, asking: Option<Asking>) -> Login {
        Login {
            frame,
            asking,
            base: BASE.to_owned(),
            username: "14000000001".to_owned(),
            doors: Doors {
                sms: true,
                passkey: Some(door()),
                create: true,
                recover: true,
            },
        }
    }

    fn ask_phone(frame: Frame, purpose: Purpose) -> AskPhone {
        AskPhone {
            frame,
            asking: (purpose != Purpose::ChangePhone).then(guangdong),
            base: BASE.to_owned(),
            purpose,
            phone: String::new(),
            back: format!("{BASE}/login"),
        }
    }

    fn enter_code(frame: Frame) -> EnterCode {
        EnterCode {
            frame,
            asking: Some(guangdong()),
            base: BASE.to_owned(),
            purpose: Purpose::Create,
            phone_masked: "140****0006".to_owned(),
            resend_url: format!("{BASE}/create/resend"),
            minutes: 5,
            back: format!("{BASE}/create"),
            outbox_url: Some("http://register.localhost:8000/outbox".to_owned()),
        }
    }

    fn entries(&self, add: &mut impl FnMut(&str, String)) {
        let asking = || Some(guangdong());
        let base = || BASE.to_owned();
        add(
            "PhoneTaken",
            PhoneTaken {
                frame: self.provider(),
                asking: asking(),
                base: base(),
                phone_masked: "140****0006".to_owned(),
            }
            .html(),
        );
        for (name, purpose, problem) in [
            ("Create", PasswordPurpose::Create, None),
            ("Recover", PasswordPurpose::Recover, None),
            ("Change", PasswordPurpose::Change, None),
            (
                "problems",
                PasswordPurpose::Create,
                Some(Problem::PasswordTooShort { least: 8 }),
            ),
        ] {
            let mut frame = self.provider();
            if let Some(problem) = problem {
                frame = frame
                    .with_problem(problem)
                    .with_problem(Problem::PasswordsDiffer);
            }
            let page = NewPassword {
                frame,
                asking: (purpose != PasswordPurpose::Change).then(guangdong),
                base: base(),
                purpose,
                least: 8,
                username: "14000000006".to_owned(),
                back: Some("/account".to_owned()),
            };
            add(&format!("NewPassword.{name}"), page.html());
        }
        let real_name = |frame, purpose, phone_masked: Option<&str>, provisional| RealName {
            frame,
            asking: asking(),
            base: base(),
            purpose,
            name: "测试己".to_owned(),
            number: "21999919790808007".to_owned(),
            source: "人口库（演示替身）".to_owned(),
            phone_masked: phone_masked.map(str::to_owned),
            provisional,
            later: Some("/account".to_owned()),
        };
        let mut created = self.provider();
        created.notice = Some(Notice::AccountCreated);
        add(
            "RealName",
            real_name(created, ProofPurpose::Verify, Some("140****0006"), false).html(),
        );
        let mismatch = self.provider().with_problem(Problem::NotMatched);
        add(
            "RealName.mismatch",
            real_name(mismatch, ProofPurpose::Verify, Some("140****0006"), false).html(),
        );
        let known = self.provider();
        add(
            "RealName.provisional",
            real_name(known, ProofPurpose::Verify, Some("140****0006"), true).html(),
        );
        let wrong = self.provider().with_problem(Problem::NumberInvalid);
        add(
            "RealName.invalid",
            real_name(wrong, ProofPurpose::Verify, None, false).html(),
        );
        let down = self.provider().with_problem(Problem::SourceUnavailable);
        add(
            "RealName.down",
            real_name(down, ProofPurpose::Recover, None, false).html(),
        );
        for can_take_over in [true, false] {
            let page = Takeover {
                frame: self.provider(),
                asking: asking(),
                base: base(),
                can_take_over,
            };
            add(&format!("Takeover.{can_take_over}"), page.html());
        }
        add(
            "TooYoung",
            TooYoung {
                frame: self.provider(),
                asking: asking(),
                base: base(),
                age: 8,
            }
            .html(),
        );
        for (name, reason) in [
            (
                "Level",
                StepUpReason::Level {
                    acr: "https://hefu.example/acr/L2".to_owned(),
                },
            ),
            ("Fresh", StepUpReason::Fresh),
            ("SensitiveAct", StepUpReason::SensitiveAct),
            ("RealName", StepUpReason::RealName),
        ] {
            let page = StepUp {
                frame: self.provider(),
                asking: (name != "SensitiveAct").then(|| Asking {
                    name: Some("渝快办".to_owned()),
                    ..guangdong()
                }),
                base: base(),
                reason,
                sms: (name != "Fresh").then(|| "140****0003".to_owned()),
                password: name != "Level",
                passkey: Some(door()),
            };
            add(&format!("StepUp.{name}"), page.html());
        }
    }

    fn consents(&self, add: &mut impl FnMut(&str, String)) {
        let item = |(claim, value): (&str, &str)| Item {
            claim: claim.to_owned(),
            value: value.to_owned(),
        };
        let items = [
            ("name", "测*甲"),
            ("cn_id_number_masked", "4499**********0014"),
            ("assurance_level", "rn2"),
            ("phone_number", "140****0001"),
            ("province_specific", "x"),
        ];
        add(
            "Consent",
            Consent {
                frame: self.provider(),
                asking: guangdong(),
                base: BASE.to_owned(),
                items: items.map(item).to_vec(),
                access: Vec::new(),
                offline: true,
                purpose: Some("办理省内政务服务".to_owned()),
                until: UnixTime(NOON.0 + 31_536_000),
                sensitive_follows: true,
            }
            .html(),
        );
        add(
            "Consent.login_only",
            Consent {
                frame: self.provider(),
                asking: guangdong(),
                base: BASE.to_owned(),
                items: Vec::new(),
                access: Vec::new(),
                offline: false,
                purpose: None,
                until: UnixTime(NOON.0 + 31_536_000),
                sensitive_follows: false,
            }
            .html(),
        );
        let access = |place: Option<&str>, text: &str, facts: &[(&str, &str)]| Access {
            place: place.map(str::to_owned),
            text: text.to_owned(),
            facts: facts
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        add(
            "Consent.access",
            Consent {
                frame: self.provider(),
                asking: guangdong(),
                base: BASE.to_owned(),
                items: items.map(item)[..1].to_vec(),
                access: vec![
                    access(Some("健康档案"), "查看您的健康档案", &[]),
                    access(
                        None,
                        "查看病历",
                        &[("医院", HOSTILE), ("操作", "read, list")],
                    ),
                ],
                offline: false,
                purpose: None,
                until: UnixTime(NOON.0 + 31_536_000),
                sensitive_follows: false,
            }
            .html(),
        );
        add(
            "SensitiveConsent",
            SensitiveConsent {
                frame: self.provider(),
                asking: guangdong(),
                base: BASE.to_owned(),
                items: vec![item(("cn_id_number", "4499**********0014"))],
                purpose: None,
                until: UnixTime(NOON.0 + 31_536_000),
            }
            .html(),
        );
        add(
            "FormPost",
            FormPost {
                frame: self.provider(),
                action: "http://yueshengshi.localhost:8000/callback".to_owned(),
                fields: vec![
                    ("code".to_owned(), "abc".to_owned()),
                    ("state".to_owned(), HOSTILE.to_owned()),
                ],
                platform: "粤省事".to_owned(),
            }
            .html(),
        );
    }

    fn devices(&self, add: &mut impl FnMut(&str, String)) {
        let code = |frame, user_code: &str, filled_in| DeviceCode {
            frame,
            user_code: user_code.to_owned(),
            filled_in,
        };
        add("DeviceCode", code(self.provider(), "", false).html());
        add(
            "DeviceCode.filled_in",
            code(self.provider(), "BCDF-GHJK", true).html(),
        );
        let unknown = self.provider().with_problem(Problem::DeviceCodeUnknown);
        add("DeviceCode.unknown", code(unknown, HOSTILE, false).html());
        for (name, device) in [
            ("DeviceConfirm", "curl · Linux"),
            ("DeviceConfirm.silent", ""),
        ] {
            let page = DeviceConfirm {
                frame: self.provider(),
                asking: guangdong(),
                user_code: "BCDF-GHJK".to_owned(),
                device: device.to_owned(),
                from: "2001:db8::7".to_owned(),
                asked_at: NOON,
            };
            add(name, page.html());
        }
        for refused in [false, true] {
            let page = DeviceDone {
                frame: self.provider(),
                refused,
            };
            add(&format!("DeviceDone.{refused}"), page.html());
        }
    }

    fn leaving(&self, add: &mut impl FnMut(&str, String)) {
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

    fn errors(&self, add: &mut impl FnMut(&str, String)) {
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
            ended: claims.is_empty().then_some(NOON),
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

    fn centre(&self, add: &mut impl FnMut(&str, String)) {
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

    fn portals(&self, add: &mut impl FnMut(&str, String)) {
        for (slug, region) in [
            ("yueshengshi", "广东省"),
            ("sufuban", "江苏省"),
            ("yukuaiban", "重庆市"),
            ("guirenfuwu", "贵州省"),
            ("haiyiban", "海南省"),
            ("shifancun", "示范村"),
        ] {
            let page = PortalHome {
                frame: self.frame(Place::Portal, slug),
                region: region.to_owned(),
                visitor: None,
            };
            add(&format!("PortalHome.{slug}"), page.html());
        }
        let claims = [
            ("iss", "http://id.localhost:8000"),
            ("sub", "pw_7Qm2k0"),
            ("acr", "https://hefu.example/acr/L1"),
            ("name", "测试甲"),
            ("cn_id_number_masked", "4499**********0014"),
        ];
        let chain = vec![
            hop("国家账号", "http://id.localhost:8000", true),
            hop("国家平台", "http://anchor.localhost:8000", false),
        ];
        let visitor = Visitor {
            name: Some("测试甲".to_owned()),
            level: Some("rn2".to_owned()),
            number_masked: Some("4499**********0014".to_owned()),
            acr: Some("https://hefu.example/acr/L1".to_owned()),
            sub: "pw_7Qm2k0vYx3LrT9bNaE5hUw".to_owned(),
            claims: claims
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            chain: guangdong().chain,
            provider_chain: chain.clone(),
        };
        let page = PortalHome {
            frame: self.frame(Place::Portal, "yueshengshi"),
            region: "广东省".to_owned(),
            visitor: Some(visitor),
        };
        add("PortalHome.signed-in", page.html());
        let page = PortalHome {
            frame: self.frame(Place::Portal, "sufuban"),
            region: "江苏省".to_owned(),
            visitor: Some(Visitor {
                name: None,
                level: None,
                number_masked: None,
                acr: None,
                sub: "x".to_owned(),
                claims: Vec::new(),
                chain: Vec::new(),
                provider_chain: chain,
            }),
        };
        add("PortalHome.little", page.html());
        for by in [
            SignedOutBy::Here,
            SignedOutBy::OnlyHere,
            SignedOutBy::National,
        ] {
            let page = PortalSignedOut {
                frame: self.frame(Place::Portal, "yukuaiban"),
                by,
            };
            add(&format!("PortalSignedOut.{by:?}"), page.html());
        }
        let page = ErrorPage {
            frame: self.frame(Place::Portal, "guirenfuwu"),
            kind: ErrorKind::Refused,
            code: "access_denied".to_owned(),
            description: None,
            reference: "7K2M-90QF".to_owned(),
            back: Some(Way {
                name: "贵人服务".to_owned(),
                url: "/".to_owned(),
            }),
        };
        add("ErrorPage.portal", page.html());
    }

    fn stand_ins(&self, add: &mut impl FnMut(&str, String)) {
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
