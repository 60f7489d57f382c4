//! The configuration that runs: checked, complete, every name resolved. Nothing here can be missing or wrong.

mod detection;
mod identity;
mod listen;
mod models;
mod settings;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

pub use detection::*;
pub use identity::*;
pub use listen::*;
pub use models::*;
pub use settings::*;

use crate::id::TenantName;

/// Everything a gateway instance is told.
#[derive(Debug)]
pub struct Config {
    /// SHA-256 over the written form, `sha256:…`; names the configuration in decisions and metrics.
    pub hash: String,
    /// Where it came from; `None` when discovered.
    pub path: Option<PathBuf>,
    /// The data listener.
    pub listen: Listen,
    /// The admin listener.
    pub admin: Admin,
    /// Who may call.
    pub auth: Auth,
    /// Always holds `default`.
    pub tenants: BTreeMap<TenantName, Arc<Tenant>>,
    /// In the order written.
    pub labels: Vec<Label>,
    /// What is looked for in the text of requests.
    pub detection: Detection,
    /// In the order written; `TargetId` is the index.
    pub targets: Vec<Arc<Target>>,
    /// In the order written.
    pub providers: Vec<Arc<Provider>>,
    /// By the name clients ask for.
    pub aliases: BTreeMap<String, Alias>,
    /// Folder of policies; `None`: the embedded `default` policy.
    pub policies: Option<PathBuf>,
    /// What scores prompts.
    pub classifier: Classifier,
    /// What says how good each target is for a score; `None`: its tier.
    pub calibration: Option<PathBuf>,
    /// The cache of whole answers.
    pub cache: Cache,
    /// What replicas share.
    pub store: Store,
    /// Records of decisions.
    pub decisions: Decisions,
    /// Streams before content.
    pub streaming: Streaming,
    /// Retries at one target.
    pub retry: Retry,
    /// The process's own log.
    pub logging: Logging,
    /// Label combinations per metric; more are counted as `other`.
    pub max_series: usize,
    /// Connections to the outside.
    pub egress: Egress,
    /// How much a refusal tells the client.
    pub error_detail: ErrorDetail,
    /// Files that it names and whose content counts: secrets, certificates, the calibration, prices.
    pub files: Vec<PathBuf>,
    /// As it was written, without its secrets.
    pub shown: serde_json::Value,
}

impl Config {
    /// Whether some provider is to be the scripted one inside this process.
    #[must_use]
    pub fn wants_scripted(&self) -> bool {
        self.providers.iter().any(|provider| provider.endpoints.is_empty())
    }

    /// Fills in where the scripted provider of this process listens.
    pub fn place_scripted(&mut self, at: SocketAddr) {
        let endpoint = Endpoint {
            tls: false,
            host: at.ip().to_string(),
            port: at.port(),
            authority: at.to_string(),
            prefix: String::new(),
        };
        for provider in self.providers.iter_mut().filter(|provider| provider.endpoints.is_empty()) {
            Arc::make_mut(provider).endpoints.push(endpoint.clone());
        }
        for target in &mut self.targets {
            let placed = self.providers.iter().find(|provider| provider.name == target.provider.name);
            if let Some(placed) = placed {
                Arc::make_mut(target).provider = Arc::clone(placed);
            }
        }
    }
}
