//! Every route of the data listener × every control: who may, how often, past which policy, with whose cache, and what is
//! written down. The routes are those that the gateway itself goes by; one without a row here is a failure.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use waypost::gateway::ROUTES;

use crate::harness::{ABROAD, Answer, Gateway, Setup, Upstream, VirtualKey, chat, eventually};

/// What must hold for one route: a new one has to say all of it.
struct Row {
    method: &'static str,
    path: &'static str,
    /// A request of this route for this model.
    body: fn(&str) -> Value,
    /// Which sort of model it asks for.
    sort: &'static str,
    policy: Policy,
    answers: Answers,
    /// The operation that the record of it names; `None`: there is no record.
    record: Option<&'static str>,
    /// The permission that a key needs for it.
    permission: Option<&'static str>,
}

/// How policy shows where the model that is asked for is forbidden.
#[derive(Clone, Copy, PartialEq)]
enum Policy {
    /// 403 that names the rule.
    Forbids,
    /// A decision that is denied, naming the rule.
    Tells,
    /// The name is not in the list.
    LeavesOut,
    /// 404, as if there were no such model.
    Hides,
    /// No model is asked for: whose it is decides.
    OwnOnly,
}

/// Where answers come from.
#[derive(Clone, Copy, PartialEq)]
enum Answers {
    /// The upstream, and for the same again of the same tenant the cache.
    Kept,
    /// The upstream each time.
    Asked,
    /// The gateway; no upstream hears of it.
    Ours,
}

fn message(model: &str) -> Value {
    json!({ "model": model, "max_tokens": 9, "temperature": 0, "messages": [{ "role": "user", "content": "hi" }] })
}

const fn answered(path: &'static str, body: fn(&str) -> Value, sort: &'static str, word: &'static str) -> Row {
    let record = Some(word);
    Row { method: "POST", path, body, sort, policy: Policy::Forbids, answers: Answers::Kept, record, permission: None }
}

const fn ours(method: &'static str, path: &'static str, body: fn(&str) -> Value, policy: Policy) -> Row {
    Row { method, path, body, sort: "talk", policy, answers: Answers::Ours, record: None, permission: None }
}

const NOTHING: fn(&str) -> Value = |_| Value::Null;

const ROWS: [Row; 11] = [
    answered("/v1/chat/completions", message, "talk", "chat"),
    answered("/v1/responses", |model| json!({ "model": model, "input": "hi", "temperature": 0 }), "talk", "responses"),
    answered("/v1/messages", message, "talk", "messages"),
    answered(
        "/v1/completions",
        |model| json!({ "model": model, "prompt": "hi", "temperature": 0 }),
        "talk",
        "completions",
    ),
    answered("/v1/embeddings", |model| json!({ "model": model, "input": "hi" }), "vectors", "embeddings"),
    Row {
        answers: Answers::Asked,
        ..answered(
            "/v1/messages/count_tokens",
            |model| json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] }),
            "counts",
            "count_tokens",
        )
    },
    ours("GET", "/v1/models", NOTHING, Policy::LeavesOut),
    ours("GET", "/v1/models/{id}", NOTHING, Policy::Hides),
    ours("GET", "/v1/decisions/{id}", NOTHING, Policy::OwnOnly),
    Row { permission: Some("route"), ..ours("POST", "/v1/route", message, Policy::Tells) },
    Row {
        permission: Some("feedback"),
        ..ours("POST", "/v1/feedback", |decision| json!({ "decision": decision, "score": 1 }), Policy::OwnOnly)
    },
];

/// Two tenants, a model of each sort at home and one of the same sort abroad, where no policy lets anything go.
struct World {
    gateway: Gateway,
    home: Upstream,
    abroad: Upstream,
    /// Of `acme`: everything, and nothing but to ask.
    acme: VirtualKey,
    bare: VirtualKey,
    /// Of `rival`: everything.
    rival: VirtualKey,
    /// A decision of `acme`.
    decision: String,
}

