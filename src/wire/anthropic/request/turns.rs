//! The messages, as this format takes turns: tools' results belong to the user, and come first.
//!
//! Every message is written as a list of blocks, also a lone text: so it stays a prefix when another is merged into it.

use super::{kinds, media};
use crate::chat::{
    Content, Conversation, Family, Message, Named, Part, Reasoning, Role, SealKind, ToolCall, ToolResult,
};
use crate::wire::Shape;
use crate::wire::dialect::ReasoningBack;
use crate::wire::json::{List, Members, Object};
use crate::wire::losses::{Losses, Unsupported};
use crate::wire::tool_ids;

/// All that was said, as JSON.
#[derive(Debug)]
pub(super) struct Turns {
    /// `system`: instructions from anywhere in the conversation, since most models take none in its midst.
    /// <https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages>
    pub(super) system: Option<String>,
    /// `messages`
    pub(super) messages: String,
}

/// Consecutive messages of one side.
#[derive(Debug, Default)]
struct Turn {
    assistant: bool,
    results: Vec<String>,
    blocks: Vec<String>,
}

struct Writer<'a> {
    shape: &'a Shape<'a>,
    losses: &'a mut Losses,
    instructions: Vec<String>,
    /// The instructions' text, as long as it is one and has no members beside it.
    plain: Option<String>,
    turns: Vec<Turn>,
}

/// Writes what was said. Empty texts are left out, since Anthropic refuses them, and so are messages of nothing else.
pub(super) fn write(conversation: &Conversation, shape: &Shape<'_>, losses: &mut Losses) -> Result<Turns, Unsupported> {
    let mut writer = Writer { shape, losses, instructions: Vec::new(), plain: None, turns: Vec::new() };
    let last = conversation.messages.len().saturating_sub(1);
    for (index, message) in conversation.messages.iter().enumerate() {
        writer.message(message, index, index == last)?;
    }
    let mut messages = List::new();
    for turn in writer.turns {
        let mut content = List::new();
        for block in turn.results.iter().chain(&turn.blocks) {
            content.raw(block);
        }
        if !content.is_empty() {
            let mut message = Object::new();
            message.put("role", if turn.assistant { "assistant" } else { "user" });
            message.raw("content", &content.finish());
            messages.raw(&message.finish());
        }
    }
    if messages.is_empty() {
        // Instructions alone are nothing that Claude would answer.
        writer.losses.meaning("messages")?;
    }
    let system = match (writer.instructions.as_slice(), writer.plain) {
        ([], _) => None,
        ([_], Some(text)) => serde_json::to_string(&text).ok(),
        (several, _) => {
            let mut blocks = List::new();
            for block in several {
                blocks.raw(block);
            }
            Some(blocks.finish())
        }
    };
    Ok(Turns { system, messages: messages.finish() })
}

