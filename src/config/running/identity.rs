//! Who may call: keys, issuers, tenants, and the labels that their requests carry.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::id::{KeyId, PolicyName, TeamName, TenantName};

/// Who may call.
#[derive(Debug)]
pub struct Auth {
    /// Requests without a key are tenant `default` if they come over loopback.
    pub open_on_loopback: bool,
    /// Virtual keys; ids and hashes are unique.
    pub keys: Vec<Key>,
    /// Token issuers, each once.
    pub jwt: Vec<JwtIssuer>,
}

/// A virtual key as the configuration knows it: by its hash.
#[derive(Debug)]
pub struct Key {
    /// Names the key in records.
    pub id: KeyId,
    /// As `waypost keys create` printed it, decoded.
    pub hmac: [u8; 32],
    /// The tenant it belongs to; always one of `Config::tenants`.
    pub tenant: TenantName,
    /// The team within the tenant.
    pub team: Option<TeamName>,
    /// Patterns with `*`; empty means every model.
    pub models: Vec<String>,
    /// Seconds since 1970.
    pub expires: Option<u64>,
    /// Labels without order that its holder may set.
    pub may_set: Vec<String>,
    /// By label name.
    pub labels: BTreeMap<String, String>,
    /// What it may do beside asking models.
    pub permissions: Vec<Permission>,
    /// Its limits.
    pub limits: Limits,
}

/// What a key may do beside asking models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// `POST /v1/route`.
    Route,
    /// `POST /v1/feedback`.
    Feedback,
}

/// An issuer of JSON Web Tokens.
#[derive(Debug)]
pub struct JwtIssuer {
    /// The `iss` claim, letter for letter.
    pub issuer: String,
    /// The `aud` claim.
    pub audience: String,
    /// At least one; whatever else a token names is refused.
    pub algorithms: Vec<JwtAlgorithm>,
    /// Difference of clocks that is forgiven.
    pub leeway: Duration,
    /// Where its public keys are.
    pub jwks: Jwks,
    /// Which claims say what.
    pub claims: Claims,
}

/// Signatures that may be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
pub enum JwtAlgorithm {
    /// RSA PKCS #1 v1.5 with SHA-256.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// Where an issuer's public keys are and how long they are believed.
#[derive(Debug, Clone)]
pub struct Jwks {
    /// `https`, or `http` on loopback.
    pub url: url::Url,
    /// Time between fetches.
    pub refresh: Duration,
    /// Least time between fetches for keys that are not known yet.
    pub min_refetch: Duration,
    /// How long keys are believed while the issuer cannot be reached; at least `refresh`.
    pub max_stale: Duration,
}

/// JSON pointers into a token's claims.
#[derive(Debug, Clone)]
pub struct Claims {
    /// The tenant's name.
    pub tenant: String,
    /// The team's name.
    pub team: Option<String>,
    /// Names of models the holder may ask for.
    pub models: Option<String>,
    /// By label name.
    pub labels: BTreeMap<String, String>,
}

/// A tenant.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its name.
    pub name: TenantName,
    /// `tenant.region` for policies.
    pub region: Option<String>,
    /// The policy it is under; whether it exists is checked with the policies.
    pub policy: PolicyName,
    /// Lowest value of ordered labels.
    pub floor: BTreeMap<String, String>,
    /// What the label that detection raises is at least where a request holds something that nobody here can read.
    pub unscanned_as: Option<String>,
    /// Its limits.
    pub limits: Limits,
}

/// `None`: unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests started per minute.
    pub requests_per_minute: Option<u32>,
    /// Requests running at one time.
    pub concurrent: Option<u32>,
}

/// A label that requests may carry.
#[derive(Debug, Clone)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// Its values.
    pub kind: LabelKind,
    /// The value of requests without it; one of its values.
    pub default: Option<String>,
    /// Who may set it, for unordered labels; all where not said.
    pub from: Vec<LabelSource>,
}

/// The values of a label, at least one.
#[derive(Debug, Clone)]
pub enum LabelKind {
    /// Lowest first; the highest of all sources wins.
    Ordered(Vec<String>),
    /// One of these.
    Values(Vec<String>),
}

impl LabelKind {
    /// All values, lowest first where they have an order.
    #[must_use]
    pub fn values(&self) -> &[String] {
        match self {
            Self::Ordered(values) | Self::Values(values) => values,
        }
    }
}

/// Who may set a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LabelSource {
    /// The virtual key's entry.
    Key,
    /// A claim of the token.
    Claim,
    /// The request itself.
    Client,
}
