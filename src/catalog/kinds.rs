//! Provider kinds as data: where they listen, which formats they speak on which paths, and how.

use std::borrow::Cow;

use crate::chat::{Family, Format};
use crate::wire::dialect::{Dialect, EffortDialect, MaxTokens, ReasoningBack, ToolIds};

/// What all providers of a kind share.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// As the configuration says it.
    pub name: &'static str,
    /// The public endpoint; `None` where every installation has its own.
    pub endpoint: Option<&'static str>,
    /// The formats it speaks, each with its path below the endpoint; the first one is spoken to clients of any other format.
    pub formats: &'static [(Format, &'static str)],
    /// Formats that its models may be called in if the configuration says so (`models[].wire`).
    pub on_request: &'static [(Format, &'static str)],
    /// Path of its token counter, where it has one (Messages).
    pub counter: Option<&'static str>,
    /// How it takes its key.
    pub key: KeyHeader,
    /// How it speaks.
    pub dialect: Dialect,
    /// The environment variable that usually holds a key.
    pub key_variable: Option<&'static str>,
}

/// The header that carries a provider's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHeader {
    /// `authorization: Bearer KEY`
    Bearer,
    /// `x-api-key: KEY`
    XApiKey,
    /// `x-goog-api-key: KEY`
    XGoogApiKey,
}

const CHAT: (Format, &str) = (Format::Chat, "/v1/chat/completions");
const RESPONSES: (Format, &str) = (Format::Responses, "/v1/responses");
const MESSAGES: (Format, &str) = (Format::Messages, "/v1/messages");
const COMPLETIONS: (Format, &str) = (Format::Completions, "/v1/completions");
const EMBEDDINGS: (Format, &str) = (Format::Embeddings, "/v1/embeddings");
/// `{model}` is the model's name.
const GEMINI: (Format, &str) = (Format::Gemini, "/v1beta/models/{model}:generateContent");
const GEMINI_EMBEDDINGS: (Format, &str) = (Format::Embeddings, "/v1beta/models/{model}:batchEmbedContents");

/// Servers of open models on own machines: OpenAI's formats, and the samplers of open models.
const fn own(name: &'static str, dialect: Dialect) -> Kind {
    Kind {
        name,
        endpoint: None,
        formats: &[CHAT, COMPLETIONS, EMBEDDINGS],
        on_request: &[RESPONSES, MESSAGES],
        counter: None,
        key: KeyHeader::Bearer,
        dialect,
        key_variable: None,
    }
}

const fn public(name: &'static str, endpoint: &'static str, variable: &'static str, dialect: Dialect) -> Kind {
    Kind { endpoint: Some(endpoint), key_variable: Some(variable), ..own(name, dialect) }
}

/// vLLM, SGLang and llama.cpp: how much to reason is a switch of the chat template.
/// <https://docs.vllm.ai/en/latest/features/reasoning_outputs.html>,
/// <https://docs.sglang.ai/advanced_features/separate_reasoning.html>,
/// <https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md>
const MODEL_SERVER: Dialect = Dialect { effort: EffortDialect::Template, open_sampling: true, ..Dialect::PLAIN };

/// A server that nothing is known of but that it speaks OpenAI's formats.
const PLAIN: Kind = own("openai-compatible", Dialect::PLAIN);

