//! Certificates of this node: those that the agent's configuration names, and those that servers of Hubble's show.

use std::net::SocketAddr;
use std::path::PathBuf;

use chandra_doctor::node::Certificate;
use chandra_hubble_grpc::tls::validity;

use super::hubble::WITHIN;

/// Where a server may show one, and whose it is then.
const SERVERS: [(&str, &str); 2] =
    [("127.0.0.1:4244", "a node's Hubble"), ("127.0.0.1:4245", "a relay of Hubble's")];

/// The files of PEM that an agent serves with.
#[derive(Debug, Default)]
pub struct Files {
    /// Its certificate, with those between it and an authority.
    pub own: Option<PathBuf>,
    /// Authorities of which clients must have one.
    pub authorities: Vec<PathBuf>,
}

/// All of them. A server that speaks no TLS, or is not there, has none.
pub fn look(files: &Files) -> Vec<Certificate> {
    let own = files.own.iter().map(|file| (file, "the agent"));
    let authorities = files.authorities.iter().map(|file| (file, "an authority of clients"));
    let in_files = own.chain(authorities).map(|(file, whose)| Certificate {
        place: file.display().to_string(),
        whose,
        expires: validity::first_end(file).map_err(|error| error.to_string()),
    });
    let shown = SERVERS.iter().filter_map(|(address, whose)| {
        let server: SocketAddr = address.parse().ok()?;
        let end = validity::shown_end(server, WITHIN).ok()?;
        Some(Certificate { place: (*address).to_owned(), whose, expires: Ok(end) })
    });
    in_files.chain(shown).collect()
}
