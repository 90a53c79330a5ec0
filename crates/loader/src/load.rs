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
use std::os::fd::{AsRawFd, IntoRawFd};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use libbpf_rs::{AsRawLibbpf, Iter, Link, MapType, Object, ObjectBuilder, OpenObject, ProgramMut};

use crate::abi::Config;
use crate::btf::{self, NoBtf};
use crate::capability;
use crate::kernel_log;
use crate::memory;
use crate::ring::{RingChoice, WAKE_INTERVAL};
use crate::spec::{Hook, Rung, SignalSpec};
use crate::tracefs;
use crate::verdict::{HookVerdict, Refusal, Step, Verdict};

/// Options that hold for all signals.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// BTF to relocate against instead of the kernel's own.
    pub btf: Option<PathBuf>,
    /// How records cross.
    pub ring: RingChoice,
    /// Bytes of the ring (of all perf buffers together); scaled to the machine when absent.
    pub ring_bytes: Option<usize>,
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
    // Links go before the object they hold on to.
    links: Vec<(&'static str, Link)>,
    object: Object,
}

impl Loaded {
    /// The loaded object, for its maps.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// Runs the iterator that serves `hook` from beginning to end; what it writes goes to `out`.
    ///
    /// # Errors
    /// When the hook is not active, or what the kernel says while it runs.
    pub fn iterate(&self, hook: &str, out: &mut Vec<u8>) -> io::Result<()> {
        let link = self.links.iter().find(|(name, _)| *name == hook).map(|(_, link)| link);
        let link = link.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Iter::new(link).map_err(io::Error::other)?.read_to_end(out).map(drop)
    }

    /// Detaches all hooks but keeps maps and rings, so that what is under way can be drained.
    pub fn detach(&mut self) {
        self.links.clear();
    }
}

/// A wanted hook and how far down its ladder it is.
struct Candidate<'a> {
    hook: &'a Hook,
    rung: usize,
    refusals: Vec<Refusal>,
}

impl<'a> Candidate<'a> {
    fn rung(&self) -> Option<&'a Rung> {
        self.hook.ladder.get(self.rung)
    }

    fn refuse(&mut self, step: Step, errno: i32, words: String) {
        if let Some(rung) = self.rung() {
            self.refusals.push(Refusal { rung: rung.name, step, errno, words });
            self.rung += 1;
        }
    }

    fn verdict(&self) -> HookVerdict {
        let verdict = match self.rung() {
            Some(rung) => Verdict::Active(rung.name),
            None => Verdict::of_refusals(&self.refusals),
        };
        HookVerdict { hook: self.hook.name, verdict, refusals: self.refusals.clone() }
    }
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
    let mut candidates: Vec<_> =
        wanted.map(|hook| Candidate { hook, rung: 0, refusals: Vec::new() }).collect();

    if !Path::new(btf::KERNEL_BTF).exists() {
        refuse_typed(&mut candidates);
    }
    try_functions(request, &mut candidates, perf)?;
    loop {
        let mut open = open(request, &candidates, |_| true)?;
        configure(&mut open, request, ring_bytes, perf)?;
        let object = match load_object(open) {
            Ok(object) => object,
            Err(refusal) => {
                refuse_program(spec, &mut candidates, refusal)?;
                continue;
            }
        };
        if let Some(links) = attach(&object, &mut candidates) {
            let hooks = spec.hooks.iter().map(|hook| {
                let candidate =
                    candidates.iter().find(|candidate| candidate.hook.name == hook.name);
                candidate.map_or_else(
                    || HookVerdict { hook: hook.name, verdict: Verdict::Off, refusals: Vec::new() },
                    Candidate::verdict,
                )
            });
            return Ok(Loaded {
                name: spec.name,
                hooks: hooks.collect(),
                ring_bytes,
                links,
                object,
            });
        }
    }
}

