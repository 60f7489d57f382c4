//! Loading for commands: a configuration with its policies, from a file or from what the environment offers.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::config::{self, Config, Problem};
use crate::config::{Discovered, Found, discover};
use crate::policy::Policies;
use crate::scripted::{Script, Server};
use crate::upstream::Client;

/// How long a local port may take to answer discovery; a local server answers in a few milliseconds.
const PROBE: Duration = Duration::from_millis(300);
/// Largest list of models read from a local server, in bytes.
const MAX_LIST: usize = 1 << 20;

/// What a command runs on.
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) policies: Policies,
    pub(super) warnings: Vec<Problem>,
    /// What discovery found; empty where a file was given.
    pub(super) found: Vec<Found>,
    /// The scripted provider that some provider is to be, bound but not yet served.
    pub(super) scripted: Option<Server>,
}

/// From the file, or from the environment where none is given.
pub(super) async fn load(path: Option<&Path>) -> Result<Loaded, Vec<Problem>> {
    let (mut config, mut warnings, found) = match path {
        Some(path) => {
            let loaded = config::load(path)?;
            (loaded.config, loaded.warnings, Vec::new())
        }
        None => {
            let Discovered { config, warnings, found, .. } = look_around().await?;
            (config, warnings, found)
        }
    };
    let scripted = bind_scripted(&mut config).map_err(|error| vec![no_scripted(path, &error)])?;
    let (policies, policy_warnings) = Policies::load(config.policies.as_deref(), &config)?;
    warnings.extend(policy_warnings);
    Ok(Loaded { config, policies, warnings, found, scripted })
}

async fn look_around() -> Result<Discovered, Vec<Problem>> {
    let client = Client::for_hosts(&["127.0.0.1"]).ok();
    let probe = async |address: SocketAddr, path: &'static str| {
        let url = url::Url::parse(&format!("http://{address}{path}")).ok()?;
        Some(client.as_ref()?.get(&url, MAX_LIST, PROBE).await.ok()?.to_vec())
    };
    discover(&|name| std::env::var(name).ok(), probe).await
}

fn bind_scripted(config: &mut Config) -> std::io::Result<Option<Server>> {
    if !config.wants_scripted() {
        return Ok(None);
    }
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Script::default())?;
    config.place_scripted(server.address());
    Ok(Some(server))
}

fn no_scripted(path: Option<&Path>, error: &std::io::Error) -> Problem {
    Problem::of_file(
        path.unwrap_or(Path::new("environment")),
        format!("the scripted provider cannot listen on 127.0.0.1: {error}"),
        "give the provider an endpoint, such as that of `waypost upstream`",
    )
}

/// Prints problems one after another.
pub(super) fn print(problems: &[Problem]) {
    for problem in problems {
        eprintln!("{problem}\n");
    }
}
