//! Reads facts and the expressions that they are made of.

use std::collections::BTreeMap;

use super::declaration::{ColumnType, FactDeclaration, RegisterColumn, SubjectKind, Written};
use super::declaration_from_yaml::{SUBJECTS, TYPES, read_codes};
use crate::criteria::ast::{Expr, ExprKind};
use crate::criteria::{self, SyntaxError};
use crate::diagnostic::{Diagnostic, Message, Span, code};
use crate::yaml::{Fields, Node, wrong_shape};

/// Reads an expression; with `aggregates`, calls may carry `where` and `by`.
pub(super) fn read_expression(node: &Node, aggregates: bool, diagnostics: &mut Vec<Diagnostic>) -> Option<Written> {
    let Some(text) = node.text() else {
        diagnostics.push(
            wrong_shape(node, "一个表达式", "an expression")
                .help("含 “: ” 或特殊符号时加引号", "quote it when it holds `: ` or special characters"),
        );
        return None;
    };
    let (expr, errors): (Option<Expr>, Vec<SyntaxError>) = if aggregates { criteria::parse_aggregate(text) } else { criteria::parse(text) };
    diagnostics.extend(errors.into_iter().map(|error| error.into_diagnostic(|range| node.place(range))));
    expr.map(|expr| Written { expr, node: node.clone() })
}

/// What every fact has, wherever it is declared.
struct Head {
    name: String,
    place: Span,
    label: Message,
    fact_type: ColumnType,
    unit: Option<String>,
    changeable: bool,
}

fn read_head(fields: &mut Fields<'_>) -> Option<Head> {
    let name_node = fields.required("name");
    let place = name_node.map_or_else(|| fields.span(), Node::span);
    let name = name_node.and_then(Node::text).map(str::to_owned);
    fields.required("label");
    let label = fields.message("label");
    fields.required("type");
    let fact_type = fields.choice("type", TYPES);
    let unit = fields.text("unit");
    let changeable = fields.boolean("changeable");
    if fields.optional("changeable").is_none() {
        fields.required("changeable");
    }
    let name = name?;
    Some(Head {
        label: label.unwrap_or_else(|| Message::new(&name, &name)),
        name,
        place,
        fact_type: fact_type?,
        unit,
        changeable: changeable.unwrap_or(false),
    })
}

