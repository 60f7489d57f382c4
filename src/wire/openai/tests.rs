//! Recorded traffic of nine providers through every part of the format.

use serde_json::{Value, json};

use super::*;
use crate::wire::dialect::ReasoningModel;
pub(super) use crate::wire::recorded::Exchange;

pub(super) fn exchanges() -> Vec<Exchange> {
    crate::wire::recorded::exchanges("chat")
}

#[test]
fn every_recorded_request_is_read_and_only_its_model_changes() {
    for Exchange { name, meta, .. } in exchanges() {
        let mut sent = meta["request"]["body"].clone();
        let request =
            judge(serde_json::to_vec(&sent).unwrap().into()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(request.model, sent["model"], "{name}");
        assert_eq!(request.stream, sent["stream"] == true, "{name}");
        assert_eq!(request.tools, sent["tools"].as_array().map_or(0, Vec::len), "{name}");
        let texts = prompt(&request);
        assert!(!texts.is_empty(), "{name}");
        sent["model"] = json!("other/model");
        if request.stream {
            sent["stream_options"]["include_usage"] = json!(true);
        }
        let body: Value =
            serde_json::from_slice(&pass(&request, &request::tests::plain("other/model", &ReasoningModel::default())))
                .unwrap();
        assert_eq!(body, sent, "{name}");
    }
}

#[test]
fn every_recorded_answer_is_read() {
    for Exchange { name, meta, stream } in exchanges() {
        let body = &meta["response"]["body"];
        if stream.is_some() || meta["response"]["status"] != 200 {
            continue;
        }
        let answer = read(&serde_json::to_vec(body).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let choices = body["choices"].as_array().unwrap();
        let well = |choice: &Value| matches!(choice["finish_reason"].as_str(), Some("stop" | "tool_calls"));
        assert_eq!(
            (answer.choices, answer.complete, answer.good),
            (choices.len(), true, choices.iter().all(well)),
            "{name}"
        );
        let usage = answer.usage.unwrap_or_else(|| panic!("{name} counts its tokens"));
        assert_eq!(usage.input, body["usage"]["prompt_tokens"], "{name}");
        assert!(usage.output >= body["usage"]["completion_tokens"].as_u64().unwrap(), "{name}");
        assert!(usage.reasoning <= usage.output && usage.cached <= usage.input, "{name}");
    }
}

#[test]
fn every_recorded_error_is_read() {
    use crate::wire::provider_error::ProviderErrorKind::*;
    for (name, kind) in [
        ("015-openai-chat-err-400", Request),
        ("016-openai-chat-err-404", ModelNotFound),
        ("085-azure-chat-err", ModelNotFound),
        ("105-groq-chat-err-tool-failed", Request),
        ("109-openrouter-chat-err", RateLimit),
    ] {
        let exchange = exchanges().into_iter().find(|exchange| exchange.name == name).unwrap();
        let status = u16::try_from(exchange.meta["response"]["status"].as_u64().unwrap()).unwrap();
        let body = &exchange.meta["response"]["body"];
        let error = crate::wire::provider_error::read_error(status, &serde_json::to_vec(body).unwrap());
        assert_eq!((error.kind, error.status), (kind, status), "{name}");
        assert!(error.message.starts_with(body["error"]["message"].as_str().unwrap()), "{name}");
    }
}

#[test]
fn every_quoted_error_is_read() {
    use crate::wire::provider_error::ProviderErrorKind::*;
    let quoted = include_bytes!("../../../tests/fixtures/errors-quoted.json");
    let quoted: Vec<Value> = serde_json::from_slice(quoted).unwrap();
    let kinds = [Provider, Provider, RateLimit, Provider, ContextLength];
    for (error, kind) in quoted.iter().zip(kinds) {
        let status = u16::try_from(error["status"].as_u64().unwrap()).unwrap();
        let status = if status == 200 { 529 } else { status };
        assert_eq!(
            crate::wire::provider_error::read_error(status, &serde_json::to_vec(&error["body"]).unwrap()).kind,
            kind,
            "{error}"
        );
    }
}
