//! `chandra profile --server`: the same options, of what an agent is asked for.

use chandra_doctor::{Check, Problem};
use chandra_hubble::proto::chandra::v1::profile_question::Time;
use chandra_hubble::proto::chandra::v1::{
    ProfileFilter, ProfileFrames, ProfileKind, ProfileQuestion,
};
use chandra_profile::owner::Grouping;
use clap::ArgMatches;
use clap::parser::ValueSource;

use super::{Measured, Outcome, ProfilingArguments, measured, span};
use crate::cli::hubble_server::ServerOptions;

/// Options of loading and of who did it: the agent has its own.
const OF_THIS_MACHINE: [&str; 12] = [
    "on_bad_kernel",
    "identity",
    "cri_socket",
    "host_root",
    "kubernetes",
    "remote_pods",
    "node_name",
    "ring",
    "ring_size",
    "btf",
    "interval",
    "packet_hooks",
];

/// What says how a server is reached, and what only one can be asked.
const OF_A_SERVER: [&str; 13] = [
    "last",
    "timeout",
    "request_timeout",
    "tls",
    "tls_allow_insecure",
    "tls_ca_cert_files",
    "tls_client_cert_file",
    "tls_client_key_file",
    "tls_server_name",
    "basic_auth_username",
    "basic_auth_password",
    "config",
    "server",
];

/// A relay makes no profiles.
pub const OF_A_RELAY: [&str; 4] = ["port_forward", "kube_namespace", "kube_context", "kubeconfig"];

/// What an agent is asked for, and where the profile goes.
#[derive(Debug)]
pub struct ElsewhereOptions {
    /// What is asked for.
    pub question: ProfileQuestion,
    /// Where it goes.
    pub outcome: Outcome,
    /// Whose agent.
    pub server: ServerOptions,
}

/// Whether an agent is asked: only where somebody typed so. A variable that is there for other verbs makes no
/// profile of this machine one of another.
pub fn is_meant(matches: &ArgMatches) -> bool {
    is_typed(matches, "server")
}

