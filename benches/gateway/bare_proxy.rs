//! A reverse proxy on Pingora and nothing else: what the gateway's cost is measured against.
//!
//! `bare_proxy LISTEN UPSTREAM`, both `address:port`. HTTP/1.1 and h2c in, HTTP/1.1 out over a keep-alive pool; bodies
//! are relayed as they come, and a client that hangs up cancels its upstream request. It reads no body, makes no
//! decision and logs nothing.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header;
use pingora_core::apps::{HttpPersistentSettings, HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::server::ShutdownWatch;
use pingora_core::services::Service as _;
use pingora_core::services::listening::Service;
use pingora_core::upstreams::peer::{HttpPeer, Peer as _};
use tokio::sync::watch;

const KEEPALIVE_SECONDS: u64 = 60;
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Headers that belong to one hop (RFC 9110, section 7.6.1), apart from those that frame the body.
const HOP: [header::HeaderName; 3] = [header::CONNECTION, header::UPGRADE, header::TE];

struct Proxy {
    peer: HttpPeer,
    connector: Connector,
    options: HttpServerOptions,
}

/// Why an exchange ended early.
enum Broken {
    /// The client is gone; nobody can be told.
    Client,
    /// The upstream failed before its answer began.
    Upstream,
    /// The upstream failed within its answer: the connection is cut, visibly.
    Answer,
}

impl Proxy {
    fn new(upstream: SocketAddr) -> Self {
        let mut peer = HttpPeer::new(upstream, false, String::new());
        peer.options.connection_timeout = Some(CONNECT_TIMEOUT);
        peer.options.read_timeout = Some(READ_TIMEOUT);
        peer.options.idle_timeout = Some(READ_TIMEOUT);
        let mut options = HttpServerOptions::default();
        options.h2c = true;
        Self { peer, connector: Connector::new(None), options }
    }

    async fn relay(&self, session: &mut ServerSession) -> Result<(), Broken> {
        let (mut upstream, _reused) =
            self.connector.get_http_session(&self.peer).await.map_err(|_| Broken::Upstream)?;
        send_request(session, &mut upstream).await?;

        tokio::select! {
            biased;
            read = upstream.read_response_header() => read.map_err(|_| Broken::Upstream)?,
            _ = session.read_body_or_idle(true) => return Err(Broken::Client),
        }
        let mut head = upstream.response_header().ok_or(Broken::Upstream)?.clone();
        for name in HOP {
            head.remove_header(&name);
        }
        session.write_response_header(Box::new(head)).await.map_err(|_| Broken::Client)?;
        loop {
            let piece = tokio::select! {
                biased;
                piece = upstream.read_response_body() => piece.map_err(|_| Broken::Answer)?,
                _ = session.read_body_or_idle(true) => return Err(Broken::Client),
            };
            let Some(piece) = piece else { break };
            session.write_response_body(piece, false).await.map_err(|_| Broken::Client)?;
        }
        session.write_response_body(Bytes::new(), true).await.map_err(|_| Broken::Client)?;
        self.connector.release_http_session(upstream, &self.peer, self.peer.idle_timeout()).await;
        Ok(())
    }
}

async fn send_request(session: &mut ServerSession, upstream: &mut HttpSession) -> Result<(), Broken> {
    let mut head = session.req_header().clone();
    for name in HOP {
        head.remove_header(&name);
    }
    upstream.write_request_header(Box::new(head)).await.map_err(|_| Broken::Upstream)?;
    while let Some(piece) = session.read_request_body().await.map_err(|_| Broken::Client)? {
        upstream.write_request_body(piece, false).await.map_err(|_| Broken::Upstream)?;
    }
    upstream.finish_request_body().await.map_err(|_| Broken::Upstream)
}

#[async_trait]
impl HttpServerApp for Proxy {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        session.set_read_timeout(Some(READ_TIMEOUT));
        session.set_write_timeout(Some(WRITE_TIMEOUT));
        session.set_pipelining_enabled(true);
        if !session.read_request().await.ok()? {
            return None;
        }
        session.set_keepalive((!*shutdown.borrow()).then_some(KEEPALIVE_SECONDS));
        match self.relay(&mut session).await {
            Ok(()) => {
                let settings = HttpPersistentSettings::for_session(&session);
                let stream = session.finish().await.ok()??;
                Some(ReusedHttpStream::from_reusable_stream(stream, settings))
            }
            Err(Broken::Upstream) => {
                // If this cannot be written either, the client is gone.
                let _ = session.respond_error(502).await;
                None
            }
            Err(Broken::Client | Broken::Answer) => None,
        }
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }
}

// The default runtime has a worker per core it may run on: one, under `taskset`, as in the gateway.
#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, upstream] = arguments.as_slice() else {
        eprintln!("usage: bare_proxy LISTEN UPSTREAM");
        return ExitCode::from(2);
    };
    let Ok(upstream) = upstream.parse() else {
        eprintln!("UPSTREAM must be address:port, not `{upstream}`");
        return ExitCode::from(2);
    };
    let mut service = Service::new("bare".to_owned(), Proxy::new(upstream));
    service.add_tcp(listen);
    let (_never_stopped, running) = watch::channel(false);
    service.start_service(None, running, 1).await;
    ExitCode::SUCCESS
}
