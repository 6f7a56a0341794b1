//! Identifiers of persons (GB 11643) and legal entities (GB 32100): normalised, check-digited, masked.

use std::borrow::Cow;

use chrono::NaiveDate;
use unicode_normalization::UnicodeNormalization as _;

use super::declaration::SubjectKind;
use crate::diagnostic::Message;

/// GB 11643-1999, ISO 7064 MOD 11-2.
const PERSON_WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const PERSON_CHECKS: [u8; 11] = *b"10X98765432";
/// GB 32100-2015: digits and capitals without I O S V Z.
const ENTITY_ALPHABET: [u8; 31] = *b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// GB 32100-2015: 3^(i-1) mod 31.
const ENTITY_WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
/// GB 11714, the organisation code inside.
const BODY_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
/// The value of each byte in [`ENTITY_ALPHABET`]; 255 for what is not in it.
const ENTITY_VALUES: [u8; 256] = entity_values();
/// Which months have which days: at 100 × month + day, 1 for days of every year, 2 for that of leap years.
const DAYS_OF_YEAR: [u8; 1232] = days_of_year();

const fn days_of_year() -> [u8; 1232] {
    let lengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut days = [0; 1232];
    let mut month = 0;
    while month < 12 {
        let mut day = 1;
        while day <= lengths[month] {
            days[100 * (month + 1) + day] = 1;
            day += 1;
        }
        month += 1;
    }
    days[229] = 2;
    days
}

const fn entity_values() -> [u8; 256] {
    let mut values = [255; 256];
    let mut at = 0;
    while at < ENTITY_ALPHABET.len() {
        #[expect(clippy::cast_possible_truncation, reason = "the alphabet has 31 characters")]
        {
            values[ENTITY_ALPHABET[at] as usize] = at as u8;
        }
        at += 1;
    }
    values
}

/// Why a text is no identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentifierFault {
    /// Not 18 characters (persons: nor 15).
    Length(usize),
    /// A character that such an identifier cannot have.
    Character,
    /// The eight digits of the birth date are no date.
    BirthDate,
    /// The last character does not follow from the others.
    CheckCharacter,
    /// The check character of the organisation code inside (GB 11714) is wrong.
    BodyCheckCharacter,
}

impl IdentifierFault {
    /// For people.
    #[must_use]
    pub fn message(self) -> Message {
        match self {
            Self::Length(length) => Message::new(format!("长度是 {length}, 应为 18 位"), format!("{length} characters, expected 18")),
            Self::Character => Message::new("含有不允许的字符", "a character that is not allowed"),
            Self::BirthDate => Message::new("出生日期不存在", "the birth date does not exist"),
            Self::CheckCharacter => Message::new("校验码不对", "the check character is wrong"),
            Self::BodyCheckCharacter => Message::new("主体标识码的校验码不对", "the check character of the organisation code is wrong"),
        }
    }
}

/// An identifier in its one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalised<'a> {
    /// 18 characters; borrowed where the text already was in this form.
    pub text: Cow<'a, str>,
    /// Whether it was made from the 15 digits of before 1999.
    pub upgraded: bool,
}

/// Whether the bytes are a person's identifier in its one form. Allocates nothing.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_person_id(bytes: &[u8]) -> Result<(), IdentifierFault> {
    let Ok(id) = <&[u8; 18]>::try_from(bytes) else { return Err(IdentifierFault::Length(bytes.len())) };
    let mut sum = 0;
    let mut all_digits = true;
    for (byte, weight) in id.iter().zip(PERSON_WEIGHTS) {
        let digit = byte.wrapping_sub(b'0');
        all_digits &= digit < 10;
        sum += u32::from(digit) * weight;
    }
    if !all_digits || !(id[17].is_ascii_digit() || id[17] == b'X') || id[0] == b'0' {
        return Err(IdentifierFault::Character);
    }
    if !is_date(&id[6..14]) {
        return Err(IdentifierFault::BirthDate);
    }
    if PERSON_CHECKS[(sum % 11) as usize] != id[17] {
        return Err(IdentifierFault::CheckCharacter);
    }
    Ok(())
}

/// Whether the bytes are a person's identifier in its one form, as [`check_person_id`] finds, without telling why not.
pub(super) fn is_person_id(id: &[u8; 18]) -> bool {
    let digits: [u8; 17] = std::array::from_fn(|at| id[at].wrapping_sub(b'0'));
    let has_digits_only = digits.iter().fold(0, |greatest, digit| greatest.max(*digit)) < 10;
    if !has_digits_only || digits[0] == 0 {
        return false;
    }
    let sum: u32 = digits.iter().zip(PERSON_WEIGHTS).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    let number = |range: std::ops::Range<usize>| digits[range].iter().fold(0, |number, digit| number * 10 + usize::from(*digit));
    let (year, month_and_day) = (number(6..10), number(10..14));
    let is_day = match DAYS_OF_YEAR.get(month_and_day) {
        Some(1) => true,
        Some(2) => year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)),
        _ => false,
    };
    is_day && (1800..2200).contains(&year) && PERSON_CHECKS[(sum % 11) as usize] == id[17]
}

