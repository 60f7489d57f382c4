//! The degree of reasoning that the gateway chose, for a client's own bytes.

use super::thinking;
use crate::chat::{self, Conversation, Settings};
use crate::wire::Shape;
use crate::wire::json::Object;
use crate::wire::losses::Losses;

/// The members to put beside the model, each with a comma before it; empty where there is nothing to say.
///
/// What Claude takes none of while it thinks stands in no body that comes here: such a request has no degree chosen
/// for it ([`chat::Request::steered`]).
pub(super) fn members(request: &chat::Request, shape: &Shape<'_>) -> String {
    if shape.effort.is_none() || !request.effort.is_unsaid() {
        return String::new();
    }
    let limit = Settings { max_output_tokens: request.max_output_tokens, ..Settings::default() };
    let asked = Conversation { settings: limit, ..Conversation::default() };
    let chosen = thinking::choose(&asked, shape, &mut Losses::new(true, shape.format.as_str()));
    let mut members = String::new();
    if let Some(config) = chosen.config {
        members.push_str(r#","thinking":"#);
        members.push_str(&config);
    }
    if let Some(effort) = chosen.effort {
        let mut config = Object::new();
        config.put("effort", effort.as_str());
        members.push_str(r#","output_config":"#);
        members.push_str(&config.finish());
    }
    members
}
