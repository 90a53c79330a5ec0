//! The options of what the agent serves as Hubble does, by the names that Hubble's own agent has.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use chandra_doctor::Problem;
use chandra_hubble_grpc::tls::ServerFiles;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

use super::common::{bad_value, size_bytes};

/// Where flows are served when nothing else is said.
const DEFAULT_SOCKET: &str = "/run/chandra/hubble.sock";
const DEFAULT_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4244);
/// What flows may take in memory when nothing else is said.
const DEFAULT_BUFFER_BYTES: usize = 32 << 20;
const LEAST_BUFFER_BYTES: usize = 64 << 10;
const MOST_BUFFER_BYTES: usize = 16 << 30;
/// What turns a listener off.
const OFF: &str = "off";

/// Options of flows and of who gets them.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Flows, as Hubble serves them")]
pub struct HubbleArguments {
    /// Unix socket to serve flows on, or off [default: /run/chandra/hubble.sock]
    #[arg(long, env = "CHANDRA_HUBBLE_SOCKET_PATH", value_name = "PATH")]
    pub hubble_socket_path: Option<String>,
    /// Address to serve flows on, or off [default: 127.0.0.1:4244]
    #[arg(long, env = "CHANDRA_HUBBLE_LISTEN_ADDRESS", value_name = "ADDRESS")]
    pub hubble_listen_address: Option<String>,
    /// Certificate that encrypts what is served on the address (PEM)
    #[arg(long, env = "CHANDRA_HUBBLE_TLS_CERT_FILE", value_name = "FILE")]
    pub hubble_tls_cert_file: Option<PathBuf>,
    /// Key of the certificate (PEM)
    #[arg(long, env = "CHANDRA_HUBBLE_TLS_KEY_FILE", value_name = "FILE")]
    pub hubble_tls_key_file: Option<PathBuf>,
    /// Authorities of which clients must have a certificate (PEM)
    #[arg(
        long,
        env = "CHANDRA_HUBBLE_TLS_CLIENT_CA_FILES",
        value_name = "FILE",
        value_delimiter = ','
    )]
    pub hubble_tls_client_ca_files: Option<Vec<PathBuf>>,
    /// Serve other machines without encryption, where the address is not this machine's alone
    #[arg(long, env = "CHANDRA_INSECURE", num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub insecure: Option<bool>,
    /// What flows may take in memory: bytes, or with k, m or g [default: 32m]
    #[arg(long, env = "CHANDRA_HUBBLE_BUFFER_SIZE", value_name = "SIZE")]
    pub hubble_buffer_size: Option<String>,
    /// Name of this cluster in flows [default: none]
    #[arg(long, env = "CHANDRA_CLUSTER_NAME", value_name = "NAME")]
    pub cluster_name: Option<String>,
}

/// The same, checked.
#[derive(Debug, Clone)]
pub struct HubbleOptions {
    /// The Unix socket to serve on.
    pub socket: Option<Place<PathBuf>>,
    /// The address to serve on.
    pub address: Option<Place<SocketAddr>>,
    /// Encrypts what comes to the address.
    pub files: Option<ServerFiles>,
    /// What flows may take.
    pub buffer_bytes: usize,
    /// The cluster's name; empty if it has none.
    pub cluster_name: String,
}

/// A place to listen at.
#[derive(Debug, Clone)]
pub struct Place<T> {
    /// Where.
    pub at: T,
    /// It was asked for: if it cannot be had, that is an error.
    pub is_asked_for: bool,
}

