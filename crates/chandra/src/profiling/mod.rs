//! `chandra profile`: what runs, or where threads wait, watched for a while, as a profile.
//!
//! Samples are followed like any record, so that each has who it is of. The last line on stderr says what was
//! sampled, what of it is whole, what was lost, and what all of it cost.

pub mod elsewhere;
mod summary;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chandra_doctor::known_bad::{self, Danger};
use chandra_doctor::node::Kernel;
use chandra_doctor::{Check, Problem};
use chandra_event::record::Event;
use chandra_identity::Identity;
use chandra_loader::cost::Statistics;
use chandra_loader::load::Loaded;
use chandra_loader::ring::UNHURRIED_POLL;
use chandra_loader::sampling::period_ns;
use chandra_profile::filter::Filter;
use chandra_profile::format::Format;
use chandra_profile::metadata::ValueType;
use chandra_profile::owner::Grouping;
use chandra_profile::profile::Profile;
use chandra_profiler::{Of, OwnerOfSample, Profiler};
use chandra_signals::registry::signal;
use chandra_signals::{Context, Signal};

use crate::cli::profile::View;
use crate::cli::profiling::{Measured, Outcome, ProfilingOptions};
use crate::companions::{self, Companion};
use crate::doctor::gather;
use crate::follow::{Part, Plan, Sink, Tally, Told, follow};
use crate::profile;
use crate::session::{self, Received, Watch};
use crate::stop::Stop;

/// How long to sleep before looking whether it is over: not less than before looking for samples, for each look is a
/// wake-up.
const IDLE: Duration = UNHURRIED_POLL;

/// Profiles until the time is up or a signal comes, and writes the profile.
pub fn run(options: &ProfilingOptions) -> Result<(), Problem> {
    if !options.on_bad_kernel {
        kernel_is_fit(&gather::kernel())?;
    }
    chandra_loader::kernel_log::capture();
    let stop = Stop::on_signals().map_err(|error| {
        Problem::new(Check::USAGE, "cannot listen for Ctrl-C", error, "start it from a shell")
    })?;
    let _ = chandra_loader::memory::raise_memlock_limit();
    let name = options.measured.signal();
    let signal = signal(name).ok_or_else(|| {
        let why = format!("it has no signal {name}");
        Problem::new(Check::USAGE, "this build cannot profile", why, "")
    })?;
    let asks = options.identity.late.is_some();
    let (loaded, companions) = std::thread::scope(|scope| {
        let companions = scope.spawn(move || match asks {
            true => companions::load(signal, 0, &options.load),
            false => Vec::new(),
        });
        (load(signal, options), companions.join().unwrap_or_default())
    });
    let loaded = loaded?;
    let mut profiler = Profiler::start(&loaded).map_err(|error| {
        Problem::new(
            Check::CAPABILITIES,
            "cannot profile",
            error,
            "run it as root (sudo chandra profile …)",
        )
    })?;
    // Without them the summary has no cost; the rest goes on.
    let statistics = Statistics::enable();
    let context = Context::new(options.load.btf.as_deref());
    let (begun, begun_wall) = (Instant::now(), SystemTime::now());
    let shared = RwLock::new(loaded);
    let received = Received::default();
    let tally = sample(
        options,
        (signal, &shared, &received),
        &companions,
        &context,
        &mut Samples { profiler: &mut profiler, options, progress: Progress::new(begun) },
        &|| {
            let left = options.duration.map(|all| all.saturating_sub(begun.elapsed()));
            let left = left.unwrap_or(IDLE);
            (!left.is_zero() && !stop.is_asked()).then(|| left.min(IDLE))
        },
    )?;
    let elapsed = begun.elapsed();
    drop(statistics);
    let loaded = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    let progress = Progress::new(begun);
    let mut profile = profiler.finish(of(options.measured), options.what, &mut |done, all| {
        progress.show_names(done, all)
    });
    describe(&mut profile, options, begun_wall, elapsed);
    let summary = summary::Summary::new(
        (&loaded, of(options.measured)),
        &profiler,
        &received,
        &tally,
        elapsed,
    );
    summary.tell_losses(&mut profile.metadata);
    write(&profile, &options.outcome, of(options.measured), &options.identity.node)?;
    eprintln!("{}", summary.text());
    Ok(())
}

