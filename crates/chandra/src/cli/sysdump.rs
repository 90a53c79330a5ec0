//! The options of `chandra sysdump`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chandra_doctor::Problem;
use chandra_kubernetes::Access;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::agent;
use super::common::{LoadArguments, bad_value};
use super::doctor::{self, NodeOptions};
use super::hubble_server::RELAY_NAMESPACE;

const EXAMPLES: &str = "\
Examples:
  sudo chandra sysdump                      all that a report of a problem needs, in one archive
  sudo chandra sysdump -o - | tar -tzf -    what that is
  sudo chandra sysdump --log agent.log      with the end of what the agent said

Secrets are taken out of every part. Look through it before you give it away all the same.";

#[derive(Debug, Args)]
struct Arguments {
    /// Archive to write (tar, compressed), or - for standard output [default:
    /// chandra-sysdump-TIME.tar.gz]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Address of this machine's agent [default: 127.0.0.1:9965]
    #[arg(long, env = "CHANDRA_HTTP", value_name = "ADDRESS")]
    http: Option<String>,
    /// The agent's configuration file [default: /etc/chandra/chandra.toml]
    #[arg(long, env = "CHANDRA_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// File of what the agent said [default: what the journal has of the unit chandra]
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// `chandra sysdump`.
#[derive(Debug)]
pub struct SysdumpOptions {
    /// Where the archive goes; none: a file with the time in its name.
    pub output: Option<PathBuf>,
    /// Where the agent is.
    pub agent: SocketAddr,
    /// Its configuration.
    pub config: PathBuf,
    /// What it said; none: the journal is asked.
    pub log: Option<PathBuf>,
    /// What the doctor looks at.
    pub node: NodeOptions,
}

impl SysdumpOptions {
    /// What was typed.
    pub fn parse(matches: &ArgMatches) -> Result<Result<Self, Problem>, clap::Error> {
        Arguments::from_arg_matches(matches).map(Arguments::options)
    }
}

impl Arguments {
    fn options(self) -> Result<SysdumpOptions, Problem> {
        let agent = self.http.map_or(Ok(agent::DEFAULT_HTTP), |text| {
            let wrong =
                || bad_value("--http", &text, "no address and port", "--http 127.0.0.1:9965");
            text.parse().map_err(|_| wrong())
        })?;
        let node = NodeOptions {
            signals: agent::signals(None)?,
            cri_socket: None,
            cluster: Access::in_cluster(|name| std::env::var(name).ok()).ok(),
            hubble_namespace: RELAY_NAMESPACE.to_owned(),
            // A file that cannot be used is in the archive itself.
            certificates: doctor::certificates(self.config.as_deref()).unwrap_or_default(),
            load: LoadArguments::default().options(false)?,
        };
        let config = self.config.unwrap_or_else(|| Path::new(agent::DEFAULT_FILE).to_owned());
        Ok(SysdumpOptions { output: self.output, agent, config, log: self.log, node })
    }
}

/// `chandra sysdump`.
pub fn command() -> Command {
    Arguments::augment_args(Command::new("sysdump"))
        .about("Gather all that a report of a problem needs in one archive, without secrets")
        .long_about(None)
        .after_help(EXAMPLES)
}
