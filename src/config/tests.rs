use super::*;

const MINIMAL: &str = "
providers: [{ name: local, kind: llamacpp, endpoints: ['http://127.0.0.1:8080'] }]
models: [{ name: small, provider: local, tier: weak, price: { input: 0, output: 0 } }]
";

fn nothing(_: &str) -> Option<String> {
    None
}

fn read(text: &str) -> Result<Loaded, Vec<Problem>> {
    load_text(Path::new("waypost.yaml"), None, text, &nothing)
}

/// Line, column and message of every problem.
fn problems(text: &str) -> Vec<(u32, u32, String)> {
    let problems = match read(text) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    problems.into_iter().map(|problem| (problem.line, problem.column, problem.message)).collect()
}

#[test]
fn providers_and_models_are_enough() {
    let loaded = read(MINIMAL).unwrap();
    assert_eq!(loaded.warnings, []);
    let config = loaded.config;
    assert_eq!(config.targets[0].name.as_str(), "small@local");
    assert_eq!(config.providers[0].endpoints[0].prefix, "");
    assert!(config.auth.open_on_loopback);
    assert!(config.tenants.contains_key("default"));
    assert_eq!(config.listen.hosts, ["localhost", "127.0.0.1", "[::1]"]);
    assert!(config.hash.starts_with("sha256:") && config.hash.len() == 71);
}

