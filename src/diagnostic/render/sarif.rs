//! SARIF 2.1.0, the form in which code hosts and editors take findings (OASIS, Static Analysis Results Interchange Format).

use serde_json::{Value, json};

use crate::diagnostic::{Code, Diagnostic, Lang, Severity, Span};

pub(super) fn render(diagnostics: &[Diagnostic], lang: Lang) -> String {
    let mut rules: Vec<&'static Code> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    rules.sort_by_key(|code| code.number);
    rules.dedup();
    let results: Vec<Value> = diagnostics.iter().map(|diagnostic| result(diagnostic, &rules, lang)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "mianshen",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|code| rule(code)).collect::<Vec<_>>(),
            }},
            // Columns count characters.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    // Plain strings and numbers always serialise.
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_default();
    text.push('\n');
    text
}

fn rule(code: &Code) -> Value {
    json!({
        "id": code.number,
        "name": code.name,
        "shortDescription": {"text": code.name.replace('-', " ")},
        "help": {"text": code.page, "markdown": code.page},
        "defaultConfiguration": {"level": level(code.severity)},
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn result(diagnostic: &Diagnostic, rules: &[&'static Code], lang: Lang) -> Value {
    let mut text = diagnostic.headline.get(lang).to_owned();
    for help in &diagnostic.help {
        text.push('\n');
        text.push_str(help.get(lang));
    }
    let mut result = json!({
        "ruleId": diagnostic.code.number,
        "ruleIndex": rules.iter().position(|code| *code == diagnostic.code),
        "level": level(diagnostic.severity),
        "message": {"text": text},
        "properties": {"zh": diagnostic.headline.zh, "en": diagnostic.headline.en, "clause": diagnostic.clause},
    });
    if let Some(place) = &diagnostic.primary {
        result["locations"] = json!([{"physicalLocation": physical(place)}]);
    }
    if !diagnostic.secondary.is_empty() {
        let related =
            diagnostic.secondary.iter().enumerate().map(
                |(id, label)| json!({"id": id, "physicalLocation": physical(&label.span), "message": {"text": label.message.get(lang)}}),
            );
        result["relatedLocations"] = related.collect();
    }
    if let Some(fix) = &diagnostic.fix {
        result["fixes"] = json!([{
            "description": {"text": fix.message.get(lang)},
            "artifactChanges": [{
                "artifactLocation": {"uri": uri(&fix.span)},
                "replacements": [{"deletedRegion": region(&fix.span), "insertedContent": {"text": fix.text}}],
            }],
        }]);
    }
    result
}

fn physical(span: &Span) -> Value {
    json!({"artifactLocation": {"uri": uri(span)}, "region": region(span)})
}

fn region(span: &Span) -> Value {
    let (line, column) = span.file.line_column(span.range.start);
    let (end_line, end_column) = span.file.line_column(span.range.end);
    json!({"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column})
}

/// The path as a URI: relative as it was given, or `file://` where it is absolute.
fn uri(span: &Span) -> String {
    let path = span.path().to_string_lossy().replace('\\', "/");
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
