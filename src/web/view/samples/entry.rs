//! Creating an account, the real name, more proof.

use super::{BASE, Set, door, guangdong};
use crate::web::view::{
    Asking, Page, Problem,
    entry::{NewPassword, PasswordPurpose, PhoneTaken, ProofPurpose, RealName, Takeover, TooYoung},
    frame::Notice,
    login::{StepUp, StepUpReason},
};

impl Set {
    pub(super) fn entries(&self, add: &mut impl FnMut(&str, String)) {
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
}
