//! Embeddings, there and back.

use base64::Engine;
use bytes::Bytes;
use serde_json::{Value, json};

use super::requests::{model_of, shape_of};
use crate::chat::{Edits, Format, OwnEffort, Request};
use crate::wire::gemini::embeddings::{EmbeddingsError, decode, encode};
use crate::wire::recorded::exchanges;
use crate::wire::stream::AnswerError;

fn request(body: &Value) -> Request {
    Request {
        format: Format::Embeddings,
        body: Bytes::from(body.to_string()),
        model: "e".to_owned(),
        stream: false,
        include_usage: false,
        max_output_tokens: None,
        n: 1,
        tools: 0,
        media: 0,
        unscanned: false,
        counted_only: false,
        hosted: None,
        state: None,
        in_tool_loop: false,
        sampled: false,
        effort: OwnEffort::Unsaid,
        steered: false,
        input_tokens_estimate: 3,
        edits: Edits::default(),
    }
}

#[test]
fn texts_are_asked_for_one_by_one() {
    let reasoning = model_of(None);
    let shape = shape_of("gemini-embedding-001", &reasoning);
    let body =
        json!({"model": "e", "input": ["a \"b\"", ""], "dimensions": 768, "encoding_format": "base64", "user": "u"});
    let asked = encode(&request(&body), &shape).unwrap();
    assert!(asked.base64);
    assert_eq!(asked.encoded.dropped, ["user"]);
    let one = |text: &str| json!({"model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]}, "outputDimensionality": 768});
    let sent: Value = serde_json::from_slice(&asked.encoded.body).unwrap();
    assert_eq!(sent, json!({"requests": [one("a \"b\""), one("")]}));
    let recorded: Value =
        exchanges("embeddings").iter().find(|exchange| exchange.meta["provider"] == "gemini").unwrap().meta.clone();
    let mut theirs = recorded["request"]["body"]["requests"][0].clone();
    theirs.as_object_mut().unwrap().remove("taskType");
    let alone = json!({"model": "e", "input": "Hello, world!", "dimensions": 768});
    let asked = encode(&request(&alone), &shape_of("gemini-embedding-2-preview", &reasoning)).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&asked.encoded.body).unwrap()["requests"][0], theirs, "as recorded");
    assert!(!asked.base64);
}

#[test]
fn tokens_are_no_text() {
    let reasoning = model_of(None);
    let mut shape = shape_of("m", &reasoning);
    for drop in [false, true] {
        shape.drop_unsupported = drop;
        for input in [json!([1, 2]), json!([[1, 2]])] {
            let Err(EmbeddingsError::Unsupported(lost)) = encode(&request(&json!({"input": input})), &shape) else {
                panic!()
            };
            assert_eq!(lost.field, "input");
        }
    }
    for body in
        [json!({}), json!({"input": {"a": 1}}), json!({"input": [true]}), json!({"input": "a", "dimensions": "x"})]
    {
        assert!(matches!(encode(&request(&body), &shape), Err(EmbeddingsError::Misshapen(_))), "{body}");
    }
}

#[test]
fn recorded_numbers_keep_their_text() {
    let all = exchanges("embeddings");
    let exchange = all.iter().find(|exchange| exchange.meta["provider"] == "gemini").unwrap();
    let body = exchange.answered().unwrap();
    let (answer, usage) = decode(&body, "m", false, 4).unwrap();
    let read: Value = serde_json::from_slice(&answer).unwrap();
    let values = &exchange.meta["response"]["body"]["embeddings"][0]["values"];
    assert_eq!(read["data"][0], json!({"object": "embedding", "index": 0, "embedding": values}));
    assert_eq!((&read["object"], &read["model"]), (&json!("list"), &json!("m")));
    assert_eq!(read["usage"], json!({"prompt_tokens": 4, "total_tokens": 4}));
    assert!(usage.estimated && usage.input == 4);
    let (packed, _) = decode(&body, "m", true, 4).unwrap();
    let read: Value = serde_json::from_slice(&packed).unwrap();
    let bytes =
        base64::engine::general_purpose::STANDARD.decode(read["data"][0]["embedding"].as_str().unwrap()).unwrap();
    let floats: Vec<f32> = bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    let expected: Vec<f32> = values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect();
    assert_eq!(floats, expected);
    let raw = br#"{"embeddings":[{"values":[1.0,-0.10,1e-3]}],"usageMetadata":{"promptTokenCount":9}}"#;
    let (answer, usage) = decode(raw, "m", false, 4).unwrap();
    assert!(std::str::from_utf8(&answer).unwrap().contains(r#""embedding":[1.0,-0.10,1e-3]"#));
    assert!(!usage.estimated && usage.input == 9);
}

#[test]
fn what_holds_no_embeddings_is_none() {
    assert_eq!(decode(b"{}", "m", false, 0).unwrap_err(), AnswerError::NoChoices);
    let error = br#"{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}"#;
    assert!(matches!(decode(error, "m", false, 0), Err(AnswerError::Provider(_))));
    assert!(decode(b"<html>", "m", false, 0).is_err());
    assert!(decode(br#"{"embeddings":[{"values":["x"]}]}"#, "m", true, 0).is_err());
}
