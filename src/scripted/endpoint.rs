//! Which endpoint of which format a request's path names.

use std::borrow::Cow;

/// A wire format that the scripted provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenAI's chat completions, legacy completions and embeddings.
    Openai,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
    /// Gemini's `generateContent` and its kin.
    Gemini,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Completions,
    Embeddings,
    Responses,
    Messages,
    CountTokens,
    Generate,
    StreamGenerate,
    EmbedContent,
    BatchEmbed,
}

impl Endpoint {
    /// The endpoint of a path without its query, under any prefix.
    pub(super) fn find(path: &[u8]) -> Option<Endpoint> {
        // The longer ends first: `/completions` is also the end of `/chat/completions`.
        const ENDS: [(&[u8], Endpoint); 10] = [
            (b"/chat/completions", Endpoint::Chat),
            (b"/completions", Endpoint::Completions),
            (b"/embeddings", Endpoint::Embeddings),
            (b"/responses", Endpoint::Responses),
            (b"/messages/count_tokens", Endpoint::CountTokens),
            (b"/messages", Endpoint::Messages),
            (b":generateContent", Endpoint::Generate),
            (b":streamGenerateContent", Endpoint::StreamGenerate),
            (b":embedContent", Endpoint::EmbedContent),
            (b":batchEmbedContents", Endpoint::BatchEmbed),
        ];
        let found = ENDS.iter().find(|(end, _)| path.ends_with(end));
        found.map(|(_, endpoint)| *endpoint)
    }

    pub(super) fn format(self) -> Format {
        match self {
            Endpoint::Chat | Endpoint::Completions | Endpoint::Embeddings => Format::Openai,
            Endpoint::Responses => Format::Responses,
            Endpoint::Messages | Endpoint::CountTokens => Format::Anthropic,
            Endpoint::Generate | Endpoint::StreamGenerate | Endpoint::EmbedContent | Endpoint::BatchEmbed => {
                Format::Gemini
            }
        }
    }
}

/// What the head says besides the body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// With its query, as sent.
    pub(super) path: &'a str,
    /// Whether the header `anthropic-version` is there.
    pub(super) anthropic_version: bool,
}

impl<'a> Line<'a> {
    /// Gemini's model, which stands in the path: between `models/` and the last colon.
    pub(super) fn model(&self) -> Cow<'a, str> {
        let path = self.path.split('?').next().unwrap_or_default();
        let before = path.rsplit_once(':').map_or(path, |(before, _)| before);
        let name = before.rsplit_once("/models/").map_or(before, |(_, name)| name);
        percent_encoding::percent_decode_str(name).decode_utf8_lossy()
    }

    /// Whether the query asks for server-sent events.
    pub(super) fn alt_sse(&self) -> bool {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        query.split('&').any(|pair| pair == "alt=sse")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paths_end_chooses_the_endpoint_under_any_prefix() {
        for (path, endpoint) in [
            ("/v1/chat/completions", Endpoint::Chat),
            ("/openai/deployments/d/chat/completions", Endpoint::Chat),
            ("/v1/completions", Endpoint::Completions),
            ("/p/v1/messages", Endpoint::Messages),
            ("/v1/messages/count_tokens", Endpoint::CountTokens),
            ("/v1beta/models/g:streamGenerateContent", Endpoint::StreamGenerate),
        ] {
            assert_eq!(Endpoint::find(path.as_bytes()), Some(endpoint), "{path}");
        }
        assert_eq!(Endpoint::find(b"/v1/audio"), None);
    }

    #[test]
    fn geminis_model_and_framing_stand_in_the_path() {
        let path = "/x/v1beta/models/tuned%2Fa:b:streamGenerateContent?key=k&alt=sse";
        let line = Line { path, anthropic_version: false };
        assert_eq!(line.model(), "tuned/a:b");
        assert!(line.alt_sse());
    }
}
