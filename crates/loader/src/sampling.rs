//! The clock of a profile: on each CPU an event of perf's that runs a program so often a second.
//!
//! The event is the kernel's `cpu-clock`: it ticks on every CPU that is online, also on an idle one, and
//! needs no counters of the hardware.
//!
//! Invariants. A clock never stays in step with what it measures: its period is changed by some per cent at
//! moments that are random too, on each CPU by itself, because a program that works in bursts of 10 ms looks
//! always busy, or never, to a clock of 100 Hz, and for as long as a beat lasts to one of 99 Hz. Nor does it keep a
//! period that is nearly the one that was asked for, whose beat takes longer than it is kept. A CPU that
//! comes online is sampled within [`LOOK`] and a half, also one that was away for a moment only: the kernel detaches the
//! events of a CPU that goes, and does not attach them again. Both are counted ([`Changes`]).

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::detached::owned;
use crate::on_each_cpu::{Moved, OnEachCpu, READ_FORMAT};
use crate::periodic::Periodic;

/// How often a second a CPU is sampled when nothing is said: no divisor of what timers are set to.
pub const SAMPLE_HERTZ: u32 = 99;

/// Rates that are taken.
pub const HERTZ: std::ops::RangeInclusive<u32> = 1..=10_000;

/// Clocks change their pace, and CPUs are looked for, so often, give or take a half.
const LOOK: Duration = Duration::from_secs(1);

/// A period is longer or shorter than the one that was asked for by a part of it between these, in turns, so that the
/// rate is as asked for. By the least of it, a beat with what has that period takes 50 samples.
const JITTER: Range<f64> = 0.02..0.1;

// include/uapi/linux/perf_event.h: `_IO('$', 0)`, `_IOW('$', 4, __u64)`, `_IOW('$', 8, __u32)`.
pub(crate) const IOC_ENABLE: libc::Ioctl = 0x2400;
const IOC_PERIOD: libc::Ioctl = 0x4008_2404;
pub(crate) const IOC_SET_BPF: libc::Ioctl = 0x4004_2408;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// CPUs that came online, and went, since sampling began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// They are sampled since they were met.
    pub came: u64,
    /// They were sampled until they went.
    pub went: u64,
}

/// The same, while it is counted.
#[derive(Debug, Default)]
struct Counts {
    came: AtomicU64,
    went: AtomicU64,
}

/// Clocks that run a program, until this is dropped.
#[derive(Debug)]
pub struct Sampling {
    counts: Arc<Counts>,
    _keeper: Periodic,
}

impl Sampling {
    /// Starts a clock of `hertz` on each CPU that is online; each tick runs `program`.
    ///
    /// # Errors
    /// What the kernel says when not even one CPU can be sampled. EACCES: `kernel.perf_event_paranoid`
    /// asks for rights that this process lacks.
    pub fn start(program: &impl AsFd, hertz: u32) -> io::Result<Self> {
        let program = program.as_fd().try_clone_to_owned()?;
        let period_ns = period_ns(hertz);
        let mut clocks = Clocks { program, period_ns, changes: 0, on_cpus: OnEachCpu::new() };
        let mut random = Random::new();
        // Those that are there at the beginning did not come.
        clocks.follow_cpus(&mut random)?;
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        let pause = |random: &mut Random| LOOK.mul_f64(random.within(0.5..1.5));
        let first = pause(&mut random);
        let keep = move || {
            clocks.change_pace(&mut random);
            // Those that go on are unharmed; a new one is tried again the next time.
            if let Ok(Moved { came, went }) = clocks.follow_cpus(&mut random) {
                counted.came.fetch_add(came, Ordering::Relaxed);
                counted.went.fetch_add(went, Ordering::Relaxed);
            }
            pause(&mut random)
        };
        let capabilities = &["CAP_PERFMON", "CAP_SYS_ADMIN"];
        Ok(Self { counts, _keeper: Periodic::start("sampling", capabilities, first, keep)? })
    }

    /// CPUs that came and went so far.
    pub fn changes(&self) -> Changes {
        let Counts { came, went } = &*self.counts;
        Changes { came: came.load(Ordering::Relaxed), went: went.load(Ordering::Relaxed) }
    }
}

/// A rate as a period.
pub fn period_ns(hertz: u32) -> u64 {
    NANOSECONDS_PER_SECOND / u64::from(hertz.clamp(*HERTZ.start(), *HERTZ.end()))
}

