//! Another configuration takes the place of the running one whole or not at all, and nobody who is served feels it.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::harness::{Gateway, Held, Setup, Upstream, VirtualKey, chat, chat_stream, eventually, is_done, said};

/// With an alias of this name, by which it can be told which configuration runs.
fn named(setup: Setup, alias: &str) -> Setup {
    setup.section(&format!("aliases: [{{ name: {alias}, targets: [{{ model: small, weight: 1 }}] }}]"))
}

fn models(gateway: &Gateway) -> String {
    gateway.get("/v1/models").send().text()
}

fn runs(gateway: &Gateway, alias: &str) {
    eventually(&format!("the configuration with `{alias}` runs"), || models(gateway).contains(alias).then_some(()));
}

/// What `/readyz` says.
fn ready(gateway: &Gateway) -> Value {
    let answer = gateway.admin_get("/readyz");
    assert_eq!(answer.status, 200, "a bad file is no reason to take traffic away");
    answer.json()
}

#[test]
fn a_hangup_signal_loads_the_file_anew() {
    let upstream = Upstream::plain();
    let gateway = named(Setup::one(&upstream), "first").start();
    let before = gateway.admin_get("/admin/config").json();
    gateway.rewrite(&named(Setup::one(&upstream), "second").text());
    gateway.hang_up();
    runs(&gateway, "second");
    assert!(!models(&gateway).contains("first"));
    assert!(eventually("it is logged", || gateway.log().contains("SIGHUP").then_some(true)));
    let after = gateway.admin_get("/admin/config").json();
    assert_ne!(before["hash"], after["hash"]);
    assert_eq!(gateway.metric("waypost_config_info", &[("hash", after["hash"].as_str().unwrap())]), Some(1.0));
    let info = gateway.admin_get("/metrics").text();
    assert_eq!(info.lines().filter(|line| line.starts_with("waypost_config_info{")).count(), 1, "only what runs");
    assert_eq!(gateway.chat(&chat("second", "hi")).send().said(), "Hello there.");
}

#[test]
fn a_file_that_an_editor_puts_in_place_is_noticed_without_a_signal() {
    let upstream = Upstream::plain();
    let gateway = named(Setup::one(&upstream), "first").start();
    gateway.rewrite(&named(Setup::one(&upstream), "second").text());
    runs(&gateway, "second");
    // And one that writes into the file that is there.
    std::fs::write(gateway.file("config.yaml"), named(Setup::one(&upstream), "third").text()).unwrap();
    runs(&gateway, "third");
}

#[test]
fn a_link_that_kubernetes_swaps_is_noticed_with_all_that_lies_behind_it() {
    let upstream = Upstream::plain();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let policy = |rule: &str| {
        format!(
            "policy: default\nobjective: {{ minimise: cost }}\nrules:\n  - name: {rule}\n    forbid: {{ location.countries: {{ in: [US] }} }}\n"
        )
    };
    for (version, alias, rule) in [("..one", "first", "old-rule"), ("..two", "second", "new-rule")] {
        std::fs::create_dir_all(at(version).join("policies")).unwrap();
        let setup = named(Setup::one(&upstream), alias).policy("default", "");
        std::fs::write(at(version).join("config.yaml"), setup.text()).unwrap();
        std::fs::write(at(version).join("policies/default.yaml"), policy(rule)).unwrap();
    }
    symlink("..one", at("..data")).unwrap();
    symlink("..data/config.yaml", at("config.yaml")).unwrap();
    symlink("..data/policies", at("policies")).unwrap();
    let gateway = Gateway::run(folder, &[]);
    runs(&gateway, "first");
    symlink("..two", gateway.file("..data_tmp")).unwrap();
    std::fs::rename(gateway.file("..data_tmp"), gateway.file("..data")).unwrap();
    runs(&gateway, "second");
    let rules = gateway.admin_get("/admin/config").json()["policies"][0]["rules"].clone();
    assert_eq!(rules, json!(["new-rule"]), "configuration and policies come from one version");
}

