//! `waypost serve`: the gateway itself.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::block_in_place;

use super::watch::Watch;
use super::{banner, fail, load, say};
use crate::gateway::Gateway;
use crate::scripted::{Handle, Server};
use crate::server::{self, Running};
use crate::telemetry::{RequestLog, log};

/// How long blocking calls (name look-ups) may go on after the drain.
const LAST_CALLS: Duration = Duration::from_secs(1);

/// Runs the gateway.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration; without it, provider keys in the environment and servers on this machine are used.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(format_args!("the runtime cannot be started: {error}")),
    };
    let ended = runtime.block_on(serve(args));
    // Requests that the drain has cut off are dropped here, which settles them: only then are log and records closed.
    // A call that blocks must not hold up the end.
    runtime.shutdown_timeout(LAST_CALLS);
    match ended {
        Ok(running) => {
            running.gateway().close();
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}

/// Serves to the end; `Err` is the exit code of a start that did not happen.
async fn serve(args: Args) -> Result<Arc<Running>, ExitCode> {
    let watch = Watch::new(args.config.as_deref());
    let loaded = match load::load(args.config.as_deref()).await {
        Ok(loaded) => loaded,
        Err(problems) => {
            load::print(&problems);
            return Err(fail(format_args!("the gateway does not start: {} problem(s) above", problems.len())));
        }
    };
    load::print(&loaded.warnings);
    let text = log::init(loaded.config.logging.format);
    // Before anybody can connect: a signal that finds no handler would cut off whoever has.
    let stop = stop();
    let hangup = signal(SignalKind::hangup());
    let bound = match server::bind(&loaded.config) {
        Ok(bound) => bound,
        Err(error) => return Err(fail(error)),
    };
    let log = RequestLog::start(text);
    let gateway = match Gateway::build(loaded.config, loaded.policies, log) {
        Ok(gateway) => gateway,
        Err(error) => return Err(fail(error)),
    };
    let scripted = loaded.scripted.map(Server::spawn);
    let running = bound.running(gateway, scripted.as_ref().map(Handle::address));
    let reloads = tokio::spawn(reload_when_told(Arc::clone(&running), hangup, watch));
    say(banner::show(&running.gateway(), &bound, &loaded.found).trim_end());

    let ended = bound.run(Arc::clone(&running), stop).await;
    reloads.abort();
    drop(scripted);
    match ended {
        Ok(()) => Ok(running),
        Err(error) => Err(fail(error)),
    }
}

/// Loads the configuration anew at each SIGHUP, and whenever it has changed. What comes of it is logged.
async fn reload_when_told(running: Arc<Running>, hangup: std::io::Result<Signal>, mut watch: Watch) {
    let Ok(mut hangup) = hangup else {
        return tracing::error!("SIGHUP cannot be caught: only POST /admin/reload loads the configuration anew");
    };
    watch.begin();
    loop {
        let cause = tokio::select! {
            _ = hangup.recv() => "SIGHUP",
            () = watch.changed() => "files",
        };
        tracing::info!(cause, "loading the configuration anew");
        // Both read every file, which may take its time.
        block_in_place(|| watch.look());
        let reloading = Arc::clone(&running);
        // It has logged what it did; one that panicked has changed nothing.
        let _ = tokio::task::spawn_blocking(move || reloading.reload().is_ok()).await;
        block_in_place(|| watch.follow(running.gateway().config()));
    }
}

/// Resolves at the first SIGTERM or SIGINT from now on. A second SIGINT ends the process at once: whoever presses
/// Ctrl-C twice means it.
fn stop() -> impl Future<Output = ()> {
    let caught = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = caught else {
            tracing::error!("signals cannot be caught: the gateway will not drain when it is stopped");
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: no new requests, running ones may end"),
            _ = interrupt.recv() => {
                tracing::info!("SIGINT: no new requests, running ones may end; once more ends at once");
            }
        }
        tokio::spawn(async move {
            interrupt.recv().await;
            std::process::exit(130);
        });
    }
}