/// Every kind.
pub const KINDS: [Kind; 14] = [
    // https://platform.openai.com/docs/api-reference/chat/create: reasoning models refuse `max_tokens`; ids of calls
    // have at most 40 characters.
    Kind {
        formats: &[CHAT, RESPONSES, COMPLETIONS, EMBEDDINGS],
        on_request: &[],
        ..public(
            "openai",
            "https://api.openai.com",
            "OPENAI_API_KEY",
            Dialect {
                max_tokens: MaxTokens::MaxCompletionTokens,
                reasoning_back: ReasoningBack::Never,
                tool_ids: ToolIds::AtMost(40),
                seals: Some(Family::Openai),
                store: true,
                ..Dialect::PLAIN
            },
        )
    },
    // https://docs.claude.com/en/api/messages: `tool_use.id` matches ^[a-zA-Z0-9_-]+$.
    Kind {
        formats: &[MESSAGES],
        on_request: &[],
        counter: Some("/v1/messages/count_tokens"),
        key: KeyHeader::XApiKey,
        ..public(
            "anthropic",
            "https://api.anthropic.com",
            "ANTHROPIC_API_KEY",
            Dialect { tool_ids: ToolIds::Word(64), seals: Some(Family::Anthropic), ..Dialect::PLAIN },
        )
    },
    // https://ai.google.dev/api/generate-content
    Kind {
        formats: &[GEMINI, GEMINI_EMBEDDINGS],
        on_request: &[],
        key: KeyHeader::XGoogApiKey,
        ..public(
            "gemini",
            "https://generativelanguage.googleapis.com",
            "GEMINI_API_KEY",
            Dialect { seals: Some(Family::Gemini), ..Dialect::PLAIN },
        )
    },
    // https://docs.mistral.ai/api/: ids of calls are nine letters or digits; `stream_options` is refused, and usage
    // comes without it.
    Kind {
        formats: &[CHAT, EMBEDDINGS],
        on_request: &[],
        ..public(
            "mistral",
            "https://api.mistral.ai",
            "MISTRAL_API_KEY",
            Dialect {
                stream_options: false,
                reasoning_back: ReasoningBack::Parts,
                tool_ids: ToolIds::Nine,
                required: "any",
                seed: "random_seed",
                ..Dialect::PLAIN
            },
        )
    },
    // https://api-docs.deepseek.com/: `/v1` is accepted too, but has nothing to do with a version. `response_format`
    // knows text and json_object; https://api-docs.deepseek.com/guides/thinking_mode
    Kind {
        formats: &[(Format::Chat, "/chat/completions")],
        on_request: &[],
        ..public(
            "deepseek",
            "https://api.deepseek.com",
            "DEEPSEEK_API_KEY",
            Dialect { effort: EffortDialect::Thinking, json_schema: false, ..Dialect::PLAIN },
        )
    },
    // https://console.groq.com/docs/openai, https://console.groq.com/docs/reasoning
    Kind {
        formats: &[(Format::Chat, "/openai/v1/chat/completions")],
        on_request: &[(Format::Responses, "/openai/v1/responses")],
        ..public(
            "groq",
            "https://api.groq.com",
            "GROQ_API_KEY",
            Dialect {
                max_tokens: MaxTokens::MaxCompletionTokens,
                reasoning_back: ReasoningBack::Reasoning,
                ..Dialect::PLAIN
            },
        )
    },
    // https://openrouter.ai/docs/api-reference/overview, https://openrouter.ai/docs/use-cases/reasoning-tokens
    Kind {
        formats: &[
            (Format::Chat, "/api/v1/chat/completions"),
            (Format::Completions, "/api/v1/completions"),
            (Format::Embeddings, "/api/v1/embeddings"),
        ],
        on_request: &[(Format::Responses, "/api/v1/responses"), (Format::Messages, "/api/v1/messages")],
        ..public(
            "openrouter",
            "https://openrouter.ai",
            "OPENROUTER_API_KEY",
            Dialect {
                effort: EffortDialect::Object,
                reasoning_back: ReasoningBack::Details,
                seals: Some(Family::Details),
                open_sampling: true,
                cache_control: true,
                ..Dialect::PLAIN
            },
        )
    },
    // https://docs.x.ai/docs/api-reference
    Kind {
        formats: &[CHAT, RESPONSES],
        on_request: &[MESSAGES],
        ..public(
            "xai",
            "https://api.x.ai",
            "XAI_API_KEY",
            Dialect { reasoning_back: ReasoningBack::Never, seals: Some(Family::Xai), ..Dialect::PLAIN },
        )
    },
    own("vllm", MODEL_SERVER),
    own("sglang", MODEL_SERVER),
    own("llamacpp", MODEL_SERVER),
    // https://docs.ollama.com/api/openai-compatibility: pictures as data only.
    own("ollama", Dialect { image_links: false, reasoning_back: ReasoningBack::Reasoning, ..Dialect::PLAIN }),
    PLAIN,
    // Ours. It takes every format, whatever the path says, so that each can be tried without a provider.
    Kind { on_request: &[RESPONSES, MESSAGES, GEMINI], ..own("scripted", Dialect::PLAIN) },
];

/// A kind by its name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// What is assumed of a server that nothing is known of: `openai-compatible`.
#[must_use]
pub fn plain() -> &'static Kind {
    &PLAIN
}

