use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpClient as _;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::http::Request;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::authorities::Verifier;
use super::*;

/// A certificate and what signs with it.
struct Signed {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

fn params(name: &str, is_authority: bool) -> CertificateParams {
    let names = if is_authority { vec![] } else { vec!["localhost".to_owned()] };
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

fn authority(name: &str) -> Signed {
    let (params, key) = (params(name, true), KeyPair::generate().unwrap());
    let certificate = params.self_signed(&key).unwrap();
    Signed { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) }
}

fn signed(name: &str, is_authority: bool, by: &Signed) -> Signed {
    let (params, key) = (params(name, is_authority), KeyPair::generate().unwrap());
    let certificate = params.signed_by(&key, &by.issuer).unwrap();
    Signed { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) }
}

/// A bundle in the temporary directory, away again at the end of the test.
struct Bundle(tempfile::TempDir);

impl Bundle {
    fn of(authorities: &[&Signed]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // As in the bundle of Amazon Linux: a comment between the certificates.
        let pem: Vec<String> = authorities.iter().map(|it| format!("# a name\n{}", it.pem)).collect();
        fs::write(folder.path().join("bundle.pem"), pem.join("\n")).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("bundle.pem")
    }

    fn authorities(&self) -> Authorities {
        chosen(&self.path())
    }
}

fn chosen(file: &Path) -> Authorities {
    Authorities::chosen_by(&BTreeMap::from([("AWS_CA_BUNDLE".to_owned(), file.display().to_string())]))
}

fn verdict(authorities: Authorities, server: &Signed, intermediates: &[&Signed], host: &str) -> Result<(), String> {
    let verifier = Verifier::new(authorities, Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let intermediates: Vec<_> = intermediates.iter().map(|it| it.der.clone()).collect();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let ask = || verifier.verify_server_cert(&server.der, &intermediates, &name, &[], UnixTime::now());
    let (first, again) = (ask(), ask());
    assert_eq!(first.is_ok(), again.is_ok(), "what is kept of a chain changes no verdict");
    first.map(drop).map_err(|it| it.to_string())
}

#[test]
fn a_chain_is_trusted_whose_last_issuer_is_among_the_authorities() {
    let (other, root) = (authority("Other Root"), authority("Root"));
    let middle = signed("Middle", true, &root);
    let server = signed("server", false, &middle);
    let bundle = Bundle::of(&[&other, &root]);
    assert_eq!(verdict(bundle.authorities(), &server, &[&middle], "localhost"), Ok(()));
    // Also where the bundle holds the intermediate instead of the root.
    let bundle = Bundle::of(&[&middle, &other]);
    assert_eq!(verdict(bundle.authorities(), &server, &[], "localhost"), Ok(()));
}

#[test]
fn nothing_else_is_trusted() {
    let (other, root) = (authority("Other Root"), authority("Root"));
    let middle = signed("Middle", true, &root);
    let server = signed("server", false, &middle);
    let refused = |bundle: &Bundle, intermediates: &[&Signed], host: &str| {
        verdict(bundle.authorities(), &server, intermediates, host).unwrap_err()
    };
    assert_eq!(refused(&Bundle::of(&[&other]), &[&middle], "localhost"), "invalid peer certificate: UnknownIssuer");
    assert_eq!(refused(&Bundle::of(&[&root]), &[], "localhost"), "invalid peer certificate: UnknownIssuer");
    // One of the same name, with a key of its own.
    let impostor = authority("Root");
    assert!(refused(&Bundle::of(&[&impostor]), &[&middle], "localhost").starts_with("invalid peer certificate"));
    let elsewhere = refused(&Bundle::of(&[&root]), &[&middle], "example.com");
    assert!(elsewhere.contains("not valid for name"), "{elsewhere}");
}

#[test]
fn a_bundle_that_cannot_be_read_is_named() {
    let root = authority("Root");
    let server = signed("server", false, &root);
    let missing = verdict(chosen(Path::new("/nowhere/bundle.pem")), &server, &[], "localhost").unwrap_err();
    assert!(missing.contains("certificate authorities: /nowhere/bundle.pem: No such file"), "{missing}");
}

#[tokio::test]
async fn a_request_goes_over_tls_and_its_connection_is_used_again() {
    let root = authority("Root");
    let server = signed("server", false, &root);
    let bundle = Bundle::of(&[&root]);
    let key = PrivateKeyDer::Pkcs8(server.issuer.key().serialize_der().into());
    let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![server.der.clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    // One connection only: a second would find nobody.
    let answers = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut tls = tokio_rustls::TlsAcceptor::from(Arc::new(tls)).accept(tcp).await.unwrap();
        for answer in ["one", "two"] {
            let mut request = [0; 1024];
            assert!(tls.read(&mut request).await.unwrap() > 0);
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
            tls.write_all(answer.as_bytes()).await.unwrap();
        }
        tls.flush().await.unwrap();
    });
    let components = RuntimeComponentsBuilder::for_tests().build().unwrap();
    let settings = HttpConnectorSettings::builder().build();
    let connector = client(bundle.authorities()).http_connector(&settings, &components);
    for expected in ["one", "two"] {
        let answer = connector.call(Request::get(&address).unwrap()).await.unwrap();
        let body = tokio::time::timeout(Duration::from_secs(30), whole(answer.into_body())).await.unwrap();
        assert_eq!(body, expected);
    }
    answers.await.unwrap();
}

async fn whole(body: SdkBody) -> String {
    let body = aws_smithy_types::byte_stream::ByteStream::new(body).collect().await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_refused_connection_is_worth_another_try() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    drop(listener);
    let components = RuntimeComponentsBuilder::for_tests().build().unwrap();
    let connector =
        client(chosen(Path::new("/nowhere"))).http_connector(&HttpConnectorSettings::builder().build(), &components);
    let error = connector.call(Request::get(&address).unwrap()).await.unwrap_err();
    assert!(error.is_io(), "{error:?}");
}
