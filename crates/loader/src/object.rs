//! One BPF object through libbpf: opened and configured, loaded, its programs attached, with errno and
//! the kernel's words for whatever was refused.

use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd};
use std::path::Path;
use std::ptr::NonNull;

use libbpf_rs::{
    AsRawLibbpf, Link, MapCore, MapType, Object, ObjectBuilder, OpenObject, ProgramMut,
};

use crate::abi::group_field;
use crate::btf::KERNEL_BTF;
use crate::budget;
use crate::cgroup_root;
use crate::doorbell::{self, Doorbells};
use crate::governed;
use crate::kernel_log;
use crate::kernel_types;
use crate::ladder::Candidate;
use crate::load::{LoadError, Options, Request};
use crate::memory;
use crate::ring::WAKE_INTERVAL;
use crate::sampling::Sampling;
use crate::selection;
use crate::software_event::{self, SoftwareEvents};
use crate::spec::{Hook, Rung, SignalSpec};
use crate::tracefs;

/// The signal's object for this kernel.
pub fn unpacked(spec: &SignalSpec) -> Result<Vec<u8>, LoadError> {
    let other = spec.object_without_kernel_btf.filter(|_| !Path::new(KERNEL_BTF).exists());
    let damaged = || LoadError::Object {
        signal: spec.name,
        words: "its object in this program is damaged".to_owned(),
    };
    other.unwrap_or(spec.object).unpack().ok_or_else(damaged)
}

/// Opens the object with the programs of the chosen rungs, as far as `wanted` takes them.
pub fn open(
    object: &[u8],
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
    let picked = || kernel_types::picked(spec.kernel_types);
    if let Some(path) = request.options.btf.clone().or_else(picked) {
        builder.btf_custom_path(path).map_err(refused)?;
    }
    let mut open = builder.open_memory(object).map_err(refused)?;
    let rungs = || candidates.iter().filter_map(Candidate::rung).filter(|rung| wanted(rung));
    let chosen: Vec<&str> =
        rungs().flat_map(|rung| rung.programs.iter().chain(rung.tail_calls)).copied().collect();
    for mut program in open.progs_mut() {
        let load = chosen.iter().any(|name| program.name() == *name);
        program.set_autoload(load);
    }
    let has_tables = |hook: &Hook| hook.ladder.iter().any(|rung| !rung.tail_calls.is_empty());
    if spec.hooks.iter().any(has_tables) && rungs().all(|rung| rung.tail_calls.is_empty()) {
        leave_out_program_tables(&mut open).map_err(refused)?;
    }
    Ok(open)
}

/// libbpf enters programs in the tables that name them, also where none of them is loaded, and fails then. It looks at no
/// map of another type for that, and makes none that is left out.
fn leave_out_program_tables(open: &mut OpenObject) -> Result<(), libbpf_rs::Error> {
    for mut map in open.maps_mut().filter(|map| map.map_type() == MapType::ProgArray) {
        map.set_type(MapType::Array)?;
        map.set_autocreate(false)?;
    }
    Ok(())
}

