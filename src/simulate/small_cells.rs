//! Small cells are hidden, and so many others beside them that what is hidden cannot be worked out from totals.
//!
//! A cell is hidden as a whole, with all that it counts. Where the sum of some cells is shown too, one hidden cell alone
//! would be the sum less the others: more are hidden until no hidden cell is determined by the sums that are shown. That is
//! a question of linear equations, answered by elimination. What is hidden of one sum must also not be few when taken together.

/// Cells, and which sums of them are known to whoever reads them.
#[derive(Debug, Clone, Default)]
pub struct Cells {
    /// What each cell counts.
    pub counts: Vec<Vec<u64>>,
    /// Cells whose state is settled already; they are not hidden for the sake of others.
    pub settled: Vec<bool>,
    /// Which are hidden to begin with.
    pub hidden: Vec<bool>,
    /// Sums.
    pub sums: Vec<Sum>,
}

/// One cell is the sum of others.
#[derive(Debug, Clone)]
pub struct Sum {
    /// The cell that is the sum.
    pub total: usize,
    /// The cells that it is the sum of.
    pub parts: Vec<usize>,
    /// Whether all counts add up, or only the money beside them: a subject can be counted in two policies.
    pub counts_add_up: bool,
}

/// A prime for exact elimination with coefficients 0, 1 and -1.
const PRIME: i64 = 2_147_483_647;

impl Cells {
    /// Adds a cell; gives its place.
    pub fn push(&mut self, counts: Vec<u64>, settled: bool, hidden: bool) -> usize {
        self.counts.push(counts);
        self.settled.push(settled);
        self.hidden.push(hidden);
        self.counts.len() - 1
    }

    /// Hides what is small (something counted, but less than `least`), and what would give it away. With `least` of 0 or 1
    /// nothing is small.
    pub fn hide(&mut self, least: u64) {
        for at in 0..self.counts.len() {
            if !self.settled[at] && self.counts[at].iter().any(|&count| is_small(count, least)) {
                self.hidden[at] = true;
            }
        }
        loop {
            let mut more = self.few_together(least);
            if more.is_empty() {
                more = self.beside_alone();
            }
            if more.is_empty() {
                more = self.beside_determined();
            }
            if more.is_empty() {
                return;
            }
            for at in more {
                self.hidden[at] = true;
            }
        }
    }

    /// Where hidden cells of one sum are few taken together: the smallest cell that makes them more, else the largest.
    fn few_together(&self, least: u64) -> Vec<usize> {
        let mut more = Vec::new();
        for sum in self.sums.iter().filter(|sum| sum.counts_add_up && !self.hidden[sum.total]) {
            let (hidden, open): (Vec<usize>, Vec<usize>) = sum.parts.iter().partition(|&&at| self.hidden[at]);
            let measures = hidden.first().map_or(0, |&at| self.counts[at].len());
            for measure in 0..measures {
                let together: u64 = hidden.iter().map(|&at| self.counts[at][measure]).sum();
                if !is_small(together, least) {
                    continue;
                }
                let of = |at: usize| self.counts[at][measure];
                let helping = open.iter().copied().filter(|&at| !self.settled[at] && of(at) > 0);
                more.extend(helping.min_by_key(|&at| {
                    let is_enough = together + of(at) >= least;
                    (!is_enough, if is_enough { self.cost(at) } else { u64::MAX - of(at) }, at)
                }));
            }
        }
        more
    }

    /// Where one cell alone is hidden of a sum: another of that sum, that which costs least. The first such sum only, for
    /// what it hides may serve the next.
    fn beside_alone(&self) -> Vec<usize> {
        let alone = self.sums.iter().find_map(|sum| {
            let cells = || sum.parts.iter().copied().chain([sum.total]);
            let is_alone = cells().filter(|&at| self.hidden[at]).count() == 1;
            let open = cells().filter(|&at| is_alone && !self.hidden[at] && !self.settled[at]);
            open.min_by_key(|&at| (self.cost(at) == 0, self.cost(at), at))
        });
        alone.into_iter().collect()
    }

    /// Where a hidden cell follows from sums: another cell of its sums, that which costs least.
    fn beside_determined(&self) -> Vec<usize> {
        let mut more = Vec::new();
        for at in self.determined() {
            let sums = self.sums.iter().filter(|sum| sum.total == at || sum.parts.contains(&at));
            let cells = sums.flat_map(|sum| sum.parts.iter().copied().chain([sum.total]));
            let open = cells.filter(|&at| !self.hidden[at] && !self.settled[at]);
            // Of those that count something, the one that counts least: nothing is no cover.
            more.extend(open.min_by_key(|&at| (self.cost(at) == 0, self.cost(at), at)));
        }
        more
    }

    fn cost(&self, at: usize) -> u64 {
        self.counts[at].iter().sum()
    }

    /// Hidden cells whose value follows from the sums: in the reduced equations, the only unknown of one.
    #[must_use]
    pub fn determined(&self) -> Vec<usize> {
        let unknown: Vec<usize> = (0..self.hidden.len()).filter(|&at| self.hidden[at]).collect();
        let place = |at: usize| unknown.binary_search(&at).ok();
        let mut equations: Vec<Vec<i64>> = Vec::new();
        for sum in &self.sums {
            let mut equation = vec![0; unknown.len()];
            sum.parts.iter().filter_map(|&at| place(at)).for_each(|at| equation[at] = 1);
            if let Some(at) = place(sum.total) {
                equation[at] = PRIME - 1;
            }
            if equation.iter().any(|coefficient| *coefficient != 0) {
                equations.push(equation);
            }
        }
        reduce(&mut equations, unknown.len());
        let alone = equations.iter().filter_map(|equation| {
            let mut unknowns = equation.iter().enumerate().filter(|(_, coefficient)| **coefficient != 0);
            let first = unknowns.next()?;
            unknowns.next().is_none().then_some(unknown[first.0])
        });
        alone.collect()
    }
}

