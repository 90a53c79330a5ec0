//! Records on their way from a probe to user space.
//!
//! A reader that found nothing sleeps, and the next record wakes it at once. A reader that found
//! some looks again every [`BUSY_POLL`] by itself, and says so to the probe (`struct reader_state`
//! in `bpf/abi.h`), which then wakes it no more unless the ring fills. So a quiet machine costs
//! nothing, a busy one no wake-ups, and no record waits longer than [`BUSY_POLL`].
//!
//! Probes whose records nobody waits for wake nobody for most of them. Their reader ([`Reader::unhurried`]) looks by
//! itself every [`UNHURRIED_POLL`], and takes all that came in between at once: until then it leaves them alone, also
//! when it is awake for another reason, unless a probe woke it. To take a record costs less than to wake up for it.
//!
//! Between busy and quiet lies one look with wake-ups on again: a probe may have decided not to wake just
//! before the reader lay down. And a record that a probe is still writing hides those behind it, so
//! a reader that sees some under way looks again, too.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libbpf_rs::{
    AsRawLibbpf, Map, MapCore, MapFlags, MapHandle, MapType, PerfBuffer, PerfBufferBuilder,
    RingBuffer, RingBufferBuilder,
};

use crate::abi::ReaderState;

/// A probe wakes its reader at once when the last wake-up is longer ago than this.
pub const WAKE_INTERVAL: Duration = Duration::from_millis(1);
/// How long a reader that saw records waits before it looks again unasked. Longer than
/// [`WAKE_INTERVAL`], so that a record it misses then is one that wakes it.
pub const BUSY_POLL: Duration = Duration::from_millis(2);

/// How long a reader waits for records that nobody waits for.
pub const UNHURRIED_POLL: Duration = Duration::from_millis(250);

/// How often to look for a record that a probe is just writing: about a tenth of a millisecond.
const SPINS: u32 = 1000;

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

/// Whether the kernel has ring buffers, asked by making one.
///
/// # Errors
/// The kernel's refusal where that cannot be asked.
pub fn is_supported() -> Result<bool, libbpf_rs::Error> {
    MapType::RingBuf.is_supported()
}

/// Reads one signal's records.
#[derive(Debug)]
pub struct Reader<'a> {
    source: Source<'a>,
    pace: Pace,
    state: Option<MapHandle>,
    /// Records handed over so far.
    taken: Arc<AtomicU64>,
    /// When it took what was there last.
    looked: Instant,
}

/// How soon a reader looks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// It found records: by itself, and probes do not wake it.
    Busy,
    /// It found none, once: by itself, while probes may wake it again.
    Settling,
    /// It found none again: when a probe wakes it.
    Idle,
    /// By itself, now and then, and when a probe wakes it.
    Unhurried,
}

