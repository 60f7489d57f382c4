//! `waypost upstream`: the scripted provider as a process of its own, on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{fail, say};
use crate::scripted::{self, Script, Server};

/// Runs the scripted provider.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The only wire format it speaks; without it, every format by its path.
    #[arg(long, value_enum)]
    format: Option<Format>,
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
    /// OpenAI's chat completions, completions and embeddings.
    Openai,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
    /// Gemini's generateContent.
    Gemini,
}

impl Format {
    fn spoken(self) -> scripted::Format {
        match self {
            Format::Openai => scripted::Format::Openai,
            Format::Responses => scripted::Format::Responses,
            Format::Anthropic => scripted::Format::Anthropic,
            Format::Gemini => scripted::Format::Gemini,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Format::Openai => "/v1/chat/completions",
            Format::Responses => "/v1/responses",
            Format::Anthropic => "/v1/messages",
            Format::Gemini => "/v1beta/models/scripted:generateContent",
        }
    }
}

pub(super) fn run(args: Args) -> ExitCode {
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
        let server = match args.format {
            Some(format) => server.only(format.spoken()),
            None => server,
        };
        let at = server.address();
        let path = args.format.unwrap_or(Format::Openai).path();
        say(format_args!("scripted provider on http://{at}{path} (no model: every answer says so)"));
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