/// Sets the probe's configuration and the size and kind of its maps.
pub fn configure(
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
    config.interval_ns = u64::try_from(request.options.interval().as_nanos()).unwrap_or(u64::MAX);
    config.sends_records = u32::from(spec.sends_records);
    request.options.budgets.configure(spec, &mut config);
    if spec.sends_records && !open.maps().any(|map| map.name() == "events") {
        return Err(refused("its probes send records but it has no map `events`".to_owned()));
    }
    if config.selects_cgroups != 0 && !open.maps().any(|map| map.name() == selection::MAP) {
        return Err(refused(format!(
            "it is to select cgroups but has no map `{}`",
            selection::MAP
        )));
    }
    if spec.records_per_second.is_some()
        && let Some(missing) =
            budget::MAPS.iter().find(|name| !open.maps().any(|map| map.name() == **name))
    {
        return Err(refused(format!("it is to keep budgets but has no map `{missing}`")));
    }
    if spec.governed && !open.maps().any(|map| map.name() == governed::MAP) {
        return Err(refused(format!("it is to be governed but has no map `{}`", governed::MAP)));
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
            // Not grouped by anything: the tables of groups shrink to nothing.
            "groups" if config.group_by == 0 => map.set_max_entries(1),
            // Those of codes alone have a place of their own.
            "histograms" if config.group_by & !BY_CODE_ALONE == 0 => map.set_max_entries(1),
            selection::MAP if config.selects_cgroups == 0 => map.set_max_entries(1),
            name if budget::MAPS.contains(&name) && config.budget_record_ns == 0 => {
                map.set_max_entries(1)
            }
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

/// What `bpf/histogram.h` keeps in its array.
const BY_CODE_ALONE: u32 = group_field::GROUP_CODE | group_field::GROUP_ERROR;

/// libbpf's refusal: errno, positive, and everything it said.
pub struct Refused {
    pub errno: i32,
    pub log: String,
}

/// As [`OpenObject::load`], which keeps of the errno only what std has an `ErrorKind` for.
pub fn load(open: OpenObject) -> Result<Object, Refused> {
    kernel_log::take();
    // SAFETY: an opened object that was not loaded yet, for which the pointer stays valid.
    let result = unsafe { libbpf_sys::bpf_object__load(open.as_libbpf_object().as_ptr()) };
    if result < 0 {
        return Err(Refused { errno: -result, log: kernel_log::take() });
    }
    // SAFETY: it is loaded, and its one owner has let go of it.
    Ok(unsafe { Object::from_ptr(open.take_ptr()) })
}

/// The system's words for an errno.
pub fn words_of(errno: i32) -> String {
    io::Error::from_raw_os_error(errno).to_string()
}

/// What keeps a program attached.
#[derive(Debug)]
pub enum Attachment {
    /// To what its section names.
    Link(Link),
    /// To clocks.
    Sampling { clocks: Sampling },
    /// To events that the kernel counts.
    SoftwareEvents { _events: SoftwareEvents },
    /// To an interrupt that other programs of the object ask for.
    Interrupt { link: Link, _doorbells: Doorbells },
}

impl Attachment {
    /// The link, where it is one.
    pub fn link(&self) -> Option<&Link> {
        match self {
            Self::Link(link) | Self::Interrupt { link, .. } => Some(link),
            Self::Sampling { .. } | Self::SoftwareEvents { .. } => None,
        }
    }
}

/// Attaches all programs of a rung, or none; errno and words when one is refused. `tracepoints` are those of
/// programs that name none.
pub fn attach_rung(
    object: &Object,
    rung: &Rung,
    tracepoints: Result<&[String], &str>,
    options: &Options,
) -> Result<Vec<Attachment>, (i32, String)> {
    let mut attachments = Vec::new();
    for name in rung.programs {
        match tracepoints {
            Ok(tracepoints) if rung.on_named => {
                attachments.extend(attach_to_each(object, name, tracepoints)?);
            }
            _ => attachments.push(attach(object, name, options)?),
        }
    }
    Ok(attachments)
}

/// Attaches one program to what its section names; errno and words when that is refused.
fn attach(object: &Object, name: &str, options: &Options) -> Result<Attachment, (i32, String)> {
    kernel_log::take();
    let program = program(object, name)?;
    if let Some(event) = software_event::of_program(name) {
        let events = SoftwareEvents::start(&program, event);
        let attachment = events.map(|_events| Attachment::SoftwareEvents { _events });
        return attachment.map_err(not_sampled);
    }
    if program.section() == SAMPLED {
        let sampling = Sampling::start(&program, options.sample_hertz());
        return sampling.map(|clocks| Attachment::Sampling { clocks }).map_err(not_sampled);
    }
    let doorbells = if is_interrupt(&program) { Some(doorbells(object)?) } else { None };
    let link = if let Some((category, tracepoint)) = tracepoint_of(&program) {
        attach_to_tracepoint(&program, category, tracepoint)?
    } else if is_on_cgroups(&program) {
        attach_to_all_sockets(&program)?
    } else if let Some(map) = iterated_map(&program) {
        attach_to_map(&program, object, map)?
    } else {
        // As `ProgramMut::attach`, which keeps of the errno only what std has an `ErrorKind` for.
        // SAFETY: a program of a loaded object, which outlives the call.
        unsafe { libbpf_sys::bpf_program__attach(program.as_libbpf_object().as_ptr()) }
    };
    let link = owned(link)?;
    Ok(match doorbells {
        Some(_doorbells) => Attachment::Interrupt { link, _doorbells },
        None => Attachment::Link(link),
    })
}

/// Run by interrupts that [`Doorbells`] make.
fn is_interrupt(program: &ProgramMut<'_>) -> bool {
    // On x86, and on arm64.
    program.section() == "raw_tp/irq_work_entry" || program.section() == "raw_tp/ipi_entry"
}

fn doorbells(object: &Object) -> Result<Doorbells, (i32, String)> {
    let map = object.maps().find(|map| map.name() == doorbell::MAP);
    let map =
        map.ok_or_else(|| (libc::ENOENT, format!("the object has no map {}", doorbell::MAP)))?;
    Doorbells::hang(&map).map_err(|error| {
        (error.raw_os_error().unwrap_or(0), format!("an event that interrupts its CPU: {error}"))
    })
}

/// Attaches one program to each of these tracepoints (`syscalls/sys_exit_setns`), or to none: that all of
/// them are there is known before the first is attached, because to detach one takes a grace period.
fn attach_to_each(
    object: &Object,
    name: &str,
    tracepoints: &[String],
) -> Result<Vec<Attachment>, (i32, String)> {
    kernel_log::take();
    let program = program(object, name)?;
    let events: Result<Vec<_>, _> = tracepoints
        .iter()
        .map(|tracepoint| {
            let split = tracepoint.split_once('/');
            split.ok_or_else(|| (libc::EINVAL, format!("{tracepoint} is no tracepoint")))
        })
        .collect();
    let events = events?;
    for (category, tracepoint) in &events {
        tracefs::id(category, tracepoint).map_err(|error| missing(category, tracepoint, &error))?;
    }
    let attach = |(category, tracepoint): (&str, &str)| {
        owned(attach_to_tracepoint(&program, category, tracepoint)?).map(Attachment::Link)
    };
    events.into_iter().map(attach).collect()
}

fn program<'o>(object: &'o Object, name: &str) -> Result<ProgramMut<'o>, (i32, String)> {
    let program = object.progs_mut().find(|program| program.name() == name);
    program.ok_or_else(|| (libc::ENOENT, format!("the object has no program {name}")))
}

