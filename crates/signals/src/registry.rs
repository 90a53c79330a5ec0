//! What a signal is to the rest of Chandra.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chandra_event::record::{Kind, Record};
use chandra_event::time::Clock;
use chandra_loader::btf::{enum_names, enums};
use chandra_loader::clock::{jiffy_ns, wall_minus_boottime_ns};
use chandra_loader::load::Loaded;
use chandra_loader::spec::SignalSpec;
use chandra_symbols::kernel::KernelSymbols;

use crate::SIGNALS;
use crate::filter::Filter;

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
    /// Why it is told whole whatever it costs; none where it is told in part, and where `identity` says so.
    pub told_whole_because: Option<&'static str>,
    /// What it tells of begins and ends, and is told whole or not at all (`draw_flow` of `governed.h`): nothing of it is
    /// only counted.
    pub drawn_by_flow: bool,
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
    /// What an agent tells Prometheus of it; most signals have nothing that the kernel counts.
    pub metrics: &'static [Metric],
    /// Decodes one record and hands it on; see [`Decode`].
    pub decode: Decode,
    /// Tells of what is there already; see [`Seed`].
    pub seed: Seed,
    /// What the identity of processes and containers lives from: bits of kinds, each with the hook
    /// that emits it. Empty for most signals.
    pub identity: &'static [(u32, &'static str)],
    /// Its records tell which names peers were resolved from.
    pub names_peers: bool,
    /// Names the tracepoints of programs that name none, or says why those are not to be tried; most
    /// signals have no such programs.
    pub tracepoints: Option<Tracepoints>,
    /// Fills its maps by the filter, before it is listened to; most signals have none to fill.
    pub prepare: Option<Prepare>,
    /// Bits of the kinds that an agent watches and prints. What flows are made of, and what rules ask about, it watches
    /// beside.
    pub agent_kinds: u32,
    /// Goes through what its probe remembers, now and then.
    pub sweep: Option<Sweep>,
    /// The map in which its probe remembers flows, where it does.
    pub flow_table: Option<&'static str>,
    /// Says what the `code` of a group means.
    pub code_text: fn(u32, &Context) -> String,
    /// The kinds of records it decodes to.
    pub event_kinds: &'static [&'static Kind],
}

/// How what a probe remembers is gone through.
#[derive(Debug)]
pub struct Sweep {
    /// An iterator, which writes nothing: what it has to say goes through the ring.
    pub hook: &'static str,
    /// How long after the last time; none where the interval of reports says how often.
    pub apart: Option<Duration>,
}

/// Decodes a record's bytes and calls the sink with it, without copying what it can borrow.
pub type Decode = fn(&[u8], &Context, &mut dyn FnMut(&dyn Record)) -> Result<(), DecodeError>;

/// The tracepoints by what the filter asks for, as `syscalls/sys_exit_setns`.
pub type Tracepoints = fn(&Filter) -> Result<Vec<String>, String>;

/// Tells a loaded probe what the filter asks for beyond its configuration; the error is in words.
pub type Prepare = fn(&Loaded, &Filter) -> Result<(), String>;

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
    /// What it counts by where nothing else is asked for; empty for one that shows records, or that draws
    /// one histogram of all.
    pub counted_by: &'static [(&'static str, u32)],
    /// It draws histograms instead of showing records.
    pub histogram: Option<HistogramSpec>,
}

/// Histograms kept in a probe's map `histograms`.
#[derive(Debug)]
pub struct HistogramSpec {
    /// Unit of the values: `ns`.
    pub unit: &'static str,
    /// Names of the operations by their code; none where a group's code is something else.
    pub operations: &'static [&'static str],
    /// A line for each is shown, with how many and how long in all, in place of a drawing.
    pub totals: bool,
}

impl HistogramSpec {
    /// The operation of a code; `None` where codes are none.
    pub fn operation(&self, code: u32) -> Option<&'static str> {
        let known = usize::try_from(code).ok().and_then(|code| self.operations.get(code));
        (!self.operations.is_empty()).then(|| known.copied().unwrap_or("unknown"))
    }
}

/// A family of metrics, of numbers that the kernel keeps.
#[derive(Debug)]
pub struct Metric {
    /// Its name; that of a counter without `_total`.
    pub name: &'static str,
    /// What it is, in a line.
    pub help: &'static str,
    /// Its unit: `seconds` (the kernel's values are nanoseconds then) or `bytes`, or none.
    pub unit: &'static str,
    /// Where its numbers are.
    pub kind: MetricKind,
    /// Names of the codes, where they are told apart; then `operation` is a label.
    pub operations: &'static [&'static str],
    /// Its other labels: fields that the probe counts by, each with its bit.
    pub labels: &'static [(&'static str, u32)],
}

/// Where the numbers of a family are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Sums in the probe's map `groups`.
    Counter,
    /// Histograms in its maps `histograms` and `ungrouped`.
    Histogram,
}

