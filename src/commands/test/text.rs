//! Results of cases for people: a line for each policy, and all of a case that fails.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::Suite;
use crate::cases::outcome::Outcome;
use crate::commands::Context;
use crate::diagnostic::Lang;
use crate::explain;

pub(super) fn render(suites: &[Suite], context: &Context) -> String {
    let mut text = String::new();
    let (mut passed, mut failed) = (0, 0);
    for suite in suites {
        let failures: Vec<&Outcome> = suite.outcomes.iter().filter(|outcome| !outcome.passed()).collect();
        let all = suite.outcomes.len();
        failed += failures.len();
        passed += all - failures.len();
        let mark = match (failures.is_empty(), context.lang) {
            (true, Lang::Zh) => "✓ 通过".to_owned(),
            (true, Lang::En) => "✓ passed".to_owned(),
            (false, Lang::Zh) => format!("✗ {} 项不符", failures.len()),
            (false, Lang::En) => format!("✗ {} failed", failures.len()),
        };
        let _ = writeln!(text, "{mark}  {}  {}  {all}", suite.policy, context.say(&suite.name));
        for outcome in failures {
            failure(&mut text, outcome, context);
        }
    }
    let _ = match context.lang {
        Lang::Zh => writeln!(text, "{passed} 项通过, {failed} 项不符"),
        Lang::En => writeln!(text, "{passed} passed, {failed} failed"),
    };
    text
}

fn failure(text: &mut String, outcome: &Outcome, context: &Context) {
    let (case, place) = (&outcome.case, &outcome.case.place);
    let (line, _) = place.file.line_column(place.range.start);
    let _ = writeln!(text, "\n  ✗ {}\n    {}:{line}  {}", case.name, place.path().display(), case.as_of);
    if let Some(trouble) = &outcome.trouble {
        let _ = writeln!(text, "    {}", context.say(trouble));
    }
    side_by_side(text, outcome, context);
    if let Some(because) = &case.because {
        let _ = writeln!(text, "    {}{because}", context.pick("案例的理由: ", "because: "));
    }
    if let Some(reason) = &outcome.reason {
        for line in explain::render(reason, context.lang, context.color).lines() {
            let _ = writeln!(text, "      {line}");
        }
    }
    text.push('\n');
}

/// What was expected beside what came out, in columns.
fn side_by_side(text: &mut String, outcome: &Outcome, context: &Context) {
    if outcome.differences.is_empty() {
        return;
    }
    let head = [String::new(), context.pick("应为", "expected").to_owned(), context.pick("得到", "got").to_owned()];
    let rows = outcome
        .differences
        .iter()
        .map(|difference| [context.say(&difference.label()).to_owned(), difference.expected.clone(), difference.got.clone()]);
    let rows: Vec<[String; 3]> = std::iter::once(head).chain(rows).collect();
    let widths = [0, 1].map(|column| rows.iter().map(|row: &[String; 3]| row[column].width()).max().unwrap_or(0));
    for row in &rows {
        let padded = |column: usize| format!("{}{}", row[column], " ".repeat(widths[column] - row[column].width()));
        let _ = writeln!(text, "    {}  {}  {}", padded(0), padded(1), row[2]);
    }
}
