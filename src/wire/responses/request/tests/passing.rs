use super::*;

fn sent(body: &str, reasoning: &ReasoningModel, max_output: Option<u64>) -> String {
    let shape = Shape { max_output, ..shape(reasoning) };
    String::from_utf8(pass(&judged(body), &shape).to_vec()).unwrap()
}

#[test]
fn only_what_must_change_is_rewritten() {
    let body =
        r#"{ "seed": 9223372036854775808, "x":1e400,"model" : "auto" ,"y": 0.1, "input":"hi" , "store" : false}"#;
    assert_eq!(sent(body, &UNSAID, None), body.replace("\"auto\"", r#""gpt-x""#));
}

#[test]
fn a_body_that_needs_no_change_is_not_copied() {
    let request = judged(r#"{"model":"gpt-x","input":"hi","store":false}"#);
    assert_eq!(pass(&request, &shape(&UNSAID)).as_ptr(), request.body.as_ptr());
}

#[test]
fn a_conversation_works_without_state_at_the_provider() {
    let none = reasons(Style::None);
    for (members, becomes) in [
        (r#""model":"a""#, r#""model":"gpt-x","store":false,"include":["reasoning.encrypted_content"]"#),
        (r#""include":null,"model":"a""#, r#""include":["reasoning.encrypted_content"],"model":"gpt-x","store":false"#),
        (
            r#""model":"a","include":["x", "reasoning.encrypted_content"]"#,
            r#""model":"gpt-x","store":false,"include":["x", "reasoning.encrypted_content"]"#,
        ),
        (
            r#""model":"a","store":null,"include":["x"]"#,
            r#""model":"gpt-x","store":false,"include":["x","reasoning.encrypted_content"]"#,
        ),
        (r#""model":"a","store":false"#, r#""model":"gpt-x","store":false"#),
        (r#""model":"a","store":true"#, r#""model":"gpt-x","store":true"#),
    ] {
        let body = |members: &str| format!(r#"{{{members},"input":"hi"}}"#);
        assert_eq!(sent(&body(members), &UNSAID, None), body(becomes));
    }
    let plain = sent(r#"{"model":"a","input":"hi"}"#, &none, None);
    assert_eq!(plain, r#"{"model":"gpt-x","store":false,"input":"hi"}"#, "a model that does not reason refuses it");
}

#[test]
fn a_limit_above_the_targets_is_cut_to_it() {
    let body = r#"{"model":"gpt-x","input":"hi","store":false,"max_output_tokens":100}"#;
    assert_eq!(sent(body, &UNSAID, Some(64)), body.replace("100", "64"));
    assert_eq!(sent(body, &UNSAID, Some(128)), body);
}

#[test]
fn reasoning_in_our_own_signature_reaches_its_family_or_nobody() {
    let item = |data: &str, id: &str| {
        format!(
            r#"{{"id":"{id}","type":"reasoning","summary":[{{"type":"summary_text","text":"a"}}],"encrypted_content":"{data}"}}"#
        )
    };
    let body = |items: &[&str]| format!(r#"{{"model":"gpt-x","store":false,"input":[{}]}}"#, items.join(","));
    let hi = r#"{"role":"user", "content":"hi"}"#;
    let (ours, other, open) = (
        item("wp1:openai.text::rs_1:gAAA", "rs_waypost"),
        item("wp1:anthropic.text:::EqQB", "rs_2"),
        item("wp1:open:::", "rs_3"),
    );
    let foreign = item("gBBB", "rs_4");
    let request = judged(&body(&[hi, &other, &ours, &foreign, &open]));
    let unsaid = UNSAID;
    let shape = shape(&unsaid);
    let expected = body(&[hi, &item("gAAA", "rs_1"), &foreign]);
    assert_eq!(std::str::from_utf8(&pass(&request, &shape)).unwrap(), expected);
    assert_eq!(passed_over(&request, &shape), ["input[1]", "input[4]"]);
    assert!(passed_over(&judged(&body(&[hi, &foreign])), &shape).is_empty());
}
