//! Providers: endpoints, credentials, timeouts, and the facts that all their models share.

use std::sync::Arc;
use std::time::Duration;

use super::Context;
use crate::catalog;
use crate::config::facts::{Fact, FactName, Facts};
use crate::config::running::{self, Endpoint, ProviderKind, Secret, Timeouts};
use crate::config::values::{At, List};
use crate::config::written;

/// A provider and what is known of it.
pub(super) struct Provider {
    pub(super) running: Arc<running::Provider>,
    pub(super) facts: Facts,
    /// Who is known to run all its endpoints.
    pub(super) operator: Option<&'static catalog::Operator>,
    /// Where all its endpoints are known to stand; empty where that is not known of each.
    pub(super) places: Vec<catalog::Place>,
}

/// All providers, in the order written.
pub(super) fn providers(written: &List<written::Provider>, context: Context<'_>) -> Vec<Provider> {
    let mut seen = Vec::new();
    let mut providers = Vec::new();
    for provider in &written.0 {
        context.name(&provider.name, "a provider");
        if provider.name.value == "auto" {
            let message = "`auto` cannot name a provider: `auto/NAME` asks for a policy";
            context.error(provider.name.place, message, "choose another name");
        }
        context.fresh(&provider.name, &mut seen, "provider");
        providers.push(self::provider(provider, context));
    }
    if written.0.is_empty() && context.root.names("providers", "name").is_empty() {
        context.error(
            context.root.get("providers").map(|list| list.place).unwrap_or_default(),
            "there are no providers",
            "add `providers: [{ name: local, kind: llamacpp, endpoints: [\"http://127.0.0.1:8080\"] }]`, \
             or run `waypost serve` without a configuration to see what it finds",
        );
    }
    providers
}

fn provider(written: &written::Provider, context: Context<'_>) -> Provider {
    let kind = written.kind.value;
    let endpoints = endpoints(written, context);
    let credentials = credentials(written, &endpoints, context);
    let native = native(kind);
    let hosts = hosts(&endpoints);
    contradictions(written, &endpoints, context);
    let operator = operator(&hosts);
    Provider {
        facts: facts(written, operator, context),
        operator,
        places: hosts.into_iter().map(|host| host.place).collect::<Option<_>>().unwrap_or_default(),
        running: Arc::new(running::Provider {
            name: written.name.value.as_str().into(),
            kind,
            native,
            endpoints,
            credentials,
            timeouts: timeouts(&written.timeouts, context),
        }),
    }
}

/// A kind as data.
pub(in crate::config) fn native(kind: ProviderKind) -> &'static catalog::Kind {
    // A test looks every kind up, so the plain one never stands in.
    catalog::kind(kind.as_str()).unwrap_or(catalog::plain())
}

fn endpoints(written: &written::Provider, context: Context<'_>) -> Vec<Endpoint> {
    let kind = written.kind.value;
    let native = native(kind);
    let mut endpoints = Vec::new();
    for text in &written.endpoints.0 {
        match endpoint(&text.value) {
            Ok(endpoint) if endpoints.contains(&endpoint) => {
                context.error(text.place, format!("endpoint `{}` is listed twice", text.value), "remove one");
            }
            Ok(endpoint) => endpoints.push(endpoint),
            Err(remedy) => {
                context.error(text.place, format!("`{}` is not an endpoint", shown(&text.value)), remedy);
            }
        }
    }
    if written.endpoints.0.is_empty() && kind != ProviderKind::Scripted {
        match native.endpoint {
            Some(public) => endpoints.extend(endpoint(public)),
            None => context.error(
                written.name.place,
                format!("provider `{}` of kind {} needs an endpoint", written.name.value, kind.as_str()),
                "add where it listens: `endpoints: [\"http://127.0.0.1:8080\"]`",
            ),
        }
    }
    endpoints
}

/// What may be shown of an endpoint that is not one: no user, no password.
fn shown(text: &str) -> &str {
    if text.contains('@') { "…@…" } else { text }
}

