//! All outbound HTTP: one pool of connections to the hosts that the configuration names, and to no others.

mod ask;
mod faults;
mod idle;
mod incoming;
mod watch;
mod way;

pub use incoming::Incoming;
pub use way::{Opening, Way};

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use http::header::{HeaderName, HeaderValue};
use pingora_core::connectors::ConnectorOptions;
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;
use tokio::time::{Instant as TokioInstant, timeout_at};

use self::ask::{Answered, Connection, Link, ask};
use self::faults::not_connected;
use self::incoming::Back;
use self::watch::Watch;
use super::error::{CallError, Cause, ClientError, GetError};
use super::resolve::{Host, Hosts, bare};
use super::roots::RootsFile;
use crate::config::{Config, Endpoint, Timeouts};

/// Idle HTTP/2 connections kept over all hosts.
const POOL: usize = 1024;

/// Calls servers. Cheap to share behind an `Arc`; make one per configuration.
pub struct Client {
    connector: Arc<Connector>,
    hosts: Hosts,
    /// The operator's own roots, as the connector knows them.
    roots: Option<Vec<u8>>,
    /// Connections are shared only within a group; group 0 is the client's own, for key sets.
    groups: Arc<AtomicU64>,
}

/// One request to one server.
pub struct Call<'a> {
    /// How it begins: made by the way that it goes.
    pub opening: &'a Opening,
    /// Sent beside what the opening holds; none of them is in it.
    pub own: &'a [(HeaderName, HeaderValue)],
    /// The whole body; it goes with its length.
    pub body: Bytes,
    /// Limits of this exchange. `first_token` bounds everything until content, `total` everything.
    pub timeouts: Timeouts,
}

impl Client {
    /// A client for every host the configuration names: provider endpoints and key sets of issuers.
    ///
    /// # Errors
    /// `egress.ca` cannot be read, or holds no usable certificate.
    pub fn new(config: &Config) -> Result<Self, ClientError> {
        let mut hosts = Hosts::default();
        configured(config).for_each(|host| hosts.allow(host));
        Self::with(hosts, config.egress.ca.as_deref())
    }

    /// A client for the hosts of another configuration. Connections and looked-up addresses stay, unless `egress.ca`
    /// holds other roots: what was trusted under the old ones need not be.
    ///
    /// # Errors
    /// As of [`Self::new`].
    pub fn renewed(&self, config: &Config) -> Result<Self, ClientError> {
        let mut hosts = Hosts::default();
        configured(config).for_each(|host| hosts.take_over(host, &self.hosts));
        let extra = config.egress.ca.as_deref();
        if extra.map(read_roots).transpose()? != self.roots {
            return Self::with(hosts, extra);
        }
        let (connector, groups) = (Arc::clone(&self.connector), Arc::clone(&self.groups));
        Ok(Self { connector, hosts, roots: self.roots.clone(), groups })
    }

