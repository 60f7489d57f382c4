//! What is wrong with a request, in the words OpenAI's API uses, since clients' authors know them.

use crate::wire::json::{JsonError, Kind, Located, Path, Step};
use crate::wire::request_error::RequestError;

/// A fault while the scanner unwinds: the place is not known whole yet.
#[derive(Debug)]
pub(super) struct Fault {
    path: Path,
    what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Json(Box<JsonError>),
    Type { expected: &'static str, got: &'static str },
    Missing,
    Value(&'static str),
}

impl From<Box<JsonError>> for Fault {
    fn from(error: Box<JsonError>) -> Self {
        Self { path: Path::default(), what: What::Json(error) }
    }
}

impl From<What> for Fault {
    fn from(what: What) -> Self {
        Self { path: Path::default(), what }
    }
}

impl Located for Fault {
    fn inside(&mut self, step: Step<'_>) {
        match &mut self.what {
            What::Json(error) => error.path.inside(step),
            _ => self.path.inside(step),
        }
    }
}

impl Fault {
    /// The member `name` of the value being read is missing.
    pub(super) fn missing(name: &'static str) -> Self {
        Self::member(name, What::Missing)
    }

    /// The next value is not of the kind that is wanted.
    #[cold]
    pub(super) fn kind(expected: &'static str, got: Kind) -> Self {
        What::Type { expected, got: named(got) }.into()
    }

    /// The same inside element `index` of the list `member`.
    pub(super) fn within(mut self, member: &'static str, index: usize) -> Self {
        self.path.inside(Step::Index(index));
        self.path.named(member);
        self
    }

    /// The member `name` of the value being read is wrong in this way.
    pub(super) fn member(name: &'static str, what: What) -> Self {
        let mut fault = Self::from(what);
        fault.path.named(name);
        fault
    }
}

impl From<Fault> for RequestError {
    fn from(fault: Fault) -> Self {
        let place = if let What::Json(error) = &fault.what { &error.path } else { &fault.path };
        let param = (!place.is_empty()).then(|| place.to_string());
        let of = param.as_deref().unwrap_or("body");
        let message = match &fault.what {
            What::Json(error) => format!("We could not parse the JSON body of your request: {error}."),
            What::Type { expected, got } => {
                format!("Invalid type for '{of}': expected {expected}, but got {got} instead.")
            }
            What::Missing => format!("Missing required parameter: '{of}'."),
            What::Value(why) => format!("Invalid value for '{of}': {why}."),
        };
        Self { message, param, code: "invalid_request" }
    }
}

/// A kind of value with its article.
pub(super) fn named(kind: Kind) -> &'static str {
    match kind {
        Kind::Object => "an object",
        Kind::Array => "an array",
        Kind::String => "a string",
        Kind::Number => "a number",
        Kind::Bool => "a boolean",
        Kind::Null => "null",
    }
}
