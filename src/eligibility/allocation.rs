//! Who gets the money when there is not enough of it: by rank, or the same share for everybody.

use std::cmp::Ordering;

/// One who asks for a part of a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim<'a> {
    /// What is owed, in hundredths; not negative.
    pub amount: i64,
    /// What the budget ranks by; none when unknown: last.
    pub rank: Option<i128>,
    /// The subject.
    pub id: &'a str,
    /// What for.
    pub occasion: Option<&'a str>,
    /// The member of a household.
    pub member: Option<&'a str>,
}

impl Claim<'_> {
    fn by_identity(&self, other: &Self) -> Ordering {
        (self.id, self.occasion, self.member).cmp(&(other.id, other.occasion, other.member))
    }

    fn by_rank(&self, other: &Self, descending: bool) -> Ordering {
        match (self.rank, other.rank) {
            (Some(left), Some(right)) if descending => right.cmp(&left),
            (Some(left), Some(right)) => left.cmp(&right),
            (left, right) => right.is_some().cmp(&left.is_some()),
        }
    }
}

/// Which claims are met in full: in the order of rank, ties by identity, until one does not fit. Everybody behind that one
/// waits, also who asks for less: a rank is a right to be served first.
#[must_use]
pub fn by_rank(budget: i64, claims: &[Claim<'_>], descending: bool) -> Vec<bool> {
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_by(|&left, &right| claims[left].by_rank(&claims[right], descending).then_with(|| claims[left].by_identity(&claims[right])));
    let mut met = vec![false; claims.len()];
    let mut left = i128::from(budget);
    for index in order {
        let amount = i128::from(claims[index].amount);
        if amount > left {
            break;
        }
        left -= amount;
        met[index] = true;
    }
    met
}

/// What each claim gets when all get the same share: exact shares rounded down, and the fen that are left go one each to
/// the largest fractions (Hamilton's method), ties by identity. Claims must not be negative. The parts add up to the budget, or to all claims when it suffices.
#[must_use]
pub fn pro_rata(budget: i64, claims: &[Claim<'_>]) -> Vec<i64> {
    let owed: i128 = claims.iter().map(|claim| i128::from(claim.amount)).sum();
    let budget = i128::from(budget.max(0));
    if owed <= budget {
        return claims.iter().map(|claim| claim.amount).collect();
    }
    let mut parts = Vec::with_capacity(claims.len());
    let mut fractions = Vec::with_capacity(claims.len());
    let mut left = budget;
    for (index, claim) in claims.iter().enumerate() {
        // Two 64-bit factors: the product always fits.
        let product = i128::from(claim.amount) * budget;
        let part = product / owed;
        left -= part;
        // A part is at most its claim.
        parts.push(i64::try_from(part).unwrap_or(claim.amount));
        fractions.push((product % owed, index));
    }
    fractions.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| claims[left.1].by_identity(&claims[right.1])));
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    for (_, index) in fractions.into_iter().take(left) {
        parts[index] += 1;
    }
    parts
}
