//! Keys and token issuers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::tenants::limits;
use super::{Context, digest, labels};
use crate::config::running::{Auth, Claims, Jwks, JwtIssuer, Key, Label, LabelKind, LabelSource, Tenant};
use crate::config::values::{At, List, Named};
use crate::config::written;
use crate::id::TenantName;

type Tenants = BTreeMap<TenantName, Arc<Tenant>>;

/// Who may call.
pub(super) fn auth(written: &written::Auth, labels: &[Label], tenants: &Tenants, context: Context<'_>) -> Auth {
    let nobody_known = written.keys.0.is_empty() && written.jwt.0.is_empty();
    Auth {
        // Where keys exist, open mode must be asked for: behind a reverse proxy everybody comes over loopback.
        open_on_loopback: match &written.open {
            Some(open) => open.value == written::Open::Loopback,
            None => nobody_known,
        },
        keys: keys(&written.keys, labels, tenants, context),
        jwt: issuers(&written.jwt, labels, context),
    }
}

fn keys(written: &List<written::Key>, labels: &[Label], tenants: &Tenants, context: Context<'_>) -> Vec<Key> {
    let (mut ids, mut hashes) = (Vec::new(), Vec::new());
    let mut keys = Vec::new();
    for key in &written.0 {
        context.name(&key.id, "a key");
        context.fresh(&key.id, &mut ids, "key");
        if hashes.iter().any(|seen: &&At<String>| seen.value == key.hash.value) {
            context.error(
                key.hash.place,
                "another key has the same hash",
                "make a key of its own: `waypost keys create`",
            );
        }
        hashes.push(&key.hash);
        keys.push(self::key(key, labels, tenants, context));
    }
    keys
}

fn key(written: &written::Key, labels: &[Label], tenants: &Tenants, context: Context<'_>) -> Key {
    let tenant = match &written.tenant {
        None => "default",
        Some(tenant) => {
            // A tenant that was written but could not be read was reported where it stands.
            if !context.root.names("tenants", "name").contains(&tenant.value.as_str()) {
                context.known(tenant, "tenant", tenants.keys().map(TenantName::as_str));
            }
            &tenant.value
        }
    };
    if let Some(team) = &written.team {
        context.name(team, "a team");
    }
    Key {
        id: written.id.value.as_str().into(),
        hmac: key_hash(&written.hash, context),
        tenant: tenant.into(),
        team: written.team.as_ref().map(|team| team.value.as_str().into()),
        models: written.models.0.iter().map(|model| model.value.clone()).collect(),
        expires: written.expires.as_ref().and_then(|expires| self::expires(expires, context)),
        may_set: may_set(&written.may_set, labels, context),
        labels: key_labels(&written.labels, labels, context),
        permissions: written.permissions.0.iter().map(|permission| permission.value).collect(),
        limits: limits(&written.limits, context),
    }
}

fn key_hash(written: &At<String>, context: Context<'_>) -> [u8; 32] {
    written.value.strip_prefix("hmac-sha256:").and_then(digest).unwrap_or_else(|| {
        let message = "this is not the hash of a key";
        let remedy = "write `hmac-sha256:` and 64 hexadecimal digits, as `waypost keys create` prints them";
        context.error(written.place, message, remedy);
        [0; 32]
    })
}

/// Seconds since 1970.
fn expires(written: &At<String>, context: Context<'_>) -> Option<u64> {
    let text = written.value.trim();
    let midnight = |date: jiff::civil::Date| jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok();
    let time = text.parse::<jiff::Timestamp>().ok().or_else(|| text.parse().ok().and_then(midnight));
    let seconds = time.and_then(|time| u64::try_from(time.as_second()).ok());
    if seconds.is_none() {
        let remedy = "write a date (`2027-01-01`) or a time in RFC 3339 (`2027-01-01T12:00:00Z`)";
        context.error(written.place, format!("`{text}` is not a date"), remedy);
    }
    seconds
}

fn may_set(written: &List<At<String>>, labels: &[Label], context: Context<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for name in &written.0 {
        let Some(label) = labels::find(name, labels, context) else {
            continue;
        };
        if matches!(label.kind, LabelKind::Ordered(_)) {
            let message =
                format!("label `{}` has an order: anybody may raise it, so it needs no permission", name.value);
            context.warn(name.place, message, "remove it from `may_set`");
        } else if !label.from.is_empty() && !label.from.contains(&LabelSource::Client) {
            let message = format!("label `{}` is not taken from clients", name.value);
            context.error(name.place, message, "add `client` to the label's `from`, or remove it here");
        }
        names.push(name.value.clone());
    }
    names
}