#[test]
fn a_changed_policy_and_a_changed_secret_are_noticed_too() {
    let upstream = Upstream::plain();
    let rule = |country: &str| {
        format!(
            "policy: default\nobjective: {{ minimise: cost }}\nrules:\n  - name: not-there\n    forbid: {{ location.countries: {{ in: [{country}] }} }}\n"
        )
    };
    let setup = Setup::new()
        .provider("own", &upstream, "credentials: [{ api_key: 'file:key' }]")
        .model("small", "own", "tier: weak")
        .policy("default", &rule("US"));
    let (folder, _) = setup.write_with(&[("key", "old-key\n")]);
    let gateway = Gateway::run(folder, &[]);
    gateway.chat(&chat("small", "hi")).send().said();

    std::fs::write(gateway.file("key"), "new-key\n").unwrap();
    eventually("the new key is sent", || {
        gateway.chat(&chat("small", "hi")).send().said();
        (upstream.stats().credentials.last().unwrap() == "Bearer new-key").then_some(())
    });

    std::fs::write(gateway.file("policies/default.yaml"), rule("FR")).unwrap();
    eventually("the new policy rules", || (gateway.chat(&chat("small", "hi")).send().status == 403).then_some(()));
}

#[test]
fn a_bad_file_leaves_the_running_one_in_force_and_says_so_everywhere() {
    let upstream = Upstream::plain();
    let good = named(Setup::one(&upstream), "first");
    let gateway = good.start();
    assert_eq!(ready(&gateway), json!({ "degraded": [], "config": "current" }));
    assert_eq!(gateway.metric("waypost_reload_failed", &[]), Some(0.0));
    let hash = gateway.admin_get("/admin/config").json()["hash"].clone();

    let bad = format!("{}stremaing: {{ ping: 5s }}\n", named(Setup::one(&upstream), "second").text());
    let line = bad.lines().position(|line| line.starts_with("stremaing")).unwrap() + 1;
    gateway.rewrite(&bad);
    eventually("the file is refused", || gateway.metric("waypost_reload_failed", &[]).filter(|failed| *failed == 1.0));
    assert_eq!(ready(&gateway), json!({ "degraded": ["config"], "config": "last_good" }));
    assert_eq!(gateway.chat(&chat("first", "hi")).send().said(), "Hello there.");
    assert!(!models(&gateway).contains("second"), "nothing of a bad file is taken");
    let told = eventually("a line in the log", || {
        let lines = gateway.log();
        let mut parsed = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        parsed.find(|line| line["message"].as_str().is_some_and(|message| message.contains("stremaing")))
    });
    assert_eq!((&told["level"], &told["line"], &told["column"]), (&json!("ERROR"), &json!(line), &json!(1)), "{told}");
    assert!(told["file"].as_str().unwrap().ends_with("config.yaml"), "{told}");
    assert!(told["remedy"].as_str().unwrap().contains("streaming"), "{told}");
    let config = gateway.admin_get("/admin/config").json();
    assert_eq!((&config["hash"], &config["state"]), (&hash, &json!("last_good")));
    assert_eq!(config["failed"]["problems"][0]["line"], line);

    gateway.rewrite(&named(Setup::one(&upstream), "third").text());
    runs(&gateway, "third");
    assert_eq!(ready(&gateway), json!({ "degraded": [], "config": "current" }));
    assert_eq!(gateway.metric("waypost_reload_failed", &[]), Some(0.0));
}

