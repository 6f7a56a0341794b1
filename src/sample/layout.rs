//! The registers that the generator writes: names, columns, and which column names the subject.

use Kind::{Day, Flag, Int, Money, Text};

/// How a column is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// UTF-8 text: identifiers, codes, regions, names.
    Text,
    /// 32-bit integer.
    Int,
    /// Decimal with two places.
    Money,
    /// Boolean.
    Flag,
    /// Day; a month is its first day.
    Day,
}

/// One register's columns.
pub(super) struct Layout {
    /// Name of the register and of its file.
    pub(super) name: &'static str,
    /// Which column names the subject.
    pub(super) key: usize,
    /// Name and kind of each column, in order.
    pub(super) columns: &'static [(&'static str, Kind)],
}

macro_rules! registers {
    ($($variant:ident $name:literal key $key:literal { $($column:literal $kind:ident),* })*) => {
        /// A register of the synthetic city.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[allow(missing_docs)]
        pub(super) enum Register { $($variant),* }

        /// Every register, in the order of [`Register`].
        pub(super) const LAYOUTS: &[Layout] = &[
            $(Layout { name: $name, key: $key, columns: &[$(($column, $kind)),*] }),*
        ];
    };
}

registers! {
    Population "population" key 0 {
        "person_id" Text, "name" Text, "sex" Text, "birth_date" Day, "nationality" Text,
        "hukou_region" Text, "hukou_kind" Text, "residence_region" Text
    }
    HouseholdMembership "household_membership" key 1 {
        "household_id" Text, "person_id" Text, "relation" Text, "living_together" Flag,
        "from_date" Day, "to_date" Day
    }
    Marriage "marriage" key 0 { "person_id" Text, "spouse_id" Text, "from_date" Day, "to_date" Day }
    Birth "birth" key 0 {
        "person_id" Text, "birth_date" Day, "mother_id" Text, "father_id" Text, "birth_order" Int,
        "lawful" Flag, "recorded_on" Day
    }
    Death "death" key 0 { "person_id" Text, "death_date" Day, "recorded_on" Day }
    SocialInsurance "social_insurance" key 0 {
        "person_id" Text, "entity_id" Text, "kind" Text, "from_month" Day, "to_month" Day, "base" Money
    }
    UnemploymentRegistration "unemployment_registration" key 0 {
        "person_id" Text, "registered_on" Day, "to_date" Day, "reason" Text, "seeking" Flag
    }
    EmploymentContracts "employment_contracts" key 1 {
        "contract_no" Text, "person_id" Text, "entity_id" Text, "start_date" Day, "end_date" Day
    }
    DisabilityCards "disability_cards" key 1 {
        "card_no" Text, "person_id" Text, "kind" Text, "grade" Int, "needs_care" Flag,
        "issued_on" Day, "expires_on" Day
    }
    SocialAssistance "social_assistance" key 0 {
        "person_id" Text, "household_id" Text, "kind" Text, "from_date" Day, "to_date" Day
    }
    EducationEnrolment "education_enrolment" key 0 {
        "person_id" Text, "school_code" Text, "stage" Text, "full_time" Flag, "from_date" Day,
        "to_date" Day, "graduated_on" Day
    }
    PensionBenefits "pension_benefits" key 0 {
        "person_id" Text, "kind" Text, "from_month" Day, "to_month" Day
    }
    IncomeAssessment "income_assessment" key 0 {
        "person_id" Text, "monthly_income" Money, "financial_assets" Money, "assessed_on" Day
    }
    Housing "housing" key 1 {
        "property_no" Text, "person_id" Text, "area" Int, "from_date" Day, "to_date" Day
    }
    Vehicles "vehicles" key 1 {
        "plate_no" Text, "person_id" Text, "value" Text, "from_date" Day, "to_date" Day
    }
    CreditPersons "credit_persons" key 0 {
        "person_id" Text, "list" Text, "from_date" Day, "to_date" Day
    }
    Certificates "certificates" key 1 {
        "certificate_no" Text, "person_id" Text, "kind" Text, "trade" Text, "level" Text,
        "scarce" Flag, "issued_on" Text, "expires_on" Day
    }
    FamilyPlanning "family_planning" key 0 {
        "person_id" Text, "children_born" Int, "children_alive" Int, "girls_alive" Int,
        "violation" Flag, "only_child_status" Text
    }
    BankAccounts "bank_accounts" key 0 {
        "person_id" Text, "account_no" Text, "bank" Text, "active" Flag
    }
    RecognisedPersons "recognised_persons" key 0 {
        "person_id" Text, "list" Text, "from_date" Day, "to_date" Day
    }
    LegalEntity "legal_entity" key 0 {
        "entity_id" Text, "name" Text, "kind" Text, "size" Text, "industry" Text,
        "restricted_trade" Flag, "registered_region" Text, "established_on" Day,
        "deregistered_on" Day, "legal_representative_id" Text
    }
    EntityTax "entity_tax" key 0 {
        "entity_id" Text, "year" Int, "vat_payer" Text, "taxable_profit" Money,
        "assets_average" Money, "staff_average" Int
    }
    EntityStaff "entity_staff" key 0 {
        "entity_id" Text, "year" Int, "insured_start" Int, "insured_end" Int,
        "unemployment_premium" Money, "unemployment_months" Int
    }
    CreditEntities "credit_entities" key 0 {
        "entity_id" Text, "list" Text, "from_date" Day, "to_date" Day
    }
    RecognisedEntities "recognised_entities" key 0 {
        "entity_id" Text, "list" Text, "recognised_on" Day, "to_date" Day
    }
    GrantsPaid "grants_paid" key 1 {
        "subject_kind" Text, "subject_id" Text, "policy" Text, "period" Text, "occasion" Text,
        "amount" Money, "paid_on" Day
    }
    IdentityLinks "identity_links" key 0 {
        "old_id" Text, "new_id" Text, "kind" Text, "on_date" Day
    }
    Refusals "refusals" key 1 {
        "subject_kind" Text, "subject_id" Text, "kind" Text, "policy" Text, "on_date" Day
    }
}

impl Register {
    /// The register's columns.
    pub(super) fn layout(self) -> &'static Layout {
        &LAYOUTS[self as usize]
    }
}