#[derive(Debug)]
enum Source<'a> {
    Ring(RingBuffer<'a>),
    Perf(PerfBuffer<'a>),
}

impl<'a> Reader<'a> {
    /// Reads the map `events` of a loaded object; `on_record` gets each record's bytes in place.
    /// From a perf buffer they may have up to seven bytes more than the probe sent, of no meaning.
    ///
    /// # Errors
    /// The kernel's refusal to map or open the buffers.
    pub fn new(
        events: &Map<'_>,
        ring_bytes: usize,
        mut on_record: impl FnMut(&[u8]) + 'a,
    ) -> Result<Self, libbpf_rs::Error> {
        let taken = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&taken);
        // This thread is the only one that writes it.
        let mut on_record = move |record: &[u8]| {
            counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            on_record(record);
        };
        let source = if events.map_type() == MapType::PerfEventArray {
            let cpus = libbpf_rs::num_possible_cpus()?;
            let pages =
                (ring_bytes / cpus / crate::memory::page_bytes()).max(1).next_power_of_two();
            // A full buffer fails the probe's output, which counts it as lost there and then.
            let builder = PerfBufferBuilder::new(events)
                .pages(pages)
                .sample_cb(move |_cpu, record: &[u8]| on_record(record));
            Source::Perf(builder.build()?)
        } else {
            let mut builder = RingBufferBuilder::new();
            builder.add(events, move |record| {
                on_record(record);
                0
            })?;
            Source::Ring(builder.build()?)
        };
        Ok(Self { source, pace: Pace::Idle, state: None, taken, looked: Instant::now() })
    }

    /// Waits for records, at most `idle` long when the last wait found none, and hands over all
    /// that are there. Returns whether there were any; a signal ends the wait early.
    ///
    /// # Errors
    /// What epoll_wait(2) fails with, but not EINTR.
    pub fn wait(&mut self, idle: Duration) -> io::Result<bool> {
        wait_any(std::slice::from_mut(self), idle)
    }

    /// How long this reader may sleep.
    fn timeout(&self, idle: Duration) -> Duration {
        match self.pace {
            Pace::Idle => idle,
            Pace::Unhurried => UNHURRIED_POLL.saturating_sub(self.looked.elapsed()).min(idle),
            Pace::Busy | Pace::Settling => BUSY_POLL.min(idle),
        }
    }

    /// Hands over what is there after a wait, and decides how soon to look again.
    fn take(&mut self, is_woken: bool, interrupted: bool) -> io::Result<bool> {
        if self.is_unhurried() && !is_woken && self.looked.elapsed() < UNHURRIED_POLL {
            return Ok(false);
        }
        self.looked = Instant::now();
        let found = self.drain()?;
        let pace = match self.pace {
            Pace::Unhurried => Pace::Unhurried,
            _ if found || self.under_way() => Pace::Busy,
            // A signal cut the wait short: what was not seen yet may still lie there.
            pace if interrupted => pace,
            Pace::Busy => Pace::Settling,
            Pace::Settling | Pace::Idle => Pace::Idle,
        };
        self.tell(pace);
        Ok(found)
    }

    /// Hands over all records that were sent before this call, waiting for those that a probe is
    /// just writing. Gives up on them after a while: what is missed then comes with the next call.
    ///
    /// # Errors
    /// None on kernels known so far.
    pub fn drain_all_sent(&mut self) -> io::Result<bool> {
        let Source::Ring(ring) = &self.source else { return self.drain() };
        let (_, sent) = positions(ring);
        let mut found = drain_ring(ring)?;
        for _ in 0..SPINS {
            if positions(ring).0 >= sent {
                break;
            }
            std::hint::spin_loop();
            found |= drain_ring(ring)?;
        }
        Ok(found)
    }

    /// Tells the probe that it is listened to, and from now on whether this reader needs waking:
    /// `state` is its map `reader`.
    ///
    /// # Errors
    /// The kernel's refusal to write there.
    pub fn announce(mut self, state: MapHandle) -> Result<Self, libbpf_rs::Error> {
        listen(&state)?;
        self.state = Some(state);
        Ok(self)
    }

    /// From now on it looks now and then, for a probe that wakes it only where that matters.
    #[must_use]
    pub fn unhurried(mut self) -> Self {
        self.pace = Pace::Unhurried;
        self
    }

    /// Whether it looks only now and then.
    pub fn is_unhurried(&self) -> bool {
        self.pace == Pace::Unhurried
    }

    /// From now on each wait takes what is there: the end is near.
    pub fn hurry(&mut self) {
        if self.is_unhurried() {
            self.pace = Pace::Settling;
        }
    }

    /// Sets the pace, and tells the probe where that changes whether to wake. If that is refused,
    /// this reader is woken more often than it needs.
    fn tell(&mut self, pace: Pace) {
        let (was, is) = (self.pace == Pace::Busy, pace == Pace::Busy);
        self.pace = pace;
        if let Some(state) = self.state.as_ref().filter(|_| was != is) {
            let _ = write_state(state, ReaderState { listens: 1, is_awake: u32::from(is) });
        }
    }

    /// Hands over all records that are there when it begins: a probe that sends faster than they
    /// are taken does not hold it up. Returns whether there were any.
    ///
    /// # Errors
    /// None on kernels known so far.
    pub fn drain(&mut self) -> io::Result<bool> {
        match &self.source {
            Source::Ring(ring) => drain_ring(ring),
            Source::Perf(perf) => {
                let before = self.taken();
                perf.consume().map_err(io::Error::other)?;
                Ok(self.taken() != before)
            }
        }
    }

    /// Records handed over so far.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Becomes readable when a probe wakes this reader.
    fn descriptor(&self) -> i32 {
        match &self.source {
            Source::Ring(ring) => ring.epoll_fd(),
            Source::Perf(perf) => perf.epoll_fd(),
        }
    }

    /// Whether a probe holds room for a record that it has not finished. (Not so with a perf
    /// buffer, where a probe wakes its reader when it has finished.)
    fn under_way(&self) -> bool {
        match &self.source {
            Source::Ring(ring) => {
                let (consumed, produced) = positions(ring);
                consumed != produced
            }
            Source::Perf(..) => false,
        }
    }
}

