//! A rule's `when`: a CEL expression over who asks and what is asked, answered from a table.
//!
//! Most of what a `when` may name has finitely many values, all known at load; comparisons with the rest are true or
//! false ([`atom`](super::atom)). So each expression is run at load for every combination, and a request only looks its
//! answer up, without allocating. An expression that names too much for a table, or looks at an endless input in another
//! way, is run per request instead. Both ways an expression that fails, or whose result is no boolean, counts as true:
//! its rule applies.
//!
//! What of a request its client chooses can switch a rule on but never off. So an answer is "it applies" too where it
//! would be if some of the choices had not been made: no stream, no tools, no model named.

mod whoever;

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use cel::common::ast::IdedExpr;
use cel::{Context, Program, Value};

use super::atom::{self, Atom};
use super::circumstances::{Circumstances, Operation, RequestFacts};
use super::labels::View;
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
    Run(Expression),
}

/// A checked expression.
#[derive(Debug)]
pub(crate) struct Expression {
    program: Box<Program>,
    inputs: BTreeSet<Input>,
}

/// The answer for each combination of inputs.
#[derive(Debug)]
pub(crate) struct Table {
    /// The finite inputs but for tenants, and their numbers of values. The first changes fastest.
    axes: Vec<(Input, usize)>,
    /// Axes of two values behind those.
    atoms: Vec<Atom>,
    by_tenant: bool,
    /// Combinations for one tenant.
    per_tenant: usize,
    /// All combinations.
    size: usize,
    answers: Vec<u64>,
    /// For a tenant that is not configured.
    expression: Expression,
}

/// What an author may not have meant.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Remarks {
    /// It fails on every input.
    pub(crate) always_fails: bool,
    /// What a client could have chosen to switch the rule off: it cannot.
    pub(crate) no_escape: Vec<Input>,
}

impl When {
    /// Prepares a checked program that looks at `inputs`.
    pub(crate) fn new(program: Program, inputs: BTreeSet<Input>, scope: &Scope) -> (Self, Remarks) {
        let by_tenant = inputs.iter().any(|input| matches!(input, Input::TenantName | Input::TenantRegion));
        let split = atom::split(program.expression(), scope);
        let expression = Expression { program: Box::new(program), inputs };
        let Some((split, atoms)) = split else { return (Self::Run(expression), Remarks::default()) };
        let axes = expression.inputs.iter().filter_map(|&input| Some((input, input.values(&scope.labels)?)));
        let axes: Vec<(Input, usize)> = axes.collect();
        let sizes = axes.iter().map(|(_, values)| *values).chain(atoms.iter().map(|_| 2));
        let per_tenant = sizes.fold(1, usize::saturating_mul);
        let size = per_tenant.saturating_mul(if by_tenant { scope.tenants.len() } else { 1 });
        if size > TABLE_MAX {
            return (Self::Run(expression), Remarks::default());
        }
        let answers = vec![0; size.div_ceil(64)];
        let mut table = Table { axes, atoms, by_tenant, per_tenant, size, answers, expression };
        let always_fails = table.fill(&split, scope);
        let mut no_escape = Vec::new();
        for input in Input::CHOSEN {
            if table.close(input) {
                no_escape.push(input);
            }
        }
        (Self::Table(table), Remarks { always_fails, no_escape })
    }

    /// Whether the rule applies, judged with the values that came with the request in its labels or without. `place` is
    /// the tenant's place in the scope.
    pub(crate) fn applies(&self, scope: &Scope, of: &Circumstances<'_>, place: Option<usize>, view: View) -> bool {
        match self {
            Self::Always => true,
            Self::Table(table) => {
                table.answer(of, place, view).unwrap_or_else(|| table.expression.applies(scope, of, view))
            }
            Self::Run(expression) => expression.applies(scope, of, view),
        }
    }

    /// Whether every answer comes from a table: a request then runs no expression.
    #[cfg(test)]
    pub(crate) const fn is_table(&self) -> bool {
        matches!(self, Self::Table(_))
    }