fn of(measured: Measured) -> Of {
    match measured {
        Measured::Cpu { .. } => Of::Cpu,
        Measured::OffCpu { .. } => Of::Waits,
    }
}

/// Taking stacks does no harm to this kernel, as far as is known.
fn kernel_is_fit(kernel: &Kernel) -> Result<(), Problem> {
    let mut known = known_bad::of(kernel);
    let harms = |bad: &&known_bad::KnownBad| bad.danger != Danger::UserProbes;
    known.find(harms).map_or(Ok(()), |bad| {
        Err(Problem::new(
            Check::KERNEL,
            format!("kernel {} is not profiled", kernel.release),
            format!("{} ({})", bad.harm, bad.source),
            "use another kernel, or accept the risk with --on-bad-kernel",
        ))
    })
}

fn load(signal: &'static Signal, options: &ProfilingOptions) -> Result<Loaded, Problem> {
    let hooks: Vec<_> = signal.spec.hooks.iter().map(|hook| hook.name).collect();
    let watch = Watch { signal, hooks: &hooks, kinds: 1, group_by: 0, filter: &options.filter };
    let loaded = session::start(&watch, &options.load)?;
    let problem = loaded.hooks.iter().find_map(|hook| session::hook_problem(loaded.name, hook));
    problem.map_or(Ok(loaded), Err)
}

/// Samples until patience ends.
fn sample(
    options: &ProfilingOptions,
    (signal, loaded, received): (&'static Signal, &RwLock<Loaded>, &Received),
    companions: &[Companion],
    context: &Context,
    samples: &mut Samples<'_>,
    patience: &(dyn Fn() -> Option<Duration> + Sync),
) -> Result<Tally, Problem> {
    let found_at_start = AtomicU64::new(0);
    let sampled = Part {
        signal,
        loaded,
        received,
        found_at_start: &found_at_start,
        told_kinds: 1,
        learns: false,
        selects: options.filter.selects_cgroups,
        seeding: None,
    };
    let parts = companions::behind(sampled, companions);
    let plan = Plan {
        parts: &parts,
        sources: companions::sources(companions, &options.identity.sources),
        selector: &options.selector,
        node: &options.identity.node,
        late: options.identity.late.unwrap_or_default(),
        patience,
        on_listening: &|| announce(options),
    };
    follow(&plan, context, samples)
}

fn announce(options: &ProfilingOptions) {
    let until = match options.duration {
        Some(duration) => format!("for {}", humantime::format_duration(duration)),
        None => "until Ctrl-C".to_owned(),
    };
    match options.measured {
        Measured::Cpu { hertz } => eprintln!("profiling at {hertz} Hz {until}"),
        Measured::OffCpu { min_duration } => {
            let shortest = humantime::format_duration(min_duration);
            eprintln!("profiling waits of {shortest} and longer {until}");
        }
    }
    for pid in options.filter.pids.iter().filter(|pid| !is_there(**pid)) {
        eprintln!("note: there is no process {pid} here");
    }
}

/// As far as this process sees: its own processes may not be all that the kernel knows.
fn is_there(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

/// Hands samples on, with whose they are.
struct Samples<'a> {
    profiler: &'a mut Profiler,
    options: &'a ProfilingOptions,
    progress: Progress,
}

impl Sink for Samples<'_> {
    fn tell(&mut self, _part: usize, told: &Told<'_>) {
        let event = told.known.record.event();
        let sample = match event {
            Event::CpuSample(sample) => sample,
            Event::OffCpu(wait) => &wait.sample,
            _ => return,
        };
        let (who, process) = (told.known.who, &sample.process);
        let pod = who.pod;
        let (tid, thread) = match self.options.outcome.grouping {
            Grouping::Thread => (sample.thread_id, sample.thread_comm),
            _ => Default::default(),
        };
        let container = who.container.map_or("", |it| it.name.unwrap_or(it.id));
        let owner = OwnerOfSample {
            pid: process.pid,
            start_boottime_ns: process.start_boottime_ns,
            process: process.comm,
            tid,
            thread,
            container,
            pod: pod.and_then(|pod| pod.name).unwrap_or_default(),
            namespace: pod.and_then(|pod| pod.namespace).unwrap_or_default(),
            node: &self.options.identity.node,
            marks: 0,
        };
        match event {
            Event::OffCpu(wait) => self.profiler.wait(wait, &owner),
            _ => self.profiler.sample(sample, &owner),
        }
    }

    fn flush(&mut self) {
        self.profiler.tend();
    }

    fn look(&mut self, _identity: &Identity, _tally: &Tally) {
        self.progress.show(&self.profiler.figures(of(self.options.measured)));
    }
}

