//! Sockets: Pingora's listeners for the data and the admin side, and the graceful stop.
//!
//! `pingora_core::server::Server` is not used: it drains by sleeping for a fixed grace period and cannot report the
//! port it was given. Its services are run directly on the process's own runtime instead, so a stop ends with the last
//! running request.

mod admin;
mod app;
mod drain;
mod exchange;
mod head;
mod running;
mod tls;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::IntoRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pingora_core::server::Fds;
use pingora_core::services::Service as _;
use pingora_core::services::listening::Service;
use tokio::net::TcpSocket;
use tokio::sync::watch;

use self::admin::AdminSurface;
use self::app::{App, Door, Ending, Surface};
use self::drain::InFlight;
use self::exchange::Exchange;
use self::head::Admission;
pub use self::running::{Failed, Reloaded, Running};
use self::tls::Certificate;
use crate::config::Config;
use crate::gateway::{self, Gateway};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// Why the gateway could not listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, not ours, or not permitted.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The configured address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Certificate or key cannot be used.
    #[error("cannot serve TLS with `{cert}` and `{key}`: {message}")]
    Tls {
        /// Certificate file.
        cert: String,
        /// Key file.
        key: String,
        /// What rustls said.
        message: String,
    },
}

/// Both listeners, bound but not yet served.
#[derive(Debug)]
pub struct Bound {
    data: Listener,
    admin: Listener,
    certificate: Option<Arc<Certificate>>,
}

#[derive(Debug)]
struct Listener {
    socket: std::net::TcpListener,
    address: SocketAddr,
}

/// Binds the configured addresses. Port 0 takes a free one; `Bound` says which. Needs a tokio runtime.
///
/// # Errors
/// An address that cannot be listened on, or a certificate or key that cannot be used.
pub fn bind(config: &Config) -> Result<Bound, ServeError> {
    Ok(Bound {
        certificate: config.listen.tls.as_ref().map(tls::load).transpose()?.map(Arc::new),
        data: listen(config.listen.address)?,
        admin: listen(config.admin.address)?,
    })
}

fn listen(address: SocketAddr) -> Result<Listener, ServeError> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(BACKLOG)?.into_std()?;
        let address = socket.local_addr()?;
        Ok(Listener { socket, address })
    };
    bound().map_err(|source| ServeError::Bind { address, source })
}

impl Bound {
    /// Where clients connect.
    #[must_use]
    pub fn data_address(&self) -> SocketAddr {
        self.data.address
    }

    /// Where metrics and readiness are.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address
    }

    /// What will run on these listeners. `scripted` is where the provider inside this process listens, if there is one.
    #[must_use]
    pub fn running(&self, gateway: Gateway, scripted: Option<SocketAddr>) -> Arc<Running> {
        Arc::new(Running::new(gateway, self.certificate.clone(), scripted))
    }

    /// Serves until `stop` resolves, then lets running requests end within `listen.drain`. The admin side answers until
    /// the end, so that a balancer sees the drain.
    ///
    /// # Errors
    /// A certificate or key that cannot be used.
    pub async fn run(self, running: Arc<Running>, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let inflight = Arc::new(InFlight::default());
        let draining = Arc::new(AtomicBool::new(false));
        let data = App::new(DataSurface, Arc::clone(&running), Arc::clone(&inflight));
        let admin = AdminSurface { running: Arc::clone(&running), draining: Arc::clone(&draining) };
        let admin = App::new(admin, Arc::clone(&running), Arc::new(InFlight::default()));
        let (stop_data, data_stopping) = watch::channel(false);
        let (stop_admin, admin_stopping) = watch::channel(false);
        let data = start(self.data, self.certificate, data, data_stopping)?;
        let admin = start(self.admin, None, admin, admin_stopping)?;

        stop.await;
        draining.store(true, Ordering::Release);
        // Nobody listening any more would mean that the services have ended by themselves: then there is nothing to stop.
        let _ = stop_data.send(true);
        let left = inflight.wait(running.look(|gateway| gateway.config().listen.drain)).await;
        if left > 0 {
            tracing::warn!(left, "the drain time is over; requests were cut off");
        }
        let _ = stop_admin.send(true);
        let _ = tokio::join!(data, admin);
        Ok(())
    }
}

fn start<S: Surface>(
    listener: Listener,
    certificate: Option<Arc<Certificate>>,
    app: App<S>,
    stopping: watch::Receiver<bool>,
) -> Result<tokio::task::JoinHandle<()>, ServeError> {
    let address = listener.address.to_string();
    let mut service = Service::new(address.clone(), Door(Arc::new(app)));
    match certificate {
        None => service.add_tcp(&address),
        Some(certificate) => service.add_tls_with_settings(&address, None, tls::settings(certificate)?),
    }
    let mut fds = Fds::new();
    fds.add(address, listener.socket.into_raw_fd());
    let fds = Arc::new(Mutex::new(fds));
    Ok(tokio::spawn(async move { service.start_service(Some(fds), stopping, 1).await }))
}

struct DataSurface;

impl Surface for DataSurface {
    fn admission(config: &Config) -> Admission<'_> {
        Admission { hosts: &config.listen.hosts, cors: &config.listen.cors }
    }

    async fn serve(&self, gateway: &Gateway, exchange: &mut Exchange) -> Ending {
        match gateway::serve(gateway, exchange).await {
            Ok(()) => Ending::Complete,
            Err(_) => Ending::Broken,
        }
    }
}