/// Whether a count is one of few people.
#[must_use]
pub fn is_small(count: u64, least: u64) -> bool {
    count > 0 && count < least
}

/// Reduces equations to row echelon form, each leading unknown in one equation only.
fn reduce(equations: &mut [Vec<i64>], unknowns: usize) {
    let mut done = 0;
    for column in 0..unknowns {
        let Some(found) = (done..equations.len()).find(|&row| equations[row][column] != 0) else { continue };
        equations.swap(done, found);
        let factor = inverse(equations[done][column]);
        equations[done].iter_mut().for_each(|value| *value = *value * factor % PRIME);
        let leading = equations[done].clone();
        for (row, equation) in equations.iter_mut().enumerate() {
            let times = equation[column];
            if row != done && times != 0 {
                equation.iter_mut().zip(&leading).for_each(|(value, lead)| *value = (*value + (PRIME - times) * lead) % PRIME);
            }
        }
        done += 1;
    }
}

/// The inverse of a number by the prime (Fermat).
fn inverse(number: i64) -> i64 {
    let (mut power, mut base, mut exponent) = (1, number, PRIME - 2);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = power * base % PRIME;
        }
        base = base * base % PRIME;
        exponent >>= 1;
    }
    power
}

#[cfg(test)]
mod tests {
    //! Tables with margins, attacked by trying every filling that agrees with what is shown.

    use proptest::prelude::*;

    use super::*;

    /// A table of one measure with sums of rows and columns and of all: the last column and row hold the sums.
    fn table(rows: &[Vec<u64>]) -> Cells {
        let (height, width) = (rows.len(), rows[0].len());
        let mut cells = Cells::default();
        for row in rows {
            for &count in row {
                cells.push(vec![count], false, false);
            }
            cells.push(vec![row.iter().sum()], false, false);
        }
        for column in 0..width {
            cells.push(vec![rows.iter().map(|row| row[column]).sum()], false, false);
        }
        cells.push(vec![rows.iter().flatten().sum()], false, false);
        let at = |row: usize, column: usize| row * (width + 1) + column;
        for row in 0..=height {
            cells.sums.push(Sum { total: at(row, width), parts: (0..width).map(|column| at(row, column)).collect(), counts_add_up: true });
        }
        for column in 0..=width {
            cells.sums.push(Sum {
                total: at(height, column),
                parts: (0..height).map(|row| at(row, column)).collect(),
                counts_add_up: true,
            });
        }
        cells
    }

    /// Every filling of the inner cells with numbers up to `most` that agrees with the cells shown gives the values that each
    /// hidden cell may have.
    fn possible(cells: &Cells, height: usize, width: usize, most: u64) -> Vec<std::collections::BTreeSet<u64>> {
        let mut values = vec![std::collections::BTreeSet::new(); cells.counts.len()];
        let inner = height * width;
        let total = (most + 1).pow(u32::try_from(inner).expect("small"));
        for mut number in 0..total {
            let rows: Vec<Vec<u64>> = (0..height)
                .map(|_| {
                    (0..width)
                        .map(|_| {
                            let value = number % (most + 1);
                            number /= most + 1;
                            value
                        })
                        .collect()
                })
                .collect();
            let filled = table(&rows);
            let agrees = (0..filled.counts.len()).all(|at| cells.hidden[at] || cells.counts[at] == filled.counts[at]);
            if agrees {
                filled.counts.iter().enumerate().for_each(|(at, counts)| {
                    values[at].insert(counts[0]);
                });
            }
        }
        values
    }

    proptest! {
        #[test]
        fn nothing_small_is_shown_and_nothing_hidden_follows(rows in prop::collection::vec(prop::collection::vec(0_u64..6, 2), 2)) {
            let mut cells = table(&rows);
            cells.hide(3);
            for (at, counts) in cells.counts.iter().enumerate() {
                prop_assert!(cells.hidden[at] || !is_small(counts[0], 3), "{} is shown", counts[0]);
            }
            prop_assert_eq!(cells.determined(), Vec::<usize>::new());
            let values = possible(&cells, 2, 2, 6);
            for (at, counts) in cells.counts.iter().enumerate() {
                // What is small can be something else as far as anybody can tell.
                if is_small(counts[0], 3) {
                    prop_assert!(values[at].len() > 1, "{rows:?}: cell {at} is {:?}", values[at]);
                }
            }
        }
    }

    #[test]
    fn one_small_cell_takes_another_with_it() {
        let mut cells = table(&[vec![2, 40, 70], vec![50, 60, 80]]);
        cells.hide(5);
        // The small one, the next in its row, and the two below: with fewer, a sum would tell.
        assert_eq!(cells.hidden, [true, true, false, false, true, true, false, false, false, false, false, false]);
    }

    #[test]
    fn nothing_is_hidden_where_nothing_is_small() {
        let mut cells = table(&[vec![0, 40], vec![50, 60]]);
        cells.hide(5);
        assert!(cells.hidden.iter().all(|hidden| !hidden));
        let mut cells = table(&[vec![1, 2], vec![3, 4]]);
        cells.hide(0);
        assert!(cells.hidden.iter().all(|hidden| !hidden));
    }

    #[test]
    fn two_small_ones_that_are_few_together_take_a_third() {
        let mut cells = table(&[vec![1, 1, 70], vec![0, 0, 90]]);
        cells.hide(5);
        assert!(cells.hidden[2], "two people together are still few");
    }
}