/// The number that the first 17 digits of a person's identifier are.
pub(super) fn digits_of(id: &[u8; 17]) -> u64 {
    let [first, second] = [0, 8].map(|at| eight_digits(std::array::from_fn(|digit| id[at + digit])));
    (first.wrapping_mul(100_000_000).wrapping_add(second)).wrapping_mul(10).wrapping_add(u64::from(id[16].wrapping_sub(b'0')))
}

/// The number that eight digits are: pairs of digits are put together, then pairs of pairs, then all, in one word.
fn eight_digits(digits: [u8; 8]) -> u64 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let word = u64::from_le_bytes(digits).wrapping_sub(0x3030_3030_3030_3030);
    let word = word.wrapping_mul(10).wrapping_add(word >> 8);
    let high = (word & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let low = (word >> 16 & PAIRS).wrapping_mul(1 + (10_000 << 32));
    high.wrapping_add(low) >> 32
}

/// Whether eight digits are a date of the years 1800 to 2199.
fn is_date(digits: &[u8]) -> bool {
    let number = |range: std::ops::Range<usize>| digits[range].iter().fold(0, |number, byte| number * 10 + u32::from(byte - b'0'));
    let (year, month, day) = (number(0..4), number(4..6), number(6..8));
    if !(1800..2200).contains(&year) || day == 0 {
        return false;
    }
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => return false,
    };
    day <= last
}

/// The 18th character of a person's identifier after its 17 digits.
fn person_check_character(digits: &[u8]) -> u8 {
    let sum: u32 = digits.iter().zip(PERSON_WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    PERSON_CHECKS[(sum % 11) as usize]
}

/// An identifier's 18 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PersonId(pub [u8; 18]);

impl PersonId {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The first 17 digits of a person's identifier in its one form, as a number; none for any other text.
#[must_use]
pub fn person_number(id: &[u8]) -> Option<u64> {
    let id: &[u8; 18] = id.try_into().ok()?;
    is_person_id(id).then(|| digits_of(&std::array::from_fn(|at| id[at])))
}

/// The identifier whose first 17 digits are the number: the 18th character follows from them (GB 11643).
#[must_use]
pub fn person_id_of(number: u64) -> PersonId {
    let mut id = [b'0'; 18];
    let (mut rest, mut sum) = (number, 0);
    for (byte, weight) in id[..17].iter_mut().zip(PERSON_WEIGHTS).rev() {
        let digit = (rest % 10) as u8;
        *byte = b'0' + digit;
        sum += u32::from(digit) * weight;
        rest /= 10;
    }
    id[17] = PERSON_CHECKS[(sum % 11) as usize];
    PersonId(id)
}

/// A person's identifier in its one form: no blanks, half width, capital X, 18 characters.
///
/// # Errors
///
/// What is wrong with it.
///
/// # Example
///
/// ```
/// use mianshen::register::identifier::normalise_person_id;
/// let id = normalise_person_id(" １１０１０５１９４９１２３１００２x ").unwrap();
/// assert_eq!(id.text, "11010519491231002X");
/// ```
pub fn normalise_person_id(text: &str) -> Result<Normalised<'_>, IdentifierFault> {
    if check_person_id(text.as_bytes()).is_ok() {
        return Ok(Normalised { text: Cow::Borrowed(text), upgraded: false });
    }
    let mut cleaned = clean(text);
    let upgraded = cleaned.len() == 15 && cleaned.bytes().all(|byte| byte.is_ascii_digit());
    if upgraded {
        cleaned.insert_str(6, "19");
        cleaned.push(char::from(person_check_character(cleaned.as_bytes())));
    }
    if !cleaned.is_ascii() {
        return Err(IdentifierFault::Character);
    }
    check_person_id(cleaned.as_bytes())?;
    Ok(Normalised { text: Cow::Owned(cleaned), upgraded })
}

/// Whether the bytes are an entity's identifier in its one form. Allocates nothing.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_entity_id(bytes: &[u8]) -> Result<(), IdentifierFault> {
    let Ok(id) = <&[u8; 18]>::try_from(bytes) else { return Err(IdentifierFault::Length(bytes.len())) };
    let mut values = [0_u32; 18];
    for (value, byte) in values.iter_mut().zip(id) {
        *value = u32::from(ENTITY_VALUES[usize::from(*byte)]);
    }
    if values.contains(&255) || !id[2..8].iter().all(u8::is_ascii_digit) {
        return Err(IdentifierFault::Character);
    }
    let sum: u32 = values.iter().zip(ENTITY_WEIGHTS).map(|(value, weight)| value * weight).sum();
    if (31 - sum % 31) % 31 != values[17] {
        return Err(IdentifierFault::CheckCharacter);
    }
    if body_check_character(&id[8..16]) != id[16] {
        return Err(IdentifierFault::BodyCheckCharacter);
    }
    Ok(())
}