#[test]
fn a_bad_policy_is_told_with_its_own_place_and_a_hangup_tries_it() {
    let upstream = Upstream::plain();
    let setup = Setup::one(&upstream).policy("default", "policy: default\nobjective: { minimise: cost }\n");
    let gateway = setup.start();
    let bad = "policy: default\nobjective: { minimise: cost }\nrules:\n  - name: odd\n    when: labels[\"data-clas\"] == \"personal\"\n    forbid: { location.countries: { in: [US] } }\n";
    std::fs::write(gateway.file("policies/default.yaml"), bad).unwrap();
    let answer = gateway.admin("POST", "/admin/reload").send();
    assert_eq!(answer.status, 422);
    let problem = answer.json()["problems"][0].clone();
    assert!(problem["file"].as_str().unwrap().ends_with("default.yaml"), "{problem}");
    assert_eq!(problem["line"], 5, "{problem}");
    assert!(problem["column"].as_u64().unwrap() > 1, "{problem}");
    assert_eq!(gateway.chat(&chat("small", "hi")).send().said(), "Hello there.");
    assert_eq!(ready(&gateway)["config"], "last_good");
    std::fs::write(gateway.file("policies/default.yaml"), "policy: default\nobjective: { minimise: cost }\n").unwrap();
    gateway.hang_up();
    eventually("the mended one runs", || (ready(&gateway)["config"] == "current").then_some(()));
}

#[test]
fn a_file_that_was_missing_is_noticed_when_it_comes() {
    let upstream = Upstream::plain();
    let gateway = named(Setup::one(&upstream), "first").start();
    let more = Setup::new().provider("own", &upstream, "credentials: [{ api_key: 'file:late/key' }]").model(
        "small",
        "own",
        "tier: weak",
    );
    std::fs::create_dir(gateway.file("late")).unwrap();
    gateway.rewrite(&named(more, "second").text());
    eventually("the secret is missed", || (ready(&gateway)["config"] == "last_good").then_some(()));
    std::fs::write(gateway.file("late/key"), "sk-late").unwrap();
    runs(&gateway, "second");
}

#[test]
fn what_only_a_restart_can_change_is_refused_with_its_place() {
    let upstream = Upstream::plain();
    let gateway = named(Setup::one(&upstream), "first").start();
    for (section, key) in [
        ("listen: { address: \"127.0.0.1:1\" }", "listen.address"),
        ("admin: { address: \"127.0.0.1:1\" }", "admin.address"),
        ("logging: { format: text }", "logging.format"),
    ] {
        let text = named(Setup::one(&upstream), "second").section(section).text();
        let line = text.lines().position(|line| line == section).unwrap() + 1;
        let answer = gateway.reload(&text);
        assert_eq!(answer.status, 422, "{}", answer.text());
        let problem = answer.json()["problems"][0].clone();
        assert!(problem["message"].as_str().unwrap().contains(key), "{problem}");
        assert!(problem["remedy"].as_str().unwrap().contains("restart"), "{problem}");
        assert_eq!(problem["line"], line, "{problem}");
    }
    assert!(models(&gateway).contains("first"), "the whole reload is refused");
}

#[test]
fn a_stream_ends_unhurt_under_the_configuration_it_began_with() {
    let upstream = Upstream::that("text: one two three four five six seven eight nine ten, per_event: 150ms");
    let gateway = Setup::one(&upstream).section("decisions: { file: d.jsonl }").start();
    let old = gateway.admin_get("/admin/config").json()["hash"].clone();
    let mut events = gateway.chat(&chat_stream("small", "hi")).stream();
    let id = events.header("x-waypost-decision").unwrap().to_owned();
    let mut heard = events.content();

    // Its model is taken away altogether.
    let other = Setup::new().provider("own", &upstream, "").model("other", "own", "tier: weak");
    let reloaded = gateway.reload(&other.text());
    assert_eq!(reloaded.status, 200, "{}", reloaded.text());
    gateway.chat(&chat("small", "hi")).send().must_be_error(404, "model_not_found");
    upstream.wait_for("the stream is still running", |stats| stats.open == 1);

    let rest = events.rest();
    heard.push_str(&said(&rest));
    assert_eq!(heard, "one two three four five six seven eight nine ten");
    assert!(is_done(&rest));
    let record = gateway.decision(&id);
    assert_eq!((&record["config"], &record["outcome"]), (&old, &json!("ok")));
    assert_eq!(record["attempts"][0]["target"], "small@own");
    let settled = [("target", "small@own"), ("outcome", "ok")];
    assert_eq!(gateway.metric("waypost_decisions_total", &settled), Some(1.0), "it is counted under its own name");
}

