//! Opens, loads and attaches one signal: the attach ladder by real trial.
//!
//! Every wanted hook starts on its best rung. The object is loaded with just the programs of the
//! chosen rungs; a program that the kernel refuses moves its hook one rung down, and the object is
//! loaded anew. Then each hook is attached; a refusal there moves it down too. A hook that runs out
//! of rungs gets its verdict and the rest goes on without it.
//!
//! Hooks on functions are the ones that kernels refuse, so their programs are tried alone first:
//! that costs a few milliseconds where the whole object costs tens.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use libbpf_rs::query::LinkTypeInfo;
use libbpf_rs::{Iter, Map, MapCore, MapType, Object};

use crate::abi::Config;
use crate::btf::{self, NoBtf};
use crate::budget::Budgets;
use crate::kernel_log;
use crate::ladder::{self, Candidate};
use crate::memory;
use crate::object::{self, Attachment};
use crate::ring::{self, RingChoice};
use crate::sampling::{self, SAMPLE_HERTZ};
use crate::selection::{self, Selection};
use crate::spec::{Hook, SignalSpec};
use crate::verdict::{HookVerdict, Verdict};

/// Options that hold for all signals.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// BTF to relocate against instead of the kernel's own.
    pub btf: Option<PathBuf>,
    /// How records cross.
    pub ring: RingChoice,
    /// Bytes of the ring (of all perf buffers together); scaled to the machine when absent.
    pub ring_bytes: Option<usize>,
    /// How often probes tell of what goes on, where they do; 30 seconds when absent.
    pub interval: Option<Duration>,
    /// Rungs on the path of every packet are tried, too.
    pub packet_hooks: bool,
    /// How often a second each CPU is sampled, by signals that do; [`SAMPLE_HERTZ`] when absent.
    pub sample_hertz: Option<u32>,
    /// What each cgroup may send.
    pub budgets: Budgets,
}

/// How often probes tell of what goes on.
const INTERVAL: Duration = Duration::from_secs(30);

impl Options {
    /// How often probes tell of what goes on.
    pub fn interval(&self) -> Duration {
        self.interval.unwrap_or(INTERVAL)
    }

    /// How often a second each CPU is sampled.
    pub fn sample_hertz(&self) -> u32 {
        self.sample_hertz.unwrap_or(SAMPLE_HERTZ)
    }
}

/// What is asked of one signal.
#[derive(Debug)]
pub struct Request<'a> {
    /// The signal.
    pub spec: &'a SignalSpec,
    /// Names of the wanted hooks.
    pub hooks: &'a [&'a str],
    /// The probe's configuration; the loader sets what concerns the ring.
    pub config: Config,
    /// Maps to resize: name and number of entries.
    pub map_entries: &'a [(&'a str, u32)],
    /// Where the programs go that name no tracepoints themselves, or why those are not to be tried.
    pub tracepoints: Result<&'a [String], &'a str>,
    /// Options of the run.
    pub options: &'a Options,
}

/// Why a signal could not be loaded at all. A refused hook is not an error but a verdict.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is nothing to relocate against.
    #[error(transparent)]
    NoBtf(#[from] NoBtf),
    /// Rights are missing.
    #[error("the kernel refused {what}: {words}")]
    NotPermitted {
        /// What was refused.
        what: String,
        /// The kernel's words.
        words: String,
        /// Capabilities that this process lacks.
        missing: Vec<&'static str>,
    },
    /// A map could not be made.
    #[error("the kernel refused a map: {words} (errno {errno})")]
    Map {
        /// libbpf's words.
        words: String,
        /// errno.
        errno: i32,
    },
    /// The object itself was refused.
    #[error("the object of signal {signal} was refused: {words}")]
    Object {
        /// The signal.
        signal: &'static str,
        /// libbpf's words.
        words: String,
    },
}

/// A loaded signal. Dropping it detaches everything.
#[derive(Debug)]
pub struct Loaded {
    /// The signal's name.
    pub name: &'static str,
    /// A verdict for each hook of the signal, in its order.
    pub hooks: Vec<HookVerdict>,
    /// Bytes of its ring.
    pub ring_bytes: usize,
    /// How often its probes tell of what goes on.
    pub interval: Duration,
    pub(crate) ladders: &'static [Hook],
    pub(crate) options: Options,
    pub(crate) tracepoints: Vec<String>,
    pub(crate) is_over: bool,
    /// CPUs that came and went, of clocks that are gone.
    cpu_changes: sampling::Changes,
    selection: Option<Selection>,
    // They go before the object they hold on to.
    pub(crate) attachments: Vec<(&'static str, Attachment)>,
    pub(crate) object: Object,
}

impl Loaded {
    /// The loaded object, for its maps.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// Runs the iterator that serves `hook` from beginning to end; what it writes goes to `out`.
    ///
    /// # Errors
    /// When the hook is not active, or what the kernel says while it runs: `WouldBlock` where the iterator has more
    /// to tell than its ring has room for.
    pub fn iterate(&self, hook: &str, out: &mut Vec<u8>) -> io::Result<()> {
        let attachment = self.attachments.iter().find(|(name, _)| *name == hook);
        let link = attachment.and_then(|(_, attachment)| attachment.link());
        let link = link.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Iter::new(link).map_err(io::Error::other)?.read_to_end(out).map(drop)
    }

    /// One of its maps, by name.
    pub fn map(&self, name: &str) -> Option<Map<'_>> {
        self.object.maps().find(|map| map.name() == name)
    }

