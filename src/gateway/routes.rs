//! What the data listener serves, in one table: dispatch looks here and nowhere else, and a test holds each route of it
//! to every control.

use http::Method;

use crate::chat::Format;

/// Stands at the end of a path for whatever is named there.
const ID: &str = "{id}";

/// One route of the data listener.
#[derive(Debug)]
pub struct Route {
    /// The only method that it takes; a browser's preflight is answered on any path.
    pub method: Method,
    /// Its path. One that ends in `{id}` takes anything in that place.
    pub path: &'static str,
    pub(super) serves: Serves,
}

/// What a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serves {
    /// A model's answer, in this format.
    Answer(Format),
    /// How many tokens a Messages request has.
    Count,
    Models,
    Model,
    Decision,
    DryRun,
    Feedback,
}

/// Every route. What is not here is not served.
pub static ROUTES: [Route; 11] = [
    post("/v1/chat/completions", Serves::Answer(Format::Chat)),
    post("/v1/responses", Serves::Answer(Format::Responses)),
    post("/v1/messages", Serves::Answer(Format::Messages)),
    post("/v1/messages/count_tokens", Serves::Count),
    post("/v1/completions", Serves::Answer(Format::Completions)),
    post("/v1/embeddings", Serves::Answer(Format::Embeddings)),
    post("/v1/feedback", Serves::Feedback),
    post("/v1/route", Serves::DryRun),
    get("/v1/models", Serves::Models),
    get("/v1/models/{id}", Serves::Model),
    get("/v1/decisions/{id}", Serves::Decision),
];

const fn post(path: &'static str, serves: Serves) -> Route {
    Route { method: Method::POST, path, serves }
}

const fn get(path: &'static str, serves: Serves) -> Route {
    Route { method: Method::GET, path, serves }
}

impl Route {
    /// What stands in the place of `{id}`, as sent; "" for a route that has none. `None`: another path.
    pub(super) fn id_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self.path.strip_suffix(ID) {
            Some(before) => path.strip_prefix(before),
            None => (path == self.path).then_some(""),
        }
    }
}

/// A method and a path, looked up.
pub(super) enum Found<'p> {
    /// What is served there, and what stands in the place of `{id}`.
    Served(Serves, &'p str),
    /// The path takes another method.
    OtherMethod,
    /// Nothing is served there.
    Nothing,
}

pub(super) fn find<'p>(method: &Method, path: &'p str) -> Found<'p> {
    let mut found = Found::Nothing;
    for route in &ROUTES {
        let Some(id) = route.id_in(path) else { continue };
        if route.method == *method {
            return Found::Served(route.serves, id);
        }
        found = Found::OtherMethod;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_route_and_takes_one_method() {
        for (place, route) in ROUTES.iter().enumerate() {
            let path = route.path.replace(ID, "a/b");
            let Found::Served(serves, id) = find(&route.method, &path) else { panic!("{path} is not served") };
            assert_eq!((serves, id), (route.serves, if path == route.path { "" } else { "a/b" }));
            let other = if route.method == Method::POST { Method::GET } else { Method::POST };
            assert!(matches!(find(&other, &path), Found::OtherMethod), "{path}");
            let same = ROUTES.iter().filter(|other| other.id_in(&path).is_some()).count();
            assert_eq!(same, 1, "{path}, place {place}, is no other route's too");
        }
    }

    #[test]
    fn what_only_begins_or_ends_like_a_route_is_none() {
        for path in
            ["/v1/chat/completions/", "/v1/chat", "/v1/modelsx", "/V1/models", "/v1/images/generations", "/", ""]
        {
            assert!(matches!(find(&Method::POST, path), Found::Nothing), "{path}");
            assert!(matches!(find(&Method::GET, path), Found::Nothing), "{path}");
        }
    }
}
