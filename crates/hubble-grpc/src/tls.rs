//! TLS by files: certificates and keys as PEM.
//!
//! Invariants: TLS 1.3 alone, with HTTP/2 agreed on. A server's files are looked at again while it
//! serves; those that cannot be used are said once, and the ones before them go on serving.

mod failure;
pub mod validity;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
};

pub use failure::Failure;

/// How often a server's files are looked at, when somebody connects.
const LOOK: Duration = Duration::from_secs(1);

/// Why files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read, or has nothing of the kind.
    #[error("{file}: {reason}", file = file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// What they hold does not fit together.
    #[error("{0}")]
    Unfit(String),
}

/// The files of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFiles {
    /// Its certificate, with those between it and an authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Authorities, one of which must have signed a client's certificate; without any, clients need none.
    pub client_authorities: Vec<PathBuf>,
}

/// What a client trusts, and shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientFiles {
    /// Authorities; without any, those of the system.
    pub authorities: Vec<PathBuf>,
    /// Its certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Takes any server for the right one.
    pub allow_insecure: bool,
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unusable = |reason: String| Error::File { file: file.to_owned(), reason };
    let found =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(found) if found.is_empty() => Err(unusable("there is no certificate in it".into())),
        Ok(found) => Ok(found),
        Err(error) => Err(unusable(error.to_string())),
    }
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let unusable = |error: rustls::pki_types::pem::Error| Error::File {
        file: file.to_owned(),
        reason: error.to_string(),
    };
    PrivateKeyDer::from_pem_file(file).map_err(unusable)
}

fn authorities(files: &[PathBuf]) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    for file in files {
        for certificate in certificates(file)? {
            let unusable = |error: rustls::Error| Error::File {
                file: file.clone(),
                reason: error.to_string(),
            };
            store.add(certificate).map_err(unusable)?;
        }
    }
    Ok(store)
}

fn unfit(error: impl std::fmt::Display) -> Error {
    Error::Unfit(error.to_string())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

const HTTP_2: &[u8] = b"h2";

impl ServerFiles {
    /// What they say now.
    ///
    /// # Errors
    /// The file that cannot be used, and why.
    pub fn read(&self) -> Result<Arc<ServerConfig>, Error> {
        let (certificates, key) = (certificates(&self.certificate)?, key(&self.key)?);
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(unfit)?;
        let builder = match self.client_authorities.as_slice() {
            [] => builder.with_no_client_auth(),
            files => {
                let store = Arc::new(authorities(files)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(store, provider());
                builder.with_client_cert_verifier(verifier.build().map_err(unfit)?)
            }
        };
        let mut config = builder.with_single_cert(certificates, key).map_err(unfit)?;
        config.alpn_protocols = vec![HTTP_2.to_vec()];
        Ok(Arc::new(config))
    }

    /// When each was changed last; one that is away for a moment was not.
    fn changed(&self) -> Vec<Option<SystemTime>> {
        let files = [&self.certificate, &self.key].into_iter().chain(&self.client_authorities);
        files.map(|file| fs::metadata(file).and_then(|it| it.modified()).ok()).collect()
    }
}

/// A server's files, read again when they change.
#[derive(Debug)]
pub struct Reloading {
    files: ServerFiles,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    changed: Vec<Option<SystemTime>>,
    looked: Instant,
}

impl Reloading {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// As [`ServerFiles::read`].
    pub fn new(files: ServerFiles) -> Result<Self, Error> {
        let (changed, config) = (files.changed(), files.read()?);
        let current = Mutex::new(Current { config, changed, looked: Instant::now() });
        Ok(Self { files, current })
    }

    /// What they say, as of a second ago at most. Whoever connects causes the look.
    pub fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() >= LOOK {
            current.looked = Instant::now();
            let changed = self.files.changed();
            if changed != current.changed {
                current.changed = changed;
                match self.files.read() {
                    Ok(config) => current.config = config,
                    Err(error) => eprintln!(
                        "warning: the new certificate cannot be used, the one before it goes on: {error}"
                    ),
                }
            }
        }
        Arc::clone(&current.config)
    }
}

impl ClientFiles {
    /// What a client connects with.
    ///
    /// # Errors
    /// The file that cannot be used, and why.
    pub fn read(&self) -> Result<Arc<ClientConfig>, Error> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(unfit)?;
        let builder = match (self.allow_insecure, self.authorities.as_slice()) {
            (true, _) => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone)),
            (false, []) => builder.with_root_certificates(system_authorities()?),
            (false, files) => builder.with_root_certificates(authorities(files)?),
        };
        let mut config = match &self.identity {
            Some((certificate, own_key)) => builder
                .with_client_auth_cert(certificates(certificate)?, key(own_key)?)
                .map_err(unfit)?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![HTTP_2.to_vec()];
        Ok(Arc::new(config))
    }
}

fn system_authorities() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        return Err(Error::Unfit("this system has no certificates of authorities".into()));
    }
    Ok(store)
}

/// Takes every server for the right one, as was asked for.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
