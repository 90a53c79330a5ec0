//! What a signal asks of the kernel, as static data: the registry of `chandra-signals` is made of it.

use std::num::NonZeroU32;

use crate::packed::PackedObject;

/// A signal's object and its hooks.
#[derive(Debug)]
pub struct SignalSpec {
    /// Name: `process`.
    pub name: &'static str,
    /// The compiled BPF object.
    pub object: PackedObject,
    /// Another one for kernels that publish no BTF, where that makes a difference.
    pub object_without_kernel_btf: Option<PackedObject>,
    /// The types of the kernel that this object, or another one of the program, is relocated by; none if that is not
    /// known. The same for all signals, since they are looked up once.
    pub kernel_types: &'static [&'static str],
    /// Offset of `config` in the object's `.rodata`.
    pub config_offset: usize,
    /// Its probes send records (else they only count).
    pub sends_records: bool,
    /// What a cgroup may send where nobody says otherwise; none for a signal that keeps no budgets.
    pub records_per_second: Option<NonZeroU32>,
    /// Its probes can be told, while they run, to tell less ([`crate::governed`]).
    pub governed: bool,
    /// Hooks in the order of signal.toml.
    pub hooks: &'static [Hook],
}

/// A fact in the kernel that can be watched in more than one way.
#[derive(Debug)]
pub struct Hook {
    /// Name: `exec`.
    pub name: &'static str,
    /// Ways, best first.
    pub ladder: &'static [Rung],
}

/// One way to watch a hook.
#[derive(Debug)]
pub struct Rung {
    /// Name: `tp_btf`, `raw_tp`, `tracepoint`, `fentry`, `kprobe`, `iter`, …
    pub name: &'static str,
    /// The programs it needs, all of them.
    pub programs: &'static [&'static str],
    /// Programs that these go on in (tail calls): loaded with them, and attached to nothing.
    pub tail_calls: &'static [&'static str],
    /// It puts a program on the path of every packet, so it is tried only where that is asked for.
    pub per_packet: bool,
    /// Its programs name no tracepoints: they go to those that the request names.
    pub on_named: bool,
}
