//! What is in `dashboards/` asks for what the gateway exports, and a real Prometheus answers it.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use waypost::telemetry::Metrics;

/// How long Prometheus may take to have data for every panel; some seconds are usual.
const PATIENCE: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(250);
/// One request to Prometheus.
const ANSWER: Duration = Duration::from_secs(5);
/// What stands for Grafana's variables.
const VARIABLES: [(&str, &str); 5] =
    [("$__rate_interval", "10s"), ("$__range", "10s"), ("$job", ".+"), ("$instance", ".+"), ("$own", ".+")];

#[test]
fn every_query_names_an_exported_metric() {
    let mut unknown = Vec::new();
    for query in dashboard() {
        unknown.extend(unexported(&query.expr).into_iter().map(|name| format!("{name} in panel `{}`", query.panel)));
    }
    let (records, exprs) = rules();
    for expr in exprs {
        unknown.extend(unexported(&expr).into_iter().filter(|name| !records.contains(name)));
    }
    assert!(unknown.is_empty(), "the gateway exports no {unknown:#?}");
}

#[test]
fn a_misspelt_metric_is_found() {
    let expr = r#"3600 * sum by (tenant, le) (rate(waypost_cost_usd_totall{job=~"$job"}[$__rate_interval])) / on (tenant)
        group_left (x) (avg_over_time(waypost_store_up[1h] offset 5m) or vector(0)) > bool 1e3"#;
    assert_eq!(unexported(expr), ["waypost_cost_usd_totall"]);
    assert_eq!(unexported("waypost_difficulty"), ["waypost_difficulty"], "a histogram has no series of its own name");
}

#[test]
fn panels_use_the_chosen_data_source_and_have_ids_of_their_own() {
    let mut ids = BTreeSet::new();
    for panel in panels() {
        assert!(ids.insert(panel["id"].as_u64()), "{} stands twice", panel["id"]);
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "in {}", panel["title"]);
        }
    }
}

/// Scrapes the gateway at `admin` with a real Prometheus and asks it every panel's query: each must have data, with the
/// labels that its legend shows, and every rule of `rules.yaml` must evaluate.
///
/// The caller keeps a load running until this returns. It must hold: `auto` requests that are scored, streamed ones,
/// requests denied by a rule, candidates removed by a rule, cacheable requests with the cache on, and calls to an
/// upstream that fail.
///
/// # Panics
/// Where a query stays empty or is refused, and where Prometheus is missing.
pub(crate) async fn every_panel_has_data(admin: SocketAddr) {
    let prometheus = Prometheus::start(admin);
    let deadline = Instant::now() + PATIENCE;
    let mut waiting: Vec<(Query, String)> =
        dashboard().into_iter().map(|query| (query, "never asked".to_owned())).collect();
    let mut rules = "never asked".to_owned();
    while !waiting.is_empty() || !rules.is_empty() {
        assert!(
            Instant::now() < deadline,
            "no data within {PATIENCE:?}:\n{}\nrules: {rules}\nPrometheus says:\n{}",
            waiting
                .iter()
                .map(|(query, why)| format!("{}: {} -> {why}\n", query.panel, query.expr))
                .collect::<String>(),
            prometheus.log(),
        );
        // Not a guess at how long it takes: the loop ends as soon as everything has answered.
        tokio::time::sleep(POLL).await;
        let mut still = Vec::new();
        for (query, _) in waiting {
            if let Err(why) = prometheus.has_data(&query).await {
                still.push((query, why));
            }
        }
        waiting = still;
        rules = prometheus.rules_at_fault().await;
    }
}

