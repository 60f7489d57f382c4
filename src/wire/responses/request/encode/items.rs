//! The conversation as items of the input, one after the other.

use serde_json::value::RawValue;

use super::media;
use crate::chat::{Content, Conversation, Json, Message, Named, Part, Reasoning, Role, SealKind, ToolCall, ToolResult};
use crate::wire::dialect::Shape;
use crate::wire::json::{List, Members, Object};
use crate::wire::losses::{Losses, Unsupported};
use crate::wire::tool_ids;

/// Items that only this format knows, by their `type`.
const OPAQUE: [&str; 27] = [
    "additional_tools",
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter_call",
    "compaction",
    "compaction_trigger",
    "computer_call",
    "computer_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "image_generation_call",
    "item_reference",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "program",
    "program_output",
    "shell_call",
    "shell_call_output",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
    "x_search_call",
];

pub(super) fn input(
    conversation: &Conversation,
    shape: &Shape<'_>,
    losses: &mut Losses,
) -> Result<String, Unsupported> {
    let mut items = Items { list: List::new(), count: 0, shape, losses };
    for (index, message) in conversation.messages.iter().enumerate() {
        items.message(message, &format!("messages[{index}]"))?;
    }
    Ok(items.list.finish())
}

struct Items<'a> {
    list: List,
    count: usize,
    shape: &'a Shape<'a>,
    losses: &'a mut Losses,
}

