//! The options of `chandra profile`: of this machine, or of another's agent ([`elsewhere`]).

pub mod elsewhere;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chandra_doctor::{Check, Problem};
use chandra_identity::selector::Selector;
use chandra_loader::load::Options;
use chandra_loader::sampling::{HERTZ, SAMPLE_HERTZ};
use chandra_profile::format::Format;
use chandra_profile::owner::Grouping;
use chandra_profiler::What;
use chandra_signals::filter::Filter;
use chandra_signals::off_cpu::MIN_DURATION;
use clap::Args;

use super::common::{LoadArguments, bad_value, duration};
use super::hubble_server::ServerArguments;
use super::identity::{IdentityArguments, IdentityOptions};
use super::owner::OwnerArguments;
use super::profile::{By, unknown_format};
use super::selection::{SelectionArguments, checked};

/// The arguments as typed.
#[derive(Debug, Args)]
pub struct ProfilingArguments {
    /// End after this time (10s, 500ms, 2m) [default: at Ctrl-C]
    #[arg(short, long, value_name = "TIME")]
    duration: Option<String>,
    /// Where threads wait, and how long, instead of what runs
    #[arg(long)]
    off_cpu: bool,
    /// Only waits that take so long (100us, 5ms) [default: 1ms]
    #[arg(long, value_name = "TIME")]
    min_duration: Option<String>,
    /// Samples each second and CPU [default: 99]
    #[arg(short = 'F', long, value_name = "HERTZ")]
    frequency: Option<String>,
    /// Where the profile goes; the name says which format [default: folded stacks on standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Whose stacks are apart: the first frame of each says whose it is [default: process]
    #[arg(long, value_enum, value_name = "WHOSE")]
    by: Option<By>,
    /// Threads are told apart: the same as --by thread
    #[arg(long)]
    per_thread: bool,
    /// Only the kernel's frames
    #[arg(long, conflicts_with = "user")]
    kernel: bool,
    /// Only frames of programs
    #[arg(long)]
    user: bool,
    /// With --server: what its agent keeps of so long a time until now, instead of what comes
    #[arg(long, value_name = "TIME", conflicts_with = "duration")]
    last: Option<String>,
    /// Profile also on a kernel that is known to come to harm by it
    #[arg(long)]
    on_bad_kernel: bool,
    #[command(flatten)]
    owner: OwnerArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    #[command(flatten)]
    identity: IdentityArguments,
    #[command(flatten)]
    load: LoadArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// What a profile is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// What runs, so often a second on each CPU.
    Cpu {
        /// The rate.
        hertz: u32,
    },
    /// Where threads wait.
    OffCpu {
        /// Shorter waits are not told.
        min_duration: Duration,
    },
}

impl Measured {
    /// The signal that measures it.
    pub fn signal(self) -> &'static str {
        match self {
            Self::Cpu { .. } => "cpu_profile",
            Self::OffCpu { .. } => "off_cpu",
        }
    }
}

/// Where a profile goes, and as what.
#[derive(Debug)]
pub struct Outcome {
    /// Where to; - is standard output.
    pub output: PathBuf,
    /// As what.
    pub format: Format,
    /// What the first frame of each stack says.
    pub grouping: Grouping,
}

impl Outcome {
    fn new(arguments: &ProfilingArguments) -> Result<Self, Problem> {
        let format = match &arguments.output {
            Some(path) if path != Path::new("-") => format(path)?,
            _ => Format::Folded,
        };
        Ok(Self {
            output: arguments.output.clone().unwrap_or_else(|| PathBuf::from("-")),
            format,
            grouping: match arguments.by {
                _ if arguments.per_thread => Grouping::Thread,
                by => by.unwrap_or(By::Process).into(),
            },
        })
    }
}

/// What is profiled, and where the profile goes.
#[derive(Debug)]
pub struct ProfilingOptions {
    /// When to end; at Ctrl-C when absent.
    pub duration: Option<Duration>,
    /// Where the profile goes, and as what.
    pub outcome: Outcome,
    /// Which frames.
    pub what: What,
    /// Also on a kernel that is known to come to harm by it.
    pub on_bad_kernel: bool,
    /// What is measured.
    pub measured: Measured,
    /// Whose samples the kernel lets through.
    pub filter: Filter,
    /// Of whom samples are taken.
    pub selector: Selector,
    /// Who it is.
    pub identity: IdentityOptions,
    /// Options of loading.
    pub load: Options,
}

impl ProfilingOptions {
    /// Checks the arguments.
    pub fn new(arguments: &ProfilingArguments) -> Result<Self, Problem> {
        let selector = checked(arguments.selection.selector()?, arguments.identity.identity)?;
        let mut load = arguments.load.options(false)?;
        let measured = measured(arguments)?;
        if let Measured::Cpu { hertz } = measured {
            load.sample_hertz = Some(hertz);
        }
        Ok(Self {
            duration: span("--duration", &arguments.duration)?,
            outcome: Outcome::new(arguments)?,
            what: match (arguments.kernel, arguments.user) {
                (true, _) => What::Kernel,
                (_, true) => What::User,
                _ => What::All,
            },
            on_bad_kernel: arguments.on_bad_kernel,
            measured,
            filter: Filter {
                min_duration: match measured {
                    Measured::OffCpu { min_duration } => Some(min_duration),
                    Measured::Cpu { .. } => None,
                },
                selects_cgroups: selector.asks_for_container(),
                ..arguments.owner.filter()?
            },
            selector,
            identity: arguments.identity.options(),
            load,
        })
    }
}

fn measured(arguments: &ProfilingArguments) -> Result<Measured, Problem> {
    let (frequency, shortest) = (&arguments.frequency, &arguments.min_duration);
    match (arguments.off_cpu, frequency, shortest) {
        (true, Some(_), _) => Err(Problem::usage(
            Check::USAGE,
            "--off-cpu has no frequency",
            "waits are not sampled by a clock: each that is long enough is told, with its length",
            "--min-duration 5ms for fewer of them",
        )),
        (false, _, Some(_)) => Err(Problem::usage(
            Check::USAGE,
            "--min-duration is of waits",
            "what runs is sampled by a clock, and a sample has no duration",
            "--off-cpu with it, or --frequency without",
        )),
        (true, None, shortest) => {
            let shortest = shortest.as_deref();
            let shortest = shortest.map(|text| duration("--min-duration", text)).transpose()?;
            Ok(Measured::OffCpu { min_duration: shortest.unwrap_or(MIN_DURATION) })
        }
        (false, frequency, None) => {
            let rate = frequency.as_deref().map(hertz).transpose()?;
            Ok(Measured::Cpu { hertz: rate.unwrap_or(SAMPLE_HERTZ) })
        }
    }
}

fn span(option: &str, text: &Option<String>) -> Result<Option<Duration>, Problem> {
    text.as_deref().map(|text| duration(option, text)).transpose()
}

fn hertz(text: &str) -> Result<u32, Problem> {
    let hertz = text.parse().ok().filter(|hertz| HERTZ.contains(hertz));
    let why = format!("not a number from {} to {}", HERTZ.start(), HERTZ.end());
    hertz.ok_or_else(|| bad_value("--frequency", text, &why, "--frequency 99"))
}

fn format(path: &Path) -> Result<Format, Problem> {
    let format = Format::of_name(&path.to_string_lossy());
    format.ok_or_else(|| unknown_format(path, &Format::ALL))
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