#[test]
fn one_run_names_every_fault() {
    let text = "\
listen:
  adress: 127.0.0.1:4000
  drain: 30
  max_body: lots
admin: { address: 0.0.0.0:4001 }
tenants:
  - { name: acme, floor: { data-clas: internal } }
labels:
  data-class: { order: [public, internal, personal], default: secret }
providers:
  - name: gpu
    kind: vlm
    endpoints: [10.0.0.5:8000]
  - kind: openai
models:
  - { name: a, provider: gpuu, tier: mid, price: { input: 1, output: 1 } }
  - { name: b, provider: gpu, tier: high, context: many, price: { input: 1e3, output: 1 } }
  - { name: b, provider: gpu, tier: weak, price: catalogue }
aliases:
  - { name: auto, targets: [{ model: a }, { model: c, weight: 0 }] }
auth:
  keys:
    - { id: k1, hash: \"sha256:00\", tenant: acmee, expires: soon, may_set: [purpose] }
cache: { exact: maybe }
cache: { exact: on }
";
    insta::assert_snapshot!(
        problems(text)
            .iter()
            .map(|(line, column, message)| format!("{line}:{column} {message}"))
            .collect::<Vec<_>>()
            .join("\n")
    );
}

#[test]
fn a_problem_is_printed_with_its_line_and_what_to_write() {
    let text = "listen:\n  adress: 127.0.0.1:4000\nproviders: [{ name: p, kind: olama }]\nmodels: []\nfoo: 1\n";
    let shown: Vec<_> = read(text).unwrap_err().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn every_shipped_configuration_loads() {
    // As on a machine where nothing is set; the quickstarts are only taken where their key is.
    let key = |name: &str| name.ends_with("_API_KEY").then(|| "sk-1".to_owned());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut loaded = 0;
    for (folder, lookup) in [(folder.clone(), &nothing as Lookup<'_>), (folder.join("quickstart"), &key)] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            match load_text(&path, Some(&path), &text, lookup) {
                Ok(found) => {
                    for warning in found.warnings {
                        assert!(warning.message.contains("is empty, so none is sent"), "{warning}");
                    }
                }
                Err(problems) => panic!("{}", problems.iter().map(ToString::to_string).collect::<String>()),
            }
            loaded += 1;
        }
    }
    assert!(loaded >= 12);
}

#[test]
fn the_environment_fills_in_values_and_never_structure() {
    let lookup = |name: &str| match name {
        "PORT" => Some("8081".to_owned()),
        "EVIL" => Some("x }, { name: y".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    let text = MINIMAL.replace("8080", "${PORT}")
        + "
retry:
  attempts: ${ATTEMPTS:-3}
tenants: [{ name: a, region: '${EVIL}' }, { name: b, region: '${EMPTY:-none}-$${x}' }]
";
    let config = load_text(Path::new("w.yaml"), None, &text, &lookup).unwrap().config;
    assert_eq!(config.providers[0].endpoints[0].port, 8081);
    assert_eq!(config.retry.attempts, 3);
    assert_eq!(config.tenants["a"].region.as_deref(), Some("x }, { name: y"));
    assert_eq!(config.tenants["b"].region.as_deref(), Some("none-${x}"));

    let text = MINIMAL.replace("8080", "${PROT}");
    let problem = &load_text(Path::new("w.yaml"), None, &text, &lookup).unwrap_err()[0];
    assert_eq!((problem.line, problem.message.as_str()), (2, "the environment variable PROT is not set"));
}

#[test]
fn prices_are_read_from_their_text_and_rounded_up() {
    let price = |price: &str| {
        let text = MINIMAL.replace("{ input: 0, output: 0 }", price);
        let config = read(&text).unwrap().config;
        let rates = *config.targets[0].price.as_ref().unwrap().base();
        (rates.input.0, rates.output.0, rates.cached_input.0)
    };
    // 0.1 + 0.2 has no exact float; 2.190000001 would lose its last digit as one of half the size.
    assert_eq!(price("{ input: 0.3, output: '2.190000001' }"), (300_000_000, 2_190_000_001, 300_000_000));
    assert_eq!(price("{ input: 0.55, output: 2, cached_input: 0.14 }"), (550_000_000, 2_000_000_000, 140_000_000));
    // 2.50 × 2 dollars an hour over 2400 tokens a second: 0.5787037… dollars per million.
    let hours = "{ gpu_hour_usd: 2.50, gpus: 2, tokens_per_second: 2400, route_by: amortised }";
    assert_eq!(price(hours), (578_703_704, 578_703_704, 578_703_704));
    let marginal = "{ gpu_hour_usd: 2.50, tokens_per_second: 2400, route_by: marginal }";
    assert_eq!(price(marginal), (289_351_852, 289_351_852, 289_351_852), "what the machine costs is still charged");
    let config = read(&MINIMAL.replace("{ input: 0, output: 0 }", marginal)).unwrap().config;
    assert_eq!(config.targets[0].price.as_ref().unwrap().for_routing(1).output.0, 0, "one request more costs nothing");
}

#[test]
fn facts_that_nobody_stated_stay_unknown() {
    let text = "
providers:
  - { name: openai, kind: openai, data: { retention: 30d } }
  - { name: copy, kind: openai, endpoints: ['http://127.0.0.1:9/v1'] }
models:
  - { name: big, provider: openai, upstream: gpt-4.1, tier: strong, price: catalog, context: 1047576, supports: [tools] }
  - { name: big, provider: copy, upstream: gpt-4.1, tier: strong, price: catalog }
";
    let config = read(text).unwrap().config;
    let (real, copy) = (&config.targets[0].facts, &config.targets[1].facts);
    assert_eq!(real.get(FactName::OperatorName), Some(&Fact::Text("OpenAI".to_owned())));
    assert_eq!(real.get(FactName::ProvenanceOpenWeights), Some(&Fact::Bool(false)));
    assert_eq!(real.get(FactName::DataRetention), Some(&Fact::Number(30.0 * 86400.0)));
    assert_eq!(real.get(FactName::PriceInput), Some(&Fact::Number(2.0)));
    assert_eq!(real.get(FactName::ModelContext), Some(&Fact::Number(1_047_576.0)));
    assert_eq!(real.get(FactName::Supports), Some(&Fact::Set(["tools".to_owned()].into())));
    assert_eq!(real.get(FactName::LocationCountries), None);
    for name in [FactName::OperatorName, FactName::OperatorJurisdictions, FactName::ProvenanceDeveloper] {
        assert_eq!(copy.get(name), None, "{} of a server that only calls itself openai", name.path());
    }
}

#[test]
fn a_fact_from_the_catalogue_says_so_and_gives_way_to_a_stated_one() {
    let text = "
providers:
  - { name: openai, kind: openai }
  - { name: ours, kind: openai, data: { retention: 0d, trains: false }, operator: { jurisdictions: [US, IE] } }
models:
  - { name: big, provider: openai, upstream: gpt-4.1, tier: strong, price: catalog }
  - { name: big, provider: ours, upstream: gpt-4.1, tier: strong, price: catalog }
  - { name: vectors, provider: ours, kind: embedding, upstream: text-embedding-3-small, tier: weak, price: catalog }
";
    let config = read(text).unwrap().config;
    let (default, ours, vectors) = (&config.targets[0].facts, &config.targets[1].facts, &config.targets[2].facts);
    assert_eq!(default.get(FactName::DataRetention), Some(&Fact::Number(30.0 * 86400.0)));
    assert_eq!(default.cited(FactName::DataRetention).unwrap().as_of.len(), 10);
    assert_eq!(ours.get(FactName::DataRetention), Some(&Fact::Number(0.0)), "one's own contract goes first");
    let both = Fact::Set(["US".to_owned(), "IE".to_owned()].into());
    assert_eq!(ours.get(FactName::OperatorJurisdictions), Some(&both));
    for name in [FactName::DataRetention, FactName::DataTrains, FactName::OperatorJurisdictions] {
        assert_eq!(ours.cited(name), None, "{}", name.path());
    }
    assert!(ours.cited(FactName::OperatorName).is_some(), "what is left unstated is still filled in");
    assert_eq!(ours.get(FactName::ModelKind), Some(&Fact::Text("chat".to_owned())));
    assert_eq!(vectors.get(FactName::ModelKind), Some(&Fact::Text("embedding".to_owned())));
}

#[test]
fn a_location_is_filled_in_only_where_the_host_tells_it_for_the_model() {
    let text = "
providers:
  - { name: global, kind: openai }
  - { name: paris, kind: openai-compatible, endpoints: ['https://bedrock-runtime.eu-west-3.amazonaws.com/openai/v1'] }
  - { name: two, kind: openai-compatible, endpoints: ['https://bedrock-runtime.eu-west-3.amazonaws.com', 'https://bedrock-runtime.eu-north-1.amazonaws.com'] }
  - { name: mixed, kind: openai-compatible, endpoints: ['https://bedrock-runtime.eu-west-3.amazonaws.com', 'http://127.0.0.1:9'] }
  - { name: azure, kind: openai-compatible, endpoints: ['https://francecentral.api.cognitive.microsoft.com'] }
  - { name: known, kind: openai, endpoints: ['https://eu.api.openai.com'], location: { countries: [IE] } }
models:
  - { name: a, provider: global, tier: mid, price: { input: 1, output: 1 } }
  - { name: b, provider: paris, tier: mid, upstream: mistral.mistral-large-2402-v1:0, price: { input: 1, output: 1 } }
  - { name: c, provider: paris, tier: mid, upstream: eu.mistral.pixtral-large-2502-v1:0, price: { input: 1, output: 1 } }
  - { name: d, provider: two, tier: mid, upstream: mistral.x, price: { input: 1, output: 1 } }
  - { name: e, provider: mixed, tier: mid, upstream: mistral.x, price: { input: 1, output: 1 } }
  - { name: f, provider: azure, tier: mid, price: { input: 1, output: 1 } }
  - { name: g, provider: known, tier: mid, price: { input: 1, output: 1 } }
";
    let config = read(text).unwrap().config;
    let countries = |place: usize| match config.targets[place].facts.get(FactName::LocationCountries) {
        Some(Fact::Set(countries)) => countries.iter().cloned().collect::<Vec<_>>().join(" "),
        _ => String::new(),
    };
    let all: Vec<String> = (0..7).map(countries).collect();
    assert_eq!(
        all,
        ["", "FR", "", "FR SE", "", "", "IE"],
        "no host, one, a model routed elsewhere, two, one unknown, …"
    );
    let facts = |place: usize| &config.targets[place].facts;
    assert_eq!(facts(1).get(FactName::LocationRegion), Some(&Fact::Text("eu-west-3".to_owned())));
    assert_eq!(facts(3).get(FactName::LocationRegion), None, "two regions are no region");
    assert_eq!(facts(1).get(FactName::OperatorName), Some(&Fact::Text("Amazon Web Services".to_owned())));
    assert_eq!(facts(4).get(FactName::OperatorName), None, "one endpoint is somebody else's");
    assert!(facts(6).cited(FactName::LocationCountries).is_none());
}

#[test]
fn a_stated_location_that_an_endpoint_contradicts_is_an_error_with_its_place() {
    let text = "
providers:
  - name: frankfurt
    kind: openai-compatible
    endpoints: ['https://bedrock-runtime.us-east-1.amazonaws.com/v1']
    location: { countries: [DE, FR], region: eu-central-1 }
  - name: europe
    kind: openai
    endpoints: ['https://eu.api.openai.com', 'https://us.api.openai.com']
    location: { countries: [IE, DE] }
models:
  - { name: a, provider: frankfurt, tier: mid, price: { input: 1, output: 1 } }
  - { name: b, provider: europe, tier: mid, price: { input: 1, output: 1 } }
";
    let problems = read(text).unwrap_err();
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 3, "{said:#?}");
    for (place, message, remedy) in [
        (
            ":6:29:",
            "states location DE, FR, but bedrock-runtime.us-east-1.amazonaws.com stands in US",
            "countries: [US]",
        ),
        (":6:46:", "states region eu-central-1, but", "region: us-east-1"),
        (":10:29:", "us.api.openai.com stands in US", "or the endpoint that is meant"),
    ] {
        let found = said.iter().any(|said| said.contains(place) && said.contains(message) && said.contains(remedy));
        assert!(found, "{place} {message}\n{said:#?}");
    }
}

#[test]
fn a_country_that_does_not_exist_is_no_location() {
    let text = "
providers: [{ name: p, kind: scripted, location: { countries: [XX] } }]
models: [{ name: m, provider: p, tier: weak, price: { input: 0, output: 0 } }]
";
    let problems = read(text).unwrap_err();
    assert!(problems[0].message.contains("`XX` is not a country code"), "{problems:?}");
}

#[test]
fn secrets_come_from_files_and_never_show_up_in_problems() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "sk-from-file\n").unwrap();
    let path = folder.path().join("waypost.yaml");
    let text = MINIMAL.replace("kind: llamacpp", "kind: llamacpp, credentials: [{ api_key: 'file:key' }]");
    let config = load_text(&path, Some(&path), &text, &nothing).unwrap().config;
    assert_eq!(config.providers[0].credentials[0].expose(), "sk-from-file");
    assert!(!format!("{config:?}").contains("sk-from-file"));

    let text = "
store: { url: 'redis//user:hunter2@host' }
providers:
  - { name: p, kind: vllm, endpoints: ['http://user:hunter2@host:1'], credentials: [{ api_key: 'hunter2 ', apikey: 1 }] }
models: [{ name: m, provider: p, price: { input: 0, output: 0 }, tier: weak }]
";
    let shown: String = read(text).unwrap_err().iter().map(ToString::to_string).collect();
    assert!(!shown.contains("hunter2"), "{shown}");
    let misplaced =
        "providers: [{ name: p, kind: openai, credentials:\n  [sk-hunter2, { api_key:\n 'sk-hunter2 ' }] }]";
    let misplaced: String = read(misplaced).unwrap_err().iter().map(ToString::to_string).collect();
    assert!(!misplaced.contains("hunter2") && misplaced.contains("found a text"), "{misplaced}");
    assert!(shown.contains("remove user and password") && shown.contains("stray character"), "{shown}");
}

