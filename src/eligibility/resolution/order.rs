//! The order of results: by kind of subject, region, identifier, policy.

use rayon::prelude::*;

use super::super::finding::{SubjectIdx, Subjects};
use super::index;

/// The place of each subject in the order of results, by region and identifier.
pub(super) fn ranks(subjects: &Subjects) -> Vec<u32> {
    let region_ranks = subjects.region_codes().ranks();
    // Subjects by region first: each region is then put in order alone.
    let mut starts = vec![0_usize; region_ranks.len() + 1];
    let region = |subject: SubjectIdx| region_ranks[subjects.region_code(subject).index()] as usize;
    let all = 0..index(subjects.len());
    all.clone().for_each(|subject| starts[region(subject) + 1] += 1);
    for at in 0..region_ranks.len() {
        starts[at + 1] += starts[at];
    }
    let sizes: Vec<usize> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut order: Vec<SubjectIdx> = vec![0; subjects.len()];
    for subject in all {
        let place = &mut starts[region(subject)];
        order[*place] = subject;
        *place += 1;
    }
    let mut slices = Vec::with_capacity(sizes.len());
    let mut rest = order.as_mut_slice();
    for size in sizes {
        let (slice, others) = rest.split_at_mut(size);
        slices.push(slice);
        rest = others;
    }
    slices.into_par_iter().for_each(|slice| {
        let by_id = |left: &SubjectIdx, right: &SubjectIdx| (subjects.id(*left), left).cmp(&(subjects.id(*right), right));
        // Runs that are in order already are merged: dossiers come by identifier within their shards.
        slice.par_sort_by(by_id);
    });
    let mut ranks = vec![0; order.len()];
    for (rank, subject) in order.into_iter().enumerate() {
        ranks[subject as usize] = index(rank);
    }
    ranks
}

/// Rows in the order of their subjects' ranks; rows of one subject stay as they came.
pub(super) fn by_rank<T: Copy>(rows: &[T], n_subjects: usize, rank: impl Fn(&T) -> u32) -> Vec<T> {
    let mut starts = vec![0_u32; n_subjects + 1];
    for row in rows {
        starts[rank(row) as usize + 1] += 1;
    }
    for at in 0..n_subjects {
        starts[at + 1] += starts[at];
    }
    let Some(&first) = rows.first() else { return Vec::new() };
    let mut order = vec![first; rows.len()];
    for row in rows {
        let place = &mut starts[rank(row) as usize];
        order[*place as usize] = *row;
        *place += 1;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::Subject;
    use super::*;

    #[test]
    fn subjects_go_by_region_then_identifier() {
        let mut subjects = Subjects::default();
        for (region, id) in [("2", "a"), ("1", "c"), ("", "z"), ("2", "A"), ("1", "b")] {
            subjects.push(&Subject { id, region, ..Subject::default() });
        }
        assert_eq!(ranks(&subjects), [4, 2, 0, 3, 1]);
        assert!(ranks(&Subjects::default()).is_empty());
    }

    #[test]
    fn rows_of_one_subject_stay_as_they_came() {
        let rows = [(2, 'a'), (0, 'b'), (2, 'c'), (0, 'd'), (1, 'e')];
        assert_eq!(by_rank(&rows, 3, |row| row.0), [(0, 'b'), (0, 'd'), (1, 'e'), (2, 'a'), (2, 'c')]);
        assert!(by_rank(&rows[..0], 3, |row| row.0).is_empty());
    }
}
