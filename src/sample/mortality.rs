//! Deaths of the last two years, by age, and what the population register made of them.

use chrono::NaiveDate;

use super::calendar::{add_days, days_between};
use super::dice::Dice;
use super::person::{Death, Person};

/// Days before the data day in which deaths are drawn.
const SPAN: i32 = 730;
/// Of those dead for more than 60 days, how many per 10,000 the population register has struck off.
const STRUCK_OFF: u32 = 7500;

/// Draws a person's death.
pub(super) fn mortality(dice: &mut Dice, person: &mut Person, data_day: NaiveDate) {
    if person.death.is_some() {
        return;
    }
    let two_years = match person.age {
        ..60 => 14,
        60..70 => 130,
        70..80 => 420,
        80..90 => 1300,
        _ => 3200,
    };
    if !dice.chance(two_years) {
        return;
    }
    let on = add_days(data_day, -dice.between(0, SPAN - 1)).max(person.birth);
    let recorded_on = add_days(on, dice.between(1, 24));
    let known = recorded_on <= data_day;
    person.death = Some(Death { on, recorded_on });
    person.struck_off = known && days_between(on, data_day) > 60 && dice.chance(STRUCK_OFF);
}
