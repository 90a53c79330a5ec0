//! The options of `chandra profile`.

use std::path::PathBuf;
use std::time::Duration;

use chandra_doctor::{Check, Problem};
use chandra_identity::selector::Selector;
use chandra_loader::load::Options;
use chandra_loader::sampling::HERTZ;
use chandra_profile::format::Format;
use chandra_profile::owner::Grouping;
use chandra_profiler::What;
use chandra_signals::filter::Filter;
use clap::{Args, ValueEnum};

use super::common::{LoadArguments, bad_value, duration};
use super::identity::{IdentityArguments, IdentityOptions};
use super::selection::{SelectionArguments, checked};
use super::trace::owner_filter;

/// Shown below the help of `chandra profile`.
pub const EXAMPLES: &str = "\
Examples:
  sudo chandra profile -d 10s -o cpu.pb.gz           the whole machine, for go tool pprof and others
  sudo chandra profile -d 30s --pod web-1 -o web.folded
  sudo chandra profile --comm nginx --per-thread     folded stacks on standard output, until Ctrl-C

Stacks are right without frame pointers. One that is not whole begins with why.";

/// The arguments as typed.
#[derive(Debug, Args)]
pub struct ProfileArguments {
    /// End after this time (10s, 500ms, 2m) [default: at Ctrl-C]
    #[arg(short, long, value_name = "TIME")]
    duration: Option<String>,
    /// Samples each second and CPU [default: 99]
    #[arg(short = 'F', long, value_name = "HERTZ")]
    frequency: Option<String>,
    /// Where the profile goes; the name says which format [default: folded stacks on standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What the first frame of each stack says
    #[arg(long, value_enum, default_value_t, value_name = "WHOSE")]
    group_by: Group,
    /// Threads are told apart: the same as --group-by thread
    #[arg(long)]
    per_thread: bool,
    /// Only the kernel's frames
    #[arg(long, conflicts_with = "user")]
    kernel: bool,
    /// Only frames of programs
    #[arg(long)]
    user: bool,
    /// Only these processes
    #[arg(short, long, value_name = "PID", value_delimiter = ',')]
    pid: Vec<String>,
    /// Only processes of this name (15 bytes, as in /proc/PID/comm)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    comm: Vec<String>,
    /// Only processes of these users
    #[arg(long, value_name = "UID", value_delimiter = ',')]
    uid: Vec<String>,
    /// Only processes of this cgroup and those below it (path or id)
    #[arg(long, value_name = "CGROUP", value_delimiter = ',')]
    cgroup: Vec<String>,
    #[command(flatten)]
    selection: SelectionArguments,
    #[command(flatten)]
    identity: IdentityArguments,
    #[command(flatten)]
    load: LoadArguments,
}

/// What the first frame of each stack says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Group {
    /// Nothing: all stacks together.
    None,
    /// The thread.
    Thread,
    /// The process.
    #[default]
    Process,
    /// The container.
    Container,
    /// The pod.
    Pod,
    /// The namespace.
    Namespace,
}

/// What is profiled, and where the profile goes.
#[derive(Debug)]
pub struct ProfileOptions {
    /// When to end; at Ctrl-C when absent.
    pub duration: Option<Duration>,
    /// Where to; standard output when absent.
    pub output: Option<PathBuf>,
    /// As what.
    pub format: Format,
    /// What the first frame of each stack says.
    pub grouping: Grouping,
    /// Which frames.
    pub what: What,
    /// Whose samples the kernel lets through.
    pub filter: Filter,
    /// Of whom samples are taken.
    pub selector: Selector,
    /// Who it is.
    pub identity: IdentityOptions,
    /// Options of loading.
    pub load: Options,
}

impl ProfileOptions {
    /// Checks the arguments.
    pub fn new(arguments: &ProfileArguments) -> Result<Self, Problem> {
        let ProfileArguments { pid, comm, uid, cgroup, .. } = arguments;
        let selector = checked(arguments.selection.selector()?, arguments.identity.identity)?;
        let mut load = arguments.load.options(false)?;
        load.sample_hertz = arguments.frequency.as_deref().map(hertz).transpose()?;
        let format = match &arguments.output {
            Some(path) => format(path)?,
            None => Format::Folded,
        };
        let duration = arguments.duration.as_deref();
        Ok(Self {
            duration: duration.map(|text| self::duration("--duration", text)).transpose()?,
            output: arguments.output.clone(),
            format,
            grouping: match arguments.group_by {
                _ if arguments.per_thread => Grouping::Thread,
                Group::None => Grouping::None,
                Group::Thread => Grouping::Thread,
                Group::Process => Grouping::Process,
                Group::Container => Grouping::Container,
                Group::Pod => Grouping::Pod,
                Group::Namespace => Grouping::Namespace,
            },
            what: match (arguments.kernel, arguments.user) {
                (true, _) => What::Kernel,
                (_, true) => What::User,
                _ => What::All,
            },
            filter: Filter {
                selects_cgroups: selector.asks_for_container(),
                ..owner_filter(pid, comm, uid, cgroup)?
            },
            selector,
            identity: arguments.identity.options(),
            load,
        })
    }
}

fn hertz(text: &str) -> Result<u32, Problem> {
    let hertz = text.parse().ok().filter(|hertz| HERTZ.contains(hertz));
    let why = format!("not a number from {} to {}", HERTZ.start(), HERTZ.end());
    hertz.ok_or_else(|| bad_value("--frequency", text, &why, "--frequency 99"))
}

fn format(path: &std::path::Path) -> Result<Format, Problem> {
    let name = path.to_string_lossy();
    Format::of_name(&name).ok_or_else(|| {
        let ends = Format::ALL.iter().filter_map(|format| format.extensions().first().copied());
        let why = format!(
            "the end of a file's name says what it is to be: {}",
            ends.collect::<Vec<_>>().join(", ")
        );
        let what = format!("cannot tell what {name} is to be");
        Problem::usage(Check::OUTPUT, what, why, "for example: -o cpu.folded")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_numbers_within_bounds() {
        assert_eq!(hertz("99"), Ok(99));
        for wrong in ["0", "-1", "10001", "x", ""] {
            assert!(hertz(wrong).is_err(), "{wrong}");
        }
    }
}
