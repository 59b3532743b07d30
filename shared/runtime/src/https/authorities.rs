//! Which certificate authorities a server's certificate may come from, looked up when a server shows its chain.
//!
//! The path from a server's certificate to an authority ends with a certificate that the server sent, and names the
//! authority as its issuer. So of all that are trusted only those with a name that the chain mentions can matter: these
//! are parsed and handed to rustls, which then decides as always. What it is not given can only make it refuse more.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64_simd::STANDARD;
use memchr::memchr;
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
        let visit = |certificate: &[u8]| {
            // The name stands somewhere in the certificate of whoever has it. That one which only mentions it is parsed
            // as well does no harm: it is trusted like all of the file.
            if names.iter().any(|it| it.find(certificate).is_some()) {
                let _ = roots.add(CertificateDer::from(certificate.to_vec()));
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
/// Line by line, since the file as a whole would be a quarter of a megabyte of memory; and each line where it was read
/// to, since copying 4,000 of them was an eighth of the CPU of a cold start.
fn for_each_certificate(file: impl Read, mut visit: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = BufReader::with_capacity(16 * 1024, file);
    let mut certificate = Certificate::default();
    // The beginning of a line whose end has not been read.
    let mut begun = Vec::new();
    loop {
        let read = file.fill_buf()?;
        if read.is_empty() {
            certificate.line(&begun, &mut visit);
            return Ok(());
        }
        let consumed = match memchr(b'\n', read) {
            Some(end) if begun.is_empty() => {
                certificate.line(&read[..end], &mut visit);
                end + 1
            }
            end => {
                begun.extend_from_slice(&read[..end.unwrap_or(read.len())]);
                if end.is_some() {
                    certificate.line(&begun, &mut visit);
                    begun.clear();
                }
                end.map_or(read.len(), |it| it + 1)
            }
        };
        file.consume(consumed);
    }
}

/// A certificate that is being read.
#[derive(Debug, Default)]
struct Certificate {
    within: bool,
    der: Vec<u8>,
    /// What comes from the first line on that cannot be decoded alone: usually nothing.
    encoded: Vec<u8>,
}

impl Certificate {
    fn line(&mut self, line: &[u8], visit: &mut impl FnMut(&[u8])) {
        match line.trim_ascii() {
            b"-----BEGIN CERTIFICATE-----" => *self = Certificate { within: true, ..self.emptied() },
            mark if mark.starts_with(b"-----") => {
                if self.within && self.decode_rest().is_ok() {
                    visit(&self.der);
                }
                self.within = false;
            }
            text if self.within => self.add(text),
            _ => {}
        }
    }

    fn add(&mut self, line: &[u8]) {
        if !self.encoded.is_empty() || STANDARD.decode_append(line, &mut self.der).is_err() {
            self.encoded.extend_from_slice(line);
        }
    }

    /// Without contents, but with their memory.
    fn emptied(&mut self) -> Certificate {
        let mut emptied = mem::take(self);
        emptied.der.clear();
        emptied.encoded.clear();
        emptied
    }

    fn decode_rest(&mut self) -> Result<(), base64_simd::Error> {
        if !self.encoded.is_empty() {
            self.der.extend(base64_simd::forgiving_decode_to_vec(&self.encoded)?);
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in a file that comes in pieces of `size`.
    fn found(file: &str, size: usize) -> Vec<String> {
        struct Pieces<'a>(&'a [u8], usize);
        impl Read for Pieces<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                let size = self.1.min(self.0.len()).min(into.len());
                let (piece, rest) = self.0.split_at(size);
                into[..size].copy_from_slice(piece);
                self.0 = rest;
                Ok(size)
            }
        }
        let mut found = Vec::new();
        let keep = |it: &[u8]| found.push(String::from_utf8(it.to_vec()).unwrap());
        for_each_certificate(Pieces(file.as_bytes(), size), keep).unwrap();
        found
    }

    #[test]
    fn certificates_are_found_in_whatever_lines_and_pieces_they_come() {
        let block = |body: &str| format!("# a name\n-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        for (file, expected) in [
            (block("QUJD\nREVG"), vec!["ABCDEF"]),
            (block("QUJD\r\nREVG\r"), vec!["ABCDEF"]),
            (block("QUJDRE\nVG"), vec!["ABCDEF"]),
            (block("QUJD\nREV\nG"), vec!["ABCDEF"]),
            (block("QUJD RE\n  VG"), vec!["ABCDEF"]),
            (block("QUJD\nREU="), vec!["ABCDE"]),
            (block("QUJD\nRA=="), vec!["ABCD"]),
            (block("QUJD") + &block("REVG"), vec!["ABC", "DEF"]),
            // Not base64, or without an end: left out, and those after it are not.
            (block("QUJD\n?") + &block("REVG"), vec!["DEF"]),
            (format!("-----BEGIN CERTIFICATE-----\nQUJD\n{}", block("REVG")), vec!["DEF"]),
            ("-----BEGIN CERTIFICATE-----\nQUJD\n".into(), vec![]),
            // Something else that is trusted, but not by us.
            (block("REVG").replace("CERTIFICATE", "TRUSTED CERTIFICATE"), vec![]),
            (format!("QUJD\n{}QUJD\n", block("REVG")), vec!["DEF"]),
            // The last line may have no end.
            (block("REVG").trim_end().into(), vec!["DEF"]),
            (String::new(), vec![]),
        ] {
            for size in [1, 7, 64, 100_000] {
                assert_eq!(found(&file, size), expected, "{file:?} by {size}");
            }
        }
    }
}