/// GB 11714: the ninth character of an organisation code; letters count from A = 10.
fn body_check_character(body: &[u8]) -> u8 {
    let value = |byte: u8| u32::from(if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' + 10 });
    let sum: u32 = body.iter().zip(BODY_WEIGHTS).map(|(byte, weight)| value(*byte) * weight).sum();
    b"0X987654321"[(sum % 11) as usize]
}

/// An entity's identifier in its one form: no blanks, half width, capitals.
///
/// # Errors
///
/// What is wrong with it.
pub fn normalise_entity_id(text: &str) -> Result<Normalised<'_>, IdentifierFault> {
    if check_entity_id(text.as_bytes()).is_ok() {
        return Ok(Normalised { text: Cow::Borrowed(text), upgraded: false });
    }
    let cleaned = clean(text);
    if !cleaned.is_ascii() {
        return Err(IdentifierFault::Character);
    }
    check_entity_id(cleaned.as_bytes())?;
    Ok(Normalised { text: Cow::Owned(cleaned), upgraded: false })
}

fn clean(text: &str) -> String {
    text.nfkc()
        .filter(|character| !character.is_whitespace() && *character != '\u{feff}')
        .map(|character| character.to_ascii_uppercase())
        .collect()
}

/// The birth date that a normalised identifier of a person tells.
#[must_use]
pub fn birth_date_of(id: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(id.get(6..14)?, "%Y%m%d").ok()
}

/// An identifier as it may be shown: `3713**********1234`. Short ones keep their first and last character.
#[must_use]
pub fn mask(value: &str) -> String {
    let length = value.chars().count();
    let keep = match length {
        0..=2 => 0,
        3..=11 => 1,
        _ => 4,
    };
    value.chars().enumerate().map(|(at, character)| if at < keep || at + keep >= length { character } else { '*' }).collect()
}

/// A name as it may be shown: the first character stays, and the last of three or more: `张*`, `张*三`.
#[must_use]
pub fn mask_name(name: &str) -> String {
    let length = name.chars().count();
    let stays = |at: usize| at == 0 || (length > 2 && at + 1 == length);
    name.chars().enumerate().map(|(at, character)| if stays(at) { character } else { '*' }).collect()
}

/// The one form of an identifier of a kind; what is none, without blanks around it.
#[must_use]
pub fn one_form(kind: SubjectKind, written: &str) -> String {
    let normalised = match kind {
        SubjectKind::Person => normalise_person_id(written).ok(),
        SubjectKind::Entity => normalise_entity_id(written).ok(),
        SubjectKind::Household => None,
    };
    normalised.map_or_else(|| written.trim().to_owned(), |id| id.text.into_owned())
}

