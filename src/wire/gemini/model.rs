//! What sets Gemini's generations apart where the API does not say it: known by the model's name.

/// A model, as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Model {
    /// Before Gemini 3: no thinking levels, no demand for signatures, no media inside a tool's result. A name that tells
    /// nothing is taken for a current model.
    pub(super) older: bool,
    /// Whether it is one of the large ones, which cannot stop thinking.
    pro: bool,
    lite: bool,
    /// Whether it thinks at all; before 2.5 none did.
    pub(super) thinks: bool,
}

impl Model {
    /// Reads a name as the API has it: `gemini-2.5-pro`, `models/gemini-3-flash-preview`.
    pub(super) fn of(name: &str) -> Self {
        let name = name.rsplit('/').next().unwrap_or(name);
        let older = ["gemini-1", "gemini-2", "gemma-"].iter().any(|start| name.starts_with(start));
        let thinks = !["gemini-1", "gemini-2.0", "gemma-"].iter().any(|start| name.starts_with(start));
        Self { older, thinks, pro: name.contains("-pro"), lite: name.contains("-lite") }
    }

    /// Least and most tokens to think with, where thinking is on
    /// (<https://ai.google.dev/gemini-api/docs/thinking#set-budget>).
    pub(super) fn budget(self, wish: u64) -> u64 {
        match self {
            Self { older: false, .. } => wish,
            Self { pro: true, .. } => wish.clamp(128, 32_768),
            Self { lite: true, .. } => wish.clamp(512, 24_576),
            _ => wish.min(24_576),
        }
    }

    /// The budget that turns thinking off, or comes nearest to it; whether it does turn it off.
    pub(super) fn least_budget(self) -> (u64, bool) {
        if self.pro { (128, false) } else { (0, true) }
    }

    /// Whether it knows the level `MINIMAL` (<https://ai.google.dev/gemini-api/docs/thinking#thinking-levels>).
    pub(super) fn minimal(self) -> bool {
        !self.pro
    }
}
