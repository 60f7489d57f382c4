//! The scripted provider over real TCP on loopback.

mod answers;
mod client;
mod connections;
mod faults;
mod formats;
mod gemini;
mod messages;
mod messages_refusals;
mod recorded;
mod responses;
mod scripts;
mod texts;
