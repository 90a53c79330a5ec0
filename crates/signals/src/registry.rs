//! What a signal is to the rest of Chandra.

use std::cell::{Cell, OnceCell};
use std::path::{Path, PathBuf};

use chandra_event::record::{Kind, Record};
use chandra_event::time::Clock;
use chandra_loader::btf::enum_names;
use chandra_loader::clock::wall_minus_boottime_ns;
use chandra_loader::load::Loaded;
use chandra_loader::spec::SignalSpec;

use crate::SIGNALS;

/// A signal: its folder as data.
#[derive(Debug)]
pub struct Signal {
    /// What the loader needs.
    pub spec: SignalSpec,
    /// One line.
    pub summary: &'static str,
    /// On in the default profile.
    pub default: bool,
    /// Which ring class its records belong to.
    pub class: &'static str,
    /// Capabilities its hooks need.
    pub capabilities: &'static [&'static str],
    /// Filters that its probe applies: `pid`, `comm`, `uid`, `cgroup`, `port`.
    pub filters: &'static [&'static str],
    /// Fields its probe can count by, each with its bit.
    pub group_by: &'static [(&'static str, u32)],
    /// Kinds of records with their number in the probe.
    pub kinds: &'static [(&'static str, u32)],
    /// Its verbs under `chandra trace`.
    pub traces: &'static [Trace],
    /// Decodes one record and hands it on; see [`Decode`].
    pub decode: Decode,
    /// Tells of what is there already; see [`Seed`].
    pub seed: Seed,
    /// What the identity of processes and containers lives from: bits of kinds, each with the hook
    /// that emits it. Empty for most signals.
    pub identity: &'static [(u32, &'static str)],
    /// Its records tell which names peers were resolved from.
    pub names_peers: bool,
    /// Bits of the kinds that the agent watches.
    pub agent_kinds: u32,
    /// Says what the `code` of a group means.
    pub code_text: fn(u32, &Context) -> String,
    /// The kinds of records it decodes to.
    pub event_kinds: &'static [&'static Kind],
}

/// Decodes a record's bytes and calls the sink with it, without copying what it can borrow.
pub type Decode = fn(&[u8], &Context, &mut dyn FnMut(&dyn Record)) -> Result<(), DecodeError>;

/// Looks at what is there already once the hooks are attached (running processes, open
/// connections): as records for the sink, or into the probe's own maps. Returns how much was found.
pub type Seed = fn(&Loaded, &Context, &mut dyn FnMut(&dyn Record)) -> usize;

/// A verb under `chandra trace`.
#[derive(Debug)]
pub struct Trace {
    /// Name: `tcp-connect`.
    pub name: &'static str,
    /// One line of help.
    pub summary: &'static str,
    /// Bits of the kinds it shows.
    pub kinds: u32,
    /// Hooks it needs; the first is the one without which it shows nothing.
    pub hooks: &'static [&'static str],
    /// It draws histograms instead of showing records.
    pub histogram: Option<HistogramSpec>,
}

/// Histograms kept in a probe's map `histograms`.
#[derive(Debug)]
pub struct HistogramSpec {
    /// Unit of the values: `ns`.
    pub unit: &'static str,
    /// Names of the operations by their code.
    pub operations: &'static [&'static str],
}

/// What decoding needs besides the bytes; made once per run.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Boot time to wall time.
    pub clock: Cell<Clock>,
    btf: Option<PathBuf>,
    /// The kernel's own names of reset reasons, by number, lower case. Read when the first is met:
    /// the kernel's type information is megabytes, and most runs meet none.
    reset_reasons: OnceCell<Vec<(u32, &'static str)>>,
}

impl Context {
    /// Measures the clocks; `btf` is a custom BTF file for the kernel's names.
    pub fn new(btf: Option<&Path>) -> Self {
        let offset_ns = wall_minus_boottime_ns();
        let clock = Clock { start_offset_ns: offset_ns, offset_ns };
        Self { clock: clock.into(), btf: btf.map(Path::to_owned), ..Self::default() }
    }

    /// Clocks that agree, and these names of reset reasons.
    pub fn with_reset_reasons(names: Vec<(u32, &'static str)>) -> Self {
        Self { reset_reasons: names.into(), ..Self::default() }
    }

    /// The kernel's name of a reset reason.
    pub fn reset_reason(&self, number: u32) -> Option<&'static str> {
        let names = self.reset_reasons.get_or_init(|| reset_reasons(self.btf.as_deref()));
        names.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
    }

    /// Follows the wall clock when it was set.
    pub fn measure_clock(&self) {
        self.clock.set(Clock { offset_ns: wall_minus_boottime_ns(), ..self.clock.get() });
    }

    /// Clocks that agree, and no names.
    #[cfg(test)]
    pub(crate) fn test() -> Self {
        Self::with_reset_reasons(Vec::new())
    }
}

/// Two dozen short names, kept for the whole run: records borrow them freely.
fn reset_reasons(btf: Option<&Path>) -> Vec<(u32, &'static str)> {
    let names = enum_names(btf, "sk_rst_reason").into_iter().map(|(number, name)| {
        let word = name.trim_start_matches("SK_RST_REASON_").to_lowercase();
        (number, &*word.leak())
    });
    names.collect()
}

/// Why a record could not be decoded. It is counted, and the next one is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Fewer bytes than its fields need.
    #[error("a record of {0} bytes is shorter than its fields")]
    Short(usize),
    /// A kind that this build does not know.
    #[error("unknown kind of record {0}")]
    Kind(u32),
    /// A field has a value that it cannot have.
    #[error("{0} has an impossible value")]
    Value(&'static str),
}

/// The signal of this name.
pub fn signal(name: &str) -> Option<&'static Signal> {
    SIGNALS.iter().find(|signal| signal.spec.name == name)
}

/// The verb of this name under `chandra trace`, with its signal.
pub fn trace(name: &str) -> Option<(&'static Signal, &'static Trace)> {
    traces().find(|(_, trace)| trace.name == name)
}

/// All verbs under `chandra trace`.
pub fn traces() -> impl Iterator<Item = (&'static Signal, &'static Trace)> {
    SIGNALS.iter().flat_map(|signal| signal.traces.iter().map(move |trace| (signal, trace)))
}