impl HubbleArguments {
    /// Takes from the other what is not given here.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            hubble_socket_path: self.hubble_socket_path.or(other.hubble_socket_path),
            hubble_listen_address: self.hubble_listen_address.or(other.hubble_listen_address),
            hubble_tls_cert_file: self.hubble_tls_cert_file.or(other.hubble_tls_cert_file),
            hubble_tls_key_file: self.hubble_tls_key_file.or(other.hubble_tls_key_file),
            hubble_tls_client_ca_files: self
                .hubble_tls_client_ca_files
                .or(other.hubble_tls_client_ca_files),
            insecure: self.insecure.or(other.insecure),
            hubble_buffer_size: self.hubble_buffer_size.or(other.hubble_buffer_size),
            cluster_name: self.cluster_name.or(other.cluster_name),
        }
    }

    /// Checks them.
    pub fn options(&self) -> Result<HubbleOptions, Problem> {
        let files = self.files()?;
        let socket = match self.hubble_socket_path.as_deref() {
            Some(OFF) => None,
            Some(path) => Some(Place { at: path.into(), is_asked_for: true }),
            None => Some(Place { at: DEFAULT_SOCKET.into(), is_asked_for: false }),
        };
        let address = match self.hubble_listen_address.as_deref() {
            Some(OFF) => None,
            Some(text) => {
                Some(Place { at: self.address(text, files.is_some())?, is_asked_for: true })
            }
            None => Some(Place { at: DEFAULT_ADDRESS, is_asked_for: false }),
        };
        let buffer_bytes = match self.hubble_buffer_size.as_deref() {
            None => DEFAULT_BUFFER_BYTES,
            Some(text) => {
                let bounds = LEAST_BUFFER_BYTES..=MOST_BUFFER_BYTES;
                let why = "not a size from 64k to 16g";
                let bad =
                    || bad_value("--hubble-buffer-size", text, why, "--hubble-buffer-size 64m");
                size_bytes(text).filter(|bytes| bounds.contains(bytes)).ok_or_else(bad)?
            }
        };
        let cluster_name = self.cluster_name.clone().unwrap_or_default();
        Ok(HubbleOptions { socket, address, files, buffer_bytes, cluster_name })
    }

    fn files(&self) -> Result<Option<ServerFiles>, Problem> {
        let lone = |option: &str, other: &str| {
            Err(bad_value(
                option,
                "alone",
                &format!("without {other}"),
                &format!("{option} FILE {other} FILE"),
            ))
        };
        let (certificate, key) = ("--hubble-tls-cert-file", "--hubble-tls-key-file");
        match (&self.hubble_tls_cert_file, &self.hubble_tls_key_file) {
            (Some(certificate), Some(key)) => Ok(Some(ServerFiles {
                certificate: certificate.clone(),
                key: key.clone(),
                client_authorities: self.hubble_tls_client_ca_files.clone().unwrap_or_default(),
            })),
            (Some(_), None) => lone(certificate, key),
            (None, Some(_)) => lone(key, certificate),
            (None, None) if self.hubble_tls_client_ca_files.is_some() => {
                lone("--hubble-tls-client-ca-files", certificate)
            }
            (None, None) => Ok(None),
        }
    }

    /// An address that is this machine's alone, or is encrypted, or is meant to be neither.
    fn address(&self, text: &str, is_encrypted: bool) -> Result<SocketAddr, Problem> {
        let option = "--hubble-listen-address";
        // As Hubble's own agent has it, where the port alone means all addresses.
        let full = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
        let address: SocketAddr = full.parse().map_err(|_| {
            bad_value(option, text, "no address and port", &format!("{option} 127.0.0.1:4244"))
        })?;
        if !address.ip().is_loopback() && !is_encrypted && !self.insecure.unwrap_or(false) {
            let why =
                "reachable from other machines, and what is served there would not be encrypted";
            let next = format!(
                "{option} {text} --hubble-tls-cert-file FILE --hubble-tls-key-file FILE, or with --insecure"
            );
            return Err(bad_value(option, text, why, &next));
        }
        Ok(address)
    }
}

impl HubbleOptions {
    /// Nobody is served.
    pub fn is_off(&self) -> bool {
        self.socket.is_none() && self.address.is_none()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn listening(address: &str) -> HubbleArguments {
        HubbleArguments { hubble_listen_address: Some(address.into()), ..Default::default() }
    }

    #[test]
    fn by_default_only_this_machine_is_served() {
        let options = HubbleArguments::default().options().unwrap();
        assert!(options.address.unwrap().at.ip().is_loopback());
        assert!(!options.socket.unwrap().is_asked_for);
    }

    #[test]
    fn other_machines_are_served_encrypted_or_as_was_asked_for() {
        for address in ["0.0.0.0:4244", ":4244", "10.0.0.1:4244"] {
            assert!(listening(address).options().is_err(), "{address}");
            let insecure = HubbleArguments { insecure: Some(true), ..listening(address) };
            assert!(insecure.options().is_ok(), "{address}");
            let (cert, key) = (Some("c".into()), Some("k".into()));
            let encrypted = HubbleArguments {
                hubble_tls_cert_file: cert,
                hubble_tls_key_file: key,
                ..listening(address)
            };
            assert!(encrypted.options().is_ok(), "{address}");
        }
    }

    #[test]
    fn files_of_tls_come_together() {
        let alone =
            HubbleArguments { hubble_tls_cert_file: Some("c".into()), ..Default::default() };
        let problem = alone.options().unwrap_err().to_string();
        assert!(problem.contains("--hubble-tls-key-file"), "{problem}");
        let authorities = HubbleArguments {
            hubble_tls_client_ca_files: Some(vec!["a".into()]),
            ..Default::default()
        };
        assert!(authorities.options().is_err());
    }

    #[test]
    fn both_can_be_off() {
        let options =
            HubbleArguments { hubble_socket_path: Some(OFF.into()), ..listening(OFF) }.options();
        assert!(options.unwrap().is_off());
    }

    #[test]
    fn sizes_have_bounds() {
        for (text, is_good) in
            [("64k", true), ("1g", true), ("1k", false), ("x", false), ("32g", false)]
        {
            let arguments =
                HubbleArguments { hubble_buffer_size: Some(text.into()), ..Default::default() };
            assert_eq!(arguments.options().is_ok(), is_good, "{text}");
        }
    }
}
