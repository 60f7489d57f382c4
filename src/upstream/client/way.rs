//! The way to one endpoint: where it is, how every request to it begins, and the connections kept to it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, HOST, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method};
use pingora_core::BError;
use pingora_core::protocols::http::v1::client::http_req_header_to_wire;
use pingora_core::upstreams::peer::{ALPN, HttpPeer};
use pingora_http::RequestHeader;

use super::ask::{Connection, Link};
use super::idle::{Idle, POOL_IDLE};
use crate::config::Endpoint;
use crate::upstream::error::CallError;
use crate::upstream::resolve::{Host, bare};

/// Requests that share one HTTP/2 connection: the limit that RFC 9113 section 6.5.2 recommends servers to allow.
const STREAMS: usize = 100;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("waypost/", env!("CARGO_PKG_VERSION")));
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// The way to one endpoint of one provider. Only [`super::Client::way`] makes one, so none leads to a host that the
/// configuration does not name.
pub struct Way {
    pub(super) host: Arc<Host>,
    /// HTTP/1 connections that wait for the next request. They are this way's alone: a connection of one provider, its
    /// trust and its credentials can never carry a request of another.
    pub(super) idle: Arc<Idle>,
    endpoint: Endpoint,
    /// The same for HTTP/2, whose connections the connector keeps: shared only within a group.
    group: u64,
}

impl Way {
    pub(super) fn new(endpoint: Endpoint, host: Arc<Host>, group: u64) -> Self {
        Self { host, idle: Arc::default(), endpoint, group }
    }

    /// The port of the endpoint.
    pub(super) fn port(&self) -> u16 {
        self.endpoint.port
    }

    /// A connection that waits, if where it may lead is known without a look-up.
    pub(super) fn kept(&self, now: Instant) -> Option<Connection> {
        match &*self.host {
            Host::Address(address) => self.kept_at(address, now),
            Host::Name(name) => self.kept_at(&name.known(now)?, now),
        }
    }

    /// A connection that waits and leads to one of these addresses.
    pub(super) fn kept_at(&self, addresses: &[IpAddr], now: Instant) -> Option<Connection> {
        let (stream, address) = self.idle.take(addresses, now)?;
        Some(Connection { link: Link::Http1(stream), reused: true, address })
    }

    /// What the connector must know of a new connection.
    pub(super) fn route(&self, address: SocketAddr, connect: Duration) -> HttpPeer {
        let sni = if self.endpoint.tls { bare(&self.endpoint.host).to_owned() } else { String::new() };
        let mut route = HttpPeer::new(address, self.endpoint.tls, sni);
        route.group_key = self.group;
        route.options.total_connection_timeout = Some(connect);
        route.options.idle_timeout = Some(POOL_IDLE);
        if self.endpoint.tls {
            route.options.alpn = ALPN::H2H1;
            route.options.max_h2_streams = STREAMS;
        }
        route
    }

    /// The beginning of all requests of one kind: made once, sent often.
    ///
    /// # Errors
    /// `Request` where the path or a header cannot be put on the wire.
    pub fn opening(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Opening, CallError> {
        self.begin(method, path, headers).map_err(|error| CallError::Request(error))
    }

    fn begin(&self, method: Method, path: &str, headers: &[(HeaderName, HeaderValue)]) -> Result<Opening, BError> {
        let sized = method != Method::GET;
        let mut head = RequestHeader::build_no_case(method, path.as_bytes(), Some(headers.len() + 5))?;
        head.insert_header(HOST, self.endpoint.authority.as_str())?;
        head.insert_header(USER_AGENT, AGENT)?;
        head.insert_header(ACCEPT, ACCEPTED)?;
        head.insert_header(ACCEPT_ENCODING, IDENTITY)?;
        for (name, value) in headers {
            head.insert_header(name, value.clone())?;
        }
        let mut wire = http_req_header_to_wire(&head).ok_or_else(|| {
            pingora_core::Error::explain(pingora_core::ErrorType::InvalidHTTPHeader, "the path holds forbidden bytes")
        })?;
        // The empty line that ends a head comes after what is each request's own.
        wire.truncate(wire.len() - 2);
        Ok(Opening { head, wire: wire.freeze(), sized })
    }
}

/// What every request of one kind says: its request line, and what HTTP, the format and the credential want.
pub struct Opening {
    /// For HTTP/2.
    head: RequestHeader,
    /// The same for HTTP/1, without the empty line that ends it.
    wire: Bytes,
    /// Whether the length of the body is told. A GET has none.
    sized: bool,
}

impl Opening {
    /// A whole head for HTTP/2.
    pub(super) fn head(&self, own: &[(HeaderName, HeaderValue)], length: usize) -> Result<RequestHeader, BError> {
        let mut head = self.head.clone();
        if self.sized {
            head.insert_header(http::header::CONTENT_LENGTH, HeaderValue::from(length))?;
        }
        for (name, value) in own {
            head.insert_header(name, value.clone())?;
        }
        Ok(head)
    }

    /// A whole head for HTTP/1, with room for `room` bytes more.
    ///
    /// `own` must not name a header of the opening: a name sent twice means what the server likes. Names and values
    /// hold no line break by their types.
    pub(super) fn bytes(&self, own: &[(HeaderName, HeaderValue)], length: usize, room: usize) -> Vec<u8> {
        debug_assert!(own.iter().all(|(name, _)| !self.headers().contains_key(name)), "a header is sent twice");
        let extra: usize = own.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        let mut bytes = Vec::with_capacity(self.wire.len() + extra + LENGTH_LINE + room);
        bytes.extend_from_slice(&self.wire);
        for (name, value) in own {
            line(&mut bytes, name.as_str().as_bytes(), value.as_bytes());
        }
        if self.sized {
            line(&mut bytes, b"content-length", itoa::Buffer::new().format(length).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }
}

/// Most that the length and the empty line take: `content-length: ` and 20 digits.
const LENGTH_LINE: usize = 16 + 20 + 4;

fn line(bytes: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\n");
}
