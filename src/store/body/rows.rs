//! The rows of result tables as they lie in a subject's body, with policies, reasons and missing facts as numbers.

use super::bytes::{Reader, Writer};
use crate::eligibility::grant::Status;
use crate::policy::document::Mode;
use crate::store::StoreError;

const MODES: [Mode; 4] = [Mode::Automatic, Mode::Confirm, Mode::Commit, Mode::Review];
const STATUSES: [Status; 3] = [Status::Granted, Status::Waitlisted, Status::Refused];

/// Who receives a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayeeBody<'a> {
    /// Nobody whom a register shows.
    Nobody,
    /// The member that it is for, else the subject.
    Itself,
    /// Somebody else.
    Other(&'a str),
}

/// One grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantBody<'a> {
    /// The policy's place in the run.
    pub policy: usize,
    /// What for.
    pub occasion: Option<&'a str>,
    /// For whom of the household.
    pub member: Option<&'a str>,
    /// To whom.
    pub payee: PayeeBody<'a>,
    /// In hundredths.
    pub amount: Option<i64>,
    /// Before caps and budget.
    pub full_amount: Option<i64>,
    /// How.
    pub mode: Mode,
    /// Whether to tell.
    pub notify: bool,
    /// What becomes of it.
    pub status: Status,
    /// Criteria, as bits.
    pub reasons: u64,
}

/// Bits of a grant's flags, after two for the mode and two for the status.
const NOTIFY: u8 = 1 << 4;
const HAS_AMOUNT: u8 = 1 << 5;
/// The full amount is another than the amount.
const FULL_DIFFERS: u8 = 1 << 6;
/// Occasion, member or payee are written out.
const HAS_TEXTS: u8 = 1 << 7;

impl<'a> GrantBody<'a> {
    /// Writes it.
    pub fn write(&self, writer: &mut Writer) {
        let place = |found: Option<usize>| u8::try_from(found.unwrap_or(0)).unwrap_or(0);
        let mode = place(MODES.iter().position(|mode| *mode == self.mode));
        let status = place(STATUSES.iter().position(|status| *status == self.status));
        let has_texts = self.occasion.is_some() || self.member.is_some() || self.payee != PayeeBody::Itself;
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        writer.count(self.policy);
        writer.byte(
            mode | status << 2
                | flag(self.notify, NOTIFY)
                | flag(self.amount.is_some(), HAS_AMOUNT)
                | flag(self.amount != self.full_amount, FULL_DIFFERS)
                | flag(has_texts, HAS_TEXTS),
        );
        if let Some(amount) = self.amount {
            writer.signed(amount);
        }
        if self.amount != self.full_amount {
            write_amount(writer, self.full_amount);
        }
        if has_texts {
            writer.maybe(self.occasion);
            writer.maybe(self.member);
            match self.payee {
                PayeeBody::Nobody => writer.byte(0),
                PayeeBody::Itself => writer.byte(1),
                PayeeBody::Other(id) => {
                    writer.byte(2);
                    writer.text(id);
                }
            }
        }
        writer.number(self.reasons);
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// When the row is damaged.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, StoreError> {
        let policy = reader.place()?;
        let flags = reader.byte()?;
        let status = STATUSES.get(usize::from(flags >> 2 & 3)).copied().ok_or_else(super::bytes::cut)?;
        let amount = if flags & HAS_AMOUNT == 0 { None } else { Some(reader.signed()?) };
        let full_amount = if flags & FULL_DIFFERS == 0 { amount } else { read_amount(reader)? };
        let (mut occasion, mut member, mut payee) = (None, None, PayeeBody::Itself);
        if flags & HAS_TEXTS != 0 {
            occasion = reader.maybe()?;
            member = reader.maybe()?;
            payee = match reader.byte()? {
                0 => PayeeBody::Nobody,
                1 => PayeeBody::Itself,
                _ => PayeeBody::Other(reader.text()?),
            };
        }
        let reasons = reader.number()?;
        let mode = MODES[usize::from(flags & 3)];
        Ok(Self { policy, occasion, member, payee, amount, full_amount, mode, notify: flags & NOTIFY != 0, status, reasons })
    }
}

fn write_amount(writer: &mut Writer, amount: Option<i64>) {
    writer.byte(u8::from(amount.is_some()));
    if let Some(amount) = amount {
        writer.signed(amount);
    }
}