    /// Runs the expression whatever the table says, for tests that compare both.
    #[cfg(test)]
    pub(crate) fn run(&self, scope: &Scope, of: &Circumstances<'_>, view: View) -> bool {
        match self {
            Self::Always => true,
            Self::Table(Table { expression, .. }) | Self::Run(expression) => expression.applies(scope, of, view),
        }
    }
}

impl Table {
    /// Runs the expression for every combination; `true` if it failed on each.
    fn fill(&mut self, split: &IdedExpr, scope: &Scope) -> bool {
        let mut failures = 0;
        for index in 0..self.size {
            let mut rest = index % self.per_tenant;
            let mut digit = |values: usize| {
                let digit = rest % values;
                rest /= values;
                digit
            };
            let axes: Vec<(Input, usize)> = self.axes.iter().map(|&(input, values)| (input, digit(values))).collect();
            let atoms: Vec<bool> = self.atoms.iter().map(|_| digit(2) == 1).collect();
            // Without a tenant among the inputs any will do, for it is not looked at.
            let tenant = scope.tenants.get(index / self.per_tenant).map(AsRef::as_ref);
            let value = |input: Input| {
                let place = axes.iter().find(|(of, _)| *of == input).map_or(0, |(_, place)| *place);
                finite(input, place, scope)
            };
            let answer = run(split, &self.expression.inputs, tenant, scope, &value, &atoms);
            failures += usize::from(answer.is_none());
            if answer.unwrap_or(true) {
                self.set(index);
            }
        }
        self.size > 0 && failures == self.size
    }

    /// Makes every answer a yes that is one without the client's choice of this input; `true` if any was not before.
    fn close(&mut self, input: Input) -> bool {
        // Stride and place of the value that was not chosen, for each axis of the input.
        let mut axes: Vec<(usize, usize)> = Vec::new();
        let mut stride = 1;
        for &(of, values) in &self.axes {
            if of == input {
                axes.push((stride, 0));
            }
            stride *= values;
        }
        for atom in &self.atoms {
            if atom.input == input {
                axes.push((stride, usize::from(atom.holds_bare())));
            }
            stride *= 2;
        }
        let mut changed = false;
        for index in 0..self.size {
            // Every axis of what a client chooses has two values.
            let bare = axes.iter().fold(index, |index, (stride, bare)| {
                let digit = index / stride % 2;
                index - digit * stride + bare * stride
            });
            if self.get(bare) == Some(true) && self.get(index) == Some(false) {
                self.set(index);
                changed = true;
            }
        }
        changed
    }

