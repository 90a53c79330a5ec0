//! What programs are executed, forked, mapped and ended, as the kernel tells it to perf: on each CPU an event
//! that counts nothing (`PERF_COUNT_SW_DUMMY`) and has a ring of its own.
//!
//! Executable memory is known from this without looking at `/proc`, which for a program that lives for some
//! milliseconds is over before anybody looks.
//!
//! Invariants: a CPU that was away has a new event, because the old one is detached for good, and what lay in the old
//! one's ring is told; what happened before [`Sideband::drain`] began is told by it, in the order of time; what had no
//! room in a ring is counted, and told as lost in its place.

mod record;
mod ring;

use std::collections::BTreeMap;
use std::io;

use crate::cpus;
use crate::on_each_cpu::{READ_FORMAT, still_runs};
use crate::sampling::{IOC_ENABLE, command, open_event};
pub use record::{Happened, Mapped, TaskEvent, parse};
use ring::Ring;

/// Bytes of the ring of a CPU: some thousand records.
const RING_BYTES: usize = 256 << 10;

/// What happens to tasks, on all CPUs.
#[derive(Debug)]
pub struct Sideband {
    rings: BTreeMap<u32, Listening>,
    records: Vec<u8>,
    /// Of rings that are gone.
    left: Vec<u8>,
}

/// The ring of a CPU, and for how long its event had been enabled when that was looked at.
#[derive(Debug)]
struct Listening {
    ring: Ring,
    enabled_ns: u64,
}

impl Sideband {
    /// Listens on each CPU that is online.
    ///
    /// # Errors
    /// What the kernel says when not even one CPU can be listened to.
    pub fn open() -> io::Result<Self> {
        let mut sideband = Self { rings: BTreeMap::new(), records: Vec::new(), left: Vec::new() };
        sideband.follow_cpus()?;
        Ok(sideband)
    }

    /// Listens to CPUs that came online, and lets go of those that are gone. To be called now and then.
    ///
    /// # Errors
    /// As [`Sideband::open`].
    pub fn follow_cpus(&mut self) -> io::Result<()> {
        let online = cpus::online()?;
        let Self { rings, left, .. } = self;
        rings.retain(|cpu, Listening { ring, enabled_ns }| {
            let goes_on = online.contains(cpu) && still_runs(ring.event(), enabled_ns);
            if !goes_on {
                ring.take(left);
            }
            goes_on
        });
        let mut refused = None;
        for cpu in online {
            if self.rings.contains_key(&cpu) {
                continue;
            }
            match open_ring(cpu) {
                Ok(ring) => drop(self.rings.insert(cpu, Listening { ring, enabled_ns: 0 })),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if self.rings.is_empty() => Err(error),
            _ => Ok(()),
        }
    }

    /// Tells what happened since the last time, in order.
    pub fn drain(&mut self, each: &mut dyn FnMut(&TaskEvent<'_>)) {
        self.records.clear();
        self.records.append(&mut self.left);
        for Listening { ring, .. } in self.rings.values_mut() {
            ring.take(&mut self.records);
        }
        let mut events: Vec<_> = parse(&self.records).collect();
        // Of one moment, in the order of their ring.
        events.sort_by_key(|event| event.boottime_ns);
        events.iter().for_each(each);
    }
}

fn open_ring(cpu: u32) -> io::Result<Ring> {
    let mut attributes = libbpf_sys::perf_event_attr {
        type_: libbpf_sys::PERF_TYPE_SOFTWARE,
        size: u32::try_from(size_of::<libbpf_sys::perf_event_attr>()).unwrap_or(0),
        config: libbpf_sys::PERF_COUNT_SW_DUMMY.into(),
        sample_type: u64::from(libbpf_sys::PERF_SAMPLE_TIME),
        clockid: libc::CLOCK_BOOTTIME,
        read_format: READ_FORMAT,
        ..Default::default()
    };
    attributes.set_disabled(1);
    attributes.set_mmap(1);
    attributes.set_mmap2(1);
    attributes.set_comm(1);
    attributes.set_comm_exec(1);
    attributes.set_task(1);
    attributes.set_sample_id_all(1);
    attributes.set_use_clockid(1);
    // Who wants to hear is heard in time: nobody is woken.
    attributes.set_watermark(1);
    attributes.__bindgen_anon_2.wakeup_watermark = u32::MAX;
    let event = open_event(&attributes, cpu)?;
    let ring = Ring::new(event, RING_BYTES)?;
    command(ring.event(), IOC_ENABLE, 0)?;
    Ok(ring)
}
