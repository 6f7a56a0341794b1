//! Results of cases as JUnit XML: a suite for each policy.

use std::fmt::Write as _;

use super::Suite;
use crate::cases::outcome::Outcome;
use crate::commands::Context;
use crate::explain;

pub(super) fn render(suites: &[Suite], context: &Context) -> String {
    let failures = |suite: &Suite| suite.outcomes.iter().filter(|outcome| !outcome.passed()).count();
    let (tests, failed): (usize, usize) =
        suites.iter().fold((0, 0), |(tests, failed), suite| (tests + suite.outcomes.len(), failed + failures(suite)));
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(text, "<testsuites name=\"mianshen\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\">");
    for suite in suites {
        let name = format!("{} {}", suite.policy, context.say(&suite.name));
        let (tests, failed) = (suite.outcomes.len(), failures(suite));
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" file=\"{}\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\">",
            escape(&name),
            escape(&suite.path.display().to_string())
        );
        for outcome in &suite.outcomes {
            case(&mut text, outcome, context);
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn case(text: &mut String, outcome: &Outcome, context: &Context) {
    let place = &outcome.case.place;
    let (line, _) = place.file.line_column(place.range.start);
    let _ = write!(
        text,
        "    <testcase name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{line}\"",
        escape(&outcome.case.name),
        escape(&outcome.policy),
        escape(&place.path().display().to_string())
    );
    let Some(diagnostic) = outcome.diagnostic() else {
        text.push_str("/>\n");
        return;
    };
    let reason = outcome.reason.as_ref().map_or(String::new(), |reason| explain::render(reason, context.lang, false));
    let headline = escape(context.say(&diagnostic.headline));
    let type_name = diagnostic.code.name;
    let _ = writeln!(text, ">\n      <failure type=\"{type_name}\" message=\"{headline}\">{}</failure>", escape(&reason));
    text.push_str("    </testcase>\n");
}

/// Text as XML takes it: five characters escaped, and what XML 1.0 has no place for replaced (section 2.2, `Char`).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' => escaped.push(character),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    //! Text in XML.

    use super::escape;

    #[test]
    fn what_xml_cannot_hold_is_escaped() {
        assert_eq!(escape("a < b & \"c\" > 'd'\u{1}"), "a &lt; b &amp; &quot;c&quot; &gt; &apos;d&apos;\u{fffd}");
    }
}