/// One query of one panel.
#[derive(Debug)]
struct Query {
    panel: String,
    expr: String,
    legend: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

fn panels() -> Vec<Value> {
    let text = std::fs::read_to_string(folder().join("overview.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut panels = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        panels.push(panel.clone());
        panels.extend(panel["panels"].as_array().into_iter().flatten().cloned());
    }
    panels
}

fn dashboard() -> Vec<Query> {
    let mut queries = Vec::new();
    for panel in panels() {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert!(panel["type"] == "row" || !targets.is_empty(), "panel `{title}` asks for nothing");
        queries.extend(targets.iter().map(|target| Query {
            panel: title.to_owned(),
            expr: target["expr"].as_str().unwrap().to_owned(),
            legend: target["legendFormat"].as_str().unwrap_or_default().to_owned(),
        }));
    }
    queries
}

/// Names that `rules.yaml` records, and all its expressions.
fn rules() -> (BTreeSet<String>, Vec<String>) {
    let text = std::fs::read_to_string(folder().join("rules.yaml")).unwrap();
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    let all: Vec<&Value> =
        file["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    let records = all.iter().filter_map(|rule| Some(rule["record"].as_str()?.to_owned())).collect();
    (records, all.iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect())
}

/// Metrics in a PromQL expression that the gateway does not export.
fn unexported(expr: &str) -> Vec<String> {
    let exported = Metrics::names();
    metric_names(expr).into_iter().filter(|name| !exported.contains(name)).collect()
}

/// The metric names of a PromQL expression: names that are no function, no keyword, and stand neither in a string, a
/// selector, a range nor a list of labels.
fn metric_names(expr: &str) -> Vec<String> {
    const LABEL_LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
    const WORDS: [&str; 8] = ["and", "or", "unless", "bool", "offset", "inf", "nan", "atan2"];
    let mut names = Vec::new();
    let mut rest = expr;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '"' => rest[1..].split_once('"').unwrap().1,
            '{' => past_selector(rest),
            '[' => rest.split_once(']').unwrap().1,
            '0'..='9' => rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.'),
            'a'..='z' | 'A'..='Z' | '_' | ':' => {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c))).unwrap_or(rest.len());
                let (name, after) = rest.split_at(end);
                // `sum(…)`, and `sum by (…) (…)`.
                let called =
                    ["(", "by ", "by(", "without ", "without("].iter().any(|next| after.trim_start().starts_with(next));
                if LABEL_LISTS.contains(&name) {
                    after.trim_start().strip_prefix('(').map_or(after, |list| list.split_once(')').unwrap().1)
                } else {
                    if !called && !WORDS.contains(&name.to_ascii_lowercase().as_str()) {
                        names.push(name.to_owned());
                    }
                    after
                }
            }
            _ => &rest[first.len_utf8()..],
        };
    }
    names
}

/// What follows a `{…}`; braces within its strings do not count.
fn past_selector(selector: &str) -> &str {
    let mut in_string = false;
    for (at, c) in selector.char_indices() {
        match c {
            '"' => in_string = !in_string,
            '}' if !in_string => return &selector[at + 1..],
            _ => {}
        }
    }
    panic!("`{selector}` does not end");
}

/// A running Prometheus. Ends when dropped.
struct Prometheus {
    process: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Prometheus {
    fn start(admin: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Prometheus cannot report a port of its own choice.
        let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let config = folder.path().join("prometheus.yml");
        let rules = self::folder().join("rules.yaml");
        let text = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}\n\
             rule_files: [ {rules:?} ]\n\
             scrape_configs:\n  - job_name: waypost\n    static_configs: [ {{ targets: [\"{admin}\"] }} ]\n"
        );
        std::fs::write(&config, text).unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start `prometheus` ({error}): `apt-get install prometheus`, or `make test`, which installs it")
            });
        Self { process, address, folder }
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }

    /// Whether the query has a value that is a number, with the labels of its legend; else what came instead.
    ///
    /// # Panics
    /// Where Prometheus does not accept the query.
    async fn has_data(&self, query: &Query) -> Result<(), String> {
        let mut expr = query.expr.clone();
        for (variable, value) in VARIABLES {
            expr = expr.replace(variable, value);
        }
        assert!(!expr.contains('$'), "panel `{}` has a variable that is not known here: {expr}", query.panel);
        let encoded: String = url::form_urlencoded::byte_serialize(expr.as_bytes()).collect();
        let answer = self.get(&format!("/api/v1/query?query={encoded}")).await?;
        assert_ne!(answer["errorType"], "bad_data", "panel `{}`: {expr}: {answer}", query.panel);
        let results = answer["data"]["result"].as_array().ok_or_else(|| answer.to_string())?;
        let with_value = results.iter().find(|result| result["value"][1].as_str().is_some_and(|value| value != "NaN"));
        let Some(result) = with_value else { return Err(answer["data"]["result"].to_string()) };
        for label in query.legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
            assert!(result["metric"][label].is_string(), "the legend of `{}` shows {label}: {result}", query.panel);
        }
        Ok(())
    }

    /// Rules that have not evaluated well so far; empty if all have.
    async fn rules_at_fault(&self) -> String {
        let answer = match self.get("/api/v1/rules").await {
            Ok(answer) => answer,
            Err(why) => return why,
        };
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        if groups.is_empty() {
            return "not loaded".to_owned();
        }
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().into_iter().flatten());
        rules
            .filter(|rule| rule["health"] != "ok")
            .map(|rule| format!("{}: {} ", rule["name"], rule["lastError"]))
            .collect()
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        let body = tokio::time::timeout(ANSWER, get(self.address, path))
            .await
            .map_err(|_| "no answer".to_owned())?
            .map_err(|error| error.to_string())?;
        serde_json::from_str(&body).map_err(|_| body)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The body of a GET. HTTP/1.0, so that the answer has no chunks and ends with the connection.
async fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.split_once("\r\n\r\n").map(|(_head, body)| body.to_owned()).unwrap_or_default())
}
