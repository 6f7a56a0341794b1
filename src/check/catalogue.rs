//! All facts there are, by subject kind, each with its type and how it comes about.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::ir::{self, Expr, Ty};
use super::typing::{CodeList, Type};
use crate::diagnostic::{Message, Span};
use crate::register::declaration::{Link, RegisterColumn, Registers, SubjectKind};

/// A fact: the kind of its subject and its place among the facts of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId {
    /// Whose.
    pub kind: SubjectKind,
    /// Index into [`Catalogue::facts`] of the kind.
    pub index: usize,
}

/// One typed, named attribute of a subject.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Name, unique within its kind. Derived facts are named by their text (`members.count(age >= 60)`).
    pub name: Arc<str>,
    /// For people.
    pub label: Message,
    /// Type.
    pub ty: Type,
    /// Unit, as declared.
    pub unit: Option<String>,
    /// How it comes about.
    pub definition: Definition,
    /// Whether the subject can change it.
    pub changeable: bool,
    /// Where it is declared.
    pub place: Option<Span>,
}

/// How a fact comes about. Expressions say over what they are.
#[derive(Debug, Clone)]
pub enum Definition {
    /// Not looked at yet, or faulty.
    Pending,
    /// A column of a dossier file that was given ready-made.
    Given,
    /// From the subject's rows of a register.
    Rows {
        /// The register.
        register: String,
        /// What is made of the rows. Expressions over the register's columns.
        rows: Aggregate,
        /// Columns of other registers that must agree.
        agrees_with: Vec<(String, String)>,
    },
    /// An expression over other facts of the same subject.
    Computed(Expr),
    /// A fact of the one subject that a link leads to.
    Linked {
        /// Index into [`Registers::links`].
        link: usize,
        /// The fact there.
        fact: FactId,
    },
    /// The identifier of the one subject that a link leads to.
    LinkEnd {
        /// Index into [`Registers::links`].
        link: usize,
    },
    /// Something made of all subjects that a link leads to. Expressions over the columns of the link's register
    /// followed by the facts of the linked kind.
    LinkedAggregate {
        /// Index into [`Registers::links`].
        link: usize,
        /// What is made of them.
        rows: Aggregate,
    },
}

/// What is made of rows.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// How.
    pub how: How,
    /// Of what; none for `count()`.
    pub value: Option<Expr>,
    /// Which rows.
    pub filter: Option<Expr>,
    /// What `latest` orders by.
    pub by: Option<Expr>,
}

/// Ways to make one value of many rows. A row whose filter or value is unknown makes the result unknown, except where
/// the other rows settle it (`any`, `all`); `latest` looks only at the last row, and needs the date of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The value of the only row.
    Only,
    /// How many rows; with a value, how many rows in which it is yes.
    Count,
    /// How many distinct values.
    CountDistinct,
    /// The sum.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// Whether it is yes in one row.
    Any,
    /// Whether it is yes in every row.
    All,
    /// The value in the row that comes last.
    Latest,
}

impl How {
    /// The aggregate with a name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "count" => Self::Count,
            "count_distinct" => Self::CountDistinct,
            "sum" => Self::Sum,
            "min" => Self::Min,
            "max" => Self::Max,
            "any" => Self::Any,
            "all" => Self::All,
            "latest" => Self::Latest,
            _ => return None,
        })
    }

    /// The names of all aggregates.
    pub const NAMES: [&'static str; 8] = ["count", "count_distinct", "sum", "min", "max", "any", "all", "latest"];
}

/// All facts there are.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    facts: [Vec<Fact>; 3],
    by_name: [HashMap<Arc<str>, usize>; 3],
    /// The first fact with each Chinese label.
    by_label: [HashMap<Arc<str>, usize>; 3],
    /// The declarations that the facts come from.
    pub registers: Arc<Registers>,
    /// For each link, which rows of its register make it.
    pub link_filters: Vec<Option<Expr>>,
    /// Columns of each register with their types, in the order of the declaration.
    pub rows: BTreeMap<String, Vec<(String, Type)>>,
}

impl Catalogue {
    /// A catalogue without facts yet.
    #[must_use]
    pub fn new(registers: Arc<Registers>) -> Self {
        let rows = registers
            .registers
            .values()
            .map(|register| {
                let columns = register.columns.iter().map(|column| (column.name.clone(), column_type(column))).collect();
                (register.name.clone(), columns)
            })
            .collect();
        Self { registers, rows, ..Self::default() }
    }

    /// Which rows of its register make a link; all, where there is none.
    #[must_use]
    pub fn link_filter(&self, name: &str, from: SubjectKind) -> Option<Expr> {
        let index = self.registers.links.iter().position(|link| link.from == from && link.name == name)?;
        self.link_filters.get(index).cloned().flatten()
    }

    /// The facts of a kind, in a stable order: declared ones first, then derived ones as they were met.
    #[must_use]
    pub fn facts(&self, kind: SubjectKind) -> &[Fact] {
        &self.facts[kind as usize]
    }

    /// A fact.
    #[must_use]
    pub fn fact(&self, id: FactId) -> &Fact {
        &self.facts[id.kind as usize][id.index]
    }

    /// The fact with a name.
    #[must_use]
    pub fn find(&self, kind: SubjectKind, name: &str) -> Option<FactId> {
        self.by_name[kind as usize].get(name).map(|&index| FactId { kind, index })
    }

    /// The first fact with a Chinese label.
    #[must_use]
    pub fn labelled(&self, kind: SubjectKind, label: &str) -> Option<FactId> {
        self.by_label[kind as usize].get(label).map(|&index| FactId { kind, index })
    }

