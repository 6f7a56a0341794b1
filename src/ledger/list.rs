//! The published list of a policy: masked, with the days of the notice, as CSV and as a page.

use maud::{DOCTYPE, html as markup};

use super::case::Case;
use crate::diagnostic::{Lang, Message};
use crate::eligibility::grant::amount_text;
use crate::register::identifier::mask;

/// One line of a published list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The first characters of the case: to name it by when objecting.
    pub case: String,
    /// The subject, masked.
    pub subject: String,
    /// Where the subject is counted.
    pub region: String,
    /// What for, masked.
    pub occasion: String,
    /// The period.
    pub period: String,
    /// The amount with its unit; empty for services.
    pub amount: String,
    /// First day.
    pub from: String,
    /// First day on which the notice is over.
    pub until: String,
}

/// The line of a case; none where it is not on a list.
#[must_use]
pub fn listed(case: &Case) -> Option<Listed> {
    let grant = &case.grant;
    Some(Listed {
        case: case.id.get(..12).unwrap_or(&case.id).to_owned(),
        subject: mask(grant.member.as_deref().unwrap_or(&grant.subject)),
        region: grant.region.clone(),
        occasion: grant.occasion.as_deref().map(mask).unwrap_or_default(),
        period: grant.period.clone(),
        amount: case.amount.map_or_else(String::new, |amount| format!("{} {}", amount_text(amount), grant.unit)),
        from: case.published_on?.to_string(),
        until: case.notice_until()?.to_string(),
    })
}

const COLUMNS: [(&str, &str); 8] = [
    ("办件", "case"),
    ("对象", "subject"),
    ("地区", "region"),
    ("事由", "occasion"),
    ("期间", "period"),
    ("金额", "amount"),
    ("公示起", "from"),
    ("公示止", "until"),
];

impl Listed {
    fn cells(&self) -> [&str; 8] {
        [&self.case, &self.subject, &self.region, &self.occasion, &self.period, &self.amount, &self.from, &self.until]
    }
}

/// The list as CSV (RFC 4180, UTF-8), with a head in a language.
#[must_use]
pub fn csv(lines: &[Listed], lang: Lang) -> String {
    let head = COLUMNS.map(|(zh, en)| if lang == Lang::Zh { zh } else { en });
    let quoted = |cell: &str| {
        // A cell that a spreadsheet would take for a formula stays text.
        let cell = if cell.starts_with(['=', '+', '-', '@']) { format!("'{cell}") } else { cell.to_owned() };
        if cell.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
    };
    let line = |cells: [&str; 8]| cells.map(quoted).join(",") + "\r\n";
    std::iter::once(line(head)).chain(lines.iter().map(|listed| line(listed.cells()))).collect()
}

/// The list as a page that loads nothing.
#[must_use]
pub fn html(policy: (&str, &Message), lines: &[Listed], lang: Lang) -> String {
    let pick = |zh: &'static str, en: &'static str| if lang == Lang::Zh { zh } else { en };
    let name = policy.1.get(lang);
    let page = markup! {
        (DOCTYPE)
        html lang=(pick("zh-CN", "en")) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (name) " · " (pick("公示名单", "published list")) }
            }
            body {
                h1 { (name) " · " (pick("公示名单", "published list")) }
                p { (pick("政策", "Policy")) " " (policy.0) ". " (pick(
                    "对名单有异议的, 可在公示期内向主管部门提出, 并写明办件号。",
                    "Who objects to an entry tells the department during the notice, naming the case.",
                )) }
                table border="1" cellpadding="4" {
                    thead { tr { @for (zh, en) in COLUMNS { th scope="col" { (pick(zh, en)) } } } }
                    tbody { @for listed in lines { tr { @for cell in listed.cells() { td { (cell) } } } } }
                }
            }
        }
    };
    page.into_string()
}
