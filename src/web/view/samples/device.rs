//! The pages of a device.

use super::{HOSTILE, NOON, Set, guangdong};
use crate::web::view::{
    Page, Problem,
    device::{DeviceCode, DeviceConfirm, DeviceDone},
};

impl Set {
    pub(super) fn devices(&self, add: &mut impl FnMut(&str, String)) {
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
}