/// A link that libbpf made, or what it said in its place.
fn owned(link: NewLink) -> Result<Link, (i32, String)> {
    let Some(link) = NonNull::new(link) else {
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        let words = kernel_log::words(&kernel_log::take()).unwrap_or_else(|| words_of(errno));
        return Err((errno, words));
    };
    // SAFETY: a link just made and owned by no one else.
    Ok(unsafe { Link::from_ptr(link) })
}

/// The section of programs that clocks run.
const SAMPLED: &str = "perf_event";

fn not_sampled(error: io::Error) -> (i32, String) {
    let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
    let setting = match (error.kind(), paranoid) {
        (io::ErrorKind::PermissionDenied, Ok(value)) => {
            format!(
                " (kernel.perf_event_paranoid is {}, CAP_PERFMON is needed, and a filter of \
                     system calls must let perf_event_open through)",
                value.trim()
            )
        }
        _ => String::new(),
    };
    (error.raw_os_error().unwrap_or(0), format!("perf_event_open: {error}{setting}"))
}

type NewLink = *mut libbpf_sys::bpf_link;

fn attach_to_tracepoint(
    program: &ProgramMut<'_>,
    category: &str,
    tracepoint: &str,
) -> Result<NewLink, (i32, String)> {
    let event = tracefs::open(category, tracepoint)
        .map_err(|error| missing(category, tracepoint, &error))?;
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
    Ok(link)
}

fn missing(category: &str, tracepoint: &str, error: &io::Error) -> (i32, String) {
    let words = format!("tracepoint {category}/{tracepoint}: {error}");
    (error.raw_os_error().unwrap_or(libc::ENOENT), words)
}

/// To the root of the unified cgroup hierarchy, beside whatever is attached there already.
fn attach_to_all_sockets(program: &ProgramMut<'_>) -> Result<NewLink, (i32, String)> {
    let root = cgroup_root::open().map_err(|error| {
        let words = format!("the root of the unified cgroup hierarchy: {error}");
        (error.raw_os_error().unwrap_or(libc::ENOENT), words)
    })?;
    let program = program.as_libbpf_object().as_ptr();
    // SAFETY: a program of a loaded object and an open directory; the link keeps the cgroup, not the
    // descriptor.
    Ok(unsafe { libbpf_sys::bpf_program__attach_cgroup(program, root.as_raw_fd()) })
}

/// Of the packets of sockets, or of what is done with sockets.
fn is_on_cgroups(program: &ProgramMut<'_>) -> bool {
    let section = program.section().to_str();
    section.is_some_and(|section| {
        ["cgroup_skb/", "cgroup/"].iter().any(|way| section.starts_with(way))
    })
}

/// The map whose entries a program goes through: the program is called like it, with `_iter` behind.
fn iterated_map<'a>(program: &ProgramMut<'a>) -> Option<&'a str> {
    let is_iterator = program.section() == "iter/bpf_map_elem";
    program.name().to_str()?.strip_suffix("_iter").filter(|_| is_iterator)
}

fn attach_to_map(
    program: &ProgramMut<'_>,
    object: &Object,
    name: &str,
) -> Result<NewLink, (i32, String)> {
    let map = object.maps().find(|map| map.name() == name);
    let map = map.ok_or_else(|| (libc::ENOENT, format!("the object has no map {name}")))?;
    let map_fd = u32::try_from(map.as_fd().as_raw_fd()).unwrap_or(u32::MAX);
    let mut information = libbpf_sys::bpf_iter_link_info::default();
    information.map = libbpf_sys::bpf_iter_link_info__bindgen_ty_1 { map_fd };
    let options = libbpf_sys::bpf_iter_attach_opts {
        sz: size_of::<libbpf_sys::bpf_iter_attach_opts>() as u64,
        link_info: &raw mut information,
        link_info_len: size_of::<libbpf_sys::bpf_iter_link_info>() as u32,
        ..Default::default()
    };
    let program = program.as_libbpf_object().as_ptr();
    // SAFETY: a program of a loaded object; the options, what they point to and the map outlive the call.
    Ok(unsafe { libbpf_sys::bpf_program__attach_iter(program, &raw const options) })
}

/// Category and name of the tracepoint that a program's section names.
fn tracepoint_of<'a>(program: &ProgramMut<'a>) -> Option<(&'a str, &'a str)> {
    let section = program.section().to_str()?;
    section.strip_prefix("tracepoint/").or_else(|| section.strip_prefix("tp/"))?.split_once('/')
}