#[test]
fn a_gateway_that_strangers_or_nobody_could_reach_does_not_start() {
    let first = |section: &str| problems(&format!("{section}{MINIMAL}")).into_iter().next().unwrap_or_default().2;
    assert!(first("listen: { address: '0.0.0.0:4000', hosts: [gw] }").contains("only loopback is let in"));
    assert!(first("auth: { open: never }").contains("nobody can call"));
    assert!(first("admin: { address: '0.0.0.0:1' }").contains("asks for no token"));
    assert!(first("admin: { address: '127.0.0.1:4000' }").contains("both listeners"));
    let hash = "0".repeat(64);
    let key = format!("keys: [{{ id: k, hash: 'hmac-sha256:{hash}' }}]");
    assert_eq!(first(&format!("auth: {{ {key} }}")), "");
    assert!(first(&format!("auth: {{ open: loopback, {key} }}")).contains("reverse proxy"));
    let open = format!("listen: {{ address: '0.0.0.0:4000' }}\nauth: {{ {key} }}");
    assert!(first(&open).contains("421"));
}

#[test]
fn keys_open_mode_must_be_asked_for_once_keys_exist() {
    let hash = "0".repeat(64);
    let text = format!("auth: {{ keys: [{{ id: k, hash: 'hmac-sha256:{hash}', expires: 2027-01-01 }}] }}{MINIMAL}");
    let auth = read(&text).unwrap().config.auth;
    assert!(!auth.open_on_loopback);
    assert_eq!(auth.keys[0].expires, Some(1_798_761_600));
    assert_eq!(auth.keys[0].tenant.as_str(), "default");
}

