//! The two listeners, and whether anybody can reach them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{Context, digest};
use crate::config::report::Place;
use crate::config::running::{Admin, AdminToken, Auth, Listen, Role, Tls};
use crate::config::values::{AddressText, At, PathText};
use crate::config::written;

/// Ports of the data and the admin listener.
const DATA: u16 = 4000;
const ADMIN: u16 = 4001;

/// The data listener.
pub(super) fn listen(written: &written::Listen, context: Context<'_>) -> Listen {
    let hosts = match &written.hosts {
        None => ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).to_vec(),
        Some(hosts) => hosts.0.iter().map(|name| host(name, context)).collect(),
    };
    let max_body = context.size(written.max_body.as_ref(), 20 << 20);
    let max_inflight = context.size(written.max_inflight.as_ref(), 512 << 20);
    if max_inflight < max_body {
        let place =
            written.max_inflight.as_ref().or(written.max_body.as_ref()).map_or_else(Place::default, |at| at.place);
        let message = "`max_inflight` is below `max_body`, so the longest body would never be let in";
        context.error(place, message, "raise `max_inflight` to several times `max_body`");
    }
    Listen {
        address: address(written.address.as_ref(), DATA, context),
        hosts,
        cors: written.cors.0.iter().map(|name| origin(name, context)).collect(),
        max_body: usize::try_from(max_body).unwrap_or(usize::MAX),
        max_inflight,
        header_timeout: context.wait(written.header_timeout.as_ref(), Duration::from_secs(10)),
        body_timeout: context.wait(written.body_timeout.as_ref(), Duration::from_secs(60)),
        drain: context.duration(written.drain.as_ref(), Duration::from_secs(30)),
        tls: written.tls.as_ref().and_then(|files| files.0.as_ref()).map(|files| tls(files, context)),
    }
}

/// The admin listener.
pub(super) fn admin(written: &written::Admin, data: &written::Listen, listen: &Listen, context: Context<'_>) -> Admin {
    let address = address(written.address.as_ref(), ADMIN, context);
    let place = written.address.as_ref().map_or_else(Place::default, |at| at.place);
    if address == listen.address && address.port() != 0 {
        let place = written.address.as_ref().or(data.address.as_ref()).map_or(place, |at| at.place);
        context.error(place, format!("both listeners want {address}"), "give `admin.address` another port");
    }
    if !address.ip().is_loopback() && written.tokens.0.is_empty() {
        context.error(
            place,
            format!("the admin listener at {address} can be reached from other machines and asks for no token"),
            "listen on 127.0.0.1, or add `tokens: [{ name: ops, hash: \"sha256:…\" }]` \
             (the hash: `printf %s TOKEN | sha256sum`)",
        );
    }
    let mut seen = Vec::new();
    let mut tokens = Vec::new();
    for token in &written.tokens.0 {
        context.name(&token.name, "a token");
        context.fresh(&token.name, &mut seen, "token");
        tokens.push(AdminToken {
            name: token.name.value.clone(),
            sha256: token_hash(&token.hash, context),
            role: token.role.as_ref().map_or(Role::Viewer, |at| at.value),
        });
    }
    Admin { address, tokens }
}

