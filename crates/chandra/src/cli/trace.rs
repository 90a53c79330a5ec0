//! The options of `chandra trace VERB`.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chandra_doctor::{Check, Problem};
use chandra_identity::selector::Selector;
use chandra_loader::budget::Budget;
use chandra_loader::load::Options;
use chandra_loader::path_selection::{PREFIX_BYTES, Prefix, path_access};
use chandra_signals::Signal;
use chandra_signals::filter::Filter;
use chandra_signals::registry::{Trace, trace};
use chandra_signals::system_call::calls::{self, Call};
use clap::{Args, Command};

use super::budget::budgets;
use super::common::{Format, LoadArguments, bad_value, duration, numbers};
use super::identity::{IdentityArguments, IdentityOptions};
use super::owner::OwnerArguments;
use super::selection::{SelectionArguments, checked};

/// Shown below the help of `chandra trace`.
pub const EXAMPLES: &str = "\
Examples:
  chandra trace exec                              every program that is started
  chandra trace tcp-connect --comm curl -o wide   whom curl talks to
  chandra trace tcp-retransmit --by comm          retransmits by process, counted in the kernel
  chandra trace vfs-latency --duration 10s        how long reads and writes take

Without --duration or --count it runs until Ctrl-C.";

/// The arguments as typed.
#[derive(Debug, Args)]
pub struct TraceArguments {
    /// How output looks
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    /// End after this time (10s, 500ms, 2m)
    #[arg(short, long, value_name = "TIME")]
    duration: Option<String>,
    /// End after this many records
    #[arg(short, long, value_name = "N")]
    count: Option<String>,
    #[command(flatten)]
    owner: OwnerArguments,
    /// Only connections with this port at either end
    #[arg(long, value_name = "PORT", value_delimiter = ',')]
    port: Vec<String>,
    /// Only files whose path begins so, as the kernel resolved it
    #[arg(long, value_name = "PATH")]
    path: Vec<PathBuf>,
    /// Only these system calls
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    call: Vec<String>,
    /// Count by these fields in the kernel, and show counts instead of records
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    by: Vec<String>,
    /// Show these kinds of records instead of the verb's own
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// Records a second that a cgroup may send, or default, which is what an agent takes; what is beyond
    /// is counted [default: off]
    #[arg(long, env = "CHANDRA_EVENT_BUDGET", value_name = "RATE", value_delimiter = ',')]
    event_budget: Vec<String>,
    #[command(flatten)]
    selection: SelectionArguments,
    #[command(flatten)]
    identity: IdentityArguments,
    #[command(flatten)]
    load: LoadArguments,
}

/// Help that lists what this verb takes, and leaves out what it does not.
pub fn fit_help(command: Command, signal: &Signal, verb: &Trace) -> Command {
    let names =
        |of: &[(&str, u32)]| of.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let by = format!("Count in the kernel by these fields: {}", names(signal.group_by));
    let types = format!("Show these types instead of the verb's own: {}", names(signal.kinds));
    let filters = ["pid", "comm", "uid", "cgroup", "port", "path", "call"].into_iter();
    let mut command =
        command.mut_arg("by", |arg| arg.help(by)).mut_arg("types", |arg| arg.help(types));
    for filter in filters.filter(|filter| !signal.filters.contains(filter)) {
        command = command.mut_arg(filter, |arg| arg.hide(true));
    }
    if signal.spec.records_per_second.is_none() {
        command = command.mut_arg("event_budget", |arg| arg.hide(true));
    }
    if verb.histogram.is_some() {
        command =
            command.mut_arg("types", |arg| arg.hide(true)).mut_arg("count", |arg| arg.hide(true));
    }
    command
}

/// What is traced, and how it is shown.
#[derive(Debug)]
pub struct TraceOptions {
    /// The signal.
    pub signal: &'static Signal,
    /// The verb.
    pub verb: &'static Trace,
    /// Hooks to attach; the first is essential.
    pub hooks: Vec<&'static str>,
    /// Bits of the kinds that are shown.
    pub kinds: u32,
    /// Fields to count by, with their bits.
    pub by: Vec<(&'static str, u32)>,
    /// What passes.
    pub filter: Filter,
    /// How output looks.
    pub format: Format,
    /// When to end.
    pub duration: Option<Duration>,
    /// After how many records to end.
    pub count: Option<u64>,
    /// Of whom records are shown.
    pub selector: Selector,
    /// Who did it.
    pub identity: IdentityOptions,
    /// Options of loading.
    pub load: Options,
}

impl TraceOptions {
    /// Checks the arguments of a verb.
    pub fn new(name: &str, arguments: &TraceArguments) -> Result<Self, Problem> {
        let (signal, verb) = trace(name).ok_or_else(|| {
            Problem::usage(
                Check::USAGE,
                format!("there is no verb {name:?}"),
                "no signal offers it",
                "chandra trace --help",
            )
        })?;
        let others = [
            ("port", arguments.port.is_empty()),
            ("path", arguments.path.is_empty()),
            ("call", arguments.call.is_empty()),
        ];
        let mut given = arguments.owner.are_empty().into_iter().chain(others);
        let foreign = given.find(|(name, is_empty)| !is_empty && !signal.filters.contains(name));
        if let Some((filter, _)) = foreign {
            return Err(Problem::usage(
                Check::FILTERS,
                format!("chandra trace {name} cannot filter by --{filter}"),
                format!("signal {} filters by: {}", signal.spec.name, signal.filters.join(", ")),
                format!("chandra trace {name} --help"),
            ));
        }
        let only_counts = verb.histogram.is_some() || !verb.counted_by.is_empty();
        if only_counts && !arguments.types.is_empty() {
            return Err(Problem::usage(
                Check::USAGE,
                format!("chandra trace {name} has no --type"),
                "it shows what the kernel counts, not records",
                format!("chandra trace {name} --help"),
            ));
        }
        let (kinds, hooks) = kinds_and_hooks(signal, verb, &arguments.types)?;
        let selector = checked(arguments.selection.selector()?, arguments.identity.identity)?;
        Ok(Self {
            signal,
            verb,
            hooks,
            kinds,
            by: match &arguments.by[..] {
                [] => verb.counted_by.to_vec(),
                names => group_by(signal, names)?,
            },
            filter: Filter { selects_cgroups: selector.asks_for_container(), ..filter(arguments)? },
            selector,
            format: arguments.output,
            duration: arguments
                .duration
                .as_deref()
                .map(|text| duration("--duration", text))
                .transpose()?,
            count: arguments.count.as_deref().map(count).transpose()?,
            identity: arguments.identity.options(),
            load: Options {
                budgets: budgets(&arguments.event_budget, Budget::Off)?,
                ..arguments.load.options(true)?
            },
        })
    }

