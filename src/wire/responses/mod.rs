//! OpenAI's Responses format.
