//! A renewed certificate is served without a restart.

use rcgen::{CertificateParams, KeyPair};

use crate::harness::{Setup, Upstream, curl, eventually};

/// Writes a certificate for `localhost` and its key.
fn certify(folder: &std::path::Path, copy: &str) {
    let key = KeyPair::generate().unwrap();
    let signed = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(folder.join(copy), signed.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), signed.pem()).unwrap();
}

#[test]
fn a_renewed_certificate_is_served_and_one_that_does_not_fit_its_key_is_not() {
    let upstream = Upstream::plain();
    let setup = Setup::one(&upstream).section("listen: { tls: { cert: cert.pem, key: key.pem } }");
    let (folder, _) = setup.write();
    certify(folder.path(), "old.pem");
    let gateway = crate::harness::Gateway::run(folder, &[]);
    let url = format!("https://localhost:{}/v1/models", gateway.data.port());
    let trusts = |copy: &str| {
        let roots = gateway.file(copy);
        std::process::Command::new("curl")
            .args(["-sS", "--max-time", "20", "--cacert", roots.to_str().unwrap(), &url])
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(trusts("old.pem"));

    certify(&gateway.file(""), "new.pem");
    eventually("the new certificate is served", || trusts("new.pem").then_some(()));
    assert!(!trusts("old.pem"));

    std::fs::write(gateway.file("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert_eq!(gateway.admin("POST", "/admin/reload").send().status, 422);
    assert!(trusts("new.pem"), "the last one that fits is still served");
    let roots = gateway.file("new.pem");
    assert_eq!(curl(&["--cacert", roots.to_str().unwrap(), &url]).status, 200);
}