const FORBIDS: &str = "policy: default\nrules:\n  - name: never-abroad\n    forbid: { location.countries: { in: [US] } }\n\
                       objective: { minimise: cost }\n";

fn models(home: &Upstream, abroad: &Upstream) -> Setup {
    let mut setup = Setup::new().policy("default", FORBIDS).section("cache: { exact: on }");
    for (place, upstream, facts) in [("home", home, ""), ("abroad", abroad, ABROAD)] {
        let claude = format!("{place}-claude");
        let comma = if facts.is_empty() { "" } else { ", " };
        setup = setup
            .provider(place, upstream, facts)
            .model(&format!("talk-{place}"), place, "tier: mid")
            .model(&format!("vectors-{place}"), place, "kind: embedding, tier: mid")
            .provider(&claude, upstream, &format!("kind: anthropic, credentials: [{{ api_key: k }}]{comma}{facts}"))
            .model(&format!("counts-{place}"), &claude, "tier: mid");
    }
    setup
}

impl World {
    fn start() -> Self {
        let (home, abroad) = (Upstream::plain(), Upstream::plain());
        let [acme, bare, rival] = [(); 3].map(|()| VirtualKey::create());
        let keys = [
            acme.entry("acme", "tenant: acme, permissions: [route, feedback]"),
            bare.entry("bare", "tenant: acme"),
            rival.entry("rival", "tenant: rival, permissions: [route, feedback]"),
        ];
        let gateway = models(&home, &abroad)
            .section("tenants: [{ name: acme }, { name: rival }]")
            .section(&format!("auth: {{ open: never, keys: [{}] }}", keys.join(", ")))
            .start();
        let answer = gateway.chat(&chat("talk-home", "a decision")).key(&acme.secret).send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let decision = answer.expect_header("x-waypost-decision").to_owned();
        let world = Self { gateway, home, abroad, acme, bare, rival, decision };
        world.settled(&world.decision);
        world
    }

    /// Asks for the row's sort of model in this place.
    fn ask(&self, row: &Row, place: &str, key: Option<&str>) -> Answer {
        ask(&self.gateway, row, &format!("{}-{place}", row.sort), &self.decision, key)
    }

    /// Ids and operations of every decision that is kept.
    fn decisions(&self) -> BTreeSet<(String, String)> {
        let listed = self.gateway.admin_get("/admin/decisions?limit=1000").json();
        let text = |decision: &Value, field: &str| decision[field].as_str().unwrap().to_owned();
        let listed = listed["decisions"].as_array().unwrap();
        listed.iter().map(|decision| (text(decision, "id"), text(decision, "operation"))).collect()
    }

    fn settled(&self, id: &str) {
        eventually(&format!("the record {id}"), || self.decisions().iter().any(|(known, _)| known == id).then_some(()));
    }
}

fn ask(gateway: &Gateway, row: &Row, model: &str, decision: &str, key: Option<&str>) -> Answer {
    let named = if row.path.starts_with("/v1/models") { model } else { decision };
    let path = row.path.replace("{id}", named);
    let about = if row.path == "/v1/feedback" { decision } else { model };
    let request = match row.method {
        "GET" => gateway.get(&path),
        _ => gateway.post(&path, &(row.body)(about)),
    };
    key.map_or(request.clone(), |key| request.key(key)).send()
}

#[test]
fn every_route_that_the_gateway_serves_has_a_row_of_controls() {
    let served: BTreeSet<_> = ROUTES.iter().map(|route| (route.method.as_str(), route.path)).collect();
    let rows: BTreeSet<_> = ROWS.iter().map(|row| (row.method, row.path)).collect();
    assert_eq!(served, rows, "a route and its row of controls come together");
    assert_eq!((ROUTES.len(), ROWS.len()), (served.len(), rows.len()), "each once");
}

