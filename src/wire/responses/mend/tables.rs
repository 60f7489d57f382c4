//! What openai-python 3.54.0 wants to find in a response and in the events of a stream (`openai.types.responses`).

use super::super::answer::response::ERROR_CODES;
use super::shape::{Given, Member, Need, Shape};

const fn must(name: &'static str, json: &'static str) -> Member {
    Member { name, need: Need::Json(json), shape: Shape::Any }
}

const fn shaped(name: &'static str, json: &'static str, shape: Shape) -> Member {
    Member { name, need: Need::Json(json), shape }
}

const fn may(name: &'static str, shape: Shape) -> Member {
    Member { name, need: Need::No, shape }
}

const fn given(name: &'static str, given: Given, json: &'static str) -> Member {
    Member { name, need: Need::Given(given, json), shape: Shape::Any }
}

/// A text that may be absent, and is one of these.
const fn word(name: &'static str, known: &'static [&'static str]) -> Member {
    may(name, Shape::Word(known, &[], "null"))
}

const TEXT: &str = "\"\"";
const ID: Member = given("id", Given::Item, TEXT);

const USAGE: Shape = Shape::Object(&[
    must("input_tokens", "0"),
    shaped(
        "input_tokens_details",
        r#"{"cache_write_tokens":0,"cached_tokens":0}"#,
        Shape::Object(&[must("cache_write_tokens", "0"), must("cached_tokens", "0")]),
    ),
    must("output_tokens", "0"),
    shaped("output_tokens_details", r#"{"reasoning_tokens":0}"#, Shape::Object(&[must("reasoning_tokens", "0")])),
    given("total_tokens", Given::Total, "0"),
    given("waypost_cost_usd", Given::Cost, "null"),
]);

const TOKEN: Shape = Shape::Object(&[
    must("token", TEXT),
    must("bytes", "[]"),
    must("logprob", "0"),
    shaped("top_logprobs", "[]", Shape::List(&OTHER_TOKEN)),
]);
static OTHER_TOKEN: Shape = Shape::Object(&[must("token", TEXT), must("bytes", "[]"), must("logprob", "0")]);
static WHOLE_TOKEN: Shape = TOKEN;
static STREAMED_TOKEN: Shape = Shape::Object(&[must("token", TEXT), must("logprob", "0")]);

static ANNOTATION: Shape = Shape::Tagged(&[
    (
        "url_citation",
        Shape::Object(&[must("end_index", "0"), must("start_index", "0"), must("title", TEXT), must("url", TEXT)]),
    ),
    ("file_citation", Shape::Object(&[must("file_id", TEXT), must("filename", TEXT), must("index", "0")])),
    ("file_path", Shape::Object(&[must("file_id", TEXT), must("index", "0")])),
    (
        "container_file_citation",
        Shape::Object(&[
            must("container_id", TEXT),
            must("end_index", "0"),
            must("file_id", TEXT),
            must("filename", TEXT),
            must("start_index", "0"),
        ]),
    ),
]);

const PARTS: [(&str, Shape); 3] = [
    (
        "output_text",
        Shape::Object(&[
            must("text", TEXT),
            shaped("annotations", "[]", Shape::List(&ANNOTATION)),
            may("logprobs", Shape::List(&WHOLE_TOKEN)),
        ]),
    ),
    ("refusal", Shape::Object(&[must("refusal", TEXT)])),
    ("reasoning_text", Shape::Object(&[must("text", TEXT)])),
];
static PART: Shape = Shape::Tagged(&PARTS);

static SUMMARY_PART: Shape = Shape::Object(&[must("text", TEXT), must("type", "\"summary_text\"")]);
static THOUGHT: Shape = Shape::Object(&[must("text", TEXT), must("type", "\"reasoning_text\"")]);

const STATES: &[&str] = &["in_progress", "completed", "incomplete"];
/// A state that must be there.
const STATE: Member = shaped(
    "status",
    "\"completed\"",
    Shape::Word(STATES, &[("complete", "completed"), ("failed", "incomplete")], "\"completed\""),
);
/// A state that may be absent.
const SOME_STATE: Member = may("status", Shape::Word(STATES, &[("complete", "completed")], "null"));

const ITEMS: [(&str, Shape); 8] = [
    (
        "message",
        Shape::Object(&[
            ID,
            shaped("content", "[]", Shape::List(&PART)),
            shaped("role", "\"assistant\"", Shape::Word(&["assistant"], &[], "\"assistant\"")),
            STATE,
            word("phase", &["commentary", "final_answer"]),
        ]),
    ),
    (
        "reasoning",
        Shape::Object(&[
            ID,
            shaped("summary", "[]", Shape::List(&SUMMARY_PART)),
            may("content", Shape::List(&THOUGHT)),
            SOME_STATE,
        ]),
    ),
    ("function_call", Shape::Object(&[must("arguments", TEXT), must("call_id", TEXT), must("name", TEXT), SOME_STATE])),
    ("custom_tool_call", Shape::Object(&[must("call_id", TEXT), must("input", TEXT), must("name", TEXT)])),
    // Older answers have no `action`.
    ("web_search_call", Shape::Object(&[ID, must("action", r#"{"type":"search"}"#), must("status", "\"completed\"")])),
    ("file_search_call", Shape::Object(&[ID, must("queries", "[]"), must("status", "\"completed\"")])),
    ("code_interpreter_call", Shape::Object(&[ID, must("container_id", TEXT), must("status", "\"completed\"")])),
    ("image_generation_call", Shape::Object(&[ID, must("status", "\"completed\"")])),
];
static ITEM: Shape = Shape::Tagged(&ITEMS);

const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];
const SUMMARIES: &[&str] = &["auto", "concise", "detailed"];

/// The members of a response object.
pub(super) const RESPONSE: Shape = Shape::Object(&[
    must("id", TEXT),
    must("created_at", "0"),
    must("model", TEXT),
    shaped("object", "\"response\"", Shape::Word(&["response"], &[], "\"response\"")),
    shaped("output", "[]", Shape::List(&ITEM)),
    given("parallel_tool_calls", Given::Echo("parallel_tool_calls"), "true"),
    given("tool_choice", Given::Echo("tool_choice"), "\"auto\""),
    given("tools", Given::Echo("tools"), "[]"),
    may(
        "status",
        Shape::Word(
            &["completed", "failed", "in_progress", "cancelled", "queued", "incomplete"],
            &[("complete", "completed")],
            "null",
        ),
    ),
    may(
        "error",
        Shape::Object(&[
            shaped("code", "\"server_error\"", Shape::Word(&ERROR_CODES, &[], "\"server_error\"")),
            must("message", TEXT),
        ]),
    ),
    may(
        "incomplete_details",
        Shape::Object(&[word("reason", &["max_output_tokens", "max_messages", "content_filter", "steered"])]),
    ),
    may("usage", USAGE),
    may("metadata", Shape::Texts),
    word("service_tier", &["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"]),
    word("truncation", &["auto", "disabled"]),
    may("prompt_cache_retention", Shape::Word(&["in_memory", "24h"], &[("in-memory", "in_memory")], "null")),
    may(
        "reasoning",
        Shape::Object(&[
            word("effort", EFFORTS),
            word("summary", SUMMARIES),
            word("generate_summary", SUMMARIES),
            word("context", &["auto", "current_turn", "all_turns"]),
        ]),
    ),
    may("text", Shape::Object(&[word("verbosity", &["low", "medium", "high"])])),
]);

const SEQUENCE: Member = given("sequence_number", Given::Sequence, "0");
const PLACE: Member = must("output_index", "0");
const ITEM_ID: Member = given("item_id", Given::Item, TEXT);
const INDEX: Member = must("content_index", "0");
const SUMMARY_INDEX: Member = must("summary_index", "0");
const WHOLE: Shape = Shape::Object(&[shaped("response", "{}", RESPONSE), SEQUENCE]);
const ABOUT_ITEM: Shape = Shape::Object(&[may("item", Shape::Tagged(&ITEMS)), PLACE, SEQUENCE]);
const ABOUT_PART: Shape = Shape::Object(&[may("part", Shape::Tagged(&PARTS)), INDEX, ITEM_ID, PLACE, SEQUENCE]);
const STREAMED_TOKENS: Member = shaped("logprobs", "[]", Shape::List(&STREAMED_TOKEN));
const ABOUT_TOOL: Shape = Shape::Object(&[ITEM_ID, PLACE, SEQUENCE]);

/// The events of a stream by their type.
pub(super) static EVENTS: &[(&str, Shape)] = &[
    ("response.created", WHOLE),
    ("response.queued", WHOLE),
    ("response.in_progress", WHOLE),
    ("response.completed", WHOLE),
    ("response.incomplete", WHOLE),
    ("response.failed", WHOLE),
    ("response.output_item.added", ABOUT_ITEM),
    ("response.output_item.done", ABOUT_ITEM),
    ("response.content_part.added", ABOUT_PART),
    ("response.content_part.done", ABOUT_PART),
    // What vLLM calls the parts of reasoning: no official client knows the name, and all know this one.
    (
        "response.reasoning_part.added",
        Shape::Object(&[
            may("type", Shape::Word(&[], &[], "\"response.content_part.added\"")),
            may("part", Shape::Tagged(&PARTS)),
            INDEX,
            ITEM_ID,
            PLACE,
            SEQUENCE,
        ]),
    ),
    (
        "response.reasoning_part.done",
        Shape::Object(&[
            may("type", Shape::Word(&[], &[], "\"response.content_part.done\"")),
            may("part", Shape::Tagged(&PARTS)),
            INDEX,
            ITEM_ID,
            PLACE,
            SEQUENCE,
        ]),
    ),
    (
        "response.output_text.delta",
        Shape::Object(&[must("delta", TEXT), STREAMED_TOKENS, INDEX, ITEM_ID, PLACE, SEQUENCE]),
    ),
    (
        "response.output_text.done",
        Shape::Object(&[must("text", TEXT), STREAMED_TOKENS, INDEX, ITEM_ID, PLACE, SEQUENCE]),
    ),
    (
        "response.output_text.annotation.added",
        Shape::Object(&[must("annotation_index", "0"), INDEX, ITEM_ID, PLACE, SEQUENCE]),
    ),
    ("response.refusal.delta", Shape::Object(&[must("delta", TEXT), INDEX, ITEM_ID, PLACE, SEQUENCE])),
    ("response.refusal.done", Shape::Object(&[must("refusal", TEXT), INDEX, ITEM_ID, PLACE, SEQUENCE])),
    ("response.reasoning_text.delta", Shape::Object(&[must("delta", TEXT), INDEX, ITEM_ID, PLACE, SEQUENCE])),
    ("response.reasoning_text.done", Shape::Object(&[must("text", TEXT), INDEX, ITEM_ID, PLACE, SEQUENCE])),
    (
        "response.reasoning_summary_part.added",
        Shape::Object(&[
            shaped(
                "part",
                r#"{"type":"summary_text","text":""}"#,
                Shape::Object(&[must("text", TEXT), must("type", "\"summary_text\"")]),
            ),
            SUMMARY_INDEX,
            ITEM_ID,
            PLACE,
            SEQUENCE,
        ]),
    ),
    (
        "response.reasoning_summary_part.done",
        Shape::Object(&[
            shaped(
                "part",
                r#"{"type":"summary_text","text":""}"#,
                Shape::Object(&[must("text", TEXT), must("type", "\"summary_text\"")]),
            ),
            SUMMARY_INDEX,
            ITEM_ID,
            PLACE,
            SEQUENCE,
        ]),
    ),
    (
        "response.reasoning_summary_text.delta",
        Shape::Object(&[must("delta", TEXT), SUMMARY_INDEX, ITEM_ID, PLACE, SEQUENCE]),
    ),
    (
        "response.reasoning_summary_text.done",
        Shape::Object(&[must("text", TEXT), SUMMARY_INDEX, ITEM_ID, PLACE, SEQUENCE]),
    ),
    ("response.function_call_arguments.delta", Shape::Object(&[must("delta", TEXT), ITEM_ID, PLACE, SEQUENCE])),
    ("response.function_call_arguments.done", Shape::Object(&[must("arguments", TEXT), ITEM_ID, PLACE, SEQUENCE])),
    ("response.custom_tool_call_input.delta", Shape::Object(&[must("delta", TEXT), ITEM_ID, PLACE, SEQUENCE])),
    ("response.custom_tool_call_input.done", Shape::Object(&[must("input", TEXT), ITEM_ID, PLACE, SEQUENCE])),
    ("response.web_search_call.in_progress", ABOUT_TOOL),
    ("response.web_search_call.searching", ABOUT_TOOL),
    ("response.web_search_call.completed", ABOUT_TOOL),
    ("response.file_search_call.in_progress", ABOUT_TOOL),
    ("response.file_search_call.searching", ABOUT_TOOL),
    ("response.file_search_call.completed", ABOUT_TOOL),
    ("response.code_interpreter_call.in_progress", ABOUT_TOOL),
    ("response.code_interpreter_call.interpreting", ABOUT_TOOL),
    ("response.code_interpreter_call.completed", ABOUT_TOOL),
    ("response.code_interpreter_call_code.delta", Shape::Object(&[must("delta", TEXT), ITEM_ID, PLACE, SEQUENCE])),
    ("response.code_interpreter_call_code.done", Shape::Object(&[must("code", TEXT), ITEM_ID, PLACE, SEQUENCE])),
    ("error", Shape::Object(&[must("message", TEXT), SEQUENCE])),
];

/// Every event, by its type.
pub(super) static EVENT: Shape = Shape::Tagged(EVENTS);
