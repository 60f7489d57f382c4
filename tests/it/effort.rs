//! Candidates are targets at efforts: what was measured decides how much is thought, and what was seen how long that takes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Answer, Gateway, Ran, Setup, Upstream, chat, eventually, prompt, text, waypost, with};

/// Labels of `thinker@own` at two efforts and of `large@paid`: proofs need the high effort, or the other model.
fn labels(count: usize, both: bool) -> String {
    let mut lines = String::new();
    for number in 0..count {
        let (prompt, hard) = prompt(number);
        let (low, high, large) =
            (if hard { number % 16 == 1 } else { number % 40 != 0 }, number % 20 != 3, number % 20 != 1);
        let score = |good: bool| f64::from(u8::from(good));
        let mut thinker = vec![json!({ "effort": "low", "score": score(low), "output_tokens": 50 })];
        // Not both at once, where it is not to be known which of the two is better.
        if both || number % 2 == 0 {
            thinker.push(json!({ "effort": "high", "score": score(high), "output_tokens": 900 }));
        }
        if !both && number % 2 == 0 {
            thinker.remove(0);
        }
        let outcomes = json!({ "thinker@own": thinker, "large@paid": { "score": score(large), "output_tokens": 60 } });
        lines.push_str(&format!("{}\n", json!({ "prompt": prompt, "outcomes": outcomes })));
    }
    lines
}

fn setup(own: &Upstream, paid: &Upstream) -> Setup {
    setup_of(own, paid, "reasoning: { style: effort }, price: { input: 1, output: 1 }")
}

fn setup_of(own: &Upstream, paid: &Upstream, thinker: &str) -> Setup {
    Setup::new()
        .provider("own", own, "")
        .model("thinker", "own", &format!("tier: mid, {thinker}"))
        .provider("paid", paid, "")
        .model("large", "paid", "tier: strong, reasoning: { style: none }, price: { input: 50, output: 500 }")
        .section("classifier: { model: linear, deadline: 5s }")
        .policy(
            "default",
            "policy: default\nobjective: { minimise: cost, quality: { at_least: 0.9, confidence: 0.9 } }\n",
        )
}

fn calibrate(config: &Path, labels: &str) -> (PathBuf, Ran) {
    let folder = config.parent().unwrap();
    let (data, out) = (folder.join("labels.jsonl"), folder.join("calibration.json"));
    std::fs::write(&data, labels).unwrap();
    let ran = waypost(&["calibrate", "--data", text(&data), "--config", text(config), "--out", text(&out)], &[]);
    assert_eq!(ran.code, 0, "{ran}");
    (out, ran)
}

/// A gateway that goes by labels of both efforts.
fn calibrated(own: &Upstream, paid: &Upstream) -> (tempfile::TempDir, Gateway) {
    let (folder, config) = setup(own, paid).write();
    let (out, _) = calibrate(&config, &labels(600, true));
    let gateway = setup(own, paid).section(&format!("calibration: {}", text(&out))).start();
    (folder, gateway)
}

/// The last body that reached an upstream.
fn arrived(upstream: &Upstream) -> Value {
    serde_json::from_str(&upstream.last_body()).unwrap()
}

fn chosen(decision: &Value) -> &Value {
    &decision["candidates"][usize::try_from(decision["chosen"].as_u64().unwrap()).unwrap()]
}

#[test]
fn the_effort_that_was_measured_to_do_arrives_at_the_model() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (_folder, gateway) = calibrated(&own, &paid);
    for (number, effort) in [(10, "low"), (11, "high")] {
        let text = prompt(number).0;
        let answer = gateway.chat(&chat("auto", &text)).send();
        assert_eq!(answer.expect_header("x-waypost-model"), "thinker", "{answer:?}");
        assert_eq!(arrived(&own)["reasoning_effort"], effort);
        let decision = gateway.decision_of(&answer);
        assert_eq!(decision["quality"]["basis"], "calibrated", "{decision}");
        assert_eq!(
            (&chosen(&decision)["effort"], &decision["attempts"][0]["effort"]),
            (&json!(effort), &json!(effort))
        );
        let tried: Vec<_> = decision["candidates"].as_array().unwrap().iter().map(|it| it["effort"].clone()).collect();
        assert_eq!(tried, [json!("low"), json!("high"), json!(null)], "{decision}");

        let message = json!({ "model": "auto", "max_tokens": 5000, "messages": [{ "role": "user", "content": text }] });
        assert_eq!(gateway.post("/v1/messages", &message).send().status, 200);
        assert_eq!(arrived(&own)["reasoning_effort"], effort, "from a Messages client");
        let input = json!({ "model": "auto", "input": text });
        assert_eq!(gateway.post("/v1/responses", &input).send().status, 200);
        assert_eq!(arrived(&own)["reasoning_effort"], effort, "from a Responses client");
    }
    paid.must_be_untouched();
}

