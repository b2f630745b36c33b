//! The login page and the ways around it.

use super::{BASE, Set, door, guangdong};
use crate::web::view::{
    Asking, Frame,
    login::{AskPhone, Doors, EnterCode, Login, Purpose},
};

impl Set {
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

    pub(super) fn ask_phone(frame: Frame, purpose: Purpose) -> AskPhone {
        AskPhone {
            frame,
            asking: (purpose != Purpose::ChangePhone).then(guangdong),
            base: BASE.to_owned(),
            purpose,
            phone: String::new(),
            back: format!("{BASE}/login"),
        }
    }

    pub(super) fn enter_code(frame: Frame) -> EnterCode {
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
}
