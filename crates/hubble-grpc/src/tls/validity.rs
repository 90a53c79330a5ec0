//! When certificates end to be valid: those in a file, and the one that a server shows.
//!
//! Of a certificate nothing is read but the second time of its validity (RFC 5280, 4.1), past what lies before it.
//! rustls judges certificates and does not tell their times; a whole reader of X.509 would be many times this.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tokio_rustls::rustls::ClientConnection;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{ClientFiles, Error, certificates};

/// Tags of DER (X.690, 8).
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// `[0]`, which is the version of the certificate, and may be missing.
const VERSION: u8 = 0xa0;

/// When the first of the certificates in a file of PEM ends to be valid, in seconds since 1970.
///
/// # Errors
/// When the file cannot be read, has no certificate, or one that is none.
pub fn first_end(file: &Path) -> Result<i64, Error> {
    let unusable =
        || Error::File { file: file.to_owned(), reason: "no certificate of X.509".into() };
    let ends = certificates(file)?.into_iter().map(|certificate| end(&certificate));
    ends.collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().min()).ok_or_else(unusable)
}

/// The same of the certificate that a server shows, whoever it is. Nothing is asked of it, and a client's
/// certificate that it wants is not shown.
///
/// # Errors
/// When it does not speak TLS 1.3, or not in time.
pub fn shown_end(server: SocketAddr, within: Duration) -> io::Result<i64> {
    let anyone = ClientFiles { allow_insecure: true, ..ClientFiles::default() };
    let config = anyone.read().map_err(io::Error::other)?;
    let name = ServerName::IpAddress(server.ip().into());
    let mut tls = ClientConnection::new(Arc::clone(&config), name).map_err(io::Error::other)?;
    let mut socket = TcpStream::connect_timeout(&server, within)?;
    socket.set_read_timeout(Some(within))?;
    socket.set_write_timeout(Some(within))?;
    let none = || io::Error::other("it shows no certificate of X.509");
    while tls.is_handshaking() {
        if let (0, 0) = tls.complete_io(&mut socket)? {
            return Err(none());
        }
    }
    let shown = tls.peer_certificates().unwrap_or_default();
    shown.first().and_then(|certificate| end(certificate)).ok_or_else(none)
}

/// When a certificate, encoded by DER, ends to be valid, in seconds since 1970.
pub fn end(certificate: &[u8]) -> Option<i64> {
    let (signed, _) = element(certificate, SEQUENCE)?;
    let (mut fields, _) = element(signed, SEQUENCE)?;
    if let Some((_, rest)) = element(fields, VERSION) {
        fields = rest;
    }
    let [_number, _algorithm, _issuer] = [INTEGER, SEQUENCE, SEQUENCE].map(|tag| {
        let (_, rest) = element(fields, tag).unwrap_or_default();
        fields = rest;
    });
    let (validity, _) = element(fields, SEQUENCE)?;
    let (_, rest) = time(validity)?;
    time(rest).map(|(end, _)| end)
}

/// A time, and what comes after it.
fn time(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let tag = *bytes.first()?;
    let (text, rest) = element(bytes, tag)?;
    let digits = text.strip_suffix(b"Z")?;
    let pairs: Vec<i16> = digits.chunks(2).map(two_digits).collect::<Option<_>>()?;
    let (year, others) = match (tag, pairs.as_slice()) {
        // 50 to 99 are of the century before (RFC 5280, 4.1.2.5.1).
        (UTC_TIME, [year, others @ ..]) => (year + if *year < 50 { 2000 } else { 1900 }, others),
        (GENERALIZED_TIME, [century, year, others @ ..]) => (century * 100 + year, others),
        _ => return None,
    };
    let [month, day, hour, minute, second] = *others else { return None };
    let [month, day, hour, minute, second] =
        [month, day, hour, minute, second].map(|pair| i8::try_from(pair).unwrap_or(-1));
    let time = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some((time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second(), rest))
}

fn two_digits(pair: &[u8]) -> Option<i16> {
    let [tens, ones] = pair else { return None };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i16::from(byte - b'0'));
    Some(digit(*tens)? * 10 + digit(*ones)?)
}

/// The content of the element that the bytes begin with, if it has this tag, and what comes after it. Lengths of
/// up to four bytes are known.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[own, length], rest) = bytes.split_first_chunk()?;
    if own != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(year: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(1990, 1, 1);
        params.not_after = date_time_ymd(year, 3, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn certificates_end_when_they_were_made_to() {
        // `date -u -d YEAR-03-01 +%s`. From 2050 on a time is written in another way.
        for (year, seconds) in [
            (1999, 920_246_400),
            (2038, 2_151_014_400),
            (2049, 2_498_169_600),
            (2051, 2_561_241_600),
        ] {
            assert_eq!(end(&certificate(year)), Some(seconds), "{year}");
        }
    }

    #[test]
    fn what_is_no_certificate_ends_never() {
        let whole = certificate(2038);
        for length in 0..200 {
            assert_eq!(end(&whole[..length]), None);
        }
        assert_eq!(end(b"\x30\x84\xff\xff\xff\xff"), None);
    }
}
