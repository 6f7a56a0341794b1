//! What is wrong with something that was posted, place by place.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::diagnostic::{Diagnostic, Message, Severity, Span};

/// A text in both languages.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Text {
    /// 中文
    pub zh: String,
    /// English
    pub en: String,
}

impl From<&Message> for Text {
    fn from(message: &Message) -> Self {
        Self { zh: message.zh.clone(), en: message.en.clone() }
    }
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gravity {
    /// It cannot be used.
    Error,
    /// It can be used; somebody should look.
    Warning,
    /// For information.
    Note,
}

/// A place in a text: lines and columns from 1, columns count characters; offsets count bytes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Place {
    /// The line.
    #[schema(minimum = 1)]
    pub line: usize,
    /// The column.
    #[schema(minimum = 1)]
    pub column: usize,
    /// The first byte.
    pub start: usize,
    /// The byte behind the last.
    pub end: usize,
    /// What stands there.
    pub text: String,
}

/// One finding.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Finding {
    /// Stable number, such as `MS1011`.
    pub number: String,
    /// Its name, such as `unknown-fact`.
    pub name: String,
    /// How grave.
    pub severity: Gravity,
    /// What is wrong.
    pub headline: Text,
    /// Where; null: in no text.
    pub place: Option<Place>,
    /// What to do.
    pub help: Vec<Text>,
    /// The clause of law beside it.
    pub clause: Option<String>,
}

impl Finding {
    /// A diagnostic as it is sent.
    #[must_use]
    pub fn of(diagnostic: &Diagnostic) -> Self {
        Self {
            number: diagnostic.code.number.to_owned(),
            name: diagnostic.code.name.to_owned(),
            severity: match diagnostic.severity {
                Severity::Error => Gravity::Error,
                Severity::Warning => Gravity::Warning,
                Severity::Note => Gravity::Note,
            },
            headline: Text::from(&diagnostic.headline),
            place: diagnostic.primary.as_ref().map(Place::of),
            help: diagnostic.help.iter().map(Text::from).collect(),
            clause: diagnostic.clause.clone(),
        }
    }
}

impl Place {
    fn of(span: &Span) -> Self {
        let (line, column) = span.file.line_column(span.range.start);
        Self { line, column, start: span.range.start, end: span.range.end, text: span.text().to_owned() }
    }
}
