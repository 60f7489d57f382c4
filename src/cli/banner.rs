//! What `waypost serve` prints when it is up: where it listens, what it can reach, what rules, and a first request.

use std::fmt::Write as _;
use std::net::SocketAddr;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use crate::config::Found;
use crate::config::{Fact, FactName, Target};
use crate::gateway::Gateway;
use crate::server::Bound;

pub(super) fn show(gateway: &Gateway, bound: &Bound, found: &[Found]) -> String {
    let config = gateway.config();
    let scheme = if config.listen.tls.is_some() { "https" } else { "http" };
    let data = format!("{scheme}://{}", reachable(bound.data_address(), &config.listen.hosts));
    let admin = format!("http://{}", reachable(bound.admin_address(), &config.listen.hosts));

    let mut text = format!("waypost {}\n\n", env!("CARGO_PKG_VERSION"));
    for found in found {
        line(&mut text, &format!("found      {}: {}", found.place, found.note));
    }
    if !found.is_empty() {
        text.push('\n');
    }
    line(&mut text, &format!("listening  {data}/v1   (OpenAI-compatible: set your SDK's base_url to this)"));
    line(&mut text, &format!("metrics    {admin}/metrics   ready: {admin}/readyz"));
    for (name, tenant) in &config.tenants {
        line(&mut text, &format!("policy     {} (tenant {name})", policy(gateway, tenant.policy.as_str())));
    }
    line(&mut text, &format!("difficulty {}", gateway.classifier_name()));
    text.push('\n');
    line(&mut text, &targets(&config.targets));
    text.push('\n');
    text.push_str(&first_requests(gateway, &data));
    text
}

/// Where a client may call: nobody can connect to `0.0.0.0`, and a host that is not among `hosts` is refused.
fn reachable(address: SocketAddr, hosts: &[String]) -> String {
    match hosts.first() {
        Some(host) if address.ip().is_unspecified() => format!("{host}:{}", address.port()),
        _ => address.to_string(),
    }
}

fn line(text: &mut String, line: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{line}");
}

fn policy(gateway: &Gateway, name: &str) -> String {
    let rules = gateway.rule_names(name);
    if rules.is_empty() { format!("{name}, no rules") } else { format!("{name}: {}", rules.join(", ")) }
}

fn targets(targets: &[std::sync::Arc<Target>]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header([
        "target",
        "tier",
        "USD per 1M in / out",
        "where",
        "operated by",
    ]);
    for target in targets {
        table.add_row([
            target.name.to_string(),
            format!("{:?}", target.tier).to_lowercase(),
            target.price.as_ref().map_or("unknown".to_owned(), |price| {
                format!("{} / {}", price.base().input.as_usd(), price.base().output.as_usd())
            }),
            fact(target, FactName::LocationCountries),
            fact(target, FactName::OperatorName),
        ]);
    }
    table.trim_fmt()
}

fn fact(target: &Target, name: FactName) -> String {
    match target.facts.get(name) {
        None => "not stated".to_owned(),
        Some(Fact::Set(set)) => set.iter().cloned().collect::<Vec<_>>().join(", "),
        Some(Fact::Text(text)) => text.clone(),
        Some(Fact::Number(number)) => number.to_string(),
        Some(Fact::Bool(yes)) => yes.to_string(),
    }
}

/// Two requests to try: an easy one and a hard one; with the shipped set-up the first stays on the own model and the
/// second goes to the paid side.
fn first_requests(gateway: &Gateway, data: &str) -> String {
    let key = if gateway.config().auth.open_on_loopback { "" } else { " -H 'authorization: Bearer wp-…'" };
    let curl = |prompt: &str| {
        format!(
            "  curl -si {data}/v1/chat/completions{key} -H 'content-type: application/json' \\\n    \
             -d '{{\"model\":\"auto\",\"max_tokens\":64,\"messages\":[{{\"role\":\"user\",\"content\":\"{prompt}\"}}]}}'\n"
        )
    };
    format!(
        "an easy prompt, for the cheapest model that is good enough (see x-waypost-model and x-waypost-reason):\n{}\
         a hard one, for a stronger model if the policy allows it:\n{}",
        curl("What is the capital of Germany?"),
        curl("Prove that there are infinitely many primes p with p = 3 mod 4, and generalise the argument."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_called() {
        let hosts = ["gw.example".to_owned(), "localhost".to_owned()];
        assert_eq!(reachable("0.0.0.0:4000".parse().unwrap(), &hosts), "gw.example:4000");
        assert_eq!(reachable("[::]:4000".parse().unwrap(), &hosts), "gw.example:4000");
        assert_eq!(reachable("127.0.0.1:4000".parse().unwrap(), &hosts), "127.0.0.1:4000");
    }
}
