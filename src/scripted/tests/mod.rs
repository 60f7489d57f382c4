//! The scripted provider over real TCP on loopback.

mod answers;
mod client;
mod connections;
mod faults;
mod scripts;
