//! The loops that all rows go through, in the widest vectors that the machine has; chosen when the program runs.
//!
//! Each loop is written once, in plain Rust, and compiled for each set of features; only the packing of comparisons into
//! bits is written out per set, because compilers do not find it. On `aarch64` the plain loops are NEON already.
//!
//! # Why the unsafe code is sound
//!
//! There are two kinds. *Calls* of functions with `#[target_feature]`: the functions themselves are safe, and the machine
//! must have the features. A [`Vectors`] other than the plain one is only made by [`Vectors::available`], after the
//! machine was asked for each feature that the functions of its kind name, and it is the receiver of every such call.
//! *Loads* of a whole vector from an array of integers: a reference to the array is valid for reads of its size, which is
//! held equal to the vector's when compiling, the load asks for no alignment, and any bits are a valid vector.
//! The tests hold every kind that the machine has equal to the plain one.

#![expect(unsafe_code, reason = "see the proof above; tests hold all kinds equal")]
#![expect(clippy::inline_always, reason = "a loop is compiled with the features of the function that it is part of")]

use std::sync::LazyLock;

use super::compare::{Code, Narrow};
use super::logic::Words;

/// Which vectors the loops use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Vectors(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512 bits; population counts through bytes.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 512 bits, and population counts of words.
    #[cfg(target_arch = "x86_64")]
    Avx512Count,
}

impl Vectors {
    /// The widest that the machine has.
    pub(in super::super) fn best() -> Self {
        static BEST: LazyLock<Vectors> = LazyLock::new(|| Vectors::available().last().copied().unwrap_or(Vectors(Kind::Plain)));
        *BEST
    }

    /// All that the machine has, the widest last.
    pub(in super::super) fn available() -> Vec<Self> {
        let mut kinds = vec![Kind::Plain];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("popcnt");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            let counts = avx512 && is_x86_feature_detected!("avx512vpopcntdq");
            let found = [(avx2, Kind::Avx2), (avx512, Kind::Avx512), (counts, Kind::Avx512Count)];
            kinds.extend(found.into_iter().filter(|(found, _)| *found).map(|(_, kind)| kind));
        }
        kinds.into_iter().map(Self).collect()
    }

    /// What the kind is called.
    pub(in super::super) fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 | Kind::Avx512Count => "avx512",
            Kind::Plain if cfg!(target_arch = "aarch64") => "neon",
            Kind::Plain => "portable",
        }
    }
}

