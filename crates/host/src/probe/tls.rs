//! TLS with a service, and what its certificate must be.

use std::{sync::Arc, time::Duration};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use stack::{Authority, Certificate};
use tokio_rustls::client::TlsStream;

use super::{Miss, connection_words, excerpt};
use crate::Stream;

/// TLS over a stream, and the certificate in words where it was asked for.
///
/// Where nothing is asked of the certificate, nobody's is refused: the stream comes from inside the stack's own network,
/// and what a probe asks is whether the service answers.
pub(super) async fn encrypted(
    stream: Box<dyn Stream>,
    name: &str,
    certificate: Option<&Certificate>,
) -> Result<(TlsStream<Box<dyn Stream>>, Option<String>), Miss> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Anybody { provider: provider.clone(), must_hold_key: certificate.is_some() };
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|err| Miss::useless(format!("no TLS: {err}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let name = certificate.and_then(|certificate| certificate.name.as_deref()).unwrap_or(name).to_owned();
    let server = match (ServerName::try_from(name.clone()), certificate) {
        (Ok(server), _) => server,
        // What nobody looks at may be anything.
        (Err(_), None) => ServerName::try_from("localhost").expect("this is a name"),
        (Err(_), Some(_)) => {
            return Err(Miss::useless(format!("no certificate can be for `{name}`: give it a `name`")));
        }
    };
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(server.clone(), stream).await.map_err(|err| {
        Miss::seen(match connection_words(&err) {
            Some(words) => words.to_owned(),
            None if err.kind() == std::io::ErrorKind::UnexpectedEof => {
                "connection closed without TLS".to_owned()
            }
            None => format!("no TLS: {}", excerpt(&err.to_string())),
        })
    })?;
    let Some(wanted) = certificate else { return Ok((stream, None)) };
    let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let said = judge(shown, &server, &name, wanted, &provider, UnixTime::now())?;
    Ok((stream, Some(said)))
}

/// Whether a certificate is valid long enough, for the name, and signed by whom it must be.
fn judge(
    shown: &[CertificateDer<'_>],
    server: &ServerName<'_>,
    name: &str,
    wanted: &Certificate,
    provider: &CryptoProvider,
    now: UnixTime,
) -> Result<String, Miss> {
    let unreadable =
        |err: Error| Miss::seen(format!("certificate cannot be read: {}", excerpt(&err.to_string())));
    let (leaf, between) = shown.split_first().ok_or_else(|| Miss::seen("no certificate"))?;
    let leaf = ParsedCertificate::try_from(leaf).map_err(unreadable)?;
    let roots = wanted.ca.as_ref().map_or_else(|| Ok(RootCertStore::empty()), roots)?;
    let algorithms = provider.signature_verification_algorithms.all;
    let at = |time| verify_server_cert_signed_by_trust_anchor(&leaf, &roots, between, time, algorithms);
    let later = |time: UnixTime, more: Duration| {
        UnixTime::since_unix_epoch(Duration::from_secs(time.as_secs().saturating_add(more.as_secs())))
    };

    // Times are looked at before it is asked who signed.
    let then = at(later(now, wanted.left));
    match &then {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            let on = day(*not_after);
            return Err(Miss::seen(match not_after.as_secs() < now.as_secs() {
                true => format!("certificate expired on {on}"),
                false => {
                    format!("certificate ends on {on}, and not {} from now", diag::duration(wanted.left))
                }
            }));
        }
        Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
            return Err(Miss::seen(format!("certificate is not valid before {}", day(*not_before))));
        }
        _ => {}
    }
    if let Err(err) = verify_server_name(&leaf, server) {
        return Err(Miss::seen(match err {
            Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }) => {
                format!("certificate is for {}, not for {name}", excerpt(&names(&presented)))
            }
            err => format!("certificate is not for {name}: {}", excerpt(&err.to_string())),
        }));
    }
    if let (Some(Authority { file, .. }), Err(err)) = (&wanted.ca, then) {
        return Err(Miss::seen(match err {
            // Two authorities may have one name.
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                format!("certificate is not signed by {file}")
            }
            err => format!("certificate is not good by {file}: {}", excerpt(&err.to_string())),
        }));
    }
    let until = match at(UnixTime::since_unix_epoch(Duration::from_secs(END_OF_TIME))) {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            format!(" until {}", day(not_after))
        }
        _ => String::new(),
    };
    Ok(format!("certificate for {name}{until}"))
}

/// The last second of the year 9999, the last there is in a certificate.
const END_OF_TIME: u64 = 253_402_300_799;

fn roots(ca: &Authority) -> Result<RootCertStore, Miss> {
    let bad = |why: String| Miss::useless(format!("`{}` is no authority: {}", ca.file, excerpt(&why)));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.pem.as_bytes()) {
        let certificate = certificate.map_err(|err| bad(format!("{err:?}")))?;
        roots.add(certificate).map_err(|err| bad(err.to_string()))?;
    }
    Ok(roots)
}

/// `DnsName("a.example")` as a person writes it.
fn names(presented: &[String]) -> String {
    let plain = |name: &String| {
        let inside = name.split_once('(').map_or(name.as_str(), |(_, inside)| inside.trim_end_matches(')'));
        inside.trim_matches('"').to_owned()
    };
    match presented {
        [] => "nobody".to_owned(),
        names => names.iter().map(plain).collect::<Vec<_>>().join(", "),
    }
}

fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "a day nobody sees".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

/// Lets everybody in: what the certificate says is judged once it is there.
#[derive(Debug)]
struct Anybody {
    provider: Arc<CryptoProvider>,
    /// A certificate that is judged must be its holder's own.
    must_hold_key: bool,
}

impl Anybody {
    /// That whoever shows a certificate holds its key, where that is asked.
    fn holder(
        &self,
        verify: impl FnOnce(&WebPkiSupportedAlgorithms) -> Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.must_hold_key {
            true => verify(&self.provider.signature_verification_algorithms),
            false => Ok(HandshakeSignatureValid::assertion()),
        }
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.holder(|algorithms| verify_tls12_signature(message, cert, signed, algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.holder(|algorithms| verify_tls13_signature(message, cert, signed, algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