#[test]
fn what_a_missing_entry_would_have_defined_is_not_reported_again() {
    let text = "
providers: [{ name: p }]
models: [{ name: m, provider: p, tier: weak }]
aliases: [{ name: a, targets: [{ model: m }] }]
";
    assert_eq!(problems(text), [(2, 13, "a provider lacks `kind`".to_owned())]);
}

#[test]
fn several_missing_keys_are_all_named() {
    let text = format!("auth: {{ jwt: [{{ issuer: a, claims: {{}} }}] }}\nlisten: {{ tls: {{}}, drain: 1 }}{MINIMAL}");
    let messages: Vec<_> = problems(&text).into_iter().map(|problem| problem.2).collect();
    assert_eq!(
        messages,
        [
            "a member of `auth.jwt` lacks `audience`",
            "a member of `auth.jwt` lacks `algorithms`",
            "a member of `auth.jwt` lacks `jwks`",
            "`claims` lacks `tenant`",
            "`tls` lacks `cert`",
            "`tls` lacks `key`",
            "`1` is not a duration",
        ]
    );
}

#[test]
fn a_syntax_error_has_its_place() {
    let found = problems("listen:\n  address: [1, 2\nproviders: {}\n");
    assert!(found[0].0 >= 2 && found[0].2.starts_with("this is not valid YAML"), "{found:?}");
    assert_eq!(found.len(), 1);
    let unquoted = problems("retry: { attempts: ${N} }");
    assert_eq!((unquoted.len(), unquoted[0].0), (1, 1));
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
        d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    assert!(problems(bomb)[0].2.starts_with("this is not valid YAML"));
    assert!(!problems(&"[".repeat(100_000)).is_empty());
}

