//! Calls: built-in functions, parameters, and the ways through links.

use std::sync::Arc;

use super::catalogue::{Aggregate, Definition, Fact, FactId, How};
use super::ir::{CompareOp, Expr, Function, Kind, Number, Ty, Value};
use super::resolve::{Scope, Typed, World};
use super::typing::Type;
use crate::criteria::ast::{self, Call, ExprKind, Ident, Literal};
use crate::criteria::print;
use crate::diagnostic::{Diagnostic, Message, code};
use crate::policy::document::ParameterType;
use crate::register::declaration::SubjectKind;

/// Names of the functions that an expression may call, for "did you mean".
pub(super) const NAMES: [&str; 32] = [
    "age",
    "age_at",
    "months_between",
    "whole_months_between",
    "days_between",
    "add_years",
    "add_months",
    "add_days",
    "months_before",
    "month_start",
    "month_end",
    "year_start",
    "year_end",
    "year",
    "month",
    "month_of",
    "last_months",
    "months_overlap",
    "in_interval",
    "min",
    "max",
    "abs",
    "floor",
    "ceil",
    "round",
    "coalesce",
    "param",
    "region",
    "entitled",
    "at_least",
    "count",
    "sum",
];

fn call1(function: Function, arguments: Vec<Expr>, ty: Ty) -> Expr {
    Expr::new(Kind::Call(function, arguments), ty)
}

fn whole(value: i64) -> Expr {
    Expr::new(Kind::Literal(Value::Number(Number::whole(value))), Ty::Number)
}

