//! One signal, loaded and attached, and the way its records take to a sink; `trace` and the agent
//! both stand on this.

use std::sync::atomic::{AtomicU64, Ordering};

use chandra_doctor::{Check, Problem};
use chandra_event::record::Record;
use chandra_loader::load::{LoadError, Loaded, Options, Request, load};
use chandra_loader::path_selection;
use chandra_loader::ring::{self, Reader};
use chandra_loader::verdict::{HookVerdict, Verdict};
use chandra_loader::{LibbpfError, MapHandle};
use chandra_signals::filter::Filter;
use chandra_signals::{Context, Signal, hierarchies};

/// The class of signals whose records have stacks, which are counted, not told one by one.
pub const STACKS: &str = "stacks";

/// What is watched of a signal.
#[derive(Debug)]
pub struct Watch<'a> {
    /// The signal.
    pub signal: &'static Signal,
    /// Hooks to attach.
    pub hooks: &'a [&'static str],
    /// Bits of the kinds of records that are wanted.
    pub kinds: u32,
    /// Bits of the fields to count by in the kernel; 0 to send records.
    pub group_by: u32,
    /// What passes.
    pub filter: &'a Filter,
}

/// Loads and attaches what is watched.
pub fn start(watch: &Watch<'_>, options: &Options) -> Result<Loaded, Problem> {
    let config = watch.filter.config(watch.kinds, watch.group_by);
    let mut config = config.map_err(|error| {
        Problem::usage(
            Check::FILTERS,
            "the filter does not fit into a probe",
            error,
            "give fewer or shorter values",
        )
    })?;
    config.has_v1_cgroups = u8::from(hierarchies::has_v1_controllers());
    let tracepoints = watch.signal.tracepoints.map_or(Ok(Vec::new()), |named| named(watch.filter));
    let request = Request {
        spec: &watch.signal.spec,
        hooks: watch.hooks,
        config,
        map_entries: &[],
        tracepoints: tracepoints.as_deref().map_err(String::as_str),
        options,
    };
    let loaded = load(&request).map_err(|error| problem(watch.signal.spec.name, &error))?;
    if !watch.filter.paths.is_empty() {
        path_selection::select(&loaded, &watch.filter.paths).map_err(|error| {
            let next = "give fewer paths, or a shorter one that the others begin with";
            Problem::usage(Check::FILTERS, "the paths do not fit into a probe", error, next)
        })?;
    }
    if let Some(prepare) = watch.signal.prepare {
        prepare(&loaded, watch.filter).map_err(|error| {
            let what = format!("cannot tell signal {} what is wanted", loaded.name);
            Problem::new(
                Check::VERIFIER,
                what,
                error,
                "report this with the kernel's version (uname -r)",
            )
        })?;
    }
    Ok(loaded)
}

/// What becomes of records after the ring: `decoded = delivered + shed`, and what is no record.
#[derive(Debug, Default)]
pub struct Received {
    /// Decoded and handed to the sink.
    pub decoded: AtomicU64,
    /// Could not be decoded.
    pub decode_errors: AtomicU64,
    /// Of those decoded: there to learn from, not for the sink.
    pub learnt: AtomicU64,
    /// Of those decoded: of nobody who is selected.
    pub not_selected: AtomicU64,
}

impl Received {
    /// Decodes one record of a signal into `sink`, and counts it.
    pub fn decode(
        &self,
        signal: &Signal,
        bytes: &[u8],
        context: &Context,
        sink: &mut dyn FnMut(&dyn Record),
    ) {
        match (signal.decode)(bytes, context, sink) {
            Ok(()) => count(&self.decoded),
            Err(_) => count(&self.decode_errors),
        }
    }

    /// Counts a record of somebody who is not selected.
    pub fn count_not_selected(&self) {
        count(&self.not_selected);
    }

    /// Counts a record that no sink gets.
    pub fn count_learnt(&self) {
        count(&self.learnt);
    }
}