    /// Adds a fact; gives back the one of that name where there is one already.
    pub fn add(&mut self, kind: SubjectKind, fact: Fact) -> FactId {
        if let Some(found) = self.find(kind, &fact.name) {
            return found;
        }
        let index = self.facts[kind as usize].len();
        self.by_name[kind as usize].insert(Arc::clone(&fact.name), index);
        self.by_label[kind as usize].entry(fact.label.zh.as_str().into()).or_insert(index);
        self.facts[kind as usize].push(fact);
        FactId { kind, index }
    }

    /// The fact that is the identifier of the one subject that a link leads to; none where there is no such link or it
    /// leads to many. It is named by the link with `.id`: `mother.id`.
    pub fn link_end(&mut self, kind: SubjectKind, link: &str) -> Option<FactId> {
        let index = self.registers.links.iter().position(|other| other.from == kind && other.name == link && !other.many)?;
        let label = self.registers.links[index].label.clone();
        Some(self.add(
            kind,
            Fact {
                name: format!("{link}.id").into(),
                label,
                ty: Type::plain(Ty::Text),
                unit: None,
                definition: Definition::LinkEnd { link: index },
                changeable: false,
                place: None,
            },
        ))
    }

    /// A fact of the one subject that a link leads to, as a fact of the subject itself.
    pub fn linked(&mut self, kind: SubjectKind, link: &str, fact: FactId) -> Option<FactId> {
        let index = self.registers.links.iter().position(|other| other.from == kind && other.name == link && !other.many)?;
        let target = self.fact(fact).clone();
        let definition = Definition::Linked { link: index, fact };
        Some(self.add(kind, Fact { name: format!("{link}.{}", target.name).into(), definition, place: None, ..target }))
    }

    /// Says how a fact comes about.
    pub fn define(&mut self, id: FactId, definition: Definition) {
        self.facts[id.kind as usize][id.index].definition = definition;
    }

    /// The schema that expressions over the facts of a kind use: [`ir::Kind::Fact`] is an index into it.
    #[must_use]
    pub fn schema(&self, kind: SubjectKind) -> ir::Schema {
        ir::Schema { columns: self.facts(kind).iter().map(|fact| column(&fact.name, &fact.ty)).collect() }
    }

    /// The schema of a register's rows.
    #[must_use]
    pub fn row_schema(&self, register: &str) -> ir::Schema {
        let columns = self.rows.get(register).map(|columns| columns.iter().map(|(name, ty)| column(name, ty)).collect());
        ir::Schema { columns: columns.unwrap_or_default() }
    }

    /// The schema of a link's rows: the columns of its register, named `link.…` where a fact has the same name, then
    /// the facts of the linked kind.
    #[must_use]
    pub fn link_schema(&self, link: &Link) -> ir::Schema {
        self.joined_schema(&link.register, link.to)
    }

    /// The schema of a register's rows beside the facts of a subject.
    #[must_use]
    pub fn joined_schema(&self, register: &str, kind: SubjectKind) -> ir::Schema {
        let mut schema = self.row_schema(register);
        for column in &mut schema.columns {
            column.name = format!("row.{}", column.name).into();
        }
        schema.columns.extend(self.schema(kind).columns);
        schema
    }

    /// The registers that a fact rests on, with those of the facts below it, sorted.
    #[must_use]
    pub fn registers_of(&self, id: FactId) -> Vec<String> {
        let mut found = std::collections::BTreeSet::new();
        let mut seen = std::collections::BTreeSet::new();
        self.collect_registers(id, &mut seen, &mut found);
        found.into_iter().collect()
    }

    fn collect_registers(&self, id: FactId, seen: &mut std::collections::BTreeSet<FactId>, found: &mut std::collections::BTreeSet<String>) {
        if !seen.insert(id) {
            return;
        }
        match &self.fact(id).definition {
            Definition::Rows { register, .. } => {
                found.insert(register.clone());
            }
            Definition::Linked { link, .. } | Definition::LinkedAggregate { link, .. } | Definition::LinkEnd { link } => {
                found.insert(self.registers.links[*link].register.clone());
            }
            Definition::Pending | Definition::Given | Definition::Computed(_) => {}
        }
        for input in self.inputs(id) {
            self.collect_registers(input, seen, found);
        }
    }

    /// The facts that a fact is directly made of.
    #[must_use]
    pub fn inputs(&self, id: FactId) -> Vec<FactId> {
        let mut inputs = Vec::new();
        match &self.fact(id).definition {
            Definition::Pending | Definition::Given | Definition::Rows { .. } | Definition::LinkEnd { .. } => {}
            Definition::Computed(expr) => expr.for_each_fact(&mut |index| inputs.push(FactId { kind: id.kind, index })),
            Definition::Linked { fact, .. } => inputs.push(*fact),
            Definition::LinkedAggregate { link, rows } => {
                let link = &self.registers.links[*link];
                let columns = self.rows.get(&link.register).map_or(0, Vec::len);
                for expr in rows.value.iter().chain(&rows.filter).chain(&rows.by) {
                    expr.for_each_fact(&mut |index| {
                        if index >= columns {
                            inputs.push(FactId { kind: link.to, index: index - columns });
                        }
                    });
                }
            }
        }
        inputs.sort();
        inputs.dedup();
        inputs
    }
}

/// The type of a register's column.
#[must_use]
pub fn column_type(column: &RegisterColumn) -> Type {
    let codes: CodeList = Arc::new(column.codes.clone());
    Type::declared(column.column_type, column.unit.as_deref(), Some(&codes))
}

fn column(name: &str, ty: &Type) -> ir::Column {
    ir::Column { name: name.into(), ty: ty.ty, scale: if ty.ty == Ty::Number { ty.scale } else { 0 } }
}
