//! One expression: names to facts, operators to typed operations, units compared.

use std::sync::Arc;

use super::catalogue::Catalogue;
use super::ir::{ArithOp, CompareOp, Expr, Kind, Number, Ty, Value};
use super::typing::{Type, Unit};
use crate::criteria::ast::{self, BinaryOp, ExprKind, Ident, Literal};
use crate::diagnostic::{Code, Diagnostic, code};
use crate::policy::document::Parameter;
use crate::region::RegionTree;
use crate::register::declaration::{SubjectKind, Written};
use crate::yaml::Node;

/// What all expressions of a policies folder are checked against.
pub struct World<'a> {
    /// Facts; grows by the derived facts that expressions name.
    pub catalogue: &'a mut Catalogue,
    /// Parameters.
    pub parameters: &'a [Parameter],
    /// Regions.
    pub regions: &'a RegionTree,
    /// The policies that `entitled` may name, with their subjects.
    pub policies: &'a std::collections::BTreeMap<String, SubjectKind>,
    /// What was found wrong.
    pub diagnostics: &'a mut Vec<Diagnostic>,
}

/// What names mean where an expression stands.
#[derive(Clone)]
pub struct Scope<'a> {
    /// The register whose columns come first, if any.
    pub register: Option<&'a str>,
    /// The kind whose facts come (after the columns), if any.
    pub facts: Option<SubjectKind>,
    /// The scalar that the expression was written in.
    pub node: &'a Node,
    /// The clause of law beside it.
    pub clause: Option<&'a str>,
    /// The region at which `param('…')` is looked up, as an expression of this scope.
    pub region: Option<Expr>,
}

/// A checked expression and its type.
pub type Typed = (Expr, Type);

