//! Reads a parsed `when` and finds what would silently never match: unknown names, undeclared labels and values,
//! unknown functions, comparisons that cannot hold.
//!
//! CEL itself finds none of these before the expression runs, and a rule that fails to run applies to everything.

use std::collections::BTreeSet;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators as op};

use super::literal;
use super::node::did_you_mean;
use super::scope::{self, Input, ROOTS, Scope, Sort};
use crate::config::Severity;

/// Functions and methods that a `when` may call, beside operators and the macros `all`, `exists`, `exists_one`.
const FUNCTIONS: [&str; 5] = ["size", "startsWith", "endsWith", "contains", "matches"];

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

/// What an expression gives, and the input it is, if it is one itself.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Bool,
    Text(Option<Input>),
    Number(Option<Input>),
    List,
    Unknown,
}

impl Kind {
    const fn of(input: Input) -> Self {
        match input.sort() {
            Sort::Text => Self::Text(Some(input)),
            Sort::Flag => Self::Bool,
            Sort::Number => Self::Number(Some(input)),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Text(_) => "text",
            Self::Number(_) => "a number",
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
                | (Self::Number(_), Self::Number(_))
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
            Expr::Literal(_) => literal_kind(expression),
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
            "labels" => "name a label: labels[\"x\"]; a label that nobody set is \"\"".to_owned(),
            root if ROOTS.contains(&root) => {
                let fields: Vec<String> = scope::fields(root).map(|field| format!("{root}.{field}")).collect();
                format!("name a field: {}", fields.join(", "))
            }
            "difficulty" | "score" => {
                let remedy = "compare something else: a guessed score must not open a border";
                self.error(name, format!("unknown name `{name}`"), remedy);
                return Kind::Unknown;
            }
            _ => {
                let remedy = did_you_mean(name, ROOTS.into_iter());
                self.error(name, format!("unknown name `{name}`"), remedy);
                return Kind::Unknown;
            }
        };
        self.error(name, format!("`{name}` stands alone"), remedy);
        Kind::Unknown
    }

    /// One of [`ROOTS`], where the expression is that name and no macro's variable hides it.
    fn root(&self, expression: &IdedExpr) -> Option<&'static str> {
        let Expr::Ident(name) = &expression.expr else {
            return None;
        };
        if self.locals.contains(name) {
            return None;
        }
        ROOTS.into_iter().find(|root| root == name)
    }

    fn member(&mut self, root: &str, field: &str) -> Kind {
        if let Some(input) = self.scope.input(root, field) {
            self.checked.inputs.insert(input);
            return Kind::of(input);
        }
        if root != "labels" {
            let remedy = did_you_mean(field, scope::fields(root));
            self.error(field, format!("{root} has no `{field}`"), remedy);
            return Kind::Unknown;
        }
        let remedy = if self.scope.labels.iter().next().is_none() {
            format!("declare it in the configuration: labels: {{ {field}: {{ values: [] }} }}")
        } else {
            did_you_mean(field, self.scope.labels.names())
        };
        self.error(field, format!("label `{field}` is not declared in the configuration"), remedy);
        Kind::Text(None)
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
                        "compare values of one type: labels, tenants, keys and models are text",
                    );
                }
                for (side, other) in [(left, &call.args[1]), (right, &call.args[0])] {
                    self.value(side, other);
                }
                Kind::Bool
            }
            (op::IN, &[element, list]) => {
                if matches!(list, Kind::Text(_) | Kind::Number(_) | Kind::Bool) {
                    self.error("in", format!("`in` looks into {}", list.name()), "write a list: [\"a\", \"b\"]");
                }
                if let Expr::List(list) = &call.args[1].expr {
                    for member in &list.elements {
                        self.value(element, member);
                        let member = literal_kind(member);
                        if !element.comparable(member) {
                            let message = format!("{} is never in a list with {}", element.name(), member.name());
                            self.error("", message, "list values of its own type");
                        }
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
                } else if let &[left, right] = kinds.as_slice() {
                    if !left.comparable(right) {
                        let message = format!("{} is neither less nor more than {}", left.name(), right.name());
                        self.error("", message, "compare numbers with numbers: request.input_tokens > 1000");
                    } else if matches!((left, right), (Kind::Bool, _) | (_, Kind::Bool)) {
                        self.error("", "true is not more than false".to_owned(), "use it as a condition by itself");
                    }
                    self.value(left, &call.args[1]);
                    self.value(right, &call.args[0]);
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
            (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO | op::NEGATE, _) => Kind::Number(None),
            ("size", _) => Kind::Number(None),
            (function, _) if FUNCTIONS.contains(&function) => {
                if of.is_none() && function != "matches" {
                    self.error(function, format!("`{function}` is a method"), format!("write text.{function}(\"x\")"));
                }
                if function == "matches" {
                    self.pattern(call);
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

    /// A pattern that is none would fail for every request.
    fn pattern(&mut self, call: &CallExpr) {
        let Some(Expr::Literal(LiteralValue::String(literal))) = call.args.last().map(|pattern| &pattern.expr) else {
            return;
        };
        let pattern = literal.inner();
        if let Err(error) = regex::Regex::new(pattern) {
            let said = error.to_string();
            let why = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let message = format!("`{pattern}` is no regular expression: {why}");
            // One mark may stand anywhere.
            let word = if pattern.len() > 1 { pattern } else { "matches" };
            self.error(word, message, "correct it, or compare with startsWith, endsWith or contains");
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
        match (side, &other.expr) {
            (Kind::Text(Some(input)), Expr::Literal(LiteralValue::String(literal))) => {
                let written = literal.inner();
                if let Some((severity, message, remedy)) = literal::text(input, written, self.scope) {
                    self.fault(written, severity, message, remedy);
                }
            }
            (Kind::Number(Some(_)), Expr::Literal(LiteralValue::Int(number))) if *number.inner() >= 0 => {}
            (Kind::Number(Some(_)), Expr::Literal(_)) => {
                let message = "a number of tokens is whole and not below zero".to_owned();
                self.error("", message, "write a whole number: request.input_tokens > 1000");
            }
            _ => {}
        }
    }
}

/// The kind of a literal; unknown for anything else.
const fn literal_kind(expression: &IdedExpr) -> Kind {
    match &expression.expr {
        Expr::Literal(LiteralValue::Boolean(_)) => Kind::Bool,
        Expr::Literal(LiteralValue::String(_)) => Kind::Text(None),
        Expr::Literal(LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_)) => Kind::Number(None),
        _ => Kind::Unknown,
    }
}
