//! All that a client said, in words that every format can be written from.
//!
//! What a format says that these words cannot is kept as [`Named`]: written back into the same format, refused or dropped by name in any
//! other, never lost in silence.

use serde_json::Number;

use super::{Format, Json, Reasoning, ReasoningWish, Role, Seal};

/// A request for an answer, whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// The client's format: into it, and no other, members without a neutral name are written back. `None`: nobody said.
    pub from: Option<Format>,
    /// What was said, in order; system messages stand where the client put them (Messages and Responses: first).
    pub messages: Vec<Message>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Which of them it must.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    pub parallel_tool_calls: Option<bool>,
    /// The form of the answer, where it is not free text.
    pub output: Option<OutputFormat>,
    /// How much to reason.
    pub reasoning: ReasoningWish,
    /// Everything else with a neutral name.
    pub settings: Settings,
    /// Top-level members without a neutral name, in order.
    pub others: Vec<Named>,
}

/// Sampling and limits. Numbers stay as written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Most tokens of the answer, reasoning included.
    pub max_output_tokens: Option<u64>,
    /// `temperature`
    pub temperature: Option<Number>,
    /// `top_p`
    pub top_p: Option<Number>,
    /// `top_k`
    pub top_k: Option<Number>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// `seed`
    pub seed: Option<Number>,
    /// `frequency_penalty`
    pub frequency_penalty: Option<Number>,
    /// `presence_penalty`
    pub presence_penalty: Option<Number>,
    /// How many answers; `None`: one.
    pub n: Option<u32>,
    /// Whether the chance of each token is wanted.
    pub logprobs: Option<bool>,
    /// How many other tokens with their chances.
    pub top_logprobs: Option<u64>,
    /// The end user, as the application names them.
    pub user: Option<String>,
    /// How wordy the answer is to be (`low`, `medium`, `high`).
    pub verbosity: Option<String>,
}

/// A member that has no neutral name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its key in the client's format.
    pub name: String,
    /// Its value.
    pub value: Json,
    /// Whether it cannot change what the answer says (a cache mark, a tag for a log): dropped and named where the target's
    /// format does not know it, never a reason to refuse.
    pub hint: bool,
}

/// What one side said at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who. [`Role::Tool`] messages hold tool results only; every other role's hold none.
    pub role: Role,
    /// What, in order.
    pub parts: Vec<Part>,
    /// Members of the message without a neutral name (`name`, …).
    pub others: Vec<Named>,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it is.
    pub content: Content,
    /// Members of the part without a neutral name (`cache_control`, …).
    pub others: Vec<Named>,
}

impl From<Content> for Part {
    fn from(content: Content) -> Self {
        Self { content, others: Vec::new() }
    }
}

/// What a part can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Text.
    Text(String),
    /// The model declining, in its own words.
    Refusal(String),
    /// A picture.
    Image(Media),
    /// A PDF or another file to read.
    Document(Media),
    /// Sound.
    Audio(Media),
    /// The model's reasoning. In an assistant's message it stands where it was thought.
    Reasoning(Reasoning),
    /// The model calling a tool.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult(ToolResult),
    /// A part that only its own format knows (a hosted tool's call or result), as it came.
    Opaque(Json),
}

/// Bytes of another kind than text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Where they are.
    pub source: Source,
    /// `image/png`; empty if nobody said.
    pub media_type: String,
    /// A file's name or title.
    pub name: Option<String>,
    /// How closely to look at a picture (`low`, `high`, `auto`).
    pub detail: Option<String>,
}

/// Where the bytes are. The gateway itself never fetches a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Here, in standard base64.
    Data(String),
    /// At a link that the provider may fetch.
    Url(String),
    /// Here, as plain text (documents only).
    Text(String),
    /// At the provider, under this id: state.
    File(String),
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub enum Tool {
    /// A function of the application.
    Function {
        /// Its name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// JSON Schema of its arguments, as written.
        parameters: Option<Json>,
        /// Whether arguments must fit the schema.
        strict: Option<bool>,
        /// Members without a neutral name (`cache_control`, …).
        others: Vec<Named>,
    },
    /// A tool that the provider itself runs, or one that only its own format knows.
    Hosted(Hosted),
}

/// A tool as its own format writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosted {
    /// Its `type`: `web_search_20250305`, `code_interpreter`, `custom`.
    pub kind: String,
    /// All of it.
    pub json: Json,
}

/// Which tool the model must call.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolChoice {
    /// Any or none.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    Function(String),
    /// One of these, or none unless `required`.
    Allowed {
        /// Names of functions.
        names: Vec<String>,
        /// Whether one must be called.
        required: bool,
    },
    /// A choice that only its own format knows.
    Opaque(Json),
}

/// The form of the answer.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputFormat {
    /// Free text, said explicitly.
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON that fits a schema.
    JsonSchema {
        /// Its name; some formats want one.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The schema, as written.
        schema: Json,
        /// Whether the answer must fit.
        strict: Option<bool>,
    },
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// Its id, by which the result is known.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments: JSON text, as the model wrote it (it may have written it badly).
    pub arguments: String,
    /// What Gemini signed it with.
    pub seal: Option<Seal>,
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The id of its call.
    pub id: String,
    /// Text, pictures, documents.
    pub parts: Vec<Part>,
    /// Whether the tool failed.
    pub is_error: bool,
}
