//! The attach ladder of one signal: which rung serves each hook, found by really trying.

use std::path::Path;

use libbpf_rs::Object;

use crate::btf;
use crate::capability;
use crate::kernel_log;
use crate::load::{LoadError, Request};
use crate::memory;
use crate::object::{self, Attachment, Refused};
use crate::spec::{Hook, Rung, SignalSpec};
use crate::verdict::{HookVerdict, Refusal, Step, Verdict};

/// A wanted hook and how far down its ladder it is.
pub struct Candidate<'a> {
    pub hook: &'a Hook,
    request: &'a Request<'a>,
    rung: usize,
    refusals: Vec<Refusal>,
}

impl<'a> Candidate<'a> {
    /// On the best rung of those that the request has tried.
    pub fn new(hook: &'a Hook, request: &'a Request<'a>) -> Self {
        let mut candidate = Self { hook, request, rung: 0, refusals: Vec::new() };
        candidate.pass_over();
        candidate
    }

    /// The rung it is on; `None` below the last one.
    pub fn rung(&self) -> Option<&'a Rung> {
        self.hook.ladder.get(self.rung)
    }

    fn refuse(&mut self, step: Step, errno: i32, words: String) {
        if let Some(rung) = self.rung() {
            let words = with_lack(rung, errno, words);
            self.refusals.push(Refusal { rung: rung.name, step, errno, words });
            self.rung += 1;
        }
        self.pass_over();
    }

    /// Moves on past rungs that nobody asked for.
    fn pass_over(&mut self) {
        while let Some((rung, words)) =
            self.rung().and_then(|rung| Some((rung, self.unasked(rung)?)))
        {
            self.refusals.push(Refusal { rung: rung.name, step: Step::Ask, errno: 0, words });
            self.rung += 1;
        }
    }

    /// Why a rung is not to be tried.
    fn unasked(&self, rung: &Rung) -> Option<String> {
        if rung.per_packet && !self.request.options.packet_hooks {
            return Some("it is on the path of every packet (--packet-hooks true)".to_owned());
        }
        match self.request.tracepoints {
            Err(why) if rung.on_named => Some(why.to_owned()),
            Ok([]) if rung.on_named => Some("no tracepoints are named for it".to_owned()),
            _ => None,
        }
    }

    /// What became of it.
    pub fn verdict(&self) -> HookVerdict {
        let verdict = match self.rung() {
            Some(rung) => Verdict::Active(rung.name),
            None => Verdict::of_refusals(&self.refusals),
        };
        HookVerdict { hook: self.hook.name, verdict, refusals: self.refusals.clone() }
    }
}

/// The words, and which right is missing where it is one: programs on cgroups are the network's, so beside
/// CAP_BPF they take CAP_NET_ADMIN.
fn with_lack(rung: &Rung, errno: i32, words: String) -> String {
    let missing = capability::missing(&["CAP_NET_ADMIN"], capability::effective());
    let is_lack = NOT_PERMITTED.contains(&errno) && rung.name.starts_with("cgroup");
    match missing.first().filter(|_| is_lack) {
        Some(missing) => format!("{words}. This process lacks {missing}"),
        None => words,
    }
}

/// Moves hooks past the rungs whose programs the kernel checks against its own BTF. Without that,
/// libbpf refuses the whole object and names no program.
pub fn refuse_typed(candidates: &mut [Candidate<'_>]) {
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
pub fn try_functions(
    unpacked: &[u8],
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
        let mut open = object::open(unpacked, request, candidates, hooks_function)?;
        object::configure(&mut open, request, memory::page_bytes(), perf)?;
        for mut map in open.maps_mut().filter(|map| map.map_type().is_hash_map()) {
            let shrunk = map.set_max_entries(1);
            debug_assert!(shrunk.is_ok(), "a map that is not made yet takes any size");
        }
        match object::load(open) {
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

/// Moves the hook whose program was refused one rung down; an error when it was no program.
pub fn refuse_program(
    spec: &SignalSpec,
    candidates: &mut [Candidate<'_>],
    refused: Refused,
) -> Result<(), LoadError> {
    let Refused { errno, log } = refused;
    let words = kernel_log::words(&log).unwrap_or_else(|| object::words_of(errno));
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
        rung.zip(program).is_some_and(|(rung, program)| {
            rung.programs.contains(&program) || rung.tail_calls.contains(&program)
        })
    });
    match (candidate, map) {
        (Some(candidate), _) => candidate.refuse(Step::Load, errno, words),
        (None, Some((_, words))) => return Err(LoadError::Map { words: words.to_owned(), errno }),
        (None, None) => return Err(LoadError::Object { signal: spec.name, words }),
    }
    Ok(())
}

const NOT_PERMITTED: [i32; 2] = [libc::EPERM, libc::EACCES];

/// Attaches every hook's programs; `None` when one was refused and the object must be loaded anew.
///
/// Functions are tried before tracepoints: they are the ones that get refused, and detaching a
/// tracepoint again costs the kernel a grace period.
pub fn attach(
    object: &Object,
    request: &Request<'_>,
    candidates: &mut [Candidate<'_>],
) -> Option<Vec<(&'static str, Attachment)>> {
    let mut attachments = Vec::new();
    let mut refused = false;
    for functions in [true, false] {
        for candidate in candidates.iter_mut() {
            let Some(rung) = candidate.rung().filter(|rung| hooks_function(rung) == functions)
            else {
                continue;
            };
            match object::attach_rung(object, rung, request.tracepoints, request.options) {
                Ok(new) => {
                    attachments.extend(new.into_iter().map(|one| (candidate.hook.name, one)));
                }
                Err((errno, words)) => {
                    candidate.refuse(Step::Attach, errno, words);
                    refused = true;
                }
            }
        }
        if refused {
            return None;
        }
    }
    Some(attachments)
}

fn hooks_function(rung: &Rung) -> bool {
    ["fentry", "fexit"].contains(&rung.name) || is_kprobe(rung)
}
