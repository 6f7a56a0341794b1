//! Values per row as Arrow arrays: block by block, lane by lane, without a rational per row.

#![expect(clippy::inline_always, reason = "a divisor written at the call becomes a product")]

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, DictionaryArray, Int32Array, Int64Array, StringArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::record_batch::RecordBatch;

use super::evaluate::Block;
use super::fraction::Fraction;
use super::kernels::LaneBuffer;
use super::kernels::arith::checked_rows;
use super::values::{Root, ValueProgram};
use super::{EvalError, Rational, Scratch, bitmap, round_half_up};

impl ValueProgram {
    /// The values of each root for all rows of a batch, as one array per root; null is unknown.
    ///
    /// Yes or no: [`BooleanArray`]. A date: [`Date32Array`]. A number: [`Int64Array`] of `value × 10^scale`, rounded half
    /// up where that is not whole, with the scale that `scales` has for the root (for other roots it means nothing). A
    /// text: [`DictionaryArray`] of 32-bit keys over [`StringArray`], whose values need not be distinct, nor all used.
    ///
    /// # Errors
    ///
    /// As [`super::Program::evaluate`]; also [`EvalError::Overflow`] where a rounded number does not fit 64 bits.
    ///
    /// # Panics
    ///
    /// If there are fewer scales than roots.
    pub fn arrays(&self, batch: &RecordBatch, scratch: &mut Scratch, scales: &[u8]) -> Result<Vec<ArrayRef>, EvalError> {
        let rows = batch.num_rows();
        let mut columns: Vec<Column> = self.roots.iter().map(|&root| Column::new(root, rows)).collect();
        let mut lost: Option<(usize, usize)> = None;
        let run = self.plan.run(&self.graph, &self.schema, batch, scratch, |block| {
            for (index, (&root, column)) in self.roots.iter().zip(&mut columns).enumerate() {
                if let Some(row) = column.append(block, root, scales[index]) {
                    let first = (block.start + row, index);
                    lost = Some(lost.map_or(first, |before| before.min(first)));
                }
            }
        });
        match (run, lost) {
            (Ok(()), None) => Ok(columns.into_iter().map(|column| column.finish(rows)).collect()),
            (Err(EvalError::Overflow { root, row }), Some(other)) if other < (row, root) => Err(overflow(other)),
            (Ok(()), Some(lost)) => Err(overflow(lost)),
            (Err(error), _) => Err(error),
        }
    }
}

fn overflow((row, root): (usize, usize)) -> EvalError {
    EvalError::Overflow { root, row }
}

/// An array under construction.
struct Column {
    known: Vec<u64>,
    values: Growing,
}

enum Growing {
    Bool(Vec<u64>),
    Number(Vec<i64>),
    Date(Vec<i32>),
    Text(Vec<i32>, StringArray),
}

impl Column {
    fn new(root: Root, rows: usize) -> Self {
        let values = match root {
            Root::Bool(_) => Growing::Bool(Vec::with_capacity(bitmap::words(rows))),
            Root::Number(_) => Growing::Number(Vec::with_capacity(rows)),
            Root::Date(_) => Growing::Date(Vec::with_capacity(rows)),
            Root::Text(_) => Growing::Text(Vec::with_capacity(rows), StringArray::new_null(0)),
        };
        Self { known: Vec::with_capacity(bitmap::words(rows)), values }
    }

    /// Adds a block; gives its first known row whose number does not fit.
    fn append(&mut self, block: &mut Block<'_>, root: Root, scale: u8) -> Option<usize> {
        match (root, &mut self.values) {
            (Root::Bool(edge), Growing::Bool(values)) => {
                block.bool(edge);
                let words = block.edge(edge);
                values.extend_from_slice(words.yes);
                self.known.extend(words.yes.iter().zip(words.no).map(|(yes, no)| yes | no));
                None
            }
            (Root::Number(number), Growing::Number(values)) => {
                block.lane(number.num);
                number.den.into_iter().for_each(|den| block.lane(den));
                self.known.extend_from_slice(&block.lane_buffer(number.num).known);
                append_numbers(block, number, scale, values)
            }
            (Root::Date(date), Growing::Date(values)) => {
                block.lane(date.num);
                let days = block.lane_buffer(date.num);
                self.known.extend_from_slice(&days.known);
                // a day that is known lies in 32 bits
                values.extend(days.values.iter().map(|&day| i32::try_from(day).unwrap_or(0)));
                None
            }
            (Root::Text(text), Growing::Text(keys, distinct)) => {
                if block.start == 0 {
                    *distinct = block.distinct_texts(text);
                }
                block.text(text);
                let (new, known) = block.text_part(text);
                self.known.extend_from_slice(known);
                for (new, &known) in new.chunks(64).zip(known) {
                    keys.extend(new.iter().enumerate().map(|(bit, &key)| if known >> bit & 1 == 1 { key.cast_signed() } else { 0 }));
                }
                None
            }
            _ => unreachable!("columns are made for their root"),
        }
    }