    /// Whether connections of the one are connections of the other.
    pub(super) fn shares_connections(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.connector, &other.connector)
    }

    /// A group that no other line has.
    pub(super) fn new_group(&self) -> u64 {
        self.groups.fetch_add(1, Relaxed)
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
        let file = extra.map(roots).transpose()?;
        options.ca_file = file.as_ref().map(|file| file.path().to_string_lossy().into_owned());
        Ok(Self {
            connector: Arc::new(Connector::new(Some(options))),
            hosts,
            roots: extra.map(read_roots).transpose()?,
            groups: Arc::new(AtomicU64::new(1)),
        })
    }

    /// The way to an endpoint. Its HTTP/1 connections are its own; those of HTTP/2 are shared only within a group:
    /// one per provider and its credentials.
    ///
    /// # Errors
    /// `HostNotAllowed` where the configuration does not name the host.
    pub(super) fn way(&self, endpoint: Endpoint, group: u64) -> Result<Way, CallError> {
        let host = self.hosts.get(&endpoint.host).ok_or(CallError::HostNotAllowed)?;
        Ok(Way::new(endpoint, Arc::clone(host), group))
    }

    /// Sends one request and waits for the head of the answer. Redirects are answers like any other.
    ///
    /// A kept connection that turns out to be closed is replaced by a fresh one once, unseen.
    ///
    /// # Errors
    /// See [`CallError`]; `FirstByteTimeout` or `Total` where the head does not come in time.
    pub(super) async fn send(&self, way: &Way, call: Call<'_>) -> Result<Incoming, CallError> {
        let started = Instant::now();
        let Timeouts { first_token, total, idle, .. } = call.timeouts;
        let by = started + first_token.min(total);
        let mut watch = Watch::new(by);
        let work = pin!(self.exchange(way, &call, started));
        let Some(result) = watch.within(by, work).await else {
            return Err(if total <= first_token { CallError::Total } else { CallError::FirstByteTimeout });
        };
        let (Answered { session, route, sent }, peer, reused) = result?;
        Ok(Incoming {
            status: session.response_header().map_or(0, |head| head.status.as_u16()),
            peer,
            reused,
            back: match route {
                None => Back::Way(Arc::clone(&way.idle)),
                Some(route) => Back::Connector(Arc::clone(&self.connector), route),
            },
            session,
            watch,
            first_by: started + first_token,
            total_by: started + total,
            idle,
            content: false,
            complete: false,
            sent,
        })
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
        let endpoint = Endpoint { tls, host: bare(host).to_owned(), port, authority, prefix: String::new() };
        let timeouts = Timeouts { connect: within, first_token: within, idle: within, total: within };
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        // Rarely sent, each to another place: its connection is not kept.
        let way = self.way(endpoint, 0)?;
        let opening = way.opening(Method::GET, path, &[])?;
        let call = Call { opening: &opening, own: &[], body: Bytes::new(), timeouts };
        let mut incoming = self.send(&way, call).await?;
        if incoming.status != 200 {
            return Err(GetError::Status(incoming.status));
        }
        Ok(incoming.whole(max).await?)
    }

    async fn exchange(
        &self,
        way: &Way,
        call: &Call<'_>,
        started: Instant,
    ) -> Result<(Answered, SocketAddr, bool), CallError> {
        let mut fresh = false;
        let mut now = started;
        loop {
            let kept = if fresh { None } else { way.kept(now) };
            let Connection { link, reused, address } = match kept {
                Some(kept) => kept,
                // Boxed, as all that is seldom: the futures around every request need no room for it.
                None => Box::pin(self.connect(way, now, call.timeouts.connect, fresh)).await?,
            };
            let first = matches!(link, Link::Http1(_));
            match ask(link, call).await {
                Ok(answered) => return Ok((answered, address, reused)),
                // HTTP/2 knows its dead connections itself; only HTTP/1 must be kept from taking a second one.
                Err(CallError::Closed) if reused && !fresh => fresh = first,
                Err(error) => return Err(error),
            }
            now = Instant::now();
        }
    }

    async fn connect(&self, way: &Way, now: Instant, within: Duration, fresh: bool) -> Result<Connection, CallError> {
        let by = now + within;
        let looked_up;
        let (addresses, first): (&[IpAddr], usize) = match &*way.host {
            Host::Address(address) => (address, 0),
            Host::Name(name) => {
                let addresses = timeout_at(TokioInstant::from_std(by), name.addresses()).await;
                looked_up = addresses.map_err(|_| CallError::ConnectTimeout)?.map_err(CallError::Resolve)?;
                (&looked_up, name.first(looked_up.len()))
            }
        };
        // The addresses may be known only now.
        if !fresh && let Some(kept) = way.kept_at(addresses, now) {
            return Ok(kept);
        }
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
            let address = SocketAddr::new(addresses[index], way.port());
            let route = Box::new(way.route(address, left));
            let (session, reused) = match self.connector.get_http_session(&*route).await {
                Ok(found) => found,
                Err(error) => {
                    failed = not_connected(error);
                    continue;
                }
            };
            if let Host::Name(name) = &*way.host {
                name.worked(index);
            }
            let link = match session {
                HttpSession::H1(session) => Link::Http1(session.into_inner()),
                HttpSession::H2(stream) => Link::Http2(Box::new(stream), route),
                HttpSession::Custom(()) => return Err(CallError::Protocol("the server chose no HTTP".into())),
            };
            return Ok(Connection { link, reused, address });
        }
        Err(failed)
    }
}

/// Every host that a configuration names.
fn configured(config: &Config) -> impl Iterator<Item = &str> {
    let endpoints = config.providers.iter().flat_map(|provider| &provider.endpoints);
    let issuers = config.auth.jwt.iter().filter_map(|issuer| issuer.jwks.url.host_str());
    endpoints.map(|endpoint| endpoint.host.as_str()).chain(issuers)
}

fn read_roots(own: &Path) -> Result<Vec<u8>, ClientError> {
    std::fs::read(own).map_err(|error| ClientError::Roots { path: own.display().to_string(), cause: error.into() })
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

#[cfg(test)]
mod tests;
