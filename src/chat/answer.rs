//! What a model said, whole.

use super::{Content, Event, Json, Part, Reasoning, SealKind, ToolCall, Usage};

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The provider's id of it.
    pub id: Option<String>,
    /// The model, as the provider names it.
    pub model: Option<String>,
    /// Seconds since 1970.
    pub created: Option<u64>,
    /// One for each answer that was asked for.
    pub choices: Vec<Choice>,
    /// Tokens, if the provider counted them.
    pub usage: Option<Usage>,
}

/// One of the answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Text, refusals, reasoning, tool calls, in order.
    pub parts: Vec<Part>,
    /// Why it ended; `None`: it did not.
    pub finish: Option<Finish>,
    /// Chances of its tokens, each as Chat Completions writes it.
    pub logprobs: Vec<Json>,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model was done.
    Stop,
    /// A stop sequence came up; which one, where the provider says.
    StopSequence(Option<String>),
    /// The limit of output tokens, or the end of the context.
    Length,
    /// To have tools called.
    ToolCalls,
    /// The provider's filter.
    ContentFilter,
    /// The model declined.
    Refusal,
    /// The provider paused a long turn; send the answer back to go on (Anthropic's `pause_turn`).
    Pause,
    /// Another reason, in the provider's word.
    Other(String),
}

impl Finish {
    /// Whether the answer is whole: neither cut off nor withheld.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Stop | Self::StopSequence(_) | Self::ToolCalls)
    }
}

impl Answer {
    /// Whether there is an answer and each says why it ended.
    #[must_use]
    pub fn complete(&self) -> bool {
        !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finish.is_some())
    }

    /// Whether every answer is whole: fit for the cache.
    #[must_use]
    pub fn good(&self) -> bool {
        self.complete() && self.choices.iter().all(|choice| choice.finish.as_ref().is_some_and(Finish::is_good))
    }

    /// Takes in one step of a stream.
    pub fn add(&mut self, event: &Event) {
        match event {
            Event::Start { id, model, created } => {
                self.id = id.clone().or(self.id.take());
                self.model = model.clone().or(self.model.take());
                self.created = created.or(self.created);
            }
            Event::Text { choice, text } => match self.last(*choice) {
                Some(Content::Text(before)) => before.push_str(text),
                _ => self.put(*choice, Content::Text(text.clone())),
            },
            Event::Refusal { choice, text } => match self.last(*choice) {
                Some(Content::Refusal(before)) => before.push_str(text),
                _ => self.put(*choice, Content::Refusal(text.clone())),
            },
            Event::Reasoning { choice, text } => match self.last(*choice) {
                Some(Content::Reasoning(Reasoning { parts, seal: None })) => match parts.last_mut() {
                    Some(part) => part.push_str(text),
                    None => parts.push(text.clone()),
                },
                _ => self.put(*choice, Content::Reasoning(Reasoning { parts: vec![text.clone()], seal: None })),
            },
            Event::ReasoningPart { choice } => match self.last(*choice) {
                Some(Content::Reasoning(Reasoning { parts, seal: None })) => parts.push(String::new()),
                _ => self.put(*choice, Content::Reasoning(Reasoning { parts: vec![String::new()], seal: None })),
            },
            Event::Seal { choice, seal } => match self.last(*choice) {
                Some(Content::Reasoning(open)) if open.seal.is_none() && seal.kind == SealKind::Text => {
                    open.seal = Some(seal.clone());
                }
                _ => {
                    let sealed = Reasoning { parts: Vec::new(), seal: Some(seal.clone()) };
                    self.put(*choice, Content::Reasoning(sealed));
                }
            },
            Event::ToolCall { choice, id, name, seal, .. } => {
                let (id, name, seal) = (id.clone(), name.clone(), seal.clone());
                self.put(*choice, Content::ToolCall(ToolCall { id, name, arguments: String::new(), seal }));
            }
            Event::Arguments { choice, index, text } => {
                let mut calls = self.choice(*choice).parts.iter_mut().filter_map(|part| match &mut part.content {
                    Content::ToolCall(call) => Some(call),
                    _ => None,
                });
                if let Some(call) = calls.nth(usize::try_from(*index).unwrap_or(usize::MAX)) {
                    call.arguments.push_str(text);
                }
            }
            Event::Logprobs { choice, tokens } => self.choice(*choice).logprobs.extend_from_slice(tokens),
            Event::Finish { choice, reason } => self.choice(*choice).finish = Some(reason.clone()),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::End => {}
        }
    }

    /// The same answer as a stream would have told it, a part at a time.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let (id, model) = (self.id.clone(), self.model.clone());
        let mut events = vec![Event::Start { id, model, created: self.created }];
        for (choice, said) in (0..).zip(&self.choices) {
            said.events(choice, &mut events);
        }
        events.extend(self.usage.map(Event::Usage));
        events.push(Event::End);
        events
    }

    fn choice(&mut self, choice: u32) -> &mut Choice {
        // Providers number choices from 0; a wild number must not make a wild allocation.
        let place = usize::try_from(choice).unwrap_or(usize::MAX).min(127);
        while self.choices.len() <= place {
            self.choices.push(Choice::default());
        }
        &mut self.choices[place]
    }

    fn last(&mut self, choice: u32) -> Option<&mut Content> {
        self.choice(choice).parts.last_mut().map(|part| &mut part.content)
    }

    fn put(&mut self, choice: u32, content: Content) {
        self.choice(choice).parts.push(content.into());
    }
}

impl Choice {
    fn events(&self, choice: u32, events: &mut Vec<Event>) {
        let mut index = 0;
        for part in &self.parts {
            match &part.content {
                Content::Text(text) if !text.is_empty() => events.push(Event::Text { choice, text: text.clone() }),
                Content::Refusal(text) if !text.is_empty() => {
                    events.push(Event::Refusal { choice, text: text.clone() })
                }
                Content::Reasoning(reasoning) => {
                    for (place, text) in reasoning.parts.iter().enumerate() {
                        if place > 0 {
                            events.push(Event::ReasoningPart { choice });
                        }
                        if !text.is_empty() {
                            events.push(Event::Reasoning { choice, text: text.clone() });
                        }
                    }
                    events.extend(reasoning.seal.clone().map(|seal| Event::Seal { choice, seal }));
                }
                Content::ToolCall(call) => {
                    let (id, name, seal) = (call.id.clone(), call.name.clone(), call.seal.clone());
                    events.push(Event::ToolCall { choice, index, id, name, seal });
                    if !call.arguments.is_empty() {
                        events.push(Event::Arguments { choice, index, text: call.arguments.clone() });
                    }
                    index += 1;
                }
                _ => {}
            }
        }
        if !self.logprobs.is_empty() {
            events.push(Event::Logprobs { choice, tokens: self.logprobs.clone() });
        }
        events.extend(self.finish.clone().map(|reason| Event::Finish { choice, reason }));
    }
}