/// Reports a configuration under which nobody could call, or strangers could.
pub(super) fn reachable(written: &written::Config, listen: &Listen, auth: &Auth, context: Context<'_>) {
    let nobody_known = written.auth.keys.0.is_empty() && written.auth.jwt.0.is_empty();
    let lost_entries = context.root.get("auth").is_some_and(|auth| auth.get("keys").or(auth.get("jwt")).is_some());
    let local = listen.address.ip().is_loopback();
    let open = written.auth.open.as_ref();
    if nobody_known && !lost_entries {
        let written_address = written.listen.address.as_ref().map(|at| at.place);
        let place = open.map(|at| at.place).or(written_address).unwrap_or_default();
        if !auth.open_on_loopback {
            let remedy = "add a key (`waypost keys create` prints one), or write `open: loopback`";
            context.error(place, "nobody can call: there are no keys and `open` is `never`", remedy);
        } else if !local {
            context.error(
                place,
                format!(
                    "{} can be reached from other machines, but without a key only loopback is let in",
                    listen.address
                ),
                "listen on 127.0.0.1, or add a key under `auth.keys` (`waypost keys create` prints one)",
            );
        }
    } else if let Some(open) = open.filter(|_| auth.open_on_loopback) {
        context.warn(
            open.place,
            "whatever reaches the listener over loopback needs no key, a reverse proxy on this machine included",
            "write `open: never` if a proxy stands in front",
        );
    }
    let only_own = |host: &String| ["localhost", "127.0.0.1", "[::1]"].contains(&host.as_str());
    if !local && listen.hosts.iter().all(only_own) {
        let hosts = written.listen.hosts.as_ref().and_then(|hosts| hosts.0.first());
        let place = hosts.map(|at| at.place).or(written.listen.address.as_ref().map(|at| at.place));
        context.warn(
            place.unwrap_or_default(),
            "`hosts` names only this machine, so a request from elsewhere is answered with 421",
            "add the names clients use: `hosts: [gateway.example, localhost, 127.0.0.1]`",
        );
    }
}

fn address(written: Option<&At<AddressText>>, port: u16, context: Context<'_>) -> SocketAddr {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Some(At { value: AddressText(text), place }) = written else {
        return default;
    };
    text.parse().unwrap_or_else(|_| {
        let remedy = match text.strip_prefix("localhost:") {
            Some(port) => format!("write `127.0.0.1:{port}`"),
            None => format!("write an IP address and a port: `{default}`, `0.0.0.0:{port}`, `[::1]:{port}`"),
        };
        context.report.unreadable(*place, format!("`{text}` is not an address to listen on"), remedy);
        default
    })
}

fn host(written: &At<String>, context: Context<'_>) -> String {
    let name = written.value.to_lowercase();
    if let Ok(v6) = name.parse::<std::net::Ipv6Addr>() {
        // As a Host header has it.
        return format!("[{v6}]");
    }
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let fine = match bracketed {
        Some(inside) => inside.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
    };
    if !fine {
        let message = format!("`{}` is not a host name", written.value);
        context.error(written.place, message, "write the name alone, without scheme, port or path: `gateway.example`");
    }
    name
}

fn origin(written: &At<String>, context: Context<'_>) -> String {
    let text = written.value.trim_end_matches('/');
    let parsed = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    if let Some(url) = parsed
        && url.origin().ascii_serialization() == text.to_lowercase()
    {
        return url.origin().ascii_serialization();
    }
    let message = format!("`{}` is not an origin", written.value);
    context.error(written.place, message, "write scheme, host and port of each app: `https://app.example`");
    text.to_owned()
}

fn tls(written: &written::Tls, context: Context<'_>) -> Tls {
    Tls { cert: pem(&written.cert, "CERTIFICATE", context), key: pem(&written.key, "PRIVATE KEY", context) }
}

fn pem(written: &At<PathText>, what: &str, context: Context<'_>) -> std::path::PathBuf {
    let path = context.readable(written);
    if let Ok(text) = std::fs::read_to_string(&path)
        && !text.contains(what)
    {
        let message = format!("{} holds no `BEGIN {what}`", path.display());
        context.error(written.place, message, "name the PEM file");
    }
    path
}

fn token_hash(written: &At<String>, context: Context<'_>) -> [u8; 32] {
    written.value.strip_prefix("sha256:").and_then(digest).unwrap_or_else(|| {
        let message = "this is not the hash of a token";
        let remedy = "write `sha256:` and 64 hexadecimal digits, as `printf %s TOKEN | sha256sum` prints them";
        context.error(written.place, message, remedy);
        [0; 32]
    })
}