/// Moves hooks past the rungs whose programs the kernel checks against its own BTF. Without that,
/// libbpf refuses the whole object and names no program.
fn refuse_typed(candidates: &mut [Candidate<'_>]) {
    for candidate in candidates {
        while candidate.rung().is_some_and(is_typed) {
            let words = format!("this kernel publishes no BTF at {}", btf::KERNEL_BTF);
            candidate.refuse(Step::Load, libc::ENOENT, words);
        }
    }
}

fn is_typed(rung: &Rung) -> bool {
    let way = rung.name.split('+').next();
    way.is_some_and(|way| ["tp_btf", "fentry", "fexit", "iter"].contains(&way))
}

/// Finds, by loading their programs alone, which functions can be hooked. Tables are made as small
/// as can be for it.
fn try_functions(
    request: &Request<'_>,
    candidates: &mut [Candidate<'_>],
    perf: bool,
) -> Result<(), LoadError> {
    loop {
        if Path::new(PERF_SOURCES).exists() && !Path::new(KPROBES).exists() {
            let on_kprobe =
                |candidate: &&mut Candidate<'_>| candidate.rung().is_some_and(is_kprobe);
            for candidate in candidates.iter_mut().filter(on_kprobe) {
                let words = format!("this kernel has no kprobes ({KPROBES} is missing)");
                candidate.refuse(Step::Attach, libc::ENOENT, words);
            }
        }
        if !candidates.iter().filter_map(Candidate::rung).any(hooks_function) {
            return Ok(());
        }
        let mut open = open(request, candidates, hooks_function)?;
        configure(&mut open, request, memory::page_bytes(), perf)?;
        for mut map in open.maps_mut().filter(|map| map.map_type().is_hash_map()) {
            let shrunk = map.set_max_entries(1);
            debug_assert!(shrunk.is_ok(), "a map that is not made yet takes any size");
        }
        match load_object(open) {
            Ok(_) => return Ok(()),
            Err(refusal) => refuse_program(request.spec, candidates, refusal)?,
        }
    }
}

/// There exactly when the kernel has kprobes (CONFIG_KPROBE_EVENTS); without them a program of that
/// kind loads and then cannot be attached.
const KPROBES: &str = "/sys/bus/event_source/devices/kprobe";
const PERF_SOURCES: &str = "/sys/bus/event_source/devices";

fn is_kprobe(rung: &Rung) -> bool {
    ["kprobe", "kretprobe"].contains(&rung.name)
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

/// Opens the object with the programs of the chosen rungs, as far as `wanted` takes them.
fn open(
    request: &Request<'_>,
    candidates: &[Candidate<'_>],
    wanted: impl Fn(&Rung) -> bool,
) -> Result<OpenObject, LoadError> {
    let spec = request.spec;
    kernel_log::take();
    let refused = |error: libbpf_rs::Error| {
        let words = kernel_log::words(&kernel_log::take());
        LoadError::Object { signal: spec.name, words: words.unwrap_or(format!("{error:#}")) }
    };
    let mut builder = ObjectBuilder::default();
    builder.name(spec.name).map_err(refused)?;
    if let Some(path) = &request.options.btf {
        builder.btf_custom_path(path).map_err(refused)?;
    }
    let mut open = builder.open_memory(spec.object).map_err(refused)?;
    let chosen: Vec<&str> = candidates
        .iter()
        .filter_map(Candidate::rung)
        .filter(|rung| wanted(rung))
        .flat_map(|rung| rung.programs)
        .copied()
        .collect();
    for mut program in open.progs_mut() {
        let load = chosen.iter().any(|name| program.name() == *name);
        program.set_autoload(load);
    }
    Ok(open)
}

fn configure(
    open: &mut OpenObject,
    request: &Request<'_>,
    ring_bytes: usize,
    perf: bool,
) -> Result<(), LoadError> {
    let spec = request.spec;
    let refused = |words: String| LoadError::Object { signal: spec.name, words };
    let mut config = request.config;
    config.use_perf_buffer = u8::from(perf);
    config.wake_interval_ns = u64::try_from(WAKE_INTERVAL.as_nanos()).unwrap_or(u64::MAX);
    config.wake_bytes = (ring_bytes / 4) as u64;
    if spec.sends_records && !open.maps().any(|map| map.name() == "events") {
        return Err(refused("its probes send records but it has no map `events`".to_owned()));
    }
    for mut map in open.maps_mut() {
        let name = map.name().to_string_lossy().into_owned();
        let changed = match name.as_str() {
            "events" if !spec.sends_records => map.set_autocreate(false),
            "events" if perf => map
                .set_type(MapType::PerfEventArray)
                .and_then(|()| map.set_key_size(4))
                .and_then(|()| map.set_value_size(4))
                .and_then(|()| {
                    map.set_max_entries(u32::try_from(memory::machine().0).unwrap_or(1))
                }),
            "events" => map.set_max_entries(u32::try_from(ring_bytes).unwrap_or(1 << 31)),
            // Not grouped by anything: the table of groups shrinks to nothing.
            "groups" if config.group_by == 0 => map.set_max_entries(1),
            _ if name.ends_with(".rodata") => {
                let bytes = config.to_array();
                let place = map.initial_value_mut().and_then(|data| {
                    data.get_mut(spec.config_offset..spec.config_offset + bytes.len())
                });
                place.map(|place| place.copy_from_slice(&bytes)).ok_or_else(|| {
                    refused("its .rodata has no room for the configuration".to_owned())
                })?;
                Ok(())
            }
            _ => match request.map_entries.iter().find(|(resized, _)| *resized == name) {
                Some((_, entries)) => map.set_max_entries(*entries),
                None => Ok(()),
            },
        };
        changed.map_err(|error| refused(format!("map {name}: {error}")))?;
    }
    Ok(())
}

/// libbpf's refusal: errno, positive, and everything it said.
struct Refused {
    errno: i32,
    log: String,
}

/// As [`OpenObject::load`], which keeps of the errno only what std has an `ErrorKind` for.
fn load_object(open: OpenObject) -> Result<Object, Refused> {
    kernel_log::take();
    // SAFETY: an opened object that was not loaded yet, for which the pointer stays valid.
    let result = unsafe { libbpf_sys::bpf_object__load(open.as_libbpf_object().as_ptr()) };
    if result < 0 {
        return Err(Refused { errno: -result, log: kernel_log::take() });
    }
    // SAFETY: it is loaded, and its one owner has let go of it.
    Ok(unsafe { Object::from_ptr(open.take_ptr()) })
}

/// Moves the hook whose program was refused one rung down; an error when it was no program.
fn refuse_program(
    spec: &SignalSpec,
    candidates: &mut [Candidate<'_>],
    refused: Refused,
) -> Result<(), LoadError> {
    let Refused { errno, log } = refused;
    let words = kernel_log::words(&log).unwrap_or_else(|| words_of(errno));
    let program = kernel_log::failed_program(&log);
    let map = kernel_log::failed_map(&log);
    let missing = capability::missing(&["CAP_BPF", "CAP_PERFMON"], capability::effective());
    if NOT_PERMITTED.contains(&errno) && !missing.is_empty() {
        let what = match (program, map) {
            (Some(program), _) => format!("program {program}"),
            (None, Some((map, _))) => format!("map {map}"),
            (None, None) => format!("signal {}", spec.name),
        };
        return Err(LoadError::NotPermitted { what, words, missing });
    }
    let candidate = candidates.iter_mut().find(|candidate| {
        let rung = candidate.rung();
        rung.zip(program).is_some_and(|(rung, program)| rung.programs.contains(&program))
    });
    match (candidate, map) {
        (Some(candidate), _) => candidate.refuse(Step::Load, errno, words),
        (None, Some((_, words))) => return Err(LoadError::Map { words: words.to_owned(), errno }),
        (None, None) => return Err(LoadError::Object { signal: spec.name, words }),
    }
    Ok(())
}

const NOT_PERMITTED: [i32; 2] = [libc::EPERM, libc::EACCES];

fn words_of(errno: i32) -> String {
    io::Error::from_raw_os_error(errno).to_string()
}

/// Attaches every hook's programs; `None` when one was refused and the object must be loaded anew.
///
/// Functions are tried before tracepoints: they are the ones that get refused, and detaching a
/// tracepoint again costs the kernel a grace period.
fn attach(object: &Object, candidates: &mut [Candidate<'_>]) -> Option<Vec<(&'static str, Link)>> {
    let mut links = Vec::new();
    let mut refused = false;
    for functions in [true, false] {
        for candidate in candidates.iter_mut() {
            let Some(rung) = candidate.rung().filter(|rung| hooks_function(rung) == functions)
            else {
                continue;
            };
            for name in rung.programs {
                match attach_program(object, name) {
                    Ok(link) => links.push((candidate.hook.name, link)),
                    Err((errno, words)) => {
                        candidate.refuse(Step::Attach, errno, words);
                        refused = true;
                        break;
                    }
                }
            }
        }
        if refused {
            return None;
        }
    }
    Some(links)
}

fn hooks_function(rung: &Rung) -> bool {
    ["fentry", "fexit"].contains(&rung.name) || is_kprobe(rung)
}

fn attach_program(object: &Object, name: &str) -> Result<Link, (i32, String)> {
    kernel_log::take();
    let program = object.progs_mut().find(|program| program.name() == name);
    let program =
        program.ok_or_else(|| (libc::ENOENT, format!("the object has no program {name}")))?;
    let link = match tracepoint_of(&program) {
        Some((category, tracepoint)) => {
            let event = tracefs::open(category, tracepoint).map_err(|error| {
                let words = format!("tracepoint {category}/{tracepoint}: {error}");
                (error.raw_os_error().unwrap_or(libc::ENOENT), words)
            })?;
            // SAFETY: a program of a loaded object and an open event, which outlive the call.
            let link = unsafe {
                libbpf_sys::bpf_program__attach_perf_event(
                    program.as_libbpf_object().as_ptr(),
                    event.as_raw_fd(),
                )
            };
            if !link.is_null() {
                // The link closes it.
                let _ = event.into_raw_fd();
            }
            link
        }
        // As `ProgramMut::attach`, which keeps of the errno only what std has an `ErrorKind` for.
        // SAFETY: a program of a loaded object, which outlives the call.
        None => unsafe { libbpf_sys::bpf_program__attach(program.as_libbpf_object().as_ptr()) },
    };
    let Some(link) = NonNull::new(link) else {
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        let words = kernel_log::words(&kernel_log::take()).unwrap_or_else(|| words_of(errno));
        return Err((errno, words));
    };
    // SAFETY: a link just made and owned by no one else.
    Ok(unsafe { Link::from_ptr(link) })
}

/// Category and name of the tracepoint that a program's section names.
fn tracepoint_of<'a>(program: &ProgramMut<'a>) -> Option<(&'a str, &'a str)> {
    let section = program.section().to_str()?;
    section.strip_prefix("tracepoint/").or_else(|| section.strip_prefix("tp/"))?.split_once('/')
}
