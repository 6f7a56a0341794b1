//! The dirt of real registers, at stated rates, one fault to a row.
//!
//! A row that will be quarantined is always an extra one, a spoiled copy of a clean row, so that the clean city stays
//! whole. Identifiers that only need tidying are spoiled in place. Rates are per 10,000 rows that can take the fault;
//! whatever the rate, the third such row of a city has it.

use super::layout::Register;

/// Children whose birth register disagrees with the population register about their birth date.
pub(super) const BIRTH_DATE_CONFLICT: u32 = 150;
/// Persons who were once given another number; some registers still know the old one.
pub(super) const RENUMBERED: u32 = 15;
/// Persons without a hukou region in the population register.
pub(super) const NULL_HUKOU_REGION: u32 = 30;
/// Persons without a region of residence in the population register.
pub(super) const NULL_RESIDENCE_REGION: u32 = 50;
/// Income assessments without an income.
pub(super) const NULL_INCOME: u32 = 150;
/// Income assessments without financial assets.
pub(super) const NULL_ASSETS: u32 = 100;
/// Persons of 16 or more with a refusal or an objection on record (aged 80 or more: seven times as often).
pub(super) const REFUSAL: u32 = 30;
/// Old-age allowance paid early for the month of the data day with half the amount: the batch was made up before the rates.
pub(super) const PAID_AMOUNT: u32 = 1500;

/// Why a row is expected in quarantine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reason {
    BadIdentifier,
    DuplicateKey,
    UnknownCode,
    Uncastable,
    MissingRequired,
}

impl Reason {
    /// The reason as `planted.json` names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Reason::BadIdentifier => "bad-identifier",
            Reason::DuplicateKey => "duplicate-key",
            Reason::UnknownCode => "unknown-code",
            Reason::Uncastable => "uncastable",
            Reason::MissingRequired => "missing-required",
        }
    }
}

/// What the faulty column of the copy holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Becomes {
    /// The same as the original: the copy is a duplicate.
    Same,
    /// The identifier with a wrong check character.
    Spoiled,
    /// This text.
    Text(&'static str),
    /// Nothing.
    Null,
}

/// One kind of fault of one register.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) register: Register,
    pub(super) reason: Reason,
    pub(super) column: &'static str,
    pub(super) becomes: Becomes,
    /// The copy gets a number of its own in this column, so that it is no duplicate as well.
    pub(super) fresh: Option<&'static str>,
    /// Faults per 10,000 rows.
    pub(super) rate: u32,
}

const fn fault(
    register: Register,
    reason: Reason,
    column: &'static str,
    becomes: Becomes,
    fresh: Option<&'static str>,
    rate: u32,
) -> Fault {
    Fault { register, reason, column, becomes, fresh, rate }
}

/// Every fault that leads to quarantine.
pub(super) const FAULTS: &[Fault] = &{
    use Becomes::{Null, Same, Spoiled, Text};
    use Reason::{BadIdentifier, DuplicateKey, MissingRequired, Uncastable, UnknownCode};
    use Register as R;
    [
        // A clerk's slip in the last character.
        fault(R::Population, BadIdentifier, "person_id", Spoiled, None, 20),
        fault(R::SocialInsurance, BadIdentifier, "person_id", Spoiled, None, 10),
        fault(R::IncomeAssessment, BadIdentifier, "person_id", Spoiled, None, 15),
        fault(R::Birth, BadIdentifier, "person_id", Spoiled, None, 60),
        fault(R::LegalEntity, BadIdentifier, "entity_id", Spoiled, None, 80),
        // The same row delivered twice.
        fault(R::HouseholdMembership, DuplicateKey, "person_id", Same, None, 15),
        fault(R::EducationEnrolment, DuplicateKey, "person_id", Same, None, 30),
        fault(R::BankAccounts, DuplicateKey, "account_no", Same, None, 20),
        fault(R::Vehicles, DuplicateKey, "plate_no", Same, None, 60),
        fault(R::DisabilityCards, DuplicateKey, "card_no", Same, None, 120),
        fault(R::LegalEntity, DuplicateKey, "entity_id", Same, None, 80),
        // A code of another list, or of a newer one.
        fault(R::SocialInsurance, UnknownCode, "kind", Text("maternity"), None, 8),
        fault(R::RecognisedPersons, UnknownCode, "list", Text("good_neighbour"), None, 100),
        fault(R::RecognisedEntities, UnknownCode, "list", Text("unicorn"), None, 100),
        fault(R::Certificates, UnknownCode, "level", Text("grade_six"), Some("certificate_no"), 40),
        // Dates and amounts typed by hand.
        fault(R::Certificates, Uncastable, "issued_on", Text("2025-02-30"), Some("certificate_no"), 40),
        fault(R::Certificates, Uncastable, "issued_on", Text("不详"), Some("certificate_no"), 20),
        fault(R::Vehicles, Uncastable, "value", Text("约五万"), Some("plate_no"), 80),
        fault(R::DisabilityCards, Uncastable, "issued_on", Text("2021/13/05"), Some("card_no"), 150),
        // A form sent in half empty.
        fault(R::Housing, MissingRequired, "area", Null, Some("property_no"), 50),
        fault(R::Certificates, MissingRequired, "level", Null, Some("certificate_no"), 30),
    ]
};

/// How an identifier is spoiled in place: right once it is tidied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rewrite {
    /// The 15 digits of before 1999.
    OldForm,
    /// A lower-case check character.
    LowerX,
    /// Full-width digits.
    FullWidth,
    /// Blanks around it, one of them ideographic.
    Blanks,
}

impl Rewrite {
    /// The name in `planted.json`; the old form has a list of its own there.
    pub(super) fn name(self) -> &'static str {
        match self {
            Rewrite::OldForm => "old-form",
            Rewrite::LowerX => "lower-case-x",
            Rewrite::FullWidth => "full-width",
            Rewrite::Blanks => "blanks",
        }
    }

    /// The identifier as spoiled, or nothing where it cannot take this form.
    pub(super) fn apply(self, id: &str) -> Option<String> {
        match self {
            Rewrite::OldForm if &id[6..8] == "19" => Some(format!("{}{}", &id[..6], &id[8..17])),
            Rewrite::LowerX if id.ends_with('X') => Some(id.to_lowercase()),
            Rewrite::FullWidth => Some(id.chars().map(full_width).collect()),
            Rewrite::Blanks => Some(format!(" {id}\u{3000}")),
            Rewrite::OldForm | Rewrite::LowerX => None,
        }
    }
}

fn full_width(c: char) -> char {
    char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c)
}

/// Which registers hold such identifiers, per 10,000 rows that can.
pub(super) const REWRITES: &[(Register, Rewrite, u32)] = &[
    (Register::PensionBenefits, Rewrite::OldForm, 200),
    (Register::EducationEnrolment, Rewrite::LowerX, 2500),
    (Register::BankAccounts, Rewrite::FullWidth, 40),
    (Register::Housing, Rewrite::Blanks, 120),
];