#[test]
fn what_a_client_asks_for_itself_stays_and_what_it_names_is_asked_as_it_stands() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (_folder, gateway) = calibrated(&own, &paid);
    let high = with(chat("auto", &prompt(10).0), "reasoning_effort", json!("high"));
    let decision = gateway.decision_of(&gateway.chat(&high).send());
    assert_eq!(arrived(&own)["reasoning_effort"], "high");
    assert_eq!(
        (&decision["quality"]["basis"], decision["candidates"].as_array().unwrap().len()),
        (&json!("calibrated"), 2)
    );
    assert_eq!(chosen(&decision)["effort"], "high");
    // Nobody measured this one, so nothing is claimed of it.
    let medium = with(chat("auto", &prompt(10).0), "reasoning_effort", json!("medium"));
    let decision = gateway.decision_of(&gateway.chat(&medium).send());
    assert_eq!(decision["quality"]["basis"], "prior", "{decision}");
    let first = &decision["attempts"][0];
    assert_eq!((&first["target"], &first["effort"]), (&json!("thinker@own"), &json!("medium")), "{decision}");
    assert_eq!(arrived(&own)["reasoning_effort"], "medium");
    paid.must_be_untouched();

    let named = gateway.decision_of(&gateway.chat(&chat("thinker", &prompt(11).0)).send());
    assert_eq!(arrived(&own).get("reasoning_effort"), None);
    assert_eq!((&named["reason"], &chosen(&named)["effort"]), (&json!("named"), &json!(null)));
}

#[test]
fn a_dry_run_shows_target_effort_and_the_tokens_to_expect() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (_folder, gateway) = calibrated(&own, &paid);
    let dry = gateway.post("/v1/route", &chat("auto", &prompt(11).0)).send().json();
    assert_eq!(chosen(&dry)["effort"], "high", "{dry}");
    assert_eq!(chosen(&dry)["output"], json!({ "p10": 225, "median": 900, "p90": 3600 }), "as the labels tell");
    assert!(chosen(&dry)["answer_ms"].as_f64().unwrap() > chosen(&dry)["ttft_ms"].as_f64().unwrap(), "it thinks first");
    let shown = waypost(&["explain", "--config", text(&gateway.file("config.yaml")), &prompt(11).0], &[]);
    for wanted in ["thinker@own at high", "thinker@own at low", "900 (225–3600)", "tokens out"] {
        assert!(shown.stdout.contains(wanted), "{wanted} in {shown}");
    }
    own.must_be_untouched();
    paid.must_be_untouched();
}

#[test]
fn efforts_that_were_not_measured_on_the_same_prompts_are_not_chosen_among() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (_folder, config) = setup(&own, &paid).write();
    let (out, ran) = calibrate(&config, &labels(300, false));
    assert!(ran.stdout.contains("routing chooses one effort a target"), "{ran}");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    let routed = |target: &str| {
        let of = file["targets"].as_array().unwrap().iter().filter(|it| it["target"] == target);
        of.filter(|it| it["routed"] == true).count()
    };
    assert_eq!((routed("thinker@own"), routed("large@paid")), (1, 1));
}

