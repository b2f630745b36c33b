//! A colour and how well it can be read on another (WCAG 2 contrast).

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    pub const WHITE: Self = Self(255, 255, 255);
    /// `--paper` of the dark scheme in `web/static/app.css`.
    pub const DARK_PAPER: Self = Self(0x1B, 0x22, 0x2C);

    /// WCAG 2.2, "contrast ratio": from 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// The colour itself, or the first lighter shade of it that reads well (5.5:1) on a dark ground.
    #[must_use]
    pub fn lightened_for(self, ground: Self) -> Self {
        (0..=20)
            .map(|step| self.towards_white(step * 5))
            .find(|shade| shade.contrast(ground) >= 5.5)
            .unwrap_or(Self::WHITE)
    }

    fn towards_white(self, percent: u16) -> Self {
        let mix = |part: u8| {
            let part = u16::from(part);
            u8::try_from(part + (255 - part) * percent / 100).unwrap_or(255)
        };
        Self(mix(self.0), mix(self.1), mix(self.2))
    }

    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02X}{:02X}{:02X}", self.0, self.1, self.2)
    }
}
