//! Records on their way from a probe to user space.
//!
//! A quiet probe wakes the reader for each record; a busy one at most once per interval (see
//! `wake_flags` in `bpf/probe.h`). Whatever was submitted without a wake-up is found because the
//! reader, once it saw a record, looks again after [`BUSY_POLL`] until it finds nothing. So a quiet
//! machine costs nothing, a busy one few wake-ups, and no record waits longer than [`BUSY_POLL`].

use std::io;
use std::time::Duration;

use libbpf_rs::{
    Map, MapCore, MapType, PerfBuffer, PerfBufferBuilder, RingBuffer, RingBufferBuilder,
};

/// A probe wakes its reader at once when the last wake-up is longer ago than this.
pub const WAKE_INTERVAL: Duration = Duration::from_millis(1);
/// How long a reader that saw records waits before it looks again unasked. Longer than
/// [`WAKE_INTERVAL`], so that a record it misses then is one that wakes it.
pub const BUSY_POLL: Duration = Duration::from_millis(2);

/// How records cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RingChoice {
    /// The ring buffer where the kernel has it (5.8), else the perf buffer.
    #[default]
    Auto,
    /// The ring buffer.
    Ring,
    /// The perf buffer: one ring per CPU, a wake-up per record.
    Perf,
}

/// Reads one signal's records.
#[derive(Debug)]
pub struct Reader<'a> {
    source: Source<'a>,
    busy: bool,
}

#[derive(Debug)]
enum Source<'a> {
    Ring(RingBuffer<'a>),
    Perf(PerfBuffer<'a>),
}

impl<'a> Reader<'a> {
    /// Reads the map `events` of a loaded object; `on_record` gets each record's bytes in place.
    ///
    /// # Errors
    /// The kernel's refusal to map or open the buffers.
    pub fn new(
        events: &Map<'_>,
        ring_bytes: usize,
        mut on_record: impl FnMut(&[u8]) + 'a,
    ) -> Result<Self, libbpf_rs::Error> {
        let source = if events.map_type() == MapType::PerfEventArray {
            let cpus = libbpf_rs::num_possible_cpus()?;
            let pages =
                (ring_bytes / cpus / crate::memory::page_bytes()).max(1).next_power_of_two();
            let builder = PerfBufferBuilder::new(events).pages(pages);
            // A full buffer fails the probe's output, which counts it as lost there and then.
            Source::Perf(builder.sample_cb(move |_cpu, record| on_record(record)).build()?)
        } else {
            let mut builder = RingBufferBuilder::new();
            builder.add(events, move |record| {
                on_record(record);
                0
            })?;
            Source::Ring(builder.build()?)
        };
        Ok(Self { source, busy: false })
    }

    /// Waits for records, at most `idle` long when the last wait found none, and hands over all
    /// that are there. Returns whether there were any; a signal ends the wait early.
    ///
    /// # Errors
    /// What epoll_wait(2) fails with, but not EINTR.
    pub fn wait(&mut self, idle: Duration) -> io::Result<bool> {
        let timeout = if self.busy { BUSY_POLL } else { idle };
        let polled = match &self.source {
            Source::Ring(ring) => ring.poll_raw(timeout),
            Source::Perf(perf) => perf.poll(timeout).map_or_else(|error| errno_of(&error), |()| 0),
        };
        if polled < 0 && polled != -libc::EINTR {
            return Err(io::Error::from_raw_os_error(-polled));
        }
        let more = self.drain()?;
        self.busy = polled > 0 || more;
        Ok(self.busy)
    }

    /// Hands over all records that are there now. Returns whether there were any.
    ///
    /// # Errors
    /// None on kernels known so far.
    pub fn drain(&mut self) -> io::Result<bool> {
        match &self.source {
            Source::Ring(ring) => match ring.consume_raw() {
                count if count >= 0 => Ok(count > 0),
                error => Err(io::Error::from_raw_os_error(-error)),
            },
            Source::Perf(perf) => perf.consume().map(|()| false).map_err(io::Error::other),
        }
    }
}

fn errno_of(error: &libbpf_rs::Error) -> i32 {
    match error.kind() {
        libbpf_rs::ErrorKind::Interrupted => -libc::EINTR,
        _ => -libc::EIO,
    }
}