#[test]
fn an_effort_that_a_model_cannot_be_told_is_said_by_calibrate_and_check() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (_folder, config) = setup(&own, &paid).write();
    let (out, _) = calibrate(&config, &labels(200, true));
    let known = std::fs::read_to_string(&config).unwrap();
    let other = known
        .replace("reasoning: { style: effort }", "reasoning: { style: effort, efforts: { low: 1024, medium: 4096 } }");
    std::fs::write(&config, format!("{other}calibration: {}\n", text(&out))).unwrap();
    let checked = waypost(&["check", "--config", text(&config)], &[]);
    assert!(checked.all().contains("cannot be asked with: thinker@own at high"), "{checked}");
    let (_, ran) = calibrate(&config, &labels(200, true));
    assert!(ran.stdout.contains("thinker@own (high) is not routed"), "{ran}");
}

#[test]
fn a_tool_loop_keeps_the_effort_it_began_with() {
    let call = "tool_calls: [{ name: add, arguments: { a: 1 }, id: c1 }]";
    let (own, paid) = (Upstream::that(call), Upstream::that(call));
    let (_folder, gateway) = calibrated(&own, &paid);
    let tools = json!([{ "type": "function", "function": { "name": "add", "parameters": { "type": "object" } } }]);
    let question = json!({ "role": "user", "content": prompt(11).0 });
    let first = with(with(chat("auto", ""), "messages", json!([question])), "tools", tools);
    let answer = gateway.chat(&first).send();
    let effort = arrived(&own)["reasoning_effort"].clone();
    assert!(effort.is_string(), "{}", arrived(&own));
    let said = answer.json()["choices"][0]["message"].clone();
    let result = json!({ "role": "tool", "tool_call_id": "c1", "content": "2" });
    let answer = gateway.chat(&with(first, "messages", json!([question, said, result]))).send();
    assert_eq!(answer.expect_header("x-waypost-reason"), "pinned");
    assert_eq!(arrived(&own)["reasoning_effort"], effort);
    assert_eq!(chosen(&gateway.decision_of(&answer))["effort"], effort);
}

#[test]
fn claude_goes_on_with_a_tool_loop_without_thinking_where_the_request_forces_a_tool() {
    let call = "tool_calls: [{ name: add, arguments: { a: 1 }, id: c1 }]";
    let (own, paid) = (Upstream::that(call), Upstream::that(call));
    let setup = || {
        Setup::new()
            .provider("own", &own, "kind: anthropic, credentials: [{ api_key: k }]")
            .model("thinker", "own", "tier: mid, reasoning: { style: budget }, price: { input: 1, output: 1 }")
            .provider("paid", &paid, "")
            .model("large", "paid", "tier: strong, reasoning: { style: none }, price: { input: 50, output: 500 }")
            .section("classifier: { model: linear, deadline: 5s }")
            .policy(
                "default",
                "policy: default\nobjective: { minimise: cost, quality: { at_least: 0.9, confidence: 0.9 } }\n",
            )
    };
    let (_folder, config) = setup().write();
    let (out, _) = calibrate(&config, &labels(600, true));
    let gateway = setup().section(&format!("calibration: {}", text(&out))).start();
    let question = json!({ "role": "user", "content": prompt(11).0 });
    let tools = json!([{ "name": "add", "input_schema": { "type": "object" } }]);
    let first = json!({ "model": "auto", "max_tokens": 40_000, "tools": tools, "messages": [question] });
    let answer = gateway.post("/v1/messages", &first).send();
    assert_eq!(arrived(&own)["thinking"]["type"], "enabled", "{}", arrived(&own));
    let said = json!({ "role": "assistant", "content": answer.json()["content"] });
    let result = json!([{ "type": "tool_result", "tool_use_id": "c1", "content": "2" }]);
    let messages = json!([question, said, { "role": "user", "content": result }]);
    for (steering, thinks) in [(json!({ "type": "auto" }), true), (json!({ "type": "any" }), false)] {
        let next = with(with(first.clone(), "messages", messages.clone()), "tool_choice", steering);
        let answer = gateway.post("/v1/messages", &next).send();
        assert_eq!(answer.expect_header("x-waypost-reason"), "pinned");
        assert_eq!(arrived(&own).get("thinking").is_some(), thinks, "{}", arrived(&own));
    }
}