#[test]
fn no_route_serves_a_stranger() {
    let world = World::start();
    let (asked, kept) = (world.home.requests(), world.decisions());
    let unknown = VirtualKey::create();
    for row in &ROWS {
        for key in [None, Some(unknown.secret.as_str()), Some("wp-nonsense")] {
            let answer = world.ask(row, "home", key);
            assert_eq!(answer.status, 401, "{} {key:?}: {}", row.path, answer.text());
            assert_eq!(answer.header("x-waypost-decision"), None, "{}", row.path);
        }
        let known = world.ask(row, "home", Some(&world.acme.secret));
        assert_eq!(known.status, 200, "{}: {}", row.path, known.text());
    }
    // Those of the key that is known, and no others.
    let answered = ROWS.iter().filter(|row| row.answers != Answers::Ours).count();
    assert_eq!(world.home.requests() - asked, u64::try_from(answered).unwrap());
    let recorded = ROWS.iter().filter(|row| row.record.is_some()).count();
    eventually("the records of the known key", || (world.decisions().len() == kept.len() + recorded).then_some(()));
    world.abroad.must_be_untouched();
}

#[test]
fn every_route_counts_towards_the_limit_and_ends_at_it() {
    let (home, abroad) = (Upstream::plain(), Upstream::plain());
    let keys: Vec<VirtualKey> = ROWS.iter().map(|_| VirtualKey::create()).collect();
    let once = "permissions: [route, feedback], limits: { requests_per_minute: 1 }";
    let entries: Vec<String> =
        keys.iter().enumerate().map(|(place, key)| key.entry(&format!("k{place}"), once)).collect();
    let gateway = models(&home, &abroad).section(&format!("auth: {{ keys: [{}] }}", entries.join(", "))).start();
    for (row, key) in ROWS.iter().zip(&keys) {
        let ask = || ask(&gateway, row, &format!("{}-home", row.sort), "dec_unknown", Some(&key.secret));
        let first = ask();
        let expected = if row.policy == Policy::OwnOnly { 404 } else { 200 };
        assert_eq!(first.status, expected, "{}: {}", row.path, first.text());
        let asked = home.requests();
        let second = ask();
        assert_eq!(second.status, 429, "{}: {}", row.path, second.text());
        assert!(second.header("retry-after").is_some(), "{}", row.path);
        assert_eq!(home.requests(), asked, "{}: refused before anybody was asked", row.path);
    }
}

#[test]
fn every_route_needs_the_permission_that_is_its_own_and_no_other() {
    let world = World::start();
    for row in &ROWS {
        let answer = world.ask(row, "home", Some(&world.bare.secret));
        match row.permission {
            Some(permission) => {
                let message = answer.must_be_error(403, "permission_denied");
                assert!(message.contains(permission), "{}: {message}", row.path);
            }
            None => assert_eq!(answer.status, 200, "{}: {}", row.path, answer.text()),
        }
    }
}

#[test]
fn no_route_leads_past_the_policy() {
    let world = World::start();
    let key = Some(world.acme.secret.as_str());
    for row in &ROWS {
        let forbidden = world.ask(row, "abroad", key);
        let said = forbidden.text();
        match row.policy {
            Policy::Forbids => {
                assert!(forbidden.status == 403 && said.contains("never-abroad"), "{}: {said}", row.path);
            }
            Policy::Tells => {
                let decision = forbidden.json();
                assert_eq!((forbidden.status, &decision["outcome"]), (200, &json!("denied")), "{}: {said}", row.path);
                assert_eq!(decision["candidates"][0]["removed_by"], "never-abroad", "{}: {said}", row.path);
            }
            Policy::LeavesOut => {
                assert!(forbidden.status == 200 && !said.contains("abroad"), "{}: {said}", row.path);
                assert!(said.contains("talk-home") && said.contains("vectors-home"), "{}: {said}", row.path);
            }
            Policy::Hides => {
                forbidden.must_be_error(404, "model_not_found");
            }
            Policy::OwnOnly => assert_eq!(forbidden.status, 200, "{}: {said}", row.path),
        }
        world.abroad.must_be_untouched();
        let allowed = world.ask(row, "home", key);
        assert_eq!(allowed.status, 200, "{}: {}", row.path, allowed.text());
    }
    world.abroad.must_be_untouched();
    assert!(world.home.requests() > 5, "what is allowed arrived");
}

