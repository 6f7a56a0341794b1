//! The one table of diagnostic codes; each has a page in `codes/<name>.md`.

use super::Severity;

/// Whose fault a diagnostic tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The policy's author can mend it.
    Policy,
    /// A register's keeper can mend it.
    Data,
    /// Whoever runs the program can mend it: paths, settings, machines.
    Deployment,
    /// We must mend it.
    Ours,
}

/// A kind of fault. Names and numbers are never reused.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Stable number: `MS1xxx` policy, `MS2xxx` data, `MS3xxx` deployment, `MS9xxx` ours.
    pub number: &'static str,
    /// Kebab-case name.
    pub name: &'static str,
    /// Severity unless a diagnostic says otherwise.
    pub severity: Severity,
    /// Whose fault.
    pub fault: Fault,
    /// The page that explains it, Markdown.
    pub page: &'static str,
}

macro_rules! codes {
    ($($constant:ident $number:literal $name:literal $severity:ident $fault:ident;)*) => {
        $(
            #[doc = concat!("`", $number, "` ", $name)]
            pub static $constant: Code = Code {
                number: $number,
                name: $name,
                severity: Severity::$severity,
                fault: Fault::$fault,
                page: include_str!(concat!("codes/", $name, ".md")),
            };
        )*
        /// Every code, by number.
        pub static CODES: &[&Code] = &[$(&$constant),*];
    };
}

codes! {
    YAML_SYNTAX "MS1001" "yaml-syntax" Error Policy;
    UNKNOWN_KEY "MS1002" "unknown-key" Error Policy;
    MISSING_KEY "MS1003" "missing-key" Error Policy;
    WRONG_SHAPE "MS1004" "wrong-shape" Error Policy;
    DUPLICATE_KEY "MS1005" "duplicate-key" Error Policy;
    EXPRESSION_SYNTAX "MS1010" "expression-syntax" Error Policy;
    UNKNOWN_FACT "MS1011" "unknown-fact" Error Policy;
    UNKNOWN_FUNCTION "MS1012" "unknown-function" Error Policy;
    UNKNOWN_PARAMETER "MS1013" "unknown-parameter" Error Policy;
    UNKNOWN_POLICY "MS1014" "unknown-policy" Error Policy;
    UNKNOWN_REGION "MS1015" "unknown-region" Error Policy;
    UNKNOWN_CODE_VALUE "MS1016" "unknown-code-value" Error Policy;
    UNKNOWN_REGISTER "MS1017" "unknown-register" Error Policy;
    UNKNOWN_BASIS "MS1018" "unknown-basis" Error Policy;
    TYPE_MISMATCH "MS1020" "type-mismatch" Error Policy;
    UNIT_MISMATCH "MS1021" "unit-mismatch" Error Policy;
    WRONG_ARGUMENTS "MS1022" "wrong-arguments" Error Policy;
    COMPARE_WITH_NULL "MS1023" "compare-with-null" Error Policy;
    CHAINED_COMPARISON "MS1024" "chained-comparison" Error Policy;
    NUMBER_OUT_OF_RANGE "MS1025" "number-out-of-range" Error Policy;
    DUPLICATE_POLICY_CODE "MS1030" "duplicate-policy-code" Error Policy;
    POLICY_WITHOUT_CODE "MS1031" "policy-without-code" Error Policy;
    OVERLAPPING_PARAMETER "MS1032" "overlapping-parameter" Error Policy;
    PARAMETER_WITHOUT_VALUE "MS1033" "parameter-without-value" Error Policy;
    CYCLE "MS1034" "cycle" Error Policy;
    DUPLICATE_NAME "MS1035" "duplicate-name" Error Policy;
    DUPLICATE_CRITERION "MS1036" "duplicate-criterion" Error Policy;
    BAD_PERIOD "MS1037" "bad-period" Error Policy;
    INCOMPARABLE_PERIODS "MS1038" "incomparable-periods" Error Policy;
    CRITERION_WITHOUT_CLAUSE "MS1039" "criterion-without-clause" Warning Policy;
    POLICY_WITHOUT_CASES "MS1040" "policy-without-cases" Warning Policy;
    CASE_FAILS "MS1041" "case-fails" Error Policy;
    UNFOUNDED_EXCLUSION "MS1042" "unfounded-exclusion" Error Policy;
    UNKNOWN_PLACEHOLDER "MS1050" "unknown-placeholder" Error Policy;
    TEMPLATE_SYNTAX "MS1051" "template-syntax" Error Policy;
    NEVER_HOLDS "MS1101" "never-holds" Error Policy;
    ALWAYS_HOLDS "MS1102" "always-holds" Warning Policy;
    CONTRADICTORY_CONDITIONS "MS1103" "contradictory-conditions" Error Policy;
    IMPLIED_CONDITION "MS1104" "implied-condition" Warning Policy;
    UNREACHABLE_BRANCH "MS1105" "unreachable-branch" Warning Policy;
    BAND_GAP "MS1106" "band-gap" Warning Policy;
    BAND_OVERLAP "MS1107" "band-overlap" Warning Policy;
    NEGATIVE_AMOUNT "MS1108" "negative-amount" Error Policy;
    AMOUNT_FALLS_BACK "MS1109" "amount-falls-back" Warning Policy;
    CLAUSE_CONTRADICTS_RULE "MS1110" "clause-contradicts-rule" Error Policy;
    CLAUSE_NUMBER_DIFFERS "MS1111" "clause-number-differs" Warning Policy;
    CLAUSE_WITHOUT_RULE "MS1112" "clause-without-rule" Warning Policy;
    BASIS_RUN_OUT "MS1113" "basis-run-out" Warning Policy;
    REGISTER_DOES_NOT_COVER "MS1114" "register-does-not-cover" Warning Policy;
    SAME_BENEFIT_TWICE "MS1115" "same-benefit-twice" Warning Policy;
    CODE_REUSED "MS1116" "code-reused" Error Policy;
    ONE_SIDED_CASES "MS1117" "one-sided-cases" Warning Policy;
    UNUSED_PARAMETER "MS1118" "unused-parameter" Warning Policy;
    UNTOUCHED_BOUNDARY "MS1119" "untouched-boundary" Warning Policy;
    MATERIAL_ON_RECORD "MS1120" "material-on-record" Warning Policy;
    REGISTER_MISSING "MS2001" "register-missing" Error Data;
    COLUMN_MISSING "MS2002" "column-missing" Error Data;
    WRONG_ENCODING "MS2003" "wrong-encoding" Error Data;
    FILE_UNREADABLE "MS2004" "file-unreadable" Error Data;
    REGISTER_EMPTY "MS2005" "register-empty" Error Data;
    ARITHMETIC_OVERFLOW "MS2006" "arithmetic-overflow" Error Data;
    SOURCES_INVALID "MS3001" "sources-invalid" Error Deployment;
    OUTPUT_FAILED "MS3002" "output-failed" Error Deployment;
    PATH_MISSING "MS3003" "path-missing" Error Deployment;
    BAD_ARGUMENT "MS3004" "bad-argument" Error Deployment;
    INTERRUPTED "MS3005" "interrupted" Error Deployment;
    STORE_FAILED "MS3006" "store-failed" Error Deployment;
    TRAIL_BROKEN "MS3007" "trail-broken" Error Deployment;
    SETTINGS_INVALID "MS3010" "settings-invalid" Error Deployment;
    NOT_HELD "MS3011" "not-held" Error Deployment;
    SNAPSHOT_UNFIT "MS3012" "snapshot-unfit" Warning Deployment;
    INTERNAL "MS9001" "internal" Error Ours;
}