#[test]
fn the_schema_names_what_is_there_and_nothing_else() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let properties: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(properties.len(), 23);
    for absent in ["ledger", "data_dir", "budgets"] {
        assert!(!properties.contains(&absent.to_owned()));
    }
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["$defs"]["Provider"]["required"], serde_json::json!(["name", "kind"]));
    assert!(!schema.to_string().contains("$word"), "the shorthand's field is ours, not the operator's");
    assert!(schema.to_string().contains("openai-compatible"));
}

mod any_edit {
    use proptest::prelude::*;

    use super::*;

    /// Words that mean something somewhere.
    const WORDS: [&str; 24] = [
        "null",
        "true",
        "[]",
        "{}",
        "-1",
        "0",
        "1e400",
        "18446744073709551616",
        "name",
        "auto",
        "catalog",
        "${",
        "${X}",
        "${X:-",
        "&a",
        "*a",
        "<<",
        "!!int",
        "|",
        "\"",
        "'",
        "\u{0}",
        "ü",
        "\n",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn of_the_reference_configuration_never_panics(
            edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..24, 0_usize..12), 1..6),
        ) {
            let mut text: Vec<char> = include_str!("../../config/waypost.yaml").chars().collect();
            for (place, word, cut) in edits {
                let start = place.index(text.len());
                let end = (start + cut).min(text.len());
                text.splice(start..end, WORDS[word].chars());
            }
            let text: String = text.into_iter().collect();
            let lines = u32::try_from(text.lines().count()).unwrap();
            for problem in load_text(Path::new("w.yaml"), None, &text, &nothing).err().unwrap_or_default() {
                prop_assert!(problem.line <= lines + 1);
                let _ = problem.to_string();
            }
        }
    }
}