/// The kind that an identifier is of, and its one form: a person's or an entity's where it is one, else a household's.
#[must_use]
pub fn subject_of(written: &str) -> (SubjectKind, String) {
    let kind = if normalise_person_id(written).is_ok() {
        SubjectKind::Person
    } else if normalise_entity_id(written).is_ok() {
        SubjectKind::Entity
    } else {
        SubjectKind::Household
    };
    (kind, one_form(kind, written))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_person(given: &str, expect: Result<&str, IdentifierFault>) {
        let found = normalise_person_id(given);
        assert_eq!(found.as_ref().map(|id| id.text.as_ref()).map_err(|fault| *fault), expect);
    }

    #[track_caller]
    fn check_entity(given: &str, expect: Result<&str, IdentifierFault>) {
        let found = normalise_entity_id(given);
        assert_eq!(found.as_ref().map(|id| id.text.as_ref()).map_err(|fault| *fault), expect);
    }

    #[test]
    fn persons() {
        check_person("11010519491231002X", Ok("11010519491231002X"));
        check_person("11010519491231002x", Ok("11010519491231002X"));
        check_person(" 11010519491231002X\u{3000}", Ok("11010519491231002X"));
        check_person("１１０１０５１９４９１２３１００２Ｘ", Ok("11010519491231002X"));
        check_person("110105491231002", Ok("11010519491231002X"));
        check_person("110105194912310021", Err(IdentifierFault::CheckCharacter));
        check_person("11010519490231002X", Err(IdentifierFault::BirthDate));
        check_person("110105190002290023", Err(IdentifierFault::BirthDate));
        check_person("11010519491231002Y", Err(IdentifierFault::Character));
        check_person("1101051949123100", Err(IdentifierFault::Length(16)));
        check_person("不详", Err(IdentifierFault::Character));
        check_person("", Err(IdentifierFault::Length(0)));
    }

    #[test]
    fn an_upgrade_is_told() {
        assert_eq!(normalise_person_id("110105491231002").map(|id| id.upgraded), Ok(true));
        assert_eq!(normalise_person_id("11010519491231002X").map(|id| id.upgraded), Ok(false));
    }

    #[test]
    fn entities() {
        check_entity("91350100M000100Y43", Ok("91350100M000100Y43"));
        check_entity(" 91350100m000100y43", Ok("91350100M000100Y43"));
        check_entity("91350100M000100Y44", Err(IdentifierFault::CheckCharacter));
        check_entity("91350100M00O100Y43", Err(IdentifierFault::Character));
        check_entity("9135010AM000100Y43", Err(IdentifierFault::Character));
        check_entity("91350100M000100Y4", Err(IdentifierFault::Length(17)));
        // The check of the whole is right, that of the organisation code inside is not.
        check_entity("91350100M000100Y56", Err(IdentifierFault::BodyCheckCharacter));
    }

    #[test]
    fn masks() {
        assert_eq!(mask("371302199001011234"), "3713**********1234");
        assert_eq!(mask("H00001"), "H****1");
        assert_eq!(mask("ab"), "**");
        assert_eq!(["张三", "张三丰", "欧阳小三", ""].map(mask_name), ["张*", "张*丰", "欧**三", ""]);
    }

    fn person_id() -> impl Strategy<Value = String> {
        (100_000..999_999_u32, 1900..2026_u32, 1..=12_u32, 1..=28_u32, 1..1000_u32).prop_map(|(region, year, month, day, sequence)| {
            let digits = format!("{region}{year}{month:02}{day:02}{sequence:03}");
            let check = char::from(person_check_character(digits.as_bytes()));
            format!("{digits}{check}")
        })
    }

    proptest! {
        #[test]
        fn a_single_changed_digit_is_always_found(id in person_id(), at in 0..18_usize, by in 1..10_u8) {
            prop_assert_eq!(check_person_id(id.as_bytes()), Ok(()));
            let mut changed = id.into_bytes();
            changed[at] = if changed[at] == b'X' { b'0' + by } else { b'0' + (changed[at] - b'0' + by) % 10 };
            prop_assert!(check_person_id(&changed).is_err());
        }

        #[test]
        fn the_quick_check_finds_the_same(id in person_id(), at in 0..18_usize, to in prop::sample::select(b"0123459X:/ab\xff".to_vec())) {
            let mut id: [u8; 18] = id.into_bytes().try_into().expect("18 bytes");
            prop_assert!(is_person_id(&id));
            id[at] = to;
            prop_assert_eq!(is_person_id(&id), check_person_id(&id).is_ok());
        }

        #[test]
        fn digits_are_a_number(number in 0..100_000_000_000_000_000_u64) {
            let text = format!("{number:017}");
            prop_assert_eq!(digits_of(text.as_bytes().try_into().expect("17 bytes")), number);
        }

        #[test]
        fn the_quick_check_finds_the_same_dates(year in 1790..2210_u32, month in 0..14_u32, day in 0..33_u32) {
            let digits = format!("110105{year}{month:02}{day:02}002");
            let id = format!("{digits}{}", char::from(person_check_character(digits.as_bytes())));
            let bytes = id.as_bytes().try_into().expect("18 bytes");
            prop_assert_eq!(is_person_id(bytes), check_person_id(bytes).is_ok());
        }

        #[test]
        fn no_text_is_trouble(text in "\\PC{0,24}") {
            let _ = (normalise_person_id(&text), normalise_entity_id(&text), mask(&text));
        }
    }

    #[test]
    fn an_identifier_says_whose_it_is() {
        assert_eq!(subject_of(" 11010519491231002x "), (SubjectKind::Person, "11010519491231002X".to_owned()));
        assert_eq!(subject_of("91350100M000100Y43"), (SubjectKind::Entity, "91350100M000100Y43".to_owned()));
        assert_eq!(subject_of(" H000000000018 "), (SubjectKind::Household, "H000000000018".to_owned()));
        assert_eq!(one_form(SubjectKind::Entity, " 11010519491231002x"), "11010519491231002x");
    }
}
