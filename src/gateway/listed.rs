//! The names that are listed for a principal: what its key may ask for, and of that what the rules leave of a request that
//! says nothing more.

use std::collections::HashSet;

use super::Gateway;
use super::asked;
use super::decide::{judge, resolve_labels};
use super::detect::Detected;
use super::error::GatewayError;
use super::headers::Wishes;
use crate::auth::Principal;
use crate::chat::Format;
use crate::config::Meant;
use crate::policy::{Labels, Operation, RequestFacts};

/// What a client can ask for; who counts its tokens may ask it for an answer too.
const OPERATIONS: [(Operation, Format); 5] = [
    (Operation::Chat, Format::Chat),
    (Operation::Responses, Format::Responses),
    (Operation::Messages, Format::Messages),
    (Operation::Completions, Format::Completions),
    (Operation::Embeddings, Format::Embeddings),
];

/// A name and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Listed {
    pub(super) name: String,
    /// The provider, or `waypost` for what stands for several.
    pub(super) owner: String,
}

/// Every name that is of use to this principal.
pub(super) fn all(gateway: &Gateway, principal: &Principal) -> Result<Vec<Listed>, GatewayError> {
    let labels = own_labels(gateway, principal)?;
    let mut names = every(gateway, principal);
    // A model of several providers is listed once by its own name.
    let mut seen = HashSet::new();
    names.retain(|listed| seen.insert(listed.name.clone()) && is_usable(gateway, principal, &labels, &listed.name));
    Ok(names)
}

/// One of them by its name; `None` where there is none, or none that is of use.
pub(super) fn one(gateway: &Gateway, principal: &Principal, name: &str) -> Result<Option<Listed>, GatewayError> {
    let labels = own_labels(gateway, principal)?;
    let found = every(gateway, principal).into_iter().find(|listed| listed.name == name);
    Ok(found.filter(|listed| is_usable(gateway, principal, &labels, &listed.name)))
}

/// The labels of whatever this principal asks: what its tenant, key or token sets.
fn own_labels(gateway: &Gateway, principal: &Principal) -> Result<Labels, GatewayError> {
    resolve_labels(gateway, principal, &Wishes::default(), &Detected::default())
}

fn every(gateway: &Gateway, principal: &Principal) -> Vec<Listed> {
    let ours = |name: String| Listed { name, owner: "waypost".to_owned() };
    let mut names = vec![ours("auto".to_owned())];
    let narrower = gateway.policies.extending(principal.tenant.policy.as_str());
    names.extend(narrower.map(|policy| ours(format!("auto/{policy}"))));
    names.extend(gateway.config.aliases.keys().map(|alias| ours(alias.clone())));
    for target in &gateway.config.targets {
        let (model, owner) = (target.model.to_string(), target.provider.name.to_string());
        names.push(Listed { name: format!("{owner}/{model}"), owner: owner.clone() });
        names.push(Listed { name: model, owner });
    }
    names
}

/// Whether something that the name stands for would answer in some format.
fn is_usable(gateway: &Gateway, principal: &Principal, labels: &Labels, name: &str) -> bool {
    let Ok(asked) = asked::resolve(gateway, principal, name, None) else { return false };
    OPERATIONS.into_iter().any(|(operation, format)| {
        if format == Format::Embeddings && asked.meant == Meant::Auto {
            return false;
        }
        let serving = asked.serving(gateway, format);
        let request = RequestFacts { operation, model: name, ..RequestFacts::BARE };
        !serving.is_empty() && !judge(principal, &asked, labels, request, &serving).is_empty()
    })
}
