//! Draws households, one to seven people each, with the marriages and parents that hold them together.

use chrono::NaiveDate;

use super::calendar::{add_days, add_months, add_years, age, day, days_between};
use super::dice::Dice;
use super::dirt::{NULL_HUKOU_REGION, NULL_RESIDENCE_REGION};
use super::identifier::{PREFIXES, PersonMint};
use super::mortality::mortality;
use super::names::Name;
use super::person::{Death, Household, Person, Relation, Work};

/// Households per 10,000 whose incomes are a fraction of the usual.
const POOR: u32 = 300;

/// Shapes of household, by weight in 1,000.
const SHAPES: &[(Shape, u32)] = &[
    (Shape::Single, 120),
    (Shape::OldSingle, 75),
    (Shape::Couple, 110),
    (Shape::OldCouple, 160),
    (Shape::Family, 320),
    (Shape::LoneParent, 40),
    (Shape::ThreeGenerations, 173),
    (Shape::Orphans, 2),
];

/// Counties of the city by weight; the first five are urban.
const COUNTIES: &[(usize, u32)] = &[(0, 18), (1, 14), (2, 12), (3, 11), (4, 13), (5, 9), (6, 8), (7, 7), (8, 8)];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    Single,
    OldSingle,
    Couple,
    OldCouple,
    Family,
    LoneParent,
    ThreeGenerations,
    Orphans,
    /// An old person whose 80th birthday comes this many days after the data day.
    Turning80(i32),
    /// An old person who died days before the data day, not yet recorded.
    LateDeath,
    /// An old person with next to nothing.
    Destitute,
    /// A couple whose newborn is not yet recorded.
    Newborn,
}

impl Shape {
    /// Most people that such a household can have.
    fn most(self) -> usize {
        match self {
            Shape::Single | Shape::OldSingle | Shape::Turning80(_) | Shape::LateDeath | Shape::Destitute => 1,
            Shape::Couple | Shape::OldCouple => 2,
            Shape::Newborn => 3,
            Shape::LoneParent | Shape::Orphans => 4,
            Shape::Family => 5,
            Shape::ThreeGenerations => 7,
        }
    }
}

/// Where a household's people are registered and live.
#[derive(Clone, Copy)]
struct Place {
    hukou: usize,
    town: u32,
    rural: bool,
}

/// Makes the households of one chunk.
pub(super) struct Census<'a> {
    pub(super) dice: &'a mut Dice,
    pub(super) mint: &'a mut PersonMint,
    pub(super) data_day: NaiveDate,
    /// Number of the chunk, part of household numbers.
    pub(super) chunk: u32,
    pub(super) people: Vec<Person>,
    pub(super) households: Vec<Household>,
}

