//! How long to wait after a failure, and when to leave a channel alone for a while.

use std::time::Duration;

use super::settings::Pace;

/// A number from 0 up to, and without, 1; anew at each call.
pub type Dice = dyn Fn() -> f64 + Send + Sync;

/// How long a message waits after its `tries`th failure: doubled each time up to the longest wait, of which between half and
/// all is taken, so that what failed together does not come again together. What the other side asks for is the least.
#[must_use]
pub fn wait(pace: &Pace, tries: u32, asked: Option<Duration>, dice: &Dice) -> Duration {
    let doubled = doubled(pace.first_wait, tries.saturating_sub(1), pace.most_wait);
    let wait = doubled.mul_f64(0.5 + dice().clamp(0.0, 1.0) / 2.0);
    asked.map_or(wait, |asked| wait.max(asked))
}

fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.checked_mul(1_u32.checked_shl(times.min(31)).unwrap_or(u32::MAX)).map_or(most, |wait| wait.min(most))
}

/// Duration in microseconds.
#[must_use]
pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Opens after many failures in a row, and lets one message through now and then to see whether the other side is back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circuit {
    failures: u32,
    /// When the next one may try; none: closed.
    until: Option<i64>,
    /// How often it stayed open.
    rests: u32,
}

impl Circuit {
    /// How many messages may leave at a moment where so many are under way already; `most` of a healthy channel.
    #[must_use]
    pub fn room(&self, now: i64, under_way: usize, most: usize) -> usize {
        match self.until {
            None => most.saturating_sub(under_way),
            Some(until) if now >= until && under_way == 0 => 1,
            Some(_) => 0,
        }
    }

    /// When it may be tried again; none while it is closed.
    #[must_use]
    pub fn open_until(&self) -> Option<i64> {
        self.until
    }

    /// Hears that the channel works.
    pub fn works(&mut self) {
        *self = Self::default();
    }

    /// Hears that the channel failed. Gives whether it opened just now.
    pub fn failed(&mut self, pace: &Pace, now: i64) -> bool {
        self.failures = self.failures.saturating_add(1);
        match self.until {
            // Those that were under way when it opened say nothing new.
            Some(until) if now < until => false,
            Some(_) => {
                self.rests = self.rests.saturating_add(1);
                self.until = Some(now.saturating_add(micros(doubled(pace.rest, self.rests, pace.most_wait))));
                false
            }
            None if self.failures >= pace.failures => {
                self.until = Some(now.saturating_add(micros(pace.rest.min(pace.most_wait))));
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn waits_double_up_to_a_bound_and_scatter() {
        let pace = Pace { first_wait: Duration::from_secs(5), most_wait: Duration::from_mins(1), ..Pace::default() };
        let waits = |dice: f64| [1, 2, 3, 5, 40, u32::MAX].map(|tries| wait(&pace, tries, None, &move || dice).as_millis());
        assert_eq!(waits(1.0), [5_000, 10_000, 20_000, 60_000, 60_000, 60_000]);
        assert_eq!(waits(0.0), [2_500, 5_000, 10_000, 30_000, 30_000, 30_000]);
        assert_eq!(wait(&pace, 1, Some(Duration::from_secs(90)), &|| 0.5), Duration::from_secs(90), "what is asked for is the least");
        assert_eq!(wait(&pace, 1, Some(Duration::from_secs(1)), &|| 1.0), Duration::from_secs(5));
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_by_itself() {
        let pace = Pace { failures: 3, rest: Duration::from_secs(10), most_wait: Duration::from_secs(25), ..Pace::default() };
        let mut circuit = Circuit::default();
        assert!(!circuit.failed(&pace, 0) && !circuit.failed(&pace, 0));
        circuit.works();
        assert!(!circuit.failed(&pace, 0) && !circuit.failed(&pace, 0));
        assert_eq!(circuit.room(0, 5, 8), 3);
        assert!(circuit.failed(&pace, 0), "three in a row");
        assert!(!circuit.failed(&pace, 1), "one that was under way");
        assert_eq!((circuit.room(9 * SECOND, 0, 8), circuit.room(10 * SECOND, 0, 8), circuit.room(10 * SECOND, 1, 8)), (0, 1, 0));
        assert!(!circuit.failed(&pace, 10 * SECOND));
        assert_eq!(circuit.open_until(), Some(30 * SECOND), "twice as long");
        circuit.failed(&pace, 30 * SECOND);
        assert_eq!(circuit.open_until(), Some(55 * SECOND), "not longer than the longest wait");
        circuit.works();
        assert_eq!((circuit.room(0, 0, 8), circuit.open_until()), (8, None));
    }
}
