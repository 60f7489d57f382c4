//! `waypost serve`: the gateway itself.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::{banner, fail, load, say};
use crate::gateway::Gateway;
use crate::scripted::Server;
use crate::server;
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
        Ok(gateway) => {
            gateway.close();
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}

/// Serves to the end; `Err` is the exit code of a start that did not happen.
async fn serve(args: Args) -> Result<Arc<Gateway>, ExitCode> {
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
    let bound = match server::bind(&loaded.config) {
        Ok(bound) => bound,
        Err(error) => return Err(fail(error)),
    };
    let log = RequestLog::start(text);
    let gateway = match Gateway::build(loaded.config, loaded.policies, log) {
        Ok(gateway) => Arc::new(gateway),
        Err(error) => return Err(fail(error)),
    };
    let scripted = loaded.scripted.map(Server::spawn);
    say(banner::show(&gateway, &bound, &loaded.found).trim_end());

    let ended = bound.run(Arc::clone(&gateway), stop).await;
    drop(scripted);
    match ended {
        Ok(()) => Ok(gateway),
        Err(error) => Err(fail(error)),
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