/// What is said of these sections, beside a provider and a model.
fn said_of(sections: &str) -> Vec<(u32, u32, String)> {
    problems(&format!("{sections}{MINIMAL}"))
}

#[test]
fn nothing_is_enforced_on_a_label_without_order() {
    let labels = "labels: { data-class: { values: [public, personal, secret] } }\n";
    for detector in ["iban: enforce", "iban: { value: personal, mode: enforce }"] {
        let said = said_of(&format!("{labels}detection:\n  detectors:\n    {detector}\n"));
        let column = detector.find("enforce").unwrap() as u32 + 5;
        assert_eq!(said, [(4, column, "label `data-class` has no order, so nothing can raise it".to_owned())]);
    }
    assert_eq!(said_of(&format!("{labels}detection: {{ detectors: {{ iban: observe }} }}\n")), []);
}

#[test]
fn an_exception_that_covers_everything_or_nothing_is_refused_in_whatever_way_it_is_written() {
    for (detector, except) in [
        ("phone", "+*"),
        ("phone", "*-*"),
        ("iban", "--"),
        ("card", "é"),
        ("email", "*@*"),
        ("email", "*@*.*"),
        ("email", "**"),
        ("api_key", "*"),
    ] {
        let said = said_of(&format!("detection:\n  detectors:\n    {detector}: {{ except: ['{except}'] }}\n"));
        let column = detector.len() as u32 + 18;
        assert_eq!(said, [(3, column, format!("`{except}` excepts everything or nothing"))]);
    }
    for (detector, except) in [("phone", "+49 30*"), ("email", "*@example.com"), ("api_key", "sk-test-*")] {
        assert_eq!(said_of(&format!("detection: {{ detectors: {{ {detector}: {{ except: ['{except}'] }} }} }}\n")), []);
    }
    let except = "detection: { detectors: { phone: { except: ['+49 (30) 123-*'] }, email: { except: ['A.B@*'] } } }\n";
    let config = read(&format!("{except}{MINIMAL}")).unwrap().config;
    let like = |detector: Detector| match config.detection.detectors[detector.place()].except.as_slice() {
        [Except::Like(pattern)] => pattern.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!([like(Detector::Phone), like(Detector::Email)], ["4930123*", "a.b@*"]);
}

#[test]
fn an_expression_that_is_none_by_itself_is_refused() {
    for pattern in ["/a)|(?:b/", "/(/", "/a)(b/"] {
        let said = said_of(&format!("detection: {{ detectors: {{ email: {{ except: ['{pattern}'] }} }} }}\n"));
        assert!(
            matches!(said.as_slice(), [(1, 45, message)] if message.contains("is no regular expression")),
            "{said:?}"
        );
    }
}