    /// Identity lives from what is traced: such a signal, unfiltered.
    pub fn teaches(&self) -> bool {
        !self.signal.identity.is_empty() && self.filter == Filter::default()
    }

    /// Kinds are shown that no hook sends: what is there at start.
    pub fn shows_what_runs(&self) -> bool {
        let sent = self.signal.identity.iter().fold(0, |kinds, (kind, _)| kinds | kind);
        self.kinds & !sent != 0
    }

    /// What identity need not ask for because it is traced: the bits of its kinds.
    pub fn known(&self) -> u32 {
        if self.teaches() { self.kinds } else { 0 }
    }
}

fn count(text: &str) -> Result<u64, Problem> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| bad_value("--count", text, "not a number from 1", "--count 10"))
}

fn filter(arguments: &TraceArguments) -> Result<Filter, Problem> {
    Ok(Filter {
        ports: numbers(
            "--port",
            &arguments.port,
            1..=u16::MAX,
            "no port: a number from 1 to 65535",
            "--port 443",
        )?,
        paths: arguments.path.iter().map(|path| prefix(path)).collect::<Result<_, _>>()?,
        calls: arguments.call.iter().map(|name| call(name)).collect::<Result<_, _>>()?,
        ..arguments.owner.filter()?
    })
}

fn call(name: &str) -> Result<&'static Call, Problem> {
    calls::by_name(name).ok_or_else(|| {
        let names: Vec<_> = calls::CALLS.iter().map(|call| call.name).collect();
        let why = format!("no system call that can be watched; there are: {}", names.join(", "));
        bad_value("--call", name, &why, "--call setns,unshare")
    })
}

fn prefix(path: &Path) -> Result<Prefix, Problem> {
    let bytes = path.as_os_str().as_bytes();
    let accesses = path_access::PATH_ACCESS_READ
        | path_access::PATH_ACCESS_WRITE
        | path_access::PATH_ACCESS_NONE;
    let why = match bytes.first() {
        Some(b'/') if bytes.len() <= PREFIX_BYTES => {
            return Ok(Prefix { path: bytes.to_vec(), accesses });
        }
        Some(b'/') => "longer than the 128 bytes that are compared",
        _ => "no absolute path",
    };
    Err(bad_value("--path", &path.to_string_lossy(), why, "--path /etc/"))
}

fn group_by(signal: &Signal, names: &[String]) -> Result<Vec<(&'static str, u32)>, Problem> {
    let known = |name: &String| {
        let field = signal.group_by.iter().find(|(known, _)| known == name);
        field.copied().ok_or_else(|| {
            let names: Vec<_> = signal.group_by.iter().map(|(name, _)| *name).collect();
            let why = format!(
                "not a field that the kernel counts by here; there are: {}",
                names.join(", ")
            );
            bad_value("--by", name, &why, &format!("--by {}", names.first().unwrap_or(&"comm")))
        })
    };
    names.iter().map(known).collect()
}

/// The verb's own kinds and hooks, or those that the named types need: all hooks of the signal, as
/// which of them emits which kind is the probe's affair.
fn kinds_and_hooks(
    signal: &'static Signal,
    verb: &Trace,
    types: &[String],
) -> Result<(u32, Vec<&'static str>), Problem> {
    if types.is_empty() {
        return Ok((verb.kinds, verb.hooks.to_vec()));
    }
    let mut kinds = 0;
    for name in types {
        let kind = signal.kinds.iter().find(|(known, _)| known == name);
        let (_, number) = kind.ok_or_else(|| {
            let names: Vec<_> = signal.kinds.iter().map(|(name, _)| *name).collect();
            let why =
                format!("no type of signal {}; there are: {}", signal.spec.name, names.join(", "));
            bad_value("--type", name, &why, &format!("--type {}", names.first().unwrap_or(&"exec")))
        })?;
        kinds |= 1 << number;
    }
    let others = signal.spec.hooks.iter().map(|hook| hook.name);
    let mut hooks = verb.hooks.to_vec();
    hooks.extend(others.filter(|name| !verb.hooks.contains(name)));
    Ok((kinds, hooks))
}
