//! The client against servers with certificates of a private root, over HTTP/1 and HTTP/2.

use pingora_core::tls::{PrivateKeyDer, ServerConfig, TlsAcceptor};
use tokio::sync::mpsc::UnboundedSender;

use super::*;

/// What a TLS server for `localhost` needs, its certificate from a private root; the root's PEM file beside it.
fn tls_settings(dir: &Path, protocols: &[&str]) -> Arc<ServerConfig> {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    pingora_core::tls::install_default_crypto_provider();
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(dir.join("root.pem"), root.self_signed(&root_key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(root, root_key);
    let leaf_key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&leaf_key, &issuer).unwrap();
    std::fs::write(dir.join("leaf.sha256"), ring::digest::digest(&ring::digest::SHA256, leaf.der())).unwrap();
    let key = PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap();
    let mut config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// A client that trusts the root beside the server.
fn trusting(dir: &Path) -> Client {
    let mut hosts = Hosts::default();
    hosts.allow("localhost");
    hosts.allow("127.0.0.1");
    Client::with(hosts, Some(&dir.join("root.pem"))).unwrap()
}

fn secure(host: &str, address: SocketAddr) -> Endpoint {
    Endpoint { tls: true, host: host.to_owned(), ..endpoint(address) }
}

/// Serves HTTP/1 over TLS.
async fn tls_server(dir: &Path) -> SocketAddr {
    let acceptor = TlsAcceptor::from(tls_settings(dir, &["http/1.1"]));
    serve(move |_, stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            while request(&mut stream).await.is_some() {
                stream.write_all(OK).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    })
    .await
}

/// Serves HTTP/2: `/ok` is answered; anything else gets a head and one piece, and its end is reported.
async fn h2_server(dir: &Path, ended: UnboundedSender<()>) -> SocketAddr {
    use pingora_core::listeners::tls::Acceptor;
    use pingora_core::protocols::http::v2::server::{H2Accept, HttpSession, handshake};
    let acceptor = Arc::new(Acceptor::from_server_config(tls_settings(dir, &["h2"])));
    serve(move |_, stream| {
        let (acceptor, ended) = (Arc::clone(&acceptor), ended.clone());
        async move {
            let stream = pingora_core::protocols::l4::stream::Stream::from(stream);
            let Ok(stream) = acceptor.tls_handshake(stream).await else {
                return;
            };
            let mut connection = handshake(Box::new(stream), None).await.unwrap();
            while let Ok(Some(H2Accept::Session(mut stream))) =
                HttpSession::from_h2_conn(&mut connection, Arc::default()).await
            {
                let ended = ended.clone();
                tokio::spawn(async move {
                    let host = stream.req_header().uri.authority().unwrap().as_str().to_owned();
                    while stream.read_body_bytes().await.unwrap().is_some() {}
                    let mut head = pingora_http::ResponseHeader::build(200, None).unwrap();
                    head.insert_header("x-authority", host).unwrap();
                    stream.write_response_header(Box::new(head), false).unwrap();
                    let whole = stream.req_header().uri.path() == "/ok";
                    stream.write_body(Bytes::from_static(b"ok"), whole).await.unwrap();
                    if !whole {
                        let _ = stream.idle().await;
                        ended.send(()).unwrap();
                    }
                });
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_private_root_is_trusted_only_where_configured_and_names_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let address = tls_server(dir.path()).await;
    let client = trusting(dir.path());
    let way = |client: &Client, host| client.way(secure(host, address), 1).unwrap();
    let trusted = way(&client, "localhost");
    for reused in [false, true, true] {
        let mut incoming = post(&client, &trusted).await.unwrap();
        assert_eq!((incoming.status, incoming.reused), (200, reused));
        assert_eq!(incoming.tls_sha256().unwrap().as_slice(), std::fs::read(dir.path().join("leaf.sha256")).unwrap());
        assert_eq!(incoming.whole(10).await.unwrap(), "ok");
        incoming.release().await;
    }
    let wrong_name = post(&client, &way(&client, "127.0.0.1")).await.err().unwrap();
    assert!(matches!(wrong_name, CallError::Tls(_)), "{wrong_name:?}");
    let other = local();
    let untrusting = post(&other, &way(&other, "localhost")).await.err().unwrap();
    assert!(matches!(untrusting, CallError::Tls(_)), "{untrusting:?}");
}

#[tokio::test]
async fn http2_shares_one_connection_and_a_dropped_answer_resets_only_its_stream() {
    let dir = tempfile::tempdir().unwrap();
    let (ended, mut has_ended) = tokio::sync::mpsc::unbounded_channel();
    let address = h2_server(dir.path(), ended).await;
    let client = trusting(dir.path());
    let at = secure("localhost", address);
    let way = client.way(at.clone(), 1).unwrap();
    let mut endless = post(&client, &way).await.unwrap();
    assert_eq!((endless.status, endless.reused), (200, false));
    assert_eq!(endless.tls_sha256().unwrap().as_slice(), std::fs::read(dir.path().join("leaf.sha256")).unwrap());
    assert_eq!(endless.headers()["x-authority"], at.authority.as_str());
    assert_eq!(endless.chunk().await.unwrap().unwrap(), "ok");
    for _ in 0..2 {
        let mut beside = send(&client, &way, "/ok", BODY, timeouts()).await.unwrap();
        assert!(beside.reused, "the connection in use takes more streams");
        assert_eq!(beside.whole(10).await.unwrap(), "ok");
        beside.release().await;
    }
    drop(endless);
    has_ended.recv().await.unwrap();
    let after = send(&client, &way, "/ok", BODY, timeouts()).await.unwrap();
    assert!(after.reused, "a reset stream leaves its connection alone");
}

#[test]
fn a_file_of_roots_that_cannot_be_used_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.pem");
    assert!(Client::with(Hosts::default(), Some(&path)).is_err());
    for text in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&path, text).unwrap();
        assert!(matches!(Client::with(Hosts::default(), Some(&path)), Err(ClientError::Roots { .. })), "{text}");
    }
}