fn key_labels(written: &Named<At<String>>, labels: &[Label], context: Context<'_>) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (name, value) in &written.0 {
        let Some(label) = labels::find(name, labels, context) else {
            continue;
        };
        from(name, label, LabelSource::Key, "key", context);
        labels::check_value(value, label, context);
        values.insert(name.value.clone(), value.value.clone());
    }
    values
}

/// Reports a label that is not taken from this source.
fn from(name: &At<String>, label: &Label, source: LabelSource, word: &str, context: Context<'_>) {
    if !label.from.is_empty() && !label.from.contains(&source) {
        let message = format!("label `{}` is not taken from a {word}", name.value);
        context.error(name.place, message, format!("add `{word}` to the label's `from`, or remove it here"));
    }
}

fn issuers(written: &List<written::JwtIssuer>, labels: &[Label], context: Context<'_>) -> Vec<JwtIssuer> {
    let mut seen = Vec::new();
    let mut issuers = Vec::new();
    for issuer in &written.0 {
        context.fresh(&issuer.issuer, &mut seen, "issuer");
        for (text, what) in [(&issuer.issuer, "issuer"), (&issuer.audience, "audience")] {
            if text.value.is_empty() {
                context.error(text.place, format!("the {what} is empty"), format!("write the token's {what}"));
            }
        }
        if issuer.algorithms.0.is_empty() {
            let message = "no algorithm is accepted, so no token would be";
            context.error(issuer.issuer.place, message, "write `algorithms: [RS256]`, or what the issuer signs with");
        }
        // What they lack was reported while reading.
        let (Some(jwks), Some(claims)) = (&issuer.jwks.0, &issuer.claims.0) else {
            continue;
        };
        issuers.push(JwtIssuer {
            issuer: issuer.issuer.value.clone(),
            audience: issuer.audience.value.clone(),
            algorithms: issuer.algorithms.0.iter().map(|algorithm| algorithm.value).collect(),
            leeway: context.duration(issuer.leeway.as_ref(), Duration::from_secs(30)),
            jwks: self::jwks(jwks, context),
            claims: self::claims(claims, labels, context),
        });
    }
    issuers
}

fn jwks(written: &written::Jwks, context: Context<'_>) -> Jwks {
    let text = &written.url.value;
    let parsed = url::Url::parse(text).ok().filter(|url| url.host().is_some());
    let local = |url: &url::Url| match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let safe = parsed.filter(|url| url.scheme() == "https" || (url.scheme() == "http" && local(url)));
    let url = safe.unwrap_or_else(|| {
        let message = format!("`{text}` is not where keys may be fetched");
        context.error(written.url.place, message, "write an `https://` address (`http://` only on loopback)");
        unreachable_url()
    });
    let refresh = context.wait(written.refresh.as_ref(), Duration::from_mins(10));
    let max_stale = context.wait(written.max_stale.as_ref(), Duration::from_hours(24));
    if max_stale < refresh
        && let Some(at) = written.max_stale.as_ref().or(written.refresh.as_ref())
    {
        let message = "keys would be too old before they are fetched again";
        context.error(at.place, message, "make `max_stale` longer than `refresh`");
    }
    Jwks { url, refresh, min_refetch: context.wait(written.min_refetch.as_ref(), Duration::from_mins(1)), max_stale }
}

#[expect(clippy::expect_used, reason = "a constant address")]
fn unreachable_url() -> url::Url {
    url::Url::parse("https://invalid.invalid/").expect("a constant address")
}

fn claims(written: &written::Claims, labels: &[Label], context: Context<'_>) -> Claims {
    let mut values = BTreeMap::new();
    for (name, claim) in &written.labels.0 {
        if let Some(label) = labels::find(name, labels, context) {
            from(name, label, LabelSource::Claim, "claim", context);
        }
        values.insert(name.value.clone(), pointer(claim, context));
    }
    Claims {
        tenant: pointer(&written.tenant, context),
        team: written.team.as_ref().map(|team| pointer(team, context)),
        models: written.models.as_ref().map(|models| pointer(models, context)),
        labels: values,
    }
}

/// A JSON pointer (RFC 6901).
fn pointer(written: &At<String>, context: Context<'_>) -> String {
    let text = &written.value;
    if !text.starts_with('/') {
        let message = format!("`{text}` is not a JSON pointer");
        context.error(written.place, message, format!("begin with a slash: `/{}`", text.replace('.', "/")));
    }
    text.clone()
}
