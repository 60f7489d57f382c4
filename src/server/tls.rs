//! The listener's own certificate, read and tried before anything listens: Pingora would panic on one it cannot use.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use pingora_core::listeners::tls::TlsSettings;
use pingora_core::tls::{
    ClientHello, ResolvesServerCert, ServerConfig, install_default_crypto_provider, load_certs_and_key_files, sign,
    version,
};

use super::ServeError;
use crate::config::Tls;

/// A certificate with the key that belongs to it. Another one may take its place: handshakes from then on use that.
#[derive(Debug)]
pub(super) struct Certificate(ArcSwap<Arc<dyn ResolvesServerCert>>);

impl Certificate {
    /// Serves another one from now on.
    pub(super) fn replace(&self, other: Self) {
        self.0.store(other.0.load_full());
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<sign::CertifiedKey>> {
        self.0.load().resolve(hello)
    }
}

/// Reads both files.
///
/// # Errors
/// [`ServeError::Tls`] where they cannot be read, hold no certificate or key, or do not belong together.
pub(super) fn load(tls: &Tls) -> Result<Certificate, ServeError> {
    try_load(&tls.cert, &tls.key).map_err(|message| ServeError::Tls {
        cert: tls.cert.display().to_string(),
        key: tls.key.display().to_string(),
        message,
    })
}

fn try_load(cert: &Path, key: &Path) -> Result<Certificate, String> {
    install_default_crypto_provider();
    let (cert, key) = (cert.to_string_lossy(), key.to_string_lossy());
    let (chain, key) = load_certs_and_key_files(&cert, &key)
        .map_err(|error| error.to_string())?
        .ok_or("there is no certificate in the one or no private key in the other")?;
    let config = ServerConfig::builder_with_protocol_versions(&[&version::TLS12, &version::TLS13])
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| error.to_string())?;
    Ok(Certificate(ArcSwap::from_pointee(config.cert_resolver)))
}

/// TLS 1.2 and 1.3 with this certificate; HTTP/2 where the client offers it.
pub(super) fn settings(certificate: Arc<Certificate>) -> Result<TlsSettings, ServeError> {
    // With a resolver Pingora reads no files; the paths would only be shown.
    let refused = |error: pingora_core::BError| ServeError::Tls {
        cert: String::new(),
        key: String::new(),
        message: error.to_string(),
    };
    let mut settings = TlsSettings::intermediate("", "").map_err(refused)?;
    settings.set_cert_resolver(certificate);
    settings.enable_h2();
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn a_certificate_that_cannot_be_used_is_an_error_and_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (own, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let signed = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&own).unwrap();
        let cert = write("cert.pem", &signed.pem());
        let key = write("key.pem", &own.serialize_pem());
        assert!(load(&Tls { cert: cert.clone(), key: key.clone() }).is_ok());

        let broken = signed.pem().replacen("MII", "AAA", 1);
        for (cert, key) in [
            (cert.clone(), write("other.pem", &other.serialize_pem())),
            (cert.clone(), cert.clone()),
            (key.clone(), key.clone()),
            (write("broken.pem", &broken), key.clone()),
            (write("empty.pem", ""), key.clone()),
            (folder.path().join("missing.pem"), key),
        ] {
            let refused = load(&Tls { cert: cert.clone(), key: key.clone() });
            assert!(matches!(refused, Err(ServeError::Tls { .. })), "{} with {}", cert.display(), key.display());
        }
    }
}
