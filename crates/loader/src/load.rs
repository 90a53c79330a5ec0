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
use std::os::fd::IntoRawFd;
use std::path::PathBuf;

use libbpf_rs::{Iter, Link, MapType, Object, ObjectBuilder, OpenObject, ProgramMut};

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

    loop {
        let mut open = open(request, &candidates)?;
        configure(&mut open, request, ring_bytes, perf)?;
        kernel_log::take();
        let object = match open.load() {
            Ok(object) => object,
            Err(error) => {
                refuse_program(spec, &mut candidates, &error)?;
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

fn open(request: &Request<'_>, candidates: &[Candidate<'_>]) -> Result<OpenObject, LoadError> {
    let spec = request.spec;
    let refused =
        |error: libbpf_rs::Error| LoadError::Object { signal: spec.name, words: error.to_string() };
    let mut builder = ObjectBuilder::default();
    builder.name(spec.name).map_err(refused)?;
    if let Some(path) = &request.options.btf {
        builder.btf_custom_path(path).map_err(refused)?;
    }
    let mut open = builder.open_memory(spec.object).map_err(refused)?;
    let chosen: Vec<&str> = candidates
        .iter()
        .filter_map(Candidate::rung)
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

/// Moves the hook whose program was refused one rung down; an error when it was no program.
fn refuse_program(
    spec: &SignalSpec,
    candidates: &mut [Candidate<'_>],
    error: &libbpf_rs::Error,
) -> Result<(), LoadError> {
    let log = kernel_log::take();
    let errno = errno(error);
    let words = kernel_log::words(&log).unwrap_or_else(|| error.to_string());
    let program = kernel_log::failed_program(&log);
    let missing = capability::missing(&["CAP_BPF", "CAP_PERFMON"], capability::effective());
    if [libc::EPERM, libc::EACCES].contains(&errno) && !missing.is_empty() {
        let what = program.map_or_else(
            || format!("signal {}", spec.name),
            |program| format!("program {program}"),
        );
        return Err(LoadError::NotPermitted { what, words, missing });
    }
    let candidate = candidates.iter_mut().find(|candidate| {
        let rung = candidate.rung();
        rung.zip(program).is_some_and(|(rung, program)| rung.programs.contains(&program))
    });
    match candidate {
        Some(candidate) => candidate.refuse(Step::Load, errno, words),
        None if words.contains("map '") => return Err(LoadError::Map { words, errno }),
        None => return Err(LoadError::Object { signal: spec.name, words }),
    }
    Ok(())
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
    ["fentry", "fexit", "kprobe", "kretprobe"].contains(&rung.name)
}

fn attach_program(object: &Object, name: &str) -> Result<Link, (i32, String)> {
    kernel_log::take();
    let program = object.progs_mut().find(|program| program.name() == name);
    let program =
        program.ok_or_else(|| (libc::ENOENT, format!("the object has no program {name}")))?;
    if let Some((category, tracepoint)) = tracepoint_of(&program) {
        let event = tracefs::open(category, tracepoint).map_err(|error| {
            let words = format!("tracepoint {category}/{tracepoint}: {error}");
            (error.raw_os_error().unwrap_or(libc::ENOENT), words)
        })?;
        // The link takes the descriptor over.
        return program.attach_perf_event(event.into_raw_fd()).map_err(refused);
    }
    program.attach().map_err(refused)
}

/// Category and name of the tracepoint that a program's section names.
fn tracepoint_of<'a>(program: &ProgramMut<'a>) -> Option<(&'a str, &'a str)> {
    program.section().to_str()?.strip_prefix("tracepoint/")?.split_once('/')
}

/// What the kernel and libbpf said about a refusal, with its errno.
fn refused(error: libbpf_rs::Error) -> (i32, String) {
    let words = kernel_log::words(&kernel_log::take()).unwrap_or_else(|| error.to_string());
    (errno(&error), words)
}

/// errno of a libbpf-rs error, which keeps it only as a kind or as an io::Error in its chain.
fn errno(error: &libbpf_rs::Error) -> i32 {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = source {
        if let Some(io) = current.downcast_ref::<io::Error>()
            && let Some(errno) = io.raw_os_error()
        {
            return errno;
        }
        source = current.source();
    }
    match error.kind() {
        libbpf_rs::ErrorKind::PermissionDenied => libc::EPERM,
        libbpf_rs::ErrorKind::NotFound => libc::ENOENT,
        libbpf_rs::ErrorKind::InvalidInput => libc::EINVAL,
        libbpf_rs::ErrorKind::OutOfMemory => libc::ENOMEM,
        _ => 0,
    }
}