/// Reads `http(s)://host[:port][/prefix]`, or says what to write.
fn endpoint(text: &str) -> Result<Endpoint, String> {
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return Err(format!("begin with the scheme: `http://{text}` or `https://{text}`"));
    }
    let url = url::Url::parse(text).map_err(|error| format!("write `http(s)://host[:port][/prefix]` ({error})"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("remove user and password; a key goes under `credentials`".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("remove everything from `?` or `#` on".to_owned());
    }
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return Err("write `http(s)://host[:port][/prefix]`".to_owned());
    };
    let bracketed = host.to_string();
    Ok(Endpoint {
        tls: url.scheme() == "https",
        host: bracketed.trim_start_matches('[').trim_end_matches(']').to_owned(),
        port,
        authority: url.port().map_or_else(|| bracketed.clone(), |port| format!("{bracketed}:{port}")),
        prefix: url.path().trim_end_matches('/').to_owned(),
    })
}

fn credentials(written: &written::Provider, endpoints: &[Endpoint], context: Context<'_>) -> Vec<Secret> {
    let mut credentials = Vec::new();
    for credential in &written.credentials.0 {
        let at = &credential.api_key;
        let secret = context.secret(at);
        if secret.expose().is_empty() {
            let message = format!("the key of provider `{}` is empty, so none is sent", written.name.value);
            context.warn(at.place, message, "set it in the environment, or remove it");
        } else if secret.expose().bytes().any(|byte| !byte.is_ascii_graphic()) {
            let message =
                format!("the key of provider `{}` has a space, line end or other stray character", written.name.value);
            context.error(at.place, message, "write the key alone");
        } else {
            credentials.push(secret);
        }
    }
    let clear = endpoints.iter().find(|endpoint| !endpoint.tls && !is_near(&endpoint.host));
    if let (Some(endpoint), Some(at)) = (clear, written.credentials.0.first())
        && !credentials.is_empty()
    {
        let message = format!("the key goes to {} in clear text", endpoint.authority);
        context.warn(at.api_key.place, message, "use an `https://` endpoint");
    }
    credentials
}

/// Addresses that no public network carries, and names without a dot.
fn is_near(host: &str) -> bool {
    match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(std::net::IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Err(_) => !host.contains('.'),
    }
}

fn timeouts(written: &written::Timeouts, context: Context<'_>) -> Timeouts {
    let timeouts = Timeouts {
        connect: context.wait(written.connect.as_ref(), Duration::from_secs(2)),
        first_token: context.wait(written.first_token.as_ref(), Duration::from_mins(2)),
        idle: context.wait(written.idle.as_ref(), Duration::from_mins(1)),
        total: context.wait(written.total.as_ref(), Duration::from_mins(15)),
    };
    let pairs = [
        ("connect", timeouts.connect, written.connect.as_ref()),
        ("first_token", timeouts.first_token, written.first_token.as_ref()),
        ("idle", timeouts.idle, written.idle.as_ref()),
    ];
    for (name, wait, at) in pairs {
        // Only what was written is blamed: a short `total` alone is fine, it then ends the other waits too.
        if let Some(at) = at
            && wait > timeouts.total
        {
            let message = format!("`{name}` is longer than `total`, so it would never be reached");
            context.error(at.place, message, format!("make `{name}` at most {:?}, or raise `total`", timeouts.total));
        }
    }
    timeouts
}

/// What is known of the endpoints; empty unless something is known of every one.
fn hosts(endpoints: &[Endpoint]) -> Vec<catalog::Host> {
    endpoints.iter().map(|endpoint| catalog::host(&endpoint.host)).collect::<Option<_>>().unwrap_or_default()
}

/// Who runs all of these.
fn operator(hosts: &[catalog::Host]) -> Option<&'static catalog::Operator> {
    let first = hosts.first()?.operator;
    hosts.iter().all(|host| host.operator.name == first.name).then_some(first)
}

