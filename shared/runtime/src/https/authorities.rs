//! Which certificate authorities a server's certificate may come from, looked up when a server shows its chain.
//!
//! The path from a server's certificate to an authority ends with a certificate that the server sent, and names the
//! authority as its issuer. So of all that are trusted only those with a name that the chain mentions can matter: these
//! are parsed and handed to rustls, which then decides as always. What it is not given can only make it refuse more.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use memchr::memmem::Finder;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use webpki::EndEntityCert;

/// Where the systems that we run on keep the authorities: Lambda's Amazon Linux, Debian and Alpine, macOS.
const SYSTEM: [&str; 3] =
    ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"];

/// Of how many chains the verification is kept.
const MOST_CHAINS: usize = 16;

/// A file of PEM certificates. It is read at the first handshake, and not kept.
#[derive(Debug, Clone)]
pub struct Authorities(Option<PathBuf>);

impl Authorities {
    /// Those that the environment names, as the AWS CLI (`AWS_CA_BUNDLE`) and OpenSSL (`SSL_CERT_FILE`) read it, or the
    /// system's.
    pub fn chosen_by(variables: &BTreeMap<String, String>) -> Self {
        let named = ["AWS_CA_BUNDLE", "SSL_CERT_FILE"].iter().filter_map(|it| variables.get(*it));
        let named = named.map(|it| it.trim()).find(|it| !it.is_empty()).map(PathBuf::from);
        named.map_or_else(Self::system, |it| Self(Some(it)))
    }

    /// Those that the system trusts, for addresses that are not AWS's.
    pub fn system() -> Self {
        Self(SYSTEM.iter().map(PathBuf::from).find(|it| it.exists()))
    }

    /// Those whose names are among `issuers`.
    fn named(&self, issuers: &[&[u8]]) -> Result<RootCertStore, Error> {
        let path = self.0.as_ref().ok_or_else(|| unreadable("no file of certificate authorities was found".into()))?;
        let unread = |error: io::Error| unreadable(format!("{}: {error}", path.display()));
        let names: Vec<Finder<'_>> = issuers.iter().map(Finder::new).collect();
        let mut roots = RootCertStore::empty();
        let visit = |certificate: Vec<u8>| {
            // The name stands somewhere in the certificate of whoever has it. That one which only mentions it is parsed
            // as well does no harm: it is trusted like all of the file.
            if names.iter().any(|it| it.find(&certificate).is_some()) {
                let _ = roots.add(CertificateDer::from(certificate));
            }
        };
        for_each_certificate(File::open(path).map_err(unread)?, visit).map_err(unread)?;
        Ok(roots)
    }
}

fn unreadable(what: String) -> Error {
    Error::General(format!("certificate authorities: {what}"))
}

/// Hands over each certificate, decoded. What cannot be decoded is left out, as by rustls.
///
/// Line by line: the file as a whole would be a quarter of a megabyte of memory.
fn for_each_certificate(file: File, mut visit: impl FnMut(Vec<u8>)) -> io::Result<()> {
    let mut file = BufReader::with_capacity(16 * 1024, file);
    let (mut line, mut body, mut within) = (Vec::new(), Vec::new(), false);
    while file.read_until(b'\n', &mut line)? > 0 {
        match line.trim_ascii() {
            b"-----BEGIN CERTIFICATE-----" => {
                body.clear();
                within = true;
            }
            end if end.starts_with(b"-----") => {
                if mem::take(&mut within)
                    && let Ok(certificate) = base64_simd::forgiving_decode_to_vec(&body)
                {
                    visit(certificate);
                }
            }
            text if within => body.extend_from_slice(text),
            _ => {}
        }
        line.clear();
    }
    Ok(())
}

/// The usual verification by rustls, with the authorities that the chain names.
#[derive(Debug)]
pub struct Verifier {
    authorities: Authorities,
    crypto: Arc<CryptoProvider>,
    /// By the names that a chain mentions: one for each kind of endpoint, two or three in a function's life.
    known: Mutex<Vec<(Vec<u8>, Arc<WebPkiServerVerifier>)>>,
}

impl Verifier {
    pub fn new(authorities: Authorities, crypto: Arc<CryptoProvider>) -> Self {
        Self { authorities, crypto, known: Mutex::default() }
    }

    fn for_chain(&self, chain: &[&CertificateDer<'_>]) -> Result<Arc<WebPkiServerVerifier>, Error> {
        let parsed: Vec<EndEntityCert<'_>> = chain.iter().filter_map(|it| EndEntityCert::try_from(*it).ok()).collect();
        let issuers: Vec<&[u8]> = parsed.iter().map(|it| it.issuer()).collect();
        let key = issuers.concat();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, verifier)) = known.iter().find(|(of, _)| *of == key) {
            return Ok(Arc::clone(verifier));
        }
        let roots = self.authorities.named(&issuers)?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.crypto))
            .build()
            // Only an empty set of authorities is refused here.
            .map_err(|_| Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        // A server could name others at each handshake.
        if known.len() == MOST_CHAINS {
            known.clear();
        }
        known.push((key, Arc::clone(&verifier)));
        Ok(verifier)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain: Vec<&CertificateDer<'_>> = std::iter::once(server).chain(intermediates).collect();
        self.for_chain(&chain)?.verify_server_cert(server, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.crypto.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.crypto.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.crypto.signature_verification_algorithms.supported_schemes()
    }
}
