//! What a client of TLS trusts, and shows: files as PEM.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The files of a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    /// Authorities; without any, those of the system.
    pub authorities: Vec<PathBuf>,
    /// Its own certificate and key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl Files {
    /// What they say now.
    ///
    /// # Errors
    /// The file that cannot be used, and why.
    pub fn read(&self) -> Result<Arc<ClientConfig>, String> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(self.roots()?);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let own = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| format!("{}: {error}", key.display()))?;
                builder
                    .with_client_auth_cert(certificates(certificate)?, own)
                    .map_err(|error| format!("{}: {error}", certificate.display()))?
            }
        };
        Ok(Arc::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let mut store = RootCertStore::empty();
        if self.authorities.is_empty() {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if store.is_empty() {
                return Err("this system has no certificates of authorities".into());
            }
        }
        for file in &self.authorities {
            for certificate in certificates(file)? {
                store.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
            }
        }
        Ok(store)
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(found) if found.is_empty() => Err(format!("{}: no certificate in it", file.display())),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("{}: {error}", file.display())),
    }
}
