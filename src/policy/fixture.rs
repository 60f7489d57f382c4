//! A configuration built by hand, for the tests of policy and route.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{LabelSources, Labels, MaySet, Policy, labels};
use crate::config::*;
use crate::id::TargetId;
use crate::money::{Price, Rate, Rates};
use crate::wire::dialect::ReasoningModel;

/// A target being described.
pub(crate) struct Described {
    name: &'static str,
    tier: Tier,
    facts: Facts,
    price: Option<Price>,
}

pub(crate) fn target(name: &'static str, tier: Tier) -> Described {
    Described { name, tier, facts: Facts::default(), price: None }
}

pub(crate) fn set(words: &[&str]) -> Fact {
    Fact::Set(words.iter().map(|&word| word.to_owned()).collect())
}

impl Described {
    pub(crate) fn fact(mut self, name: FactName, fact: Fact) -> Self {
        self.facts.set(name, fact);
        self
    }

    pub(crate) fn countries(self, countries: &[&str]) -> Self {
        self.fact(FactName::LocationCountries, set(countries))
    }

    pub(crate) fn jurisdictions(self, countries: &[&str]) -> Self {
        self.fact(FactName::OperatorJurisdictions, set(countries))
    }

    pub(crate) fn operator(self, name: &str) -> Self {
        self.fact(FactName::OperatorName, Fact::Text(name.to_owned()))
    }

    pub(crate) fn retention(self, days: u32) -> Self {
        self.fact(FactName::DataRetention, Fact::Number(f64::from(days) * 86_400.0))
    }

    pub(crate) fn price(mut self, input: &str, output: &str) -> Self {
        self.price = Some(Price::flat(rates(input, output)));
        self
    }

    /// Other prices where the input has more than so many tokens.
    pub(crate) fn price_above(mut self, tokens: u64, input: &str, output: &str) -> Self {
        let base = *self.price.unwrap().base();
        self.price = Some(Price::tiered(base, vec![(tokens, rates(input, output))]));
        self
    }
}

fn rates(input: &str, output: &str) -> Rates {
    let rate = |usd: &str| Rate::per_million(usd.parse().unwrap());
    Rates::plain(rate(input), rate(output))
}

pub(crate) fn tenant(name: &str, region: Option<&str>) -> Tenant {
    Tenant {
        name: name.into(),
        region: region.map(str::to_owned),
        policy: "default".into(),
        floor: BTreeMap::new(),
        unscanned_as: None,
        limits: Limits::default(),
    }
}

fn key(id: &str, team: Option<&str>) -> Key {
    Key {
        id: id.into(),
        hmac: [0; 32],
        tenant: "acme".into(),
        team: team.map(Into::into),
        models: vec![],
        expires: None,
        may_set: vec![],
        labels: BTreeMap::new(),
        permissions: vec![],
        limits: Limits::default(),
    }
}

/// Keys `k1`, of the team `search`, and `k2`; tenants `default`, `acme` (eu) and `globex` (us); labels `data-class` and `purpose`.
pub(crate) fn config(targets: Vec<Described>) -> Config {
    let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let provider = Arc::new(Provider {
        name: "p".into(),
        kind: ProviderKind::OpenaiCompatible,
        native: crate::catalog::plain(),
        endpoints: vec![],
        credentials: vec![],
        timeouts: Timeouts {
            connect: Duration::from_secs(1),
            first_token: Duration::from_secs(1),
            idle: Duration::from_secs(1),
            total: Duration::from_secs(1),
        },
    });
    let targets = targets
        .into_iter()
        .enumerate()
        .map(|(index, described)| {
            Arc::new(Target {
                id: TargetId(u16::try_from(index).unwrap()),
                name: described.name.into(),
                model: described.name.into(),
                upstream: described.name.to_owned(),
                provider: Arc::clone(&provider),
                kind: ModelKind::Chat,
                wire: None,
                reasoning: ReasoningModel::default(),
                show_reasoning: true,
                drop_unsupported: false,
                tier: described.tier,
                facts: described.facts,
                price: described.price,
                context: None,
                max_output: None,
                max_concurrent: None,
                latency_prior: LatencyPrior { first_token: Duration::from_millis(400), tokens_per_second: 40.0 },
            })
        })
        .collect();
    let tenants = [tenant("default", None), tenant("acme", Some("eu")), tenant("globex", Some("us"))];
    let second = Duration::from_secs(1);
    let address = "127.0.0.1:0".parse().unwrap();
    Config {
        hash: "sha256:0".into(),
        path: None,
        listen: Listen {
            address,
            hosts: vec![],
            cors: vec![],
            max_body: 1,
            max_inflight: 1,
            header_timeout: second,
            body_timeout: second,
            drain: second,
            tls: None,
        },
        admin: Admin { address, tokens: vec![] },
        auth: Auth { open_on_loopback: true, keys: vec![key("k1", Some("search")), key("k2", None)], jwt: vec![] },
        tenants: tenants.into_iter().map(|tenant| (tenant.name.clone(), Arc::new(tenant))).collect(),
        labels: vec![
            Label {
                name: "data-class".to_owned(),
                kind: LabelKind::Ordered(words(&["public", "internal", "personal", "secret"])),
                default: Some("internal".to_owned()),
                from: vec![],
            },
            Label {
                name: "purpose".to_owned(),
                kind: LabelKind::Values(words(&["support", "dev", "batch"])),
                default: None,
                from: vec![],
            },
        ],
        detection: Detection::observing("data-class"),
        targets,
        providers: vec![provider],
        aliases: BTreeMap::new(),
        policies: None,
        classifier: Classifier {
            model: ClassifierModel::Off,
            runtime: None,
            deadline: second,
            threads: 1,
            queue: 1,
            max_tokens: 512,
        },
        calibration: None,
        cache: Cache { exact: false, ttl: second, max: 1, sampled: false, max_data_class: None },
        store: Store { url: StoreUrl::Local, deadline: second },
        decisions: Decisions { keep: 1, file: None },
        streaming: Streaming { commit_after: second, ping: second },
        retry: Retry { attempts: 1, budget: 0.0 },
        logging: Logging { format: LogFormat::Auto },
        max_series: 1,
        egress: Egress::default(),
        error_detail: ErrorDetail::Rules,
        files: vec![],
        shown: serde_json::Value::Null,
    }
}

/// Labels with `key` set by the key and `client` by the client, who may set everything.
pub(crate) fn labelled(policy: &Policy, key: &[(&str, &str)], client: &[(&str, &str)]) -> Labels {
    labelled_and_found(policy, key, client, None)
}

/// The same where something was found that raises the data class to this.
pub(crate) fn labelled_and_found(
    policy: &Policy,
    key: &[(&str, &str)],
    client: &[(&str, &str)],
    found: Option<&str>,
) -> Labels {
    let own = |entries: &[(&str, &str)]| -> Vec<(String, String)> {
        entries.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let nothing = BTreeMap::new();
    let by = labels::SetBy::Detected("detected:iban");
    let raised: Vec<labels::Raise<'_>> =
        found.into_iter().map(|value| labels::Raise { name: "data-class", value, by }).collect();
    let sources = LabelSources {
        floor: &nothing,
        key: &own(key).into_iter().collect(),
        claim: &nothing,
        raised: &raised,
        client: &own(client),
        may_set: MaySet::All,
    };
    labels::resolve(policy.labels(), &sources).unwrap()
}