#[test]
fn how_long_answers_are_is_learned_from_those_that_were_given() {
    let own = Upstream::that("completion_tokens: 3000");
    let gateway = Setup::one(&own).start();
    let expected = || {
        let dry = gateway.post("/v1/route", &chat("auto", "hi")).send().json();
        (chosen(&dry)["output"].clone(), chosen(&dry)["cost_nusd"].as_i64().unwrap())
    };
    let (output, before) = expected();
    assert_eq!(output, json!({ "p10": 100, "median": 400, "p90": 1600 }), "the stated default");
    for _ in 0..25 {
        assert_eq!(gateway.chat(&chat("auto", "hi")).send().status, 200);
    }
    // An answer is settled a moment after it has come.
    let (_, after) = eventually("the median is theirs", || {
        let (output, cost) = expected();
        let tokens = |name: &str| output[name].as_u64().unwrap();
        (tokens("p10") > 2600 && tokens("median").abs_diff(3000) < 400 && tokens("p90") < 3400)
            .then_some((output, cost))
    });
    assert!(after > before * 6, "{before} and {after}");
}

/// What a dry run expects of the only target: the tokens, and the milliseconds to its answer.
fn expected_of(gateway: &Gateway) -> (Value, Value) {
    let dry = gateway.post("/v1/route", &chat("auto", "hi")).send().json();
    (chosen(&dry)["output"].clone(), chosen(&dry)["answer_ms"].clone())
}

#[test]
fn an_effort_that_nobody_knows_and_answers_of_which_the_sum_is_known_teach_nothing() {
    let own = Upstream::that("completion_tokens: 3000, reasoning: \"a b c d e f\", per_event: 30ms, lenient: true");
    let gateway = Setup::one(&own).start();
    let before = expected_of(&gateway);
    assert_eq!(before.0, json!({ "p10": 100, "median": 400, "p90": 1600 }), "the stated default");
    let plain = chat("auto", "hi");
    for (field, value) in [
        ("enable_thinking", json!(false)),
        ("thinking_budget", json!(2000)),
        ("reasoning", json!({ "max_tokens": 2000 })),
        ("reasoning_effort", json!(null)),
    ] {
        for stream in [false, true] {
            let body = with(with(plain.clone(), field, value.clone()), "stream", json!(stream));
            let decision = gateway.decision_of(&gateway.chat(&body).send());
            assert_eq!(decision["outcome"], "ok", "{decision}");
            assert_eq!(decision["attempts"][0]["effort"], "client", "{field}: {decision}");
        }
    }
    let message = json!({ "model": "auto", "max_tokens": 5000, "thinking": { "type": "enabled", "budget_tokens": 2000 },
                          "messages": [{ "role": "user", "content": "hi" }] });
    let decision = gateway.decision_of(&gateway.post("/v1/messages", &message).send());
    assert_eq!(decision["attempts"][0]["effort"], "client", "{decision}");
    let completion = json!({ "model": "auto", "prompt": ["hi", "ho"] });
    for (path, body) in [("/v1/completions", completion), ("/v1/chat/completions", with(plain.clone(), "n", json!(2)))]
    {
        for _ in 0..4 {
            let answer = gateway.post(path, &body).send();
            let decision = gateway.decision_of(&answer);
            assert_eq!(decision["outcome"], "ok", "{path}: {decision}");
            assert!(decision["attempts"][0].get("effort").is_none(), "{decision}");
        }
    }
    assert_eq!(expected_of(&gateway), before);
    gateway.decision_of(&gateway.chat(&with(plain, "stream", json!(true))).send());
    let after = expected_of(&gateway);
    assert!(after.0 != before.0 && after.1 != before.1, "what is known is learnt: {after:?}");
}

/// A decision as the gateway records it, with what a client says of its answer.
fn told(number: usize, classifier: &Value, effort: &str) -> String {
    let id = format!("dec_{number:026}");
    let score = json!({ "difficulty": 0.4, "stage": classifier["stage"], "model": classifier["hash"] });
    let attempt = json!({ "target": "thinker@own", "effort": effort, "result": "ok" });
    let decision = json!({ "id": id, "score": score, "attempts": [attempt], "cost_nusd": 0 });
    format!("{decision}\n{}\n", json!({ "kind": "feedback", "decision": id, "score": 1 }))
}