impl Items<'_> {
    fn message(&mut self, message: &Message, path: &str) -> Result<(), Unsupported> {
        let role = match message.role {
            Role::User => "user",
            Role::System => "system",
            Role::Assistant | Role::Tool => {
                self.losses.members(path, &message.others)?;
                for (index, part) in message.parts.iter().enumerate() {
                    self.part(part, path, &format!("{path}.content[{index}]"))?;
                }
                if message.parts.is_empty() && message.role == Role::Assistant {
                    let mut item = Object::new();
                    item.put("type", "message").put("role", "assistant").raw("content", "[]");
                    self.put(item);
                }
                return Ok(());
            }
        };
        let mut content = List::new();
        for (index, part) in message.parts.iter().enumerate() {
            media::put(part, &format!("{path}.content[{index}]"), self.shape, &mut content, self.losses)?;
        }
        let mut item = Object::new();
        item.put("type", "message").put("role", role);
        // A message of which nothing is left is no message.
        let said = message.parts.is_empty() || !content.is_empty();
        item.raw("content", &content.finish());
        self.others(&message.others, &["status", "phase"], path, &mut item)?;
        if said {
            self.put(item);
        }
        Ok(())
    }

    /// Writes a part of what the model or a tool said: each is an item of its own.
    fn part(&mut self, part: &Part, message: &str, path: &str) -> Result<(), Unsupported> {
        let mut item = Object::new();
        match &part.content {
            Content::Text(text) => self.said("output_text", "text", text, &part.others, path)?,
            Content::Refusal(text) => self.said("refusal", "refusal", text, &part.others, path)?,
            Content::Reasoning(reasoning) => self.reasoning(reasoning, &part.others, message)?,
            Content::ToolCall(call) => {
                self.call(call, path, &mut item);
                self.others(&part.others, &["status", "namespace", "caller"], path, &mut item)?;
                self.put(item);
            }
            Content::ToolResult(result) => {
                self.result(result, path, &mut item)?;
                self.others(&part.others, &["status", "namespace", "caller", "name"], path, &mut item)?;
                self.put(item);
            }
            Content::Opaque(json) if is_known(json) => {
                self.count += 1;
                self.list.raw(json.text());
            }
            Content::Opaque(_) | Content::Image(_) | Content::Document(_) | Content::Audio(_) => {
                self.losses.meaning(path)?;
            }
        }
        Ok(())
    }

    fn put(&mut self, item: Object) {
        self.count += 1;
        self.list.raw(&item.finish());
    }

    /// Writes what the model said. The short form says all there is to a text; more needs the whole one, and that an id.
    fn said(&mut self, kind: &str, member: &str, text: &str, others: &[Named], path: &str) -> Result<(), Unsupported> {
        let (ours, left): (Vec<&Named>, Vec<&Named>) = others.iter().partition(|other| match other.name.as_str() {
            "annotations" => are_annotations(&other.value),
            name => matches!(name, "logprobs" | "status" | "phase"),
        });
        for other in left {
            self.losses.members(path, std::slice::from_ref(other))?;
        }
        let find = |name: &str| ours.iter().find(|other| other.name == name).map(|other| &other.value);
        let mut item = Object::new();
        item.put("type", "message");
        if kind == "output_text" && ["annotations", "logprobs", "status"].iter().all(|name| find(name).is_none()) {
            item.put("role", "assistant").put("content", text);
        } else {
            let mut content = Object::new();
            content.put("type", kind).put(member, text);
            if kind == "output_text" {
                for name in ["annotations", "logprobs"] {
                    content.raw(name, find(name).map_or("[]", Json::text));
                }
            }
            let mut list = List::new();
            list.raw(&content.finish());
            item.put("id", format!("msg_{}", self.count)).put("role", "assistant").raw("content", &list.finish());
            item.raw("status", find("status").map_or(r#""completed""#, Json::text));
        }
        item.put_some("phase", find("phase"));
        self.put(item);
        Ok(())
    }

    /// Writes reasoning that the target's own family sealed; no other is of use to it.
    fn reasoning(&mut self, reasoning: &Reasoning, others: &[Named], message: &str) -> Result<(), Unsupported> {
        let place = format!("{message}.reasoning");
        let own = |family| self.shape.dialect.seals == Some(family);
        let seal = match &reasoning.seal {
            Some(seal) if own(seal.family) && matches!(seal.kind, SealKind::Text | SealKind::Hidden) => seal,
            _ => {
                self.losses.hint(place);
                return Ok(());
            }
        };
        let mut summary = List::new();
        for part in &reasoning.parts {
            let mut text = Object::new();
            text.put("type", "summary_text").put("text", part);
            summary.raw(&text.finish());
        }
        let mut item = Object::new();
        item.put("type", "reasoning").put_some("id", seal.id.as_ref());
        item.raw("summary", &summary.finish()).put("encrypted_content", &seal.data);
        self.others(others, &["status"], &place, &mut item)?;
        self.put(item);
        Ok(())
    }

    fn call(&mut self, call: &ToolCall, path: &str, item: &mut Object) {
        if call.seal.is_some() {
            self.losses.hint(format!("{path}.thought_signature"));
        }
        item.put("type", "function_call").put("call_id", tool_ids::fit(&call.id, self.shape.dialect.tool_ids));
        item.put("name", &call.name).put("arguments", &call.arguments);
    }

    fn result(&mut self, result: &ToolResult, path: &str, item: &mut Object) -> Result<(), Unsupported> {
        item.put("type", "function_call_output");
        item.put("call_id", tool_ids::fit(&result.id, self.shape.dialect.tool_ids));
        if result.is_error {
            self.losses.hint(format!("{path}.is_error"));
        }
        if let [only] = &*result.parts
            && let Some(text) = media::plain(only)
        {
            item.put("output", text);
            return self.losses.members(&format!("{path}.content[0]"), &only.others);
        }
        let mut output = List::new();
        for (index, part) in result.parts.iter().enumerate() {
            media::put(part, &format!("{path}.content[{index}]"), self.shape, &mut output, self.losses)?;
        }
        if output.is_empty() {
            item.put("output", "");
        } else {
            item.raw("output", &output.finish());
        }
        Ok(())
    }

    /// Writes the members that an item knows, and takes account of those it does not.
    fn others(&mut self, others: &[Named], known: &[&str], path: &str, item: &mut Object) -> Result<(), Unsupported> {
        for other in others {
            if known.contains(&other.name.as_str()) {
                item.raw(&other.name, other.value.text());
            } else {
                self.losses.members(path, std::slice::from_ref(other))?;
            }
        }
        Ok(())
    }
}

/// Whether these are annotations as this format writes them; in Chat Completions each is one level deeper.
fn are_annotations(json: &Json) -> bool {
    let Ok(list) = json.read::<Vec<&RawValue>>() else { return false };
    list.into_iter().all(|annotation| {
        let Ok(mut members) = Members::read(annotation, "") else { return false };
        members.raw("url").is_some() || members.raw("file_id").is_some()
    })
}

fn is_known(json: &Json) -> bool {
    let Ok(mut members) = Members::of_text(json.text(), "") else { return false };
    match members.text("type") {
        Ok(Some(kind)) => OPAQUE.contains(&kind.as_str()),
        // A reference to an item may do without its type.
        Ok(None) => members.raw("id").is_some() && members.raw("role").is_none(),
        Err(_) => false,
    }
}