/// A line on a terminal that says how far it is.
struct Progress {
    begun: Instant,
    is_shown: bool,
}

impl Progress {
    fn new(begun: Instant) -> Self {
        Self { begun, is_shown: io::stderr().is_terminal() }
    }

    fn show(&self, figures: &chandra_profiler::Figures) {
        self.say(&format!("{} s, {} samples", self.begun.elapsed().as_secs(), figures.samples));
    }

    fn show_names(&self, done: u64, all: u64) {
        self.say(&format!("symbols {done}/{all}"));
    }

    fn say(&self, text: &str) {
        if self.is_shown {
            // A terminal that is gone shows nothing.
            let _ = write!(io::stderr(), "\r{text}\x1b[K\r");
        }
    }

    fn clear(&self) {
        self.say("");
    }
}

fn describe(
    profile: &mut Profile,
    options: &ProfilingOptions,
    begun: SystemTime,
    elapsed: Duration,
) {
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).ok();
    let metadata = &mut profile.metadata;
    metadata.host = Some(options.identity.node.clone());
    metadata.start_unix_ns = begun.duration_since(UNIX_EPOCH).ok().and_then(nanoseconds);
    metadata.duration_ns = nanoseconds(elapsed);
    if let Measured::Cpu { hertz } = options.measured {
        metadata.frequency_hz = Some(hertz);
        metadata.period = Some((ValueType::cpu(), period_ns(hertz)));
    }
}

/// Writes a profile of this measure, of that node.
fn write(profile: &Profile, outcome: &Outcome, of: Of, node: &str) -> Result<(), Problem> {
    let seconds = profile.metadata.duration_ns.unwrap_or(0) as f64 / 1e9;
    let of_what = match of {
        Of::Cpu => "",
        Of::Waits => " off the CPU",
    };
    let Outcome { output, format, grouping } = outcome;
    let view = View {
        grouping: *grouping,
        value: None,
        title: format!("{node}{of_what} for {seconds:.1} s"),
        max_frames: None,
        filter: Filter::default(),
    };
    // Scripts that read folded stacks expect samples of a clock, or the time of waits; what is drawn is time.
    let value = match (format, of) {
        (Format::Folded, Of::Cpu) => 0,
        _ => profile.default_value(),
    };
    profile::write(output, |out| profile::convert(profile, &view, value, *format, out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_comes_to_harm_is_not_profiled() {
        let fit = |release: &str| {
            kernel_is_fit(&Kernel {
                release: release.to_owned(),
                version_line: "PREEMPT".to_owned(),
            })
        };
        let problem = fit("6.0.19").expect_err("it locks up").to_string();
        assert!(problem.contains("--on-bad-kernel") && problem.contains("#2070"), "{problem}");
        // What harms by probes on functions of programs does not harm here.
        assert!(fit("6.18.1").is_ok());
    }

    #[test]
    fn a_process_that_is_gone_is_known_as_gone() {
        assert!(is_there(std::process::id()));
        // The kernel's own limit: PID_MAX_LIMIT of linux/threads.h is the first that no process has.
        assert!(!is_there(4_194_304));
    }
}