#[test]
fn feedback_on_an_effort_that_nobody_knows_is_left_out_and_an_unpriced_target_is_not_free() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let price = ", price: { input: 7, output: 7 }";
    let (_folder, config) = setup_of(&own, &paid, &format!("reasoning: {{ style: effort }}{price}")).write();
    let written = std::fs::read_to_string(&config).unwrap();
    assert!(written.contains(price), "{written}");
    std::fs::write(&config, written.replace(price, "")).unwrap();
    let unpriced = "prices are not known for every target";
    let (out, ran) = calibrate(&config, &labels(100, true));
    assert!(ran.stdout.contains(unpriced), "{ran}");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    let mut data = labels(100, true);
    (0..60).for_each(|number| data += &told(number, &file["classifier"], "client"));
    (60..70).for_each(|number| data += &told(number, &file["classifier"], "low"));
    (70..80).for_each(|number| data += &told(number, &file["classifier"], "high"));
    let (out, ran) = calibrate(&config, &data);
    assert!(ran.stdout.contains("60 feedback lines are left out: the client itself said"), "{ran}");
    assert!(ran.stdout.contains(unpriced), "a cost of 0 is none where there is no price: {ran}");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    let curves = file["targets"].as_array().unwrap();
    let of = |effort: &str| curves.iter().find(|it| it["effort"] == effort).map(|it| it["labels"].clone());
    assert_eq!((of("low"), of("high")), (Some(json!(110)), Some(json!(110))), "{file}");
    assert!(!curves.iter().any(|it| it["target"] == "thinker@own" && it["effort"].is_null()), "{file}");
}

#[test]
fn calibrate_says_that_one_target_leaves_nothing_to_choose() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (_folder, config) = setup(&own, &paid).write();
    let line = |number: usize| json!({ "prompt": prompt(number).0, "outcomes": { "large@paid": number % 3 % 2 } });
    let data: String = (0..80).map(|number| format!("{}\n", line(number))).collect();
    let (_, ran) = calibrate(&config, &data);
    assert!(ran.stdout.contains("no threshold: fewer than two targets or efforts can be routed to"), "{ran}");
    assert!(!ran.stdout.contains("are needed to compare them"), "{ran}");
}

#[test]
fn a_budget_of_thought_leaves_room_under_the_models_own_limit() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let thinker = "reasoning: { style: budget }, price: { input: 1, output: 1 }, max_output: 1500";
    let (_folder, config) = setup_of(&own, &paid, thinker).write();
    let (out, _) = calibrate(&config, &labels(600, true));
    let gateway = setup_of(&own, &paid, thinker).section(&format!("calibration: {}", text(&out))).start();
    let dry = |most: Option<u64>| {
        let body = chat("auto", &prompt(10).0);
        let body = most.map_or(body.clone(), |most| with(body, "max_tokens", json!(most)));
        let decision = gateway.post("/v1/route", &body).send().json();
        let tried = decision["candidates"].as_array().unwrap().iter();
        tried.filter(|it| it["target"] == "thinker@own").map(|it| it["effort"].clone()).collect::<Vec<_>>()
    };
    // 1,024 tokens leave some for the answer, 16,384 do not.
    assert_eq!(dry(None), [json!("low")]);
    assert_eq!(dry(Some(50_000)), [json!("low")], "the lower of both limits counts");
    assert_eq!(dry(Some(1000)), [json!(null)]);
}

