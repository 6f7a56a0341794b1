//! How far sources were read: events that were applied before are left out, and each commit says from where to where it goes.

use std::collections::BTreeMap;

use crate::store::live::{Position, PositionStep};
use crate::stream::change::RawEvent;

/// The positions of all sources, as the store has them or will have them with what is on its way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<(String, i32), i64>);

impl Positions {
    /// As they stand in the store.
    #[must_use]
    pub fn new(positions: Vec<Position>) -> Self {
        Self(positions.into_iter().map(|position| ((position.source, position.partition), position.next)).collect())
    }

    /// Leaves out the events that were applied before.
    pub fn keep_new(&self, events: &mut Vec<RawEvent>) {
        if !self.0.is_empty() {
            events.retain(|event| {
                let known = self.0.get(&(event.origin.source.to_string(), event.origin.partition));
                known.is_none_or(|next| event.origin.position >= *next)
            });
        }
    }

    /// The steps that events take.
    #[must_use]
    pub fn steps(&self, events: &[RawEvent]) -> Vec<PositionStep> {
        let mut to: BTreeMap<(&str, i32), i64> = BTreeMap::new();
        for event in events {
            let next = to.entry((&event.origin.source, event.origin.partition)).or_insert(event.origin.next);
            *next = event.origin.next.max(*next);
        }
        let step = |((source, partition), to): ((&str, i32), i64)| {
            let from = self.0.get(&(source.to_owned(), partition)).copied();
            PositionStep { source: source.to_owned(), partition, from, to }
        };
        to.into_iter().map(step).collect()
    }

    /// Goes on behind steps; gives the positions after them.
    pub fn go_on(&mut self, steps: &[PositionStep]) -> Vec<Position> {
        for step in steps {
            self.0.insert((step.source.clone(), step.partition), step.to);
        }
        let after = |step: &PositionStep| Position { source: step.source.clone(), partition: step.partition, next: step.to };
        steps.iter().map(after).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::change::Origin;

    fn event(partition: i32, position: i64) -> RawEvent {
        let origin = Origin { source: "kafka:a".into(), partition, position, next: position + 1 };
        RawEvent { origin, topic: None, key: None, payload: None, arrived: 0 }
    }

    #[test]
    fn what_was_applied_is_left_out_and_steps_fit_each_other() {
        let mut positions = Positions::new(vec![Position { source: "kafka:a".into(), partition: 1, next: 5 }]);
        let mut events = vec![event(0, 0), event(1, 4), event(1, 5), event(0, 3), event(1, 6)];
        positions.keep_new(&mut events);
        assert_eq!(events, [event(0, 0), event(1, 5), event(0, 3), event(1, 6)]);
        let step = |partition, from, to| PositionStep { source: "kafka:a".into(), partition, from, to };
        let steps = positions.steps(&events);
        assert_eq!(steps, [step(0, None, 4), step(1, Some(5), 7)]);
        positions.go_on(&steps);
        assert_eq!(positions.steps(&[event(0, 9)]), [step(0, Some(4), 10)]);
        let mut again = events;
        positions.keep_new(&mut again);
        assert!(again.is_empty());
    }
}
