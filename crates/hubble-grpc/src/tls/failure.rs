//! What a failure of TLS means for who connects.
//!
//! In TLS 1.3 a client is done before the server has seen its certificate (RFC 8446, 2): a refusal of that
//! comes as an alert when the connection is first read from, and all that is seen above it is a connection
//! that broke. So it is noticed where it comes in.

use std::io;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

/// Why a connection with TLS cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The server's certificate is of no authority that is trusted.
    ServerUnknown,
    /// The server's certificate has other names than that which was asked for.
    ServerName,
    /// The server's certificate is not valid at this time.
    ServerTime,
    /// The other end does not speak TLS.
    NoTls,
    /// The server wants a certificate of the client.
    ClientMissing,
    /// The server trusts no authority that the client's certificate is of, or cannot use it.
    ClientUnknown,
    /// The client's certificate is not valid at this time.
    ClientTime,
    /// Something else.
    Other,
}

impl Failure {
    /// What an error of a connection means, if it is one of TLS.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        let error = error.get_ref()?.downcast_ref::<Error>()?;
        Some(match error {
            Error::InvalidCertificate(error) => match error {
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Self::ServerTime,
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => Self::ServerName,
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    Self::ServerUnknown
                }
                _ => Self::Other,
            },
            Error::InvalidMessage(_) => Self::NoTls,
            Error::AlertReceived(alert) => match alert {
                AlertDescription::CertificateRequired => Self::ClientMissing,
                AlertDescription::CertificateExpired => Self::ClientTime,
                AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateUnknown
                | AlertDescription::DecryptError
                | AlertDescription::AccessDenied => Self::ClientUnknown,
                _ => Self::Other,
            },
            _ => Self::Other,
        })
    }

    /// In words, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::ServerUnknown => "its certificate is of no authority that is trusted here",
            Self::ServerName => "its certificate is for another name",
            Self::ServerTime => "its certificate is not valid at this time",
            Self::NoTls => "it does not speak TLS",
            Self::ClientMissing => "it wants a certificate of who connects",
            Self::ClientUnknown => "it does not accept the certificate that was shown to it",
            Self::ClientTime => "the certificate that was shown to it is not valid at this time",
            Self::Other => "TLS could not be agreed on",
        }
    }
}
