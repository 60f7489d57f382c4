//! Provider kinds as data: where they listen and which path their chat completions have.

/// What all providers of a kind share.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// As the configuration says it.
    pub name: &'static str,
    /// The public endpoint; `None` where every installation has its own.
    pub endpoint: Option<&'static str>,
    /// Path of chat completions below the endpoint.
    pub chat: &'static str,
    /// The environment variable that usually holds a key.
    pub key_variable: Option<&'static str>,
}

const fn own(name: &'static str) -> Kind {
    Kind { name, endpoint: None, chat: "/v1/chat/completions", key_variable: None }
}

const fn public(name: &'static str, endpoint: &'static str, chat: &'static str, variable: &'static str) -> Kind {
    Kind { name, endpoint: Some(endpoint), chat, key_variable: Some(variable) }
}

/// Every kind.
pub const KINDS: [Kind; 12] = [
    // https://platform.openai.com/docs/api-reference/chat/create
    public("openai", "https://api.openai.com", "/v1/chat/completions", "OPENAI_API_KEY"),
    // https://docs.mistral.ai/api/
    public("mistral", "https://api.mistral.ai", "/v1/chat/completions", "MISTRAL_API_KEY"),
    // https://api-docs.deepseek.com/: `/v1` is accepted too, but has nothing to do with a version.
    public("deepseek", "https://api.deepseek.com", "/chat/completions", "DEEPSEEK_API_KEY"),
    // https://console.groq.com/docs/openai
    public("groq", "https://api.groq.com", "/openai/v1/chat/completions", "GROQ_API_KEY"),
    // https://openrouter.ai/docs/api-reference/overview
    public("openrouter", "https://openrouter.ai", "/api/v1/chat/completions", "OPENROUTER_API_KEY"),
    // https://docs.x.ai/docs/api-reference
    public("xai", "https://api.x.ai", "/v1/chat/completions", "XAI_API_KEY"),
    own("vllm"),
    own("sglang"),
    own("llamacpp"),
    own("ollama"),
    own("openai-compatible"),
    own("scripted"),
];

/// A kind by its name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

impl Kind {
    /// The whole path of chat completions under an endpoint's prefix. What prefix and native path share is not
    /// doubled: with `/v1` or `/openai/v1` given, nothing of it is added again. A prefix that ends in another
    /// version (`/api/paas/v4`) stands in for the native one.
    #[must_use]
    pub fn chat_path(&self, prefix: &str) -> String {
        let given: Vec<&str> = prefix.split('/').filter(|segment| !segment.is_empty()).collect();
        let native: Vec<&str> = self.chat.split('/').filter(|segment| !segment.is_empty()).collect();
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
            assert_eq!(kind(name).unwrap().chat_path(prefix), path, "{name} at {prefix}");
        }
    }
}