#[test]
fn a_revoked_key_is_refused_at_once_and_its_stream_is_not_cut() {
    let upstream = Upstream::that("text: one two three four five six seven eight, per_event: 150ms");
    let (stays, goes) = (VirtualKey::create(), VirtualKey::create());
    let with = |keys: &[String]| Setup::one(&upstream).section(&format!("auth: {{ keys: [{}] }}", keys.join(", ")));
    let gateway = with(&[stays.entry("stays", ""), goes.entry("goes", "")]).start();
    let mut events = gateway.chat(&chat_stream("small", "hi")).key(&goes.secret).stream();
    events.content();
    assert_eq!(gateway.reload(&with(&[stays.entry("stays", "")]).text()).status, 200);
    gateway.chat(&chat("small", "hi")).key(&goes.secret).send().must_be_error(401, "invalid_api_key");
    assert_eq!(gateway.chat(&chat("small", "hi")).key(&stays.secret).send().status, 200);
    assert!(is_done(&events.rest()));
}

#[test]
fn a_request_of_a_key_that_is_revoked_meanwhile_is_sent_nowhere_again() {
    let upstream = Held::start();
    let goes = VirtualKey::create();
    let with = |keys: &str| {
        Setup::new()
            .provider_at("own", upstream.origin(), "")
            .model("small", "own", "tier: weak")
            .section("retry: { attempts: 3, budget: 1.0 }")
            .section(&format!("auth: {{ keys: [{keys}] }}"))
    };
    let gateway = with(&goes.entry("goes", "")).start();
    let mut waiting = gateway.chat(&chat("small", "hi")).key(&goes.secret).begin();
    upstream.wait_for(1);
    assert_eq!(gateway.reload(&with(&VirtualKey::create().entry("new", "")).text()).status, 200);
    upstream.release();
    waiting.answer().must_be_error(401, "invalid_api_key");
    assert_eq!(upstream.requests(), 1, "the 503 is not tried again");
}

#[test]
fn a_request_under_way_does_not_fall_back_to_a_target_that_was_taken_away() {
    let (first, second) = (Held::start(), Upstream::plain());
    let one = || Setup::new().provider_at("first", first.origin(), "").model("small", "first", "tier: weak");
    let gateway = one().provider("second", &second, "").model("small", "second", "tier: weak").start();
    let mut waiting = gateway.chat(&chat("small", "hi")).begin();
    first.wait_for(1);
    assert_eq!(gateway.reload(&one().text()).status, 200);
    first.release();
    assert!(waiting.answer().status >= 500);
    second.must_be_untouched();
}

#[test]
fn an_admin_token_may_do_what_its_role_says() {
    let upstream = Upstream::plain();
    let roles = ["viewer", "operator", "compliance"];
    let hash = |token: &str| {
        let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let token = |role: &&str| format!("{{ name: {role}, hash: \"sha256:{}\", role: {role} }}", hash(role));
    let tokens: Vec<String> = roles.iter().map(token).collect();
    let gateway = Setup::one(&upstream).section(&format!("admin: {{ tokens: [{}] }}", tokens.join(", "))).start();
    // Through a proxy, so that loopback opens no door.
    let ask = |method, path, token: &str| {
        gateway.admin(method, path).header("x-forwarded-for", "192.0.2.1").key(token).send().status
    };
    for (method, path, wanted) in [
        ("GET", "/metrics", [200, 200, 200]),
        ("GET", "/admin/targets", [200, 200, 200]),
        ("GET", "/admin/decisions", [403, 200, 200]),
        ("GET", "/admin/config", [403, 200, 200]),
        ("POST", "/admin/reload", [403, 200, 403]),
    ] {
        assert_eq!(roles.map(|role| ask(method, path, role)), wanted, "{method} {path}");
        assert_eq!(ask(method, path, "nobody"), 401, "{method} {path}");
    }
    assert_eq!(gateway.admin("GET", "/admin/reload").send().status, 405);
    let foreign = gateway.admin("POST", "/admin/reload").header("origin", "https://evil.example").send();
    assert_eq!(foreign.status, 403, "a page in a browser on this machine cannot do it");
}
