//! Interrupts that a probe asks for: on its own CPU, as soon as interrupts are let in again.
//!
//! A program that the scheduler runs, with a run queue locked and in the memory of the thread that goes, cannot do
//! what has to be done in that of the thread that comes. So it writes a byte into a buffer of perf's which nobody
//! reads: the kernel raises an interrupt (`irq_work`) to wake a reader of that buffer, and a program on that
//! interrupt's tracepoint runs in the thread that came.
//!
//! Invariants: each CPU has an event of its own, so that two CPUs that ring at once are both answered (a ring
//! buffer of BPF's has one interrupt for all of them); the buffer is mapped for reading only, so that it is written
//! round and never full; every byte written rings. A CPU that comes online has none until it is met, within a
//! second: until then to ring fails, and the probe says so in its record.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use libbpf_rs::{Map, MapCore, MapFlags, MapHandle};

use crate::memory::page_bytes;
use crate::memory_map::Shared;
use crate::on_each_cpu::{Kept, READ_FORMAT};
use crate::sampling::{IOC_ENABLE, command, open_event};

/// The probe's map of doorbells (`BPF_MAP_TYPE_PERF_EVENT_ARRAY`), by CPU.
pub const MAP: &str = "doorbells";

/// They hang until this is dropped.
#[derive(Debug)]
pub struct Doorbells {
    _on_cpus: Kept,
}

/// One of them.
struct Doorbell {
    _buffer: Shared,
    event: OwnedFd,
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

impl Doorbells {
    /// One on each CPU that is online, and on those that come, in this map of a probe.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn hang(map: &Map<'_>) -> io::Result<Self> {
        let map = MapHandle::try_from(map).map_err(io::Error::other)?;
        let hang = move |cpu: u32| {
            let event = open(cpu)?;
            let buffer = Shared::held(event.as_fd(), 2 * page_bytes())?;
            let descriptor = event.as_raw_fd().to_ne_bytes();
            map.update(&cpu.to_ne_bytes(), &descriptor, MapFlags::ANY).map_err(io::Error::other)?;
            command(&event, IOC_ENABLE, 0)?;
            Ok(Doorbell { _buffer: buffer, event })
        };
        Ok(Self { _on_cpus: Kept::start("doorbells", hang)? })
    }
}

fn open(cpu: u32) -> io::Result<OwnedFd> {
    let mut attributes = libbpf_sys::perf_event_attr {
        type_: libbpf_sys::PERF_TYPE_SOFTWARE,
        size: u32::try_from(size_of::<libbpf_sys::perf_event_attr>()).unwrap_or(0),
        config: libbpf_sys::PERF_COUNT_SW_BPF_OUTPUT.into(),
        sample_type: u64::from(libbpf_sys::PERF_SAMPLE_RAW),
        read_format: READ_FORMAT,
        ..Default::default()
    };
    attributes.set_disabled(1);
    attributes.__bindgen_anon_1.sample_period = 1;
    attributes.__bindgen_anon_2.wakeup_events = 1;
    open_event(&attributes, cpu)
}