/// Waits for records of any of these, at most `idle` long when none of them found any the last time,
/// and hands over all that are there: those of the first reader first. Returns whether there were
/// any; a signal ends the wait early.
///
/// # Errors
/// What poll(2) fails with, but not EINTR.
pub fn wait_any(readers: &mut [Reader<'_>], idle: Duration) -> io::Result<bool> {
    let timeout = readers.iter().map(|reader| reader.timeout(idle)).min().unwrap_or(idle);
    let woken = sleep(readers, timeout)?;
    let mut found = false;
    for (index, reader) in readers.iter_mut().enumerate() {
        let is_woken = woken.as_ref().and_then(|woken| woken.get(index)).copied();
        found |= reader.take(is_woken.unwrap_or(false), woken.is_none())?;
    }
    Ok(found)
}

/// Sleeps until woken by a record or a signal, or until the time is over. Returns which readers a record woke; `None`
/// where a signal came.
fn sleep(readers: &[Reader<'_>], timeout: Duration) -> io::Result<Option<Vec<bool>>> {
    let poll = |reader: &Reader<'_>| libc::pollfd {
        fd: reader.descriptor(),
        events: libc::POLLIN,
        revents: 0,
    };
    let mut polled: Vec<_> = readers.iter().map(poll).collect();
    // Rounded up: a timeout below a millisecond is not none.
    let millis = timeout.as_nanos().div_ceil(1_000_000);
    let millis = i32::try_from(millis).unwrap_or(i32::MAX);
    // SAFETY: the descriptors live as long as the readers; the list is as long as is said.
    if unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, millis) } >= 0 {
        return Ok(Some(polled.iter().map(|polled| polled.revents != 0).collect()));
    }
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::Interrupted => Ok(None),
        error => Err(error),
    }
}

/// Tells a probe that it is listened to, where what it counts is read without a [`Reader`]: `state`
/// is its map `reader`.
///
/// # Errors
/// The kernel's refusal to write there.
pub fn listen(state: &dyn MapCore) -> Result<(), libbpf_rs::Error> {
    write_state(state, ReaderState { listens: 1, is_awake: 0 })
}

fn write_state(map: &dyn MapCore, state: ReaderState) -> Result<(), libbpf_rs::Error> {
    map.update(&0_u32.to_ne_bytes(), &state.to_array(), MapFlags::ANY)
}

/// Records taken between two looks at how far the ring was when the draining began.
const AT_ONCE: i32 = 1024;

fn drain_ring(ring: &RingBuffer<'_>) -> io::Result<bool> {
    let (_, end) = positions(ring);
    let mut found = false;
    loop {
        let taken = ring.consume_raw_n(AT_ONCE as usize);
        if taken < 0 {
            return Err(io::Error::from_raw_os_error(-taken));
        }
        found |= taken > 0;
        let (consumed, _) = positions(ring);
        if taken < AT_ONCE || consumed >= end {
            return Ok(found);
        }
    }
}

/// Bytes consumed and bytes produced since the ring was made.
fn positions(ring: &RingBuffer<'_>) -> (u64, u64) {
    // SAFETY: libbpf's handle is live as long as `ring`; its one ring has index 0.
    unsafe {
        let one = libbpf_sys::ring_buffer__ring(ring.as_libbpf_object().as_ptr(), 0);
        if one.is_null() {
            return (0, 0);
        }
        (libbpf_sys::ring__consumer_pos(one), libbpf_sys::ring__producer_pos(one))
    }
}
