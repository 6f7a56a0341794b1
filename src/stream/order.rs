//! Which of two events about the same row is the later one.
//!
//! One total order, from the most to the least that is known of an event:
//!
//! 1. The initial load is before every event.
//! 2. Events without a position in a database's log are before events with one: what the log says of a row is the register's
//!    own word. A row is best told by one source; where two tell it, the one with the log is believed.
//! 3. Events with a position are ordered by it. Positions are compared within one kind of log; kinds have a fixed order, so
//!    that a register that moved to another database is loaded anew rather than compared.
//! 4. Else by the time at the source; where it gives none, by the time of arrival.
//! 5. Then by arrival: by the position in the source that they came from.
//!
//! Positions are the numbers that databases count up per row: the `lsn` of PostgreSQL's log, file, position and row of MySQL's,
//! `change_lsn` and serial number of SQL Server's and Db2's, `scn` and number within the statement of Oracle's.

/// The database whose log numbers an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogKind {
    /// A number that the sender gives by itself.
    Sender,
    /// `PostgreSQL`: the log sequence number.
    PostgreSql,
    /// `MySQL` and `MariaDB`: number of the binary log, position in it, row of the event.
    MySql,
    /// SQL Server and Db2: log sequence number of the change, number of the event in it.
    SqlServer,
    /// Oracle: system change number, number within it.
    Oracle,
}

impl LogKind {
    const ALL: [Self; 5] = [Self::Sender, Self::PostgreSql, Self::MySql, Self::SqlServer, Self::Oracle];
}

/// A position in the log of a database: up to three numbers that count upwards, the weightiest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    /// Of which kind of log.
    pub kind: LogKind,
    /// The position; zeros behind what it has.
    pub at: [u64; 3],
}

/// The place of an event among those about the same row. The greater one is the later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order(Rank);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Rank {
    Loaded,
    Timed(Moment),
    Logged(LogPosition, Moment),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Moment {
    /// Microseconds since 1970 (UTC).
    time: i64,
    arrival: i64,
}

const LOADED: u8 = 0;
const TIMED: u8 = 1;
const LOGGED: u8 = 2;

impl Order {
    /// Of a row of the initial load: before every event.
    pub const LOADED: Self = Self(Rank::Loaded);

    /// Of an event without a position in a log. Time at the source (else of arrival) in microseconds since 1970 (UTC); `arrival` is
    /// the position in the source that it came from.
    #[must_use]
    pub fn timed(time: i64, arrival: i64) -> Self {
        Self(Rank::Timed(Moment { time, arrival }))
    }

    /// Of an event with a position in a log.
    #[must_use]
    pub fn logged(position: LogPosition, time: i64, arrival: i64) -> Self {
        Self(Rank::Logged(position, Moment { time, arrival }))
    }

    /// Appends it in a form that compares, byte by byte, as the orders themselves do.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        let moment = match self.0 {
            Rank::Loaded => return bytes.push(LOADED),
            Rank::Timed(moment) => {
                bytes.push(TIMED);
                moment
            }
            Rank::Logged(position, moment) => {
                bytes.extend([LOGGED, position.kind as u8]);
                position.at.iter().for_each(|number| bytes.extend(number.to_be_bytes()));
                moment
            }
        };
        [moment.time, moment.arrival].iter().for_each(|number| bytes.extend(spread(*number).to_be_bytes()));
    }

    /// Reads what [`Self::write`] has written, and what comes behind it; none where it is no such thing.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (rank, bytes) = bytes.split_first()?;
        match *rank {
            LOADED => Some((Self::LOADED, bytes)),
            TIMED => {
                let (moment, bytes) = moment(bytes)?;
                Some((Self(Rank::Timed(moment)), bytes))
            }
            LOGGED => {
                let (kind, bytes) = bytes.split_first()?;
                let kind = *LogKind::ALL.get(usize::from(*kind))?;
                let (first, bytes) = number(bytes)?;
                let (second, bytes) = number(bytes)?;
                let (third, bytes) = number(bytes)?;
                let (moment, bytes) = moment(bytes)?;
                Some((Self(Rank::Logged(LogPosition { kind, at: [first, second, third] }, moment)), bytes))
            }
            _ => None,
        }
    }
}

/// A number as one without sign, in the same order.
fn spread(number: i64) -> u64 {
    number.cast_unsigned() ^ (1 << 63)
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, bytes) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), bytes))
}

fn moment(bytes: &[u8]) -> Option<(Moment, &[u8])> {
    let (time, bytes) = number(bytes)?;
    let (arrival, bytes) = number(bytes)?;
    let signed = |number: u64| (number ^ (1 << 63)).cast_signed();
    Some((Moment { time: signed(time), arrival: signed(arrival) }, bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn orders() -> impl Strategy<Value = Order> {
        let small = || prop_oneof![-2..3_i64, any::<i64>()];
        let position = (0..5_usize, prop::array::uniform3(prop_oneof![0..3_u64, any::<u64>()]));
        prop_oneof![
            Just(Order::LOADED),
            (small(), small()).prop_map(|(time, arrival)| Order::timed(time, arrival)),
            (position, small(), small())
                .prop_map(|((kind, at), time, arrival)| { Order::logged(LogPosition { kind: LogKind::ALL[kind], at }, time, arrival) }),
        ]
    }

    fn bytes(order: Order) -> Vec<u8> {
        let mut bytes = Vec::new();
        order.write(&mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn bytes_compare_as_orders_do(one in orders(), other in orders()) {
            prop_assert_eq!(one.cmp(&other), bytes(one).cmp(&bytes(other)));
            let mut written = bytes(one);
            written.extend(b"rest");
            prop_assert_eq!(Order::read(&written), Some((one, b"rest".as_slice())));
        }

        #[test]
        fn what_is_cut_short_is_no_order(order in orders(), cut in 1..40_usize) {
            let written = bytes(order);
            let cut = written.len().saturating_sub(cut);
            prop_assert_eq!(Order::read(&written[..cut]), None);
        }
    }

    #[test]
    fn the_log_is_believed_before_clocks() {
        let logged = |at, time| Order::logged(LogPosition { kind: LogKind::PostgreSql, at: [at, 0, 0] }, time, 0);
        assert!(logged(8, 100) < logged(9, 50));
        assert!(Order::timed(1_000, 0) < logged(1, 0));
        assert!(Order::timed(5, 9) < Order::timed(6, 1));
        assert!(Order::timed(5, 1) < Order::timed(5, 2));
        assert!(Order::LOADED < Order::timed(i64::MIN, i64::MIN));
    }
}