/// Reads a loaded signal's records; `on_record` gets the bytes of each. From now on there are some.
pub fn reader<'a>(
    signal: &Signal,
    loaded: &Loaded,
    on_record: impl FnMut(&[u8]) + 'a,
) -> Result<Reader<'a>, Problem> {
    let events = loaded.map("events");
    let events = events.ok_or_else(|| ring_problem(loaded.name, &"the object has no ring"))?;
    let reader = Reader::new(&events, loaded.ring_bytes, on_record)
        .map_err(|error| ring_problem(loaded.name, &error))?;
    let reader = if signal.class == STACKS { reader.unhurried() } else { reader };
    let announced = reader_state(loaded).and_then(|state| reader.announce(state));
    announced.map_err(|error| ring_problem(loaded.name, &error))
}

/// Lets a loaded signal count from now on, where no [`reader`] does.
pub fn listen(loaded: &Loaded) -> Result<(), Problem> {
    let listening = reader_state(loaded).and_then(|state| ring::listen(&state));
    listening.map_err(|error| ring_problem(loaded.name, &error))
}

fn reader_state(loaded: &Loaded) -> Result<MapHandle, LibbpfError> {
    let map = loaded.map("reader");
    let map =
        map.ok_or_else(|| LibbpfError::from(std::io::Error::from(std::io::ErrorKind::NotFound)))?;
    MapHandle::try_from(&map)
}

/// Each counter has one writer.
fn count(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// The problem of a ring that cannot be read.
pub fn ring_problem(signal: &str, error: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        Check::RING,
        format!("cannot read the records of signal {signal}"),
        error,
        "try a smaller ring (--ring-size 256k) or the other kind (--ring perf)",
    )
}

/// `exec tp_btf, exit tp_btf, running unsupported`.
pub fn hooks_text(hooks: &[HookVerdict]) -> String {
    let wanted = hooks.iter().filter(|hook| hook.verdict != Verdict::Off);
    let texts = wanted.map(|hook| match &hook.verdict {
        Verdict::Active(rung) => format!("{} by {rung}", hook.hook),
        verdict => format!("{} {}", hook.hook, verdict.word()),
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// The problem of a hook that is not active.
pub fn hook_problem(signal: &str, hook: &HookVerdict) -> Option<Problem> {
    if matches!(hook.verdict, Verdict::Active(_) | Verdict::Off) {
        return None;
    }
    let why = hook.refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let (check, next) = if why.contains("lacks CAP_") {
        (
            Check::CAPABILITIES,
            "grant what is missing; chandra doctor --capabilities says what is needed",
        )
    } else {
        (Check::LADDER, "see docs/reference/kernels.md for the kernels it is proven on")
    };
    let what =
        format!("hook {} of signal {signal} is {} on this kernel", hook.hook, hook.verdict.word());
    Some(Problem::new(check, what, why, next))
}

fn problem(signal: &str, error: &LoadError) -> Problem {
    let what = format!("cannot load signal {signal}");
    match error {
        LoadError::NoBtf(_) => Problem::new(
            Check::BTF,
            what,
            format!(
                "{error}.\nBTF is the kernel's description of its own types (CONFIG_DEBUG_INFO_BTF=y); \
                 probes are fitted to the running kernel with it"
            ),
            "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, or name a BTF file for this kernel: --btf FILE",
        ),
        LoadError::NotPermitted { missing, .. } => Problem::new(
            Check::CAPABILITIES,
            what,
            format!("{error}.\nThis process lacks {}", missing.join(" and ")),
            "run it as root (sudo chandra …), or grant CAP_BPF and CAP_PERFMON",
        ),
        LoadError::Map { errno, .. } if *errno == EPERM => memlock(what, error),
        // Of rights nothing is missing, so that it is the limit which libbpf's words name.
        LoadError::Object { words, .. } if words.contains("RLIMIT_MEMLOCK") => memlock(what, error),
        LoadError::Map { .. } => {
            Problem::new(Check::RING, what, error, "use a smaller ring: --ring-size 256k")
        }
        LoadError::Object { .. } => Problem::new(
            Check::VERIFIER,
            what,
            error,
            "report this with the kernel's version (uname -r); other signals are not affected",
        ),
    }
}

fn memlock(what: String, error: &LoadError) -> Problem {
    Problem::new(
        Check::MEMLOCK,
        what,
        error,
        "raise the limit on locked memory (ulimit -l unlimited), or use a smaller ring: --ring-size 256k",
    )
}

const EPERM: i32 = 1;
