//! Where in a sorted list of persons' numbers each lies: found by region and birth date, which the number begins with.
//!
//! Registers come by county, and then people of one county are looked up in one stretch of the list: a hash would
//! scatter them over all memory.

/// Regions that six digits can name.
const REGIONS: usize = 1_000_000;

/// Twelve months of 32 days, and room for what is no month.
const DAYS_OF_YEAR: u64 = 416;

/// The longest slot has 2¹⁵ days, of which the years are told by less than 32 bits.
const MOST_SHIFT: u32 = 15;

/// People of a slot that are counted through.
const COUNTED: usize = 128;

/// The people of one region, by days, or by more days at once where there are few people.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    /// The day of the first of them.
    first: u64,
    /// The day of the last of them.
    last: u64,
    /// Days in one slot, as a power of two.
    shift: u32,
    /// Its first slot.
    slot: usize,
}

/// Slots of a sorted list of numbers of 17 digits: six of the region, eight of the birth date, three of the sequence.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// Of each number in the list what tells it from the others of its slot, in the same order.
    tails: Vec<u32>,
    /// The stretch of a region, from 1; 0: nobody is of it.
    regions: Vec<u32>,
    stretches: Vec<Stretch>,
    /// Where each slot begins in the list; one more at the end.
    starts: Vec<u32>,
}

/// Where in the list a number must be, if it is in it.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u32,
    end: u32,
    /// What tells the number from others of the span.
    tail: u32,
}

/// Region and day of a number. Days are counted in months of 32 and years of 12 such months: only their order matters.
fn region_and_day(number: u64) -> (usize, u64) {
    let (region, rest) = (number / 100_000_000_000, number % 100_000_000_000);
    let date = rest / 1_000;
    let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
    (usize::try_from(region).unwrap_or(usize::MAX), year * DAYS_OF_YEAR + month * 32 + day)
}

impl Stretch {
    fn slot_of(&self, day: u64) -> u64 {
        (day - self.first) >> self.shift
    }

    /// The digits behind the region as a number, counted from the year in which the slot begins.
    fn tail(&self, number: u64, slot: u64) -> u32 {
        let year = (self.first + (slot << self.shift)) / DAYS_OF_YEAR;
        u32::try_from((number % 100_000_000_000).wrapping_sub(year * 10_000_000)).unwrap_or(u32::MAX)
    }
}

impl Directory {
    /// Reads a sorted list without repetition.
    pub(super) fn new(numbers: &[u64]) -> Self {
        let regions = vec![0; if numbers.is_empty() { 0 } else { REGIONS }];
        let mut directory = Self { regions, tails: Vec::with_capacity(numbers.len()), ..Self::default() };
        let mut at = 0;
        while at < numbers.len() {
            let (region, first) = region_and_day(numbers[at]);
            let end = at + numbers[at..].partition_point(|number| region_and_day(*number).0 == region);
            directory.add(region, first, &numbers[at..end], at);
            at = end;
        }
        directory.starts.push(u32::try_from(numbers.len()).unwrap_or(u32::MAX));
        directory
    }

    /// Adds the people of a region, who begin at `start`.
    fn add(&mut self, region: usize, first: u64, numbers: &[u64], start: usize) {
        let last = numbers.last().map_or(first, |number| region_and_day(*number).1);
        let mut shift = 0;
        while shift < MOST_SHIFT && (last - first) >> shift > numbers.len() as u64 {
            shift += 1;
        }
        let stretch = Stretch { first, last, shift, slot: self.starts.len() };
        self.stretches.push(stretch);
        if let (Some(stretch), Ok(at)) = (self.regions.get_mut(region), u32::try_from(self.stretches.len())) {
            *stretch = at;
        }
        let mut slot = 0;
        for (place, number) in numbers.iter().enumerate() {
            let of_number = stretch.slot_of(region_and_day(*number).1);
            self.tails.push(stretch.tail(*number, of_number));
            while slot <= of_number {
                self.starts.push(u32::try_from(start + place).unwrap_or(u32::MAX));
                slot += 1;
            }
        }
    }

    /// The span that a number of 17 digits is in; none if nobody is of its region or time.
    fn span(&self, number: u64) -> Option<Span> {
        let (region, day) = region_and_day(number);
        let stretch = self.stretches[(*self.regions.get(region)? as usize).checked_sub(1)?];
        if day < stretch.first || day > stretch.last {
            return None;
        }
        let slot = stretch.slot_of(day);
        let at = stretch.slot + usize::try_from(slot).ok()?;
        Some(Span { start: self.starts[at], end: self.starts[at + 1], tail: stretch.tail(number, slot) })
    }

    /// The place of a number in the list.
    pub(super) fn find(&self, number: u64) -> Option<u32> {
        self.place(self.span(number)?)
    }

    /// The places of many numbers; `nowhere` for those that are not in the list. What one number waits for in memory
    /// is fetched while others are looked up: so all spans first, then all places.
    pub(super) fn find_all(&self, wanted: &[u64], nowhere: u32) -> Vec<u32> {
        let spans: Vec<Span> = wanted.iter().map(|number| self.span(*number).unwrap_or_default()).collect();
        spans.into_iter().map(|span| self.place(span).unwrap_or(nowhere)).collect()
    }

    /// Tails of a short span are counted, not searched: each step of a search would wait for memory.
    fn place(&self, span: Span) -> Option<u32> {
        let tails = &self.tails[span.start as usize..span.end as usize];
        let smaller = if tails.len() <= COUNTED {
            tails.iter().fold(0, |smaller, tail| smaller + u32::from(*tail < span.tail))
        } else {
            u32::try_from(tails.partition_point(|tail| *tail < span.tail)).unwrap_or(u32::MAX)
        };
        (tails.get(smaller as usize) == Some(&span.tail)).then(|| span.start + smaller)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(numbers: &[u64], others: &[u64]) {
        let directory = Directory::new(numbers);
        for number in numbers.iter().chain(others) {
            assert_eq!(directory.find(*number).map(|place| place as usize), numbers.binary_search(number).ok(), "{number}");
        }
        let wanted: Vec<u64> = numbers.iter().chain(others).copied().collect();
        let one_by_one: Vec<u32> = wanted.iter().map(|number| directory.find(*number).unwrap_or(u32::MAX)).collect();
        assert_eq!(directory.find_all(&wanted, u32::MAX), one_by_one);
    }

    #[test]
    fn nobody_and_one() {
        check(&[], &[0, 11_010_519_491_231_002]);
        check(&[11_010_519_491_231_002], &[11_010_519_491_231_001, 11_010_519_491_231_003, 11_010_619_491_231_002, 99_999_999_999_999_999]);
    }

    fn number() -> impl Strategy<Value = u64> {
        let region = prop_oneof![Just(110_101_u64), Just(110_102), Just(990_199), 100_000..999_999_u64];
        (region, prop_oneof![1_900..1_903_u64, 1_800..2_200_u64], 1..=12_u64, 1..=31_u64, 0..1_000_u64)
            .prop_map(|(region, year, month, day, sequence)| (((region * 10_000 + year) * 100 + month) * 100 + day) * 1_000 + sequence)
    }

    proptest! {
        #[test]
        fn everybody_is_found_and_nobody_else(mut numbers in prop::collection::vec(number(), 0..300), others in prop::collection::vec(number(), 0..60)) {
            numbers.sort_unstable();
            numbers.dedup();
            check(&numbers, &others);
        }
    }
}
