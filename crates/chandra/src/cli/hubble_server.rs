//! Options that say which server of Hubble's is asked, and how it is reached; every verb that asks one has
//! them. A flag goes before a variable `HUBBLE_*`, a variable before Hubble's configuration file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chandra_doctor::{Check, Problem};
use chandra_hubble_grpc::client::{Address, Options};
use chandra_hubble_grpc::tls::ClientFiles;
use chandra_kubernetes::{Access, forward};
use clap::Args;
use clap::builder::BoolishValueParser;

use super::common::duration;
use super::hubble_config::HubbleConfig;

/// The agent of this node.
const OWN_SOCKET: &str = "/run/chandra/hubble.sock";
/// Where Hubble's relay is forwarded to.
const USUAL_ADDRESS: &str = "localhost:4245";
/// The service that Hubble's own command line looks for, and where.
const RELAY_SERVICE: &str = "hubble-relay";
pub(super) const RELAY_NAMESPACE: &str = "kube-system";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(12);

/// The arguments as typed.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArguments {
    /// Server that is asked: unix://PATH, tls://HOST:PORT or HOST:PORT [default: this node's agent, or
    /// else localhost:4245]
    #[arg(long, env = "HUBBLE_SERVER", value_name = "SERVER")]
    server: Option<String>,
    /// Ask the service hubble-relay of a Kubernetes cluster, by a connection through its API server
    #[arg(
        short = 'P', long, env = "HUBBLE_PORT_FORWARD", value_name = "BOOL", num_args = 0..=1,
        require_equals = true, default_missing_value = "true",
        value_parser = BoolishValueParser::new(), hide_possible_values = true
    )]
    port_forward: Option<bool>,
    /// Namespace of that service [default: kube-system]
    #[arg(long, env = "HUBBLE_KUBE_NAMESPACE", value_name = "NAMESPACE")]
    kube_namespace: Option<String>,
    /// Context of the kubeconfig that names the cluster [default: its current one]
    #[arg(long, env = "HUBBLE_KUBE_CONTEXT", value_name = "CONTEXT")]
    kube_context: Option<String>,
    /// Kubeconfig [default: $KUBECONFIG or ~/.kube/config]
    #[arg(long, env = "HUBBLE_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// What connecting may take [default: 5s]
    #[arg(long, env = "HUBBLE_TIMEOUT", value_name = "DURATION")]
    timeout: Option<String>,
    /// What an answer may take that is no stream [default: 12s]
    #[arg(long, env = "HUBBLE_REQUEST_TIMEOUT", value_name = "DURATION")]
    request_timeout: Option<String>,
    /// Connect with TLS, as tls:// does
    #[arg(
        long, env = "HUBBLE_TLS", value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = BoolishValueParser::new(),
        hide_possible_values = true
    )]
    tls: Option<bool>,
    /// Take any server for the right one: whoever is between can read and change everything
    #[arg(
        long, env = "HUBBLE_TLS_ALLOW_INSECURE", value_name = "BOOL", num_args = 0..=1,
        require_equals = true, default_missing_value = "true",
        value_parser = BoolishValueParser::new(), hide_possible_values = true
    )]
    tls_allow_insecure: Option<bool>,
    /// Files of authorities that are trusted instead of the system's, as PEM
    #[arg(long, env = "HUBBLE_TLS_CA_CERT_FILES", value_name = "FILE", value_delimiter = ',')]
    tls_ca_cert_files: Vec<PathBuf>,
    /// File of the certificate that is shown to the server, as PEM (implies TLS)
    #[arg(long, env = "HUBBLE_TLS_CLIENT_CERT_FILE", value_name = "FILE")]
    tls_client_cert_file: Option<PathBuf>,
    /// File of that certificate's key, as PEM (implies TLS)
    #[arg(long, env = "HUBBLE_TLS_CLIENT_KEY_FILE", value_name = "FILE")]
    tls_client_key_file: Option<PathBuf>,
    /// Name that the server's certificate must have [default: its host]
    #[arg(long, env = "HUBBLE_TLS_SERVER_NAME", value_name = "NAME")]
    tls_server_name: Option<String>,
    /// User that is told to the server; only with TLS
    #[arg(long, env = "HUBBLE_BASIC_AUTH_USERNAME", value_name = "NAME")]
    basic_auth_username: Option<String>,
    /// Password of that user; better as variable HUBBLE_BASIC_AUTH_PASSWORD, which others do not see
    #[arg(
        long,
        env = "HUBBLE_BASIC_AUTH_PASSWORD",
        value_name = "PASSWORD",
        hide_env_values = true
    )]
    basic_auth_password: Option<String>,
    /// Hubble's configuration file [default: ~/.config/hubble/config.yaml]
    #[arg(long, env = "HUBBLE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// A user and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicAuth").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Which server, and how.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// How it is reached.
    pub connect: Options,
    /// The service of a cluster that it is, if it is one.
    pub forward: Option<forward::Options>,
    /// What an answer may take.
    pub request_timeout: Duration,
    /// Who asks.
    pub basic_auth: Option<BasicAuth>,
    /// Nobody said which server: it is the usual one.
    pub is_usual: bool,
}