/// The clocks. Closing one ends it.
struct Clocks {
    program: OwnedFd,
    period_ns: u64,
    /// How often the pace was changed.
    changes: u32,
    on_cpus: OnEachCpu<OwnedFd>,
}

impl Clocks {
    /// Starts clocks where there are none, and lets go of those whose CPU is gone.
    fn follow_cpus(&mut self, random: &mut Random) -> io::Result<Moved> {
        let Self { program, period_ns, on_cpus, .. } = self;
        on_cpus.follow(|cpu| {
            start_clock(cpu, random.period(*period_ns, cpu.is_multiple_of(2)), program)
        })
    }

    /// Gives each clock another period, which begins now.
    fn change_pace(&mut self, random: &mut Random) {
        self.changes = self.changes.wrapping_add(1);
        for (clock, place) in self.on_cpus.iter().zip(self.changes..) {
            let period_ns = random.period(self.period_ns, place.is_multiple_of(2));
            // SAFETY: an open event, and a number that lives through the call. A refusal leaves the pace
            // as it was.
            unsafe { libc::ioctl(clock.as_raw_fd(), IOC_PERIOD, &raw const period_ns) };
        }
    }
}

fn start_clock(cpu: u32, period_ns: u64, program: &OwnedFd) -> io::Result<OwnedFd> {
    let mut attributes = libbpf_sys::perf_event_attr {
        type_: libbpf_sys::PERF_TYPE_SOFTWARE,
        size: u32::try_from(size_of::<libbpf_sys::perf_event_attr>()).unwrap_or(0),
        config: libbpf_sys::PERF_COUNT_SW_CPU_CLOCK.into(),
        read_format: READ_FORMAT,
        ..Default::default()
    };
    attributes.__bindgen_anon_1.sample_period = period_ns;
    attributes.set_disabled(1);
    let clock = open_event(&attributes, cpu)?;
    command(&clock, IOC_SET_BPF, program.as_raw_fd())?;
    command(&clock, IOC_ENABLE, 0)?;
    Ok(clock)
}

/// Opens an event of everything that runs on a CPU.
pub(crate) fn open_event(
    attributes: &libbpf_sys::perf_event_attr,
    cpu: u32,
) -> io::Result<OwnedFd> {
    let (any_process, no_group) = (-1, -1);
    // SAFETY: `attributes` lives through the call and says its own size; the rest are numbers.
    owned(unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const *attributes,
            any_process,
            cpu,
            no_group,
            libc::c_long::from(libbpf_sys::PERF_FLAG_FD_CLOEXEC),
        )
    })
}

/// A command to an event whose argument is a number.
pub(crate) fn command(event: &OwnedFd, command: libc::Ioctl, argument: i32) -> io::Result<()> {
    // SAFETY: an open event and numbers.
    match unsafe { libc::ioctl(event.as_raw_fd(), command, argument) } {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A small generator (xorshift64*, Marsaglia and Vigna): what it must not be is in step with anything.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let mut seed = [0; 8];
        // SAFETY: the buffer is as long as is said. What it fails to fill stays zero.
        unsafe { libc::getrandom(seed.as_mut_ptr().cast(), seed.len(), 0) };
        Self(u64::from_ne_bytes(seed) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number between these.
    fn within(&mut self, Range { start, end }: Range<f64>) -> f64 {
        let from_zero_to_one = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        start + (end - start) * from_zero_to_one
    }

    fn period(&mut self, period_ns: u64, is_longer: bool) -> u64 {
        let by = self.within(JITTER);
        (period_ns as f64 * if is_longer { 1.0 + by } else { 1.0 - by }) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_around_the_one_that_was_asked_for_and_never_nearly_it() {
        let mut random = Random::new();
        let asked = period_ns(99);
        let periods: Vec<u64> =
            (0..10_000).map(|number| random.period(asked, number % 2 == 0)).collect();
        for period in &periods {
            let by = (*period as f64 / asked as f64 - 1.0).abs();
            assert!((JITTER.start - 1e-6..=JITTER.end + 1e-6).contains(&by), "{by}");
        }
        let mean = periods.iter().sum::<u64>() as f64 / periods.len() as f64;
        // The mean of n even numbers strays by their width / sqrt(12 n): six times that is never seen.
        let width = (JITTER.end - JITTER.start) * asked as f64;
        assert!((mean - asked as f64).abs() < 6.0 * width / (12.0 * 10_000_f64).sqrt(), "{mean}");
    }
}
