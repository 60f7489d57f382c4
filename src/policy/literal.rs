//! What a value written in a `when` is compared with: a value that the other side can never have is a mistake.

use super::circumstances::Operation;
use super::node::did_you_mean;
use super::scope::{Input, Scope};
use crate::config::Severity;

/// What is wrong with a comparison, and what to write instead.
pub(super) type Finding = (Severity, String, String);

/// Judges a text that an input is compared with.
pub(super) fn text(input: Input, written: &str, scope: &Scope) -> Option<Finding> {
    // Everything that may be absent is "" then.
    if written.is_empty() && input != Input::Operation {
        return None;
    }
    match input {
        Input::Label(place) => {
            let label = scope.labels.get(place)?;
            let values = label.values.iter().map(|value| &**value);
            unknown(written, values, Severity::Error, || format!("label `{}` has no value `{written}`", label.name))
        }
        Input::Operation => {
            let known = Operation::ALL.into_iter().map(Operation::as_str);
            unknown(written, known, Severity::Error, || format!("there is no operation `{written}`"))
        }
        Input::TenantTeam if scope.open_teams => None,
        Input::TenantTeam => {
            let known = scope.teams.iter().map(String::as_str);
            let found = unknown(written, known, Severity::Error, || format!("no key is of the team `{written}`"));
            found.map(|(severity, message, remedy)| {
                let none = "state the team at the keys that are in it: auth.keys[].team";
                (severity, message, if scope.teams.is_empty() { none.to_owned() } else { remedy })
            })
        }
        Input::TenantName => {
            let known = scope.tenants.iter().map(|tenant| tenant.name.as_str());
            unknown(written, known, Severity::Warning, || format!("no tenant is named `{written}`"))
        }
        Input::TenantRegion => {
            let known = scope.tenants.iter().filter_map(|tenant| tenant.region.as_deref());
            known.clone().next()?;
            unknown(written, known, Severity::Warning, || format!("no tenant has the region `{written}`"))
        }
        Input::KeyId => {
            let known = scope.keys.iter().map(String::as_str);
            unknown(written, known, Severity::Warning, || format!("no key has the id `{written}`"))
        }
        Input::Model if written.starts_with("auto/") => None,
        Input::Model => {
            let known = scope.models.iter().map(String::as_str);
            unknown(written, known, Severity::Warning, || format!("no model or alias is named `{written}`"))
        }
        Input::Stream | Input::Tools | Input::ServerTools | Input::Media | Input::Unscanned | Input::Tokens => None,
    }
}

fn unknown<'n>(
    written: &str,
    mut known: impl Iterator<Item = &'n str> + Clone,
    severity: Severity,
    message: impl FnOnce() -> String,
) -> Option<Finding> {
    let all = known.clone();
    (!known.any(|known| known == written)).then(|| (severity, message(), did_you_mean(written, all)))
}