fn read_amount(reader: &mut Reader<'_>) -> Result<Option<i64>, StoreError> {
    if reader.byte()? == 0 { Ok(None) } else { reader.signed().map(Some) }
}

/// One yes that is paid already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenBody<'a> {
    /// The policy's place in the run.
    pub policy: usize,
    /// What for.
    pub occasion: Option<&'a str>,
    /// For whom of the household.
    pub member: Option<&'a str>,
    /// In hundredths.
    pub amount: Option<i64>,
}

impl<'a> GivenBody<'a> {
    /// Writes it.
    pub fn write(&self, writer: &mut Writer) {
        writer.count(self.policy);
        writer.maybe(self.occasion);
        writer.maybe(self.member);
        write_amount(writer, self.amount);
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// When the row is damaged.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, StoreError> {
        Ok(Self { policy: reader.place()?, occasion: reader.maybe()?, member: reader.maybe()?, amount: read_amount(reader)? })
    }
}

/// One offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferBody {
    /// The policy's place in the run.
    pub policy: usize,
    /// The facts to commit to, by their place in the run.
    pub commitment: usize,
    /// Whether to tell.
    pub notify: bool,
}

impl OfferBody {
    /// Writes it.
    pub fn write(&self, writer: &mut Writer) {
        writer.count(self.policy);
        writer.count(self.commitment);
        writer.byte(u8::from(self.notify));
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// When the row is damaged.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, StoreError> {
        Ok(Self { policy: reader.place()?, commitment: reader.place()?, notify: reader.byte()? != 0 })
    }
}

/// One unknown verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownBody {
    /// The policy's place in the run.
    pub policy: usize,
    /// What it lacks, by its place in the run.
    pub missing: usize,
    /// Whether an offer may settle it.
    pub offered: bool,
    /// Whether result files tell it only for a whole register.
    pub told_once: bool,
}

impl UnknownBody {
    /// Writes it.
    pub fn write(&self, writer: &mut Writer) {
        writer.count(self.policy);
        writer.count(self.missing);
        writer.byte(u8::from(self.offered) | u8::from(self.told_once) << 1);
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// When the row is damaged.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, StoreError> {
        let (policy, missing, flags) = (reader.place()?, reader.place()?, reader.byte()?);
        Ok(Self { policy, missing, offered: flags & 1 != 0, told_once: flags & 2 != 0 })
    }
}

/// One conflict: fact, policy, period, occasion, source, value, other source, other value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConflictBody<'a>(pub [Option<&'a str>; 8]);

impl<'a> ConflictBody<'a> {
    /// Writes it.
    pub fn write(&self, writer: &mut Writer) {
        self.0.iter().for_each(|text| writer.maybe(*text));
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// When the row is damaged.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, StoreError> {
        let mut texts = [None; 8];
        for text in &mut texts {
            *text = reader.maybe()?;
        }
        Ok(Self(texts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: GrantBody<'static> = GrantBody {
        policy: 3,
        occasion: None,
        member: None,
        payee: PayeeBody::Itself,
        amount: Some(12_345),
        full_amount: Some(12_345),
        mode: Mode::Automatic,
        notify: true,
        status: Status::Granted,
        reasons: 0b1011,
    };

    #[track_caller]
    fn check(grant: GrantBody<'_>) {
        let mut writer = Writer::default();
        grant.write(&mut writer);
        let mut reader = Reader::new(&writer.bytes);
        assert_eq!(GrantBody::read(&mut reader), Ok(grant));
        assert!(reader.byte().is_err(), "all was read");
        for end in 0..writer.bytes.len() {
            assert!(GrantBody::read(&mut Reader::new(&writer.bytes[..end])).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn grants_come_back() {
        check(PLAIN);
        check(GrantBody { amount: None, full_amount: None, notify: false, ..PLAIN });
        check(GrantBody { amount: None, full_amount: Some(i64::MAX), ..PLAIN });
        check(GrantBody { amount: Some(0), full_amount: None, status: Status::Refused, ..PLAIN });
        check(GrantBody { payee: PayeeBody::Nobody, mode: Mode::Review, ..PLAIN });
        let others = GrantBody { occasion: Some("2024-01-01"), member: Some("m"), payee: PayeeBody::Other("p"), ..PLAIN };
        check(GrantBody { mode: Mode::Commit, status: Status::Waitlisted, reasons: u64::MAX, ..others });
        check(GrantBody { mode: Mode::Confirm, occasion: Some(""), ..others });
    }
}
