//! Scripts in YAML and markers in prompts.

use super::client::{ask, post, start};
use crate::scripted::{Behaviour, Millis, Point, Script, ToolCall, UsagePlace};

#[tokio::test]
async fn yaml_chooses_the_behaviour_by_model_name() {
    let script = Script::from_yaml(
        r#"
default: { text: "Hello." }
models:
  refused: { status: 401 }
  "org/m": { text: "It is m." }
"#,
    );
    let server = start(script.unwrap());
    for (model, status, text) in
        [("refused", 401, "Incorrect API key"), ("org/m", 200, "It is m."), ("other", 200, "Hello.")]
    {
        let mut ask = ask("x");
        ask["model"] = model.into();
        let answer = post(&server, &ask).await;
        assert_eq!(answer.status, status, "{model}");
        assert!(answer.body.contains(text), "{model}");
    }
}

#[tokio::test]
async fn only_listed_models_exist_and_markers_can_be_switched_off() {
    let script = Script::from_yaml("{ only_listed: true, markers: false, models: { a: {} } }");
    let server = start(script.unwrap());
    let mut ask = ask("[[scripted: status=500]]");
    let unknown = post(&server, &ask).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["error"]["code"], "model_not_found");
    ask["model"] = "a".into();
    assert_eq!(post(&server, &ask).await.status, 200);
}

#[test]
fn every_kind_of_value_is_read() {
    let script = Script::from_yaml(
        r#"
default:
  before_headers: 200
  before_first_token: 1s
  per_event: 20ms
  stall_after: head
  rst_after: 10
  usage: beside_choice
  chunk: 1
  headers: { retry-after-ms: "5" }
  tool_calls:
    - now
    - { name: add, arguments: { a: 1 }, id: c1 }
    - { name: raw, arguments: "{not json" }
"#,
    );
    let read = script.unwrap().default;
    assert_eq!(read.before_headers, Millis(200));
    assert_eq!(read.before_first_token, Millis(1000));
    assert_eq!(read.per_event, Millis(20));
    assert_eq!(read.stall_after, Some(Point::Head));
    assert_eq!(read.rst_after, Some(Point::After(10)));
    assert_eq!(read.usage, UsagePlace::BesideChoice);
    assert_eq!(read.tool_calls[0], ToolCall::new("now", "{}"));
    assert_eq!(read.tool_calls[1].arguments, r#"{"a":1}"#);
    assert_eq!(read.tool_calls[2].arguments, "{not json");
}

#[test]
fn a_faulty_script_is_refused_with_its_place_and_what_is_wrong() {
    let cases = [
        ("default:\n  txet: hi\n", 2, "txet"),
        ("models:\n  a:\n    status: 99\n", 3, "between 200 and 599"),
        ("models:\n  a:\n    per_event: fast\n", 3, "a duration such as"),
        ("models:\n  a:\n    events: 2000000\n", 3, "more than"),
        ("default: { stall_after: middle }", 1, "`head` or a count"),
        ("default: [", 1, ""),
    ];
    for (yaml, line, cause) in cases {
        let error = Script::from_yaml(yaml).unwrap_err();
        assert_eq!(error.line, line, "{error}");
        assert!(error.to_string().contains(cause), "{error}");
        assert!(!error.message.contains('\n'), "one line: {error}");
    }
}

#[test]
fn an_empty_script_is_the_default_one() {
    for yaml in ["", "# nothing\n", "{}"] {
        let script = Script::from_yaml(yaml).unwrap();
        assert!(script.markers && script.models.is_empty(), "{yaml:?}");
    }
}

#[tokio::test]
async fn a_marker_lays_its_keys_over_the_models_behaviour() {
    let base = Behaviour { prompt_tokens: Some(7), ..Behaviour::default() };
    let server = start(Script::always(base));
    let prompt = r#"Please: [[scripted: text="two ]] \"words\"" completion_tokens=9]] thanks"#;
    let body = post(&server, &ask(prompt)).await.json();
    assert_eq!(body["choices"][0]["message"]["content"], "two ]] \"words\"");
    assert_eq!(body["usage"]["total_tokens"], 16);
}

#[tokio::test]
async fn a_faulty_marker_is_refused_with_its_cause() {
    let server = start(Script::default());
    for (prompt, cause) in [
        ("[[scripted: status=429", "`]]` is missing"),
        ("[[scripted: status=429 status=500]]", "`status` stands twice"),
        ("[[scripted: status=]]", "`status` has no value"),
        ("[[scripted: text=\"open]]", "`text`:"),
        ("[[scripted: =1]]", "a key is expected"),
        ("[[scripted: txet=1]]", "unknown field `txet`"),
        ("[[scripted: status=99]]", "between 200 and 599"),
    ] {
        let answer = post(&server, &ask(prompt)).await;
        assert_eq!(answer.status, 400, "{prompt}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(cause), "{prompt}: {message}");
    }
}
