//! Reads a parsed `when` and finds what would silently never match: unknown names, undeclared labels and values,
//! unknown functions, comparisons that cannot hold.
//!
//! CEL itself finds none of these before the expression runs, and a rule that fails to run applies to everything.

use std::collections::BTreeSet;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators as op};

use super::node::did_you_mean;
use super::scope::{Input, Scope};
use crate::config::Severity;

/// Functions and methods that a `when` may call, beside operators and the macros `all`, `exists`, `exists_one`.
const FUNCTIONS: [&str; 5] = ["size", "startsWith", "endsWith", "contains", "matches"];

/// Fields of `tenant`.
const TENANT: [&str; 2] = ["name", "region"];

/// Something wrong within an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The word to point at.
    pub(crate) word: String,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) remedy: String,
}

/// What a checked expression looks at, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) inputs: BTreeSet<Input>,
    pub(crate) faults: Vec<Fault>,
}

/// Walks an expression.
pub(crate) fn check(expression: &IdedExpr, scope: &Scope) -> Checked {
    let mut walk = Walk { scope, locals: Vec::new(), checked: Checked::default() };
    let kind = walk.kind(expression);
    if !matches!(kind, Kind::Bool | Kind::Unknown) {
        walk.error(
            "",
            format!("`when` is {}, not a condition", kind.name()),
            "compare it with something: labels[\"x\"] == \"y\"",
        );
    }
    walk.checked
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Bool,
    /// Text, and the input it is, if it is one itself.
    Text(Option<Input>),
    Number,
    List,
    Unknown,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Bool => "a condition",
            Self::Text(_) => "text",
            Self::Number => "a number",
            Self::List => "a list",
            Self::Unknown => "unknown",
        }
    }

    const fn comparable(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Unknown, _)
                | (_, Self::Unknown)
                | (Self::Bool, Self::Bool)
                | (Self::Text(_), Self::Text(_))
                | (Self::Number, Self::Number)
                | (Self::List, Self::List)
        )
    }
}

struct Walk<'a> {
    scope: &'a Scope,
    /// Variables of macros, innermost last.
    locals: Vec<String>,
    checked: Checked,
}