/// What decoding needs besides the bytes; made once per run.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Boot time to wall time.
    pub clock: Cell<Clock>,
    /// How long a jiffy is; 0 where nothing is asked of the kernel.
    pub jiffy_ns: u64,
    btf: Option<PathBuf>,
    /// The kernel's own names of reset reasons, by number, lower case. Read when the first is met:
    /// the kernel's type information is megabytes, and most runs meet none.
    reset_reasons: OnceCell<Vec<(u32, &'static str)>>,
    /// The same of reasons for dropping a packet.
    drop_reasons: OnceCell<Vec<(u32, &'static str)>>,
    /// Places in the kernel's code that were met, by address: few of them ever are.
    places: RefCell<HashMap<u64, Option<&'static str>>>,
    /// The kernel's functions, with when they were read; `None` where nothing is asked of the kernel.
    symbols: Option<RefCell<Option<Symbols>>>,
}

/// When the kernel's functions were read; `None` where it hides them.
type Symbols = (Instant, Option<KernelSymbols>);

/// What is known of modules' functions may be so old.
const SYMBOLS_AGE: Duration = Duration::from_secs(1);

/// So many places are named; those met later are not.
const MAX_PLACES: usize = 1024;

impl Context {
    /// Measures the clocks; `btf` is a custom BTF file for the kernel's names.
    pub fn new(btf: Option<&Path>) -> Self {
        let offset_ns = wall_minus_boottime_ns();
        let clock = Clock { start_offset_ns: offset_ns, offset_ns };
        Self {
            clock: clock.into(),
            jiffy_ns: jiffy_ns(),
            btf: btf.map(Path::to_owned),
            symbols: Some(RefCell::default()),
            ..Self::default()
        }
    }

    /// Clocks that agree, and nothing asked of the kernel: these names are all that there are, of
    /// reset reasons and of drop reasons.
    pub fn with_names(
        reset_reasons: Vec<(u32, &'static str)>,
        drop_reasons: Vec<(u32, &'static str)>,
    ) -> Self {
        Self {
            reset_reasons: reset_reasons.into(),
            drop_reasons: drop_reasons.into(),
            ..Self::default()
        }
    }

    /// The kernel's name of a reset reason.
    pub fn reset_reason(&self, number: u32) -> Option<&'static str> {
        let names = self.reset_reasons.get_or_init(|| reset_reasons(self.btf.as_deref()));
        names.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
    }

    /// The kernel's name of a reason for dropping a packet.
    pub fn drop_reason(&self, number: u32) -> Option<&'static str> {
        let names = self.drop_reasons.get_or_init(|| drop_reasons(self.btf.as_deref()));
        names.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
    }

    /// A place in the kernel's code as `FUNCTION+0xOFFSET`, if the kernel shows where its functions
    /// are. The first costs a look through all of its symbols, some 100 ms, and so does a new one that
    /// is in a module, once a second.
    pub fn place(&self, address: u64) -> Option<&'static str> {
        let mut places = self.places.borrow_mut();
        if let Some(known) = places.get(&address) {
            return *known;
        }
        let mut symbols = self.symbols.as_ref()?.borrow_mut();
        let is_current = symbols.as_ref().is_some_and(|(read, symbols)| {
            let is_lasting = symbols.as_ref().is_some_and(|it| it.is_lasting(address));
            is_lasting || read.elapsed() < SYMBOLS_AGE
        });
        if !is_current {
            *symbols = Some((Instant::now(), KernelSymbols::read().ok()));
        }
        let found = symbols.as_ref().and_then(|(_, symbols)| symbols.as_ref()?.find(address));
        let place = found.map(|it| format!("{}+{:#x}", it.function, address - it.start));
        if places.len() >= MAX_PLACES {
            return None;
        }
        let place = place.map(|place| &*place.leak());
        places.insert(address, place);
        place
    }

    /// Follows the wall clock when it was set.
    pub fn measure_clock(&self) {
        self.clock.set(Clock { offset_ns: wall_minus_boottime_ns(), ..self.clock.get() });
    }

    /// Clocks that agree, and one name.
    #[cfg(test)]
    pub(crate) fn test() -> Self {
        Self::with_names(Vec::new(), vec![(12, "netfilter_drop")])
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

/// Those of the core, and those of subsystems, which have an enum of their own; kept for the whole run.
fn drop_reasons(btf: Option<&Path>) -> Vec<(u32, &'static str)> {
    let enums = enums(btf, |name| name.ends_with("drop_reason"));
    enums
        .into_iter()
        .flat_map(|(name, names)| named_drop_reasons(name == CORE_REASONS, names))
        .collect()
}

const CORE_REASONS: &str = "skb_drop_reason";

/// A subsystem's reasons have its number in the upper half.
fn named_drop_reasons(
    is_core: bool,
    names: Vec<(u32, String)>,
) -> impl Iterator<Item = (u32, &'static str)> {
    let names = names.into_iter().filter(move |(number, _)| is_core || number >> 16 != 0);
    names.map(move |(number, name)| {
        let heads = ["SKB_DROP_REASON_", "SKB_"].into_iter();
        let word = heads.filter(|_| is_core).find_map(|head| name.strip_prefix(head));
        (number, &*word.unwrap_or(&name).to_lowercase().leak())
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_reasons_of_subsystems_stand_beside_those_of_the_core() {
        let named = |is_core, names: &[(u32, &str)]| {
            let names = names.iter().map(|(number, name)| (*number, (*name).to_owned()));
            named_drop_reasons(is_core, names.collect()).collect::<Vec<_>>()
        };
        let core = [(1, "SKB_CONSUMED"), (12, "SKB_DROP_REASON_NETFILTER_DROP")];
        assert_eq!(named(true, &core), [(1, "consumed"), (12, "netfilter_drop")]);
        let other = [(3, "OTHER_THING"), (0x3_0001, "OVS_DROP_LAST_ACTION")];
        assert_eq!(named(false, &other), [(0x3_0001, "ovs_drop_last_action")]);
    }
}
