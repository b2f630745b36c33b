//! Time as a value. Only `SystemClock`, held at the doors, reads the machine's clock; everything below is told `now`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z, as in JOSE `NumericDate` (RFC 7519 §2), whole seconds only.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Default,
    Serialize,
    Deserialize,
    sqlx::Type,
)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct UnixTime(pub i64);

impl UnixTime {
    /// The time `seconds` later (earlier when negative); saturates at the ends of the range.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds that have passed since `earlier`; negative when `earlier` lies in the future.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// RFC 3339 in UTC, for example `2026-03-02T01:15:30Z`. Out-of-range values are clamped to the calendar's ends.
    pub fn to_rfc3339(self) -> String {
        self.timestamp().to_string()
    }

    /// For people in China: `2026年11月23日 14:05` (UTC+8, where the whole country keeps its clocks).
    pub fn to_chinese(self) -> String {
        let civil = jiff::tz::Offset::constant(8).to_datetime(self.timestamp());
        format!(
            "{}年{}月{}日 {:02}:{:02}",
            civil.year(),
            civil.month(),
            civil.day(),
            civil.hour(),
            civil.minute()
        )
    }

    /// The calendar day in China at this moment, as (year, month, day): ages are counted by it.
    pub fn china_date(self) -> (i16, i8, i8) {
        let civil = jiff::tz::Offset::constant(8).to_datetime(self.timestamp());
        (civil.year(), civil.month(), civil.day())
    }

    fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where the doors take `now` from.
pub trait Clock: Send + Sync + fmt::Debug {
    fn now(&self) -> UnixTime;
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now(&self) -> UnixTime {
        UnixTime(jiff::Timestamp::now().as_second())
    }
}

/// A clock that tests turn by hand. Clones share the hands.
#[derive(Debug, Clone)]
pub struct MockClock(Arc<AtomicI64>);

impl MockClock {
    pub fn at(start: UnixTime) -> Self {
        Self(Arc::new(AtomicI64::new(start.0)))
    }

    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn set(&self, to: UnixTime) {
        self.0.store(to.0, Ordering::SeqCst);
    }
}

impl Clock for MockClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_for_machines_and_for_people() {
        let t = UnixTime(1_772_414_130);
        assert_eq!(t.to_rfc3339(), "2026-03-02T01:15:30Z");
        assert_eq!(t.to_chinese(), "2026年3月2日 09:15");
        assert_eq!(UnixTime(1_772_380_800).china_date(), (2026, 3, 2));
        assert_eq!(UnixTime(1_772_380_799).china_date(), (2026, 3, 1));
        // No value panics.
        UnixTime(i64::MAX).to_chinese();
        UnixTime(i64::MIN).to_rfc3339();
    }

    #[test]
    fn a_mock_clock_is_turned_by_hand() {
        let clock = MockClock::at(UnixTime(100));
        let same = clock.clone();
        clock.advance(5);
        assert_eq!(same.now(), UnixTime(105));
        assert_eq!(same.now().since(UnixTime(100)), 5);
        assert_eq!(UnixTime(i64::MAX).plus(1), UnixTime(i64::MAX));
    }
}