    /// Decides whose records its probes let through, if it was loaded with `selects_cgroups`.
    pub fn selection(&self) -> Option<Selection> {
        self.selection.clone()
    }

    /// Lets probes send from now on, before there is a reader, so that nothing is missed of what
    /// changes while its beginning is looked at. A ring keeps what it is given; a perf buffer without
    /// a reader loses it, and is left alone.
    ///
    /// # Errors
    /// What the kernel says when told so.
    pub fn listen_early(&self) -> Result<(), libbpf_rs::Error> {
        let keeps = self.map("events").is_some_and(|events| events.map_type() == MapType::RingBuf);
        match self.map("reader").filter(|_| keeps) {
            Some(reader) => ring::listen(&reader),
            None => Ok(()),
        }
    }

    /// A hook is not attached any more: somebody detached a link of a cgroup, or removed the cgroup.
    pub fn has_lost_hook(&self) -> bool {
        self.attachments.iter().any(|(_, attachment)| is_detached(attachment))
    }

    /// Hooks that are not attached any more have failed from now on.
    pub fn give_up_lost_hooks(&mut self) {
        let Self { attachments, hooks, .. } = self;
        let lost = attachments.extract_if(.., |(_, attachment)| is_detached(attachment));
        let lost: Vec<_> = lost.map(|(hook, _)| hook).collect();
        for hook in hooks.iter_mut().filter(|hook| lost.contains(&hook.hook)) {
            hook.verdict = Verdict::Failed(DETACHED.to_owned());
        }
    }

    /// Detaches all hooks for good, but keeps maps and rings, so that what is under way can be drained.
    pub fn detach(&mut self) {
        self.is_over = true;
        self.cpu_changes = self.cpu_changes();
        self.attachments.clear();
    }

    /// CPUs that came and went while it was sampled there.
    pub fn cpu_changes(&self) -> sampling::Changes {
        let live = self.attachments.iter().find_map(|(_, attachment)| match attachment {
            Attachment::Sampling { clocks } => Some(clocks.changes()),
            _ => None,
        });
        let sampling::Changes { came, went } = self.cpu_changes;
        live.map_or(self.cpu_changes, |live| sampling::Changes {
            came: came + live.came,
            went: went + live.went,
        })
    }
}

/// What became of a hook that worked.
const DETACHED: &str = "it was attached, and somebody detached it, or removed its cgroup";

/// A link that holds on to a program which runs nowhere any more: its cgroup has no id then (bpf(2),
/// `BPF_OBJ_GET_INFO_BY_FD`). The kernel detaches no link of the other kinds before its owner does.
fn is_detached(attachment: &Attachment) -> bool {
    let info = attachment.link().and_then(|link| link.info().ok()).map(|info| info.info);
    matches!(info, Some(LinkTypeInfo::Cgroup(cgroup)) if cgroup.cgroup_id == 0)
}

/// Loads a signal and attaches its wanted hooks.
///
/// # Errors
/// When nothing of it can be loaded: no BTF, no rights, no memory for its maps.
pub fn load(request: &Request<'_>) -> Result<Loaded, LoadError> {
    kernel_log::capture();
    btf::check(request.options.btf.as_deref())?;
    let spec = request.spec;
    let (cpus, memory_bytes) = memory::machine();
    let ring_bytes = request
        .options
        .ring_bytes
        .map_or_else(|| memory::default_ring_bytes(cpus, memory_bytes), memory::ring_bytes);
    let perf = use_perf_buffer(request.options.ring);
    let wanted = spec.hooks.iter().filter(|hook| request.hooks.contains(&hook.name));
    let mut candidates: Vec<_> = wanted.map(|hook| Candidate::new(hook, request)).collect();

    if !Path::new(btf::KERNEL_BTF).exists() {
        ladder::refuse_typed(&mut candidates);
    }
    let unpacked = object::unpacked(spec)?;
    ladder::try_functions(&unpacked, request, &mut candidates, perf)?;
    loop {
        let mut open = object::open(&unpacked, request, &candidates, |_| true)?;
        object::configure(&mut open, request, ring_bytes, perf)?;
        let object = match object::load(open) {
            Ok(object) => object,
            Err(refusal) => {
                ladder::refuse_program(spec, &mut candidates, refusal)?;
                continue;
            }
        };
        let attached = ladder::attach(&object, request, &mut candidates);
        if let Some(attachments) = attached {
            let hooks = spec.hooks.iter().map(|hook| {
                let candidate =
                    candidates.iter().find(|candidate| candidate.hook.name == hook.name);
                candidate.map_or_else(
                    || HookVerdict { hook: hook.name, verdict: Verdict::Off, refusals: Vec::new() },
                    Candidate::verdict,
                )
            });
            let selects = request.config.selects_cgroups != 0;
            return Ok(Loaded {
                name: spec.name,
                hooks: hooks.collect(),
                ring_bytes,
                interval: request.options.interval(),
                ladders: spec.hooks,
                is_over: false,
                cpu_changes: sampling::Changes::default(),
                options: request.options.clone(),
                tracepoints: request.tracepoints.unwrap_or_default().to_vec(),
                selection: if selects { selection::of(&object)? } else { None },
                attachments,
                object,
            });
        }
    }
}

fn use_perf_buffer(choice: RingChoice) -> bool {
    match choice {
        RingChoice::Perf => true,
        RingChoice::Ring => false,
        // Asked by making one; where even that is not allowed, the load says why.
        RingChoice::Auto => {
            MapType::RingBuf.is_supported().is_ok_and(|supported| !supported)
                && memory::kernel_release().1 < (5, 8)
        }
    }
}