/// The code with a name or number, if there is one.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Code> {
    CODES.iter().find(|code| code.name == name || code.number.eq_ignore_ascii_case(name)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_told_apart() {
        for (index, code) in CODES.iter().enumerate() {
            assert_eq!(by_name(code.name), Some(*code));
            assert_eq!(by_name(code.number), Some(*code));
            assert!(index == 0 || CODES[index - 1].number < code.number, "{} is out of order", code.number);
        }
    }

    #[test]
    fn numbers_say_whose_fault_it_is() {
        for code in CODES {
            let prefix = match code.fault {
                Fault::Policy => "MS1",
                Fault::Data => "MS2",
                Fault::Deployment => "MS3",
                Fault::Ours => "MS9",
            };
            assert!(code.number.starts_with(prefix), "{}", code.name);
        }
    }

    #[test]
    fn pages_have_their_parts() {
        for code in CODES {
            let heading = format!("# {} ({})\n\n## 说明\n", code.name, code.number);
            assert!(code.page.starts_with(&heading), "{}", code.name);
            assert!(code.page.contains("\n## What it says\n"), "{}", code.name);
            let blocks = code.page.lines().filter(|line| line.starts_with("```")).count();
            assert_eq!(blocks, 4, "{} has one faulty and one mended example", code.name);
            assert!(code.page.lines().count() <= 40, "{} is longer than a page", code.name);
        }
    }

    #[test]
    fn pages_belong_to_codes() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/diagnostic/codes");
        let pages = std::fs::read_dir(folder).expect("the folder of pages");
        for page in pages {
            let path = page.expect("an entry of the folder").path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a UTF-8 name");
            assert!(CODES.iter().any(|code| code.name == name), "{name} has a page and no code");
        }
    }
}