/// Compiles a plain loop for each set of features, and calls the one that the receiver stands for.
macro_rules! compiled {
    ($(#[$doc:meta])* $name:ident [$($generic:tt)*] [$($given:tt)*] ($($argument:ident: $ty:ty),*) $(-> $result:ty)?) => {
        impl Vectors {
            $(#[$doc])*
            pub(in super::super) fn $name<$($generic)*>(self, $($argument: $ty),*) $(-> $result)? {
                #[cfg(target_arch = "x86_64")]
                {
                    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
                    fn avx2<$($generic)*>($($argument: $ty),*) $(-> $result)? {
                        plain::$name::<$($given)*>($($argument),*)
                    }
                    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
                    fn avx512<$($generic)*>($($argument: $ty),*) $(-> $result)? {
                        plain::$name::<$($given)*>($($argument),*)
                    }
                    #[target_feature(enable = "avx512vpopcntdq,avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
                    fn avx512_count<$($generic)*>($($argument: $ty),*) $(-> $result)? {
                        plain::$name::<$($given)*>($($argument),*)
                    }
                    match self.0 {
                        Kind::Plain => {}
                        // SAFETY: the kind is only made when the machine has these features.
                        Kind::Avx2 => return unsafe { avx2::<$($given)*>($($argument),*) },
                        // SAFETY: as above.
                        Kind::Avx512 => return unsafe { avx512::<$($given)*>($($argument),*) },
                        // SAFETY: as above.
                        Kind::Avx512Count => return unsafe { avx512_count::<$($given)*>($($argument),*) },
                    }
                }
                plain::$name::<$($given)*>($($argument),*)
            }
        }
    };
}

compiled! {
    /// The least and the greatest value; `None` of no values.
    bounds [T: Narrow] [T] (values: &[T]) -> Option<(i64, i64)>
}
compiled! {
    /// Each value less `base`, cut to the width of the codes.
    encode [T: Narrow, C: Code] [T, C] (values: &[T], base: i64, out: &mut [C])
}
compiled! {
    /// In how many rows all conditions are yes, and in how many one is no.
    count [const K: usize] [K] (conditions: [Words<'_>; K], words: usize) -> [u64; 2]
}
compiled! {
    /// As `count`, after each condition.
    count_each [const K: usize] [K] (conditions: [Words<'_>; K], words: usize) -> [[u64; 2]; K]
}
compiled! {
    /// The rows in which all conditions are yes, and those in which one is no.
    and [const K: usize] [K] (conditions: [Words<'_>; K], yes: &mut [u64], no: &mut [u64])
}
compiled! {
    /// The rows of `all` in which all conditions are yes, and those in which none is no but one is unknown.
    verdict [const K: usize] [K] (conditions: [Words<'_>; K], all: &[u64], yes: &mut [u64], unknown: &mut [u64])
}
compiled! {
    /// In how many rows of the mask both kinds of row are set.
    count_within [] [] (yes: &[u64], no: &[u64], mask: &[u64]) -> [u64; 2]
}
compiled! {
    /// Clears in the first what is set in the second.
    clear [] [] (bits: &mut [u64], other: &[u64])
}
compiled! {
    /// Yes and no of what was compared for all rows, where it is known.
    split [] [] (known: &[u64], yes: &mut [u64], no: &mut [u64])
}

/// `within`: per kind and width, because of the way from comparisons to bits.
macro_rules! within {
    ($(#[$doc:meta])* $name:ident, $integer:ty, $avx2:ident, $avx512:ident) => {
        impl Vectors {
            $(#[$doc])*
            pub(in super::super) fn $name(self, values: &[$integer], low: $integer, width: $integer, out: &mut [u64]) {
                #[cfg(target_arch = "x86_64")]
                match self.0 {
                    Kind::Plain => {}
                    // SAFETY: the kind is only made when the machine has AVX2.
                    Kind::Avx2 => return unsafe { x86::$avx2(values, low, width, out) },
                    // SAFETY: the kinds are only made when the machine has AVX-512 F and BW.
                    Kind::Avx512 | Kind::Avx512Count => return unsafe { x86::$avx512(values, low, width, out) },
                }
                plain::within(values, low, width, out);
            }
        }
    };
}

within! {
    /// Sets the bit of each value of which `value - low`, wrapping, is at most `width`.
    within_u8, u8, within_u8_avx2, within_u8_avx512
}
within! {
    /// As `within_u8`.
    within_u16, u16, within_u16_avx2, within_u16_avx512
}
within! {
    /// As `within_u8`.
    within_u32, u32, within_u32_avx2, within_u32_avx512
}
within! {
    /// As `within_u8`.
    within_u64, u64, within_u64_avx2, within_u64_avx512
}

/// The loops, written once. They are always made part of their caller, and so compiled with its features.
mod plain {
    use super::super::compare::{Code, Narrow, pack};
    use super::Words;

    #[inline(always)]
    pub(super) fn within<C: Code>(values: &[C], low: C, width: C, out: &mut [u64]) {
        pack(values, out, |value| value.minus(low) <= width);
    }

    #[inline(always)]
    pub(super) fn bounds<T: Narrow>(values: &[T]) -> Option<(i64, i64)> {
        let first = *values.first()?;
        let (least, greatest) = values.iter().fold((first, first), |(least, greatest), &value| (least.min(value), greatest.max(value)));
        Some((least.widen(), greatest.widen()))
    }

    #[inline(always)]
    pub(super) fn encode<T: Narrow, C: Code>(values: &[T], base: i64, out: &mut [C]) {
        for (out, &value) in out.iter_mut().zip(values) {
            *out = C::cut(value.widen().wrapping_sub(base));
        }
    }

    /// The same conditions, so many words of each: loops over them need no checks.
    #[inline(always)]
    fn cut<const K: usize>(conditions: [Words<'_>; K], words: usize) -> [Words<'_>; K] {
        conditions.map(|condition| Words { yes: &condition.yes[..words], no: &condition.no[..words] })
    }

    #[inline(always)]
    pub(super) fn count<const K: usize>(conditions: [Words<'_>; K], words: usize) -> [u64; 2] {
        let conditions = cut(conditions, words);
        let mut counts = [0_u64; 2];
        for index in 0..words {
            let (mut yes, mut no) = (u64::MAX, 0);
            for condition in &conditions {
                yes &= condition.yes[index];
                no |= condition.no[index];
            }
            counts[0] += u64::from(yes.count_ones());
            counts[1] += u64::from(no.count_ones());
        }
        counts
    }

    #[inline(always)]
    pub(super) fn count_each<const K: usize>(conditions: [Words<'_>; K], words: usize) -> [[u64; 2]; K] {
        let conditions = cut(conditions, words);
        let mut counts = [[0_u64; 2]; K];
        for index in 0..words {
            let (mut yes, mut no) = (u64::MAX, 0);
            for (condition, counts) in conditions.iter().zip(&mut counts) {
                yes &= condition.yes[index];
                no |= condition.no[index];
                counts[0] += u64::from(yes.count_ones());
                counts[1] += u64::from(no.count_ones());
            }
        }
        counts
    }

    #[inline(always)]
    pub(super) fn and<const K: usize>(conditions: [Words<'_>; K], yes: &mut [u64], no: &mut [u64]) {
        let words = yes.len();
        let (conditions, no) = (cut(conditions, words), &mut no[..words]);
        for index in 0..words {
            let (mut all, mut any) = (u64::MAX, 0);
            for condition in &conditions {
                all &= condition.yes[index];
                any |= condition.no[index];
            }
            yes[index] = all;
            no[index] = any;
        }
    }

    #[inline(always)]
    pub(super) fn verdict<const K: usize>(conditions: [Words<'_>; K], all: &[u64], yes: &mut [u64], unknown: &mut [u64]) {
        let words = yes.len();
        let (conditions, all, unknown) = (cut(conditions, words), &all[..words], &mut unknown[..words]);
        for index in 0..words {
            let (mut sure, mut settled) = (all[index], 0);
            for condition in &conditions {
                sure &= condition.yes[index];
                settled |= condition.no[index];
            }
            yes[index] = sure;
            unknown[index] = all[index] & !(sure | settled);
        }
    }

    #[inline(always)]
    pub(super) fn count_within(yes: &[u64], no: &[u64], mask: &[u64]) -> [u64; 2] {
        let words = mask.len();
        let (yes, no) = (&yes[..words], &no[..words]);
        let mut counts = [0_u64; 2];
        for index in 0..words {
            counts[0] += u64::from((yes[index] & mask[index]).count_ones());
            counts[1] += u64::from((no[index] & mask[index]).count_ones());
        }
        counts
    }

    #[inline(always)]
    pub(super) fn clear(bits: &mut [u64], other: &[u64]) {
        for (bits, other) in bits.iter_mut().zip(other) {
            *bits &= !other;
        }
    }

    #[inline(always)]
    pub(super) fn split(known: &[u64], yes: &mut [u64], no: &mut [u64]) {
        let words = known.len();
        let (yes, no) = (&mut yes[..words], &mut no[..words]);
        for index in 0..words {
            no[index] = known[index] & !yes[index];
            yes[index] &= known[index];
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(clippy::cast_sign_loss, reason = "masks are bits, with or without sign")]
#[allow(clippy::wildcard_imports, reason = "each loop has its own instructions")]
mod x86 {
    use std::arch::x86_64::*;

    use super::super::compare::Code;
    use super::plain;

    /// The first half, quarter … of a word's rows as a vector of 512 bits.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load512<C: Code, const N: usize>(values: &[C; N]) -> __m512i {
        const { assert!(size_of::<[C; N]>() == size_of::<__m512i>()) };
        // SAFETY: the array is readable, as large as the vector, and any alignment will do.
        unsafe { _mm512_loadu_si512(std::ptr::from_ref(values).cast()) }
    }

    /// As `load512`, of 256 bits.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn load256<C: Code, const N: usize>(values: &[C; N]) -> __m256i {
        const { assert!(size_of::<[C; N]>() == size_of::<__m256i>()) };
        // SAFETY: as above.
        unsafe { _mm256_loadu_si256(std::ptr::from_ref(values).cast()) }
    }

    /// Whole words by vectors of `$lanes` values, the rest by the plain loop.
    macro_rules! by_words {
        ($name:ident, $features:literal, $integer:ty, $lanes:literal, |$low:ident, $width:ident| $prepare:expr, |$vector:ident| $bits:expr) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name(values: &[$integer], low: $integer, width: $integer, out: &mut [u64]) {
                let (words, rest) = values.as_chunks::<64>();
                let ($low, $width) = (low, width);
                let ($low, $width) = $prepare;
                for (values, out) in words.iter().zip(out.iter_mut()) {
                    let (vectors, _) = values.as_chunks::<$lanes>();
                    let mut word = 0_u64;
                    for (index, $vector) in vectors.iter().enumerate() {
                        let bits: u64 = $bits;
                        word |= bits << (index * $lanes);
                    }
                    *out = word;
                }
                if !rest.is_empty() {
                    plain::within(rest, low, width, &mut out[words.len()..]);
                }
            }
        };
    }

    by_words!(
        within_u8_avx512,
        "avx512f,avx512bw",
        u8,
        64,
        |low, width| (_mm512_set1_epi8(low.cast_signed()), _mm512_set1_epi8(width.cast_signed())),
        |vector| _mm512_cmple_epu8_mask(_mm512_sub_epi8(load512(vector), low), width)
    );
    by_words!(
        within_u16_avx512,
        "avx512f,avx512bw",
        u16,
        32,
        |low, width| (_mm512_set1_epi16(low.cast_signed()), _mm512_set1_epi16(width.cast_signed())),
        |vector| u64::from(_mm512_cmple_epu16_mask(_mm512_sub_epi16(load512(vector), low), width))
    );
    by_words!(
        within_u32_avx512,
        "avx512f,avx512bw",
        u32,
        16,
        |low, width| (_mm512_set1_epi32(low.cast_signed()), _mm512_set1_epi32(width.cast_signed())),
        |vector| u64::from(_mm512_cmple_epu32_mask(_mm512_sub_epi32(load512(vector), low), width))
    );
    by_words!(
        within_u64_avx512,
        "avx512f,avx512bw",
        u64,
        8,
        |low, width| (_mm512_set1_epi64(low.cast_signed()), _mm512_set1_epi64(width.cast_signed())),
        |vector| u64::from(_mm512_cmple_epu64_mask(_mm512_sub_epi64(load512(vector), low), width))
    );
    by_words!(
        within_u8_avx2,
        "avx2",
        u8,
        32,
        |low, width| (_mm256_set1_epi8(low.cast_signed()), _mm256_set1_epi8(width.cast_signed())),
        |vector| {
            let offset = _mm256_sub_epi8(load256(vector), low);
            u64::from(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(offset, width), offset)) as u32)
        }
    );
    by_words!(
        within_u16_avx2,
        "avx2",
        u16,
        32,
        |low, width| (_mm256_set1_epi16(low.cast_signed()), _mm256_set1_epi16(width.cast_signed())),
        |vector| {
            let (halves, _) = vector.as_chunks::<16>();
            let (first, second) = (_mm256_sub_epi16(load256(&halves[0]), low), _mm256_sub_epi16(load256(&halves[1]), low));
            let first = _mm256_cmpeq_epi16(_mm256_min_epu16(first, width), first);
            let second = _mm256_cmpeq_epi16(_mm256_min_epu16(second, width), second);
            // packing works within halves of a vector: the quarters come out as 0, 2, 1, 3
            let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi16(first, second));
            u64::from(_mm256_movemask_epi8(packed) as u32)
        }
    );
    by_words!(
        within_u32_avx2,
        "avx2",
        u32,
        8,
        |low, width| (_mm256_set1_epi32(low.cast_signed()), _mm256_set1_epi32(width.cast_signed())),
        |vector| {
            let offset = _mm256_sub_epi32(load256(vector), low);
            let passes = _mm256_cmpeq_epi32(_mm256_min_epu32(offset, width), offset);
            u64::from(_mm256_movemask_ps(_mm256_castsi256_ps(passes)) as u32)
        }
    );
    by_words!(
        within_u64_avx2,
        "avx2",
        u64,
        4,
        |low, width| {
            // there is no unsigned comparison: with the upper bit turned the signed one says the same
            let turned = (width ^ (1 << 63)).cast_signed();
            (_mm256_set1_epi64x(low.cast_signed()), _mm256_set1_epi64x(turned))
        },
        |vector| {
            let offset = _mm256_xor_si256(_mm256_sub_epi64(load256(vector), low), _mm256_set1_epi64x(i64::MIN));
            let fails = _mm256_cmpgt_epi64(offset, width);
            u64::from(!(_mm256_movemask_pd(_mm256_castsi256_pd(fails)) as u32) & 0b1111)
        }
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 12] = [0, 1, 7, 63, 64, 65, 127, 511, 512, 513, 4095, 4160];

    /// Numbers without any order, the same everywhere.
    fn mixed(index: usize, seed: u64) -> u64 {
        let mut value = (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ seed.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 30)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    fn words(count: usize, seed: u64) -> Vec<u64> {
        match seed % 4 {
            0 => vec![0; count],
            1 => vec![u64::MAX; count],
            _ => (0..count).map(|index| mixed(index, seed) & mixed(index, seed + 100)).collect(),
        }
    }

    #[test]
    fn the_plain_loops_are_always_there() {
        assert_eq!(Vectors::available()[0], Vectors(Kind::Plain));
        assert_eq!(Some(&Vectors::best()), Vectors::available().last());
    }

    /// Ranges of codes, by each kind, are what comparing one by one says.
    macro_rules! ranges {
        ($test:ident, $within:ident, $integer:ty) => {
            #[test]
            fn $test() {
                for size in SIZES {
                    let spread: Vec<$integer> = (0..size).map(|index| <$integer>::cut(mixed(index, 1).cast_signed())).collect();
                    let small: Vec<$integer> = (0..size).map(|index| <$integer>::cut((mixed(index, 2) % 9).cast_signed())).collect();
                    for values in [spread, small] {
                        for low in [0, 1, 4, 100, <$integer>::MAX / 2, <$integer>::MAX - 1, <$integer>::MAX] {
                            for width in [0, 1, 3, 120, <$integer>::MAX / 2, <$integer>::MAX] {
                                let passes = |row: usize| values[row].wrapping_sub(low) <= width;
                                for vectors in Vectors::available() {
                                    let mut out = vec![u64::MAX; size.div_ceil(64)];
                                    vectors.$within(&values, low, width, &mut out);
                                    for (index, word) in out.iter().enumerate() {
                                        let expected = (0..64)
                                            .filter(|bit| index * 64 + bit < size && passes(index * 64 + bit))
                                            .fold(0, |word, bit| word | 1_u64 << bit);
                                        assert_eq!(*word, expected, "{vectors:?}, {size} rows, word {index}, {low} + {width}");
                                    }
                                }
                            }
                        }
                    }
                }
            }
        };
    }

    ranges!(ranges_of_bytes, within_u8, u8);
    ranges!(ranges_of_two_bytes, within_u16, u16);
    ranges!(ranges_of_four_bytes, within_u32, u32);
    ranges!(ranges_of_eight_bytes, within_u64, u64);

    #[track_caller]
    fn check_narrow<T: Narrow + TryFrom<u64>>() {
        for size in SIZES {
            let values: Vec<T> = (0..size).filter_map(|index| T::try_from(mixed(index, 3) % 120).ok()).collect();
            let bounds = values.iter().min().zip(values.iter().max()).map(|(least, greatest)| (least.widen(), greatest.widen()));
            for vectors in Vectors::available() {
                assert_eq!(vectors.bounds(&values), bounds, "{vectors:?}, {size} rows");
                let base = bounds.map_or(0, |bounds| bounds.0);
                let (mut bytes, mut wide) = (vec![0_u8; size], vec![0_u64; size]);
                vectors.encode(&values, base, &mut bytes);
                vectors.encode(&values, base, &mut wide);
                for (row, value) in values.iter().enumerate() {
                    let offset = value.widen() - base;
                    assert_eq!((i64::from(bytes[row]), wide[row]), (offset, offset.cast_unsigned()), "{vectors:?}, row {row} of {size}");
                }
            }
        }
    }

    #[test]
    fn bounds_and_codes_of_every_integer_type() {
        check_narrow::<i8>();
        check_narrow::<i16>();
        check_narrow::<i32>();
        check_narrow::<i64>();
        check_narrow::<u8>();
        check_narrow::<u16>();
        check_narrow::<u32>();
    }

    #[test]
    fn the_whole_range_of_64_bits_is_coded() {
        for vectors in Vectors::available() {
            let values = [i64::MIN, -1, 0, i64::MAX];
            assert_eq!(vectors.bounds(&values), Some((i64::MIN, i64::MAX)));
            let mut codes = [0_u64; 4];
            vectors.encode(&values, i64::MIN, &mut codes);
            assert_eq!(codes, [0, (1 << 63) - 1, 1 << 63, u64::MAX]);
        }
    }

    /// Conditions of which none, all, or some rows are known.
    fn check_conjunctions<const K: usize>(seed: u64) {
        for size in [0, 1, 7, 8, 9, 64, 65] {
            let known: Vec<Vec<u64>> = (0..K).map(|condition| words(size, seed + condition as u64)).collect();
            let yes: Vec<Vec<u64>> = known
                .iter()
                .zip(0..)
                .map(|(known, at)| known.iter().zip(words(size, seed * 7 + at)).map(|(a, b)| a & b).collect())
                .collect();
            let no: Vec<Vec<u64>> =
                known.iter().zip(&yes).map(|(known, yes)| known.iter().zip(yes).map(|(known, yes)| known & !yes).collect()).collect();
            let conditions: [Words<'_>; K] = std::array::from_fn(|at| Words { yes: &yes[at], no: &no[at] });
            let (all, mask) = (vec![u64::MAX; size], words(size, seed + 2));
            let up_to = |condition: usize, index: usize| {
                (0..=condition).fold((u64::MAX, 0), |(all, any), at| (all & yes[at][index], any | no[at][index]))
            };
            let ones = |condition: usize| {
                (0..size).fold([0, 0], |[yes, no], index| {
                    let (all, any) = up_to(condition, index);
                    [yes + u64::from(all.count_ones()), no + u64::from(any.count_ones())]
                })
            };
            for vectors in Vectors::available() {
                assert_eq!(vectors.count(conditions, size), ones(K - 1), "{vectors:?}");
                assert_eq!(vectors.count_each(conditions, size), std::array::from_fn(ones), "{vectors:?}");
                let (mut sure, mut denied, mut open) = (vec![1; size], vec![1; size], vec![1; size]);
                vectors.and(conditions, &mut sure, &mut denied);
                assert!((0..size).all(|index| (sure[index], denied[index]) == up_to(K - 1, index)), "{vectors:?}");
                let within = [&sure, &denied].map(|bits| bits.iter().zip(&mask).map(|(a, b)| u64::from((a & b).count_ones())).sum::<u64>());
                assert_eq!(vectors.count_within(&sure, &denied, &mask), within, "{vectors:?}");
                vectors.verdict(conditions, &all, &mut sure, &mut open);
                assert!((0..size).all(|index| open[index] == !(sure[index] | denied[index])), "{vectors:?}");
                let mut rest = sure.clone();
                vectors.clear(&mut rest, &mask);
                assert!((0..size).all(|index| rest[index] == sure[index] & !mask[index]), "{vectors:?}");
                let (mut passes, mut fails) = (words(size, seed + 9), vec![1; size]);
                vectors.split(&known[0], &mut passes, &mut fails);
                assert!((0..size).all(|index| passes[index] & fails[index] == 0 && passes[index] | fails[index] == known[0][index]));
            }
        }
    }

    #[test]
    fn conjunctions_of_any_length_and_any_missing_rows() {
        for seed in 0..8 {
            check_conjunctions::<1>(seed);
            check_conjunctions::<2>(seed);
            check_conjunctions::<3>(seed);
            check_conjunctions::<6>(seed);
        }
    }
}