#[test]
fn a_network_that_is_to_read_less_needs_a_calibration_of_its_own() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (_folder, config) = setup(&own, &paid).write();
    let written = std::fs::read_to_string(&config).unwrap();
    let read = |max_tokens: u64| {
        let classifier = format!("model: embedded, deadline: 5s, max_tokens: {max_tokens}");
        written.replace("model: linear, deadline: 5s", &classifier)
    };
    std::fs::write(&config, read(256)).unwrap();
    let (out, _) = calibrate(&config, &labels(60, true));
    let file: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!((&file["classifier"]["stage"], &file["classifier"]["max_tokens"]), (&json!("network"), &json!(256)));
    let check = |max_tokens: u64| {
        std::fs::write(&config, format!("{}calibration: {}\n", read(max_tokens), text(&out))).unwrap();
        waypost(&["check", "--config", text(&config)], &[])
    };
    assert_eq!(check(256).code, 0, "{}", check(256));
    assert_eq!(check(4096).code, 0, "the declaration says fewer: {}", check(4096));
    let refused = check(128);
    assert!(refused.code == 1 && refused.all().contains("set `classifier.max_tokens` back"), "{refused}");
}

#[test]
fn the_commands_dry_run_leaves_the_gateways_file_alone() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (folder, config) = setup(&own, &paid).write();
    let decisions = folder.path().join("decisions.jsonl");
    let written = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{written}decisions: {{ file: {} }}\n", text(&decisions))).unwrap();
    let shown = waypost(&["explain", "--config", text(&config), "hi"], &[]);
    assert_eq!(shown.code, 0, "{shown}");
    assert!(!decisions.exists(), "it was not even opened");
}

/// A conversation's next request.
fn turn(beginning: &str, said: usize) -> Value {
    let mut messages = vec![json!({ "role": "user", "content": beginning })];
    for turn in 0..said {
        messages.push(json!({ "role": "assistant", "content": "Yes." }));
        messages.push(json!({ "role": "user", "content": format!("And then? {turn}") }));
    }
    json!({ "model": "auto", "messages": messages, "max_tokens": 10 })
}

fn model(answer: &Answer) -> (&str, &str) {
    (answer.expect_header("x-waypost-model"), answer.expect_header("x-waypost-reason"))
}

/// `cheap` fails once; `dear` takes nine tenths off what it has cached.
fn one_failure(dear: &str) -> (Upstream, Upstream, Gateway) {
    let (cheap, dear) = (Upstream::that("fail_first: 1, status: 503"), Upstream::that(dear));
    let gateway = Setup::new()
        .provider("one", &cheap, "")
        .model("cheap", "one", "tier: mid, price: { input: 2, output: 2 }")
        .provider("two", &dear, "")
        .model("dear", "two", "tier: mid, price: { input: 10, output: 10, cached_input: 1 }")
        .section("retry: { attempts: 1 }")
        .policy("default", "policy: default\nobjective: { minimise: cost }\n")
        .start();
    (cheap, dear, gateway)
}

#[test]
fn a_second_turn_stays_at_the_dearer_model_while_its_cache_is_warm() {
    let (cheap, dear, gateway) = one_failure("prompt_tokens: 10000, cached_tokens: 9500, completion_tokens: 5");
    let beginning = "word ".repeat(8000);
    let first = gateway.chat(&turn(&beginning, 0)).send();
    assert_eq!(model(&first), ("dear", "fallback"));
    let second = gateway.chat(&turn(&beginning, 1)).send();
    assert_eq!(model(&second), ("dear", "sticky"), "{second:?}");
    let decision = gateway.decision_of(&second);
    // 9,500 cached tokens at 10 dollars a million that would be 1.
    assert_eq!(decision["candidates"][0]["switch_nusd"], 85_500_000, "{decision}");
    assert!(decision["candidates"][1].get("switch_nusd").is_none(), "{decision}");
    let dry = gateway.post("/v1/route", &turn(&beginning, 2)).send().json();
    assert_eq!(dry["reason"], "sticky");
    let other = gateway.chat(&turn("Something else.", 0)).send();
    assert_eq!(model(&other).0, "cheap", "another conversation");
    let named = gateway.chat(&with(turn(&beginning, 1), "model", json!("cheap"))).send();
    assert_eq!(model(&named), ("cheap", "named"));
    assert!(cheap.requests() >= 3 && dear.requests() >= 2);
}