impl ServerArguments {
    /// The configuration file.
    pub fn config(&self) -> Result<HubbleConfig, Problem> {
        HubbleConfig::read(self.config.as_deref())
    }

    /// What they mean.
    pub fn options(&self, config: &HubbleConfig) -> Result<ServerOptions, Problem> {
        let span = |option, text: &Option<String>, key, default| {
            let text = text.clone().or_else(|| config.text(key));
            text.map_or(Ok(default), |text| duration(option, &text))
        };
        let timeout = span("--timeout", &self.timeout, "timeout", CONNECT_TIMEOUT)?;
        let forward = self.forward(config, timeout);
        let said = self.server.clone().or_else(|| config.text("server"));
        let is_usual = said.is_none() && forward.is_none();
        let files = self.files(config)?;
        let mut address = match &forward {
            Some(forward) => named(forward),
            None => address(said.unwrap_or_else(|| usual_server(Path::new(OWN_SOCKET))))?,
        };
        let wants_tls = self.tls.or_else(|| config.flag("tls")).unwrap_or_default();
        if let Address::Tcp { tls, .. } | Address::Named { tls, .. } = &mut address {
            *tls |= wants_tls || files.identity.is_some();
        }
        let basic_auth = self.basic_auth(config, &address)?;
        let request_timeout =
            span("--request-timeout", &self.request_timeout, "request-timeout", REQUEST_TIMEOUT)?;
        let server_name = self.tls_server_name.clone().or_else(|| config.text("tls-server-name"));
        let connect = Options { address, way: None, files, server_name, timeout };
        Ok(ServerOptions { connect, forward, request_timeout, basic_auth, is_usual })
    }

    /// The namespace of Hubble's services.
    pub fn namespace(&self) -> String {
        self.kube_namespace.clone().unwrap_or_else(|| RELAY_NAMESPACE.to_owned())
    }

    /// The service that is asked for by name, if one is.
    fn forward(&self, config: &HubbleConfig, within: Duration) -> Option<forward::Options> {
        let is_asked_for = self.port_forward.or_else(|| config.flag("port-forward"));
        let given = |given: &Option<String>, key| given.clone().or_else(|| config.text(key));
        let kubeconfig =
            self.kubeconfig.clone().or_else(|| Some(config.text("kubeconfig")?.into()));
        is_asked_for.unwrap_or_default().then(|| forward::Options {
            access: kubeconfig.map_or(Access::UsersKubeconfig, Access::Kubeconfig),
            context: given(&self.kube_context, "kube-context"),
            namespace: given(&self.kube_namespace, "kube-namespace")
                .unwrap_or_else(|| RELAY_NAMESPACE.to_owned()),
            service: RELAY_SERVICE.to_owned(),
            within,
        })
    }

