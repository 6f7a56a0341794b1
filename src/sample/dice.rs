//! Seeded draws in whole numbers, so that a city is the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Quantiles of a log-normal spread (sigma 0.5) in steps of five per cent, in thousandths of the median.
const LOG_NORMAL: [i64; 21] =
    [275, 439, 527, 596, 656, 714, 769, 825, 881, 939, 1000, 1065, 1135, 1212, 1300, 1401, 1523, 1679, 1898, 2276, 4220];

/// A stream of draws; two streams of one seed are independent of each other.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The draws numbered `stream` of the city grown from `seed`.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// A number in `0..bound`; 0 where the bound is 0.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let wide = u64::from(self.0.next_u32()) * u64::from(bound);
        (wide >> 32) as u32
    }

    /// A number in `0..bound` for bounds beyond 32 bits.
    pub(super) fn below_wide(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.0.next_u64()) * u128::from(bound);
        (wide >> 64) as u64
    }

    /// A number in `low..=high`; `low` where the range is empty.
    pub(super) fn between(&mut self, low: i32, high: i32) -> i32 {
        if high <= low {
            return low;
        }
        let width = (i64::from(high) - i64::from(low) + 1) as u32;
        low + self.below(width) as i32
    }

    /// True `rate` times in 10,000.
    pub(super) fn chance(&mut self, rate: u32) -> bool {
        self.below(10_000) < rate
    }

    /// One of `items`, which are not empty.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u32) as usize]
    }

    /// One of `items` by weight, which are not empty.
    pub(super) fn weighted<T: Copy>(&mut self, items: &[(T, u32)]) -> T {
        let total = items.iter().map(|(_, weight)| weight).sum();
        let mut ticket = self.below(total);
        for (item, weight) in items {
            if ticket < *weight {
                return *item;
            }
            ticket -= weight;
        }
        items[items.len() - 1].0
    }

    /// A log-normal amount with this median.
    pub(super) fn spread(&mut self, median: i64) -> i64 {
        let ticket = i64::from(self.below(20_000));
        let (step, rest) = ((ticket / 1000) as usize, ticket % 1000);
        let (low, high) = (LOG_NORMAL[step], LOG_NORMAL[step + 1]);
        median * (low * 1000 + (high - low) * rest) / 1_000_000
    }
}
