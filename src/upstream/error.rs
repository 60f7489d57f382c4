//! What can go wrong on the way to a provider and back.

/// The cause of a failed connection or exchange, for logs; it names addresses and TLS faults, never headers or bodies.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The file of extra roots cannot be used.
    #[error("cannot use the root certificates of {path}")]
    Roots {
        /// As configured in `egress.ca`.
        path: String,
        /// What is wrong with it.
        #[source]
        cause: Cause,
    },
    /// A credential holds bytes that no header may hold.
    #[error("a credential of provider {provider} holds characters that an HTTP header cannot carry")]
    Credential {
        /// Whose credential it is.
        provider: crate::id::ProviderName,
    },
    /// An endpoint to which no request can be sent.
    #[error("cannot send requests to an endpoint of provider {provider}")]
    Endpoint {
        /// Whose endpoint it is.
        provider: crate::id::ProviderName,
        /// Why not.
        #[source]
        cause: CallError,
    },
}

/// Why one exchange with a server failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The host is none of those configured.
    #[error("the host is not one that the configuration names")]
    HostNotAllowed,
    /// The name has no address.
    #[error("the host name cannot be resolved")]
    Resolve(#[source] std::io::Error),
    /// No address took the connection.
    #[error("the connection was refused or failed")]
    Connect(#[source] Cause),
    /// No connection within `timeouts.connect`.
    #[error("no connection in time")]
    ConnectTimeout,
    /// The handshake failed: not trusted, wrong name, no common version.
    #[error("the TLS handshake failed")]
    Tls(#[source] Cause),
    /// The connection broke before any byte of an answer.
    #[error("the connection was closed before an answer")]
    Closed,
    /// No head, or no content, within `timeouts.first_token`.
    #[error("no first byte in time")]
    FirstByteTimeout,
    /// Nothing for `timeouts.idle` after content had begun.
    #[error("the answer stalled")]
    Idle,
    /// `timeouts.total` is over.
    #[error("the answer took too long in all")]
    Total,
    /// The answer broke off or is not HTTP.
    #[error("the answer broke off or is not valid HTTP")]
    Protocol(#[source] Cause),
    /// The answer is larger than the caller can take.
    #[error("the answer is too large")]
    TooLarge,
    /// The request cannot be put on the wire.
    #[error("the request is not valid HTTP")]
    Request(#[source] Cause),
}

impl CallError {
    /// Whether the same request may be sent to the same target again: it reached nobody, or nobody answered it.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Resolve(_) | Self::Connect(_) | Self::ConnectTimeout | Self::Closed)
    }

    /// Whether the clock ended it.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::ConnectTimeout | Self::FirstByteTimeout | Self::Idle | Self::Total)
    }

    /// One word for metrics and decision records.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::HostNotAllowed => "host_not_allowed",
            Self::Resolve(_) => "resolve",
            Self::Connect(_) => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls(_) => "tls",
            Self::Closed => "closed",
            Self::FirstByteTimeout => "first_byte_timeout",
            Self::Idle => "idle_timeout",
            Self::Total => "total_timeout",
            Self::Protocol(_) => "protocol",
            Self::TooLarge => "too_large",
            Self::Request(_) => "request",
        }
    }
}

/// Why a plain GET brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// Not `http` or `https`, or no host.
    #[error("not an http or https address")]
    Address,
    /// The exchange failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Any status but 200. Redirects are not followed.
    #[error("answered {0}")]
    Status(u16),
}
