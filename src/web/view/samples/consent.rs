//! Consent, and the answer that goes by form.

use super::{BASE, HOSTILE, NOON, Set, guangdong};
use crate::clock::UnixTime;
use crate::web::view::{
    Page,
    login::{Access, Consent, FormPost, Item, SensitiveConsent},
};

impl Set {
    pub(super) fn consents(&self, add: &mut impl FnMut(&str, String)) {
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
}
