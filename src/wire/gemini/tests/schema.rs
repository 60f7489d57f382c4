//! The published schema of `generateContent`, read just well enough: types, members, enumerations.

use serde_json::Value;

/// Where and why a body is not what the schema says.
pub(super) fn faults(body: &Value) -> Vec<String> {
    let path = crate::wire::recorded::folder().join("spec/vertex-generatecontent.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut faults = Vec::new();
    let root = &schema["$defs"]["GoogleCloudAiplatformV1GenerateContentRequest"];
    assert!(root.is_object());
    check(body, root, &schema, "", &mut faults);
    faults
}

fn check(value: &Value, rule: &Value, schema: &Value, path: &str, faults: &mut Vec<String>) {
    if let Some(name) = rule["$ref"].as_str().and_then(|link| link.strip_prefix("#/$defs/")) {
        return check(value, &schema["$defs"][name], schema, path, faults);
    }
    let fits = match rule["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some(other) => panic!("a type this reader does not know: {other}"),
        None => true,
    };
    if !fits {
        faults.push(format!("{path} is no {}", rule["type"]));
    }
    if rule["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        faults.push(format!("{path} is none of {}", rule["enum"]));
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        match rule["properties"].get(name) {
            Some(rule) => check(member, rule, schema, &path, faults),
            None if rule["additionalProperties"] == false => faults.push(format!("{path} is unknown")),
            None => {}
        }
    }
    for (index, element) in value.as_array().into_iter().flatten().enumerate() {
        if rule["items"].is_object() {
            check(element, &rule["items"], schema, &format!("{path}[{index}]"), faults);
        }
    }
}

#[test]
fn the_reader_of_the_schema_sees_faults() {
    let body = serde_json::json!({"contents": [{"role": "user", "parts": [{"txt": "x"}, {"text": 1}]}],
        "generationConfig": {"thinkingConfig": {"thinkingLevel": "low"}, "seed": 0.5}});
    let faults = faults(&body);
    assert_eq!(faults.len(), 4, "{faults:?}");
}