impl Census<'_> {
    /// Draws households until the chunk has `persons` people.
    pub(super) fn take(&mut self, persons: usize, forced: &[Shape]) {
        for shape in forced {
            if self.people.len() + shape.most() <= persons {
                self.household(*shape);
            }
        }
        while self.people.len() < persons {
            let room = persons - self.people.len();
            let shape = self.dice.weighted(SHAPES);
            self.household(if shape.most() <= room { shape } else { Shape::Single });
        }
    }

    fn household(&mut self, shape: Shape) {
        let forced = matches!(shape, Shape::Turning80(_) | Shape::LateDeath | Shape::Newborn | Shape::Destitute);
        let place = self.place(forced);
        let first = self.people.len();
        let number = self.households.len();
        match shape {
            Shape::Single => {
                let years = self.dice.weighted(&[(22, 30), (30, 25), (38, 15), (48, 15), (57, 15)]);
                let years = years + self.dice.between(0, 8);
                self.adult(place, Relation::Head, years, None);
            }
            Shape::OldSingle => {
                let years = self.old_age();
                self.adult(place, Relation::Head, years, None);
            }
            Shape::Turning80(days) => {
                let birth = add_years(add_days(self.data_day, days), -80);
                self.person(place, Relation::Head, birth, None, None);
            }
            Shape::LateDeath => {
                let head = self.adult(place, Relation::Head, 83, None);
                let on = add_days(self.data_day, -5);
                let recorded_on = add_days(self.data_day, 8);
                self.people[head].death = Some(Death { on, recorded_on });
            }
            Shape::Destitute => {
                self.adult(place, Relation::Head, 74, None);
            }
            Shape::Couple => {
                let years = self.dice.weighted(&[(24, 40), (31, 20), (47, 40)]);
                self.couple(place, years, 8, None);
            }
            Shape::OldCouple => {
                let years = self.dice.weighted(&[(55, 40), (65, 38), (75, 18), (85, 4)]);
                self.couple(place, years, 9, None);
            }
            Shape::Family => {
                let years = self.dice.weighted(&[(24, 18), (31, 30), (39, 32), (47, 20)]);
                self.family(place, years, &[(1, 52), (2, 40), (3, 8)]);
            }
            Shape::Newborn => {
                self.couple(place, 27, 3, None);
                let (mother, father) = (first + 1, first);
                let birth = add_days(self.data_day, -10);
                self.child(place, Some(mother), Some(father), birth, 1);
            }
            Shape::LoneParent => self.lone_parent(place),
            Shape::ThreeGenerations => self.three_generations(place),
            Shape::Orphans => self.orphans(place),
        }
        let destitute = shape == Shape::Destitute;
        let poor = destitute || (!forced && self.dice.chance(POOR));
        let last = self.people.len();
        if !forced {
            for person in &mut self.people[first..last] {
                mortality(self.dice, person, self.data_day);
            }
        }
        self.households.push(Household { id: format!("H{:05}{:07}", self.chunk, number), poor, members: first..last });
    }

    fn place(&mut self, local: bool) -> Place {
        let county = self.dice.weighted(COUNTIES);
        let kind = self.dice.weighted(&[(0, 875), (1, 75), (2, 40), (3, 10)]);
        let hukou = match kind {
            1 if !local => self.dice.weighted(COUNTIES),
            2 if !local => self.dice.pick(&[10, 11]),
            _ => county,
        };
        let county = if kind == 3 && !local { self.dice.pick(&[10, 11]) } else { county };
        let rural = self.dice.chance(if (5..=9).contains(&hukou) { 6500 } else { 1200 });
        let town = PREFIXES[county] * 1000 + self.dice.between(1, 3) as u32;
        Place { hukou, town, rural }
    }

    fn old_age(&mut self) -> i32 {
        let start = self.dice.weighted(&[(62, 50), (76, 34), (86, 14), (96, 2)]);
        start + self.dice.between(0, 9 + i32::from(start == 62) * 4)
    }

    fn birth_at(&mut self, years: i32) -> NaiveDate {
        let latest = add_years(self.data_day, -years);
        add_days(latest, -self.dice.between(0, 364))
    }

    fn adult(&mut self, place: Place, relation: Relation, years: i32, male: Option<bool>) -> usize {
        let birth = self.birth_at(years);
        self.person(place, relation, birth, male, None)
    }

    fn person(&mut self, place: Place, relation: Relation, birth: NaiveDate, male: Option<bool>, surname: Option<u8>) -> usize {
        let male = male.unwrap_or_else(|| self.dice.chance(5110));
        let years = age(birth, self.data_day);
        let prefix = match place.hukou {
            8 if years > 2 && self.dice.chance(3000) => 9,
            _ if self.dice.chance(1000) => self.dice.below(PREFIXES.len() as u32) as usize,
            hukou => hukou,
        };
        let id = self.mint.mint(prefix, birth, male);
        let hukou = (!self.dice.chance(NULL_HUKOU_REGION)).then_some(PREFIXES[place.hukou]);
        let residence = (!self.dice.chance(NULL_RESIDENCE_REGION)).then_some(place.town);
        let joined = if matches!(relation, Relation::Child) {
            birth
        } else {
            let grown = add_years(birth, 20) + chrono::Days::new(u64::from(self.dice.below(2000)));
            grown.min(add_days(self.data_day, -30)).max(birth)
        };
        self.people.push(Person {
            id,
            old_id: None,
            name: Name::draw(self.dice, surname, male),
            male,
            birth,
            age: years,
            household: self.households.len(),
            relation,
            joined,
            spouse: None,
            mother: None,
            father: None,
            birth_order: 1,
            death: None,
            struck_off: false,
            hukou,
            rural: place.rural,
            chinese: !self.dice.chance(20),
            residence,
            work: Work::None,
            jobs: Vec::new(),
            registered: false,
            since: self.data_day,
            studies: Vec::new(),
            disability: None,
            income: 0,
        });
        self.people.len() - 1
    }

    /// A husband of about `years` (up to `width` more) and his wife; the first child was born on `child`, if any.
    fn couple(&mut self, place: Place, years: i32, width: i32, child: Option<NaiveDate>) -> usize {
        let years = years + self.dice.between(0, width);
        let wife_years = (years - self.dice.between(-2, 6)).max(22);
        let head = self.adult(place, Relation::Head, years, Some(true));
        let wife = self.adult(place, Relation::Spouse, wife_years, Some(false));
        self.marry(head, wife, child);
        head
    }

    fn marry(&mut self, husband: usize, wife: usize, child: Option<NaiveDate>) {
        let of_age = add_years(self.people[wife].birth, 20).max(add_years(self.people[husband].birth, 22));
        let wished = match child {
            Some(birth) => add_days(birth, -self.dice.between(250, 1100)),
            None => add_days(of_age, self.dice.between(0, 3000)),
        };
        let day = wished.min(add_days(self.data_day, -40)).max(of_age.min(self.data_day));
        for (one, other) in [(husband, wife), (wife, husband)] {
            self.people[one].spouse = Some(other);
            self.people[one].joined = day;
        }
    }

    fn child(&mut self, place: Place, mother: Option<usize>, father: Option<usize>, birth: NaiveDate, order: i32) -> usize {
        let surname = father.or(mother).map(|parent| self.people[parent].name.surname);
        let child = self.person(place, Relation::Child, birth, None, surname);
        let person = &mut self.people[child];
        (person.mother, person.father, person.birth_order) = (mother, father, order);
        child
    }

    /// Births of up to `count` children of a mother of this age, the eldest first, at least a year apart.
    fn births(&mut self, mother_years: i32, count: i32) -> Vec<NaiveDate> {
        let youngest = (mother_years - 38).max(0);
        let eldest = (mother_years - 22).clamp(youngest, 26);
        let mut years = self.dice.between(youngest, eldest);
        let mut births = Vec::new();
        for _ in 0..count {
            let latest = add_years(self.data_day, -years);
            births.push(add_days(latest, -self.dice.between(0, 300)));
            years += 2 + self.dice.between(0, 3);
            if years > eldest {
                break;
            }
        }
        births.reverse();
        births
    }

    fn family(&mut self, place: Place, years: i32, counts: &[(i32, u32)]) -> usize {
        let wife_years = years + self.dice.between(0, 7);
        let count = self.dice.weighted(counts);
        let births = if count == 0 { Vec::new() } else { self.births(wife_years, count) };
        let husband_years = wife_years + self.dice.between(-1, 5);
        let head = self.adult(place, Relation::Head, husband_years, Some(true));
        let wife = self.adult(place, Relation::Spouse, wife_years, Some(false));
        self.marry(head, wife, births.first().copied());
        for (index, birth) in births.iter().enumerate() {
            let father = (!self.dice.chance(200)).then_some(head);
            self.child(place, Some(wife), father, *birth, index as i32 + 1);
        }
        head
    }

    fn lone_parent(&mut self, place: Place) {
        let years = self.dice.between(26, 48);
        let count = self.dice.weighted(&[(1, 70), (2, 25), (3, 5)]);
        let births = self.births(years, count);
        let male = self.dice.chance(2500);
        let parent = self.adult(place, Relation::Head, years, Some(male));
        let joined = self.people[parent].joined.min(births[0]);
        self.people[parent].joined = joined;
        for (index, birth) in births.iter().enumerate() {
            let (mother, father) = if male { (None, Some(parent)) } else { (Some(parent), None) };
            self.child(place, mother, father, *birth, index as i32 + 1);
        }
    }

    fn three_generations(&mut self, place: Place) {
        let years = self.dice.weighted(&[(24, 18), (31, 32), (39, 32), (47, 18)]);
        let head = self.family(place, years, &[(0, 10), (1, 55), (2, 30), (3, 5)]);
        let (joined, head_age) = (self.people[head].joined, self.people[head].age);
        let surname = self.people[head].name.surname;
        let grandfather_years = (head_age + self.dice.between(22, 34)).min(104);
        let both = self.dice.chance(5500);
        let grandmother_years = (grandfather_years - self.dice.between(-1, 5)).max(head_age + 20);
        if both || self.dice.chance(3500) {
            let birth = self.birth_at(grandfather_years);
            let father = self.person(place, Relation::Parent, birth, Some(true), Some(surname));
            self.people[head].father = Some(father);
        }
        if both || self.people[head].father.is_none() {
            let mother = self.adult(place, Relation::Parent, grandmother_years, Some(false));
            self.people[head].mother = Some(mother);
        }
        if let (true, Some(father), Some(mother)) = (both, self.people[head].father, self.people[head].mother) {
            let born = self.people[head].birth;
            self.marry(father, mother, Some(born));
        }
        for parent in [self.people[head].father, self.people[head].mother].into_iter().flatten() {
            self.people[parent].joined = joined;
        }
    }

    /// A grandparent with a child whose parents have died; the population register still has them.
    fn orphans(&mut self, place: Place) {
        let years = self.dice.between(58, 72);
        let head = self.adult(place, Relation::Head, years, None);
        let years_of_child = self.dice.between(2, 14);
        let born = self.birth_at(years_of_child);
        let parents_years = (years - 24).min(46);
        let father = self.adult(place, Relation::Child, parents_years, Some(true));
        let mother = self.adult(place, Relation::Child, (parents_years - 2).max(30), Some(false));
        for parent in [father, mother] {
            let earliest = add_days(born, 30).max(day(2015, 1, 1));
            let span = days_between(earliest, add_days(self.data_day, -90)).max(0);
            let on = add_days(earliest, self.dice.between(0, span));
            self.people[parent].death = Some(Death { on, recorded_on: add_days(on, 12) });
        }
        let child = self.child(place, Some(mother), Some(father), born, 1);
        self.people[child].relation = Relation::Other;
        self.people[head].joined = add_months(self.people[father].birth, -12);
    }
}
