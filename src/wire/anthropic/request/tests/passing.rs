use proptest::prelude::*;

use super::*;

fn passed(body: &str, shape: &Shape<'_>) -> (String, Vec<String>) {
    let request = judge_count(Bytes::from(body.to_owned())).unwrap();
    let Encoded { body, dropped } = pass(&request, shape);
    judge_count(body.clone()).unwrap();
    (String::from_utf8(body.to_vec()).unwrap(), dropped)
}

#[test]
fn where_nothing_must_change_the_bytes_are_the_clients() {
    let reasoning = styled(None);
    let body = Bytes::from_static(
        br#"{ "model" : "claude", "max_tokens":10, "new_field":[1, 2 ], "messages":[{"role":"user","content":"hi"}] }"#,
    );
    let request = judge(body.clone()).unwrap();
    let sent = pass(&request, &shape(&reasoning, &DIALECT));
    assert_eq!((sent.body.as_ptr(), sent.body.len()), (body.as_ptr(), body.len()));
    assert!(sent.dropped.is_empty());
}

#[test]
fn the_models_name_and_its_ceiling_are_written_in_place() {
    let reasoning = styled(None);
    let shape = Shape { max_output: Some(4096), ..shape(&reasoning, &DIALECT) };
    let body = |most: u64, budget: u64| {
        format!(
            r#"{{"thinking":{{"type":"enabled","budget_tokens": {budget}}},"max_tokens": {most} ,"model":"auto","messages":[{{"role":"user","content":"hi"}}]}}"#
        )
    };
    let renamed = |body: String| body.replace("auto", "claude");
    assert_eq!(passed(&body(4096, 2000), &shape), (renamed(body(4096, 2000)), Vec::new()));
    assert_eq!(passed(&body(9000, 2000), &shape), (renamed(body(4096, 2000)), Vec::new()));
    let cut = (renamed(body(4096, 3072)), vec!["thinking.budget_tokens".to_owned()]);
    assert_eq!(passed(&body(9000, 8000), &shape), cut);
    let small = Shape { max_output: Some(1200), ..shape };
    let (sent, dropped) = passed(&body(9000, 8000), &small);
    assert!(sent.starts_with(r#"{"thinking":{"type":"disabled"},"max_tokens": 1200 ,"#), "{sent}");
    assert_eq!(dropped, ["thinking"]);
}

/// Reasoning of another model that came to the client through the gateway.
const FOREIGN: [&str; 4] = [
    r#"{"type":"thinking","thinking":"t","signature":"wp1:open:::"}"#,
    r#"{"signature":"wp1:gemini.text:::abc","thinking":"t","type":"thinking"}"#,
    r#"{"type":"redacted_thinking","data":"wp1:openai.hidden::rs_1:abc"}"#,
    r#"{"type":"thinking","thinking":"t","signature":""}"#,
];

#[test]
fn reasoning_that_anthropic_did_not_sign_is_cut_out_and_named() {
    let reasoning = styled(None);
    let shape = shape(&reasoning, &DIALECT);
    let own = r#"{"type":"thinking","thinking":"t","signature":"EqQB"}"#;
    let text = r#"{"type":"text","text":"a"}"#;
    let body = |content: &str| {
        format!(
            r#"{{"model":"claude","messages":[{{"role":"user","content":"hi"}},{{"role":"assistant","content":[{content}]}},{{"role":"user","content":"go"}}]}}"#
        )
    };
    for foreign in FOREIGN {
        for (content, left) in [
            (format!("{foreign} , {text}"), text.to_owned()),
            (format!("{text},{foreign}"), text.to_owned()),
            (format!("{foreign},{foreign},{own},{text}"), format!("{own},{text}")),
            (format!("{own},{foreign},{text},{foreign} ,{foreign}"), format!("{own},{text}")),
        ] {
            let (sent, dropped) = passed(&body(&content), &shape);
            assert_eq!(sent, body(&left), "{content}");
            assert_eq!(dropped, ["messages[1].reasoning"]);
        }
        let (sent, _) = passed(&body(foreign), &shape);
        let left = r#"{"model":"claude","messages":[{"role":"user","content":"hi"},{"role":"user","content":"go"}]}"#;
        assert_eq!(sent, left, "a message of nothing else goes whole");
    }
    assert_eq!(passed(&body(own), &shape), (body(own), Vec::new()));
}

#[test]
fn a_server_that_checks_no_signatures_is_sent_all_reasoning() {
    let (reasoning, dialect) = (styled(None), Dialect { seals: None, tool_ids: ToolIds::Any, ..DIALECT });
    let body = format!(
        r#"{{"model":"claude","messages":[{{"role":"user","content":"hi"}},{{"role":"assistant","content":[{}]}}]}}"#,
        FOREIGN[0]
    );
    assert_eq!(passed(&body, &shape(&reasoning, &dialect)), (body.clone(), Vec::new()));
}

#[test]
fn tool_ids_that_anthropic_refuses_are_rewritten_alike_in_call_and_result() {
    let reasoning = styled(None);
    let body = |odd: &str| {
        format!(
            r#"{{"model":"claude","messages":[{{"role":"assistant","content":[{{"type":"tool_use","id":"{odd}","name":"f","input":{{"id":"functions.f:0"}}}},{{"type":"tool_use","id":"toolu_1","name":"f","input":{{}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"{odd}","content":"x"}},{{"type":"tool_result","tool_use_id":"toolu_1"}}]}}]}}"#
        )
    };
    let fitted = crate::wire::tool_ids::fit("functions.f:0", ToolIds::Word(64));
    assert_eq!(passed(&body("functions.f:0"), &shape(&reasoning, &DIALECT)), (body(&fitted), Vec::new()));
}

/// A body of these blocks, written with odd spacing, and what must be left of it.
fn laid_out(messages: &[Vec<usize>], gap: &str) -> (String, Vec<Value>) {
    let blocks: Vec<&str> = FOREIGN
        .into_iter()
        .chain([
            r#"{"type":"thinking","thinking":"wp1:open:::","signature":"EqQB"}"#,
            r#"{ "type":"text" , "text":"[,]}{ \"wp1:" }"#,
            r#"{"type":"tool_use","id":"a","name":"f","input":{"signature":"wp1:open:::"}}"#,
        ])
        .collect();
    let (mut written, mut left) = (Vec::new(), Vec::new());
    for message in messages {
        let content: Vec<&str> = message.iter().map(|block| blocks[*block % blocks.len()]).collect();
        let comma = format!("{gap},{gap}");
        written.push(format!(r#"{{"content":[{gap}{}{gap}],"role":"assistant"}}"#, content.join(&comma)));
        let kept: Vec<Value> = content
            .iter()
            .filter(|block| !FOREIGN.contains(block))
            .map(|block| serde_json::from_str(block).unwrap())
            .collect();
        if !kept.is_empty() || content.is_empty() {
            left.push(json!({"content": kept, "role": "assistant"}));
        }
    }
    let user = r#"{"role":"user","content":"wp1:"}"#;
    written.insert(0, user.to_owned());
    left.insert(0, serde_json::from_str(user).unwrap());
    (format!(r#"{{"messages":[{gap}{}{gap}],"model":"auto"}}"#, written.join(&format!("{gap},{gap}"))), left)
}

proptest! {
    #[test]
    fn nothing_but_foreign_reasoning_is_cut_out(
        messages in prop::collection::vec(prop::collection::vec(0usize..7, 0..6), 0..5),
        gap in "[ \n\t]{0,2}",
    ) {
        let reasoning = styled(None);
        let (body, left) = laid_out(&messages, &gap);
        let (sent, _) = passed(&body, &shape(&reasoning, &DIALECT));
        let sent: Value = serde_json::from_str(&sent).unwrap();
        prop_assert_eq!(sent, json!({"messages": left, "model": "claude"}));
    }
}
