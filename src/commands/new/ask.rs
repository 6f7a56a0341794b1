//! Questions on a terminal, one line each; an answer that cannot be is asked for again.

use std::io::{self, BufRead, Write};

use super::draft::{Known, fault, suggestion};
use super::field::{FIELDS, Field};
use super::form::Answer;
use crate::diagnostic::Lang;

/// How often one question is asked.
const PATIENCE: usize = 5;

/// Asks for what is lacking, and for what may be added, in the order of the fields. Ends where the input ends.
pub(super) fn ask(
    answers: &mut Vec<Answer>,
    known: &Known<'_>,
    lang: Lang,
    input: &mut impl BufRead,
    output: &mut impl Write,
) -> io::Result<()> {
    let (zh, en) = (
        "逐项回答, 回车用括号里的, 可不填的直接回车。",
        "One answer a line; Enter takes what stands in brackets, or leaves out what may be.",
    );
    writeln!(output, "{}", if lang == Lang::Zh { zh } else { en })?;
    for asked in &FIELDS {
        let field = asked.field;
        if answers.iter().any(|answer| answer.field == field) || !known.is_asked(field, answers) {
            continue;
        }
        let default = suggestion(field, answers, known);
        for _ in 0..PATIENCE {
            let question = if lang == Lang::Zh { asked.zh } else { asked.en };
            match &default {
                Some(default) => write!(output, "{question} [{default}]: ")?,
                None => write!(output, "{question}: ")?,
            }
            output.flush()?;
            let mut line = String::new();
            if input.read_line(&mut line)? == 0 {
                writeln!(output)?;
                return Ok(());
            }
            let text = match (line.trim(), &default) {
                ("", Some(default)) => default.clone(),
                (text, _) => text.to_owned(),
            };
            if text.is_empty() && !known.is_required(field, answers) {
                break;
            }
            let answer = Answer { field, text, place: None };
            match fault(&answer, known) {
                None if !answer.text.is_empty() => {
                    answers.push(answer);
                    break;
                }
                None => {}
                Some(fault) => {
                    writeln!(output, "  ✗ {}", fault.headline.get(lang))?;
                    for help in &fault.help {
                        writeln!(output, "    {}", help.get(lang))?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Whether a field is asked for on a terminal when nothing was said of it.
pub(super) fn is_optional_question(field: Field) -> bool {
    matches!(
        field,
        Field::NameEn | Field::BasisNumber | Field::BasisArticle | Field::Clause | Field::When | Field::AmountClause | Field::Listed
    )
}