/// Reports a stated location that an endpoint's host contradicts: rules would rely on it.
fn contradictions(written: &written::Provider, endpoints: &[Endpoint], context: Context<'_>) {
    let Some(location) = &written.location else {
        return;
    };
    for endpoint in endpoints {
        let Some(place) = catalog::host(&endpoint.host).and_then(|host| host.place) else {
            continue;
        };
        let from = format!("(catalogue, {}: {})", place.cited.as_of, place.cited.source);
        let known: Vec<&str> = place.countries.iter().map(String::as_str).collect();
        if let Some(countries) = &location.countries
            && let Some(first) = countries.0.first()
            && countries.0.iter().all(|country| is_elsewhere(&country.value.0, &place))
        {
            let stated: Vec<&str> = countries.0.iter().map(|country| country.value.0.as_str()).collect();
            let message = format!(
                "provider `{}` states location {}, but {} stands in {} {from}",
                written.name.value,
                stated.join(", "),
                endpoint.host,
                known.join(", "),
            );
            let remedy = format!("write `countries: [{}]`, or the endpoint that is meant", known.join(", "));
            context.error(first.place, message, remedy);
        }
        if let (Some(stated), Some(region)) = (&location.region, &place.region)
            && !stated.value.eq_ignore_ascii_case(region)
        {
            let message = format!(
                "provider `{}` states region {}, but {} is in {region} {from}",
                written.name.value, stated.value, endpoint.host
            );
            context.error(stated.place, message, format!("write `region: {region}`, or the endpoint that is meant"));
        }
    }
}

/// Whether a country exists and an endpoint does not stand there. One that does not exist is reported elsewhere.
fn is_elsewhere(code: &str, place: &catalog::Place) -> bool {
    catalog::countries().codes.contains(code) && !place.countries.contains(code)
}

fn facts(written: &written::Provider, known: Option<&'static catalog::Operator>, context: Context<'_>) -> Facts {
    let mut facts = Facts::default();
    if let Some(location) = &written.location {
        if let Some(countries) = &location.countries {
            facts.set(FactName::LocationCountries, Fact::Set(context.countries(countries)));
        }
        set_text(&mut facts, FactName::LocationRegion, location.region.as_ref());
    }
    if let Some(operator) = &written.operator {
        set_text(&mut facts, FactName::OperatorName, operator.name.as_ref());
        if let Some(jurisdictions) = &operator.jurisdictions {
            facts.set(FactName::OperatorJurisdictions, Fact::Set(context.countries(jurisdictions)));
        }
    }
    let data = &written.data;
    if data.retention.is_some() {
        let retention = context.duration(data.retention.as_ref(), Duration::ZERO);
        facts.set(FactName::DataRetention, Fact::Number(retention.as_secs_f64()));
    }
    let answers = [
        (FactName::DataTrains, &data.trains),
        (FactName::DataHumanReview, &data.human_review),
        (FactName::DataDpa, &data.dpa),
    ];
    for (name, answer) in answers {
        if let Some(answer) = answer {
            facts.set(name, Fact::Bool(answer.value));
        }
    }
    set_text(&mut facts, FactName::DataTransferBasis, data.transfer_basis.as_ref());
    if let Some(known) = known {
        fill_operator(&mut facts, known);
    }
    facts
}

/// Fills in what is known of an operator and nobody stated.
fn fill_operator(facts: &mut Facts, known: &'static catalog::Operator) {
    facts.fill(FactName::OperatorName, Fact::Text(known.name.clone()), known.cited());
    if !known.jurisdictions.is_empty() {
        let jurisdictions = known.jurisdictions.iter().cloned().collect();
        facts.fill(FactName::OperatorJurisdictions, Fact::Set(jurisdictions), known.cited());
    }
    let Some(terms) = &known.data else {
        return;
    };
    // A test reads every retention, so none is lost here.
    if let Some(retention) = terms.retention.as_deref().and_then(|text| humantime::parse_duration(text).ok()) {
        facts.fill(FactName::DataRetention, Fact::Number(retention.as_secs_f64()), terms.cited());
    }
    for (name, answer) in [(FactName::DataTrains, terms.trains), (FactName::DataHumanReview, terms.human_review)] {
        if let Some(answer) = answer {
            facts.fill(name, Fact::Bool(answer), terms.cited());
        }
    }
}

/// States a text fact if it was written.
pub(super) fn set_text(facts: &mut Facts, name: FactName, written: Option<&At<String>>) {
    if let Some(text) = written {
        facts.set(name, Fact::Text(text.value.clone()));
    }
}
