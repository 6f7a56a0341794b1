//! Verifying the events of cases: the chain as that of the access trail, and each case's versions without a gap.

use std::collections::HashMap;

use super::{CaseFilter, CasePages, Live};
use crate::diagnostic::Message;
use crate::store::StoreError;
use crate::store::trail::{Head, Links, PAGE, Seq, Verified};

/// Something about a case that does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum CaseFault {
    /// An event of a case has not the version that follows the one before.
    Version {
        /// The case.
        case: String,
        /// The event.
        seq: Seq,
    },
    /// The case is at another version than its newest event, or one of the two is not there.
    Differs(String),
}

impl CaseFault {
    /// In words.
    #[must_use]
    pub fn words(&self) -> Message {
        match self {
            Self::Version { case, seq } => Message::new(
                format!("办件 {case}: 第 {seq} 条事件的版本不接上一条"),
                format!("case {case}: the version of event {seq} does not follow the one before"),
            ),
            Self::Differs(case) => Message::new(
                format!("办件 {case}: 与它最新的事件不符"),
                format!("case {case}: it is not at the version of its newest event"),
            ),
        }
    }
}

/// What verifying the events of cases found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifiedEvents {
    /// The chain: events are its records.
    pub chain: Verified,
    /// Cases that are there.
    pub cases: u64,
    /// What does not hold together of cases, by case.
    pub faults: Vec<CaseFault>,
}

impl VerifiedEvents {
    /// Whether all holds together.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.chain.faults.is_empty() && self.faults.is_empty()
    }
}

/// What was seen of a case.
struct Seen {
    version: u64,
    /// The oldest event whose content is there.
    content_from: Option<Seq>,
}

/// Reads all events and holds them against their chain, against heads that were signed (`None` stands for one whose signature
/// does not verify), and against the cases as they are now.
///
/// Contents are erased case by case, all that are there at once: a content that is gone while an older one of the same case is
/// still there was not erased in due form.
///
/// Memory grows with the number of cases, some hundred bytes each.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn verify_events(live: &dyn Live, heads: &[(Seq, Option<Head>)]) -> Result<VerifiedEvents, StoreError> {
    let mut links = Links::new(heads);
    let mut faults = Vec::new();
    let mut seen: HashMap<String, Seen> = HashMap::new();
    // Contents that are gone though an older one is there.
    let mut undue: Vec<Seq> = Vec::new();
    loop {
        let page = live.events_from(links.next(), PAGE).await?;
        for event in &page {
            links.step(&event.record(), event.digest_now());
            let case = seen.entry(event.case.clone()).or_insert(Seen { version: 0, content_from: None });
            if event.version != case.version + 1 {
                faults.push(CaseFault::Version { case: event.case.clone(), seq: event.seq });
            }
            case.version = event.version;
            match (&event.content, case.content_from) {
                (Some(_), None) => case.content_from = Some(event.seq),
                (None, Some(_)) => undue.push(event.seq),
                _ => {}
            }
        }
        if page.len() < PAGE {
            break;
        }
    }
    let mut pages = CasePages::new(live, CaseFilter::default());
    let mut cases = 0;
    while let Some(page) = pages.next().await? {
        cases += page.len() as u64;
        let differs = |row: &&super::CaseRow| seen.get(&row.id).is_none_or(|case| case.version != row.version);
        faults.extend(page.iter().filter(differs).map(|row| CaseFault::Differs(row.id.clone())));
        for row in &page {
            seen.remove(&row.id);
        }
    }
    // Events of cases that are not there.
    faults.extend(seen.into_keys().map(CaseFault::Differs));
    faults.sort();
    faults.dedup();
    let chain = links.end(|seq| undue.binary_search(&seq).is_err());
    Ok(VerifiedEvents { chain, cases, faults })
}
