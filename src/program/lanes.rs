//! Evaluation of lanes, and of ranges straight on a column's buffer.

use std::sync::Arc;

use super::columns::Values;
use super::evaluate::Block;
use super::kernels::{BoolBuffer, LaneBuffer, arith, compare, dates};
use super::node::{LaneId, LaneNode, TextId};
use super::scratch::{Slot, Uniform};

/// Runs an expression on the slice of native integers that a column has for the block.
macro_rules! on_integers {
    ($values:expr, $span:expr, $slice:ident => $then:expr, otherwise $otherwise:expr) => {
        match $values {
            Values::Int8(array) => {
                let $slice = &array.values()[$span];
                $then
            }
            Values::Int16(array) => {
                let $slice = &array.values()[$span];
                $then
            }
            Values::Int32(array) => {
                let $slice = &array.values()[$span];
                $then
            }
            Values::Int64(array) => {
                let $slice = &array.values()[$span];
                $then
            }
            Values::UInt8(array) => {
                let $slice = &array.values()[$span];
                $then
            }
            Values::UInt16(array) => {
                let $slice = &array.values()[$span];
                $then
            }
            Values::UInt32(array) => {
                let $slice = &array.values()[$span];
                $then
            }
            Values::Date(array) => {
                let $slice = &array.values()[$span];
                $then
            }
            _ => $otherwise,
        }
    };
}