impl Writer<'_> {
    fn message(&mut self, message: &Message, index: usize, last: bool) -> Result<(), Unsupported> {
        let path = format!("messages[{index}]");
        self.losses.members(&path, &message.others)?;
        for (place, part) in message.parts.iter().enumerate() {
            let at = format!("{path}.content[{place}]");
            // An answer begun for the model must not end in white space.
            let begun = last && message.role == Role::Assistant && place + 1 == message.parts.len();
            let Some(block) = self.part(part, message.role, (&path, &at), begun)? else { continue };
            if message.role == Role::System {
                let alone = self.instructions.is_empty() && part.others.is_empty();
                self.plain = match &part.content {
                    Content::Text(text) if alone => Some(text.clone()),
                    _ => None,
                };
                self.instructions.push(block);
                continue;
            }
            let turn = self.turn(message.role == Role::Assistant);
            match part.content {
                Content::ToolResult(_) => turn.results.push(block),
                _ => turn.blocks.push(block),
            }
        }
        Ok(())
    }

    /// The turn that goes on, or a new one.
    fn turn(&mut self, assistant: bool) -> &mut Turn {
        let place = match self.turns.last() {
            Some(turn) if turn.assistant == assistant => self.turns.len() - 1,
            _ => {
                self.turns.push(Turn { assistant, ..Turn::default() });
                self.turns.len() - 1
            }
        };
        // The place was taken from this very list.
        &mut self.turns[place]
    }

    /// A part as a block; `None`: nothing is left of it. `path` is where its message stands, and where it does.
    fn part(
        &mut self,
        part: &Part,
        role: Role,
        (message, at): (&str, &str),
        begun: bool,
    ) -> Result<Option<String>, Unsupported> {
        let mut block = match (&part.content, role) {
            (Content::Text(text) | Content::Refusal(text), Role::System | Role::User | Role::Assistant) => {
                text_block(if begun { text.trim_end() } else { text })
            }
            (Content::Image(image), Role::User) => media::image(image, self.shape, at, self.losses)?,
            (Content::Document(document), Role::User) => media::document(document, at, self.losses)?,
            (Content::Reasoning(reasoning), _) => self.reasoning(reasoning, message),
            (Content::ToolCall(call), Role::Assistant) => self.call(call, message, at)?,
            (Content::ToolResult(result), Role::Tool) => self.result(result, at)?,
            (Content::Opaque(json), Role::User | Role::Assistant) if is_own(json.text()) => {
                return Ok(Some(json.text().to_owned()));
            }
            (Content::Audio(_), _) => {
                self.losses.meaning(format!("{at}.input_audio"))?;
                None
            }
            _ => {
                self.losses.meaning(at)?;
                None
            }
        };
        if let Some(block) = &mut block {
            put_members(block, &part.others, &kinds::BLOCK_MEMBERS, at, self.losses)?;
        }
        Ok(block.map(Object::finish))
    }

    /// Reasoning goes back unchanged to those who signed it. Others must not see it as Claude's own; servers of open models
    /// that check no signatures take what is not signed.
    fn reasoning(&mut self, reasoning: &Reasoning, message: &str) -> Option<Object> {
        let mut block = Object::new();
        let (seals, back) = (self.shape.dialect.seals, self.shape.dialect.reasoning_back);
        match &reasoning.seal {
            Some(seal) if seal.family == Family::Anthropic && seals == Some(Family::Anthropic) => match seal.kind {
                SealKind::Hidden => block.put("type", "redacted_thinking").put("data", &seal.data),
                _ => block.put("type", "thinking").put("thinking", reasoning.text()).put("signature", &seal.data),
            },
            None if seals.is_none() && back != ReasoningBack::Never && !reasoning.parts.is_empty() => {
                block.put("type", "thinking").put("thinking", reasoning.text()).put("signature", "")
            }
            None if reasoning.parts.is_empty() => return None,
            _ => {
                self.losses.hint(format!("{message}.reasoning"));
                return None;
            }
        };
        Some(block)
    }

    fn call(&mut self, call: &ToolCall, message: &str, at: &str) -> Result<Option<Object>, Unsupported> {
        if call.seal.is_some() {
            self.losses.hint(format!("{message}.reasoning"));
        }
        let arguments = call.arguments.trim_matches([' ', '\t', '\n', '\r']);
        let input = if arguments.is_empty() {
            "{}"
        } else if Members::of_text(arguments, "").is_ok() {
            arguments
        } else {
            self.losses.meaning(format!("{at}.arguments"))?;
            "{}"
        };
        let mut block = Object::new();
        block.put("type", "tool_use").put("id", tool_ids::fit(&call.id, self.shape.dialect.tool_ids));
        block.put("name", &call.name).raw("input", input);
        Ok(Some(block))
    }

    fn result(&mut self, result: &ToolResult, at: &str) -> Result<Option<Object>, Unsupported> {
        let mut block = Object::new();
        block.put("type", "tool_result");
        block.put("tool_use_id", tool_ids::fit(&result.id, self.shape.dialect.tool_ids));
        match result.parts.as_slice() {
            [] => {}
            [Part { content: Content::Text(text), others }] if others.is_empty() => {
                block.put("content", text);
            }
            parts => {
                let mut content = List::new();
                for (place, part) in parts.iter().enumerate() {
                    let inner = format!("{at}.content[{place}]");
                    // What a tool may answer is what a user may say.
                    if let Some(part) = self.part(part, Role::User, (at, &inner), false)? {
                        content.raw(&part);
                    }
                }
                block.raw("content", &content.finish());
            }
        }
        if result.is_error {
            block.put("is_error", true);
        }
        Ok(Some(block))
    }
}

fn text_block(text: &str) -> Option<Object> {
    if text.trim().is_empty() {
        return None;
    }
    let mut block = Object::new();
    block.put("type", "text").put("text", text);
    Some(block)
}

fn is_own(json: &str) -> bool {
    let kind = Members::of_text(json, "").and_then(|mut members| members.required_text("type"));
    kind.is_ok_and(|kind| kinds::is_own_block(&kind))
}

/// Adds the members that this format knows, and accounts for the others.
pub(super) fn put_members(
    object: &mut Object,
    others: &[Named],
    known: &[&str],
    path: &str,
    losses: &mut Losses,
) -> Result<(), Unsupported> {
    for other in others {
        if known.contains(&other.name.as_str()) {
            object.raw(&other.name, other.value.text());
        } else {
            losses.members(path, std::slice::from_ref(other))?;
        }
    }
    Ok(())
}
