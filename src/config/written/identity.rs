//! Who calls: keys, tokens, tenants, labels.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::running::{JwtAlgorithm, LabelSource, Permission};
use crate::config::values::{At, DurationText, Lenient, List, Named};

/// Who may call.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Auth {
    /// Whether requests without a key are let in as tenant `default` if they come over loopback. Default: `loopback`
    /// where neither keys nor token issuers are configured, else `never`.
    pub(in crate::config) open: Option<At<Open>>,
    /// Virtual keys, by their hashes. `waypost keys create` prints an entry.
    pub(in crate::config) keys: List<Key>,
    /// Issuers of JSON Web Tokens.
    pub(in crate::config) jwt: List<JwtIssuer>,
}

/// When a request needs no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Open {
    /// Always asks for a key or token.
    Never,
    /// Requests that come over loopback need none.
    Loopback,
}

/// A virtual key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Key {
    /// Names the key in records; never the key itself.
    pub(in crate::config) id: At<String>,
    /// `hmac-sha256:` and 64 hexadecimal digits, as `waypost keys create` printed it.
    pub(in crate::config) hash: At<String>,
    /// The tenant it belongs to. Default: `default`.
    #[serde(default)]
    pub(in crate::config) tenant: Option<At<String>>,
    /// The team within the tenant.
    #[serde(default)]
    pub(in crate::config) team: Option<At<String>>,
    /// Model names it may ask for, `*` for any characters. Default: all.
    #[serde(default)]
    pub(in crate::config) models: List<At<String>>,
    /// When it ends: a date (its start, UTC) or a time in RFC 3339. Default: never.
    #[serde(default)]
    pub(in crate::config) expires: Option<At<String>>,
    /// Labels without order that its holder may set. Default: none.
    #[serde(default)]
    pub(in crate::config) may_set: List<At<String>>,
    /// Labels that every request with it carries.
    #[serde(default)]
    pub(in crate::config) labels: Named<At<String>>,
    /// What it may do beside asking models. Default: nothing.
    #[serde(default)]
    pub(in crate::config) permissions: List<At<Permission>>,
    /// Limits of this key.
    #[serde(default)]
    pub(in crate::config) limits: Limits,
}

/// Limits of a key or tenant. Left out: unlimited.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Limits {
    /// Requests started per minute.
    pub(in crate::config) requests_per_minute: Option<At<u32>>,
    /// Requests running at one time.
    pub(in crate::config) concurrent: Option<At<u32>>,
}

/// An issuer of JSON Web Tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct JwtIssuer {
    /// The `iss` claim, letter for letter.
    pub(in crate::config) issuer: At<String>,
    /// The `aud` claim.
    pub(in crate::config) audience: At<String>,
    /// Signatures that are accepted, whatever the token says.
    pub(in crate::config) algorithms: List<At<JwtAlgorithm>>,
    /// Difference of clocks that is forgiven. Default: 30s.
    #[serde(default)]
    pub(in crate::config) leeway: Option<At<DurationText>>,
    /// Where the issuer's public keys are.
    pub(in crate::config) jwks: Lenient<Jwks>,
    /// Which claims say what, as JSON pointers.
    pub(in crate::config) claims: Lenient<Claims>,
}

/// Where an issuer's public keys are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Jwks {
    /// `https://…`; `http://` only on loopback.
    pub(in crate::config) url: At<String>,
    /// Time between fetches. Default: 10m.
    #[serde(default)]
    pub(in crate::config) refresh: Option<At<DurationText>>,
    /// Least time between fetches for keys that are not known yet. Default: 60s.
    #[serde(default)]
    pub(in crate::config) min_refetch: Option<At<DurationText>>,
    /// How long keys are believed while the issuer cannot be reached. Default: 24h.
    #[serde(default)]
    pub(in crate::config) max_stale: Option<At<DurationText>>,
}

/// JSON pointers into a token's claims: `/org`, `/wp/models`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Claims {
    /// The tenant's name.
    pub(in crate::config) tenant: At<String>,
    /// The team's name.
    #[serde(default)]
    pub(in crate::config) team: Option<At<String>>,
    /// List of model names the holder may ask for.
    #[serde(default)]
    pub(in crate::config) models: Option<At<String>>,
    /// Labels, by name.
    #[serde(default)]
    pub(in crate::config) labels: Named<At<String>>,
}

/// A tenant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Tenant {
    /// Its name.
    pub(in crate::config) name: At<String>,
    /// A word for policies to read as `tenant.region`.
    #[serde(default)]
    pub(in crate::config) region: Option<At<String>>,
    /// The policy it is under. Default: `default`.
    #[serde(default)]
    pub(in crate::config) policy: Option<At<String>>,
    /// Lowest value of ordered labels, whatever the request says.
    #[serde(default)]
    pub(in crate::config) floor: Named<At<String>>,
    /// What requests with something that cannot be read (images, documents, audio) count as at least: a value of the
    /// label that detection raises. Default: nothing.
    #[serde(default)]
    pub(in crate::config) unscanned_as: Option<At<String>>,
    /// Limits of all its requests together.
    #[serde(default)]
    pub(in crate::config) limits: Limits,
}

/// A label that requests may carry: either `order` or `values`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Label {
    /// Values from lowest to highest; the highest that anyone set counts.
    pub(in crate::config) order: Option<List<At<String>>>,
    /// Values without order.
    pub(in crate::config) values: Option<List<At<String>>>,
    /// The value of requests without it. Default: none.
    pub(in crate::config) default: Option<At<String>>,
    /// Who may set a label without order. Default: key, claim and client.
    pub(in crate::config) from: List<At<LabelSource>>,
}
