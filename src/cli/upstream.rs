//! `waypost upstream`: the scripted provider as a process of its own, on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{fail, say};
use crate::scripted::{Script, Server};

/// Runs the scripted provider.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Wire format it speaks.
    #[arg(long, value_enum, default_value_t = Format::Openai)]
    format: Format,
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 4010)]
    port: u16,
    /// What it plays, by model name (see docs/scripted.md).
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
}

/// What the scripted provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// OpenAI's chat completions.
    Openai,
}

pub(super) fn run(args: Args) -> ExitCode {
    let Format::Openai = args.format;
    let script = match args.script.as_deref().map(read).transpose() {
        Ok(script) => script.unwrap_or_default(),
        Err(error) => return fail(error),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(format_args!("the runtime cannot be started: {error}")),
    };
    runtime.block_on(async {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
        let server = match Server::bind(address, script) {
            Ok(server) => server,
            Err(error) => return fail(format_args!("cannot listen on {address}: {error}")),
        };
        let at = server.address();
        say(format_args!("scripted provider on http://{at}/v1/chat/completions (no model: every answer says so)"));
        say(format_args!("what it has seen: http://{at}/scripted/stats"));
        match server.run().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(error),
        }
    })
}

fn read(path: &Path) -> Result<Script, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
    Script::from_yaml(&text).map_err(|error| format!("{}: {error}", path.display()))
}
