//! A Kubernetes API server without a cluster: lists and watches over objects that a test puts there,
//! with everything that real servers do now and then, and some that none should.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::patience::wait_for;
use crate::scratch::Scratch;

mod cluster;
mod forward;
mod objects;
mod server;

pub use cluster::{Cluster, line, refusal, refused};
pub use objects::Pod;
pub use server::{Answer, Asked, Piece, Server};

/// Writes a kubeconfig for this server; `cluster` is further lines of its cluster.
///
/// # Panics
/// When it cannot be written.
pub fn write_kubeconfig(folder: &Scratch, server: &str, cluster: &str) -> PathBuf {
    let file = folder.at("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: \
         {{cluster: c, user: u}}\nclusters:\n- name: c\n  cluster:\n    server: {server}\n{cluster}\
         users:\n- name: u\n  user: {{token: secret}}\n"
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// A cluster with its API server, and how `chandra` is told of it.
#[derive(Debug)]
pub struct Served {
    /// What is there.
    pub cluster: Cluster,
    server: Option<Server>,
    address: SocketAddr,
    kubeconfig: PathBuf,
    no_runtime: PathBuf,
    _folder: Scratch,
}

/// What is listed and watched of a cluster.
const RESOURCES: [&str; 5] = ["pods", "services", "endpointslices", "nodes", "namespaces"];

impl Served {
    /// Serves a cluster.
    pub fn new(cluster: Cluster) -> Self {
        let folder = Scratch::new();
        let server = cluster.serve();
        let kubeconfig = write_kubeconfig(&folder, &format!("http://{}", server.address), "");
        let no_runtime = folder.at("no-runtime.sock");
        let address = server.address;
        Self { cluster, server: Some(server), address, kubeconfig, no_runtime, _folder: folder }
    }

    /// Arguments to ask it, as the node `own`, and no container runtime.
    ///
    /// # Panics
    /// When a path is not UTF-8.
    pub fn arguments(&self) -> [&str; 6] {
        let [kubeconfig, no_runtime] =
            [&self.kubeconfig, &self.no_runtime].map(|path| path.to_str().unwrap());
        ["--kubernetes", kubeconfig, "--node-name", "own", "--cri-socket", no_runtime]
    }

    /// The server ends, with all of its connections.
    pub fn go_away(&mut self) {
        self.server = None;
    }

    /// It is there again, where it was.
    pub fn come_back(&mut self) {
        self.server = Some(self.cluster.serve_at(self.address));
    }

    /// All requests since it is there.
    ///
    /// # Panics
    /// When it is away.
    pub fn asked(&self) -> Vec<Asked> {
        self.server.as_ref().unwrap().asked()
    }

    /// Waits until everything was listed and is watched: whoever asked has heard of it before what
    /// happens from now on.
    ///
    /// # Panics
    /// When it never is.
    pub fn wait_until_watched(&self) {
        wait_for("watches of everything", || {
            let asked = self.asked();
            let is_watched = |of: &str| asked.iter().any(|it| it.is_watch() && it.resource() == of);
            RESOURCES.iter().all(|resource| is_watched(resource)).then_some(())
        });
    }
}
