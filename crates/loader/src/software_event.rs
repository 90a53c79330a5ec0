//! Events that the kernel counts by itself (perf's software events), each of which runs a program.
//!
//! They are what the kernel's own account is made of: a page fault runs the program at the place where the
//! kernel adds one to the process's `min_flt` or `maj_flt`. A program says by its name which event it is for.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::on_each_cpu::{Kept, READ_FORMAT};
use crate::sampling::{IOC_ENABLE, IOC_SET_BPF, command, open_event};

/// Programs that are run by such an event, with the event's number (`perf_event_open(2)`).
const EVENTS: [(&str, u32); 2] = [
    ("page_fault_minor", libbpf_sys::PERF_COUNT_SW_PAGE_FAULTS_MIN),
    ("page_fault_major", libbpf_sys::PERF_COUNT_SW_PAGE_FAULTS_MAJ),
];

/// Events that run a program, one on each CPU, until this is dropped.
#[derive(Debug)]
pub struct SoftwareEvents {
    _on_cpus: Kept,
}

/// The number of the event that a program of this name is for.
pub fn of_program(name: &str) -> Option<u32> {
    EVENTS.iter().find(|(program, _)| *program == name).map(|(_, event)| *event)
}

impl SoftwareEvents {
    /// Has each of these events run the program, on every CPU that is online, and on those that come.
    ///
    /// # Errors
    /// What the kernel says. EACCES: `kernel.perf_event_paranoid` asks for rights that this process lacks.
    pub fn start(program: &impl AsFd, event: u32) -> io::Result<Self> {
        let program = program.as_fd().try_clone_to_owned()?;
        let start = move |cpu| start_one(&program, event, cpu);
        Ok(Self { _on_cpus: Kept::start("page faults", start)? })
    }
}

fn start_one(program: &impl AsFd, event: u32, cpu: u32) -> io::Result<OwnedFd> {
    let mut attributes = libbpf_sys::perf_event_attr {
        type_: libbpf_sys::PERF_TYPE_SOFTWARE,
        size: u32::try_from(size_of::<libbpf_sys::perf_event_attr>()).unwrap_or(0),
        config: event.into(),
        read_format: READ_FORMAT,
        ..Default::default()
    };
    // Every one of them, which the kernel never throttles.
    attributes.__bindgen_anon_1.sample_period = 1;
    attributes.set_disabled(1);
    let event = open_event(&attributes, cpu)?;
    command(&event, IOC_SET_BPF, program.as_fd().as_raw_fd())?;
    command(&event, IOC_ENABLE, 0)?;
    Ok(event)
}
