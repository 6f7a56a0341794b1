//! Numbers while they are lowered: two lanes and a scale that is known at compile time, so that quotients stay exact.

use super::error::CompileError;
use super::lower::Lowering;
use super::node::{BoolNode, Edge, LaneId, LaneNode, Rounding, Side, Test};
use crate::check::ir::{CompareOp, Expr, Function, Number};

/// The greatest number of digits behind (or, negative, before) the point; `10^18` is the last power of ten in 64 bits.
const SCALE_LIMIT: i32 = 18;

/// The number `num / den / 10^scale`; it is known where `num` is, and there `den` is known and not zero. A date is its
/// days at scale 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fraction {
    pub(super) num: LaneId,
    pub(super) den: Option<LaneId>,
    pub(super) scale: i32,
}

impl Lowering<'_> {
    pub(super) fn unknown(&mut self) -> Fraction {
        Fraction { num: self.graph.lane(LaneNode::Unknown), den: None, scale: 0 }
    }

    pub(super) fn constant(&mut self, value: i64, scale: i32) -> Fraction {
        Fraction { num: self.graph.constant_lane(value), den: None, scale }
    }

    pub(super) fn scaled(&self, num: LaneId, scale: i32) -> Result<Fraction, CompileError> {
        if scale.abs() > SCALE_LIMIT { Err(self.too_large()) } else { Ok(Fraction { num, den: None, scale }) }
    }

    /// A literal, without zeros at its end, so that `500` and `500.00` are the same.
    pub(super) fn literal(&mut self, number: Number) -> Result<Fraction, CompileError> {
        let (mut digits, mut scale) = (number.digits, i32::from(number.scale));
        while scale > 0 && digits % 10 == 0 {
            (digits, scale) = (digits / 10, scale - 1);
        }
        let num = self.graph.constant_lane(digits);
        self.scaled(num, scale)
    }

    /// `left + sign × right`
    pub(super) fn add(&mut self, left: Fraction, right: Fraction, sign: i64) -> Result<Fraction, CompileError> {
        let scale = left.scale.max(right.scale);
        if left.den == right.den {
            let num = self.sum(left.num, scale - left.scale, right.num, scale - right.scale, sign)?;
            return Ok(Fraction { num, den: left.den, scale });
        }
        let (left, right) = self.meet(left, right);
        let (left_num, right_num) = (self.times(left.num, right.den), self.times(right.num, left.den));
        let num = self.sum(left_num, scale - left.scale, right_num, scale - right.scale, sign)?;
        let den = self.product_of(left.den, right.den);
        Ok(Fraction { num, den, scale })
    }

    fn sum(&mut self, left: LaneId, left_shift: i32, right: LaneId, right_shift: i32, sign: i64) -> Result<LaneId, CompileError> {
        let (left, left_factor) = self.shifted(left, left_shift)?;
        let (right, right_factor) = self.shifted(right, right_shift)?;
        let (mut first, mut second) = ((left, left_factor), (right, right_factor * sign));
        if sign > 0 && second < first {
            (first, second) = (second, first);
        }
        Ok(self.graph.lane(LaneNode::Sum { left: first.0, left_factor: first.1, right: second.0, right_factor: second.1 }))
    }

    /// The lane with the factor that it still needs; a constant takes the factor in.
    fn shifted(&mut self, lane: LaneId, shift: i32) -> Result<(LaneId, i64), CompileError> {
        let factor = self.power(shift)?;
        match self.graph.constant(lane).and_then(|value| value.checked_mul(factor)) {
            Some(value) => Ok((self.graph.constant_lane(value), 1)),
            None => Ok((lane, factor)),
        }
    }

    pub(super) fn multiply(&mut self, left: Fraction, right: Fraction) -> Result<Fraction, CompileError> {
        let (left, right) = self.meet(left, right);
        let num = self.product(left.num, right.num);
        let den = self.product_of(left.den, right.den);
        self.simplified(num, den, left.scale + right.scale)
    }

    /// `left / right`; unknown where `right` is zero.
    pub(super) fn divide(&mut self, left: Fraction, right: Fraction) -> Result<Fraction, CompileError> {
        let divisor = self.graph.lane(LaneNode::NonZero(right.num));
        let num = self.graph.lane(LaneNode::When(left.num, divisor));
        let divisor = self.guard(divisor, num);
        let (left_den, right_den) = (left.den.map(|den| self.guard(den, num)), right.den.map(|den| self.guard(den, num)));
        let num = self.times(num, right_den);
        let den = self.times(divisor, left_den);
        self.simplified(num, Some(den), left.scale - right.scale)
    }

    /// Moves what is constant in the denominator where it costs nothing: signs up, tens into the scale.
    fn simplified(&mut self, num: LaneId, den: Option<LaneId>, scale: i32) -> Result<Fraction, CompileError> {
        if self.graph.is_unknown(num) {
            return Ok(self.unknown());
        }
        let Some(mut value) = den.and_then(|den| self.graph.constant(den)) else {
            return Ok(Fraction { den, ..self.scaled(num, scale)? });
        };
        let (mut num, mut scale) = (num, scale);
        if value < 0 && value > i64::MIN {
            let minus_one = self.graph.constant_lane(-1);
            num = self.product(num, minus_one);
            value = -value;
        }
        while value % 10 == 0 && scale < SCALE_LIMIT {
            (value, scale) = (value / 10, scale + 1);
        }
        let den = (value != 1).then(|| self.graph.constant_lane(value));
        Ok(Fraction { den, ..self.scaled(num, scale)? })
    }

    /// Both numbers only where both are known: their lanes are going to be multiplied crosswise, and must not overflow
    /// on rows in which one of them is unknown. Plain integers need nothing.
    fn meet(&mut self, left: Fraction, right: Fraction) -> (Fraction, Fraction) {
        if left.den.is_none() && right.den.is_none() {
            return (left, right);
        }
        let left_num = self.graph.lane(LaneNode::When(left.num, right.num));
        let right_num = self.graph.lane(LaneNode::When(right.num, left.num));
        let left_den = left.den.map(|den| self.guard(den, left_num));
        let right_den = right.den.map(|den| self.guard(den, right_num));
        (Fraction { num: left_num, den: left_den, ..left }, Fraction { num: right_num, den: right_den, ..right })
    }

    /// The lane where the guard is known; a constant is left as it is.
    fn guard(&mut self, lane: LaneId, guard: LaneId) -> LaneId {
        if self.graph.constant(lane).is_some() { lane } else { self.graph.lane(LaneNode::When(lane, guard)) }
    }

    fn product(&mut self, left: LaneId, right: LaneId) -> LaneId {
        self.graph.lane(LaneNode::Product(left.min(right), left.max(right)))
    }

    fn times(&mut self, lane: LaneId, factor: Option<LaneId>) -> LaneId {
        factor.map_or(lane, |factor| self.product(lane, factor))
    }

    fn product_of(&mut self, left: Option<LaneId>, right: Option<LaneId>) -> Option<LaneId> {
        match (left, right) {
            (Some(left), Some(right)) => Some(self.product(left, right)),
            (one, other) => one.or(other),
        }
    }

    fn power(&self, exponent: i32) -> Result<i64, CompileError> {
        u32::try_from(exponent).ok().and_then(|exponent| 10_i64.checked_pow(exponent)).ok_or(self.too_large())
    }

    fn too_large(&self) -> CompileError {
        CompileError::TooLarge { root: self.root }
    }

    pub(super) fn compare(&mut self, op: CompareOp, left: Fraction, right: Fraction) -> Result<Edge, CompileError> {
        if self.graph.is_unknown(left.num) || self.graph.is_unknown(right.num) {
            return Ok(Edge::UNKNOWN);
        }
        if let Some(range) = self.threshold(op, left, right) {
            return Ok(range);
        }
        if let Some(range) = self.threshold(op.mirrored(), right, left) {
            return Ok(range);
        }
        let scale = left.scale.max(right.scale);
        let side = |fraction: Fraction, factor| Side { num: fraction.num, den: fraction.den, factor };
        let (left, right) = (side(left, self.power(scale - left.scale)?), side(right, self.power(scale - right.scale)?));
        let mut test = |test, left, right| self.graph.bool(BoolNode::Compare { test, left, right });
        Ok(match op {
            CompareOp::Eq | CompareOp::NotEq => {
                let ordered = left.num <= right.num;
                let equal = if ordered { test(Test::Equal, left, right) } else { test(Test::Equal, right, left) };
                if op == CompareOp::Eq { equal } else { equal.negate() }
            }
            CompareOp::Lt => test(Test::Less, left, right),
            CompareOp::Gt => test(Test::Less, right, left),
            CompareOp::LtEq => test(Test::Less, right, left).negate(),
            CompareOp::GtEq => test(Test::Less, left, right).negate(),
        })
    }

    /// `num / den / 10^scale op constant`, `den` constant: whether `num` lies in a range of integers.
    fn threshold(&mut self, op: CompareOp, left: Fraction, right: Fraction) -> Option<Edge> {
        let positive =
            |lowering: &Self, den: Option<LaneId>| den.map_or(Some(1), |den| lowering.graph.constant(den)).filter(|&den| den > 0);
        let left_den = positive(self, left.den)?;
        let right_den = positive(self, right.den)?;
        let constant = self.graph.constant(right.num)?;
        let power = |exponent: i32| 10_i128.checked_pow(u32::try_from(exponent.max(0)).ok()?);
        let numerator = (i128::from(constant) * i128::from(left_den)).checked_mul(power(left.scale - right.scale)?)?;
        let denominator = i128::from(right_den).checked_mul(power(right.scale - left.scale)?)?;
        let (floor, exact) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator) == 0);
        let below = if exact { floor - 1 } else { floor };
        let at_most = |lowering: &mut Self, high: i128| match i64::try_from(high) {
            Ok(high) => lowering.graph.range(left.num, i64::MIN, high),
            Err(_) if high < 0 => lowering.graph.range(left.num, 1, 0),
            Err(_) => lowering.graph.range(left.num, i64::MIN, i64::MAX),
        };
        Some(match op {
            CompareOp::Lt => at_most(self, below),
            CompareOp::LtEq => at_most(self, floor),
            CompareOp::Gt => at_most(self, floor).negate(),
            CompareOp::GtEq => at_most(self, below).negate(),
            CompareOp::Eq | CompareOp::NotEq => {
                let equal = match i64::try_from(floor) {
                    Ok(value) if exact => self.graph.range(left.num, value, value),
                    _ => self.graph.range(left.num, 1, 0),
                };
                if op == CompareOp::Eq { equal } else { equal.negate() }
            }
        })
    }

    /// `then` where the condition is yes, `otherwise` where it is no, unknown where it is unknown.
    pub(super) fn choose(&mut self, condition: Edge, then: Fraction, otherwise: Fraction) -> Result<Fraction, CompileError> {
        match condition {
            Edge::YES => return Ok(then),
            Edge::NO => return Ok(otherwise),
            Edge::UNKNOWN => return Ok(self.unknown()),
            _ => {}
        }
        let (mut then, mut otherwise) = (then, otherwise);
        if self.graph.is_unknown(then.num) {
            then = Fraction { num: then.num, ..otherwise };
        } else if self.graph.is_unknown(otherwise.num) {
            otherwise = Fraction { num: otherwise.num, ..then };
        }
        let scale = then.scale.max(otherwise.scale);
        let (then_num, otherwise_num) =
            (self.rescaled(then.num, scale - then.scale)?, self.rescaled(otherwise.num, scale - otherwise.scale)?);
        let num = self.graph.lane(LaneNode::Select(condition, then_num, otherwise_num));
        let den = if then.den == otherwise.den {
            then.den
        } else {
            let one = self.graph.constant_lane(1);
            Some(self.graph.lane(LaneNode::Select(condition, then.den.unwrap_or(one), otherwise.den.unwrap_or(one))))
        };
        Ok(Fraction { num, den, scale })
    }

    fn rescaled(&mut self, lane: LaneId, shift: i32) -> Result<LaneId, CompileError> {
        let factor = self.power(shift)?;
        let factor = self.graph.constant_lane(factor);
        Ok(self.product(lane, factor))
    }

    /// A call of a function whose value is a number or a date.
    pub(super) fn call(&mut self, function: Function, arguments: &[Expr], expr: &Expr) -> Result<Fraction, CompileError> {
        let mut numbers = Vec::with_capacity(arguments.len());
        for argument in arguments {
            numbers.push(self.fraction(argument)?);
        }
        let Some(&first) = numbers.first() else { return Err(self.wrong("a function without arguments")) };
        match function {
            Function::Min | Function::Max => {
                let op = if function == Function::Min { CompareOp::LtEq } else { CompareOp::GtEq };
                numbers[1..].iter().try_fold(first, |best, &next| {
                    let keep = self.compare(op, best, next)?;
                    self.choose(keep, best, next)
                })
            }
            Function::Coalesce => {
                let unknown = self.unknown();
                numbers.iter().rev().try_fold(unknown, |rest, &item| {
                    let known = self.graph.lane_known(item.num);
                    self.choose(known, item, rest)
                })
            }
            Function::Abs => {
                let num = self.graph.lane(LaneNode::Absolute(first.num));
                let den = first.den.map(|den| self.graph.lane(LaneNode::Absolute(den)));
                Ok(Fraction { num, den, ..first })
            }
            Function::Floor => self.whole(Rounding::Down, first),
            Function::Ceil => self.whole(Rounding::Up, first),
            Function::Round => self.whole(Rounding::Nearest, first),
            _ => {
                let wanted = parameters(function);
                if wanted != arguments.len() {
                    return Err(self.wrong(&format!("{function:?} takes {wanted} arguments, found {}", expr.children().len())));
                }
                let lanes: Result<Vec<LaneId>, CompileError> =
                    numbers.into_iter().map(|number| Ok(self.whole(Rounding::Down, number)?.num)).collect();
                let num = self.graph.lane(LaneNode::Date(function, lanes?));
                Ok(Fraction { num, den: None, scale: 0 })
            }
        }
    }

    fn whole(&mut self, rounding: Rounding, number: Fraction) -> Result<Fraction, CompileError> {
        if number.den.is_none() && number.scale == 0 {
            return Ok(number);
        }
        let num = self.graph.lane(LaneNode::Whole { rounding, num: number.num, den: number.den, scale: number.scale });
        self.scaled(num, 0)
    }
}

fn parameters(function: Function) -> usize {
    match function {
        Function::MonthsOverlap => 4,
        Function::MonthStart | Function::MonthEnd | Function::YearStart | Function::YearEnd | Function::Year | Function::Month => 1,
        _ => 2,
    }
}
