//! Cycles are found as a search from every policy finds them, however few policies are left to search.

use proptest::prelude::*;

use super::*;

const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

fn graph(ties: &[(usize, usize)]) -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for &(from, to) in ties {
        edges.entry(NAMES[from]).or_default().push(NAMES[to]);
    }
    edges
}

proptest! {
    #[test]
    fn no_cycle_is_lost_or_changed(ties in prop::collection::vec((0_usize..7, 0_usize..7), 0..14)) {
        let all = graph(&ties);
        let mut knots = all.clone();
        keep_knots(&mut knots);
        for start in NAMES {
            let found = cycle_from(start, &all);
            prop_assert_eq!(&cycle_from(start, &knots), &found);
            if let Some(way) = found {
                prop_assert!(way.len() > 1 && way[0] == start && way[way.len() - 1] == start);
                prop_assert!(way.windows(2).all(|pair| all[pair[0]].contains(&pair[1])));
            }
        }
    }
}

#[test]
fn a_chain_holds_no_knot() {
    let names: Vec<String> = (0..10_000).map(|number| format!("{number:05}")).collect();
    let mut edges: BTreeMap<&str, Vec<&str>> = names.windows(2).map(|pair| (pair[0].as_str(), vec![pair[1].as_str()])).collect();
    keep_knots(&mut edges);
    assert!(edges.is_empty());
}

#[test]
fn the_way_names_every_policy_of_the_cycle() {
    let edges = graph(&[(0, 1), (1, 2), (2, 0), (1, 3)]);
    assert_eq!(cycle_from("b", &edges), Some(vec!["b", "c", "a", "b"]));
    assert_eq!(cycle_from("d", &edges), None);
}
