//! TLS, and a stop that lets requests finish.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use web::Tls;

use crate::client::Client;
use crate::limits::{begin, one_place, raw};
use crate::server::{World, on, on_both, options, user};

/// Made for these tests: it names localhost, and nobody trusts it.
const CERTIFICATE: &[u8] = include_bytes!("../tls/certificate.pem");
const KEY: &[u8] = include_bytes!("../tls/key.pem");

#[test]
fn tls_with_a_certificate_of_ones_own() {
    let tls = Tls::from_pem(CERTIFICATE, KEY).unwrap();
    on(None, options(), Some(tls), &async |world: World| {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(CERTIFICATE).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let client = Client { tls: Some(Arc::new(config)), ..world.client.clone() };
        let made = client.post("/Users", user("ada")).await.expect(201);
        assert!(made.header("location").starts_with("https://127.0.0.1:"), "{:?}", made.headers);
        assert_eq!(client.get(&format!("/Users/{}", made.id())).await.expect(200).body, made.body);
        let plain = raw(&world, b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n").await;
        assert!(!plain.contains("200 OK"), "without TLS nothing is answered: {plain}");
    });
}

#[test]
fn wrong_certificates_are_explained() {
    for (certificate, key, reason) in [
        (&b"none"[..], KEY, "there is no certificate"),
        (CERTIFICATE, &b"none"[..], "the private key is no PEM"),
        (KEY, KEY, "certificate"),
    ] {
        let error = Tls::from_pem(certificate, key).err().expect("it is refused").to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_stop_finishes_requests_that_are_under_way() {
    on_both(async |world| {
        let one = one_place(&world).await;
        let body = user("last").to_string();
        let mut begun = begin(&one, &body).await;
        // A connection on which nothing is asked does not hold it up.
        let idle = TcpStream::connect(one.address).await.unwrap();
        let World { engine, tenant, running, log, .. } = world;
        let stopping = tokio::spawn(running.stop());
        while TcpStream::connect(one.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!stopping.is_finished(), "it waits for the request");
        begun.write_all(&body.as_bytes()[1..]).await.unwrap();
        let mut answer = String::new();
        begun.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        stopping.await.unwrap();
        drop(idle);
        let found = engine
            .read(move |tx| Ok(store::repo::user::find_by_user_name(tx, &tenant, "last")?))
            .await
            .unwrap();
        assert!(found.is_some(), "what was answered is there");
        log.flush().await;
        assert!(log.written() > 0 && log.dropped() == 0);
    });
}
