//! `chandra trace`: one signal, loaded for the length of the command, shown as it happens.
//!
//! Records come out as they arrive; counts and histograms, which the kernel keeps, at the end. The
//! last line on stderr says what was seen and what became of it.

mod groups;
mod histograms;
mod records;
mod summary;
mod totals;

use std::sync::atomic::AtomicU64;
use std::sync::{PoisonError, RwLock};

use chandra_doctor::{Check, Problem};
use chandra_loader::load::Loaded;
use chandra_signals::Context;

use crate::cli::common::Format;
use crate::cli::trace::TraceOptions;
use crate::companions::{self, Companion};
use crate::follow::{Late, Part, Plan, Sink, Told, follow};
use crate::session::{self, Received, Watch};
use crate::stop::{Ending, Stop};

/// Traces until the time is up, the count is reached, or a signal comes.
pub fn run(options: &TraceOptions) -> Result<(), Problem> {
    chandra_loader::kernel_log::capture();
    let stop = Stop::on_signals().map_err(|error| {
        Problem::new(Check::USAGE, "cannot listen for Ctrl-C", error, "start it from a shell")
    })?;
    // Its failure shows in the loading that follows, if it matters.
    let _ = chandra_loader::memory::raise_memlock_limit();
    let group_by = options.by.iter().fold(0, |bits, (_, bit)| bits | bit);
    let watch = Watch {
        signal: options.signal,
        hooks: &options.hooks,
        kinds: options.kinds,
        group_by,
        filter: &options.filter,
    };
    let selects = options.filter.selects_cgroups;
    let counted = options.verb.histogram.is_some() || group_by != 0;
    let (loaded, companions) = std::thread::scope(|scope| {
        let asks = if counted { selects } else { options.identity.late.is_some() };
        let companions = scope.spawn(move || match asks {
            true => companions::load(options.signal, options.known(), &options.load),
            false => Vec::new(),
        });
        let loaded = session::start(&watch, &options.load);
        (loaded, companions.join().unwrap_or_default())
    });
    let loaded = loaded?;
    check_essential_hook(options, &loaded)?;
    let context = Context::new(options.load.btf.as_deref());
    let ending = Ending::new(options.duration, &stop);
    let shared = RwLock::new(loaded);
    let unlocked =
        |shared: RwLock<Loaded>| shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (summary, loaded) = if counted {
        count(options, &shared, &companions, &context, &ending)?;
        let loaded = unlocked(shared);
        let written = match &options.verb.histogram {
            Some(histogram) if histogram.totals => {
                totals::show(options, histogram, &loaded, &context)?
            }
            Some(histogram) => histograms::show(options, histogram, &loaded, &context)?,
            None => groups::show(options, &loaded, &context)?,
        };
        (summary::Summary::of_counts(written), loaded)
    } else {
        let summary = records::show(options, &shared, &companions, &context, &ending)?;
        (summary, unlocked(shared))
    };
    summary.print(options, &loaded);
    Ok(())
}

/// Follows who is there, so that the kernel knows whom to count, until the end.
fn count(
    options: &TraceOptions,
    loaded: &RwLock<Loaded>,
    companions: &[Companion],
    context: &Context,
    ending: &Ending<'_>,
) -> Result<(), Problem> {
    let mut hooks = String::new();
    if let Ok(loaded) = loaded.read() {
        hooks = session::hooks_text(&loaded.hooks);
        (options.signal.seed)(&loaded, context, &mut |_| {});
    }
    let (received, found_at_start) = (Received::default(), AtomicU64::new(0));
    let counting = Part {
        signal: options.signal,
        loaded,
        received: &received,
        found_at_start: &found_at_start,
        told_kinds: 0,
        learns: false,
        selects: options.filter.selects_cgroups,
        seeding: None,
    };
    let parts = companions::behind(counting, companions);
    let plan = Plan {
        parts: &parts,
        sources: companions::sources(companions, &options.identity.sources),
        selector: &options.selector,
        node: &options.identity.node,
        late: Late::default(),
        patience: &|| ending.patience(),
        on_listening: &|| announce(options, &hooks),
    };
    follow(&plan, context, &mut Nothing).map(drop)
}

/// Where no records are told.
struct Nothing;

impl Sink for Nothing {
    fn tell(&mut self, _part: usize, _told: &Told<'_>) {}
    fn flush(&mut self) {}
}

/// Without its first hook a verb shows nothing, so its absence is an error.
fn check_essential_hook(options: &TraceOptions, loaded: &Loaded) -> Result<(), Problem> {
    let essential = options.hooks.first();
    let hook = loaded.hooks.iter().find(|hook| Some(&hook.hook) == essential);
    match hook.and_then(|hook| session::hook_problem(options.signal.spec.name, hook)) {
        Some(problem) => Err(problem),
        None => Ok(()),
    }
}

fn announce(options: &TraceOptions, hooks: &str) {
    let until = match (options.duration, options.count) {
        (None, None) => "; Ctrl-C ends",
        _ => "",
    };
    eprintln!("tracing {}: {hooks}{until}", options.verb.name);
}

/// Columns of the terminal that standard output is, if it is one and lines should be cut to it.
fn terminal_width(format: Format) -> Option<usize> {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    size.filter(|_| format != Format::Json).map(|(width, _)| usize::from(width.0))
}
