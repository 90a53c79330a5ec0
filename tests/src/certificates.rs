//! Certificates as a test wants them: authorities, and what they sign, valid or not any more.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};

use crate::scratch::Scratch;

/// An authority, with its certificate as a file.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its certificate.
    pub file: PathBuf,
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Now.
    Now,
    /// Until some years ago.
    Over,
}

/// A certificate and its key, as files.
#[derive(Debug)]
pub struct Signed {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// A new one, whose certificate is `NAME.ca` in this folder.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn new(folder: &Scratch, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = folder.at(&format!("{name}.ca"));
        std::fs::write(&file, issuer.pem()).unwrap();
        Self { issuer, file }
    }

    /// Signs a new certificate of this host as `NAME.crt` and `NAME.key`. Those that are there are
    /// replaced at once each, as cert-manager and kubelets do it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn sign(&self, folder: &Scratch, name: &str, host: &str, validity: Validity) -> Signed {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        if validity == Validity::Over {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let replace = |ending: &str, text: String| {
            let (new, file) = (folder.at("new"), folder.at(&format!("{name}.{ending}")));
            std::fs::write(&new, text).unwrap();
            std::fs::rename(&new, &file).unwrap();
            file
        };
        let key = replace("key", key.serialize_pem());
        Signed { certificate: replace("crt", certificate.pem()), key }
    }
}
