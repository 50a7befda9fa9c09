//! TLS with a certificate that the sandbox makes for itself.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::Listener;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Connections whose handshake is done and that nobody took yet.
const WAITING: usize = 64;

/// A listener that hands out connections after their handshake; one that dawdles keeps nobody waiting.
pub(crate) struct TlsListener {
    address: SocketAddr,
    accepted: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

/// What clients know of the certificate.
pub(crate) struct Shown {
    /// The certificate.
    pub(crate) pem: String,
    /// Its hash, as `tls-server-end-point` (RFC 5929) takes it: SHA-256, with which the certificate is signed.
    pub(crate) end_point: Vec<u8>,
}

impl TlsListener {
    /// Makes a certificate for this machine and listens with it.
    pub(crate) fn new(listener: TcpListener) -> io::Result<(Self, Shown)> {
        let address = listener.local_addr()?;
        let names = vec!["localhost".to_owned(), address.ip().to_string()];
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(names).map_err(io::Error::other)?;
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key))
            .map_err(io::Error::other)?;
        let (send, accepted) = mpsc::channel(WAITING);
        tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), send));
        let end_point = Sha256::digest(cert.der()).to_vec();
        Ok((Self { address, accepted }, Shown { pem: cert.pem(), end_point }))
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    accepted: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    while !accepted.is_closed() {
        let Ok((stream, from)) = listener.accept().await else { continue };
        let (acceptor, accepted) = (acceptor.clone(), accepted.clone());
        tokio::spawn(async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                // The sandbox may have ended meanwhile.
                let _ = accepted.send((stream, from)).await;
            }
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.accepted.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}
