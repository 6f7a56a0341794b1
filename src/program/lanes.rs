//! Evaluation of lanes, and of ranges straight on a column's buffer.

use std::sync::Arc;

use super::codes::Place;
use super::columns::Values;
use super::evaluate::Block;
use super::kernels::{BoolBuffer, LaneBuffer, arith, compare, dates};
use super::node::{LaneId, LaneNode, TextId};
use super::scratch::{Buffers, Known, Slot, Uniform};

/// Runs an expression on the slice of native integers that a column has for the block, of 64 bits at most.
macro_rules! on_integers {
    ($values:expr, $span:expr, $slice:ident => $then:expr, otherwise $otherwise:expr) => {
        on_integers!(@ $values, $span, $slice, $then, $otherwise, I8 I16 I32 I64 U8 U16 U32)
    };
    (@ $values:expr, $span:expr, $slice:ident, $then:expr, $otherwise:expr, $($kind:ident)*) => {
        match $values {
            $(Values::$kind(values) => {
                let $slice = &values[$span];
                $then
            })*
            _ => $otherwise,
        }
    };
}

impl Block<'_> {
    /// Whether a lane lies in a range. It is not compared at all where the least and the greatest value of the block
    /// already say it.
    pub(super) fn range(&mut self, lane: LaneId, low: i64, high: i64, out: &mut BoolBuffer) -> Uniform {
        if let Some(uniform) = self.place_of_lane(lane, low, high) {
            return uniform;
        }
        self.encode_lane(lane);
        self.buffers.lane_codes[lane.0 as usize].buffer.within(low, high, self.vectors, &mut out.yes);
        let known = match self.graph.lane_node(lane) {
            LaneNode::Fact(fact) => self.part(&self.columns[*fact].known),
            _ => &self.buffers.lanes[lane.0 as usize].buffer.known,
        };
        self.vectors.split(known, &mut out.yes, &mut out.no);
        Uniform::Mixed
    }

    /// What the least and the greatest value of the block say of a range.
    pub(super) fn place_of_lane(&mut self, lane: LaneId, low: i64, high: i64) -> Option<Uniform> {
        let index = lane.0 as usize;
        if self.buffers.lane_codes[index].stamp != self.buffers.block && !self.lane_codes(lane) {
            return Some(Uniform::Unknown);
        }
        let codes = &self.buffers.lane_codes[index].buffer;
        let place = if low > high { Place::Outside } else { codes.place(low, high) };
        match (place, codes.all_known) {
            (Place::Inside, true) => Some(Uniform::Yes),
            (Place::Outside, true) => Some(Uniform::No),
            (Place::Inside, false) => Some(Uniform::KnownYes(Known::Lane(lane))),
            (Place::Outside, false) => Some(Uniform::KnownNo(Known::Lane(lane))),
            (Place::Across, _) => None,
        }
    }

    /// Finds the least and the greatest value of a lane in the block; tells whether it has values at all.
    fn lane_codes(&mut self, lane: LaneId) -> bool {
        let index = lane.0 as usize;
        let (bounds, all_known) = match self.fact_bounds(lane) {
            Some((fact, bounds)) => {
                let column = &self.columns[fact];
                (bounds, column.all_known || *self.part(&column.known) == *self.full())
            }
            None => {
                if let LaneNode::Fact(fact) = self.graph.lane_node(lane)
                    && matches!(self.columns[*fact].values, Values::Nothing)
                {
                    return false;
                }
                self.lane(lane);
                let buffer = &self.buffers.lanes[index].buffer;
                (self.vectors.bounds(&buffer.values).unwrap_or_default(), *buffer.known == *self.full())
            }
        };
        let slot = &mut self.buffers.lane_codes[index];
        slot.buffer.begin(bounds, all_known);
        slot.stamp = self.buffers.block;
        true
    }

    /// The fact that a lane is, with its bounds in the block; `None` where it is none, or its values do not fit 64 bits.
    fn fact_bounds(&self, lane: LaneId) -> Option<(usize, (i64, i64))> {
        let LaneNode::Fact(fact) = self.graph.lane_node(lane) else { return None };
        let span = self.start..self.start + self.rows;
        let bounds = on_integers!(&self.columns[*fact].values, span, slice => self.vectors.bounds(slice), otherwise {
            match &self.columns[*fact].values {
                Values::I128(values) => compare::wide_bounds(&values[span]),
                Values::U64(values) => compare::wide_bounds(&values[span]),
                _ => None,
            }
        });
        bounds.map(|bounds| (*fact, bounds))
    }

    fn encode_lane(&mut self, lane: LaneId) {
        let index = lane.0 as usize;
        if !self.buffers.lane_codes[index].buffer.wants_codes() {
            return;
        }
        let (vectors, span) = (self.vectors, self.start..self.start + self.rows);
        let Buffers { lane_codes, lanes, block, .. } = &mut *self.buffers;
        let codes = &mut lane_codes[index].buffer;
        let LaneNode::Fact(fact) = self.graph.lane_node(lane) else { return codes.encode(&lanes[index].buffer.values, vectors) };
        on_integers!(&self.columns[*fact].values, span, slice => codes.encode(slice, vectors), otherwise {
            match &self.columns[*fact].values {
                // wider values that do not all fit were brought to 64 bits as a lane
                _ if lanes[index].stamp == *block => codes.encode(&lanes[index].buffer.values, vectors),
                Values::I128(values) => codes.encode(&values[span], vectors),
                Values::U64(values) => codes.encode(&values[span], vectors),
                _ => {}
            }
        });
    }

    /// Whether the lane is a column whose values fit in this block, so that it needs no checking on its own.
    pub(super) fn is_plain(&mut self, lane: LaneId) -> bool {
        let LaneNode::Fact(fact) = self.graph.lane_node(lane) else { return false };
        match self.columns[*fact].values {
            Values::I128(_) | Values::U64(_) => self.fact_bounds(lane).is_some(),
            _ => true,
        }
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
                out.known.copy_from_slice(self.full());
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
            Values::I128(values) => narrow(&values[span], out),
            Values::U64(values) => narrow(&values[span], out),
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
