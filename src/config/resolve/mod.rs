//! From the written form to the one that runs: every name looked up, every text read, every contradiction reported.
//!
//! Each file resolves one part and always returns something, a stand-in where a fault was reported, so that the parts
//! after it are checked too.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::Node;
use super::problem::suggestion;
use super::reader::listing;
use super::report::{Place, Report};
use super::running::{Config, Secret};
use super::values::{At, CountryText, DurationText, List, PathText, SecretText, SizeText};
use super::written;
use crate::catalog;

mod aliases;
mod auth;
mod detection;
mod labels;
mod listen;
mod price;
mod providers;
mod settings;
mod targets;
mod tenants;

/// What every part needs.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) report: &'a Report<'a>,
    /// Folder of the file: relative paths start there.
    pub(super) base: &'a Path,
    /// The tree, for names of entries that could not be read.
    pub(super) root: &'a Node,
}

/// Resolves everything. The result may be used only if nothing was reported as an error.
pub(super) fn config(written: &written::Config, hash: String, path: Option<PathBuf>, context: Context<'_>) -> Config {
    let labels = labels::labels(&written.labels, context);
    let detection = detection::detection(&written.detection, &labels, context);
    let tenants = tenants::tenants(&written.tenants, &written.detection, &labels, context);
    let providers = providers::providers(&written.providers, context);
    let drop_unsupported = written.on_unsupported.as_ref().is_some_and(|at| at.value == written::OnUnsupported::Drop);
    let listed = price::litellm(&written.prices, context);
    let targets = targets::targets(&written.models, &providers, drop_unsupported, listed.as_ref(), context);
    let aliases = aliases::aliases(&written.aliases, &targets, context);
    let auth = auth::auth(&written.auth, &labels, &tenants, context);
    let listen = listen::listen(&written.listen, context);
    let admin = listen::admin(&written.admin, &written.listen, &listen, context);
    listen::reachable(written, &listen, &auth, context);
    let cache = settings::cache(&written.cache, &labels, context);
    Config {
        hash,
        path,
        listen,
        admin,
        auth,
        tenants,
        labels,
        detection,
        targets,
        providers: providers.into_iter().map(|provider| provider.running).collect(),
        aliases,
        policies: settings::policies(written.policies.as_ref(), context),
        classifier: settings::classifier(&written.classifier, context),
        calibration: written.calibration.as_ref().map(|at| context.readable(at)),
        cache,
        store: settings::store(&written.store, context),
        decisions: settings::decisions(&written.decisions, context),
        streaming: settings::streaming(&written.streaming, context),
        retry: settings::retry(&written.retry, context),
        logging: settings::logging(&written.logging),
        max_series: settings::max_series(&written.metrics, context),
        egress: settings::egress(&written.egress, context),
        error_detail: settings::error_detail(&written.errors),
        files: context.report.files(),
        shown: serde_json::Value::Null,
    }
}

/// Whether the configuration takes this as a name of the operator's choice: it ends up in URLs, headers, metrics and
/// file names.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let fine = |c: u8| c.is_ascii_alphanumeric() || b"._-:+".contains(&c);
    name.len() <= 128
        && name.bytes().all(fine)
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

/// What to write for a name that is none.
pub const NAME_REMEDY: &str = "begin with a letter or digit and use letters, digits and `. _ - : +`, at most 128";

impl<'a> Context<'a> {
    fn error(self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        self.report.error(place, message, remedy);
    }

    fn warn(self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        self.report.warn(place, message, remedy);
    }

    /// A duration, or its default.
    fn duration(self, written: Option<&At<DurationText>>, default: Duration) -> Duration {
        let Some(At { value: DurationText(text), place }) = written else {
            return default;
        };
        humantime::parse_duration(text.trim()).unwrap_or_else(|_| {
            let remedy = match text.trim().parse::<f64>() {
                Ok(_) => format!("say the unit: `{text}s`, `{text}ms`, `{text}m`"),
                Err(_) => "write a number and its unit: `50ms`, `10s`, `15m`, `24h`, `30d`".to_owned(),
            };
            self.report.unreadable(*place, format!("`{text}` is not a duration"), remedy);
            default
        })
    }

    /// A duration that cannot be zero, or its default.
    fn wait(self, written: Option<&At<DurationText>>, default: Duration) -> Duration {
        let duration = self.duration(written, default);
        if duration.is_zero()
            && let Some(written) = written
        {
            let message = "a wait of zero leaves no time for anything";
            self.report.unreadable(written.place, message, "write a duration above zero: `10s`");
        }
        duration
    }

