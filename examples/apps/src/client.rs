//! A small HTTP/1 client: one connection a request, so that what it measures and retries is never a stale one.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// Talks to one server.
pub(crate) struct Client {
    host: String,
    port: u16,
    host_header: String,
    tls: Option<TlsConnector>,
    timeout: Duration,
}

/// How a server is reached, beside its address.
#[derive(Default)]
pub(crate) struct Manner {
    /// `Host` header and TLS server name, when they are not the address's own.
    pub(crate) host_header: Option<String>,
    /// Take any certificate.
    pub(crate) insecure_tls: bool,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("`{url}` is no http or https address")]
    Url { url: String },
    #[error("an https address needs --insecure-tls: this client knows no certificate authority")]
    Untrusted,
    #[error("cannot connect to `{host}:{port}`")]
    Connect {
        host: String,
        port: u16,
        #[source]
        err: std::io::Error,
    },
    #[error("`{name}` is no server name")]
    Name { name: String },
    #[error("the exchange with `{host}:{port}` broke off")]
    Exchange {
        host: String,
        port: u16,
        #[source]
        err: hyper::Error,
    },
    #[error("no answer from `{host}:{port}` in {timeout:?}")]
    Timeout { host: String, port: u16, timeout: Duration },
}

impl Client {
    pub(crate) fn new(url: &str, manner: Manner, timeout: Duration) -> Result<Self, ClientError> {
        let wrong = || ClientError::Url { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
        let (tls, port) = match uri.scheme_str() {
            Some("http") => (None, 80),
            Some("https") if manner.insecure_tls => (Some(trusting_connector()), 443),
            Some("https") => return Err(ClientError::Untrusted),
            _ => return Err(wrong()),
        };
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        Ok(Self {
            port: uri.port_u16().unwrap_or(port),
            host,
            host_header: manner.host_header.unwrap_or(authority),
            tls,
            timeout,
        })
    }

    /// Sends one request and reads the whole answer, all within the client's timeout.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.host_header)
            .header(header::CONNECTION, "close");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| ClientError::Url { url: path.to_owned() })?;
        let (host, port) = (self.host.clone(), self.port);
        tokio::time::timeout(self.timeout, self.exchange(request))
            .await
            .unwrap_or(Err(ClientError::Timeout { host, port, timeout: self.timeout }))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), ClientError> {
        let connect = |err| ClientError::Connect { host: self.host.clone(), port: self.port, err };
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(connect)?;
        // Requests are one small write each; waiting for more of it only adds to what is measured.
        stream.set_nodelay(true).map_err(connect)?;
        match &self.tls {
            None => self.speak(stream, request).await,
            Some(tls) => {
                let name = self.host_header.split(':').next().unwrap_or_default().to_owned();
                let name = ServerName::try_from(name.clone())
                    .map_err(|_| ClientError::Name { name: name.clone() })?;
                self.speak(tls.connect(name, stream).await.map_err(connect)?, request).await
            }
        }
    }

    async fn speak<S>(
        &self,
        stream: S,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |err| ClientError::Exchange { host: self.host.clone(), port: self.port, err };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
        connection.abort();
        Ok((status, body))
    }
}

fn trusting_connector() -> TlsConnector {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring offers the default protocol versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// Takes any certificate: the load client measures a proxy that signs its own, and trusts nothing it reads.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
