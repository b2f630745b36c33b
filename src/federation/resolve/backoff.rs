//! When superiors that did not answer are asked again: seldomer and seldomer, never all nodes at the same moment, and always
//! once more shortly before the chain ends.

use crate::clock::UnixTime;
use crate::random::Rng;

/// Seconds after the first failure; doubled after each further one. Not shorter than a failure of one statement is remembered.
const FIRST: i64 = 30;
/// Seconds that are never exceeded, jitter included.
const LONGEST: i64 = 600;
/// A wait is prolonged by up to this part of itself.
const JITTER: i64 = 5;
/// Seconds before the end of the chain at which it is tried for the last time, and by how many more that may come earlier.
const LAST: i64 = 30;
const LAST_SPREAD: i64 = 15;

/// The next attempt after `failures` of them, the last one at `now`; the end of the chain when none fits in before.
pub(super) fn next_attempt(
    failures: u32,
    now: UnixTime,
    expires_at: UnixTime,
    rng: &mut Rng,
) -> UnixTime {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10));
    let wait = doubled.min(LONGEST * JITTER / (JITTER + 1));
    let wait = wait + below(wait / JITTER + 1, rng);
    let last = expires_at.plus(-LAST - below(LAST_SPREAD + 1, rng));
    if now >= last {
        expires_at
    } else if now.plus(wait + FIRST) <= last {
        now.plus(wait)
    } else {
        // What was asked within the last half minute is not asked again.
        last.max(now.plus(FIRST))
    }
}

/// A number from 0 to `end` - 1, near enough equally likely.
fn below(end: i64, rng: &mut Rng) -> i64 {
    i64::from(u32::from_be_bytes(rng.bytes())) % end.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::RngSource;

    #[test]
    fn waits_grow_within_bounds_and_differ() {
        let source = RngSource::seeded(1);
        let far = UnixTime(1_000_000);
        for (failures, least, most) in [
            (1, 30, 36),
            (2, 60, 72),
            (3, 120, 144),
            (4, 240, 288),
            (5, 480, 576),
            (6, 500, 600),
            (7, 500, 600),
            (u32::MAX, 500, 600),
        ] {
            let waits: Vec<i64> = (0..200)
                .map(|_| next_attempt(failures, UnixTime(0), far, &mut source.rng()).0)
                .collect();
            assert!(
                waits.iter().all(|w| (least..=most).contains(w)),
                "{waits:?}"
            );
            assert!(waits.iter().any(|w| *w != waits[0]), "{failures}");
        }
    }

    #[test]
    fn once_more_before_the_end_and_not_after() {
        let source = RngSource::seeded(2);
        for start in 0..1000 {
            let end = UnixTime(1000);
            let next = next_attempt(9, UnixTime(start), end, &mut source.rng());
            let expected = match start {
                // Far enough away for another attempt in between.
                ..=440 => 500..=970,
                441..=924 => 955..=970,
                // Half a minute after this attempt, or too late.
                _ => 955..=1000,
            };
            assert!(expected.contains(&next.0), "{start}: {next}");
            assert!(next == end || next.0 >= start + 30, "{start}: {next}");
        }
    }
}
