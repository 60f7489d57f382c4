//! A rule's `when`: a CEL expression over the tenant and its labels, answered from a table.
//!
//! Everything that a `when` may name has finitely many values, all known at load. So each expression is run at load
//! for every combination of what it names, and a request only looks its answer up. An expression that names too much
//! for a table is run per request instead. Both ways an expression that fails, or whose result is no boolean, counts as
//! true: its rule applies.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use cel::{Context, Program, Value};

use super::labels::{Declaration, Labels};
use super::scope::{Input, Scope};
use crate::config::Tenant;

/// Most combinations for which a table is made: 2 KiB of bits, some ten milliseconds at load.
const TABLE_MAX: usize = 16_384;

/// The standard functions; making them anew costs more than running an expression.
static ROOT: LazyLock<Context<'static, 'static>> = LazyLock::new(Context::default);

/// When a rule applies.
#[derive(Debug)]
pub(crate) enum When {
    /// No `when`.
    Always,
    /// Known for every combination of inputs.
    Table(Table),
    /// To be run.
    Run(Box<Program>),
}

/// The answer for each combination of inputs.
#[derive(Debug)]
pub(crate) struct Table {
    by_tenant: bool,
    /// Place and number of values of each label it looks at, "no value" being one.
    labels: Vec<(usize, usize)>,
    /// Combinations of labels per tenant.
    per_tenant: usize,
    answers: Vec<u64>,
    program: Box<Program>,
}

/// How an expression behaves over all its inputs, for warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Nothing to remark, or not known.
    Varies,
    /// Fails on every input.
    AlwaysFails,
}

impl When {
    /// Prepares a checked program that looks at `inputs`.
    pub(crate) fn new(program: Program, inputs: &BTreeSet<Input>, scope: &Scope) -> (Self, Behaviour) {
        let by_tenant = inputs.iter().any(|input| !matches!(input, Input::Label(_)));
        let mut labels = Vec::new();
        let mut per_tenant: usize = 1;
        for input in inputs {
            let &Input::Label(place) = input else { continue };
            let values = scope.labels.get(place).map_or(0, |label| label.values.len()) + 1;
            labels.push((place, values));
            per_tenant = per_tenant.saturating_mul(values);
        }
        let tenants = if by_tenant { scope.tenants.len() } else { 1 };
        let size = per_tenant.saturating_mul(tenants);
        if size > TABLE_MAX {
            return (Self::Run(Box::new(program)), Behaviour::Varies);
        }

        let mut answers = vec![0_u64; size.div_ceil(64)];
        let mut failures = 0;
        for index in 0..size {
            // Without a tenant among the inputs any will do, for it is not looked at.
            let tenant = scope.tenants.get(index / per_tenant.max(1)).map(AsRef::as_ref);
            let mut rest = index % per_tenant.max(1);
            let mut chosen = Vec::with_capacity(labels.len());
            for &(place, values) in &labels {
                chosen.push((place, rest % values));
                rest /= values;
            }
            let value = |place: usize, label: &Declaration| {
                let index = chosen.iter().find(|(at, _)| *at == place).map_or(0, |(_, index)| *index);
                index
                    .checked_sub(1)
                    .and_then(|index| label.values.get(index))
                    .map_or_else(String::new, |value| value.to_string())
            };
            let answer = run(&program, tenant, scope, value);
            failures += usize::from(answer.is_none());
            if answer.unwrap_or(true)
                && let Some(word) = answers.get_mut(index / 64)
            {
                *word |= 1 << (index % 64);
            }
        }
        let behaviour = if size > 0 && failures == size { Behaviour::AlwaysFails } else { Behaviour::Varies };
        let table = Table { by_tenant, labels, per_tenant, answers, program: Box::new(program) };
        (Self::Table(table), behaviour)
    }

    /// Whether the rule applies, judged with the client's labels or without.
    pub(crate) fn applies(
        &self,
        scope: &Scope,
        tenant: &Tenant,
        place: Option<usize>,
        labels: &Labels,
        client: bool,
    ) -> bool {
        match self {
            Self::Always => true,
            Self::Table(table) => table
                .answer(place, labels, client)
                .unwrap_or_else(|| run_for(&table.program, scope, tenant, labels, client)),
            Self::Run(program) => run_for(program, scope, tenant, labels, client),
        }
    }

    /// Whether every answer comes from a table: a request then runs no expression.
    #[cfg(test)]
    pub(crate) const fn is_table(&self) -> bool {
        matches!(self, Self::Table(_))
    }

    /// Runs the expression whatever the table says, for tests that compare both.
    #[cfg(test)]
    pub(crate) fn run(&self, scope: &Scope, tenant: &Tenant, labels: &Labels, client: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Table(Table { program, .. }) | Self::Run(program) => run_for(program, scope, tenant, labels, client),
        }
    }
}

impl Table {
    /// `None` for a tenant that is not configured.
    fn answer(&self, tenant: Option<usize>, labels: &Labels, client: bool) -> Option<bool> {
        let mut index = 0;
        let mut stride = 1;
        for &(place, values) in &self.labels {
            index += stride * labels.index(place, client).map_or(0, |value| usize::from(value) + 1);
            stride *= values;
        }
        if self.by_tenant {
            index += tenant? * self.per_tenant;
        }
        self.answers.get(index / 64).map(|word| word & (1 << (index % 64)) != 0)
    }
}

fn run_for(program: &Program, scope: &Scope, tenant: &Tenant, labels: &Labels, client: bool) -> bool {
    run(program, Some(tenant), scope, |place, _| labels.text(place, client).to_owned()).unwrap_or(true)
}

/// `None` where the expression fails or gives no boolean.
fn run(
    program: &Program,
    tenant: Option<&Tenant>,
    scope: &Scope,
    value: impl Fn(usize, &Declaration) -> String,
) -> Option<bool> {
    let mut labels: HashMap<String, Value> = HashMap::new();
    for (place, label) in scope.labels.iter().enumerate() {
        labels.insert(label.name.to_string(), Value::from(value(place, label)));
    }
    let name = tenant.map_or("", |tenant| tenant.name.as_str());
    let region = tenant.and_then(|tenant| tenant.region.as_deref()).unwrap_or_default();
    let tenant: HashMap<String, Value> =
        HashMap::from([("name".to_owned(), Value::from(name)), ("region".to_owned(), Value::from(region))]);
    let mut context = ROOT.new_inner_scope();
    context.add_variable_from_value("labels", labels);
    context.add_variable_from_value("tenant", tenant);
    match program.execute(&context) {
        Ok(Value::Bool(answer)) => Some(answer),
        _ => None,
    }
}
