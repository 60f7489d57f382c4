//! All outbound HTTP: one pool of connections to the hosts that the configuration names, and to no others.

mod faults;
mod incoming;

pub use incoming::Incoming;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, USER_AGENT};
use pingora_core::BError;
use pingora_core::connectors::ConnectorOptions;
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::upstreams::peer::{ALPN, HttpPeer};
use pingora_http::RequestHeader;
use tokio::time::{Instant as TokioInstant, timeout_at};

use self::faults::{not_connected, unanswered, unsent};
use super::error::{CallError, Cause, ClientError, GetError};
use super::resolve::{Host, Hosts, bare};
use super::roots::RootsFile;
use crate::config::{Config, Endpoint, Timeouts};

/// Idle connections kept over all hosts: a busy gateway's concurrency, at a few KiB each.
const POOL: usize = 1024;

/// How long an idle connection is kept. Servers usually close first (uvicorn and llama.cpp after 5 s, nginx after 75 s).
const POOL_IDLE: Duration = Duration::from_secs(60);

/// Requests that share one HTTP/2 connection: the limit that RFC 9113 section 6.5.2 recommends servers to allow.
const STREAMS: usize = 100;

/// Interim (1xx) heads read before the answer's own; more is a server that plays.
const INTERIM: usize = 16;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("waypost/", env!("CARGO_PKG_VERSION")));
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// Calls servers. Cheap to share behind an `Arc`; make one per configuration.
pub struct Client {
    connector: Arc<Connector>,
    hosts: Hosts,
}

/// One request to one server.
pub struct Call<'a> {
    /// `POST` for chat.
    pub method: Method,
    /// Path and query.
    pub path: &'a str,
    /// Sent beside what HTTP itself needs (host, length, accept, user-agent), which the client adds.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// The whole body; it goes with its length.
    pub body: Bytes,
    /// Limits of this exchange. `first_token` bounds everything until content, `total` everything.
    pub timeouts: Timeouts,
    /// Connections are shared only within a group: one per provider and its credentials.
    pub pool_group: u64,
}

impl Client {
    /// A client for every host the configuration names: provider endpoints and key sets of issuers.
    ///
    /// # Errors
    /// `egress.ca` cannot be read, or holds no usable certificate.
    pub fn new(config: &Config) -> Result<Self, ClientError> {
        let mut hosts = Hosts::default();
        for endpoint in config.providers.iter().flat_map(|provider| &provider.endpoints) {
            hosts.allow(&endpoint.host);
        }
        for host in config.auth.jwt.iter().filter_map(|issuer| issuer.jwks.url.host_str()) {
            hosts.allow(host);
        }
        Self::with(hosts, config.egress.ca.as_deref())
    }

    /// A client for these hosts alone: discovery looks for local servers before there is a configuration.
    ///
    /// # Errors
    /// None today; it fails as `new` does.
    pub fn for_hosts(names: &[&str]) -> Result<Self, ClientError> {
        let mut hosts = Hosts::default();
        for name in names {
            hosts.allow(name);
        }
        Self::with(hosts, None)
    }

    fn with(hosts: Hosts, extra: Option<&Path>) -> Result<Self, ClientError> {
        let mut options = ConnectorOptions::new(POOL);
        // Pingora replaces the system's roots by the file's, so it is given a file of both, for as long as it reads.
        let roots = extra.map(roots).transpose()?;
        options.ca_file = roots.as_ref().map(|file| file.path().to_string_lossy().into_owned());
        Ok(Self { connector: Arc::new(Connector::new(Some(options))), hosts })
    }

