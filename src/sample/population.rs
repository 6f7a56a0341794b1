//! Writes the population register and those of families: membership, marriage, birth, death.

use chrono::{Datelike, NaiveDate};

use super::books::{Books, Slip};
use super::calendar::{add_days, add_months, add_years, age};
use super::dice::Dice;
use super::dirt::BIRTH_DATE_CONFLICT;
use super::identifier::Id;
use super::layout::Register;
use super::person::{Household, Person, Relation};
use super::table::Cell;

/// First year that the birth register covers.
const BIRTHS_SINCE: i32 = 2010;

/// One chunk's people as its registers are written.
pub(super) struct Chunk<'a> {
    pub(super) people: &'a [Person],
    pub(super) households: &'a [Household],
    pub(super) dice: &'a mut Dice,
    pub(super) books: &'a mut Books,
    pub(super) data_day: NaiveDate,
    /// Number of the chunk, part of the numbers of papers.
    pub(super) number: u32,
}

impl Chunk<'_> {
    /// Writes the registers of this file.
    pub(super) fn write_population(&mut self) {
        let people = self.people;
        let mut conflict = Slip::default();
        for person in people {
            self.population(person);
            self.birth(person, &mut conflict);
            self.death(person);
            self.identity_link(person);
        }
        for household in self.households {
            self.members(household);
        }
        self.marriages();
    }

    fn population(&mut self, person: &Person) {
        let id = person.id.as_str();
        let planted = &mut self.books.planted;
        planted.persons += 1;
        if person.struck_off {
            return;
        }
        let known_death = person.known_death(self.data_day);
        if known_death.is_some() {
            planted.deceased_in_population.note(id);
        }
        if person.hukou.is_none() {
            planted.null("population.hukou_region", id);
        }
        if person.residence.is_none() {
            planted.null("population.residence_region", id);
        }
        if let Some(hukou) = person.hukou {
            planted.hukou_outside += u64::from(hukou / 100 != 9901);
            let elsewhere = person.residence.is_some_and(|town| town / 1000 != hukou);
            planted.living_elsewhere += u64::from(elsewhere);
            let eightieth = add_years(person.birth, 80);
            let soon = eightieth > self.data_day && eightieth <= add_months(self.data_day, 1);
            if soon && person.death.is_none() && hukou / 100 == 9901 {
                planted.turning_80.note(id);
            }
        }
        let name = person.name.text();
        let hukou = person.hukou.map(|code| code.to_string());
        let residence = person.residence.map(|code| code.to_string());
        let kind = if person.rural { "rural" } else { "urban" };
        let cells = [
            Cell::Text(id),
            Cell::Text(&name),
            Cell::Text(if person.male { "male" } else { "female" }),
            Cell::Day(person.birth),
            Cell::Text(if person.chinese { "CHN" } else { "other" }),
            hukou.as_deref().into(),
            person.hukou.map(|_| kind).into(),
            residence.as_deref().into(),
        ];
        self.books.push(Register::Population, &cells);
    }

    fn birth(&mut self, person: &Person, conflict: &mut Slip) {
        if person.birth.year() < BIRTHS_SINCE {
            return;
        }
        let id = person.id.as_str();
        let newborn = person.birth > add_days(self.data_day, -12);
        let delay = if newborn { 30 } else { self.dice.between(1, 40) };
        let recorded_on = add_days(person.birth, delay);
        let late = recorded_on > self.data_day;
        let mut birth_date = person.birth;
        if !late && !person.struck_off && birth_date.year() > BIRTHS_SINCE {
            let first = self.number == 0;
            if conflict.happens(self.dice, first, BIRTH_DATE_CONFLICT) {
                birth_date = add_days(birth_date, -self.dice.between(1, 9));
                let conflicts = &mut self.books.planted.conflicts;
                conflicts.entry("birth_date".to_owned()).or_default().note(id);
            }
        }
        let parent = |index: Option<usize>| index.map(|index| self.people[index].known_as());
        let (mother, father) = (parent(person.mother), parent(person.father));
        let cells = [
            Cell::Text(id),
            Cell::Day(birth_date),
            mother.as_ref().map(Id::as_str).into(),
            father.as_ref().map(Id::as_str).into(),
            Cell::Int(person.birth_order),
            Cell::Flag(!self.dice.chance(120)),
            Cell::Day(recorded_on),
        ];
        if late {
            self.books.planted.late_rows.entry("birth".to_owned()).or_default().note(id);
            self.books.push_tidy(Register::Birth, &cells);
        } else {
            self.books.push(Register::Birth, &cells);
        }
    }

    fn death(&mut self, person: &Person) {
        let Some(death) = person.death else { return };
        let id = person.id.as_str();
        if death.recorded_on > self.data_day {
            self.books.planted.late_rows.entry("death".to_owned()).or_default().note(id);
        }
        let cells = [Cell::Text(id), Cell::Day(death.on), Cell::Day(death.recorded_on)];
        self.books.push_tidy(Register::Death, &cells);
    }

    fn identity_link(&mut self, person: &Person) {
        let Some(old) = person.old_id else { return };
        self.books.planted.renumbered.note(person.id.as_str());
        let on = add_days(self.data_day, -self.dice.between(100, 1500)).max(person.birth);
        let cells = [Cell::Text(old.as_str()), Cell::Text(person.id.as_str()), Cell::Text("renumbered"), Cell::Day(on)];
        self.books.push_tidy(Register::IdentityLinks, &cells);
    }

    /// A household's members; where the head has died, the next in line is head from the day after.
    fn members(&mut self, household: &Household) {
        let people = self.people;
        self.books.planted.households += 1;
        let members = &people[household.members.clone()];
        let day = self.data_day;
        self.books.planted.households_current += u64::from(members.iter().any(|member| member.known_death(day).is_none()));
        let heads_death = members[0].known_death(day);
        let heir = heads_death.and_then(|_| {
            let living = (0..members.len()).filter(|index| members[*index].known_death(day).is_none());
            living.max_by_key(|index| {
                let member = &members[*index];
                (member.relation == Relation::Spouse, member.age >= 18, -(member.age - 45).abs())
            })
        });
        for (index, member) in members.iter().enumerate() {
            let adult_child = member.relation == Relation::Child && member.age >= 18;
            let together = !self.dice.chance(if adult_child { 1200 } else { 100 });
            let from = member.joined.max(member.birth);
            let mut row = |relation: Relation, from: NaiveDate, to: Option<NaiveDate>| {
                let cells = [
                    Cell::Text(&household.id),
                    Cell::Text(member.id.as_str()),
                    Cell::Text(relation.code()),
                    Cell::Flag(together),
                    Cell::Day(from),
                    to.into(),
                ];
                self.books.push(Register::HouseholdMembership, &cells);
            };
            if let Some(death) = heads_death.filter(|death| Some(index) == heir && *death >= from) {
                row(member.relation, from, Some(death));
                row(Relation::Head, add_days(death, 1), None);
            } else {
                let relation = if Some(index) == heir { Relation::Head } else { member.relation };
                row(relation, from, member.known_death(day).map(|death| death.max(from)));
            }
        }
    }

    /// Couples, and couples that have parted: a man and a woman living alone, paired in order.
    fn marriages(&mut self) {
        let people = self.people;
        let mut parted: Option<usize> = None;
        for (index, person) in people.iter().enumerate() {
            if let Some(spouse) = person.spouse {
                let death = [person, &people[spouse]].into_iter().filter_map(|p| p.known_death(self.data_day)).min();
                let from = person.joined.max(people[spouse].joined);
                let from = if person.relation == Relation::Parent { self.wedding(index, spouse) } else { from };
                self.marriage(person, &people[spouse], from, death.map(|day| day.max(from)));
                continue;
            }
            let alone = self.households[person.household].members.len() == 1;
            if !alone || person.death.is_some() || !(30..62).contains(&person.age) || !self.dice.chance(3000) {
                continue;
            }
            match parted {
                Some(other) if people[other].male != person.male => {
                    let from = self.wedding(index, other);
                    let span = age(from, self.data_day).max(1) * 365;
                    let to = add_days(from, self.dice.between(200, span - 30)).min(self.data_day);
                    self.marriage(person, &people[other], from, Some(to));
                    self.marriage(&people[other], person, from, Some(to));
                    parted = None;
                }
                _ => parted = Some(index),
            }
        }
    }

    fn wedding(&self, one: usize, other: usize) -> NaiveDate {
        let younger = self.people[one].birth.max(self.people[other].birth);
        // The same day whichever of the two is asked.
        add_days(add_years(younger, 22), age(younger, self.data_day) * 7)
    }

    fn marriage(&mut self, person: &Person, spouse: &Person, from: NaiveDate, to: Option<NaiveDate>) {
        let cells = [Cell::Text(person.id.as_str()), Cell::Text(spouse.id.as_str()), Cell::Day(from), to.into()];
        self.books.push(Register::Marriage, &cells);
    }
}
