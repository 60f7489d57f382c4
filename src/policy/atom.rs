//! The comparisons of a `when` with values of which there is no end: a key's id, a model's name, a number of tokens.
//!
//! No table holds an answer for each model's name. But `request.model == "x"` is true or false and nothing else, so the
//! comparison itself takes a place in the table, and a request only asks whether it holds.

use std::cmp::Ordering;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators as op};

use super::circumstances::{AUTO, Circumstances};
use super::scope::{self, Input, Scope};

/// One comparison with an endless input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Atom {
    pub(crate) input: Input,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Is(Box<str>),
    IsNot(Box<str>),
    OneOf(Vec<Box<str>>),
    Begins(Box<str>),
    Ends(Box<str>),
    Holds(Box<str>),
    /// How the number may stand to the bound.
    Number {
        less: bool,
        equal: bool,
        greater: bool,
        bound: i64,
    },
}

impl Atom {
    /// Whether it holds of a request.
    pub(crate) fn holds(&self, of: &Circumstances<'_>) -> bool {
        match self.input {
            Input::TenantTeam => self.text(of.team),
            Input::KeyId => self.text(of.key),
            Input::Tokens => self.number(of.request.input_tokens),
            _ => self.text(of.request.model),
        }
    }

    /// Whether it holds of a request that chooses nothing, where its client has the choice.
    pub(crate) fn holds_bare(&self) -> bool {
        match self.input {
            Input::Tokens => self.number(0),
            _ => self.text(AUTO),
        }
    }

    fn text(&self, text: &str) -> bool {
        match &self.test {
            Test::Is(value) => text == &**value,
            Test::IsNot(value) => text != &**value,
            Test::OneOf(values) => values.iter().any(|value| text == &**value),
            Test::Begins(value) => text.starts_with(&**value),
            Test::Ends(value) => text.ends_with(&**value),
            Test::Holds(value) => text.contains(&**value),
            Test::Number { .. } => false,
        }
    }

    fn number(&self, number: u64) -> bool {
        let Test::Number { less, equal, greater, bound } = self.test else { return false };
        match i64::try_from(number).unwrap_or(i64::MAX).cmp(&bound) {
            Ordering::Less => less,
            Ordering::Equal => equal,
            Ordering::Greater => greater,
        }
    }
}

/// The variable that stands for the atom at this place. No `when` can name it: CEL's names hold no `@`.
pub(crate) fn variable(place: usize) -> String {
    format!("@{place}")
}

/// The expression with a variable for each comparison with an endless input, and these comparisons. `None`: it looks at
/// an endless input in another way, so it has to be run for each request.
pub(crate) fn split(expression: &IdedExpr, scope: &Scope) -> Option<(IdedExpr, Vec<Atom>)> {
    let mut split = expression.clone();
    let mut atoms = Vec::new();
    replace(&mut split, scope, &mut atoms).then_some((split, atoms))
}

/// Whether nothing endless is left in the expression.
fn replace(expression: &mut IdedExpr, scope: &Scope, atoms: &mut Vec<Atom>) -> bool {
    if let Some((root, field)) = scope::named(expression) {
        return !scope.input(root, field).is_some_and(Input::is_endless);
    }
    match &mut expression.expr {
        Expr::Call(call) => {
            if let Some(atom) = read(call, scope) {
                let place = atoms.iter().position(|known| *known == atom).unwrap_or_else(|| {
                    atoms.push(atom);
                    atoms.len() - 1
                });
                expression.expr = Expr::Ident(variable(place));
                return true;
            }
            call.target.as_mut().is_none_or(|target| replace(target, scope, atoms))
                && call.args.iter_mut().all(|argument| replace(argument, scope, atoms))
        }
        Expr::List(list) => list.elements.iter_mut().all(|element| replace(element, scope, atoms)),
        // A macro's variable may hide a name, so nothing is replaced in one.
        Expr::Comprehension(_) => !touches(expression, scope),
        Expr::Select(select) => replace(&mut select.operand, scope, atoms),
        Expr::Map(_) | Expr::Struct(_) => false,
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => true,
    }
}

/// Whether some part is an endless input.
fn touches(expression: &IdedExpr, scope: &Scope) -> bool {
    if endless(expression, scope).is_some() {
        return true;
    }
    let any = |parts: &[&IdedExpr]| parts.iter().any(|part| touches(part, scope));
    match &expression.expr {
        Expr::Call(call) => {
            call.target.as_ref().is_some_and(|target| touches(target, scope))
                || call.args.iter().any(|argument| touches(argument, scope))
        }
        Expr::List(list) => list.elements.iter().any(|element| touches(element, scope)),
        Expr::Comprehension(it) => any(&[&it.iter_range, &it.accu_init, &it.loop_cond, &it.loop_step, &it.result]),
        Expr::Select(select) => touches(&select.operand, scope),
        Expr::Map(_) | Expr::Struct(_) => true,
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => false,
    }
}

/// The comparison that a call is.
fn read(call: &CallExpr, scope: &Scope) -> Option<Atom> {
    let name = call.func_name.as_str();
    if let (Some(of), [argument]) = (&call.target, call.args.as_slice()) {
        let (input, value) = (endless(of, scope)?, text(argument)?);
        let test = match name {
            "startsWith" => Test::Begins(value),
            "endsWith" => Test::Ends(value),
            "contains" => Test::Holds(value),
            _ => return None,
        };
        return (input != Input::Tokens).then_some(Atom { input, test });
    }
    let [left, right] = call.args.as_slice() else { return None };
    let (input, other, turned) = match (endless(left, scope), endless(right, scope)) {
        (Some(input), None) => (input, right, false),
        (None, Some(input)) => (input, left, true),
        _ => return None,
    };
    if input == Input::Tokens {
        let [less, equal, greater] = match (name, turned) {
            (op::EQUALS, _) => [false, true, false],
            (op::NOT_EQUALS, _) => [true, false, true],
            (op::LESS, false) | (op::GREATER, true) => [true, false, false],
            (op::LESS_EQUALS, false) | (op::GREATER_EQUALS, true) => [true, true, false],
            (op::GREATER, false) | (op::LESS, true) => [false, false, true],
            (op::GREATER_EQUALS, false) | (op::LESS_EQUALS, true) => [false, true, true],
            _ => return None,
        };
        let Expr::Literal(LiteralValue::Int(bound)) = &other.expr else { return None };
        return Some(Atom { input, test: Test::Number { less, equal, greater, bound: *bound.inner() } });
    }
    let test = match (name, &other.expr) {
        (op::EQUALS, _) => Test::Is(text(other)?),
        (op::NOT_EQUALS, _) => Test::IsNot(text(other)?),
        (op::IN, Expr::List(list)) if !turned && list.optional_indices.is_empty() => {
            Test::OneOf(list.elements.iter().map(text).collect::<Option<_>>()?)
        }
        _ => return None,
    };
    Some(Atom { input, test })
}

fn endless(expression: &IdedExpr, scope: &Scope) -> Option<Input> {
    let (root, field) = scope::named(expression)?;
    scope.input(root, field).filter(|input| input.is_endless())
}

fn text(expression: &IdedExpr) -> Option<Box<str>> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().into()),
        _ => None,
    }
}
