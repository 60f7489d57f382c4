//! The two listeners.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The data listener.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Where it listens.
    pub address: SocketAddr,
    /// Host names (without port) that requests may name, lower case.
    pub hosts: Vec<String>,
    /// Origins whose browser apps may call.
    pub cors: Vec<String>,
    /// Longest request body in bytes.
    pub max_body: usize,
    /// Bytes of request bodies held at one time; at least `max_body`.
    pub max_inflight: u64,
    /// Longest wait for a request's headers.
    pub header_timeout: Duration,
    /// Longest wait for a request's body.
    pub body_timeout: Duration,
    /// How long running requests may go on after SIGTERM.
    pub drain: Duration,
    /// `None`: plain HTTP.
    pub tls: Option<Tls>,
}

/// PEM files, readable when the configuration was checked.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Certificate chain.
    pub cert: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// The admin listener: metrics and health.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Where it listens.
    pub address: SocketAddr,
    /// Empty only on loopback.
    pub tokens: Vec<AdminToken>,
}

/// A bearer token for the admin listener, by its hash.
#[derive(Debug, Clone)]
pub struct AdminToken {
    /// Its name.
    pub name: String,
    /// SHA-256 of the token, 32 bytes.
    pub sha256: [u8; 32],
    /// What its holder may see and do.
    pub role: Role,
}

/// What the holder of an admin token may see and do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Metrics, health and targets.
    Viewer,
    /// Everything, and reloads.
    Operator,
    /// What a viewer sees, decisions and the configuration; changes nothing.
    Compliance,
}

impl Role {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Compliance => "compliance",
        }
    }
}
