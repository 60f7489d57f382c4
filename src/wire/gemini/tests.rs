//! Gemini's format against recorded traffic, its schema and made-up trouble.

mod answers;
mod embeddings;
mod requests;
mod schema;