/// Reads a fact declared beside its register.
pub(super) fn read_fact(
    node: &Node,
    register: &str,
    subject: Option<SubjectKind>,
    columns: &[RegisterColumn],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<FactDeclaration> {
    let mut fields = Fields::new(node, diagnostics)?;
    let head = read_head(&mut fields);
    let own_subject = fields.choice("subject", SUBJECTS);
    let codes_of = fields.text("codes_of");
    let is = fields.required("is").and_then(|node| read_expression(node, true, fields.diagnostics()));
    let where_node = fields.optional("where");
    let filter = where_node.and_then(|node| read_expression(node, false, fields.diagnostics()));
    let agrees_with = fields.list("agrees_with").iter().filter_map(|item| read_agreement(item, fields.diagnostics())).collect();
    if own_subject.is_some() && subject.is_some() && own_subject != subject {
        let place = fields.span();
        fields.report(
            Diagnostic::new(&code::WRONG_SHAPE, "事实的对象就是库的对象", "a fact has the subject of its register")
                .at(place)
                .help("删去这里的 subject; 别的对象的事实写在 computed.yaml", "remove `subject`; facts of others belong in computed.yaml"),
        );
    }
    let (is, filter) = take_filter(is?, filter, &mut fields);
    fields.finish();
    let head = head?;
    let codes_of = codes_of.or_else(|| code_column(&is.expr, columns).filter(|_| head.fact_type == ColumnType::Code));
    check_codes(&head, codes_of.as_deref(), columns, diagnostics);
    Some(FactDeclaration {
        subject: subject.or(own_subject)?,
        name: head.name,
        place: head.place,
        label: head.label,
        fact_type: head.fact_type,
        unit: head.unit,
        codes_of,
        codes: BTreeMap::new(),
        register: Some(register.to_owned()),
        is,
        filter,
        changeable: head.changeable,
        agrees_with,
    })
}

/// Reads a fact computed from other facts.
pub(super) fn read_computed(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<FactDeclaration> {
    let mut fields = Fields::new(node, diagnostics)?;
    fields.required("subject");
    let subject = fields.choice("subject", SUBJECTS);
    let head = read_head(&mut fields);
    let is = fields.required("is").and_then(|node| read_expression(node, true, fields.diagnostics()));
    let codes_node = fields.optional("codes");
    let codes = codes_node.map(|node| read_codes(node, fields.diagnostics())).unwrap_or_default();
    let is_code = head.as_ref().is_none_or(|head| head.fact_type == ColumnType::Code);
    if let Some(node) = codes_node.filter(|_| !is_code) {
        fields.report(
            Diagnostic::new(&code::WRONG_SHAPE, "只有 type: code 的事实有 codes", "only a fact of type code has `codes`").at(node.span()),
        );
    }
    fields.finish();
    let head = head?;
    Some(FactDeclaration {
        subject: subject?,
        name: head.name,
        place: head.place,
        label: head.label,
        fact_type: head.fact_type,
        unit: head.unit,
        codes_of: None,
        codes,
        register: None,
        is: is?,
        filter: None,
        changeable: head.changeable,
        agrees_with: Vec::new(),
    })
}

/// Moves the `where` of an outermost aggregate to the fact's filter.
fn take_filter(mut is: Written, filter: Option<Written>, fields: &mut Fields<'_>) -> (Written, Option<Written>) {
    let ExprKind::Call(call) = &mut is.expr.kind else { return (is, filter) };
    let Some(inner) = call.filter.take() else { return (is, filter) };
    let inner = Written { expr: *inner, node: is.node.clone() };
    let Some(outer) = filter else { return (is, Some(inner)) };
    fields.report(
        Diagnostic::new(
            &code::DUPLICATE_KEY,
            "条件写了两次: is 里的 where 和 where 键",
            "the rows are chosen twice: `where` inside `is` and the key `where`",
        )
        .at(outer.node.span())
        .also(inner.node.place(inner.expr.range.clone()), "另一处在这里", "the other is here")
        .help("用 and 把两个条件合成一个", "join the two with `and`"),
    );
    (is, Some(outer))
}

fn read_agreement(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<(String, String)> {
    let mut fields = Fields::new(node, diagnostics)?;
    let register = fields.required_text("register");
    let column = fields.required_text("column");
    fields.finish();
    Some((register?, column?))
}

/// The column whose codes an expression gives: the column itself, or the one that an aggregate takes a value of.
fn code_column(expr: &Expr, columns: &[RegisterColumn]) -> Option<String> {
    match &expr.kind {
        ExprKind::Name(path) if path.len() == 1 => columns
            .iter()
            .find(|column| column.name == path[0].name && column.column_type == ColumnType::Code)
            .map(|column| column.name.clone()),
        ExprKind::Call(call) => call.args.first().and_then(|argument| code_column(argument, columns)),
        _ => None,
    }
}

fn check_codes(head: &Head, codes_of: Option<&str>, columns: &[RegisterColumn], diagnostics: &mut Vec<Diagnostic>) {
    match codes_of {
        None if head.fact_type == ColumnType::Code => diagnostics.push(
            Diagnostic::new(
                &code::MISSING_KEY,
                format!("代码事实“{}”缺少 codes_of", head.name),
                format!("fact `{}` of type code needs `codes_of`", head.name),
            )
            .at(head.place.clone())
            .help("写 codes_of: 代码列的名字", "write codes_of: the column that has the codes"),
        ),
        Some(name) if !columns.iter().any(|column| column.name == name && column.column_type == ColumnType::Code) => diagnostics.push(
            Diagnostic::new(
                &code::UNKNOWN_FACT,
                format!("“{name}”不是本库的代码列"),
                format!("`{name}` is no code column of this register"),
            )
            .at(head.place.clone())
            .did_you_mean(name, columns.iter().map(|column| column.name.as_str())),
        ),
        _ => {}
    }
}
