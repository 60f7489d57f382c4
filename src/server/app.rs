//! The life of a connection: read a head, refuse what is unsound, hand the exchange to its surface, keep the connection.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use pingora_core::apps::{HttpPersistentSettings, HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp};
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::ServerSession;
use pingora_core::server::ShutdownWatch;

use super::drain::InFlight;
use super::exchange::Exchange;
use super::head::Admission;
use super::running::Running;
use crate::config::Config;
use crate::gateway::{Client as _, Gateway};
use crate::id::RequestId;
use crate::wire::openai::error::error_body;

/// How long an idle connection is kept, in seconds; longer than the 60 s most clients' pools keep theirs would only
/// collect dead ones.
const KEEPALIVE_SECONDS: u64 = 60;
/// How long one write may be blocked by a client that does not read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// What a listener serves.
pub(super) trait Surface: Send + Sync + 'static {
    /// Which hosts and origins it serves.
    fn admission(config: &Config) -> Admission<'_>;

    /// Answers one request. `Complete` if the answer was written whole.
    fn serve(&self, gateway: &Gateway, exchange: &mut Exchange) -> impl Future<Output = Ending> + Send;
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The connection can carry the next request.
    Complete,
    /// The client is gone or the answer was cut off: the connection is closed, visibly so.
    Broken,
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Bytes that Pingora looks at to tell HTTP/2 from HTTP/1, and waits for without limit.
const FIRST_BYTES: usize = 24;

/// Lets a connection in once it has said something: one that never does may not be held for free.
pub(super) struct Door<S>(pub(super) Arc<App<S>>);

#[async_trait]
impl<S: Surface> ServerApp for Door<S> {
    async fn process_new(self: &Arc<Self>, mut stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        if stream.get_ssl_digest().is_none() {
            let mut first = [0; FIRST_BYTES];
            tokio::time::timeout(self.0.header_timeout(), stream.try_peek(&mut first)).await.ok()?.ok()?;
        }
        self.0.process_new(stream, shutdown).await
    }
}

/// One listener's application.
pub(super) struct App<S> {
    surface: S,
    running: Arc<Running>,
    inflight: Arc<InFlight>,
    options: HttpServerOptions,
}

/// Marks a connection that has carried a request before.
struct Reused;

impl<S: Surface> App<S> {
    pub(super) fn new(surface: S, running: Arc<Running>, inflight: Arc<InFlight>) -> Self {
        let mut options = HttpServerOptions::default();
        options.h2c = true;
        options.h2_idle_timeout = Some(Duration::from_secs(KEEPALIVE_SECONDS));
        Self { surface, running, inflight, options }
    }

    fn header_timeout(&self) -> Duration {
        self.running.look(|gateway| gateway.config().listen.header_timeout)
    }

    /// Reads the head within its time. `None`: the connection is over, and the client has been told if it could be.
    async fn read_head(&self, session: &mut ServerSession) -> Option<()> {
        let reused = session.take_connection_user_context().is_some();
        let idle = if reused { Duration::from_secs(KEEPALIVE_SECONDS) } else { Duration::ZERO };
        match tokio::time::timeout(idle + self.header_timeout(), session.read_request()).await {
            Ok(Ok(true)) => Some(()),
            Ok(Ok(false)) => None,
            Ok(Err(_)) => {
                refuse(session, StatusCode::BAD_REQUEST, "the request head is not valid HTTP").await;
                None
            }
            // An idle connection that times out has asked nothing; only a begun request is told why.
            Err(_) if reused => None,
            Err(_) => {
                refuse(session, StatusCode::REQUEST_TIMEOUT, "the request head did not arrive in time").await;
                None
            }
        }
    }
}

/// Answers outside of any exchange; the connection is closed after it.
async fn refuse(session: &mut ServerSession, status: StatusCode, message: &str) {
    let body = refusal_body(message);
    // If even this cannot be written, nobody is there to be told.
    let _ = session.respond_error_with_body(status.as_u16(), body).await;
}

fn refusal_body(message: &str) -> Bytes {
    error_body(message, "invalid_request_error", None, Some("invalid_request"))
}

/// Of a refusal, with the client's request id or a fresh one.
fn refusal_headers(asked: &HeaderMap) -> HeaderMap {
    let given = asked.get(X_REQUEST_ID).map(HeaderValue::as_bytes);
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(id) = HeaderValue::from_str(RequestId::from_client(given).as_str()) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers
}

#[async_trait]
impl<S: Surface> HttpServerApp for App<S> {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        session.set_write_timeout(Some(WRITE_TIMEOUT));
        // Without this, bytes that arrive early would abort the running request.
        session.set_pipelining_enabled(true);
        self.read_head(&mut session).await?;
        let _running = self.inflight.enter();
        session.set_keepalive((!*shutdown.borrow()).then_some(KEEPALIVE_SECONDS));

        // The request keeps this gateway to its end, whatever is loaded meanwhile.
        let gateway = self.running.gateway();
        if let Err(refused) = S::admission(gateway.config()).check(&session) {
            if !refused.framing_is_sound() {
                refuse(&mut session, refused.status(), &refused.to_string()).await;
                return None;
            }
            let mut exchange = Exchange::new(session);
            let headers = refusal_headers(&exchange.head().headers);
            exchange.respond(refused.status(), headers, refusal_body(&refused.to_string())).await.ok()?;
            return keep(exchange).await;
        }

        let mut exchange = Exchange::new(session);
        match self.surface.serve(&gateway, &mut exchange).await {
            Ending::Complete => keep(exchange).await,
            Ending::Broken => None,
        }
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }
}

/// Gives the connection back for its next request.
async fn keep(exchange: Exchange) -> Option<ReusedHttpStream> {
    let session = exchange.into_session();
    let mut settings = HttpPersistentSettings::for_session(&session);
    settings.set_user_context(Box::new(Reused));
    let stream = session.finish().await.ok()??;
    Some(ReusedHttpStream::from_reusable_stream(stream, settings))
}
