//! Tool calls of one choice, put together from pieces that providers number, name and repeat each in their own way.

use super::said::Fragment;
use crate::chat::{Event, Family, Seal, SealKind};

/// The calls of one choice so far.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    calls: Vec<Call>,
    /// How many of them have been told: always the first ones.
    told: usize,
}

#[derive(Debug, Default)]
struct Call {
    /// The provider's number.
    index: Option<u64>,
    id: String,
    /// The provider gave none.
    id_is_ours: bool,
    name: String,
    /// What came before the call was told.
    arguments: String,
    seal: Option<Seal>,
    legacy: bool,
}

impl Calls {
    /// Whether there is any.
    pub(crate) fn any(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Takes in a piece, or a whole call. A call is told once its name is known to be whole, which is when its arguments
    /// begin. `answer` is the answer's id, for calls that have none.
    pub(crate) fn add(
        &mut self,
        piece: Fragment<'_>,
        is_whole: bool,
        choice: u32,
        answer: Option<&str>,
        out: &mut Vec<Event>,
    ) {
        let Some(place) = self.place(&piece, is_whole) else { return };
        let is_told = place < self.told;
        let Some(call) = self.calls.get_mut(place) else { return };
        if !is_told {
            call.take_head(&piece);
        }
        let Some(text) = piece.arguments.filter(|text| !text.is_empty()) else { return };
        if is_told {
            out.push(Event::Arguments { choice, index: number(place), text: text.into_owned() });
        } else {
            call.arguments.push_str(&text);
            self.tell(place + 1, choice, answer, out);
        }
    }

    /// Tells every call that waits for arguments: none will come.
    pub(crate) fn tell_all(&mut self, choice: u32, answer: Option<&str>, out: &mut Vec<Event>) {
        self.tell(self.calls.len(), choice, answer, out);
    }

    /// Tells the first `count` calls.
    fn tell(&mut self, count: usize, choice: u32, answer: Option<&str>, out: &mut Vec<Event>) {
        for place in self.told..count {
            let Some(call) = self.calls.get_mut(place) else { break };
            if call.id.is_empty() {
                // Made from the answer's own id, so it is the same for the same answer and another for another.
                call.id_is_ours = true;
                let separator = if answer.is_some() { "_" } else { "" };
                call.id = format!("call_{}{separator}{choice}_{place}", answer.unwrap_or_default());
            }
            let (id, name, index) = (call.id.clone(), call.name.clone(), number(place));
            out.push(Event::ToolCall { choice, index, id, name, seal: call.seal.take() });
            let text = std::mem::take(&mut call.arguments);
            if !text.is_empty() {
                out.push(Event::Arguments { choice, index, text });
            }
            self.told = place + 1;
        }
    }

    /// Where the call stands that a piece belongs to; a new one is added.
    fn place(&mut self, piece: &Fragment<'_>, is_whole: bool) -> Option<usize> {
        if is_whole {
            return Some(self.begin(piece));
        }
        if piece.legacy {
            let begun = self.calls.iter().rposition(|call| call.legacy);
            return Some(begun.unwrap_or_else(|| self.begin(piece)));
        }
        if let Some(index) = piece.index {
            let begun = self.calls.iter().rposition(|call| call.index == Some(index));
            // Gemini's compatible endpoint gives calls made at once the same index 0, and may leave ids empty; other
            // servers give every piece another id, but name the function only once.
            return Some(match begun {
                Some(place) if !self.is_another(place, piece) => place,
                _ => self.begin(piece),
            });
        }
        if let Some(id) = piece.id.as_deref() {
            let begun = self.calls.iter().rposition(|call| call.id == id);
            return Some(begun.unwrap_or_else(|| self.begin(piece)));
        }
        // Without number and id: whole calls carry their names, pieces do not.
        if piece.name.is_some() { Some(self.begin(piece)) } else { self.calls.len().checked_sub(1) }
    }

    fn is_another(&self, place: usize, piece: &Fragment<'_>) -> bool {
        let Some(call) = self.calls.get(place) else { return true };
        let other_id = match piece.id.as_deref() {
            Some(id) => !call.id.is_empty() && call.id != id,
            None => call.id_is_ours,
        };
        other_id && piece.name.is_some()
    }

    fn begin(&mut self, piece: &Fragment<'_>) -> usize {
        self.calls.push(Call { index: piece.index, legacy: piece.legacy, ..Call::default() });
        self.calls.len() - 1
    }
}

impl Call {
    fn take_head(&mut self, piece: &Fragment<'_>) {
        if let Some(id) = piece.id.as_deref()
            && self.id.is_empty()
        {
            id.clone_into(&mut self.id);
        }
        match piece.name.as_deref() {
            // Repeated, or repeated with more.
            Some(name) if name.starts_with(&self.name) => name.clone_into(&mut self.name),
            Some(name) => self.name.push_str(name),
            None => {}
        }
        if let Some(signature) = &piece.signature {
            let data = signature.clone().into_owned();
            self.seal = Some(Seal { family: Family::Gemini, kind: SealKind::Call, id: None, data });
        }
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
