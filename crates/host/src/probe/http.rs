//! One HTTP GET over a stream, in the clear or over TLS.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, Response, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use serde_json::Value;
use stack::{ProbeKind, ServiceName};

use super::{Miss, connection_words, excerpt, json};
use crate::Stream;

/// No health page is larger; what is larger is not one.
const BODY_LIMIT_BYTES: usize = 1 << 20;

/// Sends the request of an HTTP probe and judges what comes back.
pub(super) async fn get(
    stream: Box<dyn Stream>,
    service: &ServiceName,
    port: Option<u16>,
    kind: &ProbeKind,
) -> Result<String, Miss> {
    let ProbeKind::Http { path, status, json, host, tls } = kind else {
        return Err(Miss::useless("not an HTTP probe"));
    };
    let authority = host.clone().unwrap_or_else(|| match port {
        Some(port) if port != 80 && port != 443 => format!("{service}:{port}"),
        _ => service.to_string(),
    });
    let request = Request::get(path.as_str())
        .header(header::HOST, &authority)
        .header(header::USER_AGENT, concat!("seaworthy/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT, "*/*")
        .body(Empty::<Bytes>::new())
        .map_err(|err| Miss::useless(format!("cannot be asked for: {err}")))?;
    let response = if *tls {
        send(encrypted(stream, &authority).await?, request).await?
    } else {
        send(stream, request).await?
    };
    judge(response, status, json).await
}

async fn send(
    stream: impl Stream + 'static,
    request: Request<Empty<Bytes>>,
) -> Result<Response<Incoming>, Miss> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|err| broke(&err))?;
    // It ends with the response's body, or when the sender is dropped by a timeout.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(|err| broke(&err))
}

fn broke(err: &hyper::Error) -> Miss {
    if let Some(words) = connection_words(err) {
        return Miss::seen(words);
    }
    if err.is_incomplete_message() {
        return Miss::seen("connection closed without an answer");
    }
    Miss::seen(format!("no HTTP answer: {err}"))
}

async fn judge(
    response: Response<Incoming>,
    accepted: &[u16],
    fields: &BTreeMap<String, Value>,
) -> Result<String, Miss> {
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), BODY_LIMIT_BYTES).collect().await;
    let good_status =
        if accepted.is_empty() { (200..400).contains(&status) } else { accepted.contains(&status) };
    let body = match body {
        Ok(body) => body.to_bytes(),
        Err(err) if !fields.is_empty() => return Err(Miss::seen(format!("{status}, then {err}"))),
        Err(_) => Bytes::new(),
    };
    let mut said = vec![status.to_string()];
    let mut good = good_status;
    if !fields.is_empty() {
        match serde_json::from_slice::<Value>(&body) {
            Ok(answer) => {
                for (path, wanted) in fields {
                    match json::expect(&answer, path, wanted) {
                        // Fields that are right are noise beside one that is not.
                        Ok(right) if good => said.push(right),
                        Ok(_) => {}
                        Err(wrong) => {
                            said.push(wrong);
                            good = false;
                        }
                    }
                }
            }
            Err(_) => {
                said.push(format!("not JSON: {}", body_words(&body)));
                good = false;
            }
        }
    }
    match (good, good_status) {
        (true, _) => Ok(said.join(", ")),
        (false, false) if said.len() == 1 => {
            let wanted = if accepted.is_empty() {
                "200 to 399".to_owned()
            } else {
                accepted.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
            };
            Err(Miss::seen(format!("{status}, expected {wanted}; it said: {}", body_words(&body))))
        }
        _ => Err(Miss::seen(said.join(", "))),
    }
}

fn body_words(body: &[u8]) -> String {
    let text = excerpt(&String::from_utf8_lossy(body));
    if text.is_empty() { "nothing".to_owned() } else { text }
}

/// TLS without asking who is there: the stream comes from inside the stack's own network, and what a probe asks is
/// whether the service answers, not whether its certificate is right.
async fn encrypted(stream: Box<dyn Stream>, authority: &str) -> Result<impl Stream + 'static, Miss> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|err| Miss::useless(format!("no TLS: {err}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_owned();
    let name = ServerName::try_from(host).or_else(|_| ServerName::try_from("localhost"));
    let name = name.map_err(|err| Miss::useless(format!("no TLS: {err}")))?;
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|err| {
        Miss::seen(match connection_words(&err) {
            Some(words) => words.to_owned(),
            None => format!("no TLS: {}", excerpt(&err.to_string())),
        })
    })
}

#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
