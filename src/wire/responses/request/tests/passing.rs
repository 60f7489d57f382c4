use super::*;
use crate::chat::Effort;

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
    let effort = reasons(Style::Effort);
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
        (r#""model":"a","previous_response_id":"r""#, r#""model":"gpt-x","previous_response_id":"r""#),
    ] {
        let body = |members: &str| format!(r#"{{{members},"input":"hi"}}"#);
        assert_eq!(sent(&body(members), &effort, None), body(becomes));
    }
    for model in [reasons(Style::None), UNSAID] {
        let plain = sent(r#"{"model":"a","input":"hi"}"#, &model, None);
        assert_eq!(plain, r#"{"model":"gpt-x","store":false,"input":"hi"}"#, "a model that does not reason refuses");
    }
    let asked = r#"{"model":"gpt-x","store":false,"include":["x", "reasoning.encrypted_content"],"input":"hi"}"#;
    assert_eq!(sent(asked, &effort, None), asked);
    assert!(sent(asked, &reasons(Style::None), None).contains(r#""include":["x"],"#));
    let wished = sent(r#"{"model":"a","reasoning":{},"input":"hi"}"#, &UNSAID, None);
    assert!(wished.contains(r#""include":["reasoning.encrypted_content"]"#), "the client knows that it reasons");
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

#[test]
fn what_is_left_out_takes_its_comma_along() {
    let unsaid = UNSAID;
    let openai = shape(&unsaid);
    let odd = r#"{"type":"reasoning","summary":[],"encrypted_content":"wp1:open:::"}"#;
    let ours = r#"{"type":"reasoning","summary":[],"encrypted_content":"wp1:openai.hidden:::g"}"#;
    for (items_of, becomes) in [
        (format!("[ {odd} , U, {odd}, V ]"), "[ U, V ]".to_owned()),
        (format!("[U ,{odd}, {odd} ]"), "[U ]".to_owned()),
        (format!("[{odd}, {odd},U]"), "[U]".to_owned()),
        (format!("[{odd}, {odd}]"), "[]".to_owned()),
        (format!("[U, {ours},{odd} , V]"), format!("[U, {} , V]", ours.replace("wp1:openai.hidden:::g", "g"))),
    ] {
        let said = |text: &str| format!(r#"{{"role":"user","content":"{text}"}}"#);
        let input = |items: &str| items.replace('U', &said("one")).replace('V', &said("two"));
        let body = |items: &str| format!(r#"{{"model":"gpt-x","store":false,"input":{}}}"#, input(items));
        let passed = pass(&judged(&body(&items_of)), &openai);
        assert_eq!(std::str::from_utf8(&passed).unwrap(), body(&becomes), "{items_of}");
    }
}

#[test]
fn reasoning_that_only_a_store_could_find_is_left_out() {
    let body = |items: &str| format!(r#"{{"model":"gpt-x","store":false,"input":[{items}]}}"#);
    let hi = r#"{"role":"user","content":"hi"}"#;
    let bare = r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":null}"#;
    let request = judged(&body(&format!("{bare}, {hi}")));
    let unsaid = UNSAID;
    let openai = shape(&unsaid);
    assert_eq!(std::str::from_utf8(&pass(&request, &openai)).unwrap(), body(hi));
    assert_eq!(passed_over(&request, &openai), ["input[0]"]);
    let stored = judged(&body(&format!("{bare}, {hi}")).replace("false", "true"));
    assert_eq!(pass(&stored, &openai), stored.body, "a store finds it");
    let open = Shape { dialect: &Dialect::PLAIN, ..openai };
    assert_eq!(pass(&request, &open), request.body, "an open server takes plain reasoning");
    assert!(passed_over(&request, &open).is_empty());
}

#[test]
fn a_wish_to_reason_is_fitted_to_the_model() {
    let known = |efforts: &[Effort]| ReasoningModel {
        efforts: efforts.iter().map(|effort| (*effort, 0)).collect(),
        ..reasons(Style::Effort)
    };
    for (wish, model, becomes, left_out) in [
        (r#"{"effort": "max","summary":"auto"}"#, UNSAID, r#"{"effort": "max","summary":"auto"}"#, &[][..]),
        (r#"{"summary":"auto"}"#, reasons(Style::Always), r#"{"summary":"auto"}"#, &[]),
        (
            r#"{"effort":"low","summary": "auto"}"#,
            reasons(Style::Always),
            r#"{"summary":"auto"}"#,
            &["reasoning.effort"],
        ),
        (r#"{"effort":"low"}"#, reasons(Style::None), "null", &["reasoning.effort"]),
        (r#"{"effort":"odd"}"#, reasons(Style::Effort), r#"{"effort":"odd"}"#, &[]),
        (r#"{"effort":"max","x":1}"#, known(&[Effort::Low, Effort::High]), r#"{"effort":"high","x":1}"#, &[]),
        (r#"{"effort":"none"}"#, known(&[Effort::Low]), r#"{"effort":"low"}"#, &["reasoning.effort"]),
        ("null", reasons(Style::None), "null", &[]),
    ] {
        let body = |wish: &str| format!(r#"{{"model":"gpt-x","store":false,"reasoning":{wish},"input":"hi"}}"#);
        assert_eq!(sent(&body(wish), &model, None), body(becomes), "{model:?}");
        assert_eq!(passed_over(&judged(&body(wish)), &shape(&model)), left_out, "{wish} {model:?}");
    }
}

#[test]
fn where_nothing_is_kept_store_is_false_whatever_the_client_says() {
    for (members, becomes) in [
        (r#""model":"a","store":true"#, r#""model":"gpt-x","store":false"#),
        (r#""model":"a","previous_response_id":"r""#, r#""model":"gpt-x","store":false,"previous_response_id":"r""#),
        (r#""model":"a","store":null,"background":true"#, r#""model":"gpt-x","store":false,"background":true"#),
        (r#""model":"a","store":false"#, r#""model":"gpt-x","store":false"#),
    ] {
        let request = judged(&format!(r#"{{{members},"input":"hi"}}"#));
        let told = pass(&request, &Shape { keeps_nothing: true, ..shape(&UNSAID) });
        assert_eq!(told, format!(r#"{{{becomes},"input":"hi"}}"#).as_bytes(), "{members}");
    }
}