#[test]
fn a_cache_that_turns_out_cold_holds_nobody() {
    let (_cheap, dear, gateway) = one_failure("prompt_tokens: 9000, cached_tokens: 0, completion_tokens: 5");
    let beginning = "word ".repeat(8000);
    // By its price it caches by itself, so the second turn stays; then its usage says that nothing was found.
    for (said, expected) in [(0, ("dear", "fallback")), (1, ("dear", "sticky")), (2, ("cheap", "no_score"))] {
        let answer = gateway.chat(&turn(&beginning, said)).send();
        assert_eq!(model(&answer), expected, "turn {said}");
    }
    assert_eq!(dear.requests(), 2);
}

#[test]
fn a_reasoner_that_thinks_aloud_is_timed_to_its_answer() {
    let aloud = Upstream::that("reasoning: \"a b c d e f g h i j k l m n o p\", text: Yes., per_event: 40ms");
    let quiet = Upstream::that("text: Yes., before_first_token: 150ms");
    let gateway = Setup::new()
        .provider("aloud", &aloud, "")
        .model("thinker", "aloud", "tier: mid, latency_prior: { first_token_ms: 50 }")
        .provider("quiet", &quiet, "")
        .model("other", "quiet", "tier: mid, latency_prior: { first_token_ms: 200 }")
        .policy("default", "policy: default\nobjective: { minimise: latency }\n")
        .start();
    let ask = || gateway.chat(&with(chat("auto", "hi"), "stream", json!(true))).send();
    assert_eq!(ask().expect_header("x-waypost-provider"), "aloud", "by its prior it is the quicker one");
    let answer = eventually("the other is taken", || {
        let answer = ask();
        (answer.expect_header("x-waypost-provider") == "quiet").then_some(answer)
    });
    let decision = gateway.decision_of(&answer);
    let thinker = &decision["candidates"][0];
    let (first, whole) = (thinker["ttft_ms"].as_f64().unwrap(), thinker["answer_ms"].as_f64().unwrap());
    // Sixteen words, 40 ms apart, lie between the two; what is told may be a quarter too high.
    assert!(whole - first > 300.0, "{thinker}");
}

#[test]
fn a_ceiling_on_the_answer_is_met_by_its_prior_at_first() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    // 2,048 tokens of reasoning at 40 a second take 51 seconds.
    let gateway = Setup::new()
        .provider("own", &own, "")
        .model("r1", "own", "tier: mid, price: { input: 0, output: 0 }, reasoning: { style: always }, latency_prior: { first_token_ms: 100, tokens_per_second: 40 }")
        .provider("paid", &paid, "")
        .model("large", "paid", "tier: mid, reasoning: { style: none }")
        .policy("default", "policy: default\nobjective: { minimise: cost, latency: { first_answer_token_p95_ms: 8000 } }\n")
        .start();
    let answer = gateway.chat(&chat("auto", "hi")).send();
    assert_eq!(answer.expect_header("x-waypost-model"), "large");
    let decision = gateway.decision_of(&answer);
    let removed = &decision["candidates"][0];
    assert_eq!((&removed["removed_by"], removed["answer_ms"].as_f64().unwrap()), (&json!("latency"), 51_300.0));
    own.must_be_untouched();
}

#[test]
fn a_machine_that_runs_anyway_is_chosen_first_and_its_hours_are_still_counted() {
    let (own, paid) = (Upstream::that("completion_tokens: 100, prompt_tokens: 100"), Upstream::plain());
    let gateway = Setup::new()
        .provider("own", &own, "")
        .model("small", "own", "tier: mid, price: { gpu_hour_usd: 36, tokens_per_second: 100, route_by: marginal }")
        .provider("paid", &paid, "")
        .model("large", "paid", "tier: mid, price: { input: 1, output: 1 }")
        .policy("default", "policy: default\nobjective: { minimise: cost }\n")
        .start();
    let answer = gateway.chat(&chat("auto", "hi")).send();
    assert_eq!(answer.expect_header("x-waypost-model"), "small");
    // 36 dollars an hour over 360,000 tokens: 100 dollars a million, 200 tokens.
    assert_eq!(answer.expect_header("x-waypost-cost-usd"), "0.02");
    assert_eq!(chosen(&gateway.decision_of(&answer))["cost_nusd"], 0);
}