impl Kind {
    /// The native path of a format for a model, below the endpoint; `None`: the kind does not speak it.
    #[must_use]
    pub fn path(&self, format: Format, model: &str, stream: bool) -> Option<Cow<'static, str>> {
        let path = self.formats.iter().chain(self.on_request).find(|(spoken, _)| *spoken == format)?.1;
        if !path.contains("{model}") {
            return Some(Cow::Borrowed(path));
        }
        // What clients copy from Google's lists begins with `models/`.
        let model = model.strip_prefix("models/").unwrap_or(model);
        let model = percent_encoding::utf8_percent_encode(model, percent_encoding::NON_ALPHANUMERIC).to_string();
        // Unreserved characters stay readable (RFC 3986, section 2.3).
        let model = model.replace("%2D", "-").replace("%2E", ".").replace("%5F", "_").replace("%7E", "~");
        let path = path.replace("{model}", &model);
        if format == Format::Gemini && stream {
            return Some(path.replace(":generateContent", ":streamGenerateContent?alt=sse").into());
        }
        Some(path.into())
    }

    /// Whether a model may be called in this format.
    #[must_use]
    pub fn speaks(&self, format: Format) -> bool {
        self.formats.iter().chain(self.on_request).any(|(spoken, _)| *spoken == format)
    }

    /// The format that bodies at this format's path are in: who generates in Gemini's format embeds in it too.
    #[must_use]
    pub fn written(&self, format: Format) -> Format {
        if format == Format::Embeddings && self.speaks(Format::Gemini) { Format::Gemini } else { format }
    }

    /// A native path under an endpoint's prefix. What prefix and native path share is not doubled: with `/v1` or
    /// `/openai/v1` given, nothing of it is added again. A prefix that ends in another version (`/api/paas/v4`) stands in
    /// for the native one.
    #[must_use]
    pub fn under(prefix: &str, native: &str) -> String {
        let given: Vec<&str> = prefix.split('/').filter(|segment| !segment.is_empty()).collect();
        let native: Vec<&str> = native.split('/').filter(|segment| !segment.is_empty()).collect();
        let shared = (0..=native.len().min(given.len())).rev().find(|&count| given.ends_with(&native[..count]));
        let mut skip = shared.unwrap_or(0);
        if skip == 0
            && let Some(version) = native.iter().position(|segment| is_version(segment))
            && given.last().is_some_and(|last| is_version(last))
        {
            skip = version + 1;
        }
        let mut path = String::new();
        for segment in given.iter().chain(&native[skip..]) {
            path.push('/');
            path.push_str(segment);
        }
        path
    }
}

/// `v1`, `v4`, `v1beta`.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_version_is_not_doubled() {
        for (name, prefix, path) in [
            ("openai", "", "/v1/chat/completions"),
            ("openai", "/v1", "/v1/chat/completions"),
            ("vllm", "/gpu/a/v1/", "/gpu/a/v1/chat/completions"),
            ("openai-compatible", "/v1/chat/completions", "/v1/chat/completions"),
            ("openai-compatible", "/api/paas/v4", "/api/paas/v4/chat/completions"),
            ("groq", "", "/openai/v1/chat/completions"),
            ("groq", "/openai/v1", "/openai/v1/chat/completions"),
            ("groq", "/openai", "/openai/v1/chat/completions"),
            ("openrouter", "/api/v1", "/api/v1/chat/completions"),
            ("deepseek", "", "/chat/completions"),
            ("deepseek", "/v1", "/v1/chat/completions"),
        ] {
            let native = kind(name).unwrap().path(Format::Chat, "m", true).unwrap();
            assert_eq!(Kind::under(prefix, &native), path, "{name} at {prefix}");
        }
    }

    #[test]
    fn a_model_in_a_path_cannot_leave_it() {
        let gemini = kind("gemini").unwrap();
        let path = |model, stream| gemini.path(Format::Gemini, model, stream).unwrap();
        assert_eq!(path("models/gemini-2.5-flash", false), "/v1beta/models/gemini-2.5-flash:generateContent");
        assert_eq!(path("gemini-3", true), "/v1beta/models/gemini-3:streamGenerateContent?alt=sse");
        assert_eq!(path("../x?y#z", false), "/v1beta/models/..%2Fx%3Fy%23z:generateContent");
    }

    #[test]
    fn every_kind_speaks_something_first() {
        for kind in &KINDS {
            assert!(matches!(kind.formats[0].0, Format::Chat | Format::Messages | Format::Gemini), "{}", kind.name);
        }
    }
}