impl Block<'_> {
    /// Whether a lane lies in a range. A fact is compared as it lies in its column, and not at all where the least and
    /// the greatest value of the block already say it.
    pub(super) fn range(&mut self, lane: LaneId, low: i64, high: i64, out: &mut BoolBuffer) -> Uniform {
        let (graph, columns) = (self.graph, self.columns);
        let LaneNode::Fact(fact) = graph.lane_node(lane) else { return self.range_of_lane(lane, low, high, out) };
        let column = &columns[*fact];
        let span = self.start..self.start + self.rows;
        let Some(bounds) = self.bounds(*fact) else { return self.range_of_lane(lane, low, high, out) };
        let known = self.part(&column.known);
        if bounds.1 < low || high < bounds.0 {
            out.yes.fill(0);
            out.no.copy_from_slice(known);
        } else if low <= bounds.0 && bounds.1 <= high {
            out.yes.copy_from_slice(known);
            out.no.fill(0);
        } else {
            on_integers!(&column.values, span, slice => compare::range(slice, low, high, &mut out.yes), otherwise out.yes.fill(0));
            split(known, out);
            return Uniform::Mixed;
        }
        if known != self.full {
            Uniform::Mixed
        } else if out.yes[..] == *known {
            Uniform::Yes
        } else {
            Uniform::No
        }
    }

    fn range_of_lane(&mut self, lane: LaneId, low: i64, high: i64, out: &mut BoolBuffer) -> Uniform {
        self.lane(lane);
        let buffer = &self.buffers.lanes[lane.0 as usize].buffer;
        compare::range(&buffer.values, low, high, &mut out.yes);
        split(&buffer.known, out);
        Uniform::Mixed
    }

    /// The least and the greatest value of a fact in the block; `None` where its column is not compared as it is.
    fn bounds(&mut self, fact: usize) -> Option<(i64, i64)> {
        if self.buffers.bounds[fact].stamp != self.buffers.block {
            let span = self.start..self.start + self.rows;
            let bounds = on_integers!(&self.columns[fact].values, span, slice => compare::bounds(slice), otherwise None);
            self.buffers.bounds[fact] = Slot { buffer: bounds, stamp: self.buffers.block, uniform: Uniform::Mixed };
        }
        self.buffers.bounds[fact].buffer
    }

    /// Whether the lane is a column that always fits, so that it needs no checking on its own.
    pub(super) fn is_plain(&self, lane: LaneId) -> bool {
        let LaneNode::Fact(fact) = self.graph.lane_node(lane) else { return false };
        !matches!(self.columns[*fact].values, Values::Decimal(_) | Values::UInt64(_))
    }

    /// Evaluates a lane, unless that has been done for this block.
    pub(super) fn lane(&mut self, lane: LaneId) {
        let index = lane.0 as usize;
        if self.buffers.lanes[index].stamp == self.buffers.block {
            return;
        }
        let mut out = std::mem::take(&mut self.buffers.lanes[index].buffer);
        out.values.resize(self.rows, 0);
        out.known.resize(self.words(), 0);
        if let Some(row) = self.lane_node(lane, &mut out) {
            self.lost.push((self.start + row, index));
        }
        self.buffers.lanes[index] = Slot { buffer: out, stamp: self.buffers.block, uniform: Uniform::Mixed };
    }

    /// Computes a lane; gives the first row that left its range.
    fn lane_node(&mut self, lane: LaneId, out: &mut LaneBuffer) -> Option<usize> {
        let graph = self.graph;
        match graph.lane_node(lane) {
            LaneNode::Unknown => out.known.fill(0),
            LaneNode::Constant(value) => {
                out.values.fill(*value);
                out.known.copy_from_slice(&self.full);
            }
            LaneNode::Fact(fact) => return self.fact(*fact, out),
            LaneNode::Sum { left, left_factor, right, right_factor } => {
                let (left, right) = self.pair(*left, *right);
                return match (*left_factor, *right_factor) {
                    (1, 1) => arith::binary(left, right, out, i64::checked_add),
                    (1, -1) => arith::binary(left, right, out, i64::checked_sub),
                    (left_factor, right_factor) => arith::binary(left, right, out, |a, b| arith::sum(a, left_factor, b, right_factor)),
                };
            }
            LaneNode::Product(left, right) => {
                let (left, right) = self.pair(*left, *right);
                return arith::binary(left, right, out, i64::checked_mul);
            }
            LaneNode::Absolute(inner) => {
                self.lane(*inner);
                return arith::unary(self.lane_buffer(*inner), out, i64::checked_abs);
            }
            LaneNode::NonZero(inner) => {
                self.lane(*inner);
                arith::non_zero(self.lane_buffer(*inner), out);
            }
            LaneNode::When(inner, guard) => {
                let (inner, guard) = self.pair(*inner, *guard);
                arith::when(inner, guard, out);
            }
            LaneNode::Select(condition, then, otherwise) => {
                self.bool(*condition);
                self.pair(*then, *otherwise);
                self.select_lane(*condition, *then, *otherwise, out);
            }
            LaneNode::Whole { rounding, num, den, scale } => {
                let has_den = den.is_some();
                let (num, den) = self.pair(*num, den.unwrap_or(*num));
                return arith::binary(num, den, out, |num, den| arith::whole(*rounding, num, if has_den { den } else { 1 }, *scale));
            }
            LaneNode::Date(function, arguments) => {
                for argument in arguments {
                    self.lane(*argument);
                }
                let buffers: Vec<&LaneBuffer> = arguments.iter().map(|&argument| self.lane_buffer(argument)).collect();
                return dates::rows(*function, &buffers, out);
            }
            LaneNode::TextMap { text, digits } => self.text_map(lane, *text, digits, out),
        }
        None
    }

    pub(super) fn lane_buffer(&self, lane: LaneId) -> &LaneBuffer {
        &self.buffers.lanes[lane.0 as usize].buffer
    }

    fn pair(&mut self, left: LaneId, right: LaneId) -> (&LaneBuffer, &LaneBuffer) {
        self.lane(left);
        self.lane(right);
        (self.lane_buffer(left), self.lane_buffer(right))
    }

    fn select_lane(&self, condition: super::node::Edge, then: LaneId, otherwise: LaneId, out: &mut LaneBuffer) {
        let (condition, then, otherwise) = (self.edge(condition), self.lane_buffer(then), self.lane_buffer(otherwise));
        for (index, known) in out.known.iter_mut().enumerate() {
            let (yes, no) = (condition.yes[index], condition.no[index]);
            *known = yes & then.known[index] | no & otherwise.known[index];
            let span = index * 64..self.rows.min(index * 64 + 64);
            for (bit, row) in span.enumerate() {
                out.values[row] = if yes >> bit & 1 == 1 { then.values[row] } else { otherwise.values[row] };
            }
        }
    }

    fn fact(&self, fact: usize, out: &mut LaneBuffer) -> Option<usize> {
        let column = &self.columns[fact];
        let span = self.start..self.start + self.rows;
        out.known.copy_from_slice(self.part(&column.known));
        match &column.values {
            Values::Decimal(array) => narrow(&array.values()[span], out),
            Values::UInt64(array) => narrow(&array.values()[span], out),
            values => {
                on_integers!(values, span, slice => {
                    for (out, &value) in out.values.iter_mut().zip(slice) {
                        *out = compare::Narrow::widen(value);
                    }
                }, otherwise {});
                None
            }
        }
    }

    fn text_map(&mut self, lane: LaneId, text: TextId, map: &[(Arc<str>, i64)], out: &mut LaneBuffer) {
        let index = lane.0 as usize;
        self.text(text);
        if self.buffers.digits[index].stamp != self.buffers.batch {
            let mut digits = std::mem::take(&mut self.buffers.digits[index].buffer);
            digits.clear();
            self.for_each_text(text, |value| {
                let position = value.and_then(|value| map.binary_search_by(|entry| (*entry.0).cmp(value)).ok());
                digits.push(position.map(|position| map[position].1));
            });
            self.buffers.digits[index] = Slot { buffer: digits, stamp: self.buffers.batch, uniform: Uniform::Mixed };
        }
        let digits = &self.buffers.digits[index].buffer;
        let (keys, known) = self.text_part(text);
        out.known.copy_from_slice(known);
        for (row, (value, &key)) in out.values.iter_mut().zip(keys).enumerate() {
            match digits.get(key as usize).copied().flatten() {
                Some(found) => *value = found,
                None => out.known[row / 64] &= !(1 << (row % 64)),
            }
        }
    }
}

/// Yes and no where known.
fn split(known: &[u64], out: &mut BoolBuffer) {
    for ((yes, no), known) in out.yes.iter_mut().zip(&mut out.no).zip(known) {
        *no = known & !*yes;
        *yes &= known;
    }
}

/// Wider integers as 64 bits; gives the first known row that does not fit.
fn narrow<T: Copy + TryInto<i64>>(values: &[T], out: &mut LaneBuffer) -> Option<usize> {
    let mut first_lost = None;
    for (index, known) in out.known.iter_mut().enumerate() {
        let start = index * 64;
        let end = values.len().min(start + 64);
        let mut lost = 0_u64;
        for (bit, (value, &wide)) in out.values[start..end].iter_mut().zip(&values[start..end]).enumerate() {
            let fits: Option<i64> = wide.try_into().ok();
            *value = fits.unwrap_or(0);
            lost |= u64::from(fits.is_none()) << bit;
        }
        arith::settle(known, lost, index, &mut first_lost);
    }
    first_lost
}
