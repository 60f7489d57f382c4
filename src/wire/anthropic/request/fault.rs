//! What is wrong with a request, while the scanner unwinds: the place is not known whole yet.

use crate::wire::json::{JsonError, Located, Misshapen, Path, Step};
use crate::wire::request_error::RequestError;

#[derive(Debug)]
pub(super) enum Fault {
    Json(Box<JsonError>),
    Shape { path: Path, what: &'static str },
}

impl Fault {
    /// The value being read is wrong in this way: "must be a text".
    pub(super) fn of(what: &'static str) -> Self {
        Self::Shape { path: Path::default(), what }
    }

    /// The member `name` of the value being read is.
    pub(super) fn member(name: &'static str, what: &'static str) -> Self {
        let mut path = Path::default();
        path.named(name);
        Self::Shape { path, what }
    }
}

impl From<Box<JsonError>> for Fault {
    fn from(error: Box<JsonError>) -> Self {
        Self::Json(error)
    }
}

impl Located for Fault {
    fn inside(&mut self, step: Step<'_>) {
        match self {
            Self::Json(error) => error.path.inside(step),
            Self::Shape { path, .. } => path.inside(step),
        }
    }
}

impl From<Fault> for RequestError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Json(error) => Self {
                message: format!("We could not parse the JSON body of your request: {error}."),
                param: (!error.path.is_empty()).then(|| error.path.to_string()),
                code: "invalid_request",
            },
            Fault::Shape { path, what } => Misshapen::new(path.to_string(), what).into(),
        }
    }
}