/// That nothing is typed which goes only with a server, or only without.
pub fn check(matches: &ArgMatches) -> Result<(), Problem> {
    let typed = |ids: &[&'static str]| ids.iter().find(|id| is_typed(matches, id)).copied();
    if let Some(id) = typed(&OF_A_RELAY) {
        return Err(Problem::usage(
            Check::USAGE,
            format!("--{} does not go with chandra profile", id.replace('_', "-")),
            "a relay makes no profiles, the agent of a node does",
            "chandra profile --server HOST:PORT",
        ));
    }
    let (ids, why, next): (&[_], _, _) = match is_meant(matches) {
        true => (
            &OF_THIS_MACHINE,
            "the agent that is asked has options of its own",
            "leave it out, or leave --server out to profile this machine",
        ),
        false => (
            &OF_A_SERVER,
            "this machine is profiled, and no agent is asked",
            "chandra profile --server unix:///run/chandra/hubble.sock",
        ),
    };
    typed(ids).map_or(Ok(()), |id| {
        let with = if is_meant(matches) { "with" } else { "without" };
        let what = format!("--{} does not go {with} --server", id.replace('_', "-"));
        Err(Problem::usage(Check::USAGE, what, why, next))
    })
}

fn is_typed(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

impl ElsewhereOptions {
    /// Checks the arguments.
    pub fn new(arguments: &ProfilingArguments) -> Result<Self, Problem> {
        // What cannot be a selection is said before anybody is asked.
        arguments.selection.selector()?;
        let outcome = Outcome::new(arguments)?;
        let (kind, hertz, shortest) = match measured(arguments)? {
            Measured::Cpu { hertz } => (ProfileKind::OnCpu, hertz, None),
            Measured::OffCpu { min_duration } => (ProfileKind::OffCpu, 0, Some(min_duration)),
        };
        let next = span("--duration", &arguments.duration)?;
        let last = span("--last", &arguments.last)?;
        // A span that is too long for the message is too long for the agent.
        let time =
            |span: std::time::Duration| prost_types::Duration::try_from(span).unwrap_or_default();
        let frames = match (arguments.kernel, arguments.user) {
            (true, _) => ProfileFrames::KernelFrames,
            (_, true) => ProfileFrames::UserFrames,
            _ => ProfileFrames::AllFrames,
        };
        Ok(Self {
            question: ProfileQuestion {
                kind: kind.into(),
                filter: Some(filter(arguments)?),
                frames: frames.into(),
                threads: outcome.grouping == Grouping::Thread,
                frequency_hz: arguments.frequency.as_ref().map_or(0, |_| hertz),
                min_duration: arguments.min_duration.as_ref().and(shortest).map(time),
                time: match (next, last) {
                    (Some(next), _) => Some(Time::Next(time(next))),
                    (_, Some(last)) => Some(Time::Last(time(last))),
                    _ => None,
                },
            },
            outcome,
            server: arguments
                .server
                .config()
                .and_then(|config| arguments.server.options(&config))?,
        })
    }
}

fn filter(arguments: &ProfilingArguments) -> Result<ProfileFilter, Problem> {
    let (owners, cgroups) = arguments.owner.filter_elsewhere()?;
    let selection = arguments.selection.clone();
    Ok(ProfileFilter {
        pids: owners.pids,
        comms: owners.comms,
        uids: owners.uids,
        cgroups: cgroups.to_vec(),
        namespaces: selection.namespace.unwrap_or_default(),
        pods: selection.pod.unwrap_or_default(),
        labels: selection.selector.unwrap_or_default(),
        workloads: selection.workload.unwrap_or_default(),
        containers: selection.container.unwrap_or_default(),
        nodes: selection.node.unwrap_or_default(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::FromArgMatches;

    use super::*;
    use crate::cli::profile::command;

    const SERVER: [&str; 2] = ["--server", "unix:///x"];

    fn question(typed: &[&str]) -> Result<ProfileQuestion, Problem> {
        let typed = ["profile"].iter().chain(&SERVER).chain(typed);
        let matches = command().try_get_matches_from(typed).unwrap();
        check(&matches)?;
        let arguments = ProfilingArguments::from_arg_matches(&matches).unwrap();
        ElsewhereOptions::new(&arguments).map(|options| options.question)
    }

    #[test]
    fn what_is_typed_is_what_is_asked_for() {
        let asked = question(&["-d", "10s", "--pod", "shop/web-*", "--comm", "nginx", "--user"]);
        let asked = asked.unwrap();
        assert_eq!((asked.kind(), asked.frames()), (ProfileKind::OnCpu, ProfileFrames::UserFrames));
        assert_eq!(asked.time, Some(Time::Next(prost_types::Duration { seconds: 10, nanos: 0 })));
        // What the agent samples at is good, unless somebody says another rate.
        assert_eq!(asked.frequency_hz, 0);
        let filter = asked.filter.unwrap();
        assert_eq!((filter.pods, filter.comms), (vec!["shop/web-*".into()], vec!["nginx".into()]));
        assert_eq!(question(&["-F", "99"]).unwrap().frequency_hz, 99);
        assert!(question(&["--by", "thread"]).unwrap().threads);
        let waits = question(&["--off-cpu", "--last", "60s"]).unwrap();
        assert_eq!((waits.kind(), waits.min_duration), (ProfileKind::OffCpu, None));
        assert!(matches!(waits.time, Some(Time::Last(_))));
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        for typed in [&["--ring", "perf"][..], &["--identity", "off"], &["--kube-context", "x"]] {
            assert!(question(typed).unwrap_err().is_usage, "{typed:?}");
        }
        for typed in [&["--tls"][..], &["--last", "1m"], &["--tls-server-name", "x"]] {
            let matches = command().try_get_matches_from(["profile"].iter().chain(typed)).unwrap();
            let problem = check(&matches).unwrap_err();
            assert!(problem.is_usage && !is_meant(&matches), "{problem}");
        }
    }
}
