//! A policies folder made ready for dossiers with given columns, as `mianshen match --dossiers` does.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use arrow::datatypes::{DataType, Schema};
use chrono::NaiveDate;
use mianshen::check::bind::Binder;
use mianshen::check::ir::{self, Expr, Kind, Ty};
use mianshen::check::typing::Type;
use mianshen::check::{self, CheckedPolicy};
use mianshen::diagnostic::Severity;
use mianshen::program::{Program, ValueProgram};
use mianshen::register::declaration::SubjectKind;
use mianshen::{policy, region};

/// The policies of one kind of subject, bound to a day, sorted by code.
pub struct Ready {
    /// Their codes.
    pub codes: Vec<String>,
    /// The columns as facts.
    pub schema: ir::Schema,
    /// Covered and all criteria met, one per policy.
    pub verdicts: Vec<Expr>,
    /// What a yes is worth, one per policy; unknown where there is no amount.
    pub amounts: Vec<Expr>,
}

impl Ready {
    /// Reads, checks and binds.
    ///
    /// # Errors
    ///
    /// The first mistake of the folder, if there is one.
    pub fn load(dir: &Path, kind: SubjectKind, columns: &Schema, as_of: NaiveDate) -> Result<Self, Box<dyn Error>> {
        let (set, mut told) = policy::load(dir);
        let (regions, more) = region::load(dir);
        told.extend(more);
        let chosen: Vec<_> = policy::select(&set.policies, as_of, None).into_iter().filter(|policy| policy.subject == kind).collect();
        let facts: Vec<(String, Type)> =
            columns.fields().iter().filter_map(|field| Some((field.name().clone(), fact_type(field.data_type())?))).collect();
        let (mut checked, more) = check::check_given(kind, &facts, &chosen, &set.parameters, &regions);
        told.extend(more);
        if let Some(wrong) = told.iter().find(|diagnostic| diagnostic.severity == Severity::Error) {
            return Err(format!("{}: {:?}", dir.display(), wrong).into());
        }
        let policies: BTreeMap<String, CheckedPolicy> =
            checked.policies.iter().map(|policy| (policy.document.code.clone(), policy.clone())).collect();
        let binder = Binder::new(as_of, None, &set.parameters, &regions, &policies);
        let catalogue = &mut checked.catalogue;
        let mut ready = |expr: &Expr| binder.bind(&catalogue.expand(&binder.bind(expr), kind, 0, &|_| true));
        let verdicts = policies
            .values()
            .map(|policy| Expr::new(Kind::And(vec![ready(&policy.coverage), ready(&policy.criteria)]), Ty::Bool))
            .collect();
        let amounts = policies
            .values()
            .map(|policy| policy.amount.as_ref().map_or_else(|| Expr::new(Kind::Unknown, Ty::Number), &mut ready))
            .collect();
        Ok(Self { codes: policies.into_keys().collect(), schema: checked.catalogue.schema(kind), verdicts, amounts })
    }

    /// All verdicts as one program.
    ///
    /// # Errors
    ///
    /// See [`Program::compile`].
    pub fn program(&self) -> Result<Program, Box<dyn Error>> {
        Program::compile(&self.schema, &self.verdicts).map_err(|error| error.to_string().into())
    }

    /// All amounts as one program.
    ///
    /// # Errors
    ///
    /// See [`ValueProgram::compile`].
    pub fn values(&self) -> Result<ValueProgram, Box<dyn Error>> {
        ValueProgram::compile(&self.schema, &self.amounts).map_err(|error| error.to_string().into())
    }
}

/// The type of a fact from its column's.
fn fact_type(data_type: &DataType) -> Option<Type> {
    let number = |scale: u8| Type { scale, unit: None, ..Type::plain(Ty::Number) };
    Some(match data_type {
        DataType::Boolean => Type::plain(Ty::Bool),
        DataType::Decimal128(_, scale) => number(u8::try_from(*scale).ok()?),
        DataType::Date32 => Type::plain(Ty::Date),
        DataType::Utf8 => Type::plain(Ty::Text),
        DataType::Dictionary(_, value) => fact_type(value).filter(|ty| ty.ty == Ty::Text)?,
        whole if whole.is_integer() => number(0),
        _ => return None,
    })
}
