//! The words of the format: roles, kinds of blocks and of tools.

use crate::chat::Role;

/// The role of a message by its name. Newer models take instructions in the midst of a conversation.
pub(super) fn role(name: &[u8]) -> Option<Role> {
    match name {
        b"user" => Some(Role::User),
        b"assistant" => Some(Role::Assistant),
        b"system" => Some(Role::System),
        _ => None,
    }
}

/// Whether a tool of this `type` is a function of the application; so is one without.
pub(super) fn is_function(kind: &str) -> bool {
    kind == "custom"
}

/// Whether a tool that Anthropic defines is run by the client all the same.
/// <https://platform.claude.com/docs/en/agents-and-tools/tool-use/how-tool-use-works>
pub(super) fn run_by_client(kind: &str) -> bool {
    ["bash_", "text_editor_", "computer_", "memory_", "browser_"].iter().any(|name| kind.starts_with(name))
}

/// Whether a tool of this `type` is one that Anthropic defines: `web_search_20250305`.
pub(super) fn is_own_tool(kind: &str) -> bool {
    let date = kind.rsplit('_').next().unwrap_or_default();
    let dated = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    dated || kind.starts_with("tool_search_tool_") || kind == "mcp_toolset"
}

/// Whether a block of this kind is text, or what a provider wrote itself.
pub(super) fn readable(kind: &[u8]) -> bool {
    let known = matches!(
        kind,
        b"text"
            | b"thinking"
            | b"redacted_thinking"
            | b"tool_use"
            | b"server_tool_use"
            | b"mcp_tool_use"
            | b"tool_reference"
            | b"compaction"
            | b"fallback"
    );
    // What a fetch brings may be a PDF; it is a block of its own inside the result.
    known || kind.ends_with(b"_result") || kind.ends_with(b"_result_error")
}

/// Whether a block that has no neutral words is one of this format.
pub(super) fn is_own_block(kind: &str) -> bool {
    let known = [
        "server_tool_use",
        "mcp_tool_use",
        "container_upload",
        "tool_reference",
        "search_result",
        "document",
        "compaction",
        "fallback",
        "browser_state",
        "tool_addition",
        "tool_removal",
    ];
    known.contains(&kind) || kind.ends_with("_tool_result")
}

/// Members of a block that this format knows and the neutral words do not.
pub(super) const BLOCK_MEMBERS: [&str; 7] =
    ["cache_control", "citations", "context", "caller", "toolset_name", "transformations", "binding"];

/// The same of a function.
pub(super) const FUNCTION_MEMBERS: [&str; 5] =
    ["cache_control", "defer_loading", "eager_input_streaming", "input_examples", "allowed_callers"];

/// The same of a request.
pub(super) const REQUEST_MEMBERS: [&str; 14] = [
    "cache_control",
    "compaction",
    "container",
    "context_management",
    "diagnostics",
    "fallback_credit_token",
    "fallbacks",
    "inference_geo",
    "mcp_servers",
    "speed",
    "thread",
    "user_profile_id",
    "workspace_id",
    "billing_policy",
];

/// Whether a member of a block cannot change an answer.
pub(super) fn block_hint(name: &str) -> bool {
    matches!(name, "cache_control" | "citations" | "caller" | "toolset_name" | "transformations" | "binding")
}

/// Whether a member of a function cannot.
pub(super) fn function_hint(name: &str) -> bool {
    matches!(name, "cache_control" | "defer_loading" | "eager_input_streaming")
}

/// Whether a member of a request cannot. Clients send `context_management` as a habit: without it, the model sees more
/// of the conversation, not less.
pub(super) fn request_hint(name: &str) -> bool {
    !matches!(name, "container" | "mcp_servers" | "thread" | "inference_geo" | "tools" | "messages")
        && (REQUEST_MEMBERS.contains(&name) || matches!(name, "service_tier" | "metadata" | "betas"))
        || name.starts_with("anthropic_")
}
