//! Loading for commands: a configuration with its policies, from a file or from what the environment offers.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{self, Config, Found, Problem};
use crate::policy::Policies;
use crate::scripted;
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
}

/// From the file, or from the environment where none is given.
pub(super) async fn load(path: Option<&Path>) -> Result<Loaded, Vec<Problem>> {
    let (config, mut warnings, found) = match path {
        Some(path) => {
            let loaded = config::load(path)?;
            (loaded.config, loaded.warnings, Vec::new())
        }
        None => discover().await?,
    };
    let (policies, policy_warnings) = Policies::load(config.policies.as_deref(), &config)?;
    warnings.extend(policy_warnings);
    Ok(Loaded { config, policies, warnings, found })
}

async fn discover() -> Result<(Config, Vec<Problem>, Vec<Found>), Vec<Problem>> {
    let client = Client::for_hosts(&["127.0.0.1"]).ok().map(Arc::new);
    let probe = |address: SocketAddr, path: &str| {
        let client = client.clone();
        let url = url::Url::parse(&format!("http://{address}{path}")).ok();
        async move { Some(client?.get(&url?, MAX_LIST, PROBE).await.ok()?.to_vec()) }
    };
    let discovered = config::discover(|name| std::env::var(name).ok(), probe).await?;
    Ok((discovered.config, discovered.warnings, discovered.found))
}

/// Starts the scripted provider inside the process for every provider that is to be one and has no endpoint.
pub(super) async fn start_scripted(config: &mut Config) -> std::io::Result<Option<scripted::Handle>> {
    if config.providers.iter().all(|provider| !provider.endpoints.is_empty()) {
        return Ok(None);
    }
    let server = scripted::Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), scripted::Script::default())?;
    config.place_scripted(server.address());
    Ok(Some(server.spawn()))
}

/// Prints problems one after another.
pub(super) fn print(problems: &[Problem]) {
    for problem in problems {
        eprintln!("{problem}\n");
    }
}