    fn set(&mut self, index: usize) {
        if let Some(word) = self.answers.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    fn get(&self, index: usize) -> Option<bool> {
        self.answers.get(index / 64).map(|word| word & (1 << (index % 64)) != 0)
    }

    /// `None` for a tenant that is not configured.
    fn answer(&self, of: &Circumstances<'_>, tenant: Option<usize>, view: View) -> Option<bool> {
        let mut index = 0;
        let mut stride = 1;
        for &(input, values) in &self.axes {
            index += stride * place(input, of, view);
            stride *= values;
        }
        for atom in &self.atoms {
            index += stride * usize::from(atom.holds(of));
            stride *= 2;
        }
        if self.by_tenant {
            index += tenant? * self.per_tenant;
        }
        self.get(index)
    }
}

impl Expression {
    /// Runs it for the request as it is, and as it would be without each set of choices that its client made.
    fn applies(&self, scope: &Scope, of: &Circumstances<'_>, view: View) -> bool {
        let made = |input: &Input| self.inputs.contains(input) && without(of.request, *input) != of.request;
        let chosen: Vec<Input> = Input::CHOSEN.into_iter().filter(made).collect();
        (0..1_usize << chosen.len()).any(|left_out| {
            let left_out = chosen.iter().enumerate().filter(|(place, _)| left_out & (1 << place) != 0);
            let request = left_out.fold(of.request, |request, (_, input)| without(request, *input));
            let of = Circumstances { request, ..*of };
            let value = |input: Input| value(input, &of, view);
            run(self.program.expression(), &self.inputs, Some(of.tenant), scope, &value, &[]).unwrap_or(true)
        })
    }
}

/// The place of an input's value on its axis.
fn place(input: Input, of: &Circumstances<'_>, view: View) -> usize {
    let request = &of.request;
    match input {
        Input::Label(place) => of.labels.index(place, view).map_or(0, |value| usize::from(value) + 1),
        Input::Operation => request.operation as usize,
        Input::Stream => usize::from(request.stream),
        Input::Tools => usize::from(request.tools),
        Input::ServerTools => usize::from(request.server_tools),
        Input::Media => usize::from(request.media),
        Input::Unscanned => usize::from(request.unscanned),
        // None of these has an axis.
        Input::TenantName | Input::TenantRegion | Input::TenantTeam | Input::KeyId | Input::Model | Input::Tokens => 0,
    }
}

/// The value at a place of an input's axis.
fn finite(input: Input, place: usize, scope: &Scope) -> Value {
    match input {
        Input::Label(label) => {
            let label = scope.labels.get(label);
            let value = place.checked_sub(1).and_then(|place| label?.values.get(place));
            Value::from(value.map_or("", |value| value))
        }
        Input::Operation => Value::from(Operation::ALL.get(place).map_or("", |operation| operation.as_str())),
        _ => Value::from(place == 1),
    }
}

/// An input's value in a request.
fn value(input: Input, of: &Circumstances<'_>, view: View) -> Value {
    match input {
        Input::TenantTeam => Value::from(of.team),
        Input::KeyId => Value::from(of.key),
        Input::Label(place) => Value::from(of.labels.text(place, view)),
        Input::Operation => Value::from(of.request.operation.as_str()),
        Input::Model => Value::from(of.request.model),
        Input::Tokens => Value::from(i64::try_from(of.request.input_tokens).unwrap_or(i64::MAX)),
        _ => Value::from(place(input, of, view) == 1),
    }
}

/// The request as if its client had not chosen this.
fn without<'a>(request: RequestFacts<'a>, input: Input) -> RequestFacts<'a> {
    let bare = RequestFacts::BARE;
    match input {
        Input::Model => RequestFacts { model: bare.model, ..request },
        Input::Stream => RequestFacts { stream: bare.stream, ..request },
        Input::Tools => RequestFacts { tools: bare.tools, ..request },
        Input::ServerTools => RequestFacts { server_tools: bare.server_tools, ..request },
        Input::Media => RequestFacts { media: bare.media, ..request },
        Input::Unscanned => RequestFacts { unscanned: bare.unscanned, ..request },
        Input::Tokens => RequestFacts { input_tokens: bare.input_tokens, ..request },
        _ => request,
    }
}

/// `None` where the expression fails or gives no boolean.
fn run(
    expression: &IdedExpr,
    inputs: &BTreeSet<Input>,
    tenant: Option<&Tenant>,
    scope: &Scope,
    value: &dyn Fn(Input) -> Value,
    atoms: &[bool],
) -> Option<bool> {
    let mut roots: HashMap<&str, HashMap<String, Value>> = HashMap::new();
    for &input in inputs {
        let (root, field, value) = match input {
            Input::TenantName => ("tenant", "name", Value::from(tenant.map_or("", |tenant| tenant.name.as_str()))),
            Input::TenantRegion => {
                let region = tenant.and_then(|tenant| tenant.region.as_deref());
                ("tenant", "region", Value::from(region.unwrap_or_default()))
            }
            Input::Label(place) => ("labels", scope.labels.get(place).map_or("", |label| &*label.name), value(input)),
            _ => {
                let Some((root, field)) = input.field() else { continue };
                (root, field, value(input))
            }
        };
        roots.entry(root).or_default().insert(field.to_owned(), value);
    }
    let mut context = ROOT.new_inner_scope();
    for (root, fields) in roots {
        context.add_variable_from_value(root, fields);
    }
    for (place, holds) in atoms.iter().enumerate() {
        context.add_variable_from_value(atom::variable(place), *holds);
    }
    match context.resolve(expression) {
        Ok(Value::Bool(answer)) => Some(answer),
        _ => None,
    }
}
