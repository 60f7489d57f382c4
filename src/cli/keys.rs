//! `waypost keys create`: a fresh virtual key for its owner, and its hash for the configuration.
//!
//! The key is shown once and kept nowhere.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::auth::key::{NoRandomness, VirtualKey};
use crate::config;

/// Virtual keys.
#[derive(Debug, Args)]
pub(super) struct Keys {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What to do with virtual keys.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key: prints it once, and the lines for `auth.keys`
    Create(Create),
}

/// What the new key is for.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// Its name in records and metrics [default: made from the hash]
    #[arg(long, value_parser = name)]
    pub(super) id: Option<String>,
    /// The tenant it belongs to
    #[arg(long, default_value = "default", value_parser = name)]
    pub(super) tenant: String,
    /// The team within the tenant
    #[arg(long, value_parser = name)]
    pub(super) team: Option<String>,
    /// Models it may use, `*` for any run of characters; repeat or separate by commas [default: all]
    #[arg(long, value_delimiter = ',', value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(super) models: Vec<String>,
    /// When it ends: a duration (90d), a date (2027-01-01, from 0:00 UTC) or a time (2027-01-01T12:00:00Z)
    #[arg(long, value_parser = expiry)]
    pub(super) expires: Option<Expiry>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// The moment from which a key is refused, as the configuration will write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expiry(String);

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    /// No random bytes.
    #[error("no key was made")]
    Random(#[from] NoRandomness),
    /// Standard output is gone.
    #[error("the key could not be printed; it is lost, make another")]
    Print(#[from] io::Error),
}

/// Runs the command.
pub(super) fn run(keys: &Keys, out: &mut impl Write) -> Result<(), KeysError> {
    match &keys.command {
        Command::Create(create) => run_create(create, out),
    }
}

fn run_create(create: &Create, out: &mut impl Write) -> Result<(), KeysError> {
    let key = VirtualKey::generate()?;
    let entry = entry(create, &key);
    if create.json {
        let entry: BTreeMap<_, _> = entry.into_iter().collect();
        let all = serde_json::json!({ "key": key.expose(), "config": entry });
        writeln!(out, "{all:#}")?;
    } else {
        writeln!(out, "{}\n", key.expose())?;
        writeln!(out, "# The key above is shown only now. Add this to the configuration, which knows it by its hash:")?;
        writeln!(out, "auth:\n  keys:")?;
        // Every value is JSON and so is YAML; one line per key keeps the list readable.
        let fields: Vec<String> = entry.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        writeln!(out, "    - {{ {} }}", fields.join(", "))?;
    }
    out.flush()?;
    Ok(())
}

/// The entry for `auth.keys`, in the order a reader wants it.
fn entry(create: &Create, key: &VirtualKey) -> Vec<(&'static str, serde_json::Value)> {
    let hash = key.hash_text();
    let id = create.id.clone().unwrap_or_else(|| {
        let digits = hash.trim_start_matches("hmac-sha256:");
        format!("key-{}", digits.get(..8).unwrap_or(digits))
    });
    let mut entry = vec![("id", id.into()), ("hash", hash.into()), ("tenant", create.tenant.clone().into())];
    if let Some(team) = &create.team {
        entry.push(("team", team.clone().into()));
    }
    if !create.models.is_empty() {
        entry.push(("models", create.models.clone().into()));
    }
    if let Some(Expiry(expires)) = &create.expires {
        entry.push(("expires", expires.clone().into()));
    }
    entry
}

/// A name as the configuration will take it: an entry that `waypost check` refuses would be of no use.
fn name(text: &str) -> Result<String, String> {
    if config::is_name(text) { Ok(text.to_owned()) } else { Err(config::NAME_REMEDY.to_owned()) }
}

fn expiry(text: &str) -> Result<Expiry, String> {
    expiry_from(text, Timestamp::now())
}

fn expiry_from(text: &str, now: Timestamp) -> Result<Expiry, String> {
    let (moment, written) = if let Ok(after) = humantime::parse_duration(text) {
        let moment = now.checked_add(after).map_err(|error| error.to_string())?;
        let whole = Timestamp::from_second(moment.as_second()).map_err(|error| error.to_string())?;
        (moment, whole.to_string())
    } else if let Ok(moment) = text.parse::<Timestamp>() {
        (moment, moment.to_string())
    } else if let Ok(date) = text.parse::<Date>() {
        let moment = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).map_err(|error| error.to_string())?;
        (moment, date.to_string())
    } else {
        return Err("write a duration such as 90d, a date such as 2027-01-01 or a time with its offset".to_owned());
    };
    if moment <= now {
        return Err("that is over already".to_owned());
    }
    Ok(Expiry(written))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        keys: Keys,
    }

    fn printed(line: &[&str]) -> String {
        let line = Line::try_parse_from([&["keys"], line].concat()).unwrap();
        let mut out = Vec::new();
        run(&line.keys, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_printed_hash_is_that_of_the_printed_key() {
        let text = printed(&["create", "--tenant", "acme", "--models", "auto,r1*", "--expires", "2999-01-01"]);
        let key = VirtualKey::parse(text.lines().next().unwrap().as_bytes()).unwrap();
        assert!(text.contains(&key.hash_text()));
        let rest = r#"tenant: "acme", models: ["auto","r1*"], expires: "2999-01-01" }"#;
        assert!(text.contains(rest), "{text}");
        assert_eq!(text.matches("wp-").count(), 1, "the key is shown once");
    }

    #[test]
    fn json_holds_the_key_and_its_entry() {
        let text = printed(&["create", "--id", "k-1", "--team", "search", "--json"]);
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        let key = VirtualKey::parse(all["key"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(all["config"]["hash"], key.hash_text());
        assert_eq!(all["config"]["id"], "k-1");
        assert_eq!(all["config"]["tenant"], "default");
    }

    #[test]
    fn an_end_is_a_duration_a_date_or_a_time() {
        let now: Timestamp = "2026-11-24T08:00:00.5Z".parse().unwrap();
        let read = |text: &str| expiry_from(text, now).map(|expiry| expiry.0);
        assert_eq!(read("90d").unwrap(), "2027-02-22T08:00:00Z");
        assert_eq!(read("2027-01-01").unwrap(), "2027-01-01");
        assert_eq!(read("2027-01-01T12:00:00+01:00").unwrap(), "2027-01-01T11:00:00Z");
        assert!(read("2026-11-24").is_err(), "over already");
        assert!(read("soon").is_err());
    }
}