    /// A number of bytes above zero, or its default.
    fn size(self, written: Option<&At<SizeText>>, default: u64) -> u64 {
        let Some(At { value: SizeText(text), place }) = written else {
            return default;
        };
        match text.trim().parse::<bytesize::ByteSize>() {
            Ok(size) if size.as_u64() > 0 => size.as_u64(),
            Ok(_) => {
                self.error(*place, "a size of zero holds nothing", "write a size above zero: `20MiB`");
                default
            }
            Err(_) => {
                let remedy = "write a number of bytes, with or without a unit: `20MiB`, `512kB`, `1048576`";
                self.report.unreadable(*place, format!("`{text}` is not a size"), remedy);
                default
            }
        }
    }

    /// A count above zero, or its default.
    fn count(self, written: Option<&At<u32>>, default: u32) -> u32 {
        let Some(At { value, place }) = written else {
            return default;
        };
        if *value == 0 {
            self.error(*place, "zero is not possible here", format!("write 1 or more; the default is {default}"));
        }
        *value
    }

    /// A path, relative to the file that names it.
    fn path(self, written: &At<PathText>) -> PathBuf {
        self.base.join(&written.value.0)
    }

    /// A path whose file can be opened now, or a report.
    fn readable(self, written: &At<PathText>) -> PathBuf {
        let path = self.path(written);
        self.report.depends_on(&path);
        if let Err(error) = std::fs::File::open(&path)
            .and_then(|file| file.metadata())
            .and_then(|data| if data.is_file() { Ok(()) } else { Err(std::io::Error::other("it is not a file")) })
        {
            let message = format!("cannot read {}: {error}", path.display());
            self.error(written.place, message, "check the path (it is relative to this file) and its permissions");
        }
        path
    }

    /// A secret: itself, or what a file holds less one line end.
    fn secret(self, written: &At<SecretText>) -> Secret {
        self.report.conceal(written.place);
        let SecretText(text) = &written.value;
        let Some(path) = text.strip_prefix("file:") else {
            return Secret::new(text.clone());
        };
        let path = self.base.join(path);
        self.report.depends_on(&path);
        match std::fs::read_to_string(&path) {
            Ok(secret) => {
                let line = secret.strip_suffix('\n').unwrap_or(&secret);
                Secret::new(line.strip_suffix('\r').unwrap_or(line).to_owned())
            }
            Err(error) => {
                let message = format!("cannot read the secret in {}: {error}", path.display());
                self.error(written.place, message, "check the path (it is relative to this file) and its permissions");
                Secret::new(String::new())
            }
        }
    }

    /// Checks a name that the operator chose.
    fn name(self, written: &At<String>, what: &str) {
        let name = &written.value;
        if !is_name(name) {
            self.report.unreadable(written.place, format!("`{name}` cannot name {what}"), NAME_REMEDY);
        }
    }

    /// Reports a name that was used before. Returns whether it is new.
    fn fresh<'n>(self, name: &'n At<String>, seen: &mut Vec<&'n At<String>>, what: &str) -> bool {
        if let Some(first) = seen.iter().find(|first| first.value == name.value) {
            let message = format!("{what} `{}` is defined twice, first in line {}", name.value, first.place.line);
            self.error(name.place, message, "rename or remove one of the two");
            return false;
        }
        seen.push(name);
        true
    }

    /// Whether a name is among the known ones; reports it if not.
    fn known<'n>(self, name: &At<String>, what: &str, known: impl Iterator<Item = &'n str> + Clone) -> bool {
        if known.clone().any(|known| known == name.value) {
            return true;
        }
        let remedy = match suggestion(&name.value, known.clone()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.clone().next().is_none() => {
                format!("no {what} is defined; define it first")
            }
            None => format!("known: {}", listing(known.take(12))),
        };
        self.error(name.place, format!("unknown {what} `{}`", name.value), remedy);
        false
    }

    /// Country codes, each checked.
    fn countries(self, written: &List<At<CountryText>>) -> std::collections::BTreeSet<String> {
        written.0.iter().map(|country| self.country(country)).collect()
    }

    /// One country code.
    fn country(self, written: &At<CountryText>) -> String {
        let code = written.value.0.as_str();
        let fine = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        let remedy = match code {
            "UK" => "write `GB`",
            "EU" | "EEA" | "EEC" => "list the countries one by one; sets such as EEA are for policies",
            _ if catalog::countries().codes.contains(code) => return code.to_owned(),
            _ if fine => "there is no such country: write its ISO 3166-1 code, such as `FR`, `DE`, `US`",
            _ if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic()) => "write it in upper case",
            _ => "write the ISO 3166-1 code of two upper-case letters: `FR`, `DE`, `US`",
        };
        self.error(written.place, format!("`{code}` is not a country code"), remedy);
        code.to_owned()
    }
}

/// 64 hexadecimal digits as bytes.
fn digest(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}