    fn finish(self, rows: usize) -> ArrayRef {
        let bits = |words: Vec<u64>| BooleanBuffer::new(Buffer::from_vec(words), 0, rows);
        let nulls = Some(NullBuffer::new(bits(self.known))).filter(|nulls| nulls.null_count() > 0);
        match self.values {
            Growing::Bool(values) => Arc::new(BooleanArray::new(bits(values), nulls)),
            Growing::Number(values) => Arc::new(Int64Array::new(values.into(), nulls)),
            Growing::Date(values) => Arc::new(Date32Array::new(values.into(), nulls)),
            Growing::Text(keys, distinct) => Arc::new(DictionaryArray::new(Int32Array::new(keys.into(), nulls), Arc::new(distinct))),
        }
    }
}

/// Adds `num / den / 10^number.scale × 10^scale`; gives the first known row at which it does not fit.
fn append_numbers(block: &Block<'_>, number: Fraction, scale: u8, values: &mut Vec<i64>) -> Option<usize> {
    let num = block.lane_buffer(number.num);
    let shift = i32::from(scale) - number.scale;
    if number.den.is_none() && shift == 0 {
        values.extend_from_slice(&num.values);
        return None;
    }
    let start = values.len();
    values.resize(start + num.values.len(), 0);
    let out = &mut values[start..];
    let constant = number.den.map_or(Some(1), |den| block.graph.constant(den));
    let (up, down) = (power(shift), power(-shift));
    match (constant, up, down) {
        (Some(1), Some(up), Some(1)) => checked_rows(&num.known, out, |row| num.values[row].checked_mul(up)),
        (Some(1), Some(1), Some(down)) => {
            match down {
                10 => divide(num, out, 10),
                100 => divide(num, out, 100),
                10_000 => divide(num, out, 10_000),
                _ => divide(num, out, down),
            }
            None
        }
        (Some(den), ..) => checked_rows(&num.known, out, |row| rounded(num.values[row], den, number.scale, scale, up.zip(down))),
        (None, ..) => {
            let den = &block.lane_buffer(number.den.unwrap_or(number.num)).values;
            checked_rows(&num.known, out, |row| rounded(num.values[row], den[row], number.scale, scale, up.zip(down)))
        }
    }
}

/// A power of ten that fits; one for negative exponents.
fn power(exponent: i32) -> Option<i64> {
    10_i64.checked_pow(u32::try_from(exponent.max(0)).ok()?)
}

/// Made part of each call, so that a divisor written there becomes a product.
#[inline(always)]
fn divide(num: &LaneBuffer, out: &mut [i64], den: i64) {
    for (out, &value) in out.iter_mut().zip(&num.values) {
        *out = half_up(value, den);
    }
}

/// The nearest whole number, halves away from zero; the divisor is positive.
#[inline(always)]
fn half_up(num: i64, den: i64) -> i64 {
    let (whole, rest) = (num / den, num % den);
    whole + if rest.abs() >= den - rest.abs() { rest.signum() } else { 0 }
}

/// `num / den / 10^from × 10^to`, rounded half up, where it fits; `powers` are up and down, where they do. A denominator
/// of zero, which only rows that are not known have, gives zero.
fn rounded(num: i64, den: i64, from: i32, to: u8, powers: Option<(i64, i64)>) -> Option<i64> {
    if den == 0 {
        return Some(0);
    }
    let narrow = powers.and_then(|(up, down)| Some((num.checked_mul(up)?, den.checked_mul(down)?)));
    match narrow {
        Some((num, den)) if den > 0 => Some(half_up(num, den)),
        _ => {
            let power = 10_i128.checked_pow(from.unsigned_abs())?;
            let (num_factor, den_factor) = if from < 0 { (power, 1) } else { (1, power) };
            round_half_up(&Rational::new(i128::from(num) * num_factor, i128::from(den) * den_factor)?, to)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_as_exact_quotients_are() {
        let edges = [0, 1, -1, 4, 5, 6, -5, 49, 50, -50, 149, 150, 999, i64::MAX, i64::MIN, i64::MAX / 100];
        for num in edges {
            for den in [1, 2, 3, 7, -2, -3, 200, i64::MAX, i64::MIN] {
                for (from, to) in [(0, 0), (2, 0), (2, 2), (0, 2), (4, 2), (-3, 0), (18, 0), (0, 18), (18, 30)] {
                    let shift = i32::from(to) - from;
                    let power_of = |exponent: i32| 10_i128.pow(exponent.unsigned_abs());
                    let (up, down) = if from < 0 { (power_of(from), 1) } else { (1, power_of(from)) };
                    let exact = Rational::new(i128::from(num) * up, i128::from(den) * down).expect("not divided by zero");
                    let expected = round_half_up(&exact, to);
                    assert_eq!(rounded(num, den, from, to, power(shift).zip(power(-shift))), expected, "{num} / {den}, {from} to {to}");
                }
            }
        }
    }

    #[test]
    fn divisors_written_out_round_as_others_do() {
        let values: Vec<i64> = (-260..260).chain([i64::MAX, i64::MIN]).collect();
        let num = LaneBuffer { known: vec![u64::MAX; bitmap::words(values.len())], values };
        for den in [10, 100, 10_000, 1_000_000_000_000_000_000] {
            let mut out = vec![0; num.values.len()];
            divide(&num, &mut out, den);
            for (&value, found) in num.values.iter().zip(out) {
                assert_eq!(i128::from(found), Rational::new(i128::from(value), i128::from(den)).expect("not zero").round());
            }
        }
    }
}