impl World<'_> {
    /// A call: of a function, or of an aggregate through a link.
    pub(super) fn call(&mut self, call: &Call, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Typed> {
        if call.path.len() > 1 {
            let kind = self.facts_of(scope, tree)?;
            let id = match self.catalogue.find(kind, &print(tree)) {
                Some(id) => id,
                None => self.path(kind, &call.path, Some((call, tree)), scope)?,
            };
            let offset = scope.register.and_then(|register| self.catalogue.rows.get(register)).map_or(0, Vec::len);
            let ty = self.catalogue.fact(id).ty.clone();
            return Some((Expr::new(Kind::Fact(offset + id.index), ty.ty), ty));
        }
        let name = call.path.first().map_or("", |ident| ident.name.as_str());
        if call.filter.is_some() || call.by.is_some() {
            self.fault(
                scope,
                &tree.range,
                &code::WRONG_ARGUMENTS,
                "where 和 by 只用于对记录的汇总".into(),
                "`where` and `by` go with aggregates over rows only".into(),
            );
            return None;
        }
        match name {
            "param" => self.parameter(call, tree, scope),
            "entitled" => self.entitled(call, tree, scope),
            "age" => self.age_today(scope, tree),
            "at_least" => self.at_least(call, tree, scope),
            "months_overlap" => self.months_overlap(call, tree, scope),
            "in_interval" => self.in_interval(call, tree, scope),
            _ => self.function(name, call, tree, scope),
        }
    }

    fn facts_of(&mut self, scope: &Scope<'_>, tree: &ast::Expr) -> Option<SubjectKind> {
        if scope.facts.is_none() {
            let (zh, en) = ("这里只能用登记库的列", "only the register's columns can be used here");
            self.fault(scope, &tree.range, &code::UNKNOWN_FACT, zh.into(), en.into());
        }
        scope.facts
    }

    fn arity(&mut self, call: &Call, least: usize, most: usize, tree: &ast::Expr, scope: &Scope<'_>) -> Option<()> {
        let given = call.args.len();
        if (least..=most).contains(&given) {
            return Some(());
        }
        let name = &call.path[0].name;
        let wanted = if least == most { least.to_string() } else { format!("{least}–{most}") };
        self.fault(
            scope,
            &tree.range,
            &code::WRONG_ARGUMENTS,
            format!("{name} 要 {wanted} 个参数, 这里有 {given} 个"),
            format!("`{name}` takes {wanted} arguments, {given} given"),
        );
        None
    }

    /// `age`: the age on the day of evaluation.
    pub(super) fn age_today(&mut self, scope: &Scope<'_>, tree: &ast::Expr) -> Option<Typed> {
        let birth = self.birth_date(scope, tree)?;
        Some((call1(Function::AgeAt, vec![birth, Expr::new(Kind::AsOf, Ty::Date)], Ty::Number), Type::whole("year")))
    }

    fn birth_date(&mut self, scope: &Scope<'_>, tree: &ast::Expr) -> Option<Expr> {
        let kind = self.facts_of(scope, tree)?;
        let Some(id) = self.catalogue.find(kind, "birth_date") else {
            self.fault(
                scope,
                &tree.range,
                &code::UNKNOWN_FACT,
                "年龄要用到事实 birth_date, 这类服务对象没有".into(),
                "age needs the fact `birth_date`, which this kind of subject does not have".into(),
            );
            return None;
        };
        let offset = scope.register.and_then(|register| self.catalogue.rows.get(register)).map_or(0, Vec::len);
        Some(Expr::new(Kind::Fact(offset + id.index), Ty::Date))
    }

    fn function(&mut self, name: &str, call: &Call, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Typed> {
        use Function as F;
        let date = Type::plain(Ty::Date);
        let month = Type { month: true, ..Type::plain(Ty::Date) };
        let (function, wanted, ty): (F, &[Ty], Type) = match name {
            "age_at" => {
                self.arity(call, 1, 2, tree, scope)?;
                if call.args.len() == 1 {
                    let (day, _) = self.wanted(&call.args[0], scope, Ty::Date)?;
                    let birth = self.birth_date(scope, tree)?;
                    return Some((call1(F::AgeAt, vec![birth, day], Ty::Number), Type::whole("year")));
                }
                (F::AgeAt, &[Ty::Date, Ty::Date], Type::whole("year"))
            }
            "months_between" => (F::MonthsBetween, &[Ty::Date, Ty::Date], Type::whole("month")),
            "whole_months_between" => (F::WholeMonthsBetween, &[Ty::Date, Ty::Date], Type::whole("month")),
            "days_between" => (F::DaysBetween, &[Ty::Date, Ty::Date], Type::whole("day")),
            "add_years" => (F::AddYears, &[Ty::Date, Ty::Number], date),
            "add_months" => (F::AddMonths, &[Ty::Date, Ty::Number], date),
            "add_days" => (F::AddDays, &[Ty::Date, Ty::Number], date),
            "months_before" => {
                self.arity(call, 2, 2, tree, scope)?;
                let day = self.wanted(&call.args[0], scope, Ty::Date);
                let count = self.number(&call.args[1], scope);
                let start = call1(F::MonthStart, vec![day?.0], Ty::Date);
                let back = Expr::new(Kind::Negate(Box::new(count?.0)), Ty::Number);
                return Some((call1(F::AddMonths, vec![start, back], Ty::Date), month));
            }
            "month_start" => (F::MonthStart, &[Ty::Date], date),
            "month_end" => (F::MonthEnd, &[Ty::Date], date),
            "year_start" => (F::YearStart, &[Ty::Date], date),
            "year_end" => (F::YearEnd, &[Ty::Date], date),
            "month_of" => (F::MonthStart, &[Ty::Date], month),
            "year" => (F::Year, &[Ty::Date], Type { unit: None, ..Type::whole("") }),
            "month" => (F::Month, &[Ty::Date], Type { unit: None, ..Type::whole("") }),
            "min" | "max" | "coalesce" => {
                let function = match name {
                    "min" => F::Min,
                    "max" => F::Max,
                    _ => F::Coalesce,
                };
                return self.same_typed(function, call, tree, scope);
            }
            "abs" | "floor" | "ceil" | "round" => {
                self.arity(call, 1, 1, tree, scope)?;
                let (value, ty) = self.number(&call.args[0], scope)?;
                let function = match name {
                    "abs" => F::Abs,
                    "floor" => F::Floor,
                    "ceil" => F::Ceil,
                    _ => F::Round,
                };
                return Some((call1(function, vec![value], Ty::Number), ty));
            }
            _ => {
                self.unknown_function(&call.path[0], scope);
                return None;
            }
        };
        self.arity(call, wanted.len(), wanted.len(), tree, scope)?;
        let arguments: Vec<Option<Expr>> =
            call.args.iter().zip(wanted).map(|(argument, ty)| self.wanted(argument, scope, *ty).map(|(expr, _)| expr)).collect();
        let arguments: Option<Vec<Expr>> = arguments.into_iter().collect();
        Some((call1(function, arguments?, ty.ty), ty))
    }

    fn unknown_function(&mut self, name: &Ident, scope: &Scope<'_>) {
        let diagnostic =
            Diagnostic::new(&code::UNKNOWN_FUNCTION, format!("没有“{}”这个函数", name.name), format!("unknown function `{}`", name.name))
                .at(scope.node.place(name.range.clone()))
                .did_you_mean(&name.name, NAMES);
        self.report(scope, diagnostic);
    }

    fn same_typed(&mut self, function: Function, call: &Call, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Typed> {
        self.arity(call, 2, 20, tree, scope)?;
        let typed: Vec<Option<Typed>> = call.args.iter().map(|argument| self.expr(argument, scope)).collect();
        let typed: Vec<Typed> = typed.into_iter().collect::<Option<_>>()?;
        let mut ty = typed[0].1.clone();
        for ((_, other), argument) in typed.iter().zip(&call.args) {
            let ordered = function == Function::Coalesce || matches!(other.ty, Ty::Number | Ty::Date);
            if other.ty != ty.ty || !ordered {
                let words = other.words();
                self.fault(
                    scope,
                    &argument.range,
                    &code::TYPE_MISMATCH,
                    format!("参数类型不一致或不能比较大小: {}", words.0),
                    format!("arguments must be of one ordered type, found a {}", words.1),
                );
                return None;
            }
            if let (Some(a), Some(b)) = (&ty.unit, &other.unit)
                && a != b
            {
                let (zh, en) = (format!("单位不同: {a} 与 {b}"), format!("units differ: {a} and {b}"));
                self.fault(scope, &argument.range, &code::UNIT_MISMATCH, zh, en);
                return None;
            }
            ty.unit = ty.unit.or_else(|| other.unit.clone());
            ty.scale = ty.scale.max(other.scale);
            ty.literal &= other.literal;
        }
        Some((call1(function, typed.into_iter().map(|(expr, _)| expr).collect(), ty.ty), ty))
    }

    fn at_least(&mut self, call: &Call, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Typed> {
        self.arity(call, 2, 100, tree, scope)?;
        let ExprKind::Literal(Literal::Number { digits, scale: 0 }) = call.args[0].kind else {
            let (zh, en) = ("第一个参数要写成整数", "the first argument must be a whole number written out");
            self.fault(scope, &call.args[0].range, &code::WRONG_ARGUMENTS, zh.into(), en.into());
            return None;
        };
        let items: Vec<Option<Expr>> = call.args[1..].iter().map(|item| self.boolean(item, scope)).collect();
        let items: Option<Vec<Expr>> = items.into_iter().collect();
        let count = usize::try_from(digits).unwrap_or(0);
        Some((Expr::new(Kind::AtLeast(count, items?), Ty::Bool), Type::plain(Ty::Bool)))
    }

    /// `last_months(day, n)`: from the first day of the first month to the last day of the last.
    fn interval(&mut self, tree: &ast::Expr, scope: &Scope<'_>) -> Option<(Expr, Expr)> {
        if let ExprKind::Call(call) = &tree.kind
            && let [name] = call.path.as_slice()
            && name.name == "last_months"
        {
            self.arity(call, 2, 2, tree, scope)?;
            let day = self.wanted(&call.args[0], scope, Ty::Date);
            let count = self.number(&call.args[1], scope);
            let (day, count) = (day?.0, count?.0);
            let back = Expr::new(Kind::Arith(super::ir::ArithOp::Sub, Box::new(whole(1)), Box::new(count)), Ty::Number);
            let start = call1(Function::AddMonths, vec![call1(Function::MonthStart, vec![day.clone()], Ty::Date), back], Ty::Date);
            return Some((start, call1(Function::MonthEnd, vec![day], Ty::Date)));
        }
        self.fault(
            scope,
            &tree.range,
            &code::TYPE_MISMATCH,
            "这里要一段时间, 如 last_months(as_of, 12)".into(),
            "expected an interval such as last_months(as_of, 12)".into(),
        );
        None
    }

    fn months_overlap(&mut self, call: &Call, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Typed> {
        self.arity(call, 3, 3, tree, scope)?;
        let from = self.wanted(&call.args[0], scope, Ty::Date);
        let to = self.wanted(&call.args[1], scope, Ty::Date);
        let interval = self.interval(&call.args[2], scope);
        let (start, end) = interval?;
        Some((call1(Function::MonthsOverlap, vec![from?.0, to?.0, start, end], Ty::Number), Type::whole("month")))
    }

    fn in_interval(&mut self, call: &Call, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Typed> {
        self.arity(call, 2, 2, tree, scope)?;
        let day = self.wanted(&call.args[0], scope, Ty::Date);
        let interval = self.interval(&call.args[1], scope);
        let ((day, _), (start, end)) = (day?, interval?);
        let low = Expr::new(Kind::Compare(CompareOp::GtEq, Box::new(day.clone()), Box::new(start)), Ty::Bool);
        let high = Expr::new(Kind::Compare(CompareOp::LtEq, Box::new(day), Box::new(end)), Ty::Bool);
        Some((Expr::new(Kind::And(vec![low, high]), Ty::Bool), Type::plain(Ty::Bool)))
    }

    fn text_argument(&mut self, call: &Call, tree: &ast::Expr, scope: &Scope<'_>) -> Option<String> {
        if let Some(ast::Expr { kind: ExprKind::Literal(Literal::Text(text)), .. }) = call.args.first() {
            return Some(text.clone());
        }
        let name = &call.path[0].name;
        self.fault(
            scope,
            &tree.range,
            &code::WRONG_ARGUMENTS,
            format!("{name} 要一个写出的名称, 如 {name}('…')"),
            format!("`{name}` takes a name written out: {name}('…')"),
        );
        None
    }

    fn parameter(&mut self, call: &Call, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Typed> {
        self.arity(call, 1, 2, tree, scope)?;
        let name = self.text_argument(call, tree, scope)?;
        let Some(parameter) = self.parameters.iter().find(|parameter| parameter.name == name) else {
            let diagnostic =
                Diagnostic::new(&code::UNKNOWN_PARAMETER, format!("没有“{name}”这个标准"), format!("unknown parameter `{name}`"))
                    .at(scope.node.place(call.args[0].range.clone()))
                    .did_you_mean(&name, self.parameters.iter().map(|parameter| parameter.name.as_str()))
                    .help("标准在 policies/parameters/ 里声明", "parameters are declared in policies/parameters/");
            self.report(scope, diagnostic);
            return None;
        };
        let scale = if parameter.parameter_type == ParameterType::Money { 2 } else { 0 };
        let ty = Type { scale, ..Type::whole(parameter.unit.as_deref().unwrap_or("")) };
        let region = match call.args.get(1) {
            Some(argument) => Some(self.wanted(argument, scope, Ty::Text)?.0),
            None => scope.region.clone(),
        };
        let kind = Kind::Parameter { name: name.as_str().into(), region: region.map(Box::new) };
        Some((Expr::new(kind, Ty::Number), ty))
    }

    fn entitled(&mut self, call: &Call, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Typed> {
        self.arity(call, 1, 1, tree, scope)?;
        let policy = self.text_argument(call, tree, scope)?;
        match self.policies.get(&policy) {
            Some(kind) if scope.facts == Some(*kind) && scope.register.is_none() => {}
            Some(kind) => {
                let (zh, en) = (format!("{policy} 的服务对象是 {kind}, 与这里不同"), format!("{policy} is about another subject: {kind}"));
                self.fault(scope, &call.args[0].range, &code::TYPE_MISMATCH, zh, en);
                return None;
            }
            None => {
                let diagnostic =
                    Diagnostic::new(&code::UNKNOWN_POLICY, format!("没有政策“{policy}”"), format!("unknown policy `{policy}`"))
                        .at(scope.node.place(call.args[0].range.clone()))
                        .did_you_mean(&policy, self.policies.keys().map(String::as_str));
                self.report(scope, diagnostic);
                return None;
            }
        }
        Some((Expr::new(Kind::Entitled(policy.as_str().into()), Ty::Bool), Type::plain(Ty::Bool)))
    }

    /// A fact reached through links; the last part is a fact or, with `call`, an aggregate or a function over `many`.
    pub(super) fn path(
        &mut self,
        kind: SubjectKind,
        path: &[Ident],
        call: Option<(&Call, &ast::Expr)>,
        scope: &Scope<'_>,
    ) -> Option<FactId> {
        let (first, rest) = path.split_first()?;
        let registers = Arc::clone(&self.catalogue.registers);
        if rest.is_empty() {
            return self.path_end(kind, first, scope);
        }
        let Some(index) =
            registers.links.iter().position(|link| link.from == kind && (link.name == first.name || link.label.zh == first.name))
        else {
            let names: Vec<&str> = registers.links.iter().filter(|link| link.from == kind).map(|link| link.name.as_str()).collect();
            let diagnostic =
                Diagnostic::new(&code::UNKNOWN_FACT, format!("没有“{}”这个关联", first.name), format!("unknown link `{}`", first.name))
                    .at(scope.node.place(first.range.clone()))
                    .did_you_mean(&first.name, names.iter().copied())
                    .help(format!("可用的关联: {}", names.join(", ")), format!("links: {}", names.join(", ")));
            self.report(scope, diagnostic);
            return None;
        };
        let link = &registers.links[index];
        if link.many {
            return match (rest, call) {
                ([name], Some((call, tree))) => self.link_aggregate(kind, index, name, call, tree, scope),
                _ => {
                    let (zh, en) = (
                        format!("{} 有多个, 要用 count、any、sum 等汇总", link.name),
                        format!("`{}` leads to many: use count, any, sum, …", link.name),
                    );
                    self.fault(scope, &first.range, &code::TYPE_MISMATCH, zh, en);
                    None
                }
            };
        }
        let target = self.path(link.to, rest, call, scope)?;
        let fact = self.catalogue.fact(target).clone();
        let name: Arc<str> = format!("{}.{}", link.name, fact.name).into();
        let label = Message::new(format!("{}的{}", link.label.zh, fact.label.zh), format!("{}: {}", link.label.en, fact.label.en));
        let definition = Definition::Linked { link: index, fact: target };
        Some(self.catalogue.add(kind, Fact { name, label, definition, place: None, ..fact }))
    }

    fn path_end(&mut self, kind: SubjectKind, name: &Ident, scope: &Scope<'_>) -> Option<FactId> {
        let found = self.catalogue.find(kind, &name.name);
        if found.is_none() {
            let known: Vec<Arc<str>> = self.catalogue.facts(kind).iter().map(|fact| Arc::clone(&fact.name)).collect();
            let diagnostic = Diagnostic::new(
                &code::UNKNOWN_FACT,
                format!("{kind} 没有“{}”这个事实", name.name),
                format!("{kind} has no fact `{}`", name.name),
            )
            .at(scope.node.place(name.range.clone()))
            .did_you_mean(&name.name, known.iter().map(|name| &**name));
            self.report(scope, diagnostic);
        }
        found
    }

    fn link_aggregate(
        &mut self,
        kind: SubjectKind,
        index: usize,
        name: &Ident,
        call: &Call,
        tree: &ast::Expr,
        scope: &Scope<'_>,
    ) -> Option<FactId> {
        let registers = Arc::clone(&self.catalogue.registers);
        let link = &registers.links[index];
        let inner = Scope { register: Some(&link.register), facts: Some(link.to), node: scope.node, clause: scope.clause, region: None };
        let (rows, ty) = self.aggregate(name, call, tree, &inner)?;
        let text: Arc<str> = print(tree).into();
        // The text starts with the links that led here; the fact belongs to the last of them.
        let start = text.find(&format!("{}.{}", link.name, name.name)).unwrap_or(0);
        let text: Arc<str> = text[start..].into();
        let fact = Fact {
            name: Arc::clone(&text),
            label: Message::new(&*text, &*text),
            unit: ty.unit.as_ref().filter(|unit| !unit.is_none()).map(ToString::to_string),
            ty,
            definition: Definition::LinkedAggregate { link: index, rows },
            changeable: false,
            place: None,
        };
        Some(self.catalogue.add(kind, fact))
    }

    /// An aggregate over the rows of a scope.
    pub(super) fn aggregate(&mut self, name: &Ident, call: &Call, tree: &ast::Expr, scope: &Scope<'_>) -> Option<(Aggregate, Type)> {
        let Some(how) = How::by_name(&name.name) else {
            let diagnostic = Diagnostic::new(
                &code::UNKNOWN_FUNCTION,
                format!("没有“{}”这种汇总", name.name),
                format!("unknown aggregate `{}`", name.name),
            )
            .at(scope.node.place(name.range.clone()))
            .did_you_mean(&name.name, How::NAMES)
            .help(format!("可用的汇总: {}", How::NAMES.join(", ")), format!("aggregates: {}", How::NAMES.join(", ")));
            self.report(scope, diagnostic);
            return None;
        };
        let most = 1;
        let least = usize::from(!matches!(how, How::Count));
        if call.args.len() < least || call.args.len() > most {
            let (zh, en) = (format!("{} 要一个参数", name.name), format!("`{}` takes one argument", name.name));
            self.fault(scope, &tree.range, &code::WRONG_ARGUMENTS, zh, en);
            return None;
        }
        let value = match call.args.first() {
            None => None,
            Some(argument) => Some(match how {
                How::Count | How::Any | How::All => self.wanted(argument, scope, Ty::Bool)?,
                How::Sum => self.wanted(argument, scope, Ty::Number)?,
                _ => self.expr(argument, scope)?,
            }),
        };
        let filter = match &call.filter {
            Some(filter) => Some(self.boolean(filter, scope)?),
            None => None,
        };
        let by = match (&call.by, how) {
            (Some(by), How::Latest) => Some(self.wanted(by, scope, Ty::Date)?.0),
            (None, How::Latest) => {
                let (zh, en) = ("latest 要写明按哪个日期: latest(x by 日期)", "latest needs a date: latest(x by date)");
                self.fault(scope, &tree.range, &code::WRONG_ARGUMENTS, zh.into(), en.into());
                return None;
            }
            (Some(by), _) => {
                let (zh, en) = ("by 只用于 latest", "`by` goes with latest only");
                self.fault(scope, &by.range, &code::WRONG_ARGUMENTS, zh.into(), en.into());
                return None;
            }
            (None, _) => None,
        };
        let ty = match (how, &value) {
            (How::Count | How::CountDistinct, _) | (_, None) => Type::whole(""),
            (How::Any | How::All, _) => Type::plain(Ty::Bool),
            (_, Some((_, ty))) => Type { literal: false, ..ty.clone() },
        };
        Some((Aggregate { how, value: value.map(|(expr, _)| expr), filter, by }, ty))
    }
}