impl World<'_> {
    /// Checks a whole expression and that its value has the wanted storage type.
    pub fn check(&mut self, written: &Written, scope: &Scope<'_>, want: Ty) -> Option<Typed> {
        let (expr, ty) = self.expr(&written.expr, scope)?;
        if ty.ty != want {
            let wanted = Type::plain(want).words();
            self.tell(
                scope,
                &written.expr,
                &code::TYPE_MISMATCH,
                |given| (format!("这里要{}, 得到的是{}", wanted.0, given.0), format!("expected a {} here, found a {}", wanted.1, given.1)),
                &ty,
            );
            return None;
        }
        Some((expr, ty))
    }

    fn tell(
        &mut self,
        scope: &Scope<'_>,
        at: &ast::Expr,
        code: &'static Code,
        words: impl FnOnce((&'static str, &'static str)) -> (String, String),
        ty: &Type,
    ) {
        let (zh, en) = words(ty.words());
        self.report(scope, Diagnostic::new(code, zh, en).at(scope.node.place(at.range.clone())));
    }

    /// Adds a diagnostic, with the clause of law beside it.
    pub fn report(&mut self, scope: &Scope<'_>, diagnostic: Diagnostic) {
        let diagnostic = match scope.clause {
            Some(clause) => diagnostic.clause(clause),
            None => diagnostic,
        };
        self.diagnostics.push(diagnostic);
    }

    /// Adds a diagnostic at a part of the expression.
    pub fn fault(&mut self, scope: &Scope<'_>, range: &std::ops::Range<usize>, code: &'static Code, zh: String, en: String) {
        self.report(scope, Diagnostic::new(code, zh, en).at(scope.node.place(range.clone())));
    }

    /// Checks an expression in a scope; none, after telling why, when it is faulty.
    pub fn expr(&mut self, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Typed> {
        let (mut expr, ty) = match &tree.kind {
            ExprKind::Literal(literal) => self.literal(literal, tree, scope)?,
            ExprKind::Name(path) => self.name(path, tree, scope)?,
            ExprKind::Call(call) => self.call(call, tree, scope)?,
            ExprKind::Not(inner) => {
                let inner = self.boolean(inner, scope)?;
                (Expr::new(Kind::Not(Box::new(inner)), Ty::Bool), Type::plain(Ty::Bool))
            }
            ExprKind::Negate(inner) => {
                let (expr, ty) = self.number(inner, scope)?;
                let negated = match expr.kind {
                    Kind::Literal(Value::Number(number)) => {
                        Kind::Literal(Value::Number(Number { digits: -number.digits, scale: number.scale }))
                    }
                    _ => Kind::Negate(Box::new(expr)),
                };
                (Expr::new(negated, Ty::Number), ty)
            }
            ExprKind::Binary(left, op, right) => self.binary(left, *op, right, tree, scope)?,
            ExprKind::InList { value, list, negated } => self.in_list(value, list, *negated, scope)?,
            ExprKind::InSet { value, set, negated } => self.in_set(value, set, *negated, scope)?,
            ExprKind::Between { value, low, high, negated } => {
                let low = self.compare(value, CompareOp::GtEq, low, tree, scope);
                let high = self.compare(value, CompareOp::LtEq, high, tree, scope);
                (negate_if(Expr::new(Kind::And(vec![low?, high?]), Ty::Bool), *negated), Type::plain(Ty::Bool))
            }
            ExprKind::IsKnown { value, known } => {
                let (value, _) = self.expr(value, scope)?;
                (negate_if(Expr::new(Kind::IsKnown(Box::new(value)), Ty::Bool), !known), Type::plain(Ty::Bool))
            }
            ExprKind::Like { value, pattern, negated } => self.like(value, pattern, *negated, scope)?,
            ExprKind::Case { branches, otherwise } => self.case(branches, otherwise.as_deref(), scope)?,
        };
        expr.range = tree.range.clone();
        Some((expr, ty))
    }

    fn literal(&mut self, literal: &Literal, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Typed> {
        let (value, mut ty) = match literal {
            Literal::Bool(value) => (Value::Bool(*value), Type::plain(Ty::Bool)),
            Literal::Number { digits, scale } => {
                (Value::Number(Number { digits: *digits, scale: *scale }), Type { unit: None, scale: *scale, ..Type::plain(Ty::Number) })
            }
            Literal::Date(days) => (Value::Date(*days), Type::plain(Ty::Date)),
            Literal::Month(days) => (Value::Date(*days), Type { month: true, ..Type::plain(Ty::Date) }),
            Literal::Text(text) => (Value::Text(text.as_str().into()), Type::plain(Ty::Text)),
            Literal::Null => {
                self.report(
                    scope,
                    Diagnostic::new(&code::COMPARE_WITH_NULL, "null 不是一个值", "null is not a value")
                        .at(scope.node.place(tree.range.clone()))
                        .help("写 “x 为空” 或 “x is null”", "write `x is null`"),
                );
                return None;
            }
        };
        ty.literal = true;
        let ty_kind = ty.ty;
        Some((Expr::new(Kind::Literal(value), ty_kind), ty))
    }

    /// A boolean expression.
    pub fn boolean(&mut self, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Expr> {
        self.wanted(tree, scope, Ty::Bool).map(|(expr, _)| expr)
    }

    /// A number.
    pub fn number(&mut self, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Typed> {
        self.wanted(tree, scope, Ty::Number)
    }

    /// An expression of a storage type.
    pub fn wanted(&mut self, tree: &ast::Expr, scope: &Scope<'_>, want: Ty) -> Option<Typed> {
        let (expr, ty) = self.expr(tree, scope)?;
        if ty.ty == want {
            return Some((expr, ty));
        }
        let wanted = Type::plain(want).words();
        self.tell(
            scope,
            tree,
            &code::TYPE_MISMATCH,
            |given| (format!("这里要{}, 得到的是{}", wanted.0, given.0), format!("expected a {} here, found a {}", wanted.1, given.1)),
            &ty,
        );
        None
    }

    fn binary(&mut self, left: &ast::Expr, op: BinaryOp, right: &ast::Expr, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Typed> {
        let boolean = Type::plain(Ty::Bool);
        let compare = match op {
            BinaryOp::And | BinaryOp::Or => {
                let left = self.boolean(left, scope);
                let right = self.boolean(right, scope);
                let items = vec![left?, right?];
                let kind = if op == BinaryOp::And { Kind::And(items) } else { Kind::Or(items) };
                return Some((Expr::new(kind, Ty::Bool), boolean));
            }
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div => return self.arithmetic(left, op, right, tree, scope),
            BinaryOp::Eq => CompareOp::Eq,
            BinaryOp::NotEq => CompareOp::NotEq,
            BinaryOp::Lt => CompareOp::Lt,
            BinaryOp::LtEq => CompareOp::LtEq,
            BinaryOp::Gt => CompareOp::Gt,
            BinaryOp::GtEq => CompareOp::GtEq,
        };
        Some((self.compare(left, compare, right, tree, scope)?, boolean))
    }

    fn arithmetic(&mut self, left: &ast::Expr, op: BinaryOp, right: &ast::Expr, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Typed> {
        let typed = (self.number(left, scope), self.number(right, scope));
        let (Some((left_expr, left_type)), Some((right_expr, right_type))) = typed else { return None };
        let (op, unit) = match op {
            BinaryOp::Add | BinaryOp::Sub => {
                self.same_unit(&left_type, &right_type, tree, scope)?;
                let op = if op == BinaryOp::Add { ArithOp::Add } else { ArithOp::Sub };
                (op, left_type.unit.or(right_type.unit))
            }
            BinaryOp::Mul => (ArithOp::Mul, both(left_type.unit.as_ref(), right_type.unit.as_ref(), Unit::times)),
            _ => (ArithOp::Div, both(left_type.unit.as_ref(), right_type.unit.as_ref(), Unit::over)),
        };
        let ty = Type { unit, scale: left_type.scale.max(right_type.scale), ..Type::plain(Ty::Number) };
        Some((Expr::new(Kind::Arith(op, Box::new(left_expr), Box::new(right_expr)), Ty::Number), ty))
    }

    fn compare(&mut self, left: &ast::Expr, op: CompareOp, right: &ast::Expr, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Expr> {
        let typed = (self.expr(left, scope), self.expr(right, scope));
        let (Some((mut left_expr, left_type)), Some((mut right_expr, right_type))) = typed else { return None };
        if left_type.ty != right_type.ty {
            let (a, b) = (left_type.words(), right_type.words());
            self.fault(
                scope,
                &tree.range,
                &code::TYPE_MISMATCH,
                format!("{}不能与{}相比", a.0, b.0),
                format!("a {} cannot be compared with a {}", a.1, b.1),
            );
            return None;
        }
        if matches!(left_type.ty, Ty::Text | Ty::Bool) && !matches!(op, CompareOp::Eq | CompareOp::NotEq) {
            let words = left_type.words();
            self.fault(
                scope,
                &tree.range,
                &code::TYPE_MISMATCH,
                format!("{}只能比较相等或不等", words.0),
                format!("a {} can only be compared for equality", words.1),
            );
            return None;
        }
        self.same_unit(&left_type, &right_type, tree, scope)?;
        left_expr = self.known_text(left_expr, &right_type, left, scope)?;
        right_expr = self.known_text(right_expr, &left_type, right, scope)?;
        Some(Expr { kind: Kind::Compare(op, Box::new(left_expr), Box::new(right_expr)), ty: Ty::Bool, range: tree.range.clone() })
    }

    /// Where the other side is a code or a region, a text written out must be one of the list or the tree.
    fn known_text(&mut self, expr: Expr, other: &Type, tree: &ast::Expr, scope: &Scope<'_>) -> Option<Expr> {
        let Kind::Literal(Value::Text(text)) = &expr.kind else { return Some(expr) };
        if let Some(codes) = &other.codes {
            let found = codes.iter().find(|(code, label)| code.as_str() == &**text || label.zh == **text || label.en == **text);
            let Some((found, _)) = found else {
                let list = codes.iter().map(|(code, label)| format!("{code} ({})", label.zh)).collect::<Vec<_>>().join(", ");
                self.report(
                    scope,
                    Diagnostic::new(
                        &code::UNKNOWN_CODE_VALUE,
                        format!("代码表里没有“{text}”"),
                        format!("`{text}` is not in the code list"),
                    )
                    .at(scope.node.place(tree.range.clone()))
                    .did_you_mean(text, codes.keys().map(String::as_str))
                    .help(format!("可用的代码: {list}"), format!("codes: {list}")),
                );
                return None;
            };
            return Some(Expr { kind: Kind::Literal(Value::Text(found.as_str().into())), ..expr });
        }
        if other.region && !self.regions.is_known(text) {
            self.unknown_region(text, tree, scope);
            return None;
        }
        Some(expr)
    }

    /// Tells that a region is not in the tree.
    pub fn unknown_region(&mut self, text: &str, tree: &ast::Expr, scope: &Scope<'_>) {
        self.report(
            scope,
            Diagnostic::new(&code::UNKNOWN_REGION, format!("区划树里没有“{text}”"), format!("region `{text}` is not in the tree"))
                .at(scope.node.place(tree.range.clone()))
                .help("区划代码见 policies/regions.yaml", "region codes are in policies/regions.yaml"),
        );
    }

    fn same_unit(&mut self, left: &Type, right: &Type, tree: &ast::Expr, scope: &Scope<'_>) -> Option<()> {
        match (&left.unit, &right.unit) {
            (Some(a), Some(b)) if a != b => {
                self.report(
                    scope,
                    Diagnostic::new(&code::UNIT_MISMATCH, format!("单位不同: {a} 与 {b}"), format!("units differ: {a} and {b}"))
                        .at(scope.node.place(tree.range.clone()))
                        .help("先换算成同一单位, 如 月 × 12", "convert one of them first, for example × 12"),
                );
                None
            }
            _ => Some(()),
        }
    }

    fn in_list(&mut self, value: &ast::Expr, list: &[ast::Expr], negated: bool, scope: &Scope<'_>) -> Option<Typed> {
        let boolean = Type::plain(Ty::Bool);
        if let [only] = list
            && matches!(only.kind, ExprKind::Call(_))
        {
            return self.in_set(value, only, negated, scope);
        }
        let (value_expr, value_type) = self.expr(value, scope)?;
        if value_type.ty != Ty::Text {
            let any: Option<Vec<Expr>> = list.iter().map(|item| self.compare(value, CompareOp::Eq, item, item, scope)).collect();
            return Some((negate_if(Expr::new(Kind::Or(any?), Ty::Bool), negated), boolean));
        }
        let mut set: Vec<Arc<str>> = Vec::new();
        let mut faulty = false;
        for item in list {
            let typed = self.wanted(item, scope, Ty::Text).and_then(|(expr, _)| self.known_text(expr, &value_type, item, scope));
            match typed.map(|expr| expr.kind) {
                Some(Kind::Literal(Value::Text(text))) => set.push(text),
                Some(_) => {
                    self.fault(scope, &item.range, &code::TYPE_MISMATCH, "列表里只能写值".into(), "a list holds values written out".into());
                    faulty = true;
                }
                None => faulty = true,
            }
        }
        if faulty {
            return None;
        }
        set.sort();
        set.dedup();
        Some((negate_if(Expr::new(Kind::TextIn { value: Box::new(value_expr), set: set.into() }, Ty::Bool), negated), boolean))
    }

    fn in_set(&mut self, value: &ast::Expr, set: &ast::Expr, negated: bool, scope: &Scope<'_>) -> Option<Typed> {
        let (value_expr, value_type) = self.expr(value, scope)?;
        let region = self.region_argument(set, scope)?;
        if value_type.ty != Ty::Text {
            let words = value_type.words();
            self.fault(
                scope,
                &value.range,
                &code::TYPE_MISMATCH,
                format!("这里要地区, 得到的是{}", words.0),
                format!("expected a region here, found a {}", words.1),
            );
            return None;
        }
        Some((negate_if(Expr::new(Kind::InRegion { value: Box::new(value_expr), region }, Ty::Bool), negated), Type::plain(Ty::Bool)))
    }

    /// The code in `region('…')`.
    fn region_argument(&mut self, set: &ast::Expr, scope: &Scope<'_>) -> Option<Arc<str>> {
        if let ExprKind::Call(call) = &set.kind
            && let [name] = call.path.as_slice()
            && name.name == "region"
            && let [argument] = call.args.as_slice()
            && let ExprKind::Literal(Literal::Text(text)) = &argument.kind
        {
            if self.regions.is_known(text) {
                return Some(text.as_str().into());
            }
            self.unknown_region(text, argument, scope);
            return None;
        }
        self.fault(
            scope,
            &set.range,
            &code::TYPE_MISMATCH,
            "“属于”后面要一个列表或 地区('…')".into(),
            "`in` takes a list or region('…')".into(),
        );
        None
    }

    fn like(&mut self, value: &ast::Expr, pattern: &ast::Expr, negated: bool, scope: &Scope<'_>) -> Option<Typed> {
        let value = self.wanted(value, scope, Ty::Text);
        let ExprKind::Literal(Literal::Text(text)) = &pattern.kind else {
            self.fault(
                scope,
                &pattern.range,
                &code::TYPE_MISMATCH,
                "样式要写成文字".into(),
                "the pattern must be a text written out".into(),
            );
            return None;
        };
        let kind = Kind::Like { value: Box::new(value?.0), pattern: text.as_str().into() };
        Some((negate_if(Expr::new(kind, Ty::Bool), negated), Type::plain(Ty::Bool)))
    }

    fn case(&mut self, branches: &[(ast::Expr, ast::Expr)], otherwise: Option<&ast::Expr>, scope: &Scope<'_>) -> Option<Typed> {
        let mut checked = Vec::new();
        let mut common: Option<Type> = None;
        let mut faulty = false;
        for (when, then) in branches {
            let condition = self.boolean(when, scope);
            let value = self.branch_value(then, &mut common, scope);
            match (condition, value) {
                (Some(condition), Some(value)) => checked.push((condition, value)),
                _ => faulty = true,
            }
        }
        let last = match otherwise {
            Some(tree) => {
                let value = self.branch_value(tree, &mut common, scope);
                faulty |= value.is_none();
                value.map(Box::new)
            }
            None => None,
        };
        if faulty {
            return None;
        }
        let ty = common?;
        Some((Expr::new(Kind::Case { branches: checked, otherwise: last }, ty.ty), Type { literal: false, ..ty }))
    }

    fn branch_value(&mut self, tree: &ast::Expr, common: &mut Option<Type>, scope: &Scope<'_>) -> Option<Expr> {
        let (expr, ty) = self.expr(tree, scope)?;
        match common {
            None => *common = Some(ty),
            Some(before) if before.ty != ty.ty => {
                let (a, b) = (before.words(), ty.words());
                self.fault(
                    scope,
                    &tree.range,
                    &code::TYPE_MISMATCH,
                    format!("各分支的类型要一致: 前面是{}, 这里是{}", a.0, b.0),
                    format!("branches must agree: {} before, {} here", a.1, b.1),
                );
                return None;
            }
            Some(before) => {
                let before_copy = before.clone();
                self.same_unit(&before_copy, &ty, tree, scope)?;
                before.unit = before_copy.unit.or(ty.unit);
                before.scale = before.scale.max(ty.scale);
                before.literal &= ty.literal;
            }
        }
        Some(expr)
    }

    fn name(&mut self, path: &[Ident], tree: &ast::Expr, scope: &Scope<'_>) -> Option<Typed> {
        if let [only] = path {
            if matches!(only.name.as_str(), "as_of" | "当日") {
                return Some((Expr::new(Kind::AsOf, Ty::Date), Type::plain(Ty::Date)));
            }
            let mut offset = 0;
            if let Some(columns) = scope.register.and_then(|register| self.catalogue.rows.get(register)) {
                if let Some(index) = columns.iter().position(|(name, _)| *name == only.name) {
                    let ty = columns[index].1.clone();
                    return Some((Expr::new(Kind::Fact(index), ty.ty), ty));
                }
                offset = columns.len();
            }
            if let Some(kind) = scope.facts {
                let found = self.catalogue.find(kind, &only.name).or_else(|| self.catalogue.labelled(kind, &only.name));
                if let Some(id) = found {
                    let ty = self.catalogue.fact(id).ty.clone();
                    return Some((Expr::new(Kind::Fact(offset + id.index), ty.ty), ty));
                }
                if matches!(only.name.as_str(), "age" | "年龄") && self.catalogue.find(kind, "birth_date").is_some() {
                    return self.age_today(scope, tree);
                }
            }
            self.unknown_name(only, scope);
            return None;
        }
        let kind = scope.facts?;
        // A ready-made dossier may have the linked fact as a column of its own.
        let whole = path.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(".");
        let id = match self.catalogue.find(kind, &whole) {
            Some(id) => id,
            None => self.path(kind, path, None, scope)?,
        };
        let offset = scope.register.and_then(|register| self.catalogue.rows.get(register)).map_or(0, Vec::len);
        let ty = self.catalogue.fact(id).ty.clone();
        Some((Expr::new(Kind::Fact(offset + id.index), ty.ty), ty))
    }

    fn unknown_name(&mut self, name: &Ident, scope: &Scope<'_>) {
        let columns = scope.register.and_then(|register| self.catalogue.rows.get(register));
        let mut known: Vec<String> = columns.into_iter().flatten().map(|(name, _)| name.clone()).collect();
        if let Some(kind) = scope.facts {
            known.extend(self.catalogue.facts(kind).iter().map(|fact| fact.name.to_string()));
            known.extend(self.catalogue.find(kind, "birth_date").map(|_| "age".to_owned()));
        }
        known.push("as_of".to_owned());
        let diagnostic =
            Diagnostic::new(&code::UNKNOWN_FACT, format!("没有“{}”这个事实", name.name), format!("unknown fact `{}`", name.name))
                .at(scope.node.place(name.range.clone()))
                .did_you_mean(&name.name, known.iter().map(String::as_str))
                .help("事实在 policies/registers/ 里声明", "facts are declared in policies/registers/");
        self.report(scope, diagnostic);
    }
}

/// `not expr` where `negated`.
#[must_use]
pub fn negate_if(expr: Expr, negated: bool) -> Expr {
    if negated { Expr::new(Kind::Not(Box::new(expr)), Ty::Bool) } else { expr }
}

fn both(left: Option<&Unit>, right: Option<&Unit>, combine: impl Fn(&Unit, &Unit) -> Unit) -> Option<Unit> {
    Some(combine(left?, right?))
}
