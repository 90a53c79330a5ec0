//! Where the API server is, and as whom it is asked.

use std::path::PathBuf;
use std::time::Duration;

use kube::Config;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};

use crate::error::{Error, innermost};

/// Where Kubernetes puts the credentials of a pod's service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// What Kubernetes sets in each container.
const HOST: &str = "KUBERNETES_SERVICE_HOST";
const PORT: &str = "KUBERNETES_SERVICE_PORT";

/// How the API server is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// As a pod's service account. Both files of it are read again while it is used, because they are
    /// renewed: `token`, and the certificate of the authority, `ca.crt`.
    ServiceAccount {
        /// `https://10.96.0.1:443`.
        server: String,
        /// The folder with the files.
        folder: PathBuf,
    },
    /// As this kubeconfig says in its current context.
    Kubeconfig(PathBuf),
    /// As `$KUBECONFIG` or `~/.kube/config` says: for people, never for an agent.
    UsersKubeconfig,
}

impl Access {
    /// That of a container in a pod, by its environment: `|name| std::env::var(name).ok()`.
    ///
    /// # Errors
    /// When it is not in a pod.
    pub fn in_cluster(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let wanted = |name: &'static str| {
            let value = variable(name).filter(|value| !value.is_empty());
            value.ok_or(Error::NotInCluster { variable: name })
        };
        let (host, port) = (wanted(HOST)?, wanted(PORT)?);
        let server = match host.parse::<std::net::Ipv6Addr>() {
            Ok(address) => format!("https://[{address}]:{port}"),
            Err(_) => format!("https://{host}:{port}"),
        };
        Ok(Self::ServiceAccount { server, folder: PathBuf::from(SERVICE_ACCOUNT) })
    }

    /// What the client is made with.
    pub(crate) async fn config(&self, connect_timeout: Duration) -> Result<Config, Error> {
        self.config_in(None, connect_timeout).await
    }

    /// The same, by another context of the kubeconfig than its current one.
    pub(crate) async fn config_in(
        &self,
        context: Option<&str>,
        connect_timeout: Duration,
    ) -> Result<Config, Error> {
        let mut config = match self {
            Self::ServiceAccount { server, folder } => {
                let token = readable(folder.join("token"))?;
                let authority = readable(folder.join("ca.crt"))?;
                let parsed = server.parse().ok().filter(has_host);
                let mut config = Config::new(parsed.ok_or_else(|| Error::Server(server.clone()))?);
                config.root_cert_file = Some(authority);
                let token_file = Some(token.to_string_lossy().into_owned());
                config.auth_info = AuthInfo { token_file, ..AuthInfo::default() };
                config
            }
            Self::Kubeconfig(file) => from_kubeconfig(Kubeconfig::read_from(file), context).await?,
            Self::UsersKubeconfig => from_kubeconfig(Kubeconfig::read(), context).await?,
        };
        config.connect_timeout = Some(connect_timeout);
        // Our own pauses are enough, and are counted.
        config.default_retry = false;
        Ok(config)
    }
}

type Read = Result<Kubeconfig, kube::config::KubeconfigError>;

async fn from_kubeconfig(read: Read, context: Option<&str>) -> Result<Config, Error> {
    let unusable = |error| Error::Kubeconfig(innermost(&error));
    let kubeconfig = read.map_err(unusable)?;
    let clusters = kubeconfig.clusters.iter().filter_map(|named| named.cluster.as_ref());
    let has_proxy =
        clusters.filter_map(|cluster| cluster.proxy_url.as_ref()).any(|it| !it.is_empty());
    let context = context.map(str::to_owned);
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(unusable)?;
    match config.proxy_url.take() {
        // One from HTTPS_PROXY is for the way out of the cluster, not for the way to it.
        Some(proxy) if has_proxy => Err(Error::Proxy(proxy.to_string())),
        _ if !has_host(&config.cluster_url) => Err(Error::Server(config.cluster_url.to_string())),
        _ => Ok(config),
    }
}

fn has_host(server: &http::Uri) -> bool {
    server.scheme().is_some() && server.host().is_some_and(|host| !host.is_empty())
}

fn readable(file: PathBuf) -> Result<PathBuf, Error> {
    match std::fs::File::open(&file) {
        Ok(_) => Ok(file),
        Err(reason) => Err(Error::ServiceAccount { file, reason }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(host: &str, port: &str) -> Result<Access, Error> {
        Access::in_cluster(|name| match name {
            HOST => Some(host.to_owned()),
            PORT => Some(port.to_owned()),
            _ => None,
        })
    }

    #[test]
    fn a_pod_finds_its_server_in_its_environment() {
        for (host, port, expected) in [
            ("10.96.0.1", "443", "https://10.96.0.1:443"),
            ("fd00::1", "6443", "https://[fd00::1]:6443"),
            ("api.example", "443", "https://api.example:443"),
        ] {
            let folder = PathBuf::from(SERVICE_ACCOUNT);
            let server = expected.to_owned();
            assert_eq!(found(host, port).unwrap(), Access::ServiceAccount { server, folder });
        }
    }

    #[test]
    fn elsewhere_it_is_said_what_is_missing() {
        let error = found("", "443").unwrap_err();
        assert_eq!(
            error.to_string(),
            "not in a cluster: the variable KUBERNETES_SERVICE_HOST is not set"
        );
        assert_eq!(error.next(), "run it in a pod, or name a kubeconfig");
        assert!(Access::in_cluster(|_| None).is_err());
    }
}
