//! The hosts that may be called, and their addresses: looked up off the workers and remembered.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::RwLock;

/// How long a looked-up address is believed. The resolver of the C library hides the record's own time to live; half a
/// minute follows a failover quickly and keeps look-ups off nearly every request.
const FRESH: Duration = Duration::from_secs(30);

/// How long old addresses are kept in use after a failed look-up before the next try.
const AGAIN: Duration = Duration::from_secs(5);

/// The allow-list: every host that the configuration names.
#[derive(Debug, Default)]
pub(super) struct Hosts(HashMap<String, Arc<Host>>);

impl Hosts {
    /// Adds a host: a name, or an address with or without brackets.
    pub(super) fn allow(&mut self, host: &str) {
        let host = bare(host);
        self.0.entry(host.to_owned()).or_insert_with(|| {
            Arc::new(match host.parse() {
                Ok(address) => Host::Address([address]),
                Err(_) => Host::Name(Name::new(host)),
            })
        });
    }

    /// Adds a host with what `before` knows of it.
    pub(super) fn take_over(&mut self, host: &str, before: &Self) {
        match before.get(host) {
            Some(known) => drop(self.0.entry(bare(host).to_owned()).or_insert_with(|| Arc::clone(known))),
            None => self.allow(host),
        }
    }

    /// The host, if it may be called.
    pub(super) fn get(&self, host: &str) -> Option<&Arc<Host>> {
        self.0.get(bare(host))
    }
}

/// A host as certificates and resolvers want it: an IPv6 address without its brackets.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// One host of the allow-list.
#[derive(Debug)]
pub(super) enum Host {
    Address([IpAddr; 1]),
    Name(Name),
}

/// A host name with what the last look-up found.
#[derive(Debug)]
pub(super) struct Name {
    name: String,
    found: RwLock<Option<Found>>,
    /// Held by the one that looks up; the others use what is there, or wait where nothing is.
    looking: tokio::sync::Mutex<()>,
    /// The address that took the last connection: tried first, so that a dead one costs its timeout once.
    good: AtomicUsize,
}

#[derive(Debug, Clone)]
struct Found {
    addresses: Arc<[IpAddr]>,
    until: Instant,
}

impl Name {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            found: RwLock::new(None),
            looking: tokio::sync::Mutex::new(()),
            good: AtomicUsize::new(0),
        }
    }

    /// All addresses in the resolver's order, if a look-up that is still believed found them.
    pub(super) fn known(&self, now: Instant) -> Option<Arc<[IpAddr]>> {
        let found = self.found.read();
        found.as_ref().filter(|found| now < found.until).map(|found| Arc::clone(&found.addresses))
    }

    /// All addresses in the resolver's order, never none.
    pub(super) async fn addresses(&self) -> io::Result<Arc<[IpAddr]>> {
        let known = self.found.read().clone();
        let looking = match known {
            Some(known) if Instant::now() < known.until => return Ok(known.addresses),
            Some(known) => match self.looking.try_lock() {
                Ok(looking) => looking,
                Err(_) => return Ok(known.addresses),
            },
            None => self.looking.lock().await,
        };
        // Another request may have looked while this one waited.
        if let Some(addresses) = self.known(Instant::now()) {
            return Ok(addresses);
        }
        let known = self.found.read().clone();
        let (addresses, keep) = match (look_up(&self.name).await, known) {
            (Ok(addresses), _) => (addresses, FRESH),
            (Err(_), Some(known)) => (known.addresses, AGAIN),
            (Err(error), None) => return Err(error),
        };
        let until = Instant::now() + keep;
        *self.found.write() = Some(Found { addresses: Arc::clone(&addresses), until });
        drop(looking);
        Ok(addresses)
    }

    /// Where to begin in a list of `count` addresses.
    pub(super) fn first(&self, count: usize) -> usize {
        self.good.load(Ordering::Relaxed) % count.max(1)
    }

    /// Remembers the address that took a connection.
    pub(super) fn worked(&self, index: usize) {
        if self.good.load(Ordering::Relaxed) != index {
            self.good.store(index, Ordering::Relaxed);
        }
    }
}

async fn look_up(name: &str) -> io::Result<Arc<[IpAddr]>> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in tokio::net::lookup_host((name, 0)).await? {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(addresses.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_hosts_are_allowed() {
        let mut hosts = Hosts::default();
        hosts.allow("api.example.com");
        hosts.allow("[::1]");
        assert!(matches!(hosts.get("api.example.com").map(|host| &**host), Some(Host::Name(_))));
        assert!(matches!(hosts.get("::1").map(|host| &**host), Some(Host::Address(_))));
        assert!(hosts.get("example.com").is_none());
        assert!(hosts.get("169.254.169.254").is_none());
    }

    #[tokio::test]
    async fn old_addresses_outlive_a_resolver_that_fails() {
        let name = Name::new("no-such-host.invalid");
        assert!(name.addresses().await.is_err());
        let old: Arc<[IpAddr]> = Arc::from([IpAddr::from([127, 0, 0, 1])]);
        *name.found.write() = Some(Found { addresses: Arc::clone(&old), until: Instant::now() });
        assert_eq!(name.addresses().await.unwrap(), old);
    }

    #[tokio::test]
    async fn localhost_has_an_address_and_is_looked_up_once() {
        let name = Name::new("localhost");
        let first = name.addresses().await.unwrap();
        assert!(first.iter().all(IpAddr::is_loopback));
        assert!(Arc::ptr_eq(&first, &name.addresses().await.unwrap()));
    }
}
