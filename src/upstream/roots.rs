//! The system's root certificates and the operator's own in one file, for as long as the connector reads it.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A file that is gone when this is dropped.
pub(super) struct RootsFile(PathBuf);

impl RootsFile {
    /// Writes the system's certificates (DER) and the text of a PEM file, readable by this user alone.
    pub(super) fn write<'a>(system: impl Iterator<Item = &'a [u8]>, own: &Path) -> io::Result<Self> {
        let own = std::fs::read(own)?;
        if memchr::memmem::find(&own, b"-----BEGIN CERTIFICATE-----").is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no PEM certificate in it"));
        }
        let path = std::env::temp_dir().join(format!("waypost-roots-{:032x}.pem", rand::random::<u128>()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let written = Self(path);
        for certificate in system {
            file.write_all(pem(certificate).as_bytes())?;
        }
        file.write_all(&own)?;
        Ok(written)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for RootsFile {
    fn drop(&mut self) {
        // It holds nothing secret, so one that stays behind is litter and no more.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// RFC 7468: lines of 64 characters between two marks.
fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::with_capacity(text.len() + text.len() / 64 + 64);
    pem.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
