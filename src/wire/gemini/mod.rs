//! Gemini's `generateContent` format; models speak it, clients do not.
//!
//! The Gemini API (<https://ai.google.dev/api/generate-content>) and Vertex AI speak the same bodies. They differ in what
//! stands around them (URL, credential) and where it matters here: Vertex wants a media type beside every link, and
//! streams a call's arguments in pieces if asked. Model and streaming are said in the URL, never in the body.

pub mod answer;
mod chunk;
pub mod embeddings;
mod logprobs;
mod model;
mod partial;
pub mod request;
pub mod stream;

#[cfg(test)]
mod tests;
