use super::*;
use crate::chat::{
    Content, Effort, Media, OutputFormat, Part, Reasoning, Seal, SealKind, Source, Tool, ToolCall, ToolChoice,
    ToolResult,
};

fn refused(body: &str) -> (String, Option<String>) {
    let error = decode(&judged(body)).unwrap_err();
    (error.message, error.param)
}

fn items(items: &str) -> Vec<chat::Message> {
    read(&format!(r#"{{"model":"m","input":[{items}]}}"#)).messages
}

fn contents(message: &chat::Message) -> Vec<&Content> {
    message.parts.iter().map(|part| &part.content).collect()
}

fn text(text: &str) -> Content {
    Content::Text(text.to_owned())
}

#[test]
fn instructions_come_first_and_a_text_is_a_users() {
    let read = read(r#"{"model":"m","input":"hi","instructions":"be kind"}"#);
    let said: Vec<_> = read.messages.iter().map(|message| (message.role, contents(message))).collect();
    assert_eq!(said, [(Role::System, vec![&text("be kind")]), (Role::User, vec![&text("hi")])]);
    assert_eq!(super::read(r#"{"model":"m","input":"hi","instructions":""}"#).messages.len(), 1);
}

#[test]
fn what_the_model_said_in_a_row_is_one_message() {
    let messages = items(
        r#"{"role":"user","content":"q"},
        {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"gAAA","status":null},
        {"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"let me see","annotations":[],"logprobs":[]},{"type":"refusal","refusal":"no"}]},
        {"type":"function_call","id":"fc_1","status":"completed","call_id":"c1","name":"f","arguments":"{\"x\": 1}"},
        {"type":"web_search_call","id":"ws_1","status":"completed"},
        {"type":"function_call","call_id":"c2","name":"f","arguments":""},
        {"type":"function_call_output","call_id":"c1","output":"one"},
        {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"two"},{"type":"input_image","image_url":"data:image/png;base64,AA=="}]},
        {"role":"assistant","content":"done"}"#,
    );
    assert_eq!(
        messages.iter().map(|m| m.role).collect::<Vec<_>>(),
        [Role::User, Role::Assistant, Role::Tool, Role::Assistant]
    );
    let seal =
        Seal { family: Family::Openai, kind: SealKind::Text, id: Some("rs_1".to_owned()), data: "gAAA".to_owned() };
    let call = |id: &str, arguments: &str| {
        Content::ToolCall(ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            arguments: arguments.to_owned(),
            seal: None,
        })
    };
    let hosted = chat::Json::new(r#"{"type":"web_search_call","id":"ws_1","status":"completed"}"#.to_owned()).unwrap();
    let expected = [
        Content::Reasoning(Reasoning { parts: vec!["a".to_owned(), "b".to_owned()], seal: Some(seal) }),
        text("let me see"),
        Content::Refusal("no".to_owned()),
        call("c1", r#"{"x": 1}"#),
        Content::Opaque(hosted),
        call("c2", ""),
    ];
    assert_eq!(contents(&messages[1]), expected.iter().collect::<Vec<_>>());
    assert!(messages[1].parts.iter().all(|part| part.others.is_empty()), "{:?}", messages[1].parts);
    let picture =
        Media { source: Source::Data("AA==".to_owned()), media_type: "image/png".to_owned(), name: None, detail: None };
    let result = |id: &str, parts: Vec<Content>| {
        let parts = parts.into_iter().map(Part::from).collect();
        Content::ToolResult(ToolResult { id: id.to_owned(), parts, is_error: false })
    };
    let expected = [result("c1", vec![text("one")]), result("c2", vec![text("two"), Content::Image(picture)])];
    assert_eq!(contents(&messages[2]), expected.iter().collect::<Vec<_>>());
}

#[test]
fn reasoning_is_told_apart_by_its_seal() {
    let part = |parts: &[&str], seal: Option<(Family, SealKind, Option<&str>, &str)>| {
        Content::Reasoning(Reasoning {
            parts: parts.iter().map(|part| (*part).to_owned()).collect(),
            seal: seal.map(|(family, kind, id, data)| Seal {
                family,
                kind,
                id: id.map(str::to_owned),
                data: data.to_owned(),
            }),
        })
    };
    for (item, expected) in [
        (
            r#""id":"rs_1","summary":[],"encrypted_content":"gA""#,
            Some(part(&[], Some((Family::Openai, SealKind::Hidden, Some("rs_1"), "gA")))),
        ),
        (
            r#""id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"hm"}],"encrypted_content":null"#,
            Some(part(&["hm"], None)),
        ),
        (
            r#""id":"rs_1","summary":[{"type":"summary_text","text":"short"}],"content":[{"type":"reasoning_text","text":"long"}]"#,
            Some(part(&["long"], None)),
        ),
        (
            r#""id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"wp1:anthropic.text:::EqQ""#,
            Some(part(&["hm"], Some((Family::Anthropic, SealKind::Text, None, "EqQ")))),
        ),
        (
            r#""id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"wp1:open:1-1::""#,
            Some(part(&["a", "b"], None)),
        ),
        (
            r#""id":"rs_1","summary":[{"type":"summary_text","text":"a"}],"encrypted_content":"wp1:martian""#,
            Some(part(&["a"], None)),
        ),
        (r#""id":"rs_1","summary":[]"#, None),
    ] {
        let messages = items(&format!(r#"{{"role":"user","content":"q"}},{{"type":"reasoning",{item}}}"#));
        let found = messages.get(1).map(|message| message.parts[0].content.clone());
        assert_eq!(found, expected, "{item}");
    }
}

#[test]
fn a_calls_seal_finds_its_call() {
    let messages = items(
        r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"wp1:gemini.call:::CsQB"},
        {"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#,
    );
    assert_eq!(messages[0].parts.len(), 1);
    let Content::ToolCall(call) = &messages[0].parts[0].content else { panic!("{messages:?}") };
    assert_eq!(call.seal.as_ref().map(|seal| (seal.family, seal.data.as_str())), Some((Family::Gemini, "CsQB")));
}

#[test]
fn pictures_files_and_sound_are_read() {
    let messages = items(
        r#"{"role":"user","content":[
        {"type":"input_image","image_url":"https://x/y.png","detail":"high"},
        {"type":"input_image","file_id":"file_1","detail":"auto"},
        {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"},
        {"type":"input_file","file_url":"https://x/y.pdf"},
        {"type":"input_file","file_id":"file_2"},
        {"type":"input_audio","input_audio":{"data":"UklG","format":"mp3"}},
        {"type":"new_part","x":1}]}"#,
    );
    let media = |source: Source, media_type: &str, name: Option<&str>, detail: Option<&str>| Media {
        source,
        media_type: media_type.to_owned(),
        name: name.map(str::to_owned),
        detail: detail.map(str::to_owned),
    };
    let expected = [
        Content::Image(media(Source::Url("https://x/y.png".to_owned()), "", None, Some("high"))),
        Content::Image(media(Source::File("file_1".to_owned()), "", None, None)),
        Content::Document(media(Source::Data("JVBE".to_owned()), "application/pdf", Some("a.pdf"), None)),
        Content::Document(media(Source::Url("https://x/y.pdf".to_owned()), "", None, None)),
        Content::Document(media(Source::File("file_2".to_owned()), "", None, None)),
        Content::Audio(media(Source::Data("UklG".to_owned()), "audio/mpeg", None, None)),
        Content::Opaque(chat::Json::new(r#"{"type":"new_part","x":1}"#.to_owned()).unwrap()),
    ];
    assert_eq!(contents(&messages[0]), expected.iter().collect::<Vec<_>>());
}

#[test]
fn every_setting_has_a_place() {
    let read = read(
        r#"{"model":"m","input":"hi","stream":true,"store":false,"temperature":0.7,"top_p":0.5,"top_logprobs":3,
        "max_output_tokens":50,"user":"u","parallel_tool_calls":false,"metadata":{"a":"b"},"service_tier":"flex",
        "include":["reasoning.encrypted_content","message.output_text.logprobs","web_search_call.results"],
        "text":{"format":{"type":"json_schema","name":"n","schema":{"type": "object"},"strict":true},"verbosity":"low"},
        "reasoning":{"effort":"high","generate_summary":"auto","context":"all_turns","mode":"pro"},"truncation":"auto",
        "safety_identifier":"s","new_setting":[1],
        "tools":[{"type":"function","name":"f","description":"d","parameters":{"type": "object"},"strict":false},
        {"type":"custom","name":"c"}],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"}]}}"#,
    );
    let settings = &read.settings;
    assert_eq!(settings.max_output_tokens, Some(50));
    assert_eq!(settings.temperature.as_ref().map(ToString::to_string).as_deref(), Some("0.7"));
    assert_eq!((settings.logprobs, settings.top_logprobs), (Some(true), Some(3)));
    assert_eq!((settings.user.as_deref(), settings.verbosity.as_deref()), (Some("u"), Some("low")));
    assert_eq!(read.parallel_tool_calls, Some(false));
    assert_eq!((read.reasoning.effort, read.reasoning.summary.as_deref()), (Some(Effort::High), Some("auto")));
    assert!(matches!(&read.output, Some(OutputFormat::JsonSchema { name: Some(name), strict: Some(true), schema, .. })
        if name == "n" && schema.text() == r#"{"type": "object"}"#));
    assert_eq!(read.tool_choice, Some(ToolChoice::Allowed { names: vec!["f".to_owned()], required: true }));
    assert!(
        matches!(&read.tools[..], [Tool::Function { strict: Some(false), .. }, Tool::Hosted(hosted)] if hosted.kind == "custom")
    );
    let others: Vec<_> =
        read.others.iter().map(|other| (other.name.as_str(), other.value.text(), other.hint)).collect();
    assert_eq!(
        others,
        [
            ("reasoning.context", r#""all_turns""#, true),
            ("reasoning.mode", r#""pro""#, false),
            ("include", r#"["web_search_call.results"]"#, true),
            ("store", "false", true),
            ("metadata", r#"{"a":"b"}"#, true),
            ("service_tier", r#""flex""#, true),
            ("truncation", r#""auto""#, false),
            ("safety_identifier", r#""s""#, true),
            ("new_setting", "[1]", false),
        ]
    );
}

#[test]
fn what_a_client_says_beside_the_text_is_kept_by_name() {
    let messages = items(
        r#"{"role":"assistant","status":"incomplete","phase":"commentary","content":[{"type":"output_text","text":"x","annotations":[{"type":"url_citation"}]}]},
        {"role":"user","content":[{"type":"input_text","text":"y","prompt_cache_breakpoint":{}},{"type":"input_text","text":"z","odd":1}]}"#,
    );
    let others = |part: &Part| part.others.iter().map(|other| (other.name.clone(), other.hint)).collect::<Vec<_>>();
    let named = |names: &[(&str, bool)]| names.iter().map(|(n, h)| ((*n).to_owned(), *h)).collect::<Vec<_>>();
    let said = others(&messages[0].parts[0]);
    assert_eq!(said, named(&[("annotations", true), ("status", true), ("phase", true)]));
    assert_eq!(others(&messages[1].parts[0]), named(&[("prompt_cache_breakpoint", true)]));
    assert_eq!(others(&messages[1].parts[1]), named(&[("odd", false)]));
}

#[test]
fn a_member_of_the_wrong_type_is_refused_by_its_place() {
    for (members, place) in [
        (r#""tools":[{"type":"function"}]"#, "tools[0].name"),
        (r#""tools":[{"type":"function","name":"f","strict":"yes"}]"#, "tools[0].strict"),
        (r#""tool_choice":"any""#, "tool_choice"),
        (r#""tool_choice":7"#, "tool_choice"),
        (r#""tool_choice":{"type":"function"}"#, "tool_choice.name"),
        (r#""text":"json""#, "text"),
        (r#""text":{"format":{"type":"xml"}}"#, "text.format.type"),
        (r#""text":{"format":{"type":"json_schema","name":"n"}}"#, "text.format.schema"),
        (r#""reasoning":{"effort":3}"#, "reasoning.effort"),
        (r#""top_p":"x""#, "top_p"),
        (r#""parallel_tool_calls":1"#, "parallel_tool_calls"),
    ] {
        let (message, param) = refused(&format!(r#"{{"model":"m","input":"hi",{members}}}"#));
        assert_eq!(param.as_deref(), Some(place), "{message}");
    }
    for (item, place) in [
        (r#"{"role":"user","content":[{"type":"input_image"}]}"#, "input[0].content[0].image_url"),
        (r#"{"role":"user","content":[{"type":"input_file"}]}"#, "input[0].content[0]"),
        (r#"{"role":"user","content":[{"type":"input_audio"}]}"#, "input[0].content[0].input_audio"),
        (r#"{"role":"user","content":{}}"#, "input[0].content"),
        (r#"{"type":"reasoning","summary":[{"type":"summary_text","text":1}]}"#, "input[0].summary[0].text"),
    ] {
        let body = format!(r#"{{"model":"m","input":[{item}]}}"#);
        let param = judge(Bytes::from(body)).and_then(|request| decode(&request)).unwrap_err().param;
        assert_eq!(param.as_deref(), Some(place), "{item}");
    }
}