impl Walk<'_> {
    fn error(&mut self, word: &str, message: String, remedy: impl Into<String>) {
        self.fault(word, Severity::Error, message, remedy.into());
    }

    fn fault(&mut self, word: &str, severity: Severity, message: String, remedy: String) {
        self.checked.faults.push(Fault { word: word.to_owned(), severity, message, remedy });
    }

    fn kind(&mut self, expression: &IdedExpr) -> Kind {
        match &expression.expr {
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Kind::Bool,
                LiteralValue::String(_) => Kind::Text(None),
                LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_) => Kind::Number,
                LiteralValue::Bytes(_) | LiteralValue::Null => Kind::Unknown,
            },
            Expr::Ident(name) => self.ident(name),
            Expr::Select(select) => {
                let Some(root) = self.root(&select.operand) else {
                    self.kind(&select.operand);
                    return Kind::Unknown;
                };
                let kind = self.member(root, &select.field);
                if select.test {
                    self.error(
                        "has",
                        format!("has({root}.{}) is always true: a value nobody set is \"\"", select.field),
                        format!("write {root}[\"{}\"] != \"\"", select.field),
                    );
                    return Kind::Bool;
                }
                kind
            }
            Expr::List(list) => {
                for element in &list.elements {
                    self.kind(element);
                }
                Kind::List
            }
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => {
                self.kind(&comprehension.iter_range);
                let before = self.locals.len();
                self.locals.push(comprehension.iter_var.clone());
                self.locals.extend(comprehension.iter_var2.clone());
                self.locals.push(comprehension.accu_var.clone());
                for part in [
                    &comprehension.accu_init,
                    &comprehension.loop_cond,
                    &comprehension.loop_step,
                    &comprehension.result,
                ] {
                    self.kind(part);
                }
                self.locals.truncate(before);
                Kind::Unknown
            }
            Expr::Map(_) | Expr::Struct(_) => {
                self.error("{", "a map has no use in `when`".to_owned(), "compare labels one by one");
                Kind::Unknown
            }
            Expr::Unspecified => Kind::Unknown,
        }
    }

    fn ident(&mut self, name: &str) -> Kind {
        if name.starts_with('@') || self.locals.iter().any(|local| local == name) {
            return Kind::Unknown;
        }
        let remedy = match name {
            "tenant" => "name a field: tenant.name, tenant.region".to_owned(),
            "labels" => "name a label: labels[\"x\"]; a label that nobody set is \"\"".to_owned(),
            _ => {
                let remedy = did_you_mean(name, ["tenant", "labels"].into_iter());
                self.error(name, format!("unknown name `{name}`"), remedy);
                return Kind::Unknown;
            }
        };
        self.error(name, format!("`{name}` stands alone"), remedy);
        Kind::Unknown
    }

    /// `tenant` or `labels`, where the expression is that name and no macro's variable hides it.
    fn root(&self, expression: &IdedExpr) -> Option<&'static str> {
        let Expr::Ident(name) = &expression.expr else {
            return None;
        };
        if self.locals.contains(name) {
            return None;
        }
        ["tenant", "labels"].into_iter().find(|root| root == name)
    }

    fn member(&mut self, root: &str, field: &str) -> Kind {
        let input = if root == "tenant" {
            match field {
                "name" => Some(Input::TenantName),
                "region" => Some(Input::TenantRegion),
                _ => {
                    let remedy = did_you_mean(field, TENANT.into_iter());
                    self.error(field, format!("tenant has no `{field}`"), remedy);
                    None
                }
            }
        } else {
            let place = self.scope.labels.position(field);
            if place.is_none() {
                let known = self.scope.labels.names();
                let remedy = if self.scope.labels.iter().next().is_none() {
                    format!("declare it in the configuration: labels: {{ {field}: {{ values: [] }} }}")
                } else {
                    did_you_mean(field, known)
                };
                self.error(field, format!("label `{field}` is not declared in the configuration"), remedy);
            }
            place.map(Input::Label)
        };
        self.checked.inputs.extend(input);
        Kind::Text(input)
    }

    fn call(&mut self, call: &CallExpr) -> Kind {
        let name = call.func_name.as_str();
        match (name, call.args.as_slice()) {
            (op::INDEX, [of, key]) if self.root(of).is_some() => {
                let root = self.root(of).unwrap_or_default();
                if let Expr::Literal(LiteralValue::String(key)) = &key.expr {
                    return self.member(root, key.inner());
                }
                self.error(root, format!("the name in {root}[…] must be written out"), format!("write {root}[\"x\"]"));
                return Kind::Unknown;
            }
            // `labels.data-class` is a subtraction to CEL.
            (op::SUBSTRACT, [left, right]) => {
                if let Some(whole) = self.hyphenated(left, right) {
                    self.error(&whole, format!("`labels.{whole}` subtracts"), format!("write labels[\"{whole}\"]"));
                    return Kind::Text(None);
                }
            }
            _ => {}
        }
        let of = call.target.as_ref().map(|target| self.kind(target));
        let kinds: Vec<Kind> = call.args.iter().map(|argument| self.kind(argument)).collect();
        match (name, kinds.as_slice()) {
            (op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT, _) => {
                for kind in &kinds {
                    if !matches!(kind, Kind::Bool | Kind::Unknown) {
                        let remedy = "compare it with something first";
                        self.error("", format!("{} is used as a condition", kind.name()), remedy);
                    }
                }
                Kind::Bool
            }
            (op::EQUALS | op::NOT_EQUALS, &[left, right]) => {
                if !left.comparable(right) {
                    self.error(
                        "",
                        format!("{} is never equal to {}", left.name(), right.name()),
                        "compare values of one type; labels and tenants are text",
                    );
                }
                for (side, other) in [(left, &call.args[1]), (right, &call.args[0])] {
                    self.value(side, other);
                }
                Kind::Bool
            }
            (op::IN, &[element, list]) => {
                if matches!(list, Kind::Text(_) | Kind::Number | Kind::Bool) {
                    self.error("in", format!("`in` looks into {}", list.name()), "write a list: [\"a\", \"b\"]");
                }
                if let Expr::List(list) = &call.args[1].expr {
                    for member in &list.elements {
                        self.value(element, member);
                    }
                }
                Kind::Bool
            }
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, _) => {
                if kinds.iter().any(|kind| matches!(kind, Kind::Text(Some(_)))) {
                    self.error(
                        "",
                        "< and > compare letters, not the order of a label's values".to_owned(),
                        "list the values: labels[\"x\"] in [\"a\", \"b\"]",
                    );
                }
                Kind::Bool
            }
            (op::CONDITIONAL, &[_, left, right]) => {
                if left == right {
                    left
                } else {
                    Kind::Unknown
                }
            }
            (op::INDEX, _) | (op::NOT_STRICTLY_FALSE, _) => Kind::Unknown,
            (op::ADD, [Kind::Text(_), ..]) => Kind::Text(None),
            (op::ADD, [Kind::List | Kind::Unknown, ..]) => Kind::Unknown,
            (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO | op::NEGATE, _) => Kind::Number,
            ("size", _) => Kind::Number,
            (function, _) if FUNCTIONS.contains(&function) => {
                if of.is_none() && function != "matches" {
                    self.error(function, format!("`{function}` is a method"), format!("write text.{function}(\"x\")"));
                }
                Kind::Bool
            }
            (function, _) => {
                let remedy = did_you_mean(function, FUNCTIONS.into_iter());
                self.error(function, format!("unknown function `{function}`"), remedy);
                Kind::Unknown
            }
        }
    }

    /// The declared label that `labels.LEFT-RIGHT` meant.
    fn hyphenated(&self, left: &IdedExpr, right: &IdedExpr) -> Option<String> {
        let (Expr::Select(select), Expr::Ident(rest)) = (&left.expr, &right.expr) else {
            return None;
        };
        let whole = format!("{}-{rest}", select.field);
        (self.root(&select.operand) == Some("labels") && self.scope.labels.position(&whole).is_some()).then_some(whole)
    }

    /// Checks a literal that an input is compared with.
    fn value(&mut self, side: Kind, other: &IdedExpr) {
        let (Kind::Text(Some(input)), Expr::Literal(LiteralValue::String(literal))) = (side, &other.expr) else {
            return;
        };
        let written = literal.inner();
        if written.is_empty() {
            return;
        }
        match input {
            Input::Label(place) => {
                let Some(label) = self.scope.labels.get(place) else { return };
                if !label.values.iter().any(|value| **value == *written) {
                    let remedy = did_you_mean(written, label.values.iter().map(|value| &**value));
                    let message = format!("label `{}` has no value `{written}`", label.name);
                    self.error(written, message, remedy);
                }
            }
            Input::TenantName => {
                let names = self.scope.tenants.iter().map(|tenant| tenant.name.as_str());
                if !names.clone().any(|name| name == written) {
                    let remedy = did_you_mean(written, names);
                    self.fault(written, Severity::Warning, format!("no tenant is named `{written}`"), remedy);
                }
            }
            Input::TenantRegion => {
                let regions = self.scope.tenants.iter().filter_map(|tenant| tenant.region.as_deref());
                if regions.clone().count() > 0 && !regions.clone().any(|region| region == written) {
                    let remedy = did_you_mean(written, regions);
                    self.fault(written, Severity::Warning, format!("no tenant has the region `{written}`"), remedy);
                }
            }
        }
    }
}