    /// Sends one request and waits for the head of the answer. Redirects are answers like any other.
    ///
    /// A kept connection that turns out to be closed is replaced by a fresh one once, unseen.
    ///
    /// # Errors
    /// See [`CallError`]; `FirstByteTimeout` or `Total` where the head does not come in time.
    pub async fn send(&self, endpoint: &Endpoint, call: Call<'_>) -> Result<Incoming, CallError> {
        let host = self.hosts.get(&endpoint.host).ok_or(CallError::HostNotAllowed)?;
        let started = Instant::now();
        let total = call.timeouts.total;
        let by = started + call.timeouts.first_token.min(total);
        match timeout_at(TokioInstant::from_std(by), self.exchange(endpoint, host, &call, started)).await {
            Ok(answer) => answer,
            Err(_) if total <= call.timeouts.first_token => Err(CallError::Total),
            Err(_) => Err(CallError::FirstByteTimeout),
        }
    }

    /// A plain GET of a small document, all of it within `within`.
    ///
    /// # Errors
    /// Any status but 200, and whatever ends an exchange.
    pub async fn get(&self, url: &url::Url, max: usize, within: Duration) -> Result<Bytes, GetError> {
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(GetError::Address),
        };
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(GetError::Address);
        };
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let endpoint = Endpoint { tls, host: bare(host).to_owned(), port, authority, chat_path: String::new() };
        let timeouts = Timeouts { connect: within, first_token: within, idle: within, total: within };
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let call = Call { method: Method::GET, path, headers: &[], body: Bytes::new(), timeouts, pool_group: 0 };
        let mut incoming = self.send(&endpoint, call).await?;
        if incoming.status != 200 {
            return Err(GetError::Status(incoming.status));
        }
        let body = incoming.whole(max).await?;
        incoming.release().await;
        Ok(body)
    }

    async fn exchange(
        &self,
        endpoint: &Endpoint,
        host: &Host,
        call: &Call<'_>,
        started: Instant,
    ) -> Result<Incoming, CallError> {
        let mut fresh = false;
        loop {
            let mut line = self.connect(endpoint, host, call, fresh).await?;
            let sent = match ask(&mut line.session, endpoint, call).await {
                Ok(sent) => sent,
                Err(CallError::Closed) if line.reused && !fresh => {
                    // HTTP/2 knows its dead connections itself; only HTTP/1 must be kept from taking a second one.
                    fresh = matches!(line.session, HttpSession::H1(_));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let status = line.session.response_header().map_or(0, |head| head.status.as_u16());
            return Ok(Incoming {
                status,
                peer: line.address,
                reused: line.reused,
                session: line.session,
                route: line.route,
                connector: Arc::clone(&self.connector),
                first_by: started + call.timeouts.first_token,
                total_by: started + call.timeouts.total,
                idle: call.timeouts.idle,
                content: false,
                complete: false,
                sent,
            });
        }
    }

    async fn connect(&self, endpoint: &Endpoint, host: &Host, call: &Call<'_>, fresh: bool) -> Result<Line, CallError> {
        let by = Instant::now() + call.timeouts.connect;
        let looked_up;
        let (addresses, first): (&[IpAddr], usize) = match host {
            Host::Address(address) => (address, 0),
            Host::Name(name) => {
                let addresses = timeout_at(TokioInstant::from_std(by), name.addresses()).await;
                looked_up = addresses.map_err(|_| CallError::ConnectTimeout)?.map_err(CallError::Resolve)?;
                (&looked_up, name.first(looked_up.len()))
            }
        };
        let count = addresses.len();
        let mut failed = CallError::ConnectTimeout;
        for tried in 0..count {
            let index = (first + tried) % count;
            // A dead address may not use up the time of those after it.
            let share = u32::try_from(count - tried).unwrap_or(u32::MAX);
            let left = by.saturating_duration_since(Instant::now()) / share;
            if left.is_zero() {
                break;
            }
            let address = SocketAddr::new(addresses[index], endpoint.port);
            let mut route = Box::new(route(endpoint, address, call.pool_group, left));
            if fresh {
                // No kept connection has this key.
                route.group_key = rand::random();
            }
            match self.connector.get_http_session(&*route).await {
                Ok((session, reused)) => {
                    if let Host::Name(name) = host {
                        name.worked(index);
                    }
                    route.group_key = call.pool_group;
                    return Ok(Line { session, route, reused, address });
                }
                Err(error) => failed = not_connected(error),
            }
        }
        Err(failed)
    }
}

fn roots(own: &Path) -> Result<RootsFile, ClientError> {
    let unusable = |cause: Cause| ClientError::Roots { path: own.display().to_string(), cause };
    let system = pingora_core::tls::load_native_certs().map_err(|error| unusable(error.into()))?;
    let file = RootsFile::write(system.iter().map(AsRef::as_ref), own).map_err(|error| unusable(error.into()))?;
    // The connector panics on a file that it cannot use: try it as the connector will.
    let mut store = pingora_core::tls::RootCertStore::empty();
    pingora_core::tls::load_ca_file_into_store(file.path(), &mut store).map_err(|error| unusable(error))?;
    Ok(file)
}

/// A connection, before the request.
struct Line {
    session: HttpSession,
    route: Box<HttpPeer>,
    reused: bool,
    address: SocketAddr,
}

fn route(endpoint: &Endpoint, address: SocketAddr, group: u64, connect: Duration) -> HttpPeer {
    let sni = if endpoint.tls { bare(&endpoint.host).to_owned() } else { String::new() };
    let mut route = HttpPeer::new(address, endpoint.tls, sni);
    route.group_key = group;
    route.options.total_connection_timeout = Some(connect);
    route.options.idle_timeout = Some(POOL_IDLE);
    if endpoint.tls {
        route.options.alpn = ALPN::H2H1;
        route.options.max_h2_streams = STREAMS;
    }
    route
}

/// Writes the request and reads the head of the answer. Says whether the whole request went out.
async fn ask(session: &mut HttpSession, endpoint: &Endpoint, call: &Call<'_>) -> Result<bool, CallError> {
    let head = head(endpoint, call).map_err(|error| CallError::Request(error))?;
    session.write_request_header(Box::new(head)).await.map_err(unsent)?;
    let mut sent = Ok(());
    if !call.body.is_empty() {
        sent = session.write_request_body(call.body.clone(), true).await;
    }
    if sent.is_ok() {
        sent = session.finish_request_body().await;
    }
    // A server may refuse a request that it has not read to its end (413): its answer counts more than our write.
    let head = read_head(session).await;
    match (sent, head) {
        (Ok(()), Ok(())) => Ok(true),
        (Err(_), Ok(())) => Ok(false),
        (Err(error), Err(_)) => Err(unanswered(error)),
        (Ok(()), Err(error)) => Err(error),
    }
}

fn head(endpoint: &Endpoint, call: &Call<'_>) -> Result<RequestHeader, BError> {
    let mut head =
        RequestHeader::build_no_case(call.method.clone(), call.path.as_bytes(), Some(call.headers.len() + 5))?;
    head.insert_header(HOST, endpoint.authority.as_str())?;
    head.insert_header(USER_AGENT, AGENT)?;
    head.insert_header(ACCEPT, ACCEPTED)?;
    head.insert_header(ACCEPT_ENCODING, IDENTITY)?;
    if call.method != Method::GET {
        head.insert_header(CONTENT_LENGTH, HeaderValue::from(call.body.len()))?;
    }
    for (name, value) in call.headers {
        head.insert_header(name, value.clone())?;
    }
    Ok(head)
}

async fn read_head(session: &mut HttpSession) -> Result<(), CallError> {
    for _ in 0..INTERIM {
        session.read_response_header().await.map_err(unanswered)?;
        let interim = session.response_header().is_some_and(|head| head.status.is_informational());
        if !interim {
            return Ok(());
        }
        // HTTP/2 passes over interim heads itself; what it shows is the answer's own, and can be read once.
        let switched = session.response_header().is_some_and(|head| head.status.as_u16() == 101);
        if switched || matches!(session, HttpSession::H2(_)) {
            break;
        }
    }
    Err(CallError::Protocol("the server sent no head but interim ones".into()))
}

#[cfg(test)]
mod tests;