    fn files(&self, config: &HubbleConfig) -> Result<ClientFiles, Problem> {
        let file = |given: &Option<PathBuf>, key| {
            given.clone().or_else(|| config.text(key).map(PathBuf::from))
        };
        let certificate = file(&self.tls_client_cert_file, "tls-client-cert-file");
        let key = file(&self.tls_client_key_file, "tls-client-key-file");
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (certificate, _) => {
                let option = match certificate {
                    Some(_) => "--tls-client-key-file",
                    None => "--tls-client-cert-file",
                };
                return Err(Problem::usage(
                    Check::HUBBLE,
                    "cannot show a certificate to the server",
                    format!("{option} is missing: a certificate and its key belong together"),
                    "for example: --tls-client-cert-file client.crt --tls-client-key-file client.key",
                ));
            }
        };
        let mut authorities = self.tls_ca_cert_files.clone();
        if authorities.is_empty() {
            authorities = config.list("tls-ca-cert-files").into_iter().map(PathBuf::from).collect();
        }
        let insecure = self.tls_allow_insecure.or_else(|| config.flag("tls-allow-insecure"));
        Ok(ClientFiles { authorities, identity, allow_insecure: insecure.unwrap_or_default() })
    }

    fn basic_auth(
        &self,
        config: &HubbleConfig,
        address: &Address,
    ) -> Result<Option<BasicAuth>, Problem> {
        let given = |given: &Option<String>, key| given.clone().or_else(|| config.text(key));
        let username = given(&self.basic_auth_username, "basic-auth-username");
        let password = given(&self.basic_auth_password, "basic-auth-password");
        if username.is_none() && password.is_none() {
            return Ok(None);
        }
        let wrong = |why| {
            let next = "for example: HUBBLE_BASIC_AUTH_PASSWORD=… chandra observe \
                        --basic-auth-username jane --server tls://relay.example:443";
            Problem::usage(Check::HUBBLE, "cannot tell the server who asks", why, next)
        };
        let (Some(username), Some(password)) = (username, password) else {
            return Err(wrong("a user and a password belong together"));
        };
        if !address.is_tls() {
            return Err(wrong("without TLS the password could be read on the way"));
        }
        if username.contains(':') {
            return Err(wrong("a colon cannot be in the name of a user"));
        }
        Ok(Some(BasicAuth { username, password }))
    }
}

fn address(server: String) -> Result<Address, Problem> {
    server.parse().map_err(|error| {
        Problem::usage(
            Check::HUBBLE,
            format!("cannot use --server {server}"),
            error,
            format!("for example: --server {USUAL_ADDRESS}"),
        )
    })
}

/// Where a service of a cluster is.
fn named(forward: &forward::Options) -> Address {
    let forward::Options { namespace, service, .. } = forward;
    let name = format!("service {namespace}/{service}");
    Address::Named { name, host: format!("{service}.{namespace}.svc"), tls: false }
}

/// This node's agent where there is one.
fn usual_server(own_socket: &Path) -> String {
    if own_socket.exists() {
        format!("unix://{}", own_socket.display())
    } else {
        USUAL_ADDRESS.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_of_this_node_is_the_usual_server() {
        assert_eq!(usual_server(Path::new("/nowhere/hubble.sock")), "localhost:4245");
        assert_eq!(usual_server(Path::new("/dev/null")), "unix:///dev/null");
    }

    #[test]
    fn flags_go_before_the_file() {
        let config = HubbleConfig::default();
        let server = ServerArguments { server: Some("x:1".into()), ..Default::default() };
        let options = server.options(&config).unwrap();
        assert_eq!(options.connect.address.to_string(), "x:1");
        assert_eq!((options.connect.timeout, options.is_usual), (Duration::from_secs(5), false));
        assert_eq!(options.request_timeout, Duration::from_secs(12));
        let tls = ServerArguments { tls: Some(true), ..server.clone() };
        assert_eq!(tls.options(&config).unwrap().connect.address.to_string(), "tls://x:1");
        let identity = ServerArguments {
            tls_client_cert_file: Some("a".into()),
            tls_client_key_file: Some("b".into()),
            ..server
        };
        assert_eq!(identity.options(&config).unwrap().connect.address.to_string(), "tls://x:1");
    }

    #[test]
    fn what_cannot_be_together_is_said() {
        let server = |server: &str| ServerArguments {
            server: Some(server.into()),
            basic_auth_username: Some("jane".into()),
            basic_auth_password: Some("secret".into()),
            ..Default::default()
        };
        let config = HubbleConfig::default();
        let options = server("tls://x:1").options(&config).unwrap();
        let shown = format!("{options:?}");
        assert!(shown.contains("jane") && !shown.contains("secret"), "{shown}");
        for arguments in [
            server("x:1"),
            server("unix:///x"),
            ServerArguments { basic_auth_password: None, ..server("tls://x:1") },
            ServerArguments { basic_auth_username: Some("a:b".into()), ..server("tls://x:1") },
            ServerArguments { tls_client_cert_file: Some("a".into()), ..Default::default() },
            ServerArguments { timeout: Some("soon".into()), ..Default::default() },
            ServerArguments { server: Some("x".into()), ..Default::default() },
        ] {
            let problem = arguments.options(&config).unwrap_err();
            assert!(problem.is_usage && !problem.to_string().contains("secret"), "{problem}");
        }
    }
}
