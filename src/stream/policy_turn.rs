//! The turn from the policies by which everybody was judged to others, on the day that stands.

use super::day::{DayTurn, Way};
use super::policies::{ByPolicies, Difference, PolicyDigests};
use super::state::{State, Turning};
use crate::store::StoreError;
use crate::store::live::Live;

/// The turn to other policies on the day that stands: everybody concerned is judged anew. The one that is under way, from where it
/// was broken off; where the policies have changed once more since, anew for all whom either concerns. None where what stands was
/// judged by these, and none while a day's turn is under way: that one is finished first.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn next_policy_turn(live: &dyn Live, now: &PolicyDigests) -> Result<Option<(DayTurn, Difference)>, StoreError> {
    let Some(stands) = live.state().await? else { return Ok(None) };
    let Some(mut state) = State::read(&stands.body) else {
        return Err(StoreError::Damaged("the state of the stream cannot be read".to_owned()));
    };
    let by = now.digest();
    let mut difference = now.differ_from(state.policies.as_ref());
    let mut after = String::new();
    match state.turning.take() {
        Some(Turning { policies: None, .. }) => return Ok(None),
        Some(Turning { policies: Some(begun), after: reached, .. }) => {
            if begun.digest == by {
                after = reached;
            }
            difference.kinds.extend(begun.kinds);
        }
        None if difference.policies.is_empty() && !difference.is_unknown => return Ok(None),
        None => {}
    }
    // Of a kind that nobody was judged of, nothing stands by which they could be gone through.
    let lacks_kinds = state.policies.as_ref().is_some_and(|before| before.lack_kinds_of(now));
    let (from, everybody) = (stands.as_of, difference.kinds.clone());
    let due = state.due.difference(&everybody).copied().collect();
    let turn = DayTurn {
        from,
        to: from,
        state: State { policies: Some(now.clone()), due, ..state.clone() },
        before: state,
        after,
        way: lacks_kinds.then_some(Way::Whole),
        policies: Some(ByPolicies { digest: by, kinds: everybody.clone() }),
        everybody,
        ..DayTurn::default()
    };
    Ok(Some((turn, difference)))
}
