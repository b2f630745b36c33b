//! A device without a browser asks: is it really you? Hard to phish: the code is typed or compared, who asks from where is
//! said before anything is given, and refusing comes first.

use askama::Template;

use super::frame::{Asking, Frame};
use super::language::Message;
use crate::clock::UnixTime;

/// `/device`
#[derive(Debug, Template)]
#[template(path = "device_code.html")]
pub struct DeviceCode {
    pub frame: Frame,
    pub user_code: String,
    /// The code came with a link: it must be compared with the device.
    pub filled_in: bool,
}

impl DeviceCode {
    pub fn heading(&self) -> Message {
        Message::new("device-heading")
    }
}

/// `/device/{…}`
#[derive(Debug, Template)]
#[template(path = "device_confirm.html")]
pub struct DeviceConfirm {
    pub frame: Frame,
    pub asking: Asking,
    pub user_code: String,
    /// The program that asked, in words; may be empty.
    pub device: String,
    /// The network address that it asked from.
    pub from: String,
    pub asked_at: UnixTime,
}

impl DeviceConfirm {
    pub fn heading(&self) -> Message {
        Message::new("device-confirm-heading")
    }
}

/// `/device/done`
#[derive(Debug, Template)]
#[template(path = "device_done.html")]
pub struct DeviceDone {
    pub frame: Frame,
    pub refused: bool,
}

impl DeviceDone {
    pub fn heading(&self) -> Message {
        Message::new(if self.refused {
            "device-refused-heading"
        } else {
            "device-done-heading"
        })
    }
}
