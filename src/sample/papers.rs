//! Writes schooling and the e-certificates: graduation, skills, teaching, driving.

use chrono::{Datelike, NaiveDate};

use super::calendar::{add_days, add_months, add_years};
use super::layout::Register;
use super::person::{Person, Study, Work};
use super::population::Chunk;
use super::table::Cell;

/// Insured people per 10,000 with a skill certificate of the last 24 months.
const NEW_SKILL: u32 = 260;
/// Insured people per 10,000 with an older one.
const OLD_SKILL: u32 = 600;
/// Grown people per 10,000 who drive.
const DRIVERS: u32 = 2200;
const TRADES: &[&str] = &[
    "电工",
    "焊工",
    "养老护理员",
    "育婴员",
    "保育师",
    "钳工",
    "中式烹调师",
    "汽车维修工",
    "美容师",
    "数控车工",
    "家政服务员",
    "网络与信息安全管理员",
];

/// One certificate on its way into the register.
struct Paper<'a> {
    kind: &'a str,
    trade: Option<&'a str>,
    level: &'a str,
    scarce: Option<bool>,
    issued_on: NaiveDate,
    expires_on: Option<NaiveDate>,
}

impl Chunk<'_> {
    /// Writes the registers of this file.
    pub(super) fn write_papers(&mut self) {
        let people = self.people;
        for (index, person) in people.iter().enumerate() {
            for study in &person.studies {
                self.enrolment(person, *study);
            }
            if person.death.is_none() {
                self.certificates(person, index);
            }
        }
    }

    fn enrolment(&mut self, person: &Person, study: Study) {
        let Some(to) = person.lasting(study.from, study.graduated_on, self.data_day) else { return };
        let of_age = matches!(study.stage, "college" | "bachelor" | "master" | "doctor");
        let kind = if of_age { 'G' } else { 'S' };
        let school = format!("{kind}{:04}", self.dice.between(1, if of_age { 40 } else { 400 }));
        let full_time = !of_age || !self.dice.chance(300);
        let graduated_on = study.graduated_on.filter(|date| to == Some(*date));
        let cells = [
            Cell::Text(person.id.as_str()),
            Cell::Text(&school),
            Cell::Text(study.stage),
            Cell::Flag(full_time),
            Cell::Day(study.from),
            to.into(),
            graduated_on.into(),
        ];
        self.books.push(Register::EducationEnrolment, &cells);
    }

    fn certificates(&mut self, person: &Person, index: usize) {
        let mut number = index * 10;
        for study in &person.studies {
            let Some(issued_on) = study.graduated_on else { continue };
            if matches!(study.stage, "kindergarten" | "primary" | "junior" | "senior") {
                continue;
            }
            let paper = Paper { kind: "graduation", trade: None, level: "none", scarce: None, issued_on, expires_on: None };
            self.certificate(person, number, &paper);
            number += 1;
        }
        if person.work == Work::Employed {
            self.skills(person, &mut number);
        }
        if (19..70).contains(&person.age) && self.dice.chance(DRIVERS) {
            let issued_on = self.days_ago(person, 5, 3000);
            let expires_on = Some(add_years(issued_on, 10));
            let paper = Paper { kind: "driver", trade: None, level: "none", scarce: None, issued_on, expires_on };
            self.certificate(person, number, &paper);
            number += 1;
        }
        if (23..60).contains(&person.age) && self.dice.chance(120) {
            let issued_on = self.days_ago(person, 40, 4000);
            let paper = Paper { kind: "teacher", trade: None, level: "none", scarce: None, issued_on, expires_on: None };
            self.certificate(person, number, &paper);
        }
    }

    fn skills(&mut self, person: &Person, number: &mut usize) {
        let trade = self.dice.pick(TRADES);
        let older = self.dice.chance(OLD_SKILL);
        if older {
            let issued_on = self.days_ago(person, 740, 3600);
            self.skill(person, *number, trade, "junior", issued_on);
            *number += 1;
        }
        if self.dice.chance(if older { NEW_SKILL * 4 } else { NEW_SKILL }) {
            let level =
                self.dice.weighted(&[("junior", 35), ("intermediate", 35), ("senior", 22), ("technician", 6), ("senior_technician", 2)]);
            let issued_on = add_months(self.data_day, -self.dice.between(0, 23));
            let issued_on = add_days(issued_on, -self.dice.between(0, 25));
            self.skill(person, *number, trade, level, issued_on);
            *number += 1;
        }
    }

    fn skill(&mut self, person: &Person, number: usize, trade: &str, level: &str, issued_on: NaiveDate) {
        let scarce = self.dice.weighted(&[(Some(true), 15), (Some(false), 80), (None, 5)]);
        let paper = Paper { kind: "skill", trade: Some(trade), level, scarce, issued_on, expires_on: None };
        self.certificate(person, number, &paper);
    }

    fn days_ago(&mut self, person: &Person, low: i32, high: i32) -> NaiveDate {
        let drawn = add_days(self.data_day, -self.dice.between(low, high));
        drawn.max(add_years(person.birth, 18)).min(self.data_day)
    }

    fn certificate(&mut self, person: &Person, number: usize, paper: &Paper<'_>) {
        let text = format!("ZJ{}{:05}{number:08}", paper.issued_on.year(), self.number);
        let id = person.known_as();
        if person.old_id.is_some() {
            self.renumbered_row("certificates");
        }
        let cells = [
            Cell::Text(&text),
            Cell::Text(id.as_str()),
            Cell::Text(paper.kind),
            paper.trade.into(),
            Cell::Text(paper.level),
            paper.scarce.into(),
            Cell::Day(paper.issued_on),
            paper.expires_on.into(),
        ];
        self.books.push(Register::Certificates, &cells);
    }
}