#[test]
fn no_route_shows_one_tenant_what_is_anothers() {
    let world = World::start();
    let (acme, rival) = (Some(world.acme.secret.as_str()), Some(world.rival.secret.as_str()));
    for row in &ROWS {
        let cached = |answer: &Answer| answer.header("x-waypost-cache").map(str::to_owned);
        let first = world.ask(row, "home", acme);
        assert_eq!(first.status, 200, "{}: {}", row.path, first.text());
        match row.answers {
            Answers::Kept => {
                assert_eq!(cached(&first).as_deref(), Some("miss"), "{}", row.path);
                eventually(&format!("a hit at {}", row.path), || {
                    (cached(&world.ask(row, "home", acme)).as_deref() == Some("hit")).then_some(())
                });
                let asked = world.home.requests();
                let theirs = world.ask(row, "home", rival);
                assert_eq!((theirs.status, cached(&theirs).as_deref()), (200, Some("miss")), "{}", row.path);
                assert_eq!(world.home.requests(), asked + 1, "{}: the other tenant's is asked for itself", row.path);
            }
            Answers::Asked => {
                let asked = world.home.requests();
                for key in [acme, acme, rival] {
                    assert_eq!(cached(&world.ask(row, "home", key)), None, "{}: nothing is kept", row.path);
                }
                assert_eq!(world.home.requests(), asked + 3, "{}", row.path);
            }
            Answers::Ours => {
                let asked = world.home.requests();
                let theirs = world.ask(row, "home", rival);
                // A decision, and what may be said of it, are its own tenant's; that there is one is not told.
                let expected = if row.policy == Policy::OwnOnly { 404 } else { 200 };
                assert_eq!((theirs.status, cached(&theirs)), (expected, None), "{}: {}", row.path, theirs.text());
                assert!(!theirs.text().contains("acme"), "{}: {}", row.path, theirs.text());
                assert_eq!(world.home.requests(), asked, "{}", row.path);
            }
        }
    }
    world.abroad.must_be_untouched();
}

#[test]
fn every_route_leaves_the_record_that_it_should_and_no_other() {
    let world = World::start();
    let key = Some(world.acme.secret.as_str());
    for row in &ROWS {
        for place in ["home", "abroad"] {
            let before = world.decisions();
            let answer = world.ask(row, place, key);
            let id = answer.header("x-waypost-decision");
            assert_eq!(id.is_some(), row.record.is_some(), "{} {place}: {answer:?}", row.path);
            if let Some(id) = id {
                world.settled(id);
            }
            // One that is known to come after it.
            let after = world.gateway.chat(&chat("talk-home", "after")).key(&world.acme.secret).send();
            let after = after.expect_header("x-waypost-decision");
            world.settled(after);
            let new: Vec<_> = world.decisions().difference(&before).filter(|(id, _)| id != after).cloned().collect();
            let wanted: Vec<_> =
                id.into_iter().map(|id| (id.to_owned(), row.record.unwrap_or_default().to_owned())).collect();
            assert_eq!(new, wanted, "{} {place}", row.path);
        }
    }
}

#[test]
fn a_preflight_of_any_route_asks_and_tells_nothing() {
    let world = World::start();
    let (asked, kept) = (world.home.requests(), world.decisions());
    for row in &ROWS {
        let path = row.path.replace("{id}", &world.decision);
        let mut connection = world.gateway.connect();
        connection.send(format!("OPTIONS {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes());
        let answer = connection.answer();
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{}", row.path);
    }
    assert_eq!((world.home.requests(), world.decisions()), (asked, kept));
}
